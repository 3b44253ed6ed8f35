"""The SO-101 on a table with three cubes, a tray and two cameras, as a MuJoCo model.

The arm is `config/arms/so101.urdf`, the same file that the safety node's guard takes; everything
else is added here. Its servos are direct-current motors: torque falls linearly from the stall
torque to nothing at the speed without load (STS3215 at 7.4 V: 1.9 N m and 4.9 rad/s, its data
sheet's 19.5 kg cm and 0.222 s for 60 degrees).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vla_sim.robot import rendering
from vla_sim.so101 import so101_tasks

STEP_PERIOD = 0.02  # s: joint states at 50 Hz
PHYSICS_STEPS = 10  # of 2 ms in each
JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
CAMERAS = ("front", "wrist")
GRIPPER, JAW = "gripper_link", "moving_jaw_so101_v1_link"
GRASP = "grasp"  # site between the jaws

STALL_TORQUE = 1.9  # N m
FREE_SPEED = 4.9  # rad/s
GRIP = 0.25  # of the torque: what LeRobot leaves the gripper's servo when something is in its way
STIFFNESS = 40.0  # N m/rad: full torque at 0.05 rad
SERVO_DAMPING = 1.2  # N m s/rad
ARMATURE = 0.028  # kg m^2: the motor's inertia behind its gears
FRICTION = 0.05  # N m

TABLE_HEIGHT = -0.0025  # m in base_link, under the arm's feet
WALL = 0.004  # m, of the tray
WALL_HEIGHT = 0.016  # m
CUBE_MASS = 0.03  # kg
GRASP_AT = (0.014, 0.0, -0.0955)  # m in gripper_link: a cube there is 7 mm from the fixed jaw


class DescriptionError(RuntimeError):
    """The arm's description is not there; the message says where it would be."""


def urdf_path() -> Path:
    """The arm's URDF, which vla_bringup installs.

    Raises:
        DescriptionError: vla_bringup is not built or not sourced.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        share = Path(get_package_share_directory("vla_bringup"))
    except PackageNotFoundError as error:
        raise DescriptionError(
            "vla_bringup, which has config/arms/so101.urdf, is not found; build with ./vla build"
        ) from error
    return share / "config" / "arms" / "so101.urdf"


def compile_model(width: int, height: int) -> Any:
    """The whole scene as MjModel; width, height: of the pictures, px."""
    import mujoco

    spec = mujoco.MjSpec.from_file(str(urdf_path()))
    spec.compiler.fusestatic = False
    spec.option.timestep = STEP_PERIOD / PHYSICS_STEPS
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    _arm(spec, mujoco)
    _furniture(spec, mujoco)
    for index, (colour, rgb) in enumerate(so101_tasks.COLOURS.items()):
        _cube(spec, mujoco, colour, rgb, 0.1 * (index - 1))
    _cameras(spec)
    model = spec.compile()
    rendering.prepare_model(model, width, height)
    return model


def _arm(spec: Any, mujoco: Any) -> None:
    for name in JOINTS:
        joint = spec.joint(name)
        joint.armature = ARMATURE
        joint.frictionloss = FRICTION
        joint.damping = STALL_TORQUE / FREE_SPEED
        torque = STALL_TORQUE * (GRIP if name == "gripper" else 1.0)
        servo = spec.add_actuator(
            name=name,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            forcerange=[-torque, torque],
            forcelimited=True,
            ctrlrange=list(joint.range),
            ctrllimited=True,
        )
        servo.gainprm[0] = STIFFNESS
        servo.biastype = mujoco.mjtBias.mjBIAS_AFFINE
        servo.biasprm[1:3] = [-STIFFNESS, -SERVO_DAMPING]
    # Joined by a joint, which MuJoCo takes into account only where the parent can move.
    spec.add_exclude(bodyname1="base_link", bodyname2="shoulder_link")
    spec.body(GRIPPER).add_site(name=GRASP, pos=list(GRASP_AT), rgba=[0.0, 0.0, 0.0, 0.0])
    for body in spec.bodies:
        for geom in body.geoms:
            geom.rgba = [0.75, 0.72, 0.62, 1.0]
            if body.name in (GRIPPER, JAW):
                geom.friction = [1.0, 0.02, 0.001]
                geom.rgba = [0.25, 0.25, 0.27, 1.0]


def _furniture(spec: Any, mujoco: Any) -> None:
    world = spec.worldbody
    box = mujoco.mjtGeom.mjGEOM_BOX
    world.add_light(pos=[0.3, 0.0, 1.2], dir=[0.0, 0.0, -1.0], diffuse=[0.35, 0.35, 0.35])
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    world.add_geom(
        name="table",
        type=box,
        size=[0.4, 0.45, 0.02],
        pos=[0.2, 0.0, TABLE_HEIGHT - 0.02],
        rgba=[0.7, 0.68, 0.62, 1.0],
    )
    inside, (x, y) = so101_tasks.TRAY_HALF, so101_tasks.TRAY
    colour = [0.35, 0.3, 0.25, 1.0]
    outer = inside + WALL
    world.add_geom(
        name="tray_floor",
        type=box,
        size=[outer, outer, 0.001],
        pos=[x, y, TABLE_HEIGHT + 0.001],
        rgba=colour,
    )
    for name, dx, dy in (("n", 1, 0), ("s", -1, 0), ("w", 0, 1), ("e", 0, -1)):
        at = inside + WALL / 2
        world.add_geom(
            name=f"tray_{name}",
            type=box,
            size=[WALL / 2 if dx else outer, WALL / 2 if dy else outer, WALL_HEIGHT / 2],
            pos=[x + dx * at, y + dy * at, TABLE_HEIGHT + WALL_HEIGHT / 2],
            rgba=colour,
        )


def _cube(spec: Any, mujoco: Any, colour: str, rgb: tuple[float, ...], y: float) -> None:
    half = so101_tasks.HALF_SIZE
    body = spec.worldbody.add_body(name=colour, pos=[0.22, y, TABLE_HEIGHT + half])
    body.add_freejoint(name=f"{colour}_joint")
    body.add_geom(
        name=colour,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half] * 3,
        mass=CUBE_MASS,
        rgba=[*rgb, 1.0],
        condim=4,
        friction=[1.0, 0.02, 0.001],
        solref=[0.005, 1.0],
        solimp=[0.97, 0.995, 0.001, 0.5, 2.0],
    )


def _cameras(spec: Any) -> None:
    # Across the table, looking at the arm and down on the cubes.
    spec.worldbody.add_camera(
        name="front", pos=[0.42, 0.03, 0.42], xyaxes=[0, 1, 0, -0.86, 0, 0.51], fovy=58.0
    )
    # Beside the jaws, looking at what is between them.
    spec.body(GRIPPER).add_camera(
        name="wrist", pos=[0.005, -0.07, -0.02], xyaxes=[1, 0, 0, 0, 0.75, 0.66], fovy=75.0
    )
