from xml.etree import ElementTree

from setuptools import find_packages, setup

package_name = "vla_perception"

setup(
    name=package_name,
    version=ElementTree.parse("package.xml").findtext("version"),
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + package_name]),
        ("share/" + package_name, ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # by which `colcon test` runs pytest
    zip_safe=True,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.org",
    description="Cameras, robot state and a command, synchronised into one observation.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["perception = vla_perception.node:main"]},
)
