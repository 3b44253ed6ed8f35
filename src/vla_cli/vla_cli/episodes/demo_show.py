"""What a demo shows while it runs: live view and video, and the figure at its end."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sensor_msgs.msg import Image
from std_msgs.msg import String

from vla_cli.client import processes
from vla_cli.client.graph_client import Graph
from vla_cli.episodes import demo_plot, demo_video, live_view
from vla_cli.episodes.episode_trace import Recorder
from vla_cli.episodes.graph_episodes import Episode, EpisodeResult, EpisodeRunner
from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_interfaces.msg import ActionChunk, SafeAction, SafetyStatus, TaskState
from vla_sim.robot.robots import ROBOTS
from vla_sim.tasks import task_list

LAST_FRAMES = round(demo_video.RATE)  # an episode's last picture stays for a second


class Show:
    """Runs episodes and records them."""

    def __init__(
        self,
        graph: Graph,
        launched: processes.LaunchedGraph,
        chosen: argparse.Namespace,
        cameras: dict[str, str],
        files: Path,
    ) -> None:
        """Subscribe to everything.

        Args:
            graph: the client to use. launched: the graph's processes, which are watched.
            chosen: the demo's options. cameras: name → topic.
            files: of the results, without suffix.
        """
        self._launched = launched
        self._headless = chosen.headless
        lock_step = not chosen.real_time
        self._view = live_view.make(chosen.headless)
        self._video = demo_video.Video(files.with_suffix(".mp4"), len(cameras))
        self._figure = files.with_suffix(".png")
        self._recorder = Recorder()
        self._pictures: dict[str, Any] = dict.fromkeys(cameras)
        self._frames: list[demo_plot.Frame] = []  # of the present episode and the first camera
        self._announced = False
        self._title = ""
        # Without a person to watch, and without the wall clock to follow, as fast as it goes.
        pace = 0.0 if chosen.headless else 1.0
        self._runner = EpisodeRunner(graph, lock_step=lock_step, pace=pace)
        self._subscribe(graph, cameras, lock_step)

    def _subscribe(self, graph: Graph, cameras: dict[str, str], lock_step: bool) -> None:
        recorder = self._recorder
        for kind, topic, callback in (
            (SafeAction, topics.SAFE_ACTION, lambda m: self._recorder.on_safe_action(m)),
            (SafetyStatus, topics.SAFETY_STATUS, recorder.on_status),
            (ActionChunk, topics.ACTION_CHUNK, recorder.on_chunk),
            (TaskState, topics.TASK_STATE, self._on_task_state),
        ):
            graph.subscribe(kind, topic, callback, topics.qos_profile(topic, lock_step=lock_step))
        graph.subscribe(String, topics.PROMPT, recorder.on_prompt)
        last = list(cameras)[-1]
        for name, topic in cameras.items():
            profile = topics.qos_profile(topics.CAMERA, lock_step=lock_step)
            graph.subscribe(Image, topic, self._on_image(name, name == last), profile)

    def _on_image(self, name: str, complete: bool) -> Callable[[Any], None]:
        def receive(message: Any) -> None:
            self._pictures[name] = demo_video.decode(message)
            if complete and self._runner.episode:
                self._add_frame()
                first = next(iter(self._pictures.values()))
                if first is not None:
                    self._frames.append((self._recorder.snapshot.time, first.copy()))

        return receive

    def _add_frame(self) -> None:
        self._video.add(list(self._pictures.values()), self._title, self._recorder.snapshot)

    def _on_task_state(self, message: Any) -> None:
        if message.episode == self._runner.episode:
            self._recorder.on_task_state(message)

    def run(self, episodes: list[Episode]) -> list[EpisodeResult]:
        """Run them all.

        Raises:
            CommandError: the graph cannot.
        """
        self._runner.wait_until_ready(self._check_start)
        results = []
        for number, episode in enumerate(episodes, 1):
            self._title = f"{episode.task}, seed {episode.seed}"
            if len(episodes) > 1:
                self._title += f" ({number} of {len(episodes)})"
            steps = episode.steps or ROBOTS[task_list.robot_of(episode.task)].step_limit
            self._recorder.begin_episode(episode.command or "", steps)
            self._frames.clear()
            result = self._runner.run(episode, self._check)
            for _ in range(LAST_FRAMES):
                self._add_frame()
            self._view.show(self._title, self._recorder.snapshot)
            self._view.say(verdict(self._title, result))
            results.append(result)
        return results

    def _check_start(self) -> None:
        self._launched.check()
        self._view.show_start(processes.age())

    def _check(self) -> None:
        self._launched.check()
        self._recorder.snapshot.command = self._runner.command
        if self._recorder.moved and not self._announced:
            self._announced = True
            self._view.say(f"robot moving after {processes.age():.1f} s")
        self._view.show(self._title, self._recorder.snapshot)

    def give_up(self) -> None:
        """End the view and the video of a demo that was interrupted; leave no file."""
        self._view.close()
        self._video.close(finish=False)
        self._video.discard()
        print("no video and no figure: interrupted", flush=True)

    def close(self) -> None:
        """End the view and the video."""
        self._view.close()
        self._video.close()
        if self._recorder.trace.times:
            self._video.keep()
        else:
            self._video.discard()

    def draw(self, checkpoint: Path, results: list[EpisodeResult]) -> None:
        """Write the figure of the last episode, and say where everything is."""
        if not self._recorder.trace.times:
            print("no video and no figure: the robot was sent nothing")
            return
        print(f"video  {self._video.path} ({self._video.frames} frames)")
        if self._video.error:
            print(f"the video is not whole: {self._video.error}")
        space = ActionSpace.load(checkpoint / "action_space.yaml")
        title = f'"{results[-1].command}" ({self._title}): {results[-1].verdict}'
        demo_plot.draw(self._recorder.trace, space, title, self._frames, self._figure)
        print(f"figure {self._figure}")


def verdict(title: str, result: EpisodeResult) -> str:
    """What came of an episode, in one line."""
    after = "" if result.verdict == "refused" else f" after {result.steps} steps"
    cause = f": {result.cause}" if result.cause else ""
    return f"{title}: {result.verdict}{after}{cause}"
