import pytest
from geometry_msgs.msg import Point, TwistStamped
from rclpy.serialization import serialize_message
from std_msgs.msg import String

from vla_safety.templates import Mark, Template, TemplateError, number_marks


def test_only_the_marked_numbers_change():
    x, y = number_marks(2)
    template = Template(Point(x=x, y=y, z=3.0), [Mark("=d", (y,)), Mark("=d", (x,))])
    for values in ((1.0, 2.0), (float("inf"), -0.0)):
        filled = template.fill([(values[1],), (values[0],)])
        assert filled == serialize_message(Point(x=values[0], y=values[1], z=3.0))


def test_the_bytes_may_end_with_the_last_mark():
    (x,) = number_marks(1)
    whole = serialize_message(Point(x=5.0))
    assert Template(Point(x=x), [Mark("=d", (x,))], cut=True).fill([(5.0,)]) == whole[:12]


def test_an_optional_mark_may_be_missing():
    optional = Mark("=iI", (1_369_682_884, 455_884_110), optional=True)
    message = String(data="a")
    assert Template(message, [optional]).fill([(1, 2)]) == serialize_message(message)
    with pytest.raises(TemplateError, match="there 0 times; accepted: 1"):
        Template(TwistStamped(), [Mark("=iI", (1_369_682_884, 455_884_110))])


def test_a_mark_that_is_there_twice_is_refused():
    (x,) = number_marks(1)
    with pytest.raises(TemplateError, match="2 times"):
        Template(Point(x=x, y=x), [Mark("=d", (x,))])
