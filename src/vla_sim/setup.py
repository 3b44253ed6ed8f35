from xml.etree import ElementTree

from setuptools import find_packages, setup

package_name = "vla_sim"

setup(
    name=package_name,
    version=ElementTree.parse("package.xml").findtext("version"),
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # by which `colcon test` runs pytest
    zip_safe=True,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.org",
    description="Simulated robots for the VLA graph, in MuJoCo: Meta-World's Sawyer and an SO-101.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["simulator = vla_sim.node.node:main"]},
)
