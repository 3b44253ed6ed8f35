import numpy as np
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message
from test_conversions import SPACE

from vla_contract.stamps import NANOSECONDS
from vla_interfaces.msg import SafeAction
from vla_safety.action_records import ActionRecords
from vla_safety.conversions import safe_action_to_message
from vla_safety.core import Decision, Verdict
from vla_safety.limits import Limit, LimitViolation
from vla_safety.states import State

NUMBERS = st.floats()
ROWS = st.lists(NUMBERS, min_size=SPACE.width, max_size=SPACE.width)
IDS = st.integers(0, 2**64 - 1)
VIOLATIONS = st.lists(
    st.builds(
        LimitViolation,
        st.sampled_from(Limit), st.sampled_from(["", "x", "elbow", "wörld"]), NUMBERS, NUMBERS,
        st.sampled_from(["", "a zone", "zones"]),
    ), max_size=4,
).map(tuple)  # fmt: skip
DECISIONS = st.builds(
    Decision,
    verdict=st.sampled_from(Verdict),
    state=st.sampled_from(State),
    requested=st.none() | ROWS,
    safe=ROWS.map(np.array),
    violations=VIOLATIONS,
    emergency=st.booleans(),
    connected=st.booleans(),
    standstill=st.booleans(),
    observation_stamp=st.integers(0, 2**31 * NANOSECONDS - 1),
    observation_age=st.none() | NUMBERS,
    command_id=IDS,
    warnings=VIOLATIONS,
    input=st.sampled_from(["", "policy", "joystick"]),
)
STAMPS = st.builds(Time, sec=st.integers(0, 2**31 - 1), nanosec=st.integers(0, NANOSECONDS - 1))
RECORDS = ActionRecords(SPACE)


@given(decision=DECISIONS, tick=IDS, stamp=STAMPS)
def test_the_bytes_are_those_of_the_message(decision, tick, stamp):
    message = safe_action_to_message(decision, SPACE, tick, stamp)
    data = RECORDS.serialised(decision, tick, stamp)
    # Not the bytes themselves: what is between the fields may be anything. NaN equals no NaN.
    assert repr(deserialize_message(data, SafeAction)) == repr(message)
