"""The server from outside: who may connect, who may act, and what a page that floods changes."""

from __future__ import annotations

import asyncio
import json
import ssl
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("aiohttp")

import aiohttp

from vla_console.camera_pictures import Encoded, Picture
from vla_console.operator_control import SILENCE, Role
from vla_console.server.viewer_link import EXCESS
from vla_contract.message_enums import State


class Page:
    """A page without a browser: what it has heard, by kind."""

    def __init__(self, session, rig, **more):
        self._session, self._rig, self._more = session, rig, more
        self.heard, self.frames, self.closed = [], [], None

    async def __aenter__(self):
        headers = {"Origin": self._rig.url, **self._more.pop("headers", {})}
        url = f"{self._rig.url}/ws"
        self.socket = await self._session.ws_connect(url, headers=headers, **self._more)
        self._reading = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(self, *error):
        self._reading.cancel()
        await self.socket.close()

    async def _read(self):
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.frames.append(message.data)
            else:
                self.heard.append(json.loads(message.data))
        self.closed = self.socket.close_code

    async def send(self, kind, **fields):
        await self.socket.send_str(json.dumps({"kind": kind, **fields}))

    async def wait(self, condition):
        end = time.monotonic() + 20.0
        while not condition():
            assert time.monotonic() < end, self.heard[-5:]
            await asyncio.sleep(0.01)

    async def ask(self, kind, number=1, **fields):
        """The answer to a request."""
        before = len(self.heard)
        await self.send(kind, number=number, **fields)

        def answers():
            return [m for m in self.heard[before:] if m["kind"] == "answer"]

        await self.wait(answers)
        return answers()[0]

    def last(self, kind):
        return next((m for m in reversed(self.heard) if m["kind"] == kind), None)


def run(rig, *talks, connector=None):
    """Let pages talk, one after the other."""

    async def main():
        async with aiohttp.ClientSession(connector=connector and connector()) as client:
            for talk in talks:
                await talk(client)

    # In a thread: a browser of another test has an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(main())).result()


async def status(session, url, **more):
    async with session.request(more.pop("method", "GET"), url, **more) as answer:
        return answer.status, await answer.text(), answer.headers


def test_the_page_and_its_headers(rig):
    async def talk(session):
        code, text, headers = await status(session, rig.url)
        assert code == 200 and "STOP" in text
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        for file in ("console.js", "console.css", "icon.svg"):
            assert (await status(session, f"{rig.url}/{file}"))[0] == 200
        for path in (
            "no.js",
            "..%2fnode.py",
            "%2e%2e/node.py",
            "recordings/x",
            "recordings/..%2fx",
        ):
            code, text, headers = await status(session, f"{rig.url}/{path}")
            assert code == 404 and "default-src 'none'" in headers["Content-Security-Policy"]

    run(rig, talk)


def test_another_origin_or_name_is_refused(rig):
    async def talk(session):
        for origin in ("http://evil.example", "null", f"{rig.url}.evil.example", ""):
            headers = {"Origin": origin} if origin else {}
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{rig.url}/ws", headers=headers)
            assert refused.value.status == 403
        port = rig.url.rpartition(":")[2]
        rebound = {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}
        assert (await status(session, rig.url, headers=rebound))[0] == 421
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{rig.url}/ws", headers=rebound)

    run(rig, talk)
    assert any("another origin" in line for line in rig.lines)


def test_state_comes_at_once_and_again_without_news(rig):
    async def talk(session):
        async with Page(session, rig) as page:
            await page.wait(lambda: page.last("state") and page.last("offered"))
            assert page.last("hello")["role"] == "operator"
            assert page.last("state")["safety"]["state"] == "hold"
            count = len([m for m in page.heard if m["kind"] == "state"])
            await page.wait(lambda: len([m for m in page.heard if m["kind"] == "state"]) > count)
            rig.robot.tell(State.NOMINAL, command="open the drawer")
            await page.wait(lambda: page.last("state")["safety"]["state"] == "nominal")

    run(rig, talk)


