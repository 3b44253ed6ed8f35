"""The figures of `vla prove soak`: growth of memory, verdicts, table, plot.

A node's memory is judged without what it shares with others ("own": its heap and its code). The
shared rest is the middleware's: a node's resident memory (RSS) counts every page of another's
segment that an image has ever come in. A busy machine raises it in steps, up to the segment's size.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MOST_GROWTH = 0.05  # of a node's own memory
TAIL = 0.1  # share of the samples at either end whose median is compared


def growth(samples: Sequence[dict[str, Any]], warm_up: float) -> dict[str, dict[str, float]]:
    """Memory of each node, MB, after the warm-up and at the end, and the share it grew by."""
    counted = [sample for sample in samples if sample["at"] >= warm_up] or list(samples)
    count = max(1, round(TAIL * len(counted)))
    found = {}
    for name in counted[0]["memory"]:
        entry: dict[str, float] = {}
        for kind in counted[0]["memory"][name]:
            first, last = (
                statistics.median(sample["memory"][name][kind] for sample in part)
                for part in (counted[:count], counted[-count:])
            )
            entry |= {f"{kind}_first": first, f"{kind}_last": last, kind: last / first - 1.0}
        found[name] = entry
    return found


def own_memory(status: str) -> float:
    """Resident memory without what is shared, MB, from the text of /proc/PID/status."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssFile")) / 1024.0


def verdicts(report: dict[str, Any]) -> list[tuple[str, bool]]:
    """What was demanded, and whether it was met."""
    worst = max(entry.get("own", entry["rss"]) for entry in report["growth"].values())
    problems = [stop["problem"] for stop in report["stops"] if stop["problem"]]
    return [
        (
            f"a node's own memory grew by at most {worst:+.2%}, accepted: {MOST_GROWTH:.0%}",
            worst <= MOST_GROWTH,
        ),
        (f"{len(problems)} of {len(report['stops'])} stops missed", not problems),
        (
            f"{len(report['violations'])} violations of limits in {report['judged']} commands",
            not report["violations"] and report["judged"] > 0,
        ),
    ]


def lines(report: dict[str, Any]) -> list[str]:
    """The report as text."""
    text = [
        f"{report['duration']:.0f} s at {report['control_rate']:g} Hz: {report['commands']} "
        f"commands, {report['gaps']} gaps in what was received",
        f"loop: time in a period p99 {report['duration_p99'] * 1e3:.3f} ms, jitter p99 "
        f"{report['jitter_p99'] * 1e3:.3f} ms (worst of the samples), "
        f"{report['overruns']} periods missed",
        f"{'memory, MB':<12}"
        + "".join(f"{kind:>6} first{'last':>8}{'growth':>9}" for kind in ("own", "RSS", "PSS")),
    ]
    for name, e in sorted(report["growth"].items()):
        kinds = [kind for kind in ("own", "rss", "pss") if kind in e]
        text.append(
            f"{name:<12}"
            + "".join(f"{e[f'{k}_first']:>12.1f}{e[f'{k}_last']:>8.1f}{e[k]:>+9.2%}" for k in kinds)
        )
    text += _stop_lines(report["stops"])
    text += [f"broken: {one}" for one in report["violations"]]
    return text + [f"{'met' if met else 'MISSED':<8}{what}" for what, met in verdicts(report)]


def _stop_lines(stops: Sequence[dict[str, Any]]) -> list[str]:
    text = [f"{'stops by':<12}{'number':>7}{'reaction, worst':>17}{'braking, worst':>16}"]
    for kind in sorted({stop["kind"] for stop in stops}):
        good = [stop for stop in stops if stop["kind"] == kind and not stop["problem"]]
        reaction = max((stop["reaction"] for stop in good), default=float("nan"))
        braking = max((stop["braking"] for stop in good), default=float("nan"))
        text.append(f"{kind:<12}{len(good):>7}{reaction * 1e3:>14.1f} ms{braking:>14.3f} s")
    for stop in stops:
        if stop["problem"]:
            text.append(f"at {stop['at']:.0f} s, {stop['kind']}: {stop['problem']}")
    return text


def draw(report: dict[str, Any], path: Path) -> None:
    """Write the figure: memory of each node and the loop's figures over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    samples = report["samples"]
    at = [sample["at"] for sample in samples]
    figure, (memory, loop) = pyplot.subplots(2, 1, figsize=(10, 6), sharex=True)
    for name in sorted(samples[0]["memory"]):
        memory.plot(at, [s["memory"][name]["rss"] for s in samples], label=f"{name}, RSS")
    memory.axvline(report["warm_up"], color="#7f8c8d", linestyle="--", linewidth=0.8)
    memory.set_ylabel("MB")
    memory.set_ylim(bottom=0.0)
    for name in ("duration_p99", "jitter_p99"):
        loop.plot(at, [s[name] * 1e3 for s in samples], label=name.replace("_", ", "))
    for stop in report["stops"]:
        loop.axvline(stop["at"], color="#c0392b", linewidth=0.4)
    loop.set_ylabel("ms")
    loop.set_xlabel("time, s")
    for axis in (memory, loop):
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
