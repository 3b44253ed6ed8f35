"""What every filter is, and the one that begins a chain: a subscription."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class SimpleFilter:
    """Something that gives messages to the callbacks registered with it."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., Any], *args: Any) -> int:
        """Have a callback called with each output of this filter, followed by these arguments.

        Returns:
            The number of the connection.
        """
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *msg: Any) -> None:
        """Give a message, or a set of messages, to every registered callback in order."""
        for callback, args in list(self.callbacks.values()):
            callback(*msg, *args)


class Subscriber(SimpleFilter):
    """A subscription as a filter.

    Arguments are those of ``Node.create_subscription`` without the callback: the node (plain or
    lifecycle), the message type and the topic by position, everything else (``qos_profile``,
    ``callback_group``, ``raw``, ...) by keyword.
    """

    def __init__(self, node: Any, msg_type: Any, topic: str, /, **kwargs: Any) -> None:
        super().__init__()
        self.node = node
        self.topic = topic
        kwargs.setdefault("qos_profile", 10)
        self.sub = node.create_subscription(msg_type, topic, self.callback, **kwargs)

    def callback(self, msg: Any) -> None:
        """Pass a received message on."""
        self.signalMessage(msg)

    def getTopic(self) -> str:
        """Return the topic as it was given, before remapping."""
        return self.topic

    def __getattr__(self, key: str) -> Any:
        """Look a name that this filter lacks up in its subscription.

        Raises:
            AttributeError: the subscription does not have it either.
        """
        if key == "sub":  # not made yet, or its making failed
            raise AttributeError(key)
        return getattr(self.sub, key)
