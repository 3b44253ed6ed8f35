"""The doctor's findings on this machine and on a broken one."""

from __future__ import annotations

from vla_cli.doctor import doctor_command
from vla_cli.doctor.doctor_command import Finding, Level
from vla_cli.doctor.doctor_qos import End, judge


def test_a_finding_tells_its_remedy():
    assert "mend it with: ./vla build" in Finding("x", Level.ERROR, "broken", "./vla build").line()
    assert "mend" not in Finding("x", Level.OK, "fine").line()


def test_this_machine_runs_the_graph():
    findings = [finding for check in doctor_command.CHECKS for finding in check()]
    bad = [finding.line() for finding in findings if finding.level is Level.ERROR]
    assert not bad


def test_a_missing_checkpoint_is_an_error(tmp_path):
    (finding,) = doctor_command.checkpoint(str(tmp_path))
    assert finding.level is Level.ERROR and "is not a checkpoint" in finding.found


def test_a_missing_profile_and_a_wrong_domain_are_named(monkeypatch):
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/nowhere.xml")
    (finding,) = doctor_command.profile()
    assert finding.level is Level.ERROR and finding.remedy.startswith("unset")
    monkeypatch.setenv("ROS_DOMAIN_ID", "many")
    assert doctor_command.network()[0].level is Level.ERROR
    monkeypatch.setenv("ROS_DOMAIN_ID", "150")
    assert doctor_command.network()[0].level is Level.WARNING


def test_an_open_network_is_a_warning(monkeypatch):
    monkeypatch.delenv("ROS_LOCALHOST_ONLY", raising=False)
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    assert doctor_command.network()[-1].level is Level.WARNING


def test_a_topic_with_two_types_is_an_error_that_names_both():
    def end(node, kind, publishes):
        return End("/cmd_vel", f"geometry_msgs/msg/{kind}", node, publishes, True, False)

    sent = end("safety", "Twist", True)
    (found,) = judge([sent, end("turtlebot3_node", "TwistStamped", False)])
    assert found.level == Level.ERROR and "/cmd_vel for turtlebot3_node" in found.line()
    assert "reads geometry_msgs/msg/TwistStamped" in found.line()
    assert "safety sends geometry_msgs/msg/Twist" in found.line()
    (found,) = judge([sent, end("base", "Twist", False)])
    assert found.level == Level.OK


def test_a_check_that_fails_is_a_finding():
    def broken():
        raise OSError("no such device")

    (finding,) = doctor_command._guarded(broken)
    assert finding.level is Level.ERROR and "no such device" in finding.found
