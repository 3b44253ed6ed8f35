from setuptools import find_packages, setup

package_name = "vla_cli"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.org",
    description="The vla command: demo, evaluation, benchmarks, and clients of the graph.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["vla = vla_cli.__main__:run"]},
)
