"""The joint states of an observation: put together from those that publish them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sensor_msgs.msg import JointState

from vla_contract.joint_states import (
    JointReading,
    JointStateError,
    JointTable,
    NotFiniteError,
    PerPublisher,
    message_fields,
    read_joints,
)
from vla_contract.stamps import to_nanoseconds, to_time
from vla_perception.observe.stamped_streams import Drop, Refused, StampGate


class JointStream:
    """Checks messages of joint states, and gives the newest state of all joints as one message.

    required: joints that an observation must hold. timeout: ns without a state of a joint after
    which it is left out; 0 in lock-step, where each message tells all of its tick. tolerance: of
    stamps, as `StampGate`'s.
    """

    def __init__(self, required: Collection[str], timeout: int, tolerance: int | None) -> None:
        self._required = tuple(required)
        self._gates = PerPublisher(lambda: StampGate(tolerance))
        self._timeout = timeout
        self._table = JointTable(timeout)
        self._left_out: dict[str, str] = {}
        self._said: set[str] = set()  # of those that are silent

    def check_stamp(self, message: JointState, stamp: int, now: int) -> None:
        """Accept a stamp, ns, of the publisher of these joints.

        Raises:
            Refused: it stands still, goes back or lies ahead.
        """
        self._gates.of(message.name).check(stamp, now)

    def convert(self, message: JointState, stamp: int) -> JointState:
        """The newest state of every joint as of a message's stamp, ns.

        Raises:
            Refused: the message contradicts itself, or a required joint has no state.
        """
        reading = self._read(message)
        self._table.add(reading.joints, stamp)
        joints, newest = self._table.together(stamp)
        missing = [name for name in self._required if name not in joints]
        if missing:
            silent = self.silent(stamp)
            ages = (f"{name[:60]} ({silent[name]})" if name in silent else name for name in missing)
            known = ", ".join(joints)[:200] or "none"
            raise Refused(Drop.NAMES, f"no joint {', '.join(ages)[:200]}; it has {known}")
        if len(joints) == len(message.name) and not reading.left_out:
            return message
        whole = JointState(header=message.header, **message_fields(joints))
        if newest != to_nanoseconds(message.header.stamp):
            whole.header.stamp = to_time(newest)
        return whole

    def silent(self, now: int) -> dict[str, str]:
        """Joint → for how long nothing is told of it, where others are told of; now: ns."""
        if not self._timeout:
            return {}
        ages = self._table.silent(now)
        return {name: f"silent for {age * 1e-9:.1f} s" for name, age in ages.items()}

    def newly_silent(self, now: int) -> dict[str, str]:
        """Those of them that were not given before, since they were told of last."""
        new = {name: why for name, why in self.silent(now).items() if name not in self._said}
        self._said.update(new)
        return new

    def values(self, now: int) -> dict[str, Any]:
        """Joints that are left out of observations, and why; for diagnostics."""
        reasons = {**self._left_out, **self.silent(now)}
        return {f"joint_states.left_out.{name}": why for name, why in reasons.items()}

    def forget(self) -> None:
        """The clock jumped: stamps seen so far mean nothing."""
        self._gates.clear()
        self._table.forget()

    def _read(self, message: JointState) -> JointReading:
        try:
            reading = read_joints(message, self._required)
        except NotFiniteError as error:
            raise Refused(Drop.NOT_FINITE, str(error)) from error
        except JointStateError as error:
            raise Refused(Drop.NAMES, str(error)) from error
        self._said.difference_update(reading.joints)
        for name in reading.joints:
            self._left_out.pop(name, None)
        if len(self._left_out) < 64:
            self._left_out.update(reading.left_out)
        if not reading.joints and not self._required:
            name, why = next(iter(reading.left_out.items()))
            reason = Drop.NOT_FINITE if "finite" in why else Drop.NAMES
            raise Refused(reason, f"joint {name[:60]} {why}")
        return reading
