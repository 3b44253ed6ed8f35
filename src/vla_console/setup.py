from xml.etree import ElementTree

from setuptools import find_packages, setup

setup(
    name="vla_console",
    version=ElementTree.parse("package.xml").findtext("version"),
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={"vla_console": ["page/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vla_console"]),
        ("share/vla_console", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # by which `colcon test` runs pytest
    zip_safe=False,  # the page's files are read from their folder
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.org",
    description="The operator's page: a robot's cameras, state and controls in a browser.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["console = vla_console.node:main"]},
)
