"""A short run of `vla prove arm`: what the guard keeps, and that the judge sees the rest."""

import pytest

pytest.importorskip("pinocchio", reason="pip install pin coal")

from vla_contract.message_enums import Limit
from vla_proof.arms import arm_command
from vla_proof.arms.hostile_arms import ARMS, robots_folder

URDF = """<robot name="two"><link name="base"><collision><origin xyz="0 0 0.05"/><geometry>
<box size="0.1 0.4 0.1"/></geometry></collision></link>{}{}</robot>"""
PART = """<link name="{n}"><collision><origin xyz="0 0 0.15"/><geometry>
<cylinder radius="0.03" length="0.24"/></geometry></collision></link>
<joint name="{n}_joint" type="revolute"><parent link="{p}"/><child link="{n}"/>
<origin xyz="0 {y} {z}"/><axis xyz="{a}"/>
<limit lower="-2.6" upper="2.6" effort="1" velocity="2"/></joint>"""


def chain(side, y):
    turn = PART.format(n=side + "1", p="base", y=y, z=0.15, a="1 0 0")
    return turn + PART.format(n=side + "2", p=side + "1", y=0, z=0.35, a="0 1 0")


@pytest.fixture
def urdf(tmp_path):
    path = tmp_path / "two.urdf"
    path.write_text(URDF.format(chain("l", 0.18), chain("r", -0.18)))
    return str(path)


def test_hostile_commands_touch_nothing_and_the_judge_sees_what_the_guard_prevents(urdf):
    kept = arm_command.attack(urdf, 1500, seed=1, cap=0.0)
    assert kept.verdict.commands == 1500
    assert kept.verdict.contacts == kept.verdict.short == 0, kept.verdict.examples
    assert kept.refused > 100
    free = arm_command.attack(urdf, 1500, seed=1, cap=0.0, guarded=False)
    assert free.verdict.contacts > 100 and free.refused == 0
    assert arm_command.is_broken(free, 0.0) and not arm_command.is_broken(kept, 0.0)


def test_ends_keep_their_cap(urdf):
    kept = arm_command.attack(urdf, 1500, seed=2, cap=0.2)
    assert 0.1 < kept.fastest <= 0.2 and not arm_command.is_broken(kept, 0.2)
    assert arm_command.is_broken(kept, 0.1)


def test_the_command_tells_what_was_kept(urdf, tmp_path, capsys):
    assert arm_command.main(["--arm", urdf, "--commands", "200", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert text.count("kept") == 2 and "100 commands, 0 with a contact" in text
    assert (tmp_path / "prove_arm.json").is_file()


@pytest.mark.skipif(robots_folder() is None, reason="pip install example-robot-data")
@pytest.mark.parametrize("arm", ARMS)
def test_real_arms_touch_nothing(arm):
    kept = arm_command.attack(arm, 300, seed=3, cap=0.0)
    assert not arm_command.is_broken(kept, 0.0), kept.verdict.examples


def test_limits_of_the_arm_are_told_by_name():
    assert Limit.SELF_COLLISION.words == "self collision" and Limit.TOOL_SPEED.words == "tool speed"
