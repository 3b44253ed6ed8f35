"""The page's server: HTTP, one WebSocket a viewer, in a thread of its own with its own event loop.

It tells the robot nothing but through `RobotPort`, whose ways all end at the safety node, and it
asks the graph for nothing that nobody looks at.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import json
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from vla_console import stop_recordings
from vla_console.action_trace import ActionTrace
from vla_console.camera_pictures import Picture
from vla_console.console_config import ConsoleConfig, is_loopback
from vla_console.console_metrics import ConsoleMetrics
from vla_console.console_state import ConsoleState
from vla_console.episode_recorder import EpisodeError, EpisodeRecorder
from vla_console.operator_control import ControlError, OperatorControl, Role
from vla_console.server.page_requests import (
    LONGEST_MESSAGE,
    Request,
    RequestError,
    read_request,
)
from vla_console.server.pairing import COOKIE, Pairing, PairingError
from vla_console.server.rate_limits import TokenBucket
from vla_console.server.tls_certificate import Certificate
from vla_console.server.viewer_link import EXCESS, ViewerLink

TICK = 0.1  # s between two looks at what is new
STATE_PERIOD = 0.5  # s in which every page hears from the robot, be there news or not
SLOW_PERIOD = 2.0  # s between two looks at the disk
SERVICE_TIMEOUT = 5.0  # s
SILENCE = 10.0  # s without a sign of life after which a page's connection is closed
SEND_BUFFER = 256 * 1024  # bytes that the kernel may hold back for one page
REFUSAL_DELAY = 0.5  # s
CONNECTIONS = (2.0, 20.0)  # WebSockets a second of one address, and at once
QUIET = ("watch", "shown", "drive")  # kinds that come many times a second, and are not logged
PAGE = Path(__file__).resolve().parents[1] / "page"
TYPES = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"
}  # fmt: skip
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Answer = Callable[[bool, str], None]  # done, in words; from any thread


class RobotPort(Protocol):
    """What the page can ask of the robot; every method returns at once, from any thread."""

    namespace: str

    def command(self, text: str) -> None:
        """Say a command on the topic, as `vla say` does."""

    def stop(self, answer: Answer) -> None:
        """Say the stop word and call safety's stop, until it is latched."""

    def reset(self, answer: Answer) -> None:
        """Call safety's reset."""

    def arm(self, on: bool, answer: Answer) -> None:
        """Call safety's arm."""

    def set_safety_parameter(self, name: str, value: bool | float, answer: Answer) -> None:
        """Set a parameter of the safety node."""

    def drive(self, twist: tuple[float, ...]) -> None:
        """Publish a twist of the teleoperation input: linear m/s, angular rad/s."""

    def demand(self, cameras: frozenset[str], live: bool) -> None:
        """Subscribe to these cameras, and to actions and chunks where `live`; to nothing else."""

    def offered(self) -> dict[str, Any]:
        """Cameras, whether there is attention, and how the page may drive, for JSON."""


@dataclass(frozen=True)
class ServerParts:
    """What the server shows and asks."""

    config: ConsoleConfig
    state: ConsoleState
    trace: ActionTrace
    robot: RobotPort
    episodes: EpisodeRecorder
    log: Callable[[str], None]
    certificate: Certificate | None = None


