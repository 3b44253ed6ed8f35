"""Each finding of the doctor about a machine, from what pretended commands and files say."""

from __future__ import annotations

import pytest

from vla_cli.doctor import doctor_command, doctor_findings, doctor_machine, doctor_qos
from vla_cli.doctor.doctor_findings import Level, Machine
from vla_cli.doctor.doctor_qos import End

ORIN = {"/proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit"}
CHRONY = """Reference ID    : C0A80101 (192.168.1.1)
System time     : {offset} seconds slow of NTP time
Leap status     : {leap}
"""


def machine(commands: dict[str, str] | None = None, files: dict[str, str] | None = None) -> Machine:
    """Answers by a command's first word and a file's path."""
    return Machine(
        run=lambda *words: (commands or {}).get(words[0]), read=lambda path: (files or {}).get(path)
    )


@pytest.mark.parametrize(
    ("distro", "system", "level"),
    [
        (None, "", Level.OK),
        ("humble", 'ID=ubuntu\nVERSION_ID="22.04"', Level.OK),
        ("jazzy", 'ID=ubuntu\nVERSION_ID="22.04"', Level.WARNING),
        ("iron", "", Level.WARNING),
    ],
)
def test_distribution(distro, system, level):
    finding = doctor_command.distribution(distro, machine(files={"/etc/os-release": system}))
    assert finding.level is level and bool(finding.remedy) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("files", "memory", "disk", "level"),
    [
        (ORIN, 16e9, 64e9, Level.OK),
        (ORIN, 15.3e9, 62e9, Level.OK),  # what is left of 16 and 64 GB as they are sold
        (ORIN, 8e9, 64e9, Level.ERROR),
        (ORIN, 16e9, 32e9, Level.ERROR),
        ({}, 8e9, 64e9, Level.WARNING),
    ],
)
def test_minima_of_a_robot(files, memory, disk, level):
    finding = doctor_machine.minima(machine(files=files), int(memory), int(disk))
    assert finding.level is level
    assert ("16 GB and 64 GB" in finding.found) == (level is not Level.OK)


def test_a_graphics_card_is_named_and_tensorrt_looked_for(monkeypatch):
    (none,) = doctor_machine.gpu(machine())
    assert none.level is Level.OK and "onnxruntime" in none.found
    (broken,) = doctor_machine.gpu(machine({"nvidia-smi": "NVIDIA-SMI has failed"}))
    assert "no NVIDIA" in broken.found
    monkeypatch.setattr(doctor_machine, "_versions", dict)
    card, rest = doctor_machine.gpu(machine({"nvidia-smi": "NVIDIA RTX 4090, 550.54\n"}))
    assert "4090" in card.found and rest.level is Level.OK
    card, rest = doctor_machine.gpu(machine(files=ORIN))
    assert "Orin" in card.found and rest.level is Level.WARNING and "deploy" in rest.remedy


def test_tensorrt_is_of_torchs_release():
    fits = {"tensorrt": "10.3.0", "torch": "2.8.0", "torch-tensorrt": "2.8.0+cu126"}
    assert doctor_machine.tensorrt(True, fits).level is Level.OK
    other = doctor_machine.tensorrt(True, fits | {"torch": "2.9.1"})
    assert other.level is Level.ERROR and "2.9.1" in other.found


def test_heat():
    level = {
        text: doctor_machine.heat(machine({"tegrastats": f"cpu@45C tj@{text}C"}))[0].level
        for text in ("61.5", "85", "97")
    }
    assert list(level.values()) == [Level.OK, Level.WARNING, Level.ERROR]
    zone = {"/sys/class/thermal/thermal_zone0/temp": "83000"}
    assert "83 degrees" in doctor_machine.heat(machine(files=zone))[0].found
    assert "no sensor" in doctor_machine.heat(machine())[0].found


