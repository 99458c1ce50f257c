"""
Attacks by who has been let in: floods of frames, peers that do not read, sessions without end.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections import deque
from contextlib import suppress

from bench.rig.ports import LOOPBACK
from bench.rig.programs import HANG_SECONDS, LOOK_SECONDS
from tests.hostile.crowd import WHO_AM_I, floodOrder
from tests.hostile.door import Door, closeAll, newIdOf, whoAmI
from tests.hostile.orders import Report
from tests.hostile.streams import stream
from tests.integration.rawformat2 import BYE, DRAIN, PING, RawFrame

MARKER = b"the end!"
"""What a ping behind all the rest carries."""

AGAIN_SECONDS = 0.5
"""A marker in format 1 may be dropped, and is sent again so often."""

NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket says that does not block, with TLS and without."""

SMALL_BUFFER = 4096
"""Of who does not read, so that what it is sent stays with whoever has sent it."""


class Flood:
    """
    Frames that cost more to read than to send, over some tunnels of one session, until all
    has been read.
    """

    def __init__(
        self, door: Door, source: str, *, kind: str, tunnels: int = 8, size: int = 65536, times: int = 1
    ) -> None:
        """
        Open the tunnels, and make what is to be said.

        @param kind: see L{stream}.
        @param size: bytes for each tunnel.
        @param times: how often that is said.
        """
        self._door = door
        sessionId, context = newIdOf(door.wire), door.context()
        self._tunnels = [self._enter(sessionId, source, context) for _ in range(tunnels)]
        self._frames = [self._made(kind, size, number) for number in range(tunnels)]
        self._times = times
        self._isOver = False

    def _enter(self, sessionId: bytes, source: str, context: ssl.SSLContext | None) -> socket.socket:
        return self._door.enter(sessionId, source, context)

    def _made(self, kind: str, size: int, number: int) -> bytes:
        return stream(self._door.wire, kind, size, number)

    def _last(self, number: int) -> bytes:
        """
        @return: what is answered when all before it was read, in format 2.
        """
        return RawFrame(PING, MARKER[:-1] + bytes([number])).encode()

    def go(self) -> Report:
        """
        Say it, and wait until all of it has been read.
        """
        began = time.monotonic()
        threads = [threading.Thread(target=self._flood, args=(number,)) for number in range(len(self._tunnels))]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return {"seconds": time.monotonic() - began, "bytes": sum(map(len, self._frames)) * self._times}

    def _flood(self, number: int) -> None:
        """
        Send and read by turns: OpenSSL's connection may not be used by two threads at once.
        """
        tunnel = self._tunnels[number]
        tunnel.setblocking(False)
        frames = self._frames[number] * self._times
        if self._door.wire == 2:
            frames += self._last(number)
        left, again, held = memoryview(frames), 0.0, b""
        end = time.monotonic() + HANG_SECONDS
        with suppress(OSError):  # closed: it is over
            while (now := time.monotonic()) < end and not self._isOver:
                if not left and self._door.wire == 1 and now >= again:
                    left, again = memoryview(self._door.datagram(WHO_AM_I + MARKER)), now + AGAIN_SECONDS
                came = b""
                with suppress(*NOT_NOW):
                    left = left[tunnel.send(left) if left else 0 :]
                with suppress(*NOT_NOW):
                    came = tunnel.recv(65536)
                    if not came:
                        return
                held = held[-64:] + came
                if MARKER[:-1] in held:
                    self._isOver = self._door.wire == 1  # an answer may come through any tunnel
                    return
                if not came:
                    select.select([tunnel], [tunnel] if left else [], [], LOOK_SECONDS)

    def end(self) -> Report:
        """
        Close the tunnels.
        """
        closeAll(self._tunnels)
        return {}


