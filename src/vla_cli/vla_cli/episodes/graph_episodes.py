"""Episodes of a simulator in the running graph: reset, command, run, verdict.

The client only asks and listens. In lock-step the simulator stops by itself after the steps it was
given, so how fast this client is decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import CALL_TIMEOUT, Graph
from vla_contract import topics
from vla_contract.message_enums import Outcome
from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import TaskState
from vla_interfaces.srv import ResetEpisode, RunEpisode
from vla_sim.robot.robots import ROBOTS
from vla_sim.tasks import task_list

STARTUP_TIMEOUT = 60.0  # s, from the start of the processes to a simulator and a goal server
SILENCE_TIMEOUT = 60.0  # s without a step
FIRST_STEP_TIMEOUT = 5.0  # s to the first step, doubled with each attempt
ATTEMPTS = 4
NEVER_MOVES = ("rejected", "failed")

# Topic → nodes that must listen before an episode begins: what is sent before is lost to them, and
# in lock-step everybody then waits for it.
READERS = {
    topics.TICK: {"perception", "safety"},
    topics.JOINT_STATES: {"perception", "safety"},
    topics.OBSERVATION: {"policy"},
    topics.ACTION_CHUNK: {"perception", "safety"},
    topics.SAFE_ACTION: {"simulator"},
}


@dataclass(frozen=True)
class Episode:
    """What to do: a task of the simulator, its seed, and the words (None: the task's own).

    said_task: the task that the words ask for, where they were chosen here; only reported.
    steps: of the simulator, at most; 0: as many as the robot has in an episode.
    """

    task: str
    seed: int
    command: str | None = None
    said_task: str = ""
    steps: int = 0


@dataclass(frozen=True)
class EpisodeResult:
    """What came of it.

    steps: simulated until the success, or in all. outcome, reason: of the command, where it ended
    before the episode did. wall: s. attempts: times that the episode had to be started; only the
    last of them moved the robot. said_task: as in Episode.
    """

    task: str
    seed: int
    command: str
    success: bool
    steps: int
    outcome: str
    reason: str
    wall: float
    attempts: int = 1
    said_task: str = ""

    @property
    def verdict(self) -> str:
        """In one word; "unasked" is the success of a task that the words do not ask for."""
        if self.success:
            return "success" if self.said_task in ("", self.task) else "unasked"
        return "refused" if self.outcome == "rejected" else "failed"

    @property
    def cause(self) -> str:
        """Why it is no success, as far as the command's end tells; else empty."""
        if self.outcome != "rejected" and self.said_task not in ("", self.task):
            return f"the words ask for {self.said_task}, and what is judged is {self.task}"
        if self.success or not self.reason:
            return ""
        return self.reason if self.outcome == "rejected" else f"{self.outcome}: {self.reason}"

    @property
    def simulated(self) -> float:
        """Simulated time, s."""
        return self.steps * ROBOTS[task_list.robot_of(self.task)].step_period


class EpisodeRunner:
    """Runs episodes one after the other.

    Attributes:
        episode: number of the present episode, for whoever listens beside.
        command: its words.
    """

    def __init__(self, graph: Graph, *, lock_step: bool = True, pace: float = 0.0) -> None:
        """Listen to the simulator.

        Args:
            graph: the client to use.
            lock_step: the simulator waits for `run_episode`; else it runs by itself.
            pace: in lock-step, simulated seconds per second at most; 0: as fast as it goes.
        """
        self._graph = graph
        self._lock_step = lock_step
        self._pace = pace
        self._state: Any = None
        self._goal: Any = None
        self._robot = ROBOTS["metaworld"]
        self._steps = 0
        self._result: Any = None
        self.episode = 0
        self.command = ""
        profile = topics.qos_profile(topics.TASK_STATE, lock_step=lock_step)
        graph.subscribe(TaskState, topics.TASK_STATE, self._on_state, profile)

    def _on_state(self, message: Any) -> None:
        if message.episode == self.episode:
            self._state = message

    def wait_until_ready(self, check: Callable[[], None] = lambda: None) -> None:
        """Wait for the simulator and for perception's goal server; `check` may raise meanwhile.

        Raises:
            CommandError: they do not come.
        """
        from rclpy.action import ActionClient

        reset = self._graph.node.create_client(ResetEpisode, topics.RESET_EPISODE_SERVICE)
        self._run = self._graph.node.create_client(RunEpisode, topics.RUN_EPISODE_SERVICE)
        self._action = ActionClient(self._graph.node, ExecuteCommand, topics.EXECUTE_COMMAND_ACTION)

        def ready() -> bool:
            check()
            servers = (reset.service_is_ready(), self._run.service_is_ready())
            return all(servers) and self._action.server_is_ready() and self._connected()

        self._graph.require(
            ready,
            STARTUP_TIMEOUT,
            f"simulator or perception did not get ready within {STARTUP_TIMEOUT:g} s",
        )

    def _connected(self) -> bool:
        return not self._lock_step or all(
            nodes <= self._graph.readers(topic) for topic, nodes in READERS.items()
        )

    def run(self, episode: Episode, check: Callable[[], None] = lambda: None) -> EpisodeResult:
        """Run one episode to its success or its last step; `check` is called often and may raise.

        Raises:
            CommandError: the graph does not play along.
        """
        begin = time.monotonic()
        for attempt in range(1, ATTEMPTS + 1):
            instruction = self._reset(episode)
            self._robot = ROBOTS[task_list.robot_of(episode.task)]
            self._steps = episode.steps or self._robot.step_limit
            self.command = episode.command or instruction
            self._send_goal(self.command)
            # A message that was lost before everybody had found everybody leaves lock-step waiting
            # at the first tick. Nothing has moved then, so the episode can begin anew.
            last = attempt == ATTEMPTS or not self._lock_step
            patience = FIRST_STEP_TIMEOUT * 2 ** (attempt - 1)
            if self._play(check, SILENCE_TIMEOUT if last else patience):
                break
        outcome, reason = self._command_outcome()
        self._finish()
        state = self._state
        return EpisodeResult(
            task=state.task,
            seed=int(state.seed),
            command=self.command,
            success=bool(state.success),
            steps=int(state.step),
            outcome=outcome,
            reason=reason,
            wall=time.monotonic() - begin,
            attempts=attempt,
            said_task=episode.said_task,
        )

    def _reset(self, episode: Episode) -> str:
        request = ResetEpisode.Request(task=episode.task, seed=episode.seed)
        # The state of the new episode may come before the answer that tells its number.
        answers: list[Any] = []
        listener = self._graph.subscribe(
            TaskState,
            topics.TASK_STATE,
            answers.append,
            topics.qos_profile(topics.TASK_STATE, lock_step=self._lock_step),
        )
        response = self._graph.call(
            ResetEpisode, topics.RESET_EPISODE_SERVICE, request, timeout=SILENCE_TIMEOUT
        )
        self._graph.node.destroy_subscription(listener)
        if not response.success:
            raise CommandError(f"the simulator refused the episode: {response.message}")
        self.episode, self._state = int(response.episode), None
        for state in answers:
            self._on_state(state)
        return str(response.instruction)

    def _send_goal(self, text: str) -> None:
        self._result = None
        future = self._action.send_goal_async(ExecuteCommand.Goal(text=text))
        self._graph.require(future.done, CALL_TIMEOUT, "perception does not answer the goal")
        self._goal = future.result()
        if not self._goal.accepted:
            raise CommandError(f"perception refused the goal {text!r}; see its output")
        self._result = self._goal.get_result_async()

    def _play(self, check: Callable[[], None], patience: float) -> bool:
        """Let the simulator run until success or the last step, in portions where it is paced.

        Returns:
            False where the first step does not come within `patience` s.
        """
        begin = last_news = time.monotonic()
        seen = granted = 0
        if self._lock_step and not self._pace:
            self._grant(self._steps)
        while not self._over():
            check()
            now = time.monotonic()
            step = self._current_step()
            if step != seen:
                seen, last_news = step, now
            if not seen and patience < SILENCE_TIMEOUT and now - begin > patience:
                return False
            if now - last_news > SILENCE_TIMEOUT:
                raise CommandError(
                    f"the simulator has not stepped for {SILENCE_TIMEOUT:g} s, at step {seen}; "
                    "see ./vla status and its output"
                )
            if self._lock_step and self._pace and granted < self._steps and seen >= granted:
                if (now - begin) * self._pace >= granted * self._robot.step_period:
                    portion = self._robot.image_period_ticks
                    granted = min(granted + portion, self._steps)
                    self._grant(portion)
            self._graph.spin(0.005 if self._pace else 0.05)
        return True

    def _grant(self, steps: int) -> None:
        # No wait for the answer: the steps themselves are the answer.
        self._run.call_async(RunEpisode.Request(steps=steps, stop_at_success=True))

    def _current_step(self) -> int:
        return 0 if self._state is None else int(self._state.step)

    def _over(self) -> bool:
        state = self._state
        if state is not None and (state.success or state.truncated or state.step >= self._steps):
            return True
        return state is not None and self._command_outcome()[0] in NEVER_MOVES

    def _command_outcome(self) -> tuple[str, str]:
        """How the command has ended so far, and why; two empty strings while it goes on."""
        if self._result is None or not self._result.done():
            return "", ""
        result = self._result.result().result
        return Outcome.words_of(result.outcome), str(result.reason)

    def _finish(self) -> None:
        """Withdraw the command. Its result is not awaited: a simulator that stands has no time."""
        if self._result is not None and not self._result.done():
            cancel = self._goal.cancel_goal_async()
            self._graph.wait(cancel.done, CALL_TIMEOUT)
