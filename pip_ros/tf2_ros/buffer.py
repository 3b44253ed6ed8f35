"""The buffer that nodes use: `BufferCore` with waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import sleep
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, JumpThreshold
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.task import Future

from .buffer_core import BufferCore

_BIG_JUMP = Duration(seconds=3.0)
_AT_ONCE = Duration()


class Buffer(BufferCore):
    """Transforms of the last seconds, and waiting for new ones."""

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        """node: whose clock tells of jumps back, after which the buffer is empty."""
        super().__init__(cache_time)
        self._new_data_callbacks: list[Callable[[], None]] = []
        self._callbacks_lock = threading.RLock()
        self.clock = Clock() if node is None else node.get_clock()
        threshold = JumpThreshold(
            min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True
        )
        self.jump_handle = self.clock.create_jump_callback(
            threshold, post_callback=self.time_jump_callback
        )

    def time_jump_callback(self, time_jump: Any) -> None:
        """Forget what belongs to another time."""
        get_logger("tf2_buffer").warning("Detected jump back in time. Clearing tf buffer.")
        self.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform that holds at its stamp."""
        super().set_transform(transform, authority)
        self._call_new_data_callbacks()

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform that always holds."""
        super().set_transform_static(transform, authority)
        self._call_new_data_callbacks()

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration = _AT_ONCE
    ) -> TransformStamped:
        """Transform that takes points in `source_frame` into `target_frame`; time 0: the latest.

        Raises:
            TransformException: one of its kinds; the message says why there is none.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration = _AT_ONCE,
    ) -> TransformStamped:
        """From the source at its time into the target at its time.

        Raises:
            TransformException: one of its kinds; the message says why there is none.
        """
        times = (target_frame, target_time, source_frame, source_time, fixed_frame)
        self.can_transform_full(*times, timeout)
        return self.lookup_transform_full_core(*times)

    async def lookup_transform_async(
        self, target_frame: str, source_frame: str, time: Any
    ) -> TransformStamped:
        """`lookup_transform`, once it is there."""
        await self.wait_for_transform_async(target_frame, source_frame, time)
        return self.lookup_transform_core(target_frame, source_frame, time)

    async def lookup_transform_full_async(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> TransformStamped:
        """`lookup_transform_full`, once it is there."""
        times = (target_frame, target_time, source_frame, source_time, fixed_frame)
        await self.wait_for_transform_full_async(*times)
        return self.lookup_transform_full_core(*times)

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Any,
        timeout: Duration = _AT_ONCE,
        return_debug_tuple: bool = False,
    ) -> Any:
        """Whether there is the transform, after waiting for it for at most `timeout`."""
        result = self._wait(
            lambda: self.can_transform_core(target_frame, source_frame, time), timeout
        )
        return result if return_debug_tuple else result[0]

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration = _AT_ONCE,
        return_debug_tuple: bool = False,
    ) -> Any:
        """The same for two times."""
        times = (target_frame, target_time, source_frame, source_time, fixed_frame)
        result = self._wait(lambda: self.can_transform_full_core(*times), timeout)
        return result if return_debug_tuple else result[0]

    def wait_for_transform_async(self, target_frame: str, source_frame: str, time: Any) -> Future:
        """A future that is done once the transform is there."""
        return self._future(lambda: self.can_transform_core(target_frame, source_frame, time))

    def wait_for_transform_full_async(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> Future:
        """The same for two times."""
        times = (target_frame, target_time, source_frame, source_time, fixed_frame)
        return self._future(lambda: self.can_transform_full_core(*times))

    def _wait(self, check: Callable[[], tuple[bool, str]], timeout: Duration) -> tuple[bool, str]:
        clock = Clock()
        start = clock.now()
        result = check()
        while not result[0] and clock.now() < start + timeout and clock.now() + _BIG_JUMP >= start:
            sleep(0.02)
            result = check()
        return result

    def _future(self, check: Callable[[], tuple[bool, str]]) -> Future:
        future: Future = Future()
        if check()[0]:
            future.set_result(True)
            return future

        def on_new_data() -> None:
            if not future.done() and check()[0]:
                future.set_result(True)

        with self._callbacks_lock:
            self._new_data_callbacks.append(on_new_data)
        future.add_done_callback(lambda _: self._remove_callback(on_new_data))
        return future

    def _call_new_data_callbacks(self) -> None:
        with self._callbacks_lock:
            for callback in list(self._new_data_callbacks):
                callback()

    def _remove_callback(self, callback: Callable[[], None]) -> None:
        with self._callbacks_lock:
            self._new_data_callbacks.remove(callback)
