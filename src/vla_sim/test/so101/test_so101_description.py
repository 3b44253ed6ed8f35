"""The arm's own description against the published URDF, where that is installed."""

import sysconfig
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("mujoco")

import mujoco

from vla_sim.so101.so101_scene import FREE_SPEED, JOINTS, STALL_TORQUE, compile_model, urdf_path

DATA = "cmeel.prefix/share/example-robot-data/robots/so_arm_description/urdf/so101.urdf"


def published() -> Path:
    path = Path(sysconfig.get_path("purelib")) / DATA
    if not path.is_file():
        pytest.skip("pip install example-robot-data")
    return path


def elements(path: Path, kind: str) -> dict:
    return {each.get("name"): each for each in ElementTree.parse(path).getroot().findall(kind)}


def kinematics(path: Path):
    """A model of the links' frames alone; the meshes are not needed."""
    root = ElementTree.parse(path).getroot()
    for link in root.findall("link"):
        for kind in ("visual", "collision", "inertial"):
            for part in link.findall(kind):
                link.remove(part)
        inertial = ElementTree.SubElement(link, "inertial")
        ElementTree.SubElement(inertial, "mass", value="1")
        ElementTree.SubElement(
            inertial, "inertia", ixx="1", iyy="1", izz="1", ixy="0", ixz="0", iyz="0"
        )
    ElementTree.SubElement(ElementTree.SubElement(root, "mujoco"), "compiler", fusestatic="false")
    return mujoco.MjModel.from_xml_string(ElementTree.tostring(root, encoding="unicode"))


def test_the_links_are_where_the_published_ones_are():
    ours, theirs = kinematics(urdf_path()), kinematics(published())
    names = [theirs.body(i).name for i in range(1, theirs.nbody)]
    rng = np.random.default_rng(0)
    for _ in range(100):
        datas = []
        positions = dict(zip(JOINTS, rng.uniform(-1.5, 1.5, len(JOINTS)), strict=True))
        for model in (ours, theirs):
            data = mujoco.MjData(model)
            for name, value in positions.items():
                data.joint(name).qpos[0] = value
            mujoco.mj_kinematics(model, data)
            datas.append(data)
        for name in names:
            np.testing.assert_allclose(
                datas[0].body(name).xpos, datas[1].body(name).xpos, atol=1e-6
            )
            np.testing.assert_allclose(
                datas[0].body(name).xmat, datas[1].body(name).xmat, atol=1e-5
            )


def test_limits_and_masses_are_the_published_ones():
    ours, theirs = urdf_path(), published()
    for name, joint in elements(theirs, "joint").items():
        if joint.get("type") == "fixed":
            continue
        mine = elements(ours, "joint")[name].find("limit")
        for bound in ("lower", "upper"):
            assert float(mine.get(bound)) == float(joint.find("limit").get(bound)), name
    for name, link in elements(theirs, "link").items():
        mass = link.find("inertial/mass")
        if float(mass.get("value")) > 1e-6:
            mine = elements(ours, "link")[name].find("inertial/mass")
            assert float(mine.get("value")) == pytest.approx(float(mass.get("value"))), name


def test_the_model_has_the_joints_limits_and_the_servos_torque():
    model = compile_model(64, 64)
    limits = elements(urdf_path(), "joint")
    for index, name in enumerate(JOINTS):
        assert model.joint(index).name == name
        wanted = limits[name].find("limit")
        low, high = model.jnt_range[index]
        assert (low, high) == (float(wanted.get("lower")), float(wanted.get("upper")))
        assert float(wanted.get("effort")) == STALL_TORQUE
        assert float(wanted.get("velocity")) == FREE_SPEED


def test_a_servo_is_no_faster_and_no_stronger_than_its_data_sheet():
    """shoulder_pan, whose load is inertia alone, swung from side to side."""
    model = compile_model(64, 64)
    data = mujoco.MjData(model)
    fastest = strongest = 0.0
    data.qpos[0] = -1.9
    data.ctrl[:] = data.qpos[: len(JOINTS)]
    data.ctrl[0] = 1.9
    for _ in range(600):
        mujoco.mj_step(model, data)
        fastest = max(fastest, abs(data.qvel[0]))
        strongest = max(strongest, abs(data.actuator_force[0]))
    assert 0.7 * FREE_SPEED < fastest < FREE_SPEED
    assert strongest == pytest.approx(STALL_TORQUE)
