"""
The two ends of a conversation in UDP: an application that sends and a target
that answers, with plain sockets and a deadline for every wait.  It knows nothing
of what stands between them.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence

from bench.load.deeds import Answer
from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import HANG_SECONDS
from uotp.net.sockopts import enlargeUdpBuffers

ANSWER_SECONDS = 0.5
"""Until a datagram counts as lost and is sent again."""

RECEIVE_BUFFER_BYTES = 4 << 20
"""Asked for; a kernel's default holds some hundred datagrams."""

LOOK_SECONDS = 0.05
"""A target that is to stop looks so often whether it is."""

MAX_DATAGRAM_BYTES = 65535


class Target(Answer):
    """
    A UDP program that answers each datagram, in a thread.

    @ivar address: where it listens.
    @ivar received: how many datagrams have arrived, by length.
    @ivar sources: whom they came from.
    """

    def __init__(self, answer: Callable[[bytes], bytes], address: Address = (LOOPBACK, 0)) -> None:
        """
        @param answer: datagram to datagram.
        """
        self.received: Counter[int] = Counter()
        self.sources: set[Address] = set()
        self._answer = answer
        super().__init__(openUdp())
        self.socket.settimeout(LOOK_SECONDS)
        self.socket.bind(address)
        self.address: Address = self.socket.getsockname()
        self.start()

    def answer(self, datagram: bytes) -> bytes:
        """
        Note what has come, and from whom.
        """
        self.received[len(datagram)] += 1
        self.sources.add(self.peer)
        return self._answer(datagram)

    def stop(self) -> None:
        """
        Stop answering and close the port.
        """
        super().stop()
        self.join()
        self.socket.close()


class Correspondent:
    """
    The application's side: a UDP socket that sends to one address.
    """

    def __init__(self, address: Address) -> None:
        """
        @param address: where a client listens.
        """
        self._answered: bytes | None = None
        self._socket = openUdp()
        self._socket.connect(address)

    def send(self, datagram: bytes) -> None:
        """
        Send one datagram; that nobody listens is no error here.
        """
        try:
            self._socket.send(datagram)
        except ConnectionRefusedError:
            self._socket.send(datagram)

    def receive(self, seconds: float) -> bytes | None:
        """
        @return: the next datagram, or L{None} at the deadline.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                return self._socket.recv(MAX_DATAGRAM_BYTES)
            except TimeoutError:
                return None
            except ConnectionRefusedError:
                time.sleep(min(left, 0.01))  # nobody listens yet, and asking costs processor time
        return None

    def exchange(self, datagram: bytes, *, answer: bytes | None = None, seconds: float = HANG_SECONDS) -> int:
        """
        Send a datagram until its answer comes; other datagrams are passed over,
        since they may answer what was sent again before.

        @param answer: what is expected; the same datagram when left out.
        @return: how often it was sent.
        @raise AssertionError: at the deadline.
        """
        self._answered = expected = datagram if answer is None else answer
        deadline = time.monotonic() + seconds
        sent = 0
        while time.monotonic() < deadline:
            self.send(datagram)
            sent += 1
            patience = time.monotonic() + ANSWER_SECONDS
            while (left := patience - time.monotonic()) > 0:
                if self.receive(left) == expected:
                    return sent
        reason = f"no answer of {len(expected)} bytes to one of {len(datagram)} in {seconds} s, sent {sent} times"
        raise AssertionError(reason)

    def burst(self, datagrams: Sequence[bytes], seconds: float = HANG_SECONDS) -> Counter[bytes]:
        """
        Send many datagrams without waiting, then listen until as many have come; what
        answers an exchange before, which was sent again, is passed over.

        @param seconds: how long to listen after the last that came.
        @return: what came, and how often.
        """
        for datagram in datagrams:
            self.send(datagram)
        came: Counter[bytes] = Counter()
        while came.total() < len(datagrams) and (answer := self.receive(seconds)) is not None:
            if answer != self._answered:
                came[answer] += 1
        return came

    def close(self) -> None:
        """
        Close the socket.
        """
        self._socket.close()


def openUdp() -> socket.socket:
    """
    @return: an IPv4 UDP socket with a large receive buffer.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    enlargeUdpBuffers(opened, RECEIVE_BUFFER_BYTES)
    return opened
