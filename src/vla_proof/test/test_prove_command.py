import json
import re

import pytest

from vla_cli.client.command_errors import CommandError
from vla_proof import prove_command
from vla_proof.mutation import mutation_command, mutation_plugin
from vla_proof.mutation.survivor_reasons import Reason, find_reason, load_reasons
from vla_proof.properties import properties_command
from vla_proof.soak import soak_report


def test_the_proofs_are_listed_and_others_refused(capsys):
    assert prove_command.main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("properties", "mutation", "peers", "faults", "soak"))
    with pytest.raises(CommandError, match="no proof 'x'; accepted: properties"):
        prove_command.main(["x"])


def test_a_short_property_run_reports_commands_and_ratios(tmp_path, capsys):
    arguments = ["--commands", "300", "--processes", "1", "--out", str(tmp_path)]
    assert prove_command.main(arguments) == 0
    report = json.loads((tmp_path / "prove_properties.json").read_text())
    assert report["commands"] >= 300 and report["violations"] == 0
    assert 0.0 < report["worst"]["jerk"] <= 1.0 + 1e-9
    assert "0 violations" in capsys.readouterr().out


def test_outcomes_of_processes_are_merged():
    one = {"commands": 10, "checks": 5, "scenarios": 1, "violations": 0, "worst": {"jerk": 0.5}}
    two = {"commands": 20, "checks": 6, "scenarios": 2, "violations": 1, "worst": {"jerk": 0.9}}
    merged = properties_command.merge([{**one, "example": ""}, {**two, "example": "bad"}], 3, 2.0)
    assert (merged["commands"], merged["violations"], merged["worst"]) == (30, 1, {"jerk": 0.9})
    text = "\n".join(properties_command.lines(merged))
    assert "BROKEN" in text and "bad" in text and "seed 3" in text


MUTANTS = [
    {"name": "a.x__mutmut_1", "module": "a", "status": "killed"},
    {"name": "a.x__mutmut_2", "module": "a", "status": "timeout"},
    {"name": "a.x__mutmut_3", "module": "a", "status": "survived", "before": "p", "after": "q"},
    {"name": "b.y__mutmut_1", "module": "b", "status": "no tests", "before": "r", "after": ""},
]


def test_mutants_are_counted_and_survivors_explained():
    reasons = [Reason(re.compile("p"), re.compile("q"), "the same")]
    report = mutation_command.summary(MUTANTS, reasons, 9.0)
    assert (report["total"], report["killed"], report["share"]) == (4, 2, 0.5)
    assert report["unexplained"] == 1
    text = "\n".join(mutation_command.lines(report))
    assert "| `a` | 3 | 2 | 1 | 1 | 66.7% |" in text
    assert "`p` → `q`: the same" in text and "`r` → `(nothing)`: not explained" in text
    assert "| 1 | the same |" in text and "| 1 | not explained |" in text


def test_a_reason_may_be_of_a_whole_kind_of_changes(tmp_path):
    file = tmp_path / "survivors.yaml"
    assert load_reasons(file) == []
    file.write_text(
        "- {before: 'f(a)', after: 'f(b)', why: one}\n"
        "- {before_matches: '.*strict=True.*', after_matches: '.*=(None|False).*', why: kind}\n"
        "- {before: x = 1, after_matches: 'x = .', why: mixed}\n"
    )
    reasons = load_reasons(file)
    assert find_reason(reasons, "f(a)", "f(b)") == "one"
    assert find_reason(reasons, "zip(a, strict=True)", "zip(a, strict=None)") == "kind"
    assert find_reason(reasons, "x = 1", "x = 2") == "mixed"
    assert find_reason(reasons, "x = 1", "x = 22") is None  # the whole text must match
    assert find_reason(reasons, "fa", "f(b)") is None  # a text is no expression


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{before: a", "survivors.yaml: while parsing"),
        ("{before: a, after: b}", "entry 1 has before, after; accepted: why, and before"),
        ("{before: a, before_matches: a, after: b, why: c}", "entry 1 has before, before_matches"),
        ("{before_matches: '(', after: b, why: c}", "before_matches is '\\('"),
    ],
)
def test_a_reason_that_cannot_be_read_is_refused(tmp_path, entry, message):
    file = tmp_path / "survivors.yaml"
    file.write_text(f"- {entry}\n")
    with pytest.raises(CommandError, match=message):
        load_reasons(file)


