"""Which commands may move the robot. Free of ROS."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

_REMEMBERED = 256


class CommandGate:
    """Lets the robot move only for a command given after the last event that cancelled them.

    Events are a start, a stop, a new episode, connecting the outputs. A command is known by its
    id, seen in chunks, and by when it was given: one given before the event is no new command,
    even if its id is new here.
    """

    def __init__(self, seen: Iterable[int] = (), witness: bool = False) -> None:
        """seen: ids known from before a restart.

        witness: a command counts as new only once a chunk without it was seen, because the node
        died and cannot know what was commanded meanwhile.
        """
        self._seen: OrderedDict[int, None] = OrderedDict.fromkeys(seen)
        self._event = 0
        self._witness = witness
        self.current = 0

    def cancel(self, now: int) -> None:
        """An event at this time (ns): no command known so far moves the robot."""
        self._event = now
        self.current = 0

    def admit(self, command_id: int, given: int) -> bool:
        """True when a chunk of this command may move the robot; notes its id either way.

        given: when the command was given, ns; where that is not known, the observation's stamp.
        """
        if command_id == 0:
            self._witness = False
            return False
        if command_id == self.current:
            return True
        new = command_id not in self._seen
        self._remember(command_id)
        witness, self._witness = self._witness, False
        if not new or witness or given < self._event:
            return False
        self.current = command_id
        return True

    @property
    def seen(self) -> tuple[int, ...]:
        """Ids seen, oldest first; at most the last 256."""
        return tuple(self._seen)

    def _remember(self, command_id: int) -> None:
        self._seen[command_id] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
