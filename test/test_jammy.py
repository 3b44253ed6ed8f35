"""The unit tests once more, with Python 3.10 and the versions of Ubuntu 22.04."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.minutes
@pytest.mark.timeout(1500)  # the first time it installs and builds
@pytest.mark.skipif("ROS_DISTRO" in os.environ, reason="a ROS 2 that is sourced has its versions")
def test_the_versions_of_ubuntu_2204_pass_the_unit_tests(capsys):
    done = subprocess.run(
        [ROOT / "vla", "test", "--jammy"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    if "missing: Python 3.10" in lines[-1]:
        pytest.skip(lines[-1])
    with capsys.disabled():
        print(f"\n./vla test --jammy: {lines[-1].strip(' =')}")
    assert done.returncode == 0, "\n".join(lines[-80:])