def test_two_operators_at_once(rig):
    async def talk(session):
        async with Page(session, rig) as one, Page(session, rig) as two:
            refused = await one.ask("command", text="open the drawer")
            assert not refused["done"] and "nobody holds control" in refused["message"]
            assert (await one.ask("control", take=True))["done"]
            refused = await two.ask("control", take=True)
            assert not refused["done"] and "page 1" in refused["message"]
            for kind, fields in (
                ("command", {"text": "close it"}), ("reset", {}), ("arm", {"on": True}),
                ("shadow", {"on": False}), ("speed", {"scale": 1.0}), ("takeover", {"on": True}),
                ("episode", {"action": "start", "note": ""}),
            ):  # fmt: skip
                refused = await two.ask(kind, **fields)
                assert not refused["done"] and "holds control" in refused["message"], kind
            assert rig.robot.asked == []
            assert (await one.ask("command", text="open the drawer"))["done"]
            assert (await two.ask("stop"))["done"], "everybody may stop"
            assert rig.robot.asked == [("command", "open the drawer"), ("stop",)]
            assert two.last("control")["holder"].startswith("page 1")
        async with Page(session, rig) as three:
            assert (await three.ask("control", take=True))["done"], "page 1 is gone"

    run(rig, talk)
    assert any("page 1" in line and "command open the drawer" in line for line in rig.lines)


def test_what_the_operator_asks_reaches_the_robot(rig):
    async def talk(session):
        async with Page(session, rig) as page:
            await page.ask("control", take=True)
            for kind, fields, asked in (
                ("arm", {"on": True}, ("arm", True)),
                ("shadow", {"on": True}, ("shadow", True)),
                ("speed", {"scale": 0.1}, ("speed_scale", 0.1)),
                ("reset", {}, ("reset",)),
            ):
                answer = await page.ask(kind, **fields)
                assert answer["done"] and answer["message"] == "done by safety"
                assert rig.robot.asked[-1] == asked

    run(rig, talk)


def test_a_service_that_gives_no_answer_is_told(rig, monkeypatch):
    from vla_console.server import page_server

    monkeypatch.setattr(page_server, "SERVICE_TIMEOUT", 0.2)
    rig.robot.answers = False

    async def talk(session):
        async with Page(session, rig) as page:
            answer = await page.ask("stop")
            assert not answer["done"] and "no answer" in answer["message"]

    run(rig, talk)


def test_a_takeover_ends_in_zero_and_a_page_that_dies_falls_silent(rig):
    async def drive(page, share, at):
        await page.send("drive", twist=[share, 0, 0, 0, 0, 0], at=at)

    async def talk(session):
        async with Page(session, rig) as page:
            await page.ask("control", take=True)
            await drive(page, 1.0, 0.0)  # before the takeover: nothing
            assert (await page.ask("takeover", on=True))["done"]
            await drive(page, 0.5, 1.0)
            await page.wait(lambda: rig.robot.twists)
            assert rig.robot.twists[-1][1] == (0.05, 0.0, 0.0, 0.0, 0.0, 0.0)
            assert (await page.ask("takeover", on=False))["done"]
            assert rig.robot.twists[-1][1] == (0.0,) * 6, "a clean end"
            await page.ask("takeover", on=True)
            await drive(page, 1.0, 2.0)
            await page.wait(lambda: rig.robot.twists[-1][1][0] == 0.1)
            count = len(rig.robot.twists)
        rig.wait(lambda: rig.server.control.holder is None)
        assert len(rig.robot.twists) == count, "it says nothing more: silence is the dead-man"
        async with Page(session, rig) as page:
            await page.ask("control", take=True)
            await page.ask("takeover", on=True)
            await page.wait(lambda: not page.last("control")["driving"])  # it sent no twist
            assert rig.server.control.driving is None and SILENCE < 1.0

    run(rig, talk)
    assert any("fell silent" in line for line in rig.lines)


