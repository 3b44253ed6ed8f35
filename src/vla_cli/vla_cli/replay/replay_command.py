"""`vla replay`: a recorded bag through the graph, in a domain of its own and without a robot."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_cli.client import domains, options, paths, processes
from vla_cli.client.command_errors import CommandError, ignore_signals, raise_on_signals
from vla_cli.replay import replay_graph
from vla_replay.bags import bag_storage
from vla_replay.bags.bag_reader import Bag, open_bag
from vla_replay.bags.bag_storage import NotJoinedError
from vla_replay.play.topic_selection import parse_remaps, select
from vla_replay.results import replay_report, result_comparison

if TYPE_CHECKING:
    from vla_cli.client.graph_client import Graph
    from vla_replay.play.player import Player
    from vla_replay.play.topic_selection import Selection

READY_TIMEOUT = 40.0  # s
CHECK_PERIOD = 0.1  # s, between two looks at whether the graph can go on
ATTEMPTS = 3
LOG = "replay.log"
EXIT_STATUS = (
    "exit status: 0 replayed, 2 an error, 3 replayed, but nothing moved; compare: 0 the same "
    "within the tolerances, 1 not, 2 an error, 3 the same, but nothing moved in either"
)


def main(arguments: list[str]) -> int:
    """Replay, or compare two results."""
    raise_on_signals()
    try:
        if arguments[:1] == ["compare"]:
            return run_compare(arguments[1:])
        return run(parse(arguments))
    except bag_storage.BagError as error:
        raise CommandError(str(error)) from error
    finally:
        ignore_signals()


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = options.parser("replay", "A recorded bag through the graph, without a robot.")
    parser.usage = "./vla replay BAG [options], or: ./vla replay compare A B [--tolerances FILE]"
    parser.epilog = EXIT_STATUS
    parser.add_argument("bag", type=Path, help="rosbag2 file or folder, or ROS 1 bag")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=_rate, help="seconds of the bag per second (default: 1)")
    pace.add_argument(
        "--as-fast-as-possible",
        action="store_true",
        help="lock-step, with what does not depend on an answer sent ahead of it",
    )
    pace.add_argument(
        "--lock-step", action="store_true", help="each control period is answered once; the same "
        "bag, checkpoint and configuration give the same actions"
    )  # fmt: skip
    parser.add_argument(
        "--remap", action="append", default=[], metavar="TOPIC:=INPUT",
        help="which input a topic is: camera/<name>, joint_states, command, …",
    )  # fmt: skip
    parser.add_argument("--command", help="the words to say, instead of those in the bag")
    parser.add_argument("--checkpoint", help="folder of the policy (default: the shipped one)")
    parser.add_argument("--backend", default="onnxruntime", help="inference backend")
    parser.add_argument(
        "--safety-config",
        help="safety parameters on top of safety.yaml (default: the robot's own in config/safety)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NODE.PARAMETER:=VALUE",
        help="another value of a parameter of perception, policy or safety",
    )  # fmt: skip
    parser.add_argument("--out", default="out/replay", help="folder for the result")
    parser.add_argument("--no-report", action="store_true", help="no report.html")
    return parser.parse_args(arguments)


def run_compare(arguments: list[str]) -> int:
    """`vla replay compare`: its exit status."""
    parser = options.parser("replay compare", "Two results of one bag side by side.")
    parser.epilog = EXIT_STATUS
    parser.add_argument("a", type=Path, help="folder of the result to compare with")
    parser.add_argument("b", type=Path, help="folder of the new one")
    parser.add_argument("--tolerances", type=Path, help="YAML file of what may differ")
    parser.add_argument("--out", default="out/compare", type=Path, help="for the page and JSON")
    chosen = parser.parse_args(arguments)
    return result_comparison.run(chosen.a, chosen.b, chosen.tolerances, chosen.out)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 100.0:
        raise argparse.ArgumentTypeError(f"--rate is {text!r}; accepted: 0.01 to 100")
    return value


def run(chosen: argparse.Namespace) -> int:
    """Open the bag, start the graph, play, write the result; the exit status."""
    from vla_policy.checkpoint.checkpoint import Checkpoint, CheckpointError

    remaps = parse_remaps(chosen.remap)
    replay_graph.parse_settings(chosen.set)  # what is refused is refused before a bag is read
    folder = paths.checkpoint(chosen.checkpoint)
    try:
        checkpoint = Checkpoint.load(folder)
    except CheckpointError as error:
        raise CommandError(str(error)) from error
    with open_bag(chosen.bag) as bag:
        selection = select(bag.topics, replay_graph.needs(checkpoint), remaps, chosen.command)
        if not replay_graph.knows_place(checkpoint, selection):
            selection.notes.append(replay_graph.NO_PLACE)
        _print_selection(bag, selection)
        out = paths.output_folder(chosen.out)
        found = replay(bag, selection, checkpoint, chosen, out)
    replay_report.save_frames(out / replay_report.FRAMES, found)
    print(f"written: {out / 'actions.mcap'}, {out / 'result.json'}", end="")
    if not chosen.no_report:
        replay_report.write(out / "report.html", found)
        print(f", {out / 'report.html'}", end="")
    print()
    if standstill := found.document["standstill"]:
        print(f"WARNING: {standstill}")
        return result_comparison.NOTHING_MOVED
    return 0


def replay(
    bag: Bag, selection: Selection, checkpoint: Any, chosen: argparse.Namespace, out: Path
) -> replay_report.Material:
    """Play the bag through a graph of its own; leaves actions.mcap and result.json in `out`.

    A message that is lost before everybody has found everybody leaves lock-step waiting at the
    first tick. Nothing was decided then, so it begins anew with another graph.
    """
    lock_step = bool(chosen.lock_step or chosen.as_fast_as_possible)
    settings = replay_graph.parse_settings(chosen.set)
    setup = replay_graph.Setup(checkpoint, selection, lock_step, chosen.safety_config, settings)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _with_graph(bag, setup, chosen, out)
        except NotJoinedError as error:
            if attempt == ATTEMPTS:
                raise CommandError(f"{error}; {last_warning(out / LOG)}") from error
            print(f"  note: {error}; begun anew with another graph")
    raise AssertionError("every attempt returns or raises")


def last_warning(log: Path) -> str:
    """The last line in which a node complains, which mostly is why nothing goes on."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [line for line in lines if "[WARN]" in line or "[ERROR]" in line]
    return f"last warning: {found[-1].strip()}" if found else f"log: {log}"


