"""What the nodes rely on of tf2_ros, held to whichever package is importable."""

import math
import time

import pytest
import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from tf2_msgs.msg import TFMessage
from tf2_ros import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    LookupException,
    TransformBroadcaster,
    TransformException,
    TransformListener,
)

LATEST = Time()


def transform(parent, child, seconds=1.0, xyz=(0.0, 0.0, 0.0), yaw=0.0):
    message = TransformStamped()
    message.header.frame_id, message.child_frame_id = parent, child
    message.header.stamp = at(seconds).to_msg()
    where, turn = message.transform.translation, message.transform.rotation
    where.x, where.y, where.z = map(float, xyz)
    turn.z, turn.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return message


def at(seconds):
    return Time(nanoseconds=round(seconds * 1e9))


def buffer_of(*transforms, static=()):
    buffer = Buffer()
    for one in transforms:
        buffer.set_transform(one, "test")
    for one in static:
        buffer.set_transform_static(one, "test")
    return buffer


def xyz(message):
    where = message.transform.translation
    return pytest.approx((where.x, where.y, where.z))


def yaw(message):
    return 2 * math.atan2(message.transform.rotation.z, message.transform.rotation.w)


def test_a_chain_and_its_inverse():
    buffer = buffer_of(
        static=(
            transform("base", "mast", xyz=(1, 0, 0), yaw=math.pi / 2),
            transform("mast", "laser", xyz=(2, 0, 0)),
        )
    )
    assert xyz(buffer.lookup_transform("base", "laser", LATEST)) == (1, 2, 0)
    back = buffer.lookup_transform("laser", "base", LATEST)
    assert xyz(back) == (-2, 1, 0)
    assert yaw(back) == pytest.approx(-math.pi / 2)
    assert (back.header.frame_id, back.child_frame_id) == ("laser", "base")


def test_two_branches_of_a_tree():
    buffer = buffer_of(
        static=(
            transform("base", "left", xyz=(0, 1, 0)),
            transform("base", "right", xyz=(0, -1, 0)),
        )
    )
    assert xyz(buffer.lookup_transform("left", "right", LATEST)) == (0, -2, 0)


def test_it_interpolates_between_stamps_on_the_shorter_way():
    buffer = buffer_of(
        transform("odom", "base", 1.0, (0, 0, 0), 3.0),
        transform("odom", "base", 2.0, (4, 2, 0), -3.0),
    )
    # The newest time that both have is that of the slower one.
    buffer.set_transform(transform("base", "arm", 1.5), "test")
    middle = buffer.lookup_transform("odom", "arm", LATEST)
    assert xyz(middle) == (2, 1, 0)
    assert abs(yaw(middle)) == pytest.approx(math.pi)
    buffer.set_transform(transform("base", "tool", 1.25), "test")
    quarter = buffer.lookup_transform("odom", "tool", LATEST)
    assert math.sin(yaw(quarter)) == pytest.approx(math.sin(3.0 + 0.25 * (2 * math.pi - 6.0)))


def test_time_0_is_the_latest_that_all_have():
    buffer = buffer_of(
        transform("odom", "base", 1.0, (1, 0, 0)),
        transform("odom", "base", 2.0, (2, 0, 0)),
        transform("odom", "base", 3.0, (3, 0, 0)),
        transform("base", "arm", 2.0),
        static=(transform("arm", "hand", 9.0, (0, 0, 1)),),
    )
    found = buffer.lookup_transform("odom", "hand", LATEST)
    assert xyz(found) == (2, 0, 1)
    assert found.header.stamp.sec == 2
    assert buffer.lookup_transform("odom", "base", LATEST).header.stamp.sec == 3


def test_the_exceptions_and_their_common_base():
    buffer = buffer_of(
        transform("odom", "base", 3.0), transform("base", "arm", 2.0), transform("a", "b")
    )
    with pytest.raises(LookupException, match="nowhere"):
        buffer.lookup_transform("base", "nowhere", LATEST)
    with pytest.raises(ConnectivityException, match="not part of the same tree"):
        buffer.lookup_transform("base", "b", LATEST)
    with pytest.raises(ExtrapolationException, match="into the past"):
        buffer.lookup_transform("odom", "arm", LATEST)
    for error in (LookupException, ConnectivityException, ExtrapolationException):
        assert issubclass(error, TransformException)
    assert not buffer.can_transform("base", "b", LATEST)
    assert buffer.can_transform("odom", "base", LATEST)


def test_a_loop_of_frames_is_refused():
    loop = transform("a", "b"), transform("b", "c"), transform("c", "a")
    buffer = buffer_of(static=(*loop, transform("base", "laser")))
    with pytest.raises(LookupException, match="loop"):
        buffer.lookup_transform("base", "a", LATEST)


