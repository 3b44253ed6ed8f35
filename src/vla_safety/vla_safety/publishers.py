"""More than one publisher on a topic that only one may use. Free of ROS."""

from __future__ import annotations

from collections.abc import Sequence


def other_publishers(names: Sequence[str]) -> str:
    """What is wrong with the publishers of the chunk topic; empty when nothing is.

    names: full node name of each publisher. A node that was killed and started again is listed
    twice under one name until its lease runs out, so only different names count.
    """
    different = sorted(set(names))
    if len(different) < 2:
        return ""
    return f"chunks come from {len(different)} nodes: {', '.join(different[:4])}"
