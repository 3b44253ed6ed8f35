from xml.etree import ElementTree

from setuptools import find_packages, setup

setup(
    name="vla_policy",
    version=ElementTree.parse("package.xml").findtext("version"),
    packages=find_packages(exclude=["test", "test.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vla_policy"]),
        ("share/vla_policy", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # by which `colcon test` runs pytest
    zip_safe=True,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.org",
    description="Vision-language-action policy: checkpoints, inference backends, policy node.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "policy = vla_policy.node:main",
            "build_engine = vla_policy.engines.engine_command:run",
        ]
    },
)