def test_of_two_parents_that_of_the_newest_stamp_counts():
    buffer = buffer_of(
        transform("odom", "base", 1.0),
        transform("map", "base", 2.0, (2, 0, 0)),
        transform("odom", "base", 1.5),
    )
    assert xyz(buffer.lookup_transform("map", "base", LATEST)) == (2, 0, 0)
    with pytest.raises(ConnectivityException):
        buffer.lookup_transform("odom", "base", LATEST)


def turned(*quaternion):
    message = transform("odom", "base")
    turn = message.transform.rotation
    turn.x, turn.y, turn.z, turn.w = map(float, quaternion)
    return message


def test_what_is_no_transform_is_not_taken():
    buffer = buffer_of(
        turned(0, 0, 0, 0),
        turned(0, 0, 0, 1e-170),
        turned(0, 0, math.nan, 1),
        turned(math.inf, 0, 0, 1),
        transform("odom", "base", xyz=(math.nan, 0, 0)),
        transform("odom", ""),
        transform("base", "base"),
    )
    assert not buffer.can_transform("odom", "base", LATEST)


@pytest.mark.parametrize(
    ("quaternion", "wanted"),
    [
        ((0, 0, 0, 0.5), (0, 0, 0, 1)),
        ((0, 0, 2, 2), (0, 0, 0.5**0.5, 0.5**0.5)),
        ((0, 0, 0, -1), (0, 0, 0, 1)),
        ((0, -3, 0, 0.1), (0, 1, 0, -0.1 / 3)),
    ],
)
def test_a_rotation_of_any_length_comes_out_with_length_1(quaternion, wanted):
    found = buffer_of(turned(*quaternion)).lookup_transform("odom", "base", LATEST)
    turn = found.transform.rotation
    found = (turn.x, turn.y, turn.z, turn.w)
    sign = math.copysign(1.0, sum(map(math.prod, zip(found, wanted, strict=True))))
    # q and -q are one rotation.
    assert found == pytest.approx([sign * w for w in wanted], abs=1e-3)


def test_a_place_at_infinity_is_taken():
    """So whoever uses a transform has to look whether it is finite."""
    buffer = buffer_of(transform("odom", "base", xyz=(math.inf, 0, 0)))
    assert buffer.lookup_transform("odom", "base", LATEST).transform.translation.x == math.inf


@pytest.mark.parametrize(("slower", "kept"), [(5.5, True), (3.5, False)])
def test_old_ones_are_forgotten(slower, kept):
    buffer = Buffer(cache_time=Duration(seconds=2.0))
    for second in range(1, 8):
        buffer.set_transform(transform("odom", "base", second), "test")
    buffer.set_transform(transform("base", "arm", slower), "test")
    assert buffer.can_transform("odom", "arm", LATEST) is kept


def test_one_that_comes_late_finds_its_time():
    buffer = buffer_of(
        transform("odom", "base", 1.0, (1, 0, 0)),
        transform("odom", "base", 3.0, (3, 0, 0)),
        transform("odom", "base", 2.0, (9, 0, 0)),
        transform("base", "arm", 2.0),
    )
    assert xyz(buffer.lookup_transform("odom", "base", LATEST)) == (3, 0, 0)
    assert xyz(buffer.lookup_transform("odom", "arm", LATEST)) == (9, 0, 0)


def test_clear_keeps_what_is_static():
    buffer = buffer_of(transform("odom", "base"), static=(transform("base", "laser"),))
    buffer.clear()
    assert buffer.can_transform("base", "laser", LATEST)
    assert not buffer.can_transform("odom", "base", LATEST)


def test_a_listener_hears_both_topics_and_what_was_static_before_it_came():
    context = rclpy.context.Context()
    rclpy.init(context=context)
    sender = rclpy.create_node("tf_sender", context=context)
    receiver = rclpy.create_node("tf_receiver", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    try:
        kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        publisher = sender.create_publisher(TFMessage, "/tf_static", kept)
        publisher.publish(TFMessage(transforms=[transform("base", "laser", xyz=(0.5, 0, 0))]))
        broadcaster = TransformBroadcaster(sender)
        buffer = Buffer(node=receiver)
        listener = TransformListener(buffer, receiver)
        executor.add_node(receiver)
        end = time.monotonic() + 30.0
        while time.monotonic() < end:
            broadcaster.sendTransform(transform("odom", "base", xyz=(1, 0, 0)))
            executor.spin_once(timeout_sec=0.01)
            if buffer.can_transform("odom", "laser", LATEST):
                break
        assert xyz(buffer.lookup_transform("odom", "laser", LATEST)) == (1.5, 0, 0)
        listener.unregister()
    finally:
        executor.shutdown()
        sender.destroy_node()
        receiver.destroy_node()
        rclpy.shutdown(context=context)
