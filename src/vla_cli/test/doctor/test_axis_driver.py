"""What `doctor --axes` sends to the robot, and that the policy is as before however it ends."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

from vla_cli.client.command_errors import CommandError, Interrupted
from vla_cli.doctor import axis_driver, policy_lifecycle
from vla_cli.doctor.axis_driver import AxisDriver
from vla_cli.doctor.policy_lifecycle import ACTIVE, INACTIVE, UNCONFIGURED
from vla_contract.action_space import ActionSpace
from vla_contract.stamps import to_nanoseconds, to_time
from vla_interfaces.msg import ActionChunk, Fault, SafeAction, SafetyStatus

FILE = Path(__file__).resolve().parents[4] / "config" / "action_spaces" / "metaworld.yaml"
SPACE = ActionSpace.load(FILE)
X, GRIPPER = SPACE.dimensions[0], SPACE.dimensions[-1]
REST = [0.0, 0.0, 0.0, 0.5]
AFTER = {
    Transition.TRANSITION_CONFIGURE: (UNCONFIGURED, INACTIVE),
    Transition.TRANSITION_ACTIVATE: (INACTIVE, ACTIVE),
    Transition.TRANSITION_DEACTIVATE: (ACTIVE, INACTIVE),
    Transition.TRANSITION_CLEANUP: (INACTIVE, UNCONFIGURED),
}


class Graph:
    """A policy node, and a safety node that lets every row of a chunk pass; time of its own.

    Attributes:
        state: the policy's. failure: (which interaction, what it raises).
        late: a transition that this one asks for is done only after the caller gave up.
    """

    namespace = "/vla"

    def __init__(self, state=ACTIVE):
        self.state, self.failure, self.late = state, None, None
        self.policy_is_there = True
        self.now, self.interactions = 1.0, 0
        self.sent, self.faults, self.publishers = [], [], []
        self.gripper, self.somebody_else = REST[3], 0
        self.limit = 1.0  # share of each command that the safety node lets pass
        self.node = self
        self._collected = {}

    def interact(self):
        self.interactions += 1
        if self.failure and self.interactions == self.failure[0]:
            raise self.failure[1]

    def monotonic(self):
        return self.now

    def nodes(self):
        return ["policy", "safety"] if self.policy_is_there else ["safety"]

    def collect(self, kind, topic, keep=0, qos=None):
        return self._collected.setdefault(kind, [])

    def get_subscriber_names_and_types_by_node(self, name, namespace):
        return []

    def require(self, condition, timeout, what):
        self.interact()
        if not self.wait(condition, timeout):
            raise CommandError(what)

    def wait(self, condition, timeout):
        self.interact()
        end = self.now + timeout
        while self.now < end - 1e-9:
            self._tick()
            if condition():
                return True
        return False

    def _tick(self):
        """A control period of the safety node."""
        self.now += SPACE.period
        row = [0.0, 0.0, 0.0, self.gripper]
        if self.sent and self.sent[-1].actions:
            chunk = self.sent[-1]
            late = self.now - to_nanoseconds(chunk.observation_stamp) * 1e-9
            index = min(int(late / chunk.period), len(chunk.actions) // 4 - 1)
            row = [value * self.limit for value in chunk.actions[4 * index : 4 * index + 4]]
        self.gripper = row[3]
        actions = self.collect(SafeAction, "")
        action = SafeAction(
            action_space=SPACE.name, safe=row, requested=[float("nan")] * 4,
            tick=len(actions), period=SPACE.period,
        )  # fmt: skip
        action.header.stamp = to_time(round(self.now * 1e9))
        actions.append(action)
        status = SafetyStatus(state=SafetyStatus.STATE_HOLD, armed=True, cause="waiting")
        self.collect(SafetyStatus, "")[:] = [status]

    def resolve_topic_name(self, topic):
        return f"/vla/{topic}"

    def count_publishers(self, name):
        return (
            self.somebody_else
            + len(self.publishers)
            + (self.state in (INACTIVE, ACTIVE) and self.policy_is_there)
        )

    def publisher(self, kind, topic, reader):
        self.interact()
        assert self.state == UNCONFIGURED or not self.policy_is_there
        sent = self.sent if kind is ActionChunk else self.faults
        publisher = SimpleNamespace(publish=lambda message: (self.interact(), sent.append(message)))
        if kind is ActionChunk:
            self.publishers.append(publisher)
        return publisher

    def destroy_publisher(self, publisher):
        self.publishers.remove(publisher)

    def call(self, kind, name, request, timeout=10.0, discovery=5.0):
        self.interact()
        if kind is GetState:
            response = GetState.Response(current_state=State(id=self.state))
        else:
            assert kind is ChangeState
            needed, after = AFTER[request.transition.id]
            response = ChangeState.Response(success=self.state == needed)
            if response.success:
                assert self.state == UNCONFIGURED or not self.publishers
                self.state = after
        if self.late and self.interactions == self.late:
            raise CommandError("policy/change_state gave no answer in 60 s")
        return response


@pytest.fixture
def graph(monkeypatch):
    made = Graph()
    clock = SimpleNamespace(monotonic=lambda: made.now)
    for module in (axis_driver, policy_lifecycle):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(policy_lifecycle, "ignore_signals", lambda: None)
    return made


def drive(graph, dimension=X, speed=0.08, seconds=0.2):
    driver = AxisDriver(graph, str(FILE))
    graph.interactions = 0
    with driver.in_place_of_policy():
        return driver.move(dimension, speed, seconds)


@pytest.mark.parametrize("found", [UNCONFIGURED, INACTIVE, ACTIVE])
def test_the_policy_is_brought_back_to_the_state_in_which_it_was_found(graph, found):
    graph.state = found
    drive(graph)
    assert graph.state == found and not graph.publishers


@pytest.mark.parametrize("found", [INACTIVE, ACTIVE])
@pytest.mark.parametrize(
    "error", [CommandError("no answer"), RuntimeError("rcl"), Interrupted(2)], ids=repr
)
def test_a_failure_at_any_point_leaves_robot_at_rest_and_policy_as_it_was(
    graph, monkeypatch, found, error
):
    points, restore = sound_run(graph, monkeypatch, found)
    if isinstance(error, Interrupted):
        points = restore - 1  # signals are ignored from there on
    assert points > 20
    for point in range(1, points + 1):
        again = reset(graph, found)
        again.failure = (point, error)
        try:
            drive(again)
        except type(error) as caught:
            assert caught is error
        assert again.state == found, point
        assert not again.publishers, point
        assert not again.sent or (not again.sent[-1].actions and not again.sent[-1].command_id)


def sound_run(graph, monkeypatch, found):
    """The number of interactions, and the one from which on the policy is brought back."""
    begin, real = [], policy_lifecycle._restore

    def restore(*words):
        begin.append(graph.interactions + 1)
        real(*words)

    with monkeypatch.context() as patch:
        patch.setattr(policy_lifecycle, "_restore", restore)
        drive(reset(graph, found))
    return graph.interactions, begin[0]


def reset(graph, state):
    """The same object, whose clock is patched in, as new."""
    graph.__init__(state)
    return graph


@pytest.mark.parametrize("found", [INACTIVE, ACTIVE])
def test_a_transition_that_ends_after_the_time_out_is_undone_as_well(graph, found):
    drive(reset(graph, found))
    for point in range(1, graph.interactions + 1):
        again = reset(graph, found)
        again.late = point
        try:
            drive(again)
        except CommandError as error:
            assert "no answer" in str(error)
        assert again.state == found, point


def test_a_policy_that_cannot_be_brought_back_is_named_with_the_remedy(graph, monkeypatch):
    monkeypatch.setitem(AFTER, Transition.TRANSITION_CONFIGURE, (-1, -1))
    with pytest.raises(CommandError, match="was active and could not .* configure, then activate"):
        drive(graph)


def test_a_policy_in_the_middle_of_a_transition_is_waited_for(graph):
    states = itertools.chain([State.TRANSITION_STATE_ACTIVATING] * 3, itertools.repeat(None))
    whole = graph.call

    def call(kind, *words, **options):
        response = whole(kind, *words, **options)
        if kind is GetState:
            response.current_state.id = next(states) or response.current_state.id
        return response

    graph.call = call
    drive(graph)
    assert graph.state == ACTIVE


def test_somebody_else_who_publishes_chunks_is_left_alone(graph):
    graph.somebody_else = 1
    with pytest.raises(CommandError, match="somebody else publishes /vla/action_chunk"):
        drive(graph)
    assert not graph.sent and graph.state == ACTIVE


def test_without_a_policy_node_nothing_is_changed(graph):
    graph.policy_is_there = False
    expected, _, _ = drive(graph)
    assert expected == pytest.approx(0.08 * 0.2, abs=0.08 * 0.02)


def rows(chunk):
    return [list(chunk.actions[i : i + 4]) for i in range(0, len(chunk.actions), 4)]


def test_what_is_sent_moves_one_axis_for_its_time_and_no_faster(graph):
    drive(graph, X, 0.08, 0.2)
    moving = [chunk for chunk in graph.sent if chunk.actions]
    assert {chunk.command_id for chunk in moving} == {moving[0].command_id} - {0}
    begin = to_nanoseconds(moving[0].observation_stamp)
    for chunk in moving:
        assert list(chunk.dimension_names) == list(SPACE.dimension_names)
        elapsed = (to_nanoseconds(chunk.observation_stamp) - begin) * 1e-9
        for k, row in enumerate(rows(chunk)):
            in_time = elapsed + k * SPACE.chunk_period < 0.2
            assert row == pytest.approx([0.08 if in_time else 0.0, *REST[1:]])
    stamps = [to_nanoseconds(chunk.observation_stamp) for chunk in graph.sent]
    assert all(a < b for a, b in itertools.pairwise(stamps))


def test_heartbeats_of_every_kind_are_sent_all_the_while(graph):
    drive(graph)
    assert {fault.kind for fault in graph.faults} == set(axis_driver.KINDS)
    assert {(fault.source, fault.level) for fault in graph.faults} == {("policy", Fault.LEVEL_OK)}
    beats = sorted({to_nanoseconds(fault.header.stamp) for fault in graph.faults})
    assert all(b - a < 0.3e9 for a, b in itertools.pairwise(beats))


def test_a_position_is_moved_from_where_it_stands_and_within_its_range(graph):
    expected, moved, _ = drive(graph, GRIPPER, 4.0, 0.2)
    values = [row[3] for chunk in graph.sent for row in rows(chunk)]
    assert min(values) >= REST[3] and max(values) == GRIPPER.high
    assert all(row[:3] == REST[:3] for chunk in graph.sent for row in rows(chunk))
    assert expected == pytest.approx(GRIPPER.high - REST[3]) and moved is None


def test_a_velocity_beyond_the_range_is_not_asked_for(graph):
    driver = AxisDriver(graph, str(FILE))
    slow = replace(X, high=0.05)
    assert max(driver._rows(slow, REST, 0.08, 1.0, 0.0)[::4]) == 0.05


def test_what_the_safety_node_does_not_let_move_is_said(graph):
    graph.limit = 0.1
    with pytest.raises(CommandError, match="linear_x is not let move: waiting"):
        drive(graph)
    assert len({c.command_id for c in graph.sent} - {0}) == axis_driver.ATTEMPTS


def test_a_robot_that_does_not_come_to_rest_is_an_error(graph):
    driver = AxisDriver(graph, str(FILE))
    with pytest.raises(CommandError, match="does not come to rest in 10 s"):  # noqa: SIM117
        with driver.in_place_of_policy():
            driver._at_rest = lambda dimension: False
            driver.move(X, 0.08, 0.2)
    assert graph.state == ACTIVE and not graph.sent[-1].actions


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shadow": True}, "in shadow mode"),
        ({"armed": False}, "is not armed"),
        ({"state": SafetyStatus.STATE_STOPPED}, "not at rest in HOLD"),
    ],
)
def test_a_robot_that_must_not_move_is_refused(graph, change, words):
    driver = AxisDriver(graph, str(FILE))
    driver.check_ready()
    for name, value in change.items():
        setattr(graph.collect(SafetyStatus, "")[-1], name, value)
    with pytest.raises(CommandError, match=words):
        driver.check_ready()
