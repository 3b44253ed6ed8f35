from vla_safety.node.reports import StatusKey
from vla_safety.watch.safety_states import State

KEY = StatusKey(
    State.HOLD, "scan is 0.52 s old", True, True, False, 1.0, 3, True, "policy", False, 0
)  # fmt: skip


def test_words_are_less_than_any_other_news():
    assert KEY._replace(cause="scan is 0.54 s old").differs_in_words(KEY)
    assert not KEY._replace(cause="", state=State.NOMINAL).differs_in_words(KEY)
    assert not KEY._replace(standstill=False).differs_in_words(KEY)
