"""
Attacks by who has not been let in: connections and handshakes, begun and not ended.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
import struct
import time
from collections import deque
from contextlib import suppress

from bench.rig.ports import Address
from bench.rig.programs import HANG_SECONDS
from tests.hostile.door import Door, addresses, closeAll
from tests.hostile.orders import Report
from tests.integration.rawformat2 import tlsContext

SETTLED_SECONDS = 20.0
"""What is left of a flood has this long to come to an end."""

LOOK_SECONDS = 0.002

PENDING = {0, errno.EINPROGRESS, errno.EISCONN}

NOTHING, HALF, WHOLE, DONE = "nothing", "half a ClientHello", "a ClientHello", "a handshake"
STALLS = (NOTHING, HALF, WHOLE, DONE)
"""What somebody says who then says nothing more."""

ASKING = "half a request"
"""What a visitor of the web site says, in TLS, who then says a byte now and then."""

HALF_A_REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nX: "

TRICKLE_SECONDS = 1.0
"""Between two of those bytes."""


class Shake:
    """
    One handshake on a socket that does not block.
    """

    def __init__(self, server: Address, source: str, context: ssl.SSLContext) -> None:
        """
        Begin to connect.
        """
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.bind((source, 0))
        self.isOver = self.socket.connect_ex(server) not in PENDING
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=server[0])
        self.isDone = False
        self.began = time.monotonic()

    def hello(self) -> bytes:
        """
        @return: the ClientHello.
        """
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    def step(self) -> None:
        """
        Go on as far as can be; with C{isDone} or C{isOver} it is at its end.
        """
        try:
            with suppress(BlockingIOError):
                more = self.socket.recv(65536)
                self._in.write(more)
                self.isOver = not more
            try:
                self._tls.do_handshake()
                self.isDone = True
            except ssl.SSLWantReadError:
                pass
            if self._out.pending:
                self.socket.send(self._out.read())
        except OSError:
            self.isOver = True

    def say(self, data: bytes) -> None:
        """
        Say something, once the handshake is done.
        """
        self._tls.write(data)
        try:
            self.socket.send(self._out.read())
        except OSError:
            self.isOver = True

    def reset(self) -> None:
        """
        Close it at once, so that the kernel keeps nothing of it.
        """
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def isWritable(one: socket.socket, seconds: float = 0.0) -> bool:
    """
    @param seconds: to wait for.
    @return: whether a connection is there, or has failed.
    """
    poll = select.poll()
    poll.register(one, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


class Hellos:
    """
    Very many ClientHellos at once.
    """

    def __init__(self, door: Door, source: str, *, number: int = 400, from_: int = 1) -> None:
        """
        Connect, and prepare them.

        @param from_: so many addresses.
        """
        context = tlsContext(door.cafile)
        sources = [source] if from_ == 1 else addresses(from_)
        self._shakes = [Shake(door.server, sources[turn % len(sources)], context) for turn in range(number)]
        self._hellos = [one.hello() for one in self._shakes]
        for one in self._shakes:
            isWritable(one.socket, HANG_SECONDS)

    def go(self) -> Report:
        """
        Say them, and wait until each was answered, or closed.
        """
        began = time.monotonic()
        for one, hello in zip(self._shakes, self._hellos, strict=True):
            with suppress(OSError):
                one.socket.send(hello)
        answered = 0
        waiting = {one.socket.fileno(): one for one in self._shakes}
        poll = select.poll()
        for number in waiting:
            poll.register(number, select.POLLIN)
        while waiting and time.monotonic() - began < SETTLED_SECONDS:
            for number, _ in poll.poll(100):
                poll.unregister(number)
                with suppress(OSError):
                    answered += bool(waiting.pop(number).socket.recv(1))
        return {"answered": answered, "of": len(self._shakes), "seconds": time.monotonic() - began}

    def end(self) -> Report:
        """
        Close them.
        """
        for one in self._shakes:
            one.reset()
        return {}


class Handshakes:
    """
    Whole handshakes at a rate, from some addresses; each is closed when it is done.
    """

    def __init__(self, door: Door, source: str, *, rate: float = 300.0, seconds: float = 3.0, from_: int = 8) -> None:
        """
        @param rate: each second.
        @param from_: so many addresses.
        """
        self._server = door.server
        self._context = tlsContext(door.cafile, door.certificate or None)
        self._sources = [source] if from_ == 1 else addresses(from_)
        self._number = int(rate * seconds)
        self._interval = 1 / rate

    def go(self) -> Report:
        """
        Begin them at that rate, and see them come to an end.
        """
        poll = select.epoll()
        under: dict[int, Shake] = {}
        done, begun, times = 0, 0, deque[float]()
        began = time.monotonic()
        while begun < self._number or (under and time.monotonic() - began < SETTLED_SECONDS + 2 * self._number):
            now = time.monotonic()
            while begun < self._number and began + begun * self._interval <= now:
                one = Shake(self._server, self._sources[begun % len(self._sources)], self._context)
                begun += 1
                under[one.socket.fileno()] = one
                poll.register(one.socket, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
            for number, _ in poll.poll(LOOK_SECONDS):
                one = under[number]
                one.step()
                if one.isDone or one.isOver:
                    done += one.isDone
                    times.append(time.monotonic() - one.began)
                    del under[number]
                    one.reset()
            if begun == self._number and time.monotonic() - began > self._number * self._interval + SETTLED_SECONDS:
                break
        for one in under.values():
            one.reset()
        return {"begun": begun, "done": done, "left": len(under), "seconds": time.monotonic() - began}

    def end(self) -> Report:
        """
        Nothing is left.
        """
        return {}


class Stalled:
    """
    Connections at which somebody stops: having said nothing, half a ClientHello, a whole one,
    or a handshake and no hello of ours.
    """

    def __init__(
        self,
        door: Door,
        source: str,
        *,
        kinds: list[str] = list(STALLS),  # noqa: B006 - it is only read
        rate: float = 200.0,
        number: int = 400,
        from_: int = 1,
    ) -> None:
        """
        @param kinds: some of L{STALLS} and L{ASKING}, in turn.
        @param rate: connections a second.
        @param from_: so many addresses.
        """
        self._server = door.server
        self._context = tlsContext(door.cafile, door.certificate or None) if door.cafile else None
        self._sources = [source] if from_ == 1 else addresses(from_)
        self._kinds, self._rate, self._number = kinds, rate, number
        self._held: list[socket.socket] = []
        self._shaking: list[tuple[str, Shake]] = []
        self._asking: list[Shake] = []
        self._trickledAt = time.monotonic()

    def go(self) -> Report:
        """
        Begin all.
        """
        began = time.monotonic()
        refused = 0
        for turn in range(self._number):
            while (wait := began + turn / self._rate - time.monotonic()) > 0:
                self._shakeOn()
                time.sleep(min(wait, LOOK_SECONDS))
            kind = self._kinds[turn % len(self._kinds)]
            source = self._sources[turn // len(self._kinds) % len(self._sources)]
            try:
                self._begin(kind, source)
            except OSError:
                refused += 1
        end = time.monotonic() + SETTLED_SECONDS
        while self._shaking and time.monotonic() < end:
            self._shakeOn()
            time.sleep(LOOK_SECONDS)
        return {"begun": self._number - refused, "refused": refused, "seconds": time.monotonic() - began}

    def _begin(self, kind: str, source: str) -> None:
        if self._context is None or kind == NOTHING:
            one = socket.socket()
            one.setblocking(False)
            one.bind((source, 0))
            one.connect_ex(self._server)
            self._held.append(one)
            return
        shake = Shake(self._server, source, self._context)
        self._held.append(shake.socket)
        self._shaking.append((kind, shake))

    def _shakeOn(self) -> None:
        """
        Say what is to be said where the connection is there; nobody waits for anything.
        """
        left = []
        for kind, one in self._shaking:
            if not isWritable(one.socket):
                left.append((kind, one))
            elif kind in (DONE, ASKING):
                one.step()
                if not one.isDone and not one.isOver:
                    left.append((kind, one))
                elif one.isDone and kind == ASKING:
                    one.say(HALF_A_REQUEST)
                    self._asking.append(one)
            else:
                hello = one.hello()
                with suppress(OSError):
                    one.socket.send(hello[: len(hello) // 2] if kind == HALF else hello)
        self._shaking = left
        now = time.monotonic()
        if self._asking and now >= self._trickledAt + TRICKLE_SECONDS:
            self._trickledAt = now
            for asking in self._asking:
                asking.say(b"x")
            self._asking = [asking for asking in self._asking if not asking.isOver]

    def end(self) -> Report:
        """
        Close them, and say how many were still open.
        """
        poll = select.poll()
        for one in self._held:
            poll.register(one, select.POLLRDHUP)
        gone = len(poll.poll(0))
        closeAll(self._held)
        return {"kept": len(self._held) - gone, "of": len(self._held)}


class Chain:
    """
    Somebody who shows very many certificates.
    """

    def __init__(self, door: Door, source: str, *, times: int = 20) -> None:
        """
        @param times: how often.
        """
        self._door, self._source, self._times = door, source, times

    def go(self) -> Report:
        """
        Show them.
        """
        context = self._door.context()
        began = time.monotonic()
        come = 0
        for _ in range(self._times):
            with suppress(OSError, AssertionError):
                tunnel = self._door.shakeHands(self._door.connect(self._source), context)
                with tunnel:
                    tunnel.sendall(self._door.hello(bytes(16)))
                    come += bool(tunnel.recv(1))
        return {"seconds": time.monotonic() - began, "letIn": come}

    def end(self) -> Report:
        """
        Nothing is left.
        """
        return {}
