"""SafeAction as bytes, in every control period: see `templates` for how and why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from builtin_interfaces.msg import Time

from vla_contract.action_space import ActionSpace
from vla_contract.stamps import to_time
from vla_interfaces.msg import SafeAction
from vla_safety.conversions import safe_action_to_message
from vla_safety.decision import Decision
from vla_safety.limits import LimitViolation
from vla_safety.templates import Mark, Template, number_marks

MOST_FORMS = 256  # kept; a form is a few kB
# What a form's integers are in its template.
_STAMP = (1_369_682_884, 455_884_110)
_OBSERVATION_STAMP = (1_471_218_357, 566_372_931)
_TICK, _COMMAND_ID = 6_543_784_532_173_641_592, 7_364_185_093_782_154_627
_FLAGS = (0xA1, 0xB2, True, False)

_Names = tuple[tuple[int, str, str], ...]
_Form = tuple[str, _Names, _Names]


class ActionRecords:
    """Serialises the record of each period of one action space."""

    def __init__(self, space: ActionSpace) -> None:
        self._space = space
        self._nothing = (math.nan,) * space.width
        self._templates: dict[_Form, Template] = {}

    def serialised(self, decision: Decision, tick: int, stamp: Time) -> bytes:
        """The message of `safe_action_to_message`; a new form of it takes its time once."""
        age, observed = decision.observation_age, to_time(decision.observation_stamp)
        return self._template(decision).fill(
            [
                (stamp.sec, stamp.nanosec),
                (tick,),
                (observed.sec, observed.nanosec),
                (math.nan if age is None else age,),
                self._nothing if decision.requested is None else decision.requested,
                decision.safe.tolist(),
                *((v.value, v.bound) for v in decision.violations),
                *((v.value, v.bound) for v in decision.warnings),
                (decision.verdict, decision.state, decision.emergency, decision.connected),
                (decision.command_id,),
            ]
        )

    def _template(self, decision: Decision) -> Template:
        form = (decision.input, _names(decision.violations), _names(decision.warnings))
        template = self._templates.get(form)
        if template is None:
            if len(self._templates) >= MOST_FORMS:
                self._templates.clear()
            template = self._templates[form] = self._new_template(decision)
        return template

    def _new_template(self, decision: Decision) -> Template:
        width = self._space.width
        message = safe_action_to_message(decision, self._space, _TICK, Time())
        violations = [*message.violations, *message.warnings]
        marks = number_marks(1 + 2 * width + 2 * len(violations))
        message.observation_age = marks.pop()
        message.requested, message.safe = marks[:width], marks[width : 2 * width]
        pairs = list(zip(marks[2 * width :: 2], marks[2 * width + 1 :: 2], strict=True))
        for violation, (value, bound) in zip(violations, pairs, strict=True):
            violation.value, violation.bound = value, bound
        _mark_integers(message)
        return Template(
            message,
            [
                Mark("=iI", _STAMP),
                Mark("=Q", (_TICK,)),
                Mark("=iI", _OBSERVATION_STAMP),
                Mark("=d", (message.observation_age,)),
                Mark(f"={width}d", tuple(message.requested)),
                Mark(f"={width}d", tuple(message.safe)),
                *(Mark("=2d", pair) for pair in pairs),
                Mark("=4B", _FLAGS),
                Mark("=Q", (_COMMAND_ID,)),
            ],
        )


def _mark_integers(message: SafeAction) -> None:
    message.header.stamp = Time(sec=_STAMP[0], nanosec=_STAMP[1])
    message.observation_stamp = Time(sec=_OBSERVATION_STAMP[0], nanosec=_OBSERVATION_STAMP[1])
    message.verdict, message.state, message.emergency, message.outputs_connected = _FLAGS
    message.command_id = _COMMAND_ID


def _names(violations: Sequence[LimitViolation]) -> _Names:
    return tuple((int(v.limit), v.dimension, v.name) for v in violations)
