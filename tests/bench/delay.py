"""A TCP proxy on loopback that makes a server far away: every byte arrives later, none is lost.

Connecting itself is not delayed, which favours whoever connects more often.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def delayed(port: int, round_trip: float) -> Iterator[int]:
    """The port of a proxy to `port` that adds `round_trip` seconds to each exchange."""
    loop = asyncio.new_event_loop()

    async def serve() -> int:
        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(
                _carry(reader, far_writer, round_trip / 2),
                _carry(far_reader, writer, round_trip / 2),
            )

        server = await asyncio.start_server(connect, "127.0.0.1", 0)
        near: int = server.sockets[0].getsockname()[1]
        return near

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    near = asyncio.run_coroutine_threadsafe(serve(), loop).result()
    try:
        yield near
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """One direction: each piece leaves `seconds` after it came, in order, without waiting for others."""
    clock = asyncio.get_running_loop().time
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def send() -> None:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(max(0.0, due - clock()))
            if not piece:
                break
            writer.write(piece)
        writer.close()

    sender = asyncio.create_task(send())
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            pieces.put_nowait((clock() + seconds, piece))
    pieces.put_nowait((clock() + seconds, b""))
    with contextlib.suppress(ConnectionError):
        await sender
