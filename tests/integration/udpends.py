"""
UDP sockets that a test drives by hand, of IPv4 and IPv6, and the flow between an
application and a target that a tunnel is to carry.  Every wait has a deadline.
It knows nothing of processes.
"""

from __future__ import annotations

import socket
import time

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import HANG_SECONDS
from tests.integration.correspondence import MAX_DATAGRAM_BYTES, RECEIVE_BUFFER_BYTES
from uotp.net.sockopts import enlargeUdpBuffers

AGAIN = b"\x00again"
"""How a datagram begins that is sent again and again; who expects another passes over it."""

AGAIN_SECONDS, OPENING_SECONDS = 0.05, 1.0
"""Between two of those; and where it is not known whether the programs have started."""


PROOF_SECONDS = 0.01
PROOF_DATAGRAMS = 8
PROOF_BYTES = 1100
"""What a source sends to be worth a pool of eight, so long after an answer."""


class UdpEnd:
    """
    A bound UDP socket.

    @ivar address: where it is bound.
    @ivar socket: itself.
    """

    def __init__(self, host: str = LOOPBACK, port: int = 0) -> None:
        """
        @param host: a numeric address, with its zone if it has one.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        enlargeUdpBuffers(self.socket, RECEIVE_BUFFER_BYTES)
        self.socket.bind(found[0][4])
        bound = self.socket.getsockname()
        self.address: Address = (bound[0], bound[1])

    def send(self, datagram: bytes, address: Address) -> None:
        """
        Send one datagram, once.
        """
        self.socket.sendto(datagram, address)

    def receive(self, seconds: float) -> tuple[bytes, Address] | None:
        """
        @return: the next datagram and who sent it, or L{None} at the deadline.
        """
        self.socket.settimeout(max(seconds, 1e-6))
        try:
            datagram, source = self.socket.recvfrom(MAX_DATAGRAM_BYTES)
        except TimeoutError:
            return None
        return datagram, (source[0], source[1])

    def expect(self, datagram: bytes, seconds: float = HANG_SECONDS) -> Address:
        """
        @param datagram: what must come next; only what begins with L{AGAIN} may
            come before it.
        @return: who sent it.
        @raise AssertionError: when another one comes, or none in time.
        """
        deadline = time.monotonic() + seconds
        while (came := self.receive(deadline - time.monotonic())) is not None:
            if came[0] == datagram:
                return came[1]
            if not came[0].startswith(AGAIN):
                reason = f"expected {len(datagram)} bytes {datagram[:16]!r}, came {len(came[0])} {came[0][:16]!r}"
                raise AssertionError(reason)
        reason = f"{len(datagram)} bytes {datagram[:16]!r} have not come in {seconds} s"
        raise AssertionError(reason)

    def drain(self, quiet: float) -> list[bytes]:
        """
        @param quiet: seconds without a datagram that end it.
        @return: all that comes until then.
        """
        came = []
        while (one := self.receive(quiet)) is not None:
            came.append(one[0])
        return came

    def close(self) -> None:
        """
        Close the socket.
        """
        self.socket.close()


class Flow:
    """
    An application that talks to a target through a client and a server.

    @ivar source: where the target has seen the last datagram come from.
    """

    def __init__(self, application: UdpEnd, client: Address, target: UdpEnd) -> None:
        """
        @param client: where our client listens.
        """
        self.application = application
        self.client = client
        self.target = target
        self.source: Address = ("", 0)

    def forth(self, datagram: bytes) -> Address:
        """
        Send one datagram once, and see it reach the target.

        @return: where it came from there.
        """
        self.application.send(datagram, self.client)
        self.source = self.target.expect(datagram)
        return self.source

    def back(self, datagram: bytes) -> None:
        """
        Have the target send one datagram once, and see it reach the application.
        """
        self.target.send(datagram, self.source)
        self.application.expect(datagram)

    def both(self, datagram: bytes) -> None:
        """
        Send one datagram forth, and the same back.
        """
        self.forth(datagram)
        self.back(datagram)

    def open(self, datagram: bytes = b"hello") -> None:
        """
        Send until a first datagram reaches the target, as programs do, and then one forth and the same back.  What
        waits for longer than five seconds for programs that are still starting is dropped, so one is not enough.

        @raise AssertionError: when none arrives.
        """
        self.resume(HANG_SECONDS, OPENING_SECONDS, datagram)

    def openPool(self) -> None:
        """
        Send enough after an answer to be worth all tunnels of a pool.
        """
        self.open()
        time.sleep(PROOF_SECONDS)
        for _ in range(PROOF_DATAGRAMS):
            self.forth(bytes(PROOF_BYTES))

    def resume(
        self, seconds: float = HANG_SECONDS, again: float = AGAIN_SECONDS, last: bytes = b"the flow is there"
    ) -> float:
        """
        Send until something reaches the target, as programs do, then see that both
        directions work.

        @param again: seconds between two that are sent.
        @param last: what is sent to see that.
        @return: how long it took for the first to arrive, in seconds.
        @raise AssertionError: at the deadline.
        """
        began = time.monotonic()
        number = 0
        while time.monotonic() - began < seconds:
            number += 1
            self.application.send(AGAIN + b"%d" % number, self.client)
            came = self.target.receive(again)
            if came is not None:
                took = time.monotonic() - began
                self.both(last)
                return took
        reason = f"no datagram of {number} has reached the target in {seconds} s"
        raise AssertionError(reason)
