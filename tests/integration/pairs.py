"""
What is asked of every pair of a client and a server, whoever wrote them.  It
does not know how either is started: the test cases that it is the base of do.
"""

from __future__ import annotations

import socket
from typing import ClassVar

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import Program
from tests.integration.correspondence import Target
from tests.integration.harness import ProgramTestCase
from uotp.pki.directory import Pki, makePki

SIZES = (1, 2, 63, 512, 1400, 1420, 8192, 8193, 16000, 32768, 65000, 65507)
"""Around what buffers hold, up to the largest datagram of IPv4."""

ROUNDS = 3
"""How often each size is sent; more than once, since a tunnel may stop after the first."""

BURST = 50
"""Datagrams sent at once: what a UDP buffer of 208 KiB holds for certain."""

BURSTS = 20


def numbered(number: int, length: int) -> bytes:
    """
    @return: a datagram that differs from those of other lengths and, if it has
        at least two bytes, of other numbers.
    """
    block = number.to_bytes(2, "big") + bytes(range(251))
    return (block * (length // len(block) + 1))[:length]


class PairTests(ProgramTestCase):
    """
    The base of the test cases of one pair each.  It stands in a module that is
    not searched for tests.

    @cvar tls: whether the two speak TLS, with certificates for both.
    """

    tls: ClassVar[bool]
    pki: Pki
    serverAddress: Address
    clientAddress: Address

    def setUp(self) -> None:
        """
        Settle the ports, so that a program can be started again on its own.
        """
        super().setUp()
        self.serverAddress = (LOOPBACK, freePort(socket.SOCK_STREAM))
        self.clientAddress = (LOOPBACK, freePort(socket.SOCK_DGRAM))
        self.pki = makePki(self.mktemp(), [LOOPBACK])

    def startServer(self, target: Target) -> Program:
        """
        @return: the pair's server, listening.
        """
        raise NotImplementedError

    def startClient(self) -> Program:
        """
        @return: the pair's client, listening.
        """
        raise NotImplementedError

    def serverArguments(self, target: Target) -> list[str]:
        """
        @return: a command line that both projects' servers understand.
        """
        pki = self.pki
        tls = ["-c", pki.serverCertificate, "-k", pki.serverKey, "-C", pki.caCertificate]
        return [*self._listen(self.serverAddress), *(tls if self.tls else ["--no-tls"]), *map(str, target.address)]

    def clientArguments(self) -> list[str]:
        """
        @return: a command line that both projects' clients understand.
        """
        pki = self.pki
        tls = ["-c", pki.clientCertificate, "-k", pki.clientKey, "-C", pki.caCertificate]
        options = [*self._listen(self.clientAddress), "-B", "1", *(tls if self.tls else ["--no-tls"])]
        return [*options, *map(str, self.serverAddress)]

    @staticmethod
    def _listen(address: Address) -> list[str]:
        return ["-a", address[0], "-p", str(address[1])]

    def test_datagramsOfEverySizePassBothWays(self) -> None:
        """
        Datagrams of many sizes reach the target, and its answers come back,
        unchanged.
        """
        target = self.target()
        self.startServer(target)
        self.startClient()
        application = self.correspondent(self.clientAddress)
        for turn in range(ROUNDS):
            for size in SIZES:
                application.exchange(numbered(turn, size))
        self.assertEqual(len(target.sources), 1, "one session has one UDP socket")

    def test_answersNeedNotBeAsLongAsQuestions(self) -> None:
        """
        A short datagram is answered by the largest, and the largest by a short one.
        """
        target = self.target(lambda datagram: numbered(0, 65507) if len(datagram) == 3 else b"short")
        self.startServer(target)
        self.startClient()
        application = self.correspondent(self.clientAddress)
        application.exchange(b"all", answer=numbered(0, 65507))
        application.exchange(numbered(0, 65507), answer=b"short")

    def test_burstsPass(self) -> None:
        """
        Many datagrams sent at once all come back, once each, in whatever order.
        """
        self.startServer(self.target())
        self.startClient()
        application = self.correspondent(self.clientAddress)
        application.exchange(b"first")
        came = 0
        for turn in range(BURSTS):
            sent = [numbered(turn * BURST + number, 1400) for number in range(BURST)]
            answers = application.burst(sent)
            self.assertEqual(set(answers) - set(sent), set(), "something came that was not sent")
            self.assertEqual(max(answers.values(), default=1), 1, "something came twice")
            came += answers.total()
        self.assertEqual(came, BURST * BURSTS)

    def test_severalSourcesAreKeptApart(self) -> None:
        """
        Two programs that send to the client each get the answers to their own
        datagrams, and the target sees two sources.
        """
        target = self.target()
        self.startServer(target)
        self.startClient()
        for number in range(2):
            self.correspondent(self.clientAddress).exchange(b"I am %d" % number)
        self.assertEqual(len(target.sources), 2)

    def test_serverIsRestarted(self) -> None:
        """
        The flow of an application that goes on sending resumes after the server
        has been restarted.
        """
        target = self.target()
        server = self.startServer(target)
        self.startClient()
        application = self.correspondent(self.clientAddress)
        application.exchange(b"before")
        self.end(server)
        application.send(b"in between")
        self.startServer(target)
        for number in range(20):
            application.exchange(numbered(number, 1400))

    def test_clientIsRestarted(self) -> None:
        """
        The flow of an application that goes on sending resumes after the client
        has been restarted.
        """
        target = self.target()
        self.startServer(target)
        client = self.startClient()
        application = self.correspondent(self.clientAddress)
        application.exchange(b"before")
        self.end(client)
        application.send(b"in between")
        self.startClient()
        for number in range(20):
            application.exchange(numbered(number, 1400))

    def end(self, program: Program) -> None:
        """
        End a program in the middle of its work.
        """
        program.kill()
