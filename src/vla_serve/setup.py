from xml.etree import ElementTree

from setuptools import find_packages, setup

package_name = "vla_serve"

setup(
    name=package_name,
    version=ElementTree.parse("package.xml").findtext("version"),
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["lerobot.txt"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # by which `colcon test` runs pytest
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.org",
    description="Policies as servers: checkpoints, LeRobot's, and the whole graph.",
    license="Apache-2.0",
)
