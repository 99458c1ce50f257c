"""
What an end can be told to do for a while, and what all of that has in common: it
runs in a thread, can be stopped, and reports.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Any

from bench.load.trains import TrainPort, mixedTrains, uniformTrains

PRIME = b"\x00prime"
"""A datagram that asks for nothing but an answer; shorter than any that is measured."""

MOST_BYTES = 65535
LOOK_MILLISECONDS = 200

NOTHING = (BlockingIOError, TimeoutError, ConnectionRefusedError)
"""What a wait for a datagram ends with when none has come, or a send when nobody listens yet."""

Report = dict[str, Any]


class Deed:
    """
    Something that an end does with its socket.

    @ivar stopping: whether it has been told to stop.
    """

    def __init__(self, udp: socket.socket) -> None:
        """
        @param udp: blocking, and back from a wait a few times each second.
        """
        self.socket = udp
        self.stopping = False
        self._thread = threading.Thread(target=self.run, daemon=True)

    def start(self) -> None:
        """
        Begin.
        """
        self._thread.start()

    def finish(self) -> Report:
        """
        Stop if it does not end by itself, and wait for the end.

        @return: what it reports.
        """
        self.stop()
        self.join()
        return self.report()

    def join(self) -> None:
        """
        Wait for the end, if it has begun.
        """
        if self._thread.ident is not None:
            self._thread.join()

    def stop(self) -> None:
        """
        Have it end soon.
        """
        self.stopping = True

    def run(self) -> None:
        """
        Do it.
        """
        raise NotImplementedError

    def countBetween(self, begin: float, end: float) -> None:
        """
        Say what counts, of something that has begun without that being known.

        @param begin: on the monotonic clock, as the end.
        """
        raise NotImplementedError

    def offer(self, rate: float) -> None:
        """
        Say how much is to be asked from now on, of something that has begun without that being known.

        @param rate: questions a second, of all together.
        """
        raise NotImplementedError

    def report(self) -> Report:
        """
        @return: how it stands.
        """
        return {}


class Answer(Deed):
    """
    Answer everything, whoever sent it; what comes last shows who the peer is.

    @ivar peer: who it was.
    @ivar onePeer: whether there is no other from then on.
    """

    peer: Any = None

    def __init__(self, udp: socket.socket, *, onePeer: bool = True) -> None:
        """
        @param onePeer: see above; a server that is started again is another peer.
        """
        super().__init__(udp)
        self.onePeer = onePeer

    def run(self) -> None:
        """
        Answer.
        """
        receive, send = self.socket.recvfrom, self.socket.sendto
        while not self.stopping:
            with suppress(*NOTHING):
                datagram, self.peer = receive(MOST_BYTES)
                send(self.answer(datagram), self.peer)

    def answer(self, datagram: bytes) -> bytes:
        """
        @return: what to answer: the same.
        """
        return datagram


class Witness(Deed):
    """
    Answer everything, and write down who asks.
    """

    def __init__(self, udp: socket.socket) -> None:
        """
        @param udp: not connected.
        """
        super().__init__(udp)
        self._sources: dict[Any, int] = {}

    def run(self) -> None:
        """
        Answer.
        """
        receive, send, sources = self.socket.recvfrom, self.socket.sendto, self._sources
        while not self.stopping:
            with suppress(*NOTHING):
                datagram, source = receive(MOST_BYTES)
                sources[source] = sources.get(source, 0) + 1
                send(datagram, source)

    def report(self) -> Report:
        """
        @return: how much came from each.
        """
        return {"sources": list(self._sources.values())}


class Echo(Deed):
    """
    Answer the one peer, with as little work as can be.
    """

    def run(self) -> None:
        """
        Answer.
        """
        receive, send = self.socket.recv, self.socket.send
        while not self.stopping:
            with suppress(*NOTHING):
                send(receive(MOST_BYTES))


class Flood(Deed):
    """
    Send as fast as can be, until stopped.
    """

    def __init__(self, udp: socket.socket, size: int | None) -> None:
        """
        @param size: of each datagram, in bytes; L{None} for the mix.
        """
        super().__init__(udp)
        self._trains = mixedTrains() if size is None else uniformTrains(size)

    def run(self) -> None:
        """
        Send.
        """
        port = TrainPort(self.socket)
        while not self.stopping:
            for train in self._trains:
                port.send([train])


class FloodSingly(Deed):
    """
    Send as fast as can be with a system call for each datagram, as programs do that
    know of no other way.
    """

    def __init__(self, udp: socket.socket, size: int) -> None:
        """
        @param size: of each datagram, in bytes.
        """
        super().__init__(udp)
        self._datagram = bytes(size)

    def run(self) -> None:
        """
        Send.
        """
        send, datagram = self.socket.send, self._datagram
        while not self.stopping:
            with suppress(*NOTHING):
                send(datagram)


class Count(Deed):
    """
    Count what comes.
    """

    def __init__(self, udp: socket.socket) -> None:
        """
        @param udp: connected.
        """
        super().__init__(udp)
        self._port = TrainPort(udp)

    def run(self) -> None:
        """
        Count.
        """
        while not self.stopping:
            self._port.receive(LOOK_MILLISECONDS)

    def report(self) -> Report:
        """
        @return: how much has come so far, and at what moment that was so.
        """
        return {"datagrams": self._port.datagrams, "bytes": self._port.bytes, "moment": time.monotonic()}