class PageServer:
    """Serves until `close`.

    Attributes:
        address: where the page is, such as "http://127.0.0.1:8765"; set by `start`.
        pairing: codes and sessions; used where others than this machine may look.
    """

    def __init__(self, parts: ServerParts) -> None:
        self.parts = parts
        self.pairing = Pairing()
        self.address = ""
        config = parts.config
        self.control = OperatorControl((config.jog_linear, config.jog_angular))
        self.metrics = ConsoleMetrics(parts.robot.namespace, parts.state)
        self._open = config.is_loopback
        self._port = config.port
        self._viewers: dict[int, ViewerLink] = {}
        self._count = 0
        self._refused = 0
        self._connections: dict[str, TokenBucket] = {}
        self._files = {
            path.name: (path.read_bytes(), TYPES[path.suffix])
            for path in PAGE.iterdir()
            if path.suffix in TYPES
        }
        self._slow: dict[str, Any] = {}
        self._demand: tuple[frozenset[str], bool] = (frozenset(), False)
        self._offered = ""
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._started = threading.Event()
        self._problem: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    # From other threads.

    def start(self) -> None:
        """Serve; returns when the port is open.

        Raises:
            OSError: the address cannot be used.
        """
        self._thread.start()
        self._started.wait()
        if self._problem is not None:
            self._thread.join()
            raise self._problem

    def close(self) -> None:
        """Close every page and end the thread; what a person drives falls silent, and brakes."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(timeout=5.0)

    def show(self, picture: Picture) -> None:
        """A picture is ready; from any thread."""
        self._soon(self._offer, picture)

    def figures(self) -> dict[str, Any]:
        """For the diagnostics."""
        viewers = list(self._viewers.values())
        return {
            "viewers": len(viewers),
            "control": self.control.holder_name or "nobody",
            "refused": self._refused,
            "dropped": self.metrics.dropped + sum(viewer.dropped for viewer in viewers),
        }

    def _soon(self, call: Callable[..., Any], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            return  # the loop has ended: nobody looks any more

    # The thread.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._started.set()
            self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(middlewares=[self._guard], client_max_size=LONGEST_MESSAGE)
        app.router.add_get("/", self._page)
        app.router.add_get("/ws", self._socket)
        app.router.add_post("/pair", self._pair)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/recordings/{name}", self._recording)
        app.router.add_get("/{file}", self._page)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await self._listen(runner)
        except OSError as error:
            self._problem = error
            await runner.cleanup()
            return
        self._started.set()
        ticking = [asyncio.ensure_future(self._tick()), asyncio.ensure_future(self._look_slowly())]
        await self._ended.wait()
        for task in ticking:
            task.cancel()
        await runner.cleanup()
        self.parts.episodes.close()

    async def _listen(self, runner: web.AppRunner) -> None:
        config, certificate = self.parts.config, self.parts.certificate
        context: ssl.SSLContext | None = certificate.context if certificate else None
        site = web.TCPSite(runner, config.host, config.port, ssl_context=context)
        await site.start()
        self._port = runner.addresses[0][1]
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.address = f"{'https' if context else 'http'}://{host}:{self._port}"

    # Who may ask for what.

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse what came by another name of this machine, and give every answer its headers."""
        try:
            if self._open and request.host not in self._own_hosts():
                raise web.HTTPMisdirectedRequest(text="this page is for this machine alone\n")
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(HEADERS)
            raise
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    def _own_hosts(self) -> set[str]:
        names = {"localhost", "127.0.0.1", "[::1]", self.parts.config.host}
        return {f"{name}:{self._port}" for name in names}

    def _check_origin(self, request: web.Request) -> None:
        """A page of another site may neither open the WebSocket nor post."""
        origin = urlsplit(request.headers.get("Origin", ""))
        scheme = "https" if self.parts.certificate else "http"
        if origin.scheme != scheme or origin.netloc != request.host:
            self._log_refusal(request, "a page of another origin")
            raise web.HTTPForbidden(text="another origin; accepted: the console's own page\n")

    def _role(self, request: web.Request) -> Role | None:
        if self._open:
            return Role.OPERATOR
        return self.pairing.role_of(request.cookies.get(COOKIE, ""))

    def _require_role(self, request: web.Request) -> Role:
        role = self._role(request)
        if role is None:
            raise web.HTTPUnauthorized(text="not paired; open the page and type a code\n")
        return role

    def _log_refusal(self, request: web.Request, why: str) -> None:
        self._refused += 1
        if self._refused <= 20 or self._refused % 1000 == 0:
            self.parts.log(f"refused {request.remote}: {why} ({self._refused} refusals)")

    # Files.

    async def _page(self, request: web.Request) -> web.Response:
        name = request.match_info.get("file", "index.html")
        if name not in self._files:
            raise web.HTTPNotFound(text="no such page\n")
        body, kind = self._files[name]
        return web.Response(body=body, content_type=kind, charset="utf-8")

    async def _pair(self, request: web.Request) -> web.Response:
        self._check_origin(request)
        try:
            data = json.loads(await request.text())
            code = data["code"] if isinstance(data, dict) else None
            if not isinstance(code, str):
                raise PairingError('no code; accepted: {"code": …}')
            secret, role = self.pairing.pair(code, time.monotonic())
        except (ValueError, KeyError, PairingError) as error:
            self._log_refusal(request, f"pairing: {error}")
            return web.json_response({"message": str(error)}, status=403)
        self.parts.log(f"paired {request.remote} as {role.value}")
        response = web.json_response({"role": role.value})
        response.set_cookie(
            COOKIE, secret, httponly=True, samesite="Strict", path="/",
            secure=self.parts.certificate is not None,
        )  # fmt: skip
        return response

    async def _metrics(self, request: web.Request) -> web.Response:
        token = self.parts.config.metrics_token
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        local = is_loopback(request.remote or "")
        if not local and not (token and hmac.compare_digest(given.encode(), token.encode())):
            raise web.HTTPUnauthorized(text="parameter metrics_token has the bearer token\n")
        body, kind = self.metrics.text(len(self._viewers), self.figures())
        return web.Response(body=body, headers={"Content-Type": kind})

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        role = self._require_role(request)
        name = request.match_info["name"]
        found = await asyncio.to_thread(self._recordings)
        wanted = next((each for each in found if each.name == name), None)
        if wanted is None:
            raise web.HTTPNotFound(text="no such recording; accepted: one that the page lists\n")
        self.parts.log(f"{request.remote} ({role.value}) downloads {name}")
        disposition = f'attachment; filename="{name}.mcap"'
        headers = {**HEADERS, "Content-Disposition": disposition}
        return web.FileResponse(wanted.file, headers=headers)

    def _recordings(self) -> list[stop_recordings.StopRecording]:
        safety = self.parts.state.safety
        try:
            return stop_recordings.stop_recordings(safety.recording if safety else "")
        except OSError:
            return []  # deleted while it was looked at

    # One page.

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self._check_origin(request)
        role = self._require_role(request)
        address = request.remote or "unknown"
        bucket = self._connections.setdefault(address, TokenBucket(*CONNECTIONS))
        if not bucket.allow(time.monotonic()):
            self._log_refusal(request, "too many connections")
            await asyncio.sleep(REFUSAL_DELAY)  # who tries without end shall not keep us busy
            raise web.HTTPTooManyRequests(text="too many connections; try again in a second\n")
        if len(self._viewers) >= self.parts.config.viewers:
            self._log_refusal(request, "too many pages")
            raise web.HTTPServiceUnavailable(text="too many pages are open (parameter viewers)\n")
        socket = web.WebSocketResponse(
            heartbeat=SILENCE / 2.0, max_msg_size=LONGEST_MESSAGE, compress=False
        )
        await socket.prepare(request)
        _keep_little(request)
        self._count += 1
        viewer = ViewerLink(self._count, address, role)
        self._viewers[viewer.number] = viewer
        self.parts.log(f"{viewer.name} is open")
        self._greet(viewer)
        sending = asyncio.ensure_future(self._send(socket, viewer))
        try:
            await self._receive(socket, viewer)
        finally:
            sending.cancel()
            del self._viewers[viewer.number]
            self.metrics.dropped += viewer.dropped
            if self.control.give_up(viewer.number, time.time()):
                self.parts.log(f"{viewer.name} is gone, and with it control")
                self._tell_control()
            self._update_demand()
            self.parts.log(f"{viewer.name} is closed")
        return socket

    async def _send(self, socket: web.WebSocketResponse, viewer: ViewerLink) -> None:
        try:
            while True:
                await viewer.wait()
                for text in viewer.texts():
                    await socket.send_str(text)
                for picture in viewer.pictures(time.monotonic()):
                    await socket.send_bytes(self._frame(picture))
                    self.metrics.sent += 1
        except ConnectionError:
            return  # the page is gone; receiving ends, too

    async def _receive(self, socket: web.WebSocketResponse, viewer: ViewerLink) -> None:
        async for message in socket:
            why = ""
            if not viewer.requests.allow(time.monotonic()):
                why = "too many messages"
            elif message.type is not WSMsgType.TEXT:
                why = "a message that is no text"
            else:
                try:
                    self._handle(viewer, read_request(message.data))
                except RequestError as error:
                    why = str(error)
            if why:
                self._refused += 1
                viewer.excess += 1
                if viewer.excess in (1, 10, 100):
                    self.parts.log(f"{viewer.name}: refused: {why}")
                if viewer.excess <= 10:
                    viewer.answer(kind="answer", number=0, done=False, message=why)
            if viewer.excess > EXCESS:
                self.parts.log(f"{viewer.name} is closed for {viewer.excess} refused messages")
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=why.encode()[:100])
                return

    def _greet(self, viewer: ViewerLink) -> None:
        viewer.answer(
            kind="hello", page=viewer.number, role=viewer.role.value,
            namespace=self.parts.robot.namespace, commands=self.parts.state.known_commands,
            greatest=self.control.greatest,
        )  # fmt: skip
        self._offered = ""  # tell everybody again
        self._tell_control()

    def _tell_control(self) -> None:
        control = self.control
        for viewer in self._viewers.values():
            told = {
                "kind": "control",
                "holder": control.holder_name,
                "mine": control.holder == viewer.number,
                "driving": control.driving is not None,
                "recording": self.parts.episodes.is_recording,
            }
            viewer.tell("control", json.dumps(told))

    # What a page asks for.

    def _handle(self, viewer: ViewerLink, request: Request) -> None:
        viewer.counts[request.kind] += 1
        answer = self._answer_to(viewer, request)
        try:
            getattr(self, f"_on_{request.kind}")(viewer, request.fields, answer)
        except (ControlError, EpisodeError) as error:
            if request.kind != "drive":  # which come at 20 Hz, some after the end of a takeover
                answer(False, str(error))

    def _answer_to(self, viewer: ViewerLink, request: Request) -> Answer:
        """Logs and tells the page what became of a request, once; or that nothing came of it."""
        if request.kind in QUIET:
            return lambda done, text: None
        told = False

        def tell(done: bool, text: str) -> None:
            nonlocal told
            if told:
                return
            told = True
            what = " ".join(str(value) for value in request.fields.values())
            self.parts.log(f"{viewer.name}: {request.kind} {what}: {text or 'done'}")
            viewer.answer(
                kind="answer", number=request.number, of=request.kind, done=done, message=text
            )

        self._loop.call_later(
            SERVICE_TIMEOUT, tell, False, f"safety gave no answer within {SERVICE_TIMEOUT:g} s"
        )
        return functools.partial(self._soon, tell)

    def _on_watch(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        viewer.cameras, viewer.plot = frozenset(fields["cameras"]), fields["plot"]
        self._update_demand()

    def _on_shown(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        picture = viewer.shown(fields["camera"], int(fields["sequence"]))
        if picture is not None:
            self.metrics.shown((time.monotonic_ns() - picture.received) * 1e-9)

    def _on_control(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        if fields["take"]:
            self.control.take(viewer.number, viewer.name, viewer.role)
        else:
            self._end_takeover()
            self.control.give_up(viewer.number, time.time())
        self._tell_control()
        answer(True, "")

    def _on_command(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        self.control.require(viewer.number)
        self.parts.robot.command(fields["text"])
        answer(True, f"said: {fields['text']}")

    def _on_stop(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        """Everybody who may look may stop."""
        self._end_takeover()
        self.parts.robot.stop(answer)

    def _on_reset(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        self.control.require(viewer.number)
        self.parts.robot.reset(answer)

    def _on_arm(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        if fields["on"]:  # to disarm is to stop: everybody may
            self.control.require(viewer.number)
        self.parts.robot.arm(fields["on"], answer)

    def _on_shadow(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        self.control.require(viewer.number)
        self.parts.robot.set_safety_parameter("shadow", fields["on"], answer)

    def _on_speed(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        self.control.require(viewer.number)
        self.parts.robot.set_safety_parameter("speed_scale", fields["scale"], answer)

    def _on_takeover(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        self.control.require(viewer.number)
        if not fields["on"]:
            self._end_takeover()
        elif why := self.parts.robot.offered()["drive"]["why_not"]:
            raise ControlError(why)
        else:
            self.control.begin_takeover(viewer.number, time.time(), time.monotonic())
        self._tell_control()
        answer(True, "")

    def _end_takeover(self) -> None:
        """A person gives back: one last twist of zero, then silence, which is a clean end."""
        if self.control.end_takeover(time.time()):
            self.parts.robot.drive((0.0,) * 6)
            self._tell_control()

    def _on_drive(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        twist = self.control.twist(viewer.number, fields["twist"], fields["at"], time.monotonic())
        self.parts.robot.drive(twist)

    def _on_episode(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        self.control.require(viewer.number)
        asyncio.ensure_future(self._episode(fields["action"], fields["note"], answer))

    async def _episode(self, action: str, note: str, answer: Answer) -> None:
        """Outside of the loop: the recorder takes its time to close a bag."""
        episodes = self.parts.episodes
        try:
            if action == "start":
                folder = episodes.start()
                text = f"recording {folder.name}"
            elif action == "discard":
                folder = await asyncio.to_thread(episodes.discard)
                text = f"{folder.name} is deleted"
            else:
                spans = self.control.takeovers_since(episodes.began, time.time())
                folder = await asyncio.to_thread(
                    episodes.finish, action, note, self.parts.state.command, spans
                )
                text = f"{folder.name} is kept as {action}"
        except EpisodeError as error:
            answer(False, str(error))
        else:
            answer(True, text)
        await self._look_at_disk()
        self._tell_control()

    def _on_pair(self, viewer: ViewerLink, fields: Mapping[str, Any], answer: Answer) -> None:
        if viewer.role is not Role.OPERATOR:
            raise ControlError("this page was paired as a viewer; accepted: one paired as operator")
        if self._open:
            raise ControlError("this page is for this machine alone; start it with --host to pair")
        code = self.pairing.new_code(Role(fields["role"]), time.monotonic())
        viewer.answer(kind="code", role=fields["role"], code=code)
        answer(True, f"a code for one {fields['role']}, for ten minutes")

    # What pages are told.

    def _update_demand(self) -> None:
        viewers = self._viewers.values()
        cameras = frozenset(name for viewer in viewers for name in viewer.cameras)
        wanted = (cameras, any(viewer.plot for viewer in viewers))
        if wanted != self._demand:
            self._demand = wanted
            self.parts.robot.demand(*wanted)

    def _offer(self, picture: Picture) -> None:
        for viewer in self._viewers.values():
            if picture.camera in viewer.cameras:
                viewer.offer(picture)

    def _frame(self, picture: Picture) -> bytes:
        """A picture as it is sent: length of the header (4 bytes), header as JSON, JPEG."""
        steady = time.monotonic_ns()
        clock, encoded = self.parts.state.clock, picture.encoded
        age = clock.age(encoded.stamp, picture.received)
        waited = (steady - picture.received) * 1e-9
        header = {
            "camera": picture.camera,
            "sequence": picture.sequence,
            "stamp": encoded.stamp * 1e-9,
            "age": round((age or 0.0) + waited, 4),
            "width": encoded.width,
            "height": encoded.height,
        }
        head = json.dumps(header).encode()
        return struct.pack(">I", len(head)) + head + encoded.jpeg

    async def _tick(self) -> None:
        told, due = "", 0.0
        while True:
            await asyncio.sleep(TICK)
            if not self._viewers:
                continue
            steady = time.monotonic_ns()
            now = steady * 1e-9
            self._tell_offered()
            if self.control.fell_silent(now):
                self.control.end_takeover(time.time())
                self.parts.log("the page that drove fell silent: its takeover is over")
                self._tell_control()
            words = self.parts.state.page(steady)
            words["episode"] = self._slow.get("episode")
            words["recordings"] = self._slow.get("recordings", [])
            text = json.dumps({"kind": "state", **words})
            key = _without_ages(words)
            if key != told or now >= due:
                told, due = key, now + STATE_PERIOD
                for viewer in self._viewers.values():
                    viewer.tell("state", text)
            trace = self.parts.trace.drain()
            if trace is not None:
                text = json.dumps({"kind": "trace", **trace})
                for viewer in self._viewers.values():
                    if viewer.plot:
                        viewer.tell("trace", text)

    def _tell_offered(self) -> None:
        offered = json.dumps(
            {
                "kind": "offered",
                **self.parts.robot.offered(),
                "dimensions": self.parts.trace.dimensions(),
                "commands": self.parts.state.known_commands,
            }
        )
        if offered != self._offered:
            self._offered = offered
            for viewer in self._viewers.values():
                viewer.tell("offered", offered)

    async def _look_slowly(self) -> None:
        while True:
            if self._viewers or self.parts.episodes.is_recording:
                await self._look_at_disk()
            await asyncio.sleep(SLOW_PERIOD)

    async def _look_at_disk(self) -> None:
        """The disk, the recorder and the recordings of stops, outside of the loop."""
        if await asyncio.to_thread(self.parts.episodes.check):
            self.parts.log(self.parts.episodes.problem)
            self._tell_control()
        self._slow["episode"] = await asyncio.to_thread(self.parts.episodes.page, time.time())
        found = await asyncio.to_thread(self._recordings)
        self._slow["recordings"] = [
            {"name": r.name, "when": r.when, "state": r.state, "cause": r.cause, "size": r.size}
            for r in found
        ]


def _without_ages(words: Mapping[str, Any]) -> str:
    """What is news: everything but times that always pass."""
    safety = words["safety"] or {}
    still = {k: v for k, v in safety.items() if k not in ("since", "observation_age", "loop")}
    rest = {k: v for k, v in words.items() if k not in ("safety", "safety_age", "inference_time")}
    return json.dumps([still, rest])


def _keep_little(request: web.Request) -> None:
    """Let the system hold back little for a slow page: it would only grow old there."""
    import socket as sockets

    if request.transport is None:
        return
    request.transport.set_write_buffer_limits(high=SEND_BUFFER)  # type: ignore[attr-defined]
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BUFFER)
