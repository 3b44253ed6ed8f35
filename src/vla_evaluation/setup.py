from xml.etree import ElementTree

from setuptools import find_packages, setup

package_name = "vla_evaluation"

setup(
    name=package_name,
    version=ElementTree.parse("package.xml").findtext("version"),
    packages=find_packages(exclude=["test", "test.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # by which `colcon test` runs pytest
    zip_safe=True,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.org",
    description="Metrics of vision, language, action, timing and alignment.",
    license="Apache-2.0",
)
