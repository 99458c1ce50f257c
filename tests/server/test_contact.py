"""
What a worker tells its parent of its sessions and connections.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from tests.doubles.channels import RecordingChannel
from tests.doubles.contracts import TimerTestCase
from tests.doubles.newcomers import MemoryNewcomer
from tests.doubles.streams import MemoryStream
from uotp.boundaries import Security
from uotp.errors import PeerError
from uotp.net.sockopts import TunnelSocketOptions
from uotp.server.joining import Decision, JoinAnswer, JoinQuestion
from uotp.server.workers.contact import MOST_ACTIVE, ParentContact
from uotp.server.workers.handed import handOver, securityOf, socketsOf
from uotp.server.workers.messages import (
    AnswerToJoin,
    AskToJoin,
    TakeOver,
    TellGone,
    TellSessionEnded,
    TellSessionLingers,
    TellSessionOpened,
    TellSessionsActive,
)
from uotp.server.workers.serverparent import takeOver
from uotp.server.workers.serverworker import MOST_RELAYS
from uotp.tunnel.accepted import AcceptedTunnel

ONE = bytes(range(16))
TWO = bytes(range(1, 17))
QUESTION = JoinQuestion(7, ONE, None, "192.0.2.1", isRelayed=False, isMovable=True, hops=2)


class SomeSession:
    """
    Is a session as its watcher sees it.
    """

    def __init__(self, sessionId: bytes, key: bytes | None = None, lastActive: float = 1.0) -> None:
        self.sessionId = sessionId
        self.owner = key
        self.holder = key or "192.0.2.1"
        self.lastActive = lastActive


class ContactTests(TimerTestCase):
    """
    Tell a parent that writes down what it hears.
    """

    def setUp(self) -> None:
        super().setUp()
        self.parent = RecordingChannel()
        self.contact: Any = ParentContact(self.parent, self.clock, TunnelSocketOptions(), MOST_RELAYS)

    def took(self) -> list[object]:
        """
        @return: what was told since this was asked last.
        """
        messages = self.parent.messages()
        self.parent.sent.clear()
        return messages

    def test_theLifeOfASessionIsTold(self) -> None:
        """
        With whose it is.
        """
        served = SomeSession(ONE, b"key")
        self.contact.sessionOpened(served)
        self.contact.sessionLingers(served)
        self.contact.sessionActive(served)
        self.contact.sessionEnded(served)
        expected = [
            TellSessionOpened(ONE, b"key", b"key"),
            TellSessionLingers(ONE),
            TellSessionsActive(((ONE, 1.0),)),
            TellSessionEnded(ONE),
        ]
        self.assertEqual(self.took(), expected)
        self.contact.sessionOpened(SomeSession(TWO))
        self.contact.abandoned(ONE)
        self.contact.gone(5)
        self.assertEqual(self.took(), [TellSessionOpened(TWO, None, "192.0.2.1"), TellSessionEnded(ONE), TellGone(5)])

    def test_thatSessionsCarryIsToldNowAndThen(self) -> None:
        """
        All of them together, each with its newest time, and once.
        """
        self.contact.sessionActive(SomeSession(ONE))
        self.contact.sessionActive(SomeSession(TWO, lastActive=2.0))
        self.contact.sessionActive(SomeSession(ONE, lastActive=3.0))
        self.assertEqual(self.took(), [])
        self.contact.tellActive()
        self.assertEqual(self.took(), [TellSessionsActive(((ONE, 3.0), (TWO, 2.0)))])
        self.contact.tellActive()
        self.assertEqual(self.took(), [])

    def test_thousandsAreToldInParts(self) -> None:
        for number in range(MOST_ACTIVE + 3):
            self.contact.sessionActive(SomeSession(number.to_bytes(16, "big")))
        self.contact.tellActive()
        self.assertEqual([len(each.sessions) for each in self.took()], [MOST_ACTIVE, 3])  # type: ignore[attr-defined]

    def test_thatASessionHasTunnelsAgainIsToldAtOnce(self) -> None:
        """
        It is not the next to go any more.  From then on it carries as others do.
        """
        served = SomeSession(ONE)
        self.contact.sessionLingers(served)
        self.took()
        self.contact.sessionActive(served)
        self.assertEqual(self.took(), [TellSessionsActive(((ONE, 1.0),))])
        self.contact.sessionActive(served)
        self.assertEqual(self.took(), [])

    def test_whatLingersOrHasEndedDoesNotCarry(self) -> None:
        """
        The parent would take it for used.
        """
        for end in (self.contact.sessionLingers, self.contact.sessionEnded):
            served = SomeSession(ONE)
            self.contact.sessionActive(served)
            end(served)
            self.took()
            self.contact.tellActive()
            self.assertEqual(self.took(), [])

    def test_aSessionThatHasEndedIsForgotten(self) -> None:
        """
        Also one that has lingered.
        """
        served = SomeSession(ONE)
        self.contact.sessionLingers(served)
        self.contact.sessionEnded(served)
        self.took()
        self.contact.sessionActive(SomeSession(ONE))
        self.assertEqual(self.took(), [])

    def test_eachQuestionIsAnsweredOnce(self) -> None:
        """
        In any order.
        """
        heard: list[JoinAnswer] = []
        for _ in range(2):
            self.contact.ask(QUESTION, heard.append)
        asked = [AskToJoin(7, ONE, None, "192.0.2.1", False, True, 2, number) for number in (1, 2)]
        self.assertEqual(self.took(), asked)
        self.contact.answered(AnswerToJoin(2, "elsewhere", 3, ""))
        self.contact.answered(AnswerToJoin(1, "refused", 0, "no room"))
        self.assertEqual(heard, [JoinAnswer(Decision.ELSEWHERE, 3), JoinAnswer(Decision.REFUSED, reason="no room")])
        for number in (1, 2, 3):
            self.assertRaises(PeerError, self.contact.answered, AnswerToJoin(number, "here", 0, ""))

    def test_whateverGoesWrongAConnectionIsNotLeftAlone(self) -> None:
        """
        Nobody else would end it.
        """
        tunnel: Any = AcceptedTunnel(self.clock, self.contact)
        tunnel.transport = MemoryStream(tunnel, isServer=True)
        self.patch(self.contact, "_give", lambda *_: 1 // 0)
        self.contact.handOver(tunnel, MemoryNewcomer(), QUESTION, 2)
        self.assertTrue(tunnel.transport.aborted)
        self.assertEqual(self.took(), [TellGone(7)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_nothingIsHandedOverWhileTheParentHasMuchToRead(self) -> None:
        """
        What waits for it has a bound, and beyond that the whole worker would end.  A client dials again.
        """
        self.parent.hasRoom = False
        with capturedLogs() as events:
            for _ in range(3):
                tunnel: Any = AcceptedTunnel(self.clock, self.contact)
                tunnel.transport = MemoryStream(tunnel, isServer=True)
                self.contact.handOver(tunnel, MemoryNewcomer(), QUESTION, 2)
                self.assertTrue(tunnel.transport.aborted)
        self.assertEqual(self.took(), [TellGone(7)] * 3)
        words = "a connection from 192.0.2.1 could not be handed over: its parent has much to read"
        self.assertEqual([formatEvent(event) for event in events], [words])

    def test_withoutRelaysAStopIsDoneAtOnce(self) -> None:
        self.successResultOf(self.contact.relays.stop())

    def test_theNextWorkerKnowsAllThatWasFoundOut(self) -> None:
        """
        And how often the connection was handed over, so that this has an end.
        """
        chain = ((b"issuer", b"key", 255), (b"root", b"", -1))
        for security, numbers in (
            (None, ()),
            (Security(b"uotp/2", b"pin", None, "leaf", chain), ((b"issuer", b"key", "ff"), (b"root", b"", "-1"))),
        ):
            tunnel: Any = AcceptedTunnel(self.clock, self.contact)
            tunnel.transport = MemoryStream(tunnel, isServer=True)
            tunnel.transport.security = security
            tunnel.shown = b"shown"
            newcomer = MemoryNewcomer("2001:db8::1")
            newcomer.hops = 1
            message = handOver(tunnel, newcomer, QUESTION, 3, isRelayed=security is not None)
            self.assertEqual((message.connection, message.worker, message.hops), (7, 3, 2))
            self.assertEqual((message.host, message.port, message.shown), ("2001:db8::1", 8443, b"shown"))
            self.assertEqual(message.chain, numbers)
            self.assertEqual(securityOf(takeOver(message)), security)

    def test_aPeerWithoutACertificateHasNone(self) -> None:
        facts = TakeOver("192.0.2.1", 1, 1, b"", True, "TLSv1.3", b"uotp/2", None, None, ())
        self.assertEqual(securityOf(facts), Security(b"uotp/2"))


class SocketTests(TimerTestCase):
    """
    Make sockets of descriptors that have come.
    """

    def test_allAreClosedWhenOneIsNone(self) -> None:
        """
        Once, since another one may have the number then.
        """
        for order in (1, -1):
            one, other = socket.socketpair()
            self.addCleanup(other.close)
            given = [one.detach(), os.open(os.devnull, os.O_RDONLY)][::order]
            self.assertRaises(OSError, socketsOf, given)
            for each in given:
                self.assertRaises(OSError, os.fstat, each)

    def test_theyDoNotBlock(self) -> None:
        one, other = socket.socketpair()
        self.addCleanup(other.close)
        (made,) = socketsOf([one.detach()])
        self.addCleanup(made.close)
        self.assertFalse(made.getblocking())
