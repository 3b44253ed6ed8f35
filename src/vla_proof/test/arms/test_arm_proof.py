"""A short run of `vla prove arm`: what the guard keeps, and that the judge sees the rest."""

import pytest

pytest.importorskip("pinocchio", reason="pip install pin coal")

from vla_contract.message_enums import Limit
from vla_proof.arms import arm_command
from vla_proof.arms.hostile_arms import ARMS, make_arm, robots_folder
from vla_proof.arms.hostile_commands import Attack
from vla_safety.config.safety_config import SafetyConfig

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


# Of two Pandas' joints; a finger is 5 mm from the crate, and contacts lie 34 mm inside it.
BESIDE_THE_CRATE = (
    0.672922, 0.174015, -1.150181, -2.289086, 0.455903, 1.923829, 0.752592, 0.023045, 0.023045,
    0.196742, -0.00526, 0.476096, -2.074298, -0.445889, 1.340254, 0.172183, 0.005951, 0.005951,
)  # fmt: skip


@pytest.mark.skipif(robots_folder() is None, reason="pip install example-robot-data")
def test_a_contact_that_the_exact_distance_denies_is_none(tmp_path):
    arm = make_arm("two_pandas", tmp_path / "pairs.yaml")
    judge = Attack(arm, SafetyConfig())._judge
    judge.judge(BESIDE_THE_CRATE, holding=True)
    assert judge.verdict.contacts == 0 and judge.verdict.worst < 0.005


def test_limits_of_the_arm_are_told_by_name():
    assert Limit.SELF_COLLISION.words == "self collision" and Limit.TOOL_SPEED.words == "tool speed"
