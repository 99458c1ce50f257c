"""
How many functions of ours a lone datagram passes: what it costs where the processor has
gone cold between two of them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

import uotp
from bench.rig.ports import LOOPBACK
from tests.doubles.certificates import CLIENT, Authority, pem
from uotp.services import ClientTls, ServerTls, WireChoice, clientService, serverService

OURS = str(Path(uotp.__file__).parent)

MOST_OUT = 10
"""From the reactor's call for a UDP socket to the write of TLS, with both of them."""

MOST_IN = 12
"""From the reactor's call for a stream to the write of UDP, with both of them."""

DATAGRAMS = 60
"""What is done once a while, a look or a ping, is in few of them."""

CA = Authority("Short way CA")


class FrameCounter:
    """
    Counts the calls of functions of ours that each event of the reactor leads to.

    @ivar ways: of each event, the names of the functions, in order of their calls.
    """

    def __init__(self) -> None:
        self.ways: list[list[str]] = []
        self._way: list[str] = []
        self._outermost: FrameType | None = None

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """
        Called by the interpreter.
        """
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(OURS):
            if self._outermost is None:
                self._outermost = frame
            self._way.append(f"{Path(code.co_filename).relative_to(OURS)}: {code.co_name}")
        elif event == "return" and frame is self._outermost:
            self.ways.append(self._way)
            self._way, self._outermost = [], None

    def commonest(self, first: str) -> list[str]:
        """
        @param first: the end of the name of the function with which an event begins.
        @return: the way that most of these events take.
        """
        [(way, _)] = Counter(tuple(way) for way in self.ways if way[0].endswith(first)).most_common(1)
        return list(way)


class Echo(DatagramProtocol):
    """
    Sends back what comes.
    """

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Send it back.
        """
        assert self.transport is not None
        self.transport.write(datagram, addr)


class Asker(DatagramProtocol):
    """
    Sends one datagram after the other, each when the one before has come back.

    @ivar answered: how many have come back.
    """

    def __init__(self, client: tuple[str, int]) -> None:
        """
        @param client: where to send.
        """
        self._client = client
        self._waiting: Deferred[None] | None = None
        self.answered = 0

    def ask(self) -> Deferred[None]:
        """
        @return: fires when the answer has come.
        """
        assert self.transport is not None
        self._waiting = Deferred()
        self.transport.write(bytes(200), self._client)
        return self._waiting

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        The answer has come.
        """
        self.answered += 1
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


class ShortWayTests(TestCase):
    """
    A client, a server and both programs beside them, in one process.
    """

    timeout = 600  # against hanging

    @inlineCallbacks
    def count(self, wire: WireChoice, host: str = LOOPBACK) -> Generator[Deferred[Any], Any, FrameCounter]:
        """
        @param host: where the client listens.
        @return: what the reactor's events have led to while lone datagrams went to and fro.
        """
        clock: Any = reactor
        directory = Path(self.mktemp())
        directory.mkdir()
        serverFile = CA.issue(LOOPBACK).write(directory / "server.pem")
        clientFile = CA.issue(usages=CLIENT).write(directory / "client.pem")
        cafile = str(directory / "ca.pem")
        Path(cafile).write_bytes(pem(CA.certificate))
        target = clock.listenUDP(0, Echo(), interface=LOOPBACK)
        self.addCleanup(target.stopListening)
        server = serverService(
            (LOOPBACK, target.getHost().port),
            tls=ServerTls(cert=serverFile, cafile=cafile),
            listen=(LOOPBACK, 0),
            wire=wire,
        )
        server.startService()
        self.addCleanup(server.stopService)
        assert server.listening is not None
        client = clientService(
            server.listening,
            tls=ClientTls(cafile=cafile, cert=clientFile),
            listen=(host, 0),
            poolSize=2,
            wire=wire,
        )
        client.startService()
        self.addCleanup(client.stopService)
        assert client.listening is not None
        asker = Asker((LOOPBACK, client.listening[1]))
        application = clock.listenUDP(0, asker, interface=LOOPBACK)
        self.addCleanup(application.stopListening)
        for _ in range(DATAGRAMS):  # until all is warm
            yield asker.ask()
            yield deferLater(clock, 0.006)
        counter = FrameCounter()
        sys.setprofile(counter)
        try:
            for _ in range(DATAGRAMS):
                yield asker.ask()
                yield deferLater(clock, 0.006)
        finally:
            sys.setprofile(None)
        self.assertEqual(asker.answered, 2 * DATAGRAMS)
        return counter

    def assertShort(self, counter: FrameCounter) -> None:
        """
        No way is longer than it may be.
        """
        ends = {"udp/linux.py: doRead": MOST_OUT, "transport/tls.py: doRead": MOST_IN}
        for first, most in ends.items():
            way = counter.commonest(first)
            self.assertGreater(len(way), 3, way)
            self.assertLessEqual(len(way), most, "\n".join(way))

    @inlineCallbacks
    def test_loneDatagramPassesFewFunctions(self) -> Generator[Deferred[Any], Any, None]:
        self.assertShort((yield self.count(WireChoice.TWO)))

    @inlineCallbacks
    def test_soItDoesInFormat1(self) -> Generator[Deferred[Any], Any, None]:
        self.assertShort((yield self.count(WireChoice.ONE)))

    @inlineCallbacks
    def test_soItDoesWhereAllAddressesAnswer(self) -> Generator[Deferred[Any], Any, None]:
        self.assertShort((yield self.count(WireChoice.TWO, "0.0.0.0")))  # noqa: S104 - for a moment
