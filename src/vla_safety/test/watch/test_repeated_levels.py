"""A level that comes by several subscriptions."""

from rclpy.serialization import serialize_message
from std_msgs.msg import Bool

from vla_safety.watch.repeated_levels import CopyFilter

MS = 1_000_000


def test_copies_are_left_out_and_every_change_is_handed_on():
    taken, now = [], 0
    once = CopyFilter(lambda data: taken.append(bool(data[4])), lambda: now)
    for level in (True, False, True):  # a button that bounces within the time of a copy
        for _ in range(3):
            once.accept(serialize_message(Bool(data=level)))
    assert taken == [True, False, True]
    now = 9 * MS
    once.accept(serialize_message(Bool(data=True)))
    assert len(taken) == 3
    now = 10 * MS  # the driver repeats it
    once.accept(serialize_message(Bool(data=True)))
    assert taken == [True, False, True, True]