def _with_graph(
    bag: Bag, setup: replay_graph.Setup, chosen: argparse.Namespace, out: Path
) -> replay_report.Material:
    from vla_cli.client.graph_client import Graph, stay_on_this_machine
    from vla_replay.play.answer_recorder import FOLDER

    stay_on_this_machine()
    home = Path(tempfile.mkdtemp(prefix="vla_replay_"))
    domain = domains.free()
    try:
        # The client comes first: from then on the domain is seen to be in use.
        with Graph(domain=domain, topics_only=True) as graph:
            print(f"  ROS domain {domain}, outputs disconnected", flush=True)
            launched = processes.LaunchedGraph(
                "vla",
                {**setup.arguments(home), "backend": chosen.backend},
                domain,
                out / LOG,
                {"ROS_HOME": str(home)},
            )
            try:
                return _play(bag, setup, launched, graph, chosen, out)
            finally:
                launched.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(out / FOLDER, ignore_errors=True)  # of a replay that failed


def _play(
    bag: Bag,
    setup: replay_graph.Setup,
    launched: processes.LaunchedGraph,
    graph: Graph,
    chosen: argparse.Namespace,
    out: Path,
) -> replay_report.Material:
    from vla_contract import topics
    from vla_replay.play.answer_recorder import ActionsFile
    from vla_replay.play.player import Player
    from vla_replay.play.replay_answers import Answers, Diagnostics, SentImages

    due = 0.0

    def check() -> None:
        nonlocal due
        if (now := time.monotonic()) < due:
            return
        due = now + CHECK_PERIOD
        launched.check()
        if graph.node.count_publishers(topics.SAFE_ACTION) > 1:
            raise NotJoinedError(f"another graph runs in ROS domain {graph.domain}")
        if answers.shadow is False:
            raise CommandError(
                "the safety node is not in shadow: the replay ends, no robot may move"
            )

    session = setup.session()
    actions = ActionsFile(out)
    answers = Answers(
        graph.node,
        session,
        actions,
        SentImages(setup.selection.compressed),
        lock_step=setup.lock_step,
    )
    diagnostics = Diagnostics(graph.node)
    player = Player(
        graph.node,
        answers,
        cameras=setup.selection.compressed,
        states=set(setup.selection.states),
        lock_step=setup.lock_step,
    )
    _wait_until_ready(graph, player, launched, check)
    begin = time.monotonic()
    timeline = setup.timeline()
    play = replay_graph.lock_step if setup.lock_step else replay_graph.at_rate
    play(bag, setup, player, graph, check, timeline, chosen, diagnostics.waits_for)
    wall = time.monotonic() - begin
    diagnostics.values.clear()
    graph.wait(lambda: len(diagnostics.values) >= 3, 2.5)
    session.drops.update(diagnostics.drops())
    actions.close()
    document = setup.document(bag, session, timeline, wall, chosen)
    if not document["ticks"]:
        raise CommandError(_nothing_replayed(document))
    (out / "result.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _print_result(document)
    return replay_report.material(document, session)


def _nothing_replayed(document: dict[str, Any]) -> str:
    why = "; ".join(f"{reason}: {count}" for reason, count in document["drops"].items())
    return f"nothing was replayed: no control period was answered ({why or 'no message was sent'})"


def _wait_until_ready(
    graph: Graph,
    player: Player,
    launched: processes.LaunchedGraph,
    check: Callable[[], None],
) -> None:
    from vla_contract import topics

    wanted = {
        topics.OBSERVATION: {"policy"},
        topics.ACTION_CHUNK: {"perception", "safety"},
        topics.COMMAND_STAMPED: {"perception", "safety"},
        topics.SAFE_ACTION: {graph.node.get_name()},
        **{name: {"safety"} for name in player.paired},
    }
    complete_since: list[float] = []

    def ready() -> bool:
        check()
        joined = not player.readers() and all(
            nodes <= graph.readers(topic) for topic, nodes in wanted.items()
        )
        if (
            not joined
            or not player.answers.shadow
            or not graph.node.count_publishers(topics.SAFE_ACTION)
        ):
            complete_since.clear()
            return False
        complete_since.append(time.monotonic())
        # Both ends see each other a moment later than this node sees both.
        return complete_since[-1] - complete_since[0] > 0.5

    if not graph.wait(ready, READY_TIMEOUT):
        missing = player.readers() + [
            f"{', '.join(lacking)} to {topic}"
            for topic, nodes in wanted.items()
            if (lacking := sorted(nodes - graph.readers(topic)))
        ]
        raise CommandError(
            f"the graph is not joined up after {READY_TIMEOUT:g} s; not there: "
            f"{', '.join(missing) or f'{topics.SAFE_ACTION}, or a status in shadow'} "
            f"(nodes there: {', '.join(graph.nodes()) or 'none'}; log: {launched.log})"
        )


def _print_selection(bag: Bag, selection: Selection) -> None:
    for topic, role in sorted(selection.roles().items(), key=lambda pair: pair[1]):
        known = bag.topics[topic]
        print(f"  {role:<22} {topic} ({known.type}, {known.count})")
    for topic, why in sorted(selection.skipped.items()):
        count = next(
            (t.count for n, t in bag.topics.items() if n.strip("/") == topic.strip("/")), 0
        )
        print(f"  skipped                {topic} ({count}): {why}")
    for line in (*bag.losses.lines, *selection.notes):
        print(f"  note: {line}")


def _print_result(document: dict[str, Any]) -> None:
    images, wall = document["images"], document["wall_seconds"]
    print(
        f"{images} images, {document['observations']} observations, {document['ticks']} control "
        f"periods over {document['seconds']:.1f} s of the bag in {wall:.1f} s "
        f"({images / wall if wall else 0.0:.1f} images/s)"
    )
    print(f"verdicts: {document['verdicts']}; violations: {document['violations'] or 'none'}")
    for reason, count in document["drops"].items():
        print(f"  {reason}: {count}")
    print(f"actions: sha256 {document['actions_sha256'][:16]}…")
