"""Which recorder records."""

import pytest

from vla_cli.drive import record_command


@pytest.mark.parametrize(
    ("distro", "security", "expected"),
    [("humble", "", True), ("humble", "false", True), ("humble", "true", False), ("", "", False)],
)
def test_the_real_one_records_where_it_is_and_may_serve(monkeypatch, distro, security, expected):
    monkeypatch.setattr(record_command.shutil, "which", lambda name: "/opt/ros/humble/bin/ros2")
    monkeypatch.setenv("ROS_DISTRO", distro)
    monkeypatch.setenv("ROS_SECURITY_ENABLE", security)
    assert record_command._has_ros2() is expected
