"""Transforms as tf2 gives them, which looks at little of what a robot publishes."""

import math

import pytest
import rclpy
from geometry_msgs.msg import TransformStamped

from vla_safety.node.transform_lookup import TransformLookup
from vla_safety.surroundings.transforms import Transform


@pytest.fixture
def node():
    context = rclpy.context.Context()
    rclpy.init(context=context)
    made = rclpy.create_node("lookup", context=context)
    yield made
    made.destroy_node()
    rclpy.shutdown(context=context)


def mounted(node, x=0.0, quaternion=(0.0, 0.0, 0.0, 1.0)):
    """What the lookup says of a laser whose transform was published."""
    message = TransformStamped(child_frame_id="laser")
    message.header.frame_id = "base"
    message.transform.translation.x = x
    turn = message.transform.rotation
    turn.x, turn.y, turn.z, turn.w = quaternion
    lookup = TransformLookup(node)
    lookup._buffer.set_transform_static(message, "test")
    return lookup.mount("base", "laser")


@pytest.mark.parametrize("length", [0.5, 1.0, 2.0])
def test_a_quaternion_of_any_length_is_the_rotation_that_tf2_makes_of_it(node, length):
    found = mounted(node, 0.3, (0.0, 0.0, length, 0.0))
    assert isinstance(found, Transform)
    assert found.translation[0] == 0.3 and found.yaw == pytest.approx(math.pi)


@pytest.mark.parametrize(
    "quaternion", [(0.0,) * 4, (0.0, 0.0, math.nan, 1.0), (math.inf, 0.0, 0.0, 1.0)]
)
def test_what_is_no_rotation_is_no_transform(node, quaternion):
    found = mounted(node, 0.3, quaternion)
    assert isinstance(found, str) and found.startswith("no transform base ← laser: ")


def test_what_is_not_finite_is_named(node):
    found = mounted(node, math.inf)
    assert found == (
        "transform base ← laser: translation is [inf, 0.0, 0.0]; accepted: 3 finite numbers"
    )


def test_names_with_the_slash_of_ros_1_are_found(node):
    message = TransformStamped(child_frame_id="/laser")
    message.header.frame_id = "/base"
    message.transform.rotation.w = 1.0
    lookup = TransformLookup(node)
    lookup._buffer.set_transform_static(message, "test")
    assert isinstance(lookup.mount("/base", "/laser"), Transform)
    assert lookup.mount("base", "") == (
        "no transform base ← nothing: the message names no frame; accepted: one, or the "
        "parameter frame of its source"
    )
