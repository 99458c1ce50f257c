"""
Attacks of visitors: whoever comes by TLS, shows no hello, and finds a web site.  And what that web site is, where
one stands behind the server: C{python -m tests.hostile.visiting} answers each request with an endless page.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from bench.rig.ports import LOOPBACK
from tests.hostile.door import Door
from tests.hostile.orders import Report, say

AGAIN_SECONDS = 0.1
"""Between two looks whether the time is over."""

PIECE = bytes(262144)
"""Of an endless page: what is written at one go."""

ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"

HOST = b"Host: a\r\n"

SHORT = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"

LINES = b"GET / HTTP/1.1\r\n" + HOST + b"a:\r\n" * 98 + b"\r\n"

BODY = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n"

ASKED = {
    "requests": ([SHORT * 40], 40),
    "lines": ([LINES * 40], 40),
    "bytes": ([BODY, *[b"a"] * 1000], 1),
    "letters": ([SHORT[at : at + 1] for at in range(len(SHORT))], 1),
}
"""
What a visitor of the page that is not found says again and again, write by write, and how many answers he waits
for: many short requests, such with as many lines as there may be, a body and a request in records of one byte.
"""


class Visit:
    """
    Sends visitors who read an endless page, or ask for pages in one of the ways of L{ASKED}, as fast as they can, or do
    nothing.
    """

    def __init__(
        self, door: Door, source: str, *, kind: str = "download", number: int = 1, seconds: float = 3.0
    ) -> None:
        """
        Connect, and say nothing yet.

        @param kind: C{download}, C{nothing}, or what is asked.
        """
        self._kind, self._seconds = kind, seconds
        context = door.context()
        assert context is not None
        context.set_alpn_protocols(["http/1.1"])
        self._visitors = [door.shakeHands(door.connect(source), context) for _ in range(number)]

    def go(self) -> Report:
        """
        Visit.
        """
        began = time.monotonic()
        came = [0] * len(self._visitors)

        def visit(number: int) -> None:
            visitor = self._visitors[number]
            visitor.settimeout(AGAIN_SECONDS)
            end = began + self._seconds
            with suppress(OSError):
                while time.monotonic() < end:
                    came[number] += visits[self._kind](visitor, end)

        visits: dict[str, Callable[[socket.socket, float], int]] = {
            "download": readPages,
            "nothing": wait,
            **{kind: partial(ask, kind) for kind in ASKED},
        }
        threads = [threading.Thread(target=visit, args=(number,)) for number in range(len(came))]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        unit = "answers" if self._kind in ASKED else "bytes"
        return {unit: sum(came), "seconds": time.monotonic() - began}

    def end(self) -> Report:
        """
        Go.
        """
        for one in self._visitors:
            one.close()
        return {}


def readPages(visitor: socket.socket, end: float) -> int:
    """
    @param end: until when to read.
    @return: how many bytes have come.
    """
    visitor.sendall(SHORT)
    buffer, came = bytearray(262144), 0
    while time.monotonic() < end:
        with suppress(TimeoutError):
            size = visitor.recv_into(buffer)
            came += size
            if not size:
                reason = "the page has an end"
                raise OSError(reason)
    return came


def wait(_: socket.socket, end: float) -> int:
    """
    @return: nothing, when the time is over.
    """
    time.sleep(max(0.0, end - time.monotonic()))
    return 0


def ask(kind: str, visitor: socket.socket, end: float) -> int:
    """
    @return: how many answers have come to what is said once.
    """
    pieces, wanted = ASKED[kind]
    for piece in pieces:
        visitor.sendall(piece)
    came = 0
    while came < wanted and time.monotonic() < end:
        with suppress(TimeoutError):
            data = visitor.recv(65536)
            if not data:
                reason = "the visit has an end"
                raise OSError(reason)
            came += data.count(b"</html>")
    return came


def main() -> None:
    """
    Be a web site with an endless page, until the orders end.
    """
    listening = socket.create_server((LOOPBACK, 0))

    def answer(visitor: socket.socket) -> None:
        with visitor, suppress(OSError):
            visitor.recv(65536)
            visitor.sendall(ENDLESS)
            while True:
                visitor.sendall(PIECE)

    def serve() -> None:
        while True:
            visitor, _ = listening.accept()
            threading.Thread(target=answer, args=(visitor,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    say({"port": listening.getsockname()[1]})
    for _ in sys.stdin:
        say({})


if __name__ == "__main__":
    main()
