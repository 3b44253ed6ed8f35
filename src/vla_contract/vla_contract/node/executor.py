"""A single-threaded executor that makes the list of what it waits for once, not for each wait.

rclpy's executor gathers everything that it could wait for before each wait, makes a task of each
callback, and wakes itself twice for each of them, for other threads that may spin it too. With the
many entities of a node that costs more than the messages do. With one thread there is nobody to
wake, and the list changes only when a node says so.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rclpy.client import Client
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import (
    ExternalShutdownException,
    ShutdownException,
    SingleThreadedExecutor,
    TimeoutException,
)
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.service import Service
from rclpy.utilities import timeout_sec_to_nsec
from rclpy.waitable import NumberOfEntities, Waitable

SELDOM = 0.02  # s


class CallbackError(RuntimeError):
    """A callback, or taking the message for it, has failed.

    Attributes:
        what: whose it is, such as a topic with its name.
        error: what it raised.
        entity: the timer or the subscription.
    """

    def __init__(self, what: str, error: Exception, entity: Any) -> None:
        super().__init__(f"{what}: {type(error).__name__}: {error}")
        self.what = what
        self.error = error
        self.entity = entity


_RCLPYS_OWN = (Service, Client, Waitable)


@dataclass(frozen=True)
class _Ready:
    """What a wait found. others: a service, a client or an action has something."""

    timers: list[Any]
    subscriptions: list[Any]
    guards: list[Any]
    others: bool


class _Entities:
    """What nodes have to wait for, with a wait set that fits.

    Waitables, the events of topics and the servers and clients of actions, are looked at in one
    wait in `SELDOM` seconds at most, or where nothing else comes: they cost the most.

    guards: the executor's own.
    """

    def __init__(self, nodes: Iterable[Any], guards: Iterable[Any], context: Context) -> None:
        nodes = list(nodes)
        kinds = ("timers", "subscriptions", "guards", "services", "clients", "waitables")
        found = {kind: [e for node in nodes for e in getattr(node, kind)] for kind in kinds}
        self._waitables = found.pop("waitables")
        found["guards"] += guards
        found = {kind: list(filter(_is_there, entities)) for kind, entities in found.items()}
        self._looked = -math.inf  # s, time.monotonic() of the last wait for them
        count = NumberOfEntities(
            len(found["subscriptions"]),
            len(found["guards"]),
            len(found["timers"]),
            len(found["clients"]),
            len(found["services"]),
        )
        for waitable in self._waitables:
            count += waitable.get_num_entities()
        self._set = rclpy_implementation.WaitSet(
            count.num_subscriptions,
            count.num_guard_conditions,
            count.num_timers,
            count.num_clients,
            count.num_services,
            count.num_events,
            context.handle,
        )
        self._of = {each.handle.pointer: each for kind in found.values() for each in kind}
        adders = {
            "timers": self._set.add_timer,
            "subscriptions": self._set.add_subscription,
            "guards": self._set.add_guard_condition,
            "services": self._set.add_service,
            "clients": self._set.add_client,
        }
        self._adding = [(adders[kind], e.handle) for kind, es in found.items() for e in es]
        self._held = [context.handle, *(handle for _, handle in self._adding)]

    def wait(self, nanoseconds: int) -> _Ready:
        """Wait until something is ready, or the time is over; or shorter, for the waitables' sake.

        Args:
            nanoseconds: the longest; negative: for ever.

        Raises:
            InvalidHandle: one of them was destroyed.
        """
        due = time.monotonic() >= self._looked + SELDOM
        waitables = self._waitables if due else []
        if not waitables and self._waitables and not 0 <= nanoseconds < SELDOM * 1e9:
            nanoseconds = round(SELDOM * 1e9)
        held = []
        try:
            for handle in (*self._held, *waitables):  # nobody may destroy them meanwhile
                handle.__enter__()
                held.append(handle)
            self._set.clear_entities()
            for add, handle in self._adding:
                add(handle)
            for waitable in waitables:
                waitable.add_to_wait_set(self._set)
            self._set.wait(nanoseconds)
            others = [each for each in waitables if each.is_ready(self._set)]
            if due:
                self._looked = time.monotonic()
        finally:
            for handle in held:
                handle.__exit__(None, None, None)
        return _Ready(
            self._ready("timer"),
            self._ready("subscription"),
            self._ready("guard_condition"),
            bool(others or self._ready("service") or self._ready("client")),
        )

    def _ready(self, kind: str) -> list[Any]:
        pointers = self._set.get_ready_entities(kind)
        return [self._of[each] for each in pointers if each in self._of]


class OneThreadExecutor(SingleThreadedExecutor):
    """For nodes that only this thread spins, and whose callbacks are plain functions.

    `spin_once` runs all that is ready: timers, then a node's topics in the order of their creation,
    then services and actions. These keep rclpy's way, since theirs may wait; a service that waits
    for long keeps the executor busy where another call of its callback group comes meanwhile.
    """

    def __init__(self, *, context: Context | None = None) -> None:
        super().__init__(context=context)
        self._entities: _Entities | None = None
        self._stale = True  # an entity was made or destroyed since

    def wake(self) -> None:
        """End the wait; nodes call it when they make or destroy an entity."""
        self._stale = True
        super().wake()

    def add_node(self, node: Any) -> bool:
        """As rclpy's."""
        self._stale = True
        return bool(super().add_node(node))

    def remove_node(self, node: Any) -> None:
        """As rclpy's."""
        self._stale = True
        super().remove_node(node)

    def can_execute(self, entity: Any) -> bool:
        """Whether rclpy's way is to look for it."""
        return isinstance(entity, _RCLPYS_OWN) and bool(super().can_execute(entity))

    def _spin_once_impl(
        self,
        timeout_sec: Any = None,  # s, or rclpy's TimeoutObject
        wait_condition: Callable[[], bool] = lambda: False,
    ) -> None:
        if self._tasks:
            self._go_on()
        if self._is_shutdown or wait_condition():
            return
        try:
            limit = getattr(timeout_sec, "timeout", timeout_sec)
            ready = self._present().wait(timeout_sec_to_nsec(limit))
        except InvalidHandle:  # one was destroyed since
            self._stale = True
            return
        if not self._context.ok():
            raise ExternalShutdownException
        for guard in ready.guards:  # first: what a callback raises must not lose them
            if not self._is_shutdown and guard.callback is not None:
                _run(guard.callback)
        for timer in ready.timers:
            if not self._is_shutdown and _call(timer):
                try:
                    _run(timer.callback)
                except Exception as error:
                    raise CallbackError("a timer", error, timer) from error
        for subscription in ready.subscriptions:
            try:
                if not self._is_shutdown and (taken := _take(subscription)) is not None:
                    _run(subscription.callback, *taken)
            except Exception as error:
                what = f"topic {subscription.topic_name}"
                raise CallbackError(what, error, subscription) from error
        if ready.others:
            self._serve()

    def _present(self) -> _Entities:
        if self._stale:
            self._stale = False  # before the list is made: another thread may wake it meanwhile
            guards = (self._guard, self._sigint_gc)
            self._entities = _Entities(self.get_nodes(), guards, self._context)
        assert self._entities is not None
        return self._entities

    def _go_on(self) -> None:
        """Let callbacks of services and actions that waited look whether they may go on."""
        with self._tasks_lock:
            tasks = [task for task, _, _ in self._tasks]
        try:
            for task in tasks:
                if not task.executing() and not task.done():
                    _finish(task)
        finally:
            with self._tasks_lock:
                self._tasks = [each for each in self._tasks if not each[0].done()]

    def _serve(self) -> None:
        """Run the services and actions that are ready."""
        while not self._is_shutdown:
            try:
                task, _, _ = self.wait_for_ready_callbacks(timeout_sec=0)
            except (ShutdownException, TimeoutException):
                return
            _finish(task)


def _is_there(entity: Any) -> bool:
    """It was not destroyed; a node may list it for a moment longer."""
    try:
        return bool(entity.handle.pointer)
    except InvalidHandle:
        return False


def _call(timer: Any) -> bool:
    """Note that a timer rings now; False where it was cancelled or destroyed meanwhile."""
    try:
        with timer.handle:
            if not timer.handle.is_timer_ready():
                return False
            timer.handle.call_timer()
            return True
    except InvalidHandle:
        return False


def _take(subscription: Any) -> tuple[Any, ...] | None:
    """The arguments of a subscription's callback; None where there is no message."""
    try:
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
    except InvalidHandle:
        return None
    if taken is None:
        return None
    kind = getattr(subscription, "_callback_type", None)  # none on Humble
    return tuple(taken) if kind is not None and kind.name == "WithMessageInfo" else (taken[0],)


def _run(callback: Callable[..., Any], *arguments: Any) -> None:
    if inspect.iscoroutine(result := callback(*arguments)):
        result.close()
        raise RuntimeError("a callback of a topic or a timer must not wait")


def _finish(task: Any) -> None:
    """Run rclpy's task until it waits or ends."""
    task()
    if (error := task.exception()) is not None:
        raise error
