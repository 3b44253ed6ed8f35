"""Core types to messages and back."""

from __future__ import annotations

import array

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TwistStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64, Header
from trajectory_msgs.msg import JointTrajectory

from vla_contract.stamps import to_time
from vla_interfaces.msg import SafeAction, SimulationTick, TaskState
from vla_sim.node.tick_exchange import Twist, Unstamped
from vla_sim.robot import simulated_robot
from vla_sim.robot.arm_driver import BASE_FRAME
from vla_sim.robot.simulated_robot import GRIPPER_OPENING, RobotState
from vla_sim.robot.simulation import Simulation
from vla_sim.tasks import task_list

GRIPPER_DIMENSION = "gripper"


def to_clock(nanoseconds: int) -> Clock:
    """Simulated time."""
    return Clock(clock=to_time(nanoseconds))


def to_image(picture: simulated_robot.Image, stamp: Time, camera: str) -> Image:
    """An rgb uint8 picture, (H, W, 3), as rgb8."""
    height, width, _ = picture.shape
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.header = Header(stamp=stamp, frame_id=camera)
    # Of all types of data, Humble takes only array.array without looking at each byte (20 ms).
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(picture).data.cast("B"))
    message.data = data
    return message


def to_compressed(
    picture: simulated_robot.Image, stamp: Time, camera: str, quality: int
) -> CompressedImage:
    """The same as a JPEG."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))
    message = CompressedImage(format="rgb8; jpeg compressed bgr8")
    message.header = Header(stamp=stamp, frame_id=camera)
    message.data = array.array("B", jpeg.tobytes())
    return message


def to_joint_state(state: RobotState, stamp: Time) -> JointState:
    """Joints of the arm (rad, m) and, where it has one, `gripper_opening` (0 to 1)."""
    message = JointState(name=list(state.joint_names))
    message.header = Header(stamp=stamp, frame_id=BASE_FRAME)
    message.position = state.joint_positions.tolist()
    message.velocity = state.joint_velocities.tolist()
    if state.gripper_opening is not None:
        message.name.append(GRIPPER_OPENING)
        message.position.append(state.gripper_opening)
        message.velocity.append(state.gripper_velocity)
    return message


def to_pose(state: RobotState, stamp: Time) -> PoseStamped:
    """Pose of the hand in base_link."""
    message = PoseStamped(header=Header(stamp=stamp, frame_id=BASE_FRAME))
    position, orientation = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = state.end_effector.tolist()
    quaternion = state.end_effector_quaternion.tolist()
    orientation.x, orientation.y, orientation.z, orientation.w = quaternion
    return message


def to_tick(simulation: Simulation) -> SimulationTick:
    """The present tick, which waits for its answer."""
    return SimulationTick(
        header=Header(stamp=to_time(simulation.stamp)),
        tick=simulation.tick,
        episode=simulation.episode,
        has_images=simulation.has_images,
        period=simulation.step_period,
    )


def to_task_state(simulation: Simulation) -> TaskState:
    """The simulator's verdict on the present state."""
    result = simulation.environment.result
    task, seed = simulation.environment.task, simulation.environment.seed
    return TaskState(
        header=Header(stamp=to_time(simulation.stamp)),
        task=task,
        seed=seed,
        instruction=task_list.instruction(task, seed),
        episode=simulation.episode,
        step=result.step,
        success=result.success,
        truncated=result.truncated,
        reward=result.reward,
        command_age=simulation.driver.greatest_age,
    )


def from_twist(message: TwistStamped) -> Twist:
    """The linear part; the arm does not turn."""
    linear = message.twist.linear
    return Twist((linear.x, linear.y, linear.z), message.header.frame_id)


def from_effort(message: Float64) -> Unstamped:
    """A gripper's effort."""
    return Unstamped((message.data,))


def from_trajectory(message: JointTrajectory) -> Unstamped:
    """The last point of a trajectory: where the joints are to go."""
    values = tuple(message.points[-1].positions) if message.points else ()
    return Unstamped(values, tuple(message.joint_names))


def gripper_effort(message: SafeAction) -> tuple[float, ...] | None:
    """The gripper's dimension of a SafeAction, None where it has none."""
    if GRIPPER_DIMENSION not in message.dimension_names:
        return None
    index = list(message.dimension_names).index(GRIPPER_DIMENSION)
    return (float(message.safe[index]),) if index < len(message.safe) else None


def positions(message: SafeAction) -> tuple[float, ...] | None:
    """All dimensions of a SafeAction, None where it has no values."""
    return tuple(message.safe) or None
