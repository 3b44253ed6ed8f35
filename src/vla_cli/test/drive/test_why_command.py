"""The story of a stop, from a recording as the safety node writes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rclpy.serialization import serialize_message
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from vla_cli.client.command_errors import CommandError
from vla_cli.drive import announced_recording, why_command
from vla_contract.node_testing import Client, node_process
from vla_contract.recording import BagWriter, type_name
from vla_interfaces.msg import Fault, SafeAction, SafetyStatus, Violation
from vla_safety.node.stop_recorder import recording_name

STOP = 1_767_323_045 * 10**9
CAUSE = "the emergency stop is pressed"
DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
SPACE = Path(__file__).resolve().parents[4] / "config/action_spaces/metaworld.yaml"


def record(folder, cause=CAUSE):
    bag = folder / recording_name("STOPPED", cause, STOP)
    notes = {"state": "STOPPED", "cause": cause, "stopped_at": str(STOP), "wall_time": str(STOP)}
    with BagWriter(bag, notes) as writer:

        def write(topic, message, time):
            if not writer.has(topic):
                writer.add_topic(topic, type_name(type(message)))
            writer.write(topic, serialize_message(message), STOP + round(time * 1e9))

        write("/vla/command", String(data="open the drawer"), -8.0)
        for i in range(400):
            action = SafeAction(dimension_names=["linear_x"], safe=[0.5 - i * 0.001], tick=i)
            if i == 350:
                action.violations = [
                    Violation(limit=4, dimension="linear_x", value=42.0, bound=10.0)
                ]
            write("/vla/safe_action", action, -8.0 + i * 0.02)
        write("/vla/fault", Fault(source="policy", kind=2, level=1, message="slow"), -2.0)
        write("/vla/fault", Fault(source="policy", kind=2, level=1, message="slow"), -1.8)
        write("/vla/emergency_stop", Bool(data=True), -0.01)
        write("/vla/safety_status", SafetyStatus(state=4, cause=cause), 0.0)
    return bag


def test_cause_and_the_last_seconds(tmp_path, capsys):
    bag = record(tmp_path)
    assert why_command.main([str(bag)]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == f"STOPPED: {CAUSE}"
    assert lines[1].startswith("at 2026-01-02 03:04:05 UTC; recording: ")
    assert "open the drawer" not in text  # 8 s before
    assert text.count("policy: action warn: slow") == 1  # a level, told where it changed
    assert "linear_x: jerk 42 > 10" in text
    assert "   -0.01 s  /vla/emergency_stop  true" in lines
    assert f"   +0.00 s  state        stopped: {CAUSE}" in lines
    assert "   400  /vla/safe_action" in lines
    assert why_command.main([str(bag), "--last", "9"]) == 0
    assert '/vla/command  "open the drawer"' in capsys.readouterr().out


def test_the_newest_recording_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    with pytest.raises(CommandError, match="no recording of a stop in"):
        why_command.newest()
    bag = record(tmp_path / "vla_safety" / "recordings" / "vla")
    older = bag.with_name(recording_name("HOLD", "silence", STOP - 10**9))
    older.mkdir()
    (older / "metadata.yaml").write_text("")
    assert why_command.newest() == bag


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        why_command.read(tmp_path / "nowhere", 5.0)
    with BagWriter(tmp_path / "drive") as writer:
        writer.add_topic("/b", type_name(Bool))
        writer.write("/b", serialize_message(Bool()), 1)
    with pytest.raises(CommandError, match="is no recording of a stop"):
        why_command.read(tmp_path / "drive", 5.0)


@pytest.mark.system
@pytest.mark.parametrize("recorded", [True, False])
def test_right_after_a_stop_it_tells_of_this_one(tmp_path, monkeypatch, capsys, recorded):
    """A real safety node, which records a stop two seconds after it, or not at all."""
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    monkeypatch.setitem(
        announced_recording.PATIENCE, SafetyStatus.STATE_STOPPED, 60.0 if recorded else 15.0
    )
    folder = tmp_path / "vla_safety" / "recordings" / "vla"
    record(folder)
    assert why_command.main([]) == 0 and capsys.readouterr().out.startswith(f"STOPPED: {CAUSE}\n")
    parameters = {
        "action_space": str(SPACE), "state_file": "none", "recording_tail": 2.0,
        "recording_folder": str(folder) if recorded else "none",
    }  # fmt: skip
    arguments = ["-r", "__ns:=/vla"]
    with node_process("vla_safety.node.node", DOMAIN, parameters, arguments):
        person = Client(DOMAIN, namespace="vla", name="person")
        assert person.call(Trigger, "stop", Trigger.Request()).success
        person.close()
        assert why_command.main([]) == 0
        told = capsys.readouterr().out.splitlines()
        stop = "STOPPED: the stop service was called"
        assert told[0] == f"waiting for the recording of this stop ({stop})"
        if recorded:
            assert told[1] == stop and CAUSE not in "\n".join(told)
            assert why_command.main([]) == 0
            assert capsys.readouterr().out.splitlines() == told[1:]
        else:
            assert told[1].startswith("none has come in ") and told[2] == f"STOPPED: {CAUSE}"