def test_where_no_twist_can_move_it_says_so(rig):
    rig.robot.drivable = {"axes": [], "why_not": "it has no arm"}

    async def talk(session):
        async with Page(session, rig) as page:
            await page.ask("control", take=True)
            answer = await page.ask("takeover", on=True)
            assert (answer["done"], answer["message"]) == (False, "it has no arm")

    run(rig, talk)


@pytest.mark.parametrize("garbage", ["text", "binary"])
def test_a_flood_of_garbage_ends_its_page_and_nobody_elses(rig, garbage):
    async def talk(session):
        async with Page(session, rig) as good, Page(session, rig) as bad:
            send = bad.socket.send_str if garbage == "text" else bad.socket.send_bytes
            content = "{" if garbage == "text" else b"\0{"
            for _ in range(10_000):
                if bad.closed:
                    break
                try:
                    await send(content)
                except (ConnectionError, aiohttp.ClientError):
                    break
            await bad.wait(lambda: bad.closed)
            assert bad.closed == 1008
            assert (await good.ask("stop"))["done"]

    run(rig, talk)
    assert rig.robot.asked == [("stop",)]
    told = [line for line in rig.lines if "refused" in line]
    assert len(told) <= 5, "it is told, and not ten thousand times"


def test_too_many_good_messages_end_the_page_as_well(rig):
    async def talk(session):
        async with Page(session, rig) as page:
            for _ in range(EXCESS + 1000):
                if page.closed:
                    break
                try:
                    await page.send("watch", cameras=[], plot=False)
                except (ConnectionError, aiohttp.ClientError):
                    break
            await page.wait(lambda: page.closed)
            assert page.closed == 1008

    run(rig, talk)


def test_a_message_that_is_too_long_ends_the_page(rig):
    async def talk(session):
        async with Page(session, rig) as page:
            await page.socket.send_str("x" * 100_000)
            await page.wait(lambda: page.closed)
            assert page.closed == 1009

    run(rig, talk)


def test_pages_and_connections_are_bounded(make_rig):
    rig = make_rig(viewers=2)

    async def talk(session):
        async with Page(session, rig), Page(session, rig):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{rig.url}/ws", headers={"Origin": rig.url})
            assert refused.value.status == 503
        codes = set()
        for _ in range(60):
            try:
                socket = await session.ws_connect(f"{rig.url}/ws", headers={"Origin": rig.url})
                await socket.close()
            except aiohttp.WSServerHandshakeError as error:
                codes.add(error.status)
        assert 429 in codes

    run(rig, talk)


def picture(sequence, size=1000):
    encoded = Encoded(b"\xff\xd8" + b"x" * size, 4, 3, time.time_ns())
    return Picture("front", sequence, encoded, time.monotonic_ns())


def test_a_slow_page_gets_the_newest_picture_only(rig):
    async def talk(session):
        async with Page(session, rig) as page:
            await page.send("watch", cameras=["front"], plot=True)
            await page.wait(lambda: rig.robot.demands == [(frozenset({"front"}), True)])
            rig.server.show(picture(1))
            await page.wait(lambda: page.frames)
            for sequence in range(2, 40):  # it has not said that it shows the first one
                rig.server.show(picture(sequence))
            assert (await page.ask("stop"))["done"]
            assert len(page.frames) == 1
            await page.send("shown", camera="front", sequence=1)
            await page.wait(lambda: len(page.frames) == 2)
            (length,) = struct.unpack(">I", page.frames[1][:4])
            header = json.loads(page.frames[1][4 : 4 + length])
            assert header["sequence"] == 39 and 0.0 <= header["age"] < 20.0
            assert page.frames[1][4 + length :].startswith(b"\xff\xd8")
        rig.wait(lambda: rig.robot.demands[-1] == (frozenset(), False))

    run(rig, talk)
    assert rig.server.figures()["dropped"] >= 36


def test_without_a_page_nothing_is_asked_of_the_graph(rig):
    rig.server.show(picture(1))
    assert rig.robot.demands == [] and rig.server.figures()["viewers"] == 0


# With --host.


@pytest.fixture
def secured(make_rig):
    pytest.importorskip("cryptography")
    from vla_console.server.tls_certificate import self_signed

    # All addresses: the client comes over loopback, and still has to pair.
    return make_rig(certificate=self_signed("localhost"), host="0.0.0.0")


