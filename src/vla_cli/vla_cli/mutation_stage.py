"""The folder in which mutmut works: the pure safety modules, their tests, a configuration.

mutmut takes a file's path for its module's name, which a ROS workspace's `src/<package>/<package>`
is not; and it forks one process per mutant, which nothing of ROS may be loaded into. So it gets
copies, laid out as it wants them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

# What is proven → its modules in vla_safety. Those that are not there are left out.
GROUPS = {
    "sequencing": ("sequencing",),
    "limits": (
        "axes", "braking", "root_finding", "limits", "norms", "boundaries", "velocity_axis",
        "position_axis", "soft",
    ),
    "validation": (
        "workspace", "speed_zones", "obstacles", "obstacle_field", "zones", "lookahead",
        "kinematics", "footprint",
    ),
    "states": ("states", "recovery", "commands", "watchdog"),
}  # fmt: skip
# Tests of a group as a whole, beside those that mirror its modules.
WHOLE = {"limits": ("golden_motion", "motion")}
EXAMPLES = 8  # of a property test, per mutant
_ROS = re.compile(
    r"^\s*(from|import) (rclpy|std_msgs|geometry_msgs|sensor_msgs|nav_msgs|diagnostic_msgs|"
    r"vla_interfaces|vla_contract\.testing|vla_safety\.node)\b",
    re.MULTILINE,
)

_CONFTEST = f'''"""Property tests with few, always equal examples, and without shrinking."""

import sys
from pathlib import Path

from hypothesis import Phase, settings

sys.path.insert(0, str(Path(__file__).parent))  # for the tests' own helpers


def pytest_collection_modifyitems(items):
    for item in items:
        function = getattr(item.obj, "__func__", item.obj)
        chosen = getattr(function, "_hypothesis_internal_use_settings", None)
        if chosen is None:
            continue
        function._hypothesis_internal_use_settings = settings(
            chosen,
            max_examples=min(chosen.max_examples, {EXAMPLES}),
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.explicit, Phase.generate),
        )
'''


def modules(package: Path, wanted: Sequence[str]) -> list[str]:
    """Names of the modules to mutate, of groups or modules; all groups for none.

    Raises:
        ValueError: a name that is neither a group nor a module of one.
    """
    known = [name for group in GROUPS.values() for name in group]
    chosen: list[str] = []
    for name in wanted or list(GROUPS):
        if name not in GROUPS and name not in known:
            raise ValueError(
                f"no module {name!r} to mutate; accepted: {', '.join([*GROUPS, *known])}"
            )
        chosen += GROUPS.get(name, (name,))
    return [name for name in dict.fromkeys(chosen) if (package / f"{name}.py").is_file()]


def group_of(module: str) -> str:
    """The group that a module belongs to."""
    return next(group for group, names in GROUPS.items() if module in names)


def tests_of(folder: Path, chosen: Sequence[str]) -> list[Path]:
    """Test files that mirror the modules and need no ROS: test_<module>.py, test_<module>_*.py."""
    names = {path for name in chosen for path in folder.glob(f"test_{name}.py")}
    names |= {path for name in chosen for path in folder.glob(f"test_{name}_*.py")}
    return sorted(path for path in names if not _ROS.search(path.read_text(encoding="utf-8")))


def prepare(stage: Path, source: Path, chosen: Sequence[str], *, keep: bool = False) -> None:
    """Write the folder anew.

    Args:
        stage: the folder.
        source: src/vla_safety of the checkout.
        chosen: modules to mutate.
        keep: leave mutmut's results of before, which it takes up where nothing changed.
    """
    if not keep:
        shutil.rmtree(stage, ignore_errors=True)
    for name in ("vla_safety", "test"):
        shutil.rmtree(stage / name, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "node.py", "proof")
    shutil.copytree(source / "vla_safety", stage / "vla_safety", ignore=ignored)
    (stage / "test").mkdir(parents=True)
    # A mutant may be killed by the tests of its whole group: limits show a broken brake.
    groups = {group_of(name) for name in chosen}
    helpers = (path for path in (source / "test").glob("*.py") if not path.name.startswith("test_"))
    siblings = [
        name for group in sorted(groups) for name in (*GROUPS[group], *WHOLE.get(group, ()))
    ]
    for path in [*helpers, *tests_of(source / "test", siblings)]:
        shutil.copy(path, stage / "test")
    if (source / "test" / "data").is_dir():
        shutil.copytree(source / "test" / "data", stage / "test" / "data")
    files = source.parents[1] / "config" / "action_spaces"
    if files.is_dir():
        shutil.copytree(files, stage / "config" / "action_spaces", dirs_exist_ok=True)
    (stage / "test" / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
    (stage / "pyproject.toml").write_text(_configuration(chosen), encoding="utf-8")


def _configuration(chosen: Sequence[str]) -> str:
    only = ", ".join(f'"vla_safety/{name}.py"' for name in chosen)
    return f"""[tool.mutmut]
source_paths = ["vla_safety"]
only_mutate = [{only}]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:randomly", "--import-mode=importlib"]
pytest_add_cli_args_test_selection = ["test"]
also_copy = ["config"]
use_git_change_detection = false
track_dependencies = false
timeout_multiplier = 5.0
timeout_constant = 3.0
"""
