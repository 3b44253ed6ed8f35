import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.node.parameters import ParameterError, fields
from vla_safety.config import parameter_lock
from vla_safety.config.parameter_lock import LOOSENS, Loosens, check, loosened
from vla_safety.config.safety_config import SafetyConfig


def test_every_parameter_that_changes_at_run_time_has_a_row():
    runtime = {name for name, _, specification in fields(SafetyConfig) if specification.runtime}
    assert runtime <= set(LOOSENS), "say in LOOSENS what loosens it"


@pytest.mark.parametrize(
    ("name", "tighter", "looser"),
    [
        ("speed_scale", 0.1, 0.9),
        ("chunk_timeout", 0.2, 0.6),
        ("shadow", True, False),
        ("input_timeout", 0.1, 1.0),
    ],
)
def test_loosening_is_refused_while_locked_and_tightening_never(name, tighter, looser):
    tight, loose = SafetyConfig(**{name: tighter}), SafetyConfig(**{name: looser})
    check(loose, tight, locked=True)
    check(tight, tight, locked=True)
    check(tight, loose, locked=False)
    with pytest.raises(ParameterError, match=f"{name} is .* locked"):
        check(tight, loose, locked=True)


def test_lists_loosen_by_what_they_lose():
    assert loosened("required_inputs", ("odom", "joint_states"), ("odom",))
    assert not loosened("required_inputs", ("odom",), ("joint_states", "odom"))
    assert loosened("stop_words", ("stop", "halt"), ("stop", "freeze"))


def test_what_is_not_in_the_table_counts_as_loosened():
    assert loosened("new_parameter", 1, 2)
    assert not loosened("new_parameter", 2, 2)


@given(st.sampled_from([Loosens.UP, Loosens.DOWN]), st.floats(), st.floats())
def test_of_two_different_numbers_one_way_loosens(how, one, other):
    table = {"x": how}
    there, back = (loosened("x", a, b, table) for a, b in ((one, other), (other, one)))
    if one != one or other != other:
        assert there and back  # NaN is refused both ways
    else:
        assert there != back or one == other


def test_every_direction_is_judged():
    assert set(parameter_lock._JUDGE) == set(Loosens)
    assert loosened("x", (1,), (1, 2), {"x": Loosens.ADDED})
    assert not loosened("x", 1, 2, {"x": Loosens.NEVER})
    assert loosened("x", False, True, {"x": Loosens.TRUE})
