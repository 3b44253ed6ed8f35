from xml.etree import ElementTree

from setuptools import find_packages, setup

NAME = "vla_safety"

setup(
    name=NAME,
    version=ElementTree.parse("package.xml").findtext("version"),
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # by which `colcon test` runs pytest
    zip_safe=True,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.org",
    description="Sequencing, motion limits, watchdogs, the latched stop and the safety node.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "safety = vla_safety.node.node:main",
            "markers = vla_safety.markers.markers_node:main",
            "compile_limiter = vla_safety.limits.compile_limiter:main",
        ]
    },
)
