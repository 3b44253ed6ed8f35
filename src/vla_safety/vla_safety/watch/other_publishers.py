"""Who else sends what only one may send: chunks, and the robot's commands. Free of ROS.

Publishers are known by the graph: full node name and endpoint id (gid). One that died stays in the
graph until its lease runs out. So a publisher whose stream was silent when another of the same
name appeared counts as dead; any other second one is a fault, whatever it calls itself.
Times are ns of a clock that never jumps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vla_contract.stamps import NANOSECONDS

# A stream that sent nothing for this long has ended.
SILENCE = NANOSECONDS // 2
# After a silence, a new publisher that the graph shows within this time is the one that ended it.
_RESUMED = 2 * NANOSECONDS
# Two chunks out of order within this time come from two senders.
_MIXED = NANOSECONDS
_SHOWN = 4
# In a node's name as long as the graph knows its endpoint, but not yet the node.
_NAMELESS = "_NODE_NAME_UNKNOWN_"


@dataclass(frozen=True)
class Endpoint:
    """A publisher of a topic: full name of its node, and its id."""

    node: str
    gid: bytes


class ChunkSenders:
    """The publishers of the chunk topic: one may live."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}
        self._dead: set[bytes] = set()
        self._last: int | None = None
        self._resumed: int | None = None

    def heard(self, steady: int) -> None:
        """A chunk came."""
        if self._silent(steady):
            self._resumed = steady
        self._last = steady

    def _silent(self, steady: int) -> bool:
        return self._last is not None and steady - self._last > SILENCE

    def look(self, endpoints: Iterable[Endpoint], steady: int) -> str:
        """What is wrong with the publishers that the graph shows; empty where nothing is."""
        present = {e.gid: e.node for e in endpoints}
        # The first chunk of the new one may come before the graph shows it.
        resumed = self._resumed is not None and steady - self._resumed <= _RESUMED
        silent = self._silent(steady) or resumed
        for gid, node in present.items():
            new = _NAMELESS in self._known.get(gid, _NAMELESS) and _NAMELESS not in node
            if new and silent:
                self._dead |= {g for g, name in self._known.items() if name == node}
        self._known = present
        self._dead &= present.keys()
        living = [node for gid, node in present.items() if gid not in self._dead]
        if len(living) < 2:
            return ""
        return f"chunks come from {len(living)} publishers: {_names(living)}"


class Mixture:
    """Notices at once that two senders' chunks alternate: their numbers go back and forth."""

    def __init__(self) -> None:
        self._last = 0
        self._backwards: deque[int] = deque(maxlen=2)

    def observe(self, sequence: int, steady: int) -> None:
        """A chunk of this observation number came; 0: it has none."""
        # A node that starts anew begins to count anew, but only once.
        if sequence <= self._last and self._last:
            self._backwards.append(steady)
        self._last = sequence

    def problem(self, steady: int) -> str:
        """What is wrong, in words; empty where nothing is."""
        both = len(self._backwards) == 2 and steady - self._backwards[0] <= _MIXED
        return "chunks of two senders alternate" if both else ""


class CommandSenders:
    """The publishers of the robot's command topics: only this node's own may be there."""

    def __init__(self, own: Iterable[bytes], name: str) -> None:
        """own: ids of this node's publishers. name: its full name."""
        self._own = frozenset(own)
        self._name = name
        self._twins: set[bytes] = set()  # of another safety node

    def look(self, endpoints: Sequence[Endpoint], twin_lives: bool) -> str:
        """What is wrong with the publishers of all command topics; empty where nothing is.

        twin_lives: another safety node was heard just now. One that was, and no longer is, is
        dead, though the graph still shows its publishers.
        """
        foreign = [e for e in endpoints if e.gid not in self._own]
        if twin_lives:
            self._twins |= {e.gid for e in foreign if e.node == self._name}
        self._twins &= {e.gid for e in foreign}
        living = sorted({e.node for e in foreign if twin_lives or e.gid not in self._twins})
        if not living:
            return ""
        return f"the robot's commands have another publisher: {_names(living)}"


class Twin:
    """Another safety node of this name, heard by its fault levels."""

    def __init__(self, memory: int) -> None:
        """memory: ns for which it counts as alive after it was heard."""
        self._memory = memory
        self._own: deque[int] = deque(maxlen=256)
        self._heard: int | None = None

    def remember_own(self, stamp: int) -> None:
        """This node published a level with this stamp."""
        self._own.append(stamp)

    def observe_level(self, stamp: int, steady: int) -> bool:
        """A level in this node's name came; True where another one sent it."""
        if stamp in self._own:
            return False
        self._heard = steady
        return True

    def lives(self, steady: int) -> bool:
        """It was heard just now."""
        return self._heard is not None and steady - self._heard <= self._memory


def _names(nodes: Sequence[str]) -> str:
    return ", ".join(nodes[:_SHOWN])