def test_power_mode():
    assert doctor_machine.power(machine()) == []
    (hidden,) = doctor_machine.power(machine(files=ORIN))
    assert hidden.level is Level.WARNING and "host" in hidden.remedy
    (fast,) = doctor_machine.power(machine({"nvpmodel": "NV Power Mode: MAXN_SUPER\n0"}))
    assert fast.level is Level.OK
    (slow,) = doctor_machine.power(machine({"nvpmodel": "NV Power Mode: MODE_15W\n2"}))
    assert slow.level is Level.WARNING and "jetson_clocks" in slow.remedy
    (silent,) = doctor_machine.power(machine({"nvpmodel": "permission denied"}))
    assert silent.remedy == "sudo ./vla doctor"


@pytest.mark.parametrize(
    ("commands", "level"),
    [
        ({}, Level.WARNING),
        ({"timedatectl": "yes\n"}, Level.OK),
        ({"timedatectl": "no\n"}, Level.WARNING),
        ({"chronyc": CHRONY.format(offset="0.000012", leap="Normal")}, Level.OK),
        ({"chronyc": CHRONY.format(offset="0.250000", leap="Normal")}, Level.ERROR),
        ({"chronyc": CHRONY.format(offset="0.0", leap="Not synchronised")}, Level.ERROR),
        ({"chronyc": "506 Cannot talk to daemon", "timedatectl": "yes"}, Level.OK),
    ],
)
def test_clock(commands, level):
    (finding,) = doctor_machine.clock(machine(commands))
    assert finding.level is level and bool(finding.remedy) == (level is not Level.OK)


def test_too_little_of_a_size_is_an_error():
    finding = doctor_findings.size("shared memory", 64 * 1024**2, 256 * 1024**2, "free", "mount")
    assert finding.level is Level.ERROR and "0.25 GiB" in finding.found and finding.remedy


def test_a_command_that_never_ends_is_read_for_a_while():
    text = doctor_findings.run("sh", "-c", "echo tj@50C; sleep 9", timeout=0.3)
    assert text == "tj@50C\n"
    assert doctor_findings.run("no-such-command-here") is None
    assert doctor_findings.read("/nowhere") is None


def end(topic, kind, node, publishes=True, reliable=True, latched=False):
    return End(topic, kind, node, publishes, reliable, latched)


BOOL, IMAGE, STRING = "std_msgs/msg/Bool", "sensor_msgs/msg/Image", "std_msgs/msg/String"


def test_topics_that_match_are_one_finding():
    found = [
        end("/camera/image", IMAGE, "camera", reliable=False),
        end("/vla/command", STRING, "ros2cli", latched=True),
        end("/vla/command", STRING, "safety", publishes=False),
        end("/emergency_stop", BOOL, "button"),
    ]
    (finding,) = doctor_qos.judge(found)
    assert finding.level is Level.OK and "3 topics" in finding.found
    assert "nothing runs" in doctor_qos.judge([])[0].found


def test_a_publisher_that_the_graph_would_not_hear():
    (finding,) = doctor_qos.judge([end("/emergency_stop", BOOL, "button", reliable=False)])
    assert finding.level is Level.ERROR and finding.remedy
    assert "/emergency_stop of button: best effort offered, reliable wanted" in finding.found


def test_a_pair_that_does_not_match():
    offered = end("/vla/safety_status", "x", "safety", latched=False)
    wanted = end("/vla/safety_status", "x", "panel", publishes=False, latched=True)
    (finding,) = doctor_qos.judge([offered, wanted])
    assert "safety for panel: volatile offered, transient local wanted" in finding.found


@pytest.mark.parametrize(("running", "level"), [(2, "ok"), (3, "warning")])
def test_a_machine_that_is_too_slow_for_what_runs_on_it(monkeypatch, running, level):
    monkeypatch.setattr(doctor_machine, "others_running", lambda: running)
    monkeypatch.setattr(doctor_machine, "cores", lambda: 2)
    (found,) = doctor_machine.load(doctor_machine.Machine())
    assert found.level.value == level
    assert found.found.startswith(f"{running:.1f} threads want to run on 2 cores")
    assert ("too slow for what runs on it" in found.found) == (level == "warning")
