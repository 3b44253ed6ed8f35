"""A policy whose chunks can be spoilt: it answers observations in the place of the policy node.

python -m vla_proof.faults.pretended.pretended_policy NAME [LINEAR]. It prints one line of JSON
when its publisher of chunks has found a reader, then reads modes (good, nan, ...) as lines and
answers each as the robot does.
"""

from __future__ import annotations

import enum
import json
import math
import sys
import time
from typing import Any

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from vla_contract import topics
from vla_contract.stamps import to_time
from vla_interfaces.msg import ActionChunk, Fault, Observation
from vla_proof.faults.pretended.line_orders import serve

ROWS, PERIOD = 32, 0.05  # of the mobile base's chunk; s
NAMES = ["linear_x", "angular_z"]
CRUISE = (0.3, 0.48)  # m/s, rad/s
LATE = 1.0  # s
BEAT_PERIOD = 0.2  # s
LATE_PERIOD = 0.005  # s
KINDS = (Fault.KIND_LANGUAGE, Fault.KIND_ACTION, Fault.KIND_COMMUNICATION)


class ChunkMode(enum.Enum):
    """What the chunks hold."""

    GOOD = "good"
    NAN = "nan"
    RANDOM = "random"  # other values in every row, within the range
    EXTREME = "extreme"  # finite, up to the greatest that a float64 holds
    LATE = "late"  # right, but 1 s later than they should come


def rows(mode: ChunkMode, cruise: tuple[float, float], random: np.random.Generator) -> list[float]:
    """Actions of a chunk, row by row."""
    actions = np.tile(np.array(cruise), (ROWS, 1))
    if mode is ChunkMode.NAN:
        actions[random.integers(ROWS), random.integers(2)] = random.choice([math.nan, math.inf])
    elif mode is ChunkMode.RANDOM:
        actions = random.uniform((-0.2, -1.2), (0.6, 1.2), actions.shape)
    elif mode is ChunkMode.EXTREME:
        extremes = [1e3, -1e3, 1e9, -1e9, 1.7e308, -1.7e308, 5e-324]
        actions = random.choice(extremes, actions.shape)
    return [float(value) for value in actions.ravel()]


class Source(Node):
    """Answers each observation with a chunk."""

    def __init__(self, name: str, cruise: tuple[float, float]) -> None:
        super().__init__(name, namespace="/vla", start_parameter_services=False)
        self._cruise, self.mode = cruise, ChunkMode.GOOD
        self._random = np.random.default_rng(1)
        self._late: list[tuple[float, Any]] = []
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._faults = self._out(Fault, topics.FAULT)
        self._chunks = self._out(ActionChunk, topics.ACTION_CHUNK)
        while not self._chunks.get_subscription_count():  # before, it can do nothing
            time.sleep(0.001)
        self.say()
        profile = topics.qos_profile(topics.OBSERVATION)
        self.create_subscription(Observation, topics.OBSERVATION, self._on_observation, profile)
        self.create_timer(BEAT_PERIOD, self._beat, clock=self._steady)
        self.create_timer(LATE_PERIOD, self._send_late, clock=self._steady)

    def say(self) -> None:
        """Tell the time."""
        stamp = self.get_clock().now().nanoseconds
        print(json.dumps({"at": time.monotonic_ns(), "stamp": stamp}), flush=True)

    def _out(self, kind: Any, topic: str) -> Any:
        return self.create_publisher(kind, topic, topics.qos_profile(topic))

    def _on_observation(self, message: Any) -> None:
        chunk = ActionChunk(
            observation_stamp=message.observation_stamp,
            observation_sequence=message.sequence,
            action_space="mobile_base",
            dimension_names=NAMES,
            period=PERIOD,
            progress=math.nan,
            confidence=math.nan,
        )
        chunk.header.stamp = to_time(self.get_clock().now().nanoseconds)
        if message.command_valid:
            chunk.actions = rows(self.mode, self._cruise, self._random)
            chunk.command_id, chunk.command = message.command.command_id, message.command.text
            chunk.command_stamp = message.command.header.stamp
        if self.mode is ChunkMode.LATE:
            self._late.append((time.monotonic() + LATE, chunk))
        else:
            self._chunks.publish(chunk)

    def _send_late(self) -> None:
        if self.mode is not ChunkMode.LATE:
            self._late.clear()
        while self._late and self._late[0][0] <= time.monotonic():
            self._chunks.publish(self._late.pop(0)[1])

    def _beat(self) -> None:
        now = to_time(self.get_clock().now().nanoseconds)
        for kind in KINDS:
            fault = Fault(source=self.get_name(), kind=kind, since=now)
            fault.header.stamp = now
            self._faults.publish(fault)


def main(arguments: list[str]) -> int:
    """Run until the input ends."""
    linear = float(arguments[1]) if len(arguments) > 1 else CRUISE[0]
    return serve(lambda: Source(arguments[0], (linear, CRUISE[1])), change)


def change(source: Source, line: str) -> None:
    """Another mode, from the time that is told on."""
    mode = ChunkMode(line.strip())
    source.say()
    source.mode = mode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
