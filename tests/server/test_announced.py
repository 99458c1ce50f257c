"""
Connections that a balancer hands to a server with two workers: each client has one worker, whichever accepts them.
"""

from __future__ import annotations

import socket
from ipaddress import ip_network
from typing import Any

from twisted.logger import LogLevel

from tests.doubles.serverworkers import PING, Client, WorkersTestCase, newId
from uotp.server.workers.contact import workerFor

BALANCER = "198.51.100.7"
ONES, TWOS = "203.0.113.4", "203.0.113.1"
"""Clients of worker 1 and of worker 2."""


class AnnouncedStories(WorkersTestCase):
    """
    All connections come from one address, to worker 1.
    """

    def setUp(self) -> None:
        super().setUp()
        self.assertEqual([workerFor(host, 2) for host in (ONES, TWOS)], [1, 2])
        self.start(proxyProtocol=(ip_network(BALANCER),))

    def announced(self, host: str, sessionId: bytes = b"", number: int = 1) -> Client:
        """
        @return: a client for whom the balancer has dialled, with all that he says first in one piece.
        """
        client = self.connect(number, BALANCER, settle=False)
        header = f"PROXY TCP4 {host} 192.0.2.100 40000 8443\r\n".encode()
        client.say(header + (sessionId + PING if sessionId else b""))
        self.settle()
        return client

    def strangers(self) -> list[int]:
        """
        @return: how many who have said nothing each worker has.
        """
        return [self.worker(number).service.acceptor.statistics().strangers.silent for number in (1, 2)]

    def test_eachClientHasOneWorker(self) -> None:
        """
        And the log and the target see what they would without a balancer.
        """
        ours, others = newId(), newId()
        for _ in range(3):
            self.announced(ONES, ours)
            self.announced(TWOS, others)
        self.assertEqual((self.sessions(), self.table(), len(self.sources())), ([1, 1], (2, 6), 2))
        self.assertEqual(self.parent.tableStatistics().moved, 0)
        opened = [line for line in self.lines(LogLevel.info) if " opened from " in line]
        for host in (ONES, TWOS):
            self.assertEqual(sum(f"opened from {host}, " in line for line in opened), 1, opened)
        for number, host in ((1, ONES), (2, TWOS)):
            served = next(iter(self.worker(number).service.registry.all()))
            self.assertEqual({each.transport.getPeer().host for each in served.tunnels}, {host})
            self.assertEqual(served.holder, host)

    def test_overTlsToo(self) -> None:
        """
        The handshake is done where the session is: nothing is relayed.
        """
        self.stopAll()
        serverTls, clientTls = self.certificates()
        self.start(serverTls, proxyProtocol=(ip_network(BALANCER),))
        sessionId = newId()
        for _ in range(2):
            plain = self.connect(1, BALANCER, settle=False)
            plain.say(f"PROXY TCP4 {TWOS} 192.0.2.100 40000 8443\r\n".encode())
            client = self.securedOn(plain, clientTls)
            client.say(sessionId + PING)
            self.settle()
        self.assertEqual((self.sessions(), self.table()), ([0, 1], (1, 2)))
        self.assertEqual(len(self.worker(1).service._contact.relays), 0)
        self.assertEqual(self.target.datagrams(), [b"ping"] * 2)

    def test_whoSaysNothingBehindTheHeaderIsAStrangerThere(self) -> None:
        client = self.announced(TWOS)
        self.assertEqual(self.strangers(), [0, 1])
        client.say(newId() + PING)
        self.settle()
        self.assertEqual((self.sessions(), self.strangers()), ([0, 1], [0, 0]))

    def test_whoseWorkerIsGoneIsServedWhereHeCameIn(self) -> None:
        """
        Or is too busy.  His next one finds its session there.
        """
        table, workforce = self.parent._table, self.parent._workforce
        sessionId = newId()
        for place, question in ((table, "isReady"), (workforce, "hasRoom")):
            patched = self.patch(place, question, lambda worker: worker == 1)
            client = self.announced(TWOS, sessionId)
            self.assertEqual((client.isClosed, self.sessions()), (False, [1, 0]))
            patched.restore()
        self.patch(workforce, "hasRoom", lambda _: False)
        for _ in range(3):
            self.assertTrue(self.announced(TWOS, newId()).isClosed)
        words = "a connection could not be handed to worker 2: it is gone, or has much to read"
        self.assertEqual([line for line in self.lines() if "could not be handed" in line], [words])

    def test_whileTheParentHasMuchToReadHeIsServedWhereHeCameIn(self) -> None:
        self.patch(self.worker(1).service._contact, "_parent", Deaf(self.worker(1).service._contact._parent))
        self.announced(TWOS, newId())
        self.assertEqual(self.sessions(), [1, 0])

    def test_whatCannotBeSentIsLostAndSaid(self) -> None:
        """
        Once, and nothing is left of it.
        """
        channel = self.worker(1).raw
        send = channel.send

        def failing(message: object, descriptors: Any = ()) -> None:
            if descriptors:
                raise OSError(24, "no descriptor is left")
            send(message, descriptors)

        channel.send = failing  # type: ignore[method-assign]
        for _ in range(3):
            self.assertTrue(self.announced(TWOS, newId()).isClosed)
        words = f"a connection from {TWOS} could not be handed over: no descriptor is left"
        self.assertEqual([line for line in self.lines() if "handed over" in line], [words])
        self.assertEqual(self.strangers(), [0, 0])

    def test_aWorkerThatListensNowhereTakesNothing(self) -> None:
        """
        Since it stops; the client dials again.
        """
        self.worker(2).service._listeners.clear()
        self.assertTrue(self.announced(TWOS, newId()).isClosed)

    def test_healthChecksStayWhereTheyCome(self) -> None:
        """
        And nothing is said of them.
        """
        before = self.lines()
        client = self.connect(1, BALANCER)
        client.say(b"PROXY UNKNOWN\r\n")
        self.settle()
        self.assertEqual(self.strangers(), [1, 0])
        client.socket.shutdown(socket.SHUT_WR)
        self.settle()
        self.assertEqual((self.strangers(), self.lines()), ([0, 0], before))

    def test_whoComesStraightIsNotAsked(self) -> None:
        self.dial(2, newId(), ONES)
        self.assertEqual(self.sessions(), [0, 1])


class Deaf:
    """
    Is a parent that has much to read.
    """

    hasRoom = False

    def __init__(self, parent: Any) -> None:
        self.send = parent.send