class Deaf:
    """
    Peers that have asked the target for much, and read nothing.
    """

    def __init__(
        self,
        door: Door,
        source: str,
        *,
        peers: int,
        rate: float = 200.0,
        size: int = 1000,
        seconds: float = 60.0,
        certificates: tuple[str, ...] = (),
    ) -> None:
        """
        Let them in.

        @param peers: how many, each with a session of its own.
        @param rate: datagrams a second, for each.
        @param certificates: of the peers, in turn; that of the door when left out.
        """
        self._order = floodOrder(size, rate, seconds)
        doors = [Door(door.server, door.wire, door.cafile, one) for one in certificates] or [door]
        contexts = [one.context() for one in doors]
        self._door = door
        self._peers = []
        for number in range(peers):
            tunnel = door.connect(source)
            tunnel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            tunnel = door.shakeHands(tunnel, contexts[number % len(contexts)])
            tunnel.sendall(door.hello(newIdOf(door.wire)))
            self._peers.append(tunnel)

    def go(self) -> Report:
        """
        Ask, and read nothing of it.
        """
        for tunnel in self._peers:
            tunnel.sendall(self._door.datagram(self._order))
        return {"asked": len(self._peers)}

    def end(self) -> Report:
        """
        Close them.
        """
        closeAll(self._peers)
        return {}


class Sessions:
    """
    One owner with very many sessions, each with a datagram, or with a bye at once.
    """

    def __init__(
        self,
        door: Door,
        source: str,
        *,
        number: int,
        held: bool = True,
        bye: bool = False,
        lingering: bool = False,
        farewells: int = 0,
    ) -> None:
        """
        @param number: of sessions.
        @param held: whether their tunnels stay.
        @param bye: whether each takes its leave when it has spoken.
        @param lingering: whether each goes without a word instead.
        @param farewells: so many take their leave at the end, the last ones, so that none lingers then;
            in format 2.
        """
        self._door, self._source, self._number = door, source, number
        self._held = held and not lingering
        self._bye = bye
        self._latest = deque[bytes](maxlen=farewells)
        self._tunnels: list[socket.socket] = []

    def go(self) -> Report:
        """
        Open them.
        """
        context = self._door.context()
        opened = 0
        began = time.monotonic()
        for _ in range(self._number):
            try:
                tunnel = self._door.connect(self._source)
                tunnel = self._door.shakeHands(tunnel, context)
                sessionId = newIdOf(self._door.wire)
                words = self._door.hello(sessionId) + self._door.datagram(b"mine")
                tunnel.sendall(words + (RawFrame(BYE).encode() if self._bye and self._door.wire == 2 else b""))
            except OSError:
                continue  # not let in
            opened += 1
            self._latest.append(sessionId)
            if self._held:
                self._tunnels.append(tunnel)
            else:
                self._leave(tunnel)
        return {"opened": opened, "seconds": time.monotonic() - began}

    def _leave(self, tunnel: socket.socket) -> None:
        """
        Read the hello before the end, so that no reset takes back what was said.
        """
        with suppress(OSError):
            if self._door.wire == 2:
                tunnel.recv(4096)
            tunnel.shutdown(socket.SHUT_WR)
        tunnel.close()

    def end(self) -> Report:
        """
        Close them, and say how many were still open.
        """
        poll = select.poll()
        for one in self._tunnels:
            poll.register(one, select.POLLRDHUP)
        gone = len(poll.poll(0))
        closeAll(self._tunnels)
        context = self._door.context()
        for sessionId in self._latest:
            with suppress(OSError, AssertionError), self._door.enter(sessionId, self._source, context) as tunnel:
                tunnel.sendall(RawFrame(BYE).encode())
        return {"kept": len(self._tunnels) - gone}


class Tunnels:
    """
    Very many tunnels of one session; then all say drain, or a bye, at once.
    """

    def __init__(self, door: Door, source: str, *, number: int = 512, bye: bool = False) -> None:
        """
        Open them.
        """
        self._door = door
        self._bye = bye
        sessionId, context = newIdOf(door.wire), door.context()
        self._tunnels = []
        for _ in range(number):
            tunnel = door.shakeHands(door.connect(source), context)
            tunnel.sendall(door.hello(sessionId))
            self._tunnels.append(tunnel)

    def go(self) -> Report:
        """
        Speak on all, take leave on all, and see all closed.
        """
        began = time.monotonic()
        for number, tunnel in enumerate(self._tunnels):
            with suppress(OSError):
                tunnel.sendall(self._door.datagram(b"x", number))
        for tunnel in self._tunnels:
            with suppress(OSError):
                if self._door.wire == 2:
                    tunnel.sendall(RawFrame(BYE if self._bye else DRAIN).encode())
        closeAll(self._tunnels)
        return {"seconds": time.monotonic() - began}

    def end(self) -> Report:
        """
        Nothing is left.
        """
        return {}


