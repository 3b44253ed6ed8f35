"""pytest under mutmut: quick tests without ROS, and property tests with few, always equal examples.

mutmut forks one process per mutant, which no ROS node may be loaded into.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings

EXAMPLES = 8  # of a property test, per mutant
ROS = re.compile(
    r"^\s*(from|import) (rclpy(?!\.serialization)|message_filters|node_rig"
    r"|vla_(?!contract\b)\w+\.node"
    r"|vla_contract\.(node_testing|node\.(graph_node|executor)))\b",
    re.MULTILINE,
)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the test files that need ROS."""
    if not collection_path.name.startswith("test_") or collection_path.suffix != ".py":
        return None
    return True if ROS.search(collection_path.read_text(encoding="utf-8")) else None


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Few examples, and no shrinking."""
    for item in items:
        function: Any = getattr(item, "obj", None)
        function = getattr(function, "__func__", function)
        chosen = getattr(function, "_hypothesis_internal_use_settings", None)
        if chosen is not None:
            function._hypothesis_internal_use_settings = settings(
                chosen,
                max_examples=min(chosen.max_examples, EXAMPLES),
                derandomize=True,
                database=None,
                deadline=None,
                phases=(Phase.explicit, Phase.generate),
            )
