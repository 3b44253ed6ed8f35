"""A server of a policy in a thread, for tests."""

import asyncio
import contextlib
import threading

from vla_serve.batching import Batcher
from vla_serve.openpi_server import OpenpiServer, ServerOptions


@contextlib.contextmanager
def serving(policy, window=0.0, largest=16, **options):
    """Yields the server; its loop runs in a thread of its own."""
    ready, made = threading.Event(), {}

    async def run():
        batcher = Batcher(policy.answer, window, largest, lambda: made["server"].clients)
        server = OpenpiServer(ServerOptions(port=0, **options), policy.metadata, batcher.submit)
        made.update(server=server, stop=asyncio.Event(), loop=asyncio.get_running_loop())
        running = asyncio.create_task(batcher.run())
        async with server.listening():
            made["url"] = server.url
            ready.set()
            await made["stop"].wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(30.0)
    try:
        yield made["server"]
    finally:
        made["loop"].call_soon_threadsafe(made["stop"].set)
        thread.join(30.0)
        assert not thread.is_alive()