class Storm:
    """
    Byes and hellos in quick succession, of one session id: each hello is a new session.
    """

    def __init__(self, door: Door, source: str, *, times: int = 300) -> None:
        """
        @param times: how often.
        """
        self._door, self._source, self._times = door, source, times

    def go(self) -> Report:
        """
        Come and go.
        """
        began = time.monotonic()
        sessionId, context = newIdOf(self._door.wire), self._door.context()
        words = self._door.hello(sessionId) + self._door.datagram(b"x")
        welcome = 0
        for _ in range(self._times):
            with suppress(OSError):
                tunnel = self._door.shakeHands(self._door.connect(self._source), context)
                tunnel.sendall(words + (RawFrame(BYE).encode() if self._door.wire == 2 else b""))
                if self._door.wire == 2:
                    welcome += bool(tunnel.recv(4096))
                tunnel.close()
        return {"seconds": time.monotonic() - began, "welcome": welcome}

    def end(self) -> Report:
        """
        Nothing is left.
        """
        return {}


class Download:
    """
    One client that downloads as fast as it can, a raw one: it reads and reads.
    """

    def __init__(
        self, door: Door, source: str, *, tunnels: int = 8, seconds: float = 3.0, size: int = 1400, trains: bool = True
    ) -> None:
        """
        @param size: bytes of each datagram.
        @param trains: whether the target sends many with one system call.
        """
        self._seconds = seconds
        self._door = door
        sessionId, context = newIdOf(door.wire), door.context()
        self._tunnels = [door.enter(sessionId, source, context) for _ in range(tunnels)]
        self._order = floodOrder(size, 0, seconds, trains=trains)

    def go(self) -> Report:
        """
        Ask, and read.
        """
        self._tunnels[0].sendall(self._door.datagram(self._order))
        began = time.monotonic()
        came = [0] * len(self._tunnels)

        def read(number: int) -> None:
            buffer = bytearray(262144)
            tunnel = self._tunnels[number]
            tunnel.settimeout(AGAIN_SECONDS)
            while time.monotonic() - began < self._seconds:
                with suppress(TimeoutError):
                    size = tunnel.recv_into(buffer)
                    came[number] += size
                    if not size:
                        return

        threads = [threading.Thread(target=read, args=(number,)) for number in range(len(came))]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return {"bytes": sum(came), "seconds": time.monotonic() - began}

    def end(self) -> Report:
        """
        Close the tunnels.
        """
        closeAll(self._tunnels)
        return {}


class Newcomers:
    """
    Honest ones who come while somebody else attacks: each is to be answered.
    """

    def __init__(
        self,
        door: Door,
        source: str = LOOPBACK,
        *,
        number: int = 6,
        interval: float = 0.5,
        far: float = 0.0,
        patience: float = 60.0,
    ) -> None:
        """
        @param interval: seconds between two.
        @param far: seconds from the connection to the first word: from far away that takes a while.
        @param patience: seconds for each; then it has not come in.
        """
        self._door, self._source = door, source
        self._number, self._interval, self._far, self._patience = number, interval, far, patience
        self._context = door.context()

    def go(self) -> Report:
        """
        Come, one after the other, and be answered.
        """
        times = []
        for turn in range(self._number):
            if turn:
                time.sleep(self._interval)
            began = time.monotonic()
            with suppress(OSError, AssertionError):
                whoAmI(self._door, self._source, self._patience, self._context, self._far)
                times.append(time.monotonic() - began - self._far)
        return {"came": len(times), "of": self._number, "seconds": max(times, default=0.0)}

    def end(self) -> Report:
        """
        Nothing is left.
        """
        return {}
