"""A TCP proxy that spoils connections: waits, swallows, resets, or cuts after so many bytes. Loopback only."""

import asyncio
import socket
import struct
from collections import deque
from typing import Literal, Self

Mode = Literal["pass", "reset", "swallow"]


class FaultProxy:
    """Stands in front of `port` (`upstream`); its own port is `proxy.port`. Change the attributes at any time."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.mode: Mode = "pass"
        self.delay = 0.0  # seconds before each piece of an answer
        self.cut_after: int | None = None  # bytes of an answer
        self.lose: bytes | None = None  # the next answer that holds these never arrives: its connection ends instead
        self.instead: deque[bytes] = deque()  # what the next answers are replaced by
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.reset_all()
        await asyncio.sleep(0.05)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset_all(self) -> None:
        """Every connection ends with a TCP reset."""
        for writer in list(self._writers):
            if (raw := writer.get_extra_info("socket")) and not writer.is_closing():
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self.mode == "reset":
            self.reset_all()
            return
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:  # whoever is behind it is away by itself
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(upstream_writer)
        await asyncio.gather(
            self._pump(reader, upstream_writer, spoil=False), self._pump(upstream_reader, writer, spoil=True)
        )

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, spoil: bool) -> None:
        passed = 0
        try:
            while piece := await reader.read(65536):
                while spoil and self.mode == "swallow":  # until a test changes it
                    await asyncio.sleep(0.02)
                if spoil:
                    await asyncio.sleep(self.delay)
                if spoil and self.instead:
                    piece = self.instead.popleft()
                if spoil and self.cut_after is not None:
                    piece = piece[: max(0, self.cut_after - passed)]
                if spoil and self.lose is not None and self.lose in piece:
                    self.lose = None
                    break
                passed += len(piece)
                writer.write(piece)
                await writer.drain()
                if spoil and self.cut_after is not None and passed >= self.cut_after:
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
