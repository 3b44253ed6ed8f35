"""`./vla learn`: from demonstrations to a checkpoint and its success rate."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vla_contract.command_options import add_out, at_least, file_name
from vla_contract.terminal import print_any_text, report_unexpected
from vla_learning import learn_commands


def run() -> None:
    """Entry point of the executable."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one sub-command; 0 when it did its work, 1 with one line on stderr when it could not.

    1 also where `compare` finds the new checkpoint worse.

    70 for a defect, whose trace is in a file that the line names.
    """
    print_any_text()
    parsed = _parser().parse_args(arguments)
    try:
        status = parsed.run(parsed)
    except KeyboardInterrupt:
        # An evaluation keeps its episodes beside the results that it is to write.
        evaluates = parsed.run in (learn_commands.evaluate, learn_commands.compare)
        continues = parsed.continues or (evaluates and parsed.out is not None)
        text = "; the same command continues" if continues else ""
        print(f"vla learn: interrupted{text}", file=sys.stderr)
        return 130
    except learn_commands.refusals() as error:
        print(f"vla learn: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"vla learn: {error}; how to install it: docs/deploy.md", file=sys.stderr)
        return 1
    except Exception as error:
        return report_unexpected(error, "vla learn", refused=1)
    return int(status or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vla learn", description=__doc__)
    commands_ = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, function: object, text: str, *, continues: bool = False
    ) -> argparse.ArgumentParser:
        """continues: what was done stays where the command is stopped and given again."""
        sub = commands_.add_parser(name, help=text, description=text)
        sub.set_defaults(run=function, continues=continues)
        return sub

    collect = add(
        "collect",
        learn_commands.collect,
        "record demonstrations of the scripted experts",
        continues=True,
    )
    _config(collect, overrides=True)
    collect.add_argument("--episodes", type=at_least(1), help="of each task (the config's)")
    add_out(collect, "--data", help="folder of the episodes (data/NAME)")
    _workers(collect, jobs=2)
    collect.add_argument(
        "--checkpoint",
        type=Path,
        help="of a policy that begins the episodes; the expert labels them all and finishes",
    )

    bag = add(
        "from-bag",
        learn_commands.from_bag,
        "turn recorded bags into episodes of a dataset",
        continues=True,
    )
    _config(bag)
    bag.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="rosbag2, or ROS 1")
    add_out(bag, help="folder of the episodes (data/NAME)")
    bag.add_argument("--command", help="what the robot did in each of them, as a whole")
    bag.add_argument(
        "--remap",
        action="append",
        default=[],
        metavar="TOPIC:=INPUT",
        help="which input a topic is: camera/<name>, joint_states, command, action/<topic>, …",
    )

    train = add(
        "train",
        learn_commands.train,
        "train a policy on demonstrations, or go on with it",
        continues=True,
    )
    _config(train, overrides=True)
    train.add_argument("--steps", type=at_least(1), help="in all (the config's)")
    train.add_argument("--data", type=Path, help="folder of the episodes (data/NAME)")
    add_out(train, "--run", help="folder of the run (out/learn/NAME)")
    train.add_argument(
        "--from",
        dest="checkpoint",
        type=Path,
        help="checkpoint whose weights a new run begins with, as far as they fit",
    )

    sweep = add(
        "sweep",
        learn_commands.sweep,
        "trainings that differ in some settings, side by side; the best one first",
        continues=True,
    )
    _config(sweep, overrides=True)
    sweep.add_argument(
        "--set",
        action="append",
        required=True,
        metavar="ENTRY=VALUE,…",
        help="of train or architecture, e.g. train.learning_rate=0.001,0.0003; may be repeated",
    )
    sweep.add_argument(
        "--random", type=at_least(1), help="so many combinations, chosen at random (all of them)"
    )
    sweep.add_argument("--seed", type=at_least(0), default=0, help="of the choice (%(default)s)")
    sweep.add_argument("--steps", type=at_least(1), help="of each training (the config's)")
    sweep.add_argument("--data", type=Path, help="folder of the episodes (data/NAME)")
    add_out(sweep, help="folder of the runs (out/sweep/NAME)")
    _workers(sweep, jobs=1)

    confidence = add(
        "confidence",
        learn_commands.confidence,
        "teach a run how likely it is to succeed, and measure it",
        continues=True,
    )
    _config(confidence)
    confidence.add_argument("--run", dest="folder", type=Path, help="of the run (out/learn/NAME)")
    confidence.add_argument("--tasks", help="names, or mt10, mt50, ground (those of the config)")
    confidence.add_argument("--seeds", default="30000-30079", help="e.g. 100-109 or 3,5,7-9")

    export = add(
        "export", learn_commands.export, "turn a run into a checkpoint that the graph loads"
    )
    _config(export, overrides=True)
    export.add_argument("--run", dest="folder", type=Path, help="of the run (out/learn/NAME)")
    add_out(export, "--to", help="folder of the checkpoint (out/models/NAME)")
    export.add_argument(
        "--weights",
        choices=("trained", "random", "zeros"),
        default="trained",
        help="random and zeros: for checking that an evaluation tells policies apart",
    )

    intents = add(
        "intents",
        learn_commands.intents,
        "teach which of a checkpoint's tasks sentences of many languages ask for",
    )
    intents.add_argument(
        "--checkpoint", type=Path, default=Path("models/metaworld"), help="(%(default)s)"
    )
    intents.add_argument(
        "--wordings",
        type=Path,
        default=Path("config/learning/wordings"),
        help="folder with a file of each language (%(default)s)",
    )
    intents.add_argument("--steps", type=at_least(1), default=3000, help="(%(default)s)")
    intents.add_argument("--seed", type=at_least(0), default=0, help="(%(default)s)")
    intents.add_argument(
        "--most",
        type=at_least(1),
        default=20,
        help="sentences of a language for a task and colours (%(default)s)",
    )
    add_out(intents, help="file (intents.safetensors in the checkpoint)")

    evaluate = add("evaluate", learn_commands.evaluate, "success rates in one process, without ROS")
    evaluate.prog = "./vla evaluate --in-process"
    evaluate.add_argument(
        "--config", type=Path, help="whose tasks and checkpoint are evaluated, and kept in the JSON"
    )
    evaluate.add_argument(
        "--checkpoint",
        type=Path,
        help="(out/models/NAME of the config; models/metaworld without one)",
    )
    evaluate.add_argument(
        "--tasks",
        help="names, or mt10, mt50, ground (those of the config, else of the checkpoint)",
    )
    evaluate.add_argument("--seeds", default="1000-1019", help="e.g. 100-109 or 3,5,7-9")
    evaluate.add_argument("--command", help="the words to say (each task's own)")
    evaluate.add_argument(
        "--wording",
        type=int,
        help="say the checkpoint's wording of this number instead (-1: the last)",
    )
    evaluate.add_argument(
        "--wordings",
        choices=("training", "held-out"),
        default="training",
        help="held-out: sentences of the grounding scene that no training has (training)",
    )
    evaluate.add_argument(
        "--shuffle-commands",
        type=at_least(0),
        nargs="?",
        const=0,
        metavar="NUMBER",
        help="let the episodes swap their commands, by the random permutation of this number",
    )
    _workers(evaluate, jobs=1)
    evaluate.add_argument("--backend", default="onnxruntime")
    evaluate.add_argument("--threads", type=at_least(1), default=2)
    evaluate.add_argument(
        "--done-count",
        type=at_least(0),
        help="inferences in a row that must say that the task is done (the policy node's default; "
        "0: go on regardless)",
    )
    evaluate.add_argument("--mask", default="", help="cameras to take away, comma-separated")
    add_out(
        evaluate,
        "--json",
        kind=file_name,
        help="JSON file for the results; episodes are kept beside it until then",
    )

    compare = add(
        "compare",
        learn_commands.compare,
        "whether a new checkpoint is better, by the same episodes",
    )
    compare.add_argument(
        "old", type=Path, metavar="OLD", help="checkpoint that is measured against"
    )
    compare.add_argument("new", type=Path, metavar="NEW", help="checkpoint that is judged")
    compare.add_argument("--tasks", help="names, or mt10, mt50, ground (those of the old one)")
    compare.add_argument("--seeds", default="1000-1019", help="e.g. 100-109 or 3,5,7-9")
    _workers(compare, jobs=1)
    add_out(
        compare,
        "--json",
        kind=file_name,
        help="JSON file for the results; episodes are kept beside it until then",
    )

    quantize = add(
        "quantize",
        learn_commands.quantize,
        "a checkpoint in 8 bits, and what it loses by it",
        continues=True,
    )
    _config(quantize)
    quantize.add_argument("--checkpoint", type=Path, default=Path("models/metaworld"))
    quantize.add_argument("--data", type=Path, help="training frames (data/NAME)")
    add_out(quantize, "--to", help="folder of the results (out/quantize/CHECKPOINT)")
    quantize.add_argument("--methods", default="static,dynamic", help="(%(default)s)")
    quantize.add_argument(
        "--frames", type=at_least(4), default=256, help="that calibrate (%(default)s)"
    )
    quantize.add_argument(
        "--operators", nargs="*", default=(), help="ONNX operators to quantize (the method's own)"
    )
    quantize.add_argument("--tasks", help="names, or mt10, mt50, ground (those of the checkpoint)")
    quantize.add_argument(
        "--seeds",
        default="2000-2019",
        help="of the paired episodes of each task; '': none (%(default)s)",
    )
    _workers(quantize, jobs=2)

    attention = add("attention", learn_commands.attention, "where each word of a command looks")
    attention.add_argument("--checkpoint", type=Path, default=Path("models/metaworld"))
    attention.add_argument("--task", required=True, help="whose episode is looked at")
    attention.add_argument("--seed", type=at_least(0), default=1000)
    attention.add_argument("--command", action="append", help="the words (the first wording)")
    attention.add_argument("--moment", type=float, default=0.3, help="of the episode, 0 to 1 (0.3)")
    add_out(attention, default=Path("out/attention.png"), help="(%(default)s)")

    limits = add("limits", learn_commands.limits, "expert success within given motion limits")
    _config(limits)
    limits.add_argument(
        "--limits",
        default="10000/10000000,10/1000,10/500,8/400,6/200,4/80",
        help="acceleration/jerk of the velocity dimensions, m/s^2 and m/s^3, comma-separated",
    )
    limits.add_argument("--seeds", default="5000-5019", help="e.g. 100-109 or 3,5,7-9")
    return parser


def _workers(parser: argparse.ArgumentParser, jobs: int) -> None:
    parser.add_argument("--jobs", type=at_least(1), default=jobs, help="processes (%(default)s)")
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="of a Ray cluster that does it instead: auto, or HOST:PORT of its head",
    )


def _config(parser: argparse.ArgumentParser, *, overrides: bool = False) -> None:
    """overrides: with options in place of those entries that a run and its export share."""
    usual = learn_commands.DEFAULT_CONFIG
    parser.add_argument("--config", type=Path, default=usual, help="(%(default)s)")
    if overrides:
        parser.add_argument("--tasks", help="names, or mt10, mt50, ground (those of the config)")
        parser.add_argument("--action-space", type=Path, help="file (the config's)")