def local(rig):
    """The address by which a client here reaches it."""
    rig.server.address = f"https://localhost:{rig.url.rpartition(':')[2]}"
    return rig.url


def trusting():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return aiohttp.TCPConnector(ssl=context)


def test_another_machine_pairs_by_a_code_and_gets_its_role(secured):
    rig, url = secured, local(secured)
    operator = rig.server.pairing.new_code(Role.OPERATOR, time.monotonic())
    viewer = rig.server.pairing.new_code(Role.VIEWER, time.monotonic())

    async def refuse(session):
        assert (await status(session, url))[0] == 200
        assert (await status(session, f"{url}/recordings/x"))[0] == 401
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{url}/ws", headers={"Origin": url})
        assert refused.value.status == 401

    async def pair(session, code, origin=url):
        data = json.dumps({"code": code})
        return await status(
            session, f"{url}/pair", method="POST", data=data, headers={"Origin": origin}
        )

    async def talk(session):
        await refuse(session)
        assert (await pair(session, operator, "https://evil.example"))[0] == 403
        code, text, _ = await pair(session, "WRONG-CODE2")
        assert code == 403 and "unknown" in text
        code, text, headers = await pair(session, viewer)
        assert code == 200 and json.loads(text) == {"role": "viewer"}
        cookie = headers["Set-Cookie"]
        assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=Strict"))
        async with Page(session, rig) as page:
            assert not (await page.ask("control", take=True))["done"]
            assert not (await page.ask("pair", role="operator"))["done"]
            assert (await page.ask("stop"))["done"]
        assert (await pair(session, operator))[0] == 200
        async with Page(session, rig) as page:
            assert (await page.ask("control", take=True))["done"]
            assert (await page.ask("pair", role="viewer"))["done"]
            assert page.last("code")["role"] == "viewer"

    run(rig, talk, connector=trusting)
    run(rig, refuse, connector=trusting)  # a browser without the cookie


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"code": 5}', "x" * 3000, "x" * 100_000])
def test_garbage_is_no_code(secured, body):
    url = local(secured)

    async def talk(session):
        headers = {"Origin": url}
        code, _, _ = await status(session, f"{url}/pair", method="POST", data=body, headers=headers)
        assert code in (403, 413)

    run(secured, talk, connector=trusting)


def test_a_recording_is_downloaded_and_nothing_beside_it(rig, tmp_path):
    folder = tmp_path / "recordings" / "20261201T010203.000Z_STOPPED_pressed"
    folder.mkdir(parents=True)
    (folder / "bag_0.mcap").write_bytes(b"mcap")
    rig.robot.tell(State.STOPPED, recording=str(folder))

    async def talk(session):
        code, text, headers = await status(session, f"{rig.url}/recordings/{folder.name}")
        assert code == 200 and text == "mcap"
        assert "attachment" in headers["Content-Disposition"]
        for name in ("..%2fx", "x", f"{folder.name}%2fbag_0.mcap"):
            assert (await status(session, f"{rig.url}/recordings/{name}"))[0] == 404
        async with Page(session, rig) as page:
            await page.wait(lambda: page.last("state") and page.last("state")["recordings"])
            assert page.last("state")["recordings"][0]["cause"] == "pressed"

    run(rig, talk)


def test_metrics_are_for_this_machine_or_a_token(make_rig):
    rig = make_rig()

    async def talk(session):
        code, text, _ = await status(session, f"{rig.url}/metrics")
        assert code == 200 and 'vla_safety_state{robot="vla",state="hold"} 1.0' in text

    run(rig, talk)


def test_a_port_in_use_is_refused(rig, make_rig):
    port = int(rig.url.rpartition(":")[2])
    from vla_console.server.page_server import PageServer, ServerParts

    parts = vars(rig.server.parts) | {"config": type(rig.config)(port=port)}
    with pytest.raises(OSError, match="address already in use"):
        PageServer(ServerParts(**parts)).start()