def test_a_stage_has_the_package_and_what_its_tests_read(tmp_path):
    source = tmp_path / "src" / "vla_example"
    (source / "vla_example").mkdir(parents=True)
    (tmp_path / "config").mkdir()
    with pytest.raises(CommandError, match="vla_example/test is not there"):
        mutation_command.stage(source, tmp_path)
    (source / "test").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    for _ in range(2):  # what an earlier run left is gone
        folder = mutation_command.stage(source, out)
        assert (folder / "vla_example").is_dir() and (out / "config").is_dir()
        (folder / "mutants").mkdir()


def test_a_module_is_looked_for_in_the_packages(tmp_path):
    for package, module in (("safety", "axes"), ("replay", "clock")):
        folder = tmp_path / "src" / f"vla_{package}" / f"vla_{package}" / "room"
        folder.mkdir(parents=True)
        (folder / f"{module}.py").touch()
    both = ["safety", "replay"]
    assert mutation_command.with_modules(tmp_path, both, []) == both
    assert mutation_command.with_modules(tmp_path, both, ["clock"]) == ["replay"]
    with pytest.raises(CommandError, match="no module 'clok' in safety, replay; accepted: axes"):
        mutation_command.with_modules(tmp_path, both, ["clok"])


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("import math\n", None),
        ("import rclpy\n", True),
        ("    from vla_safety.node.node import SafetyNode\n", True),
        ("from vla_contract.node_testing import Client\n", True),
        ("from vla_contract.node.parameters import table\n", None),
        ("from std_msgs.msg import Bool\n", None),
    ],
)
def test_only_tests_without_ros_are_run_for_mutants(tmp_path, text, left_out):
    file = tmp_path / "test_x.py"
    file.write_text(text)
    assert mutation_plugin.pytest_ignore_collect(file) is left_out
    assert mutation_plugin.pytest_ignore_collect(tmp_path / "conftest.py") is None


def samples(last):
    return [
        {"at": float(k), "memory": {"safety": {"own": own, "rss": 2.0 * k + own, "pss": own / 2.0}}}
        for k, own in enumerate([90.0, *[100.0] * 10, *[last] * 10])
    ]


def report(last=104.0, problem=""):
    stop = {"kind": "word", "at": 1.0, "reaction": 0.02, "braking": 0.1, "speed": 1.0,
            "resumed": 0.1, "problem": problem}  # fmt: skip
    return {
        "duration": 20.0, "control_rate": 50.0, "commands": 1000, "gaps": 0, "judged": 1000,
        "violations": [], "stops": [stop], "duration_p99": 1e-3, "jitter_p99": 1e-3, "overruns": 0,
        "growth": soak_report.growth(samples(last), 1.0), "warm_up": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("made", "met"), [(report(), True), (report(106.0), False), (report(problem="late"), False)]
)
def test_a_soak_is_judged_by_growth_and_stops(made, met):
    assert all(one for _, one in soak_report.verdicts(made)) is met
    text = "\n".join(soak_report.lines(made))
    assert ("MISSED" in text) is not met


def test_growth_is_taken_after_the_warm_up():
    assert soak_report.growth(samples(104.0), 1.0)["safety"]["own"] == pytest.approx(0.04)


def test_own_memory_is_what_is_not_shared():
    status = "Name:\tx\nRssAnon:\t 1024 kB\nRssFile:\t 2048 kB\nRssShmem:\t 1024 kB\n"
    assert soak_report.own_memory(status) == 3.0
