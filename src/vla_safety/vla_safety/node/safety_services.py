"""The services of the safety node: stop, reset, arm and home."""

from __future__ import annotations

from std_srvs.srv import SetBool, Trigger

from vla_contract import topics
from vla_safety.loop.control_loop import ControlLoop
from vla_safety.node.node_ports import Entities, Problems


class SafetyServices:
    """Each tells the core, which brakes; nothing here waits for a disk."""

    def __init__(self, entities: Entities, loop: ControlLoop, problems: Problems) -> None:
        self._loop = loop
        self._log = problems.log
        entities.service(Trigger, topics.STOP_SERVICE, self._on_stop)
        entities.service(Trigger, topics.RESET_SERVICE, self._on_reset)
        entities.service(SetBool, topics.ARM_SERVICE, self._on_arm)
        entities.service(Trigger, topics.HOME_SERVICE, self._on_home)

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._loop.core.stop("the stop service was called", self._loop.clock.now())
        self._loop.save_state()
        response.success, response.message = True, "stopped; call reset to go on"
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        clock = self._loop.clock
        result = self._loop.core.reset(clock.now(), clock.steady())
        self._loop.save_state()
        self._log.info(f"reset: {result.message}")
        response.success, response.message = result.done, result.message
        return response

    def _on_arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        core, clock = self._loop.core, self._loop.clock
        core.arm(bool(request.data), clock.now(), clock.steady())
        text = "armed" if request.data else "disarmed: braking, then outputs are disconnected"
        if request.data and core.config.shadow:
            text += ", but shadow mode keeps the outputs disconnected"
        self._log.info(text)
        response.success, response.message = True, text
        return response

    def _on_home(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        clock = self._loop.clock
        result = self._loop.core.go_home(clock.now(), clock.steady())
        self._loop.send_status()  # that it moves is told before how it ends
        self._log.info(f"home: {result.message}")
        response.success, response.message = result.done, result.message
        return response
