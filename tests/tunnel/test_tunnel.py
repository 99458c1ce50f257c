"""
One tunnel, alone and against its other end, plain and over TLS.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.test.iosim import IOPump, connect
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.certificates import CLIENT
from tests.doubles.contracts import LinkContract, TimerTestCase
from tests.doubles.sessions import MemoryLink, RecordingSession
from tests.doubles.streams import TRANSPORT_BYTES, MemoryStream, streamOf, wrapInTls
from tests.doubles.tlspairs import GOOD, TRUSTED, TlsTestCase
from tests.doubles.tunnels import RecordingOwner
from uotp.boundaries import Link, Security
from uotp.order import Order, OrderMode
from uotp.path import TROUBLED
from uotp.process import Memory, Turns
from uotp.tls.pins import publicKeyPin
from uotp.train import Train, cut
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.dialled import NO_ANSWER, NO_HANDSHAKE, NOTHING_CAME, DialledTunnel
from uotp.tunnel.heartbeat import ACCEPTED_GIVE_UP_SECONDS, FIRST_PATIENCE_SECONDS, GIVE_UP_SECONDS
from uotp.tunnel.link import TunnelLink
from uotp.tunnel.link1 import Format1Link
from uotp.tunnel.link2 import Format2Link
from uotp.tunnel.states import TALKING
from uotp.tunnel.states import TunnelEvent as Event
from uotp.tunnel.states import TunnelState as State
from uotp.tunnel.tunnel import CLOSE_SECONDS, DRAIN_SECONDS, Tunnel
from uotp.wire.format1 import LENGTH_BYTES, Format1Codec
from uotp.wire.format2 import Kind, controlFrame
from uotp.wire.hello import ClientHello, ServerHello, Token, WireFormat, encodeClientHello, encodeServerHello
from uotp.wire.negotiation import WireChoice

HELLO = uuid.UUID(bytes=bytes(range(16)), version=4).bytes
TRAIN = Train(3, b"onetwo")
FRAMES = b"\0\3one\0\3two"

HELLO2 = b"uotp\2\0\0\0" + HELLO
WELCOME2 = b"uotp\2\0\0\0"
FRAMES2 = b"\0\0\0\3\0\6\0\0\0\0onetwo"
PING2 = b"\1\0\0\0\0\x08\0\0\0\0"
PONG2 = b"\2\0\0\0\0\x08\0\0\0\0"
DRAIN2 = b"\3" + bytes(9)
FIRST_PING = (1).to_bytes(8, "big")
BYE2 = b"\4" + bytes(9)
"""The same and more in format 2, without what pings and pongs carry."""

EXPECTED = {
    State.NEW: {Event.CONNECTED: State.HANDSHAKE, Event.DISCONNECTED: State.LOST},
    State.HANDSHAKE: {Event.SECURED: State.HELLO, Event.CLOSED: State.CLOSING, Event.DISCONNECTED: State.LOST},
    State.UPGRADING: {Event.UPGRADED: State.HELLO, Event.CLOSED: State.CLOSING, Event.DISCONNECTED: State.LOST},
    State.HELLO: {
        Event.ASKED: State.UPGRADING,
        Event.GREETED: State.OPEN,
        Event.CLOSED: State.CLOSING,
        Event.DISCONNECTED: State.LOST,
    },
    State.OPEN: {
        Event.DRAIN: State.DRAINING,
        Event.PEER_DRAINED: State.DRAINED,
        Event.CLOSED: State.CLOSING,
        Event.DISCONNECTED: State.LOST,
    },
    State.DRAINING: {Event.PEER_DRAINED: State.DRAINED, Event.CLOSED: State.CLOSING, Event.DISCONNECTED: State.LOST},
    State.DRAINED: {Event.CLOSED: State.CLOSING, Event.DISCONNECTED: State.LOST},
    State.CLOSING: {Event.DISCONNECTED: State.LOST},
    State.LOST: {},
}
"""What each event leads to, from each state; what is not here changes nothing."""


def done() -> Failure:
    """
    @return: an ordinary end of a connection.
    """
    return Failure(ConnectionDone())


def advance(tunnel: Tunnel, event: Event) -> None:
    """
    Let an event happen that only one kind of tunnel knows how to bring about.
    """
    tunnel._advance(event)


STEPS: dict[Event, Callable[[Tunnel], None]] = {
    Event.CONNECTED: lambda tunnel: tunnel.makeConnection(MemoryStream(tunnel, secured=True)),
    Event.SECURED: lambda tunnel: tunnel.handshakeCompleted(),
    Event.ASKED: lambda tunnel: advance(tunnel, Event.ASKED),
    Event.UPGRADED: lambda tunnel: advance(tunnel, Event.UPGRADED),
    Event.GREETED: lambda tunnel: tunnel.carryFor(RecordingSession()),
    Event.DRAIN: lambda tunnel: tunnel.drain() if tunnel.state in TALKING else None,
    Event.PEER_DRAINED: lambda tunnel: tunnel.peerDrained(),
    Event.CLOSED: lambda tunnel: tunnel.close(),
    Event.DISCONNECTED: lambda tunnel: tunnel.connectionLost(done()),
}
"""How each event comes about."""

WAYS: dict[State, tuple[Event, ...]] = {
    State.NEW: (),
    State.HANDSHAKE: (Event.CONNECTED,),
    State.UPGRADING: (Event.CONNECTED, Event.SECURED, Event.ASKED),
    State.HELLO: (Event.CONNECTED, Event.SECURED),
    State.OPEN: (Event.CONNECTED, Event.SECURED, Event.GREETED),
    State.DRAINING: (Event.CONNECTED, Event.SECURED, Event.GREETED, Event.DRAIN),
    State.DRAINED: (Event.CONNECTED, Event.SECURED, Event.GREETED, Event.PEER_DRAINED),
    State.CLOSING: (Event.CONNECTED, Event.SECURED, Event.GREETED, Event.CLOSED),
    State.LOST: (Event.CONNECTED, Event.SECURED, Event.GREETED, Event.DISCONNECTED),
}
"""How each state is reached."""


class _TunnelTestCase(TimerTestCase):
    """
    Has a lone tunnel.
    """

    def setUp(self) -> None:
        super().setUp()
        self.owner = RecordingOwner()
        self.session = RecordingSession()

    def dialled(self) -> DialledTunnel:
        return DialledTunnel(self.clock, self.owner, HELLO)

    def dialledInFormat2(self) -> DialledTunnel:
        return DialledTunnel(self.clock, self.owner, HELLO, WireChoice.TWO)

    def acceptedInFormat2(self) -> AcceptedTunnel:
        """
        @return: a server's tunnel, not connected, that knows what it is going to hear.
        """
        tunnel = self.accepted()
        tunnel.wireFormat = WireFormat.TWO
        return tunnel

    def accepted(self) -> AcceptedTunnel:
        return AcceptedTunnel(self.clock, self.owner)

    def openInFormat2(self) -> tuple[DialledTunnel, MemoryStream]:
        """
        @return: an open tunnel of format 2 whose session is ours, with all sent that it has to say at first.
        """
        self.owner.session = self.session
        tunnel = self.dialledInFormat2()
        transport = self.connect(tunnel)
        self.assertEqual(transport.getOutBuffer(), HELLO2)
        tunnel.dataReceived(WELCOME2)
        self.assertEqual(transport.getOutBuffer(), PING2 + FIRST_PING)
        return tunnel, transport

    def connect(self, tunnel: Tunnel, *, secured: bool = False) -> MemoryStream:
        """
        Connect a tunnel; it is lost at the end of the test.
        """
        transport = MemoryStream(tunnel, secured=secured)
        tunnel.makeConnection(transport)
        self.addCleanup(transport.lose)
        return transport

    def open(self) -> tuple[DialledTunnel, MemoryStream]:
        """
        @return: an open tunnel whose session is ours, with its hello sent.
        """
        tunnel = self.dialled()
        transport = self.connect(tunnel)
        tunnel.carryFor(self.session)
        self.assertEqual(transport.getOutBuffer(), HELLO)
        return tunnel, transport


def linkOf(tunnel: Tunnel) -> TunnelLink:
    """
    @return: the link of a tunnel that is, or was, open.
    """
    assert tunnel.link is not None
    return tunnel.link


class TunnelLifeTests(_TunnelTestCase):
    """
    Bring a tunnel into each state of its life, and let each event happen there.
    """

    def test_everyEventInEveryStateLeadsWhereTheTableSays(self) -> None:
        """
        At both ends; an event that comes out of turn changes nothing.
        """
        for make in (self.dialledInFormat2, self.acceptedInFormat2):
            for state in State:
                for event in Event:
                    tunnel = make()
                    for step in WAYS[state]:
                        STEPS[step](tunnel)
                    self.assertIs(tunnel.state, state)
                    STEPS[event](tunnel)
                    expected = EXPECTED[state].get(event, state)
                    self.assertEqual((state, event, tunnel.state), (state, event, expected))
                    if tunnel.state is not State.LOST:
                        tunnel.connectionLost(done())
        self.assertNoTimer()

    def test_clientSaysItsIdOnceTheHandshakeIsDone(self) -> None:
        tunnel = self.dialled()
        transport = self.connect(tunnel, secured=True)
        self.assertEqual((transport.stream, self.owner.opened), ([], []))
        tunnel.handshakeCompleted()
        self.assertEqual((transport.stream, self.owner.opened), ([HELLO], [tunnel]))

    def test_plainTcpIsReadyAtOnce(self) -> None:
        tunnel = self.dialled()
        transport = self.connect(tunnel)
        self.assertEqual((transport.stream, self.owner.opened), ([HELLO], [tunnel]))
        self.assertIsNone(tunnel.security)

    def test_serverSaysNothingOnItsOwn(self) -> None:
        transport = self.connect(self.accepted())
        self.assertEqual((transport.stream, self.owner.opened, self.owner.hellos), ([], [], []))

    def test_openTunnelIsOfferedToItsSession(self) -> None:
        self.open()
        self.assertEqual(self.session.says, ["free"])

    def test_linkSpeaksTheFormatOfTheHello(self) -> None:
        self.assertIsInstance(self.open()[0].link, Format1Link)
        self.assertIsInstance(self.openInFormat2()[0].link, Format2Link)

    def test_openTunnelChangesItsSessionForNobody(self) -> None:
        tunnel, _ = self.open()
        other = RecordingSession()
        tunnel.carryFor(other)
        tunnel.dataReceived(FRAMES)
        self.assertEqual((other.says, other.trains, self.session.trains), ([], [], [TRAIN]))

    def test_handshakeThatEndsTooLateOpensNothing(self) -> None:
        """
        The tunnel was closed meanwhile: it says no id, and its owner hears nothing.
        """
        for end in (Tunnel.close, Tunnel.abort):
            tunnel = self.dialled()
            transport = self.connect(tunnel, secured=True)
            end(tunnel)
            tunnel.handshakeCompleted()
            self.assertEqual((transport.stream, self.owner.opened), ([], []))

    def test_abortEndsEveryConnection(self) -> None:
        for state in (State.HANDSHAKE, State.HELLO, State.OPEN, State.CLOSING):
            tunnel = self.dialled()
            for step in WAYS[state]:
                STEPS[step](tunnel)
            tunnel.abort()
            self.assertEqual((state, tunnel.state, streamOf(tunnel).aborted), (state, State.CLOSING, True))
            streamOf(tunnel).lose()

    def test_abortWithoutAConnectionDoesNothing(self) -> None:
        for state in (State.NEW, State.LOST):
            tunnel = self.dialled()
            for step in WAYS[state]:
                STEPS[step](tunnel)
            tunnel.abort()
            self.assertEqual((state, tunnel.state), (state, state))

    def test_ownerHearsOfEveryLoss(self) -> None:
        for state in State:
            if state in (State.LOST, State.NEW):
                continue
            owner = self.owner = RecordingOwner()
            tunnel = self.dialled()
            for step in WAYS[state]:
                STEPS[step](tunnel)
            reason = done()
            tunnel.connectionLost(reason)
            self.assertEqual(owner.lost, [(tunnel, reason)])

    def test_lostTunnelIsFreeNoMore(self) -> None:
        said: list[list[str]] = []
        tunnel, transport = self.open()
        self.patch(self.owner, "tunnelLost", lambda *_: said.append(list(self.session.says)))
        transport.lose()
        self.assertEqual(said, [["free", "gone"]])
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        self.assertEqual(transport.stream, [])


class TunnelCloseTests(_TunnelTestCase):
    """
    End a tunnel.
    """

    def test_closeSendsWhatIsWritten(self) -> None:
        tunnel, transport = self.open()
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        tunnel.close()
        self.assertEqual(transport.getOutBuffer(), FRAMES)
        self.assertTrue(transport.disconnecting)
        self.assertFalse(transport.aborted)

    def test_closeDoesNotWaitForASilentPeer(self) -> None:
        tunnel, transport = self.open()
        tunnel.close()
        self.clock.advance(CLOSE_SECONDS - 0.01)
        self.assertFalse(transport.aborted)
        self.clock.advance(0.02)
        self.assertTrue(transport.aborted)
        self.assertLessEqual(CLOSE_SECONDS, 1.5)

    def test_closeThatIsAnsweredLeavesNoTimer(self) -> None:
        tunnel, transport = self.open()
        tunnel.close()
        transport.lose()
        self.assertNoTimer()
        self.assertFalse(transport.aborted)

    def test_closedTunnelTakesNothingAndDeliversNothing(self) -> None:
        for end in (Tunnel.close, Tunnel.abort):
            session = self.session = RecordingSession()
            tunnel, transport = self.open()
            end(tunnel)
            linkOf(tunnel).send([TRAIN], self.clock.seconds())
            tunnel.dataReceived(FRAMES)
            tunnel.resumeProducing()
            self.assertEqual((session.says, session.trains), (["free", "gone"], []))
            self.assertEqual(transport.stream, [])

    def test_lostTunnelDeliversNothing(self) -> None:
        tunnel, transport = self.open()
        tunnel.pauseProducing()
        transport.lose()
        self.session.says.clear()
        tunnel.dataReceived(FRAMES)
        tunnel.resumeProducing()
        self.assertNoTimer()
        self.assertEqual((self.session.says, self.session.trains), ([], []))

    def test_trainsThatEndTheTunnelAreTheLastOnes(self) -> None:
        tunnel, _ = self.open()
        received: list[Train] = []

        def closeUpon(trains: list[Train], _: float) -> None:
            received.extend(trains)
            tunnel.close()

        self.patch(self.session, "unnumbered", closeUpon)
        tunnel.dataReceived(b"\0\1a\0\2bb")
        tunnel.dataReceived(b"\0\3ccc")
        self.assertEqual(received, [Train(1, b"a"), Train(2, b"bb")])

    def test_tunnelThatIsNotOpenSendsNothing(self) -> None:
        """
        A datagram before the hello would be taken for it.
        """
        tunnel = self.dialled()
        transport = self.connect(tunnel, secured=True)
        self.assertIsNone(tunnel.link)
        tunnel.handshakeCompleted()
        self.assertIsNone(tunnel.link, "there is nothing that could send")
        self.assertEqual(transport.stream, [HELLO])

    def test_faultOfThePeerCostsTheTunnelAndSaysWhy(self) -> None:
        """
        Its owner finds the words when the tunnel is lost.
        """
        tunnel, transport = self.openInFormat2()
        tunnel.dataReceived(FRAMES2)
        self.assertIsNone(tunnel.fault)
        tunnel.dataReceived(b"\x7f" + bytes(9) + FRAMES2)
        tunnel.dataReceived(FRAMES2)
        self.assertTrue(transport.aborted)
        self.assertEqual(tunnel.fault, "a frame of kind 127, which there is not")
        self.assertEqual(self.session.trains, [TRAIN])

    def test_ownFaultsAreNotHidden(self) -> None:
        """
        Only what the peer did is its fault.
        """
        tunnel, _ = self.open()
        self.patch(self.session, "unnumbered", lambda *_: 1 // 0)
        self.assertRaises(ZeroDivisionError, tunnel.dataReceived, FRAMES)
        self.assertIsNone(tunnel.fault)


class TunnelBackPressureTests(_TunnelTestCase):
    """
    Fill a tunnel until it takes no more.
    """

    def test_transportThatIsFullMakesTheTunnelFull(self) -> None:
        tunnel, _ = self.open()
        self.clock.advance(3)
        tunnel.pauseProducing()
        tunnel.pauseProducing()
        self.assertEqual((self.session.says, tunnel.fullSince), (["free", "full"], 3))
        self.clock.advance(2)
        tunnel.pauseProducing()
        self.assertEqual(tunnel.fullSince, 3)
        tunnel.resumeProducing()
        self.assertEqual((self.session.says, tunnel.fullSince), (["free", "full", "free"], None))

    def test_tunnelThatOpensOnAFullTransportWaits(self) -> None:
        tunnel = self.dialled()
        self.connect(tunnel)
        tunnel.pauseProducing()
        tunnel.carryFor(self.session)
        self.assertEqual(self.session.says, [])
        tunnel.resumeProducing()
        self.assertEqual(self.session.says, ["free"])

    def test_whatAStreamHoldsCountsInTheMemoryOfItsOwner(self) -> None:
        """
        Where there is none left, the tunnel that has been full for longest is lost, and no others.
        """
        memory = Memory(8 * TRANSPORT_BYTES)
        turns = Turns(self.clock, memory)
        opened = []
        for _ in range(12):
            self.session = RecordingSession()
            self.session.allowance = turns.allowanceOf("somebody")
            opened.append(self.open())
            tunnel, transport = opened[-1]
            transport.stalled = True
            while tunnel.fullSince is None:
                linkOf(tunnel).send([Train(1000, bytes(60000))], self.clock.seconds())
        self.assertGreater(memory.used, memory.bytes)
        for _ in range(3):
            self.clock.advance(0)
        faults = [tunnel.fault for tunnel, _ in opened]
        lost = sum(fault is not None for fault in faults)
        self.assertIn("no memory is left", faults[0] or "")
        self.assertEqual(faults[lost:], [None] * (12 - lost))
        held = sum(transport.queuedBytes() for _, transport in opened[lost:])
        self.assertEqual(memory.used, held)
        self.assertLessEqual(held, memory.bytes * 2 // 3)
        self.assertGreater(held, memory.bytes // 2)
        for _, transport in opened[lost:]:
            transport.stalled = False
            transport.getOutBuffer()
        self.assertEqual(memory.used, 0)

    def test_tunnelThatIsLostHoldsNothing(self) -> None:
        memory = Memory()
        self.session.allowance = Turns(self.clock, memory).allowanceOf("somebody")
        tunnel, transport = self.open()
        transport.stalled = True
        for _ in range(2):
            linkOf(tunnel).send([Train(1000, bytes(60000))], self.clock.seconds())
        self.assertEqual(memory.used, transport.queuedBytes())
        self.assertGreater(memory.used, 0)
        transport.lose()
        self.assertEqual(memory.used, 0)

    def test_trainsThatAreSentTogetherAreOneWrite(self) -> None:
        """
        One record of TLS and one system call, where they fit.
        """
        tunnel, transport = self.open()
        linkOf(tunnel).send([TRAIN, Train(0, b""), Train(2, b"ab")], self.clock.seconds())
        self.assertEqual(transport.stream, [FRAMES + b"\0\0" + b"\0\2ab"])

    def test_tunnelCostsWhatItsConnectionCosts(self) -> None:
        """
        What the kernel has not sent, and what it has to send again.
        """
        tunnel, transport = self.open()
        self.assertEqual(linkOf(tunnel).cost(), 0)
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        self.assertEqual(linkOf(tunnel).cost(), len(FRAMES))
        transport.troubled = True
        self.assertGreaterEqual(linkOf(tunnel).cost(), TROUBLED)

    def test_fullTunnelIsFreeAgainWithTheLastByteThatWaited(self) -> None:
        tunnel, transport = self.open()
        transport.stalled = True
        while self.session.says[-1] == "free":
            linkOf(tunnel).send([Train(1000, bytes(1000))], self.clock.seconds())
        self.assertLessEqual(transport.held, TRANSPORT_BYTES + 1000 + LENGTH_BYTES)
        self.clock.advance(5)
        self.assertEqual(self.session.says, ["free", "full"])
        transport.stalled = False
        transport.getOutBuffer()
        self.assertEqual(self.session.says, ["free", "full", "free"])


class HelloTests(_TunnelTestCase):
    """
    Bring a server's tunnel to its session.
    """

    def test_idIsFoundWhereverTheBytesAreCut(self) -> None:
        stream = HELLO + FRAMES
        for first in range(len(stream)):
            for second in (first, (first + len(stream)) // 2, len(stream)):
                self.session = RecordingSession()
                self.owner = RecordingOwner(self.session)
                tunnel = self.accepted()
                transport = self.connect(tunnel)
                for piece in (stream[:first], stream[first:second], stream[second:]):
                    if piece:
                        tunnel.dataReceived(piece)
                self.assertEqual(self.owner.hellos, [ClientHello(WireFormat.ONE, HELLO)])
                self.assertEqual(self.session.datagrams(), [b"one", b"two"])
                transport.lose()

    def test_idByteByByte(self) -> None:
        self.owner.session = self.session
        tunnel = self.accepted()
        self.connect(tunnel)
        self.assertFalse(tunnel.heard)
        for number in range(16):
            self.assertEqual(self.owner.hellos, [])
            tunnel.dataReceived(HELLO[number : number + 1])
            self.assertTrue(tunnel.heard)
        self.assertEqual((self.owner.hellos, self.session.says), ([ClientHello(WireFormat.ONE, HELLO)], ["free"]))

    def test_refusedTunnelDeliversNothing(self) -> None:
        """
        Frames that came with the id are for nobody.
        """
        tunnel = self.accepted()
        transport = self.connect(tunnel)
        self.patch(self.owner, "helloReceived", lambda tunnel, _: tunnel.abort())
        tunnel.dataReceived(HELLO + FRAMES)
        tunnel.dataReceived(FRAMES)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.session.trains, [])

    def test_clientThatSpeaksTlsIsToldThatThereIsNone(self) -> None:
        """
        By a refusal in plain bytes, which it can tell from TLS.
        """
        tunnel = self.accepted()
        transport = self.connect(tunnel)
        tunnel.dataReceived(b"\x16\x03\x01\x05\xc2\x01\x00\x05\xbe\x03\x03" + bytes(500))
        self.assertEqual(transport.getOutBuffer(), encodeServerHello(ServerHello(welcome=False)))
        self.assertEqual((transport.disconnecting, transport.aborted), (True, False))
        self.assertIn("it speaks TLS", str(tunnel.fault))

    def test_lateIdIsNotHeard(self) -> None:
        """
        Once the tunnel closes, nobody is asked about it.
        """
        for end in (Tunnel.close, Tunnel.abort):
            tunnel = self.accepted()
            self.connect(tunnel)
            tunnel.dataReceived(HELLO[:8])
            end(tunnel)
            tunnel.dataReceived(HELLO[8:])
            self.assertEqual(self.owner.hellos, [])

    def test_clientHearsItsServer(self) -> None:
        tunnel, _ = self.open()
        self.assertFalse(tunnel.heard)
        tunnel.dataReceived(b"\0")
        self.assertTrue(tunnel.heard)


class WrongServerTests(_TunnelTestCase):
    """
    Dial what is no uotp server, or one that does not want us, and say what may be wrong.
    """

    TLS = "it speaks TLS, and tls=None was said here: say that at both ends or at none"
    HTTP = "it answers in HTTP: an HTTP server is there, not uotp, or a portal or proxy on the way"
    NOTHING_TO_SHOW = "; or the server wants a token (tokenFile), and we have none"

    def test_aTokenIsShownInFormat2Alone(self) -> None:
        """
        Where the other end speaks only format 1, nothing is said to it, not even the session's id.
        """
        token = Token(b"correct horse battery")
        tunnel = DialledTunnel(self.clock, self.owner, HELLO, WireChoice.TWO, token=token)
        tunnel.makeConnection(MemoryStream(tunnel))
        self.assertEqual(b"".join(streamOf(tunnel).stream), b"uotp\2\0\0\x18" + HELLO + b"\4\0\x15" + token)
        tunnel.connectionLost(done())
        tunnel = DialledTunnel(self.clock, self.owner, HELLO, token=token)
        tunnel.makeConnection(MemoryStream(tunnel))
        self.assertEqual((streamOf(tunnel).stream, streamOf(tunnel).aborted), ([], True))
        self.assertIn("it speaks only format 1, in which no token can be shown", str(tunnel.fault))
        self.assertEqual(self.owner.opened, [])
        tunnel.connectionLost(done())

    def test_whatIsSaidInPlaceOfFormat1IsTold(self) -> None:
        """
        When it ends, and not before: a datagram may begin like that.
        """
        for answer, words in (
            (b"", f"closed by the other end {NOTHING_CAME}"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", self.HTTP),
            (b"SSH-2.0-OpenSSH_9.9\r\n", "it speaks SSH"),
            (b"220 mail.test ESMTP\r\n", "it speaks SMTP or FTP"),
            (b"\x15\x03\x01\0\x02\x02\x46", self.TLS),
            (b"\0\4pong", None),
            (b"\x15\x03" + bytes(0x1503), None),
        ):
            tunnel, transport = self.open()
            if answer:
                tunnel.dataReceived(answer)
            self.assertIsNone(tunnel.fault)
            transport.lose()
            self.assertEqual(tunnel.fault, words)

    def test_whatIsSaidInPlaceOfFormat2IsTold(self) -> None:
        for answer, words in (
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", f"it does not answer in format 2: {self.HTTP}{self.NOTHING_TO_SHOW}"),
            (b"\x15\x03\x03\0\x02\x02\x46", f"it does not answer in format 2: {self.TLS}"),
            (b"what?", "it does not answer in format 2"),
        ):
            tunnel = self.dialledInFormat2()
            transport = self.connect(tunnel)
            tunnel.dataReceived(answer)
            self.assertEqual((tunnel.fault, transport.aborted), (words, True))

    def test_earlyEndIsToldByWhatWasMissing(self) -> None:
        tunnel = self.dialled()
        self.connect(tunnel, secured=True).lose()
        self.assertEqual(tunnel.fault, f"closed by the other end {NO_HANDSHAKE} (or was tls=None said there?)")
        tunnel = self.dialledInFormat2()
        self.connect(tunnel).lose()
        self.assertEqual(tunnel.fault, f"closed by the other end {NO_ANSWER}")

    def test_serverThatDoesNotKnowOurTokenMayLookLikeAWebServer(self) -> None:
        """
        It answers as one, or closes as one does, since it is one for whoever it does not know.
        """
        token = Token(b"correct horse battery")
        for isClosed in (False, True):
            tunnel = DialledTunnel(self.clock, self.owner, HELLO, token=token)
            transport = MemoryStream(tunnel)
            transport.security = Security(b"http/1.1")
            tunnel.makeConnection(transport)
            tunnel.handshakeCompleted()
            if isClosed:
                transport.lose()
                expected = f"closed by the other end {NO_ANSWER}, but a web server"
            else:
                tunnel.dataReceived(b"HTTP/1.1 404 Not Found\r\n\r\n")
                expected = f"it does not answer in format 2: {self.HTTP}"
            self.assertEqual(tunnel.fault, f"{expected}; or the server does not know our token (tokenFile)")
            self.assertNotIn("correct horse", str(tunnel.fault))

    def test_wordsOfTlsCountMore(self) -> None:
        tunnel = self.dialled()
        transport = self.connect(tunnel, secured=True)
        transport.security = Security(refusal="unknown issuer")
        transport.lose()
        self.assertIsNone(tunnel.fault)

    def test_whatWeEndOurselvesIsNobodysFault(self) -> None:
        for end in (Tunnel.close, Tunnel.abort):
            tunnel, transport = self.open()
            end(tunnel)
            transport.settle()
            self.assertEqual((tunnel.fault, tunnel.state), (None, State.LOST))


class MemoryLinkTests(LinkContract, SynchronousTestCase):
    """
    The twin holds what a link holds.
    """

    def makeTunnel(self) -> MemoryLink:
        """
        The twin is both.
        """
        return MemoryLink()

    def linkOf(self, tunnel: MemoryLink) -> Link:
        return tunnel

    def sentBy(self, tunnel: MemoryLink) -> list[bytes]:
        return [datagram for train in tunnel.sent for datagram in cut(train)]


class TunnelLinkTests(LinkContract, _TunnelTestCase):
    """
    Hold the real one to the contract.
    """

    def makeTunnel(self) -> Tunnel:
        """
        One that has been connected.
        """
        tunnel = self.dialled()
        self.connect(tunnel).getOutBuffer()
        return tunnel

    def linkOf(self, tunnel: Tunnel) -> Link:
        return linkOf(tunnel)

    def sentBy(self, tunnel: Tunnel) -> list[bytes]:
        """
        What its transport holds.
        """
        stream: bytes = streamOf(tunnel).getOutBuffer() or b""
        return [datagram for train in Format1Codec().decode(stream) for datagram in cut(train)]


@dataclass
class Ends:
    """
    Holds both ends of a tunnel, and all that is around them.
    """

    client: Tunnel
    server: Tunnel
    pump: IOPump
    here: RecordingSession
    there: RecordingSession
    clientOwner: RecordingOwner
    serverOwner: RecordingOwner

    def flush(self) -> None:
        while self.pump.flush():
            pass


def meet(clock: Clock, server: Any = None, client: Any = None) -> Ends:
    """
    Bring a client's and a server's tunnel together.

    @param server: what makes the server's TLS connection; L{None} for plain TCP.
    @param client: the same for the client.
    @return: both, before anything was said.
    """
    here, there = RecordingSession(), RecordingSession()
    clientOwner, serverOwner = RecordingOwner(here), RecordingOwner(there)
    dialled = DialledTunnel(clock, clientOwner, HELLO)
    accepted = AcceptedTunnel(clock, serverOwner)

    outer = accepted if server is None else wrapInTls(server, accepted, clock)
    inner = dialled if client is None else wrapInTls(client, dialled, clock, isClient=True)
    pump = connect(outer, MemoryStream(outer, isServer=True), inner, MemoryStream(inner), clock=clock, greet=False)
    return Ends(dialled, accepted, pump, here, there, clientOwner, serverOwner)


class PlainEndsTests(TimerTestCase):
    """
    Set both ends against each other over plain TCP.
    """

    def meet(self) -> Ends:
        """
        @return: two ends that know each other; lost at the end of the test.
        """
        ends = self.introduce()
        ends.flush()
        self.addCleanup(self.part, ends)
        return ends

    def introduce(self) -> Ends:
        return meet(self.clock)

    def part(self, ends: Ends) -> None:
        """
        Let both be lost.
        """
        ends.client.abort()
        ends.server.abort()
        ends.flush()

    def test_bothSessionsFindTheTunnelFree(self) -> None:
        ends = self.meet()
        self.assertEqual((ends.here.says, ends.there.says), (["free"], ["free"]))
        self.assertEqual([hello.sessionId for hello in ends.serverOwner.hellos], [HELLO])

    def test_trainsOfManySizesArriveWholeAndInOrder(self) -> None:
        ends = self.meet()
        sizes = [0, 1, 2, 255, 256, 1400, 8192, 16383, 16384, 16385, 32768, 65507, 0, 7]
        sent = [Train(size, bytes([number + 1]) * size) for number, size in enumerate(sizes)]
        sent.append(Train(1000, bytes(range(250)) * 20 + b"the last, shorter"))
        for train in sent:
            linkOf(ends.client).send([train], self.clock.seconds())
            linkOf(ends.server).send([train], self.clock.seconds())
            ends.flush()
        expected = [datagram for train in sent for datagram in cut(train)]
        self.assertEqual(ends.there.datagrams(), expected)
        self.assertEqual(ends.here.datagrams(), expected)

    def test_manyTrainsInOneTurnArriveTheSame(self) -> None:
        ends = self.meet()
        sent = [Train(700, bytes([number % 256]) * 1400) for number in range(80)]
        for train in sent:
            linkOf(ends.client).send([train], self.clock.seconds())
        ends.flush()
        self.assertEqual(ends.there.datagrams(), [datagram for train in sent for datagram in cut(train)])
        self.assertEqual(ends.here.says[-1], "free")

    def test_peerThatStopsToReadMakesTheTunnelFull(self) -> None:
        ends = self.meet()
        ends.pump.clientIO.stalled = True
        sent = 0
        while ends.here.says[-1] == "free":
            self.assertLess(sent, 1000)
            for _ in range(10):
                linkOf(ends.client).send([Train(1400, bytes(1400))], self.clock.seconds())
            sent += 10
            self.clock.advance(0)
        self.clock.advance(5)
        self.assertEqual(ends.here.says[-1], "full")
        self.assertIsNotNone(ends.client.fullSince)
        ends.pump.clientIO.stalled = False
        ends.flush()
        self.assertEqual(ends.here.says[-1], "free")
        self.assertIsNone(ends.client.fullSince)
        self.assertEqual(len(ends.there.datagrams()), sent)

    def test_closeDeliversWhatWasSentAndEndsBothSides(self) -> None:
        ends = self.meet()
        linkOf(ends.client).send([TRAIN], self.clock.seconds())
        ends.client.close()
        ends.flush()
        self.assertEqual(ends.there.trains, [TRAIN])
        self.assertEqual([len(owner.lost) for owner in (ends.clientOwner, ends.serverOwner)], [1, 1])
        self.assertNoTimer()

    def test_closeOfAStalledTunnelIsAnAbortInTheEnd(self) -> None:
        """
        A peer that reads nothing and answers nothing delays nobody for long.
        """
        ends = self.meet()
        ends.pump.clientIO.stalled = True
        linkOf(ends.client).send([Train(1400, bytes(1400))], self.clock.seconds())
        ends.client.close()
        ends.pump.flush()
        self.assertEqual(ends.clientOwner.lost, [])
        self.clock.advance(CLOSE_SECONDS)
        ends.flush()
        self.assertEqual(len(ends.clientOwner.lost), 1)

    def test_abortEndsBothSides(self) -> None:
        ends = self.meet()
        ends.server.abort()
        ends.flush()
        self.assertEqual([len(owner.lost) for owner in (ends.clientOwner, ends.serverOwner)], [1, 1])
        self.assertEqual((ends.here.says[-1], ends.there.says[-1]), ("gone", "gone"))


class TlsEndsTests(PlainEndsTests, TlsTestCase):
    """
    Do the same over TLS.
    """

    def introduce(self) -> Ends:
        """
        With a certificate that the client trusts.
        """
        return meet(self.clock, self.server(), self.client())

    def test_nothingIsReadyBeforeTheHandshake(self) -> None:
        """
        A connection is not yet a tunnel, at either end.
        """
        ends = self.introduce()
        self.assertEqual((ends.clientOwner.opened, ends.here.says, ends.there.says), ([], [], []))
        ends.flush()
        self.assertEqual((ends.here.says, ends.there.says), (["free"], ["free"]))
        self.part(ends)

    def test_whatTlsHasFoundOutIsKnown(self) -> None:
        ends = self.meet()
        self.assertEqual(
            ends.client.security,
            Security(b"http/1.1", publicKeyPin(GOOD.certificate), peerChain=GOOD.known(TRUSTED.certificate)),
        )
        self.assertEqual(ends.server.security, Security(b"http/1.1", None))

    def test_clientThatLacksACertificateOpensButIsNotHeard(self) -> None:
        """
        With TLS 1.3 the client's handshake ends before the server's refusal: that
        tunnel has heard nothing, and so has proved nothing.
        """
        ends = meet(self.clock, self.server(clientsFrom=TRUSTED), self.client())
        ends.flush()
        self.assertEqual((ends.serverOwner.hellos, ends.there.says), ([], []))
        self.assertEqual(len(ends.clientOwner.lost), 1)
        self.assertFalse(ends.client.heard)

    def test_clientWithACertificateIsHeard(self) -> None:
        shows = TRUSTED.issue(usages=CLIENT)
        ends = meet(self.clock, self.server(clientsFrom=TRUSTED), self.client(shows=shows))
        ends.flush()
        self.assertEqual([hello.sessionId for hello in ends.serverOwner.hellos], [HELLO])
        linkOf(ends.server).send([TRAIN], self.clock.seconds())
        ends.flush()
        self.assertTrue(ends.client.heard)
        self.part(ends)

    def test_serverThatIsNotTrustedIsToldNothing(self) -> None:
        ends = meet(self.clock, self.server(), self.client("elsewhere.test"))
        ends.flush()
        self.assertEqual((ends.clientOwner.opened, ends.serverOwner.hellos), ([], []))
        self.assertEqual(len(ends.clientOwner.lost), 1)


class Format2Tests(_TunnelTestCase):
    """
    See what is more in format 2: an answer to the hello, life, and an end with nothing lost.
    """

    def accept(self) -> tuple[AcceptedTunnel, MemoryStream]:
        """
        @return: a server's tunnel of format 2 that is open, with all sent that it has to say at first.
        """
        self.owner.session = self.session
        tunnel = self.accepted()
        transport = self.connect(tunnel)
        tunnel.dataReceived(HELLO2)
        transport.getOutBuffer()
        return tunnel, transport

    def test_clientIsReadyWhenItIsWelcome(self) -> None:
        self.owner.session = self.session
        tunnel = self.dialledInFormat2()
        self.connect(tunnel)
        for byte in WELCOME2[:-1]:
            tunnel.dataReceived(bytes([byte]))
        self.assertEqual((self.owner.opened, self.session.says), ([], []))
        tunnel.dataReceived(WELCOME2[-1:] + FRAMES2)
        self.assertEqual((self.owner.opened, self.session.says), ([tunnel], ["free"]))
        self.assertEqual((self.session.trains, self.session.numbers), ([TRAIN], [0]))

    def test_clientThatIsRefusedSaysSo(self) -> None:
        tunnel = self.dialledInFormat2()
        transport = self.connect(tunnel)
        tunnel.dataReceived(b"uotp\2\1\0\0" + FRAMES2)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.owner.opened, [])
        self.assertIn("refuses", str(tunnel.fault))

    def test_orderIsAskedForInFormat2(self) -> None:
        """
        In format 1 there is no word for it.
        """
        for wire, hello in ((WireChoice.TWO, b"uotp\2\0\0\4" + HELLO + b"\3\0\1\2"), (WireChoice.ONE, HELLO)):
            tunnel = DialledTunnel(self.clock, self.owner, HELLO, wire, Order(OrderMode.OFF))
            self.assertEqual(self.connect(tunnel).getOutBuffer(), hello)

    def test_whoDoesNotAnswerInFormat2IsFound(self) -> None:
        tunnel = self.dialledInFormat2()
        transport = self.connect(tunnel)
        tunnel.dataReceived(b"\0")
        self.assertTrue(transport.aborted)
        self.assertEqual(tunnel.fault, "it does not answer in format 2")

    def test_serverAcknowledgesAtOnceWhereTheClientAsksForThat(self) -> None:
        for quickAcks in (True, False):
            tunnel = self.accepted()
            stream = self.connect(tunnel)
            tunnel.dataReceived(encodeClientHello(ClientHello(WireFormat.TWO, HELLO, quickAcks=quickAcks)))
            tunnel.welcome(self.session, isNew=True, keptSeconds=150)
            tunnel.dataReceived(controlFrame(Kind.PADDING))
            self.assertEqual(stream.acknowledges, int(quickAcks))

    def test_serverWelcomesWithWhatItKnows(self) -> None:
        """
        Whether the session is new, and for how long it is kept.
        """
        tunnel = self.accepted()
        transport = self.connect(tunnel)
        tunnel.dataReceived(HELLO2)
        self.assertEqual(self.owner.hellos, [ClientHello(WireFormat.TWO, HELLO)])
        self.assertEqual(transport.stream, [])
        tunnel.welcome(self.session, isNew=False, keptSeconds=150.5)
        welcome = b"uotp\2\0\0\x0b" + b"\1\0\1\1" + b"\2\0\4\0\0\0\x96"
        self.assertEqual(transport.getOutBuffer(), welcome + PING2 + FIRST_PING)

    def test_serverRefusesWithoutSayingWhy(self) -> None:
        tunnel = self.accepted()
        transport = self.connect(tunnel)
        tunnel.dataReceived(HELLO2)
        tunnel.refuse()
        self.assertEqual((transport.aborted, transport.disconnecting), (False, True))
        self.assertEqual(transport.stream, [b"uotp\2\1\0\0"])
        self.clock.advance(CLOSE_SECONDS)
        self.assertTrue(transport.aborted)

    def test_whatWasShownIsKeptUntilItIsDecided(self) -> None:
        """
        And no longer: a client that is refused costs no memory while it is told so.
        """
        for isWelcome in (True, False):
            tunnel = AcceptedTunnel(self.clock, self.owner)
            self.connect(tunnel)
            tunnel.dataReceived(HELLO2[:5])
            tunnel.dataReceived(HELLO2[5:] + FRAMES2)
            self.assertEqual((tunnel.shown, tunnel._rest), (HELLO2 + FRAMES2, FRAMES2))
            if isWelcome:
                tunnel.welcome(self.session, isNew=True, keptSeconds=0)
            else:
                tunnel.refuse()
                tunnel.dataReceived(FRAMES2)
            self.assertEqual((tunnel.shown, tunnel._rest), (b"", b""))
            tunnel.abort()

    def test_sessionMayFillTheTunnelAtOnce(self) -> None:
        class Eager(RecordingSession):
            """
            Sends when it may.
            """

            def linkFree(self, link: Link) -> None:
                super().linkFree(link)
                link.send([Train(60000, bytes(60000))] * 2, 0.0)

        self.session = Eager()
        says = self.session.says
        tunnel = self.dialled()
        transport = self.connect(tunnel)
        tunnel.carryFor(self.session)
        self.assertEqual(says, ["free", "full"])
        transport.getOutBuffer()
        self.assertEqual(says, ["free", "full", "free", "full"])

    def test_tunnelThatWhatItOwesFillsIsNotFree(self) -> None:
        tunnel, transport = self.accept()
        tunnel.pauseProducing()
        tunnel.dataReceived(PING2 + b"whatever")
        self.assertEqual(transport.stream, [])

        def fill(frames: bytes) -> None:
            transport.write(frames)
            tunnel.pauseProducing()

        self.patch(tunnel.link, "_write", fill)
        tunnel.resumeProducing()
        self.assertEqual(self.session.says, ["free", "full"])
        tunnel.resumeProducing()
        self.assertEqual(self.session.says, ["free", "full", "free"])

    def test_nothingIsSaidAfterTheEnd(self) -> None:
        tunnel, transport = self.openInFormat2()
        self.patch(self.owner, "tunnelDrained", lambda drained: drained.close())
        tunnel.dataReceived(PING2 + b"whatever" + DRAIN2)
        self.assertEqual(transport.stream, [DRAIN2])

    def test_whoAcceptedHasMorePatience(self) -> None:
        """
        Who has dialled makes another tunnel first.
        """
        self.accept()
        self.clock.advance(FIRST_PATIENCE_SECONDS)
        self.clock.advance(ACCEPTED_GIVE_UP_SECONDS - 0.01)
        self.assertEqual(self.owner.givenUp, [])
        self.clock.advance(0.01)
        self.assertEqual(len(self.owner.givenUp), 1)

    def test_pingIsAnswered(self) -> None:
        tunnel, transport = self.accept()
        tunnel.dataReceived(PING2 + b"whatever")
        self.assertEqual(transport.getOutBuffer(), PONG2 + b"whatever")

    def test_silentTunnelCarriesNothingAndIsGivenUpInTheEnd(self) -> None:
        """
        Its session and its owner are told at once, the owner once more after a while, and both
        have it back when the answer comes.
        """
        tunnel, _ = self.openInFormat2()
        self.clock.advance(FIRST_PATIENCE_SECONDS)
        self.assertEqual((self.session.says, self.owner.overdue, self.owner.givenUp), (["free", "gone"], [tunnel], []))
        tunnel.pauseProducing()
        tunnel.resumeProducing()
        self.assertEqual(self.session.says, ["free", "gone"])
        self.clock.advance(GIVE_UP_SECONDS)
        self.assertEqual(self.owner.givenUp, [tunnel])
        tunnel.dataReceived(PONG2 + FIRST_PING)
        self.assertEqual((self.session.says, self.session.roundTrips), (["free", "gone", "free"], 1))
        self.assertEqual(self.owner.overdue, [])
        self.assertEqual(linkOf(tunnel).roundTrip, FIRST_PATIENCE_SECONDS + GIVE_UP_SECONDS)

    def test_tunnelThatAnswersWhileItIsFullCarriesWhenItIsFree(self) -> None:
        tunnel, _ = self.openInFormat2()
        self.clock.advance(FIRST_PATIENCE_SECONDS)
        tunnel.pauseProducing()
        tunnel.dataReceived(PONG2 + FIRST_PING)
        self.assertEqual(self.session.says, ["free", "gone"])
        tunnel.resumeProducing()
        self.assertEqual(self.session.says, ["free", "gone", "free"])

    def test_drainedTunnelReceivesWhatIsUnderWay(self) -> None:
        tunnel, transport = self.openInFormat2()
        tunnel.drain()
        tunnel.drain()
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        self.assertEqual(transport.getOutBuffer(), DRAIN2)
        self.assertEqual(self.session.says, ["free", "gone"])
        tunnel.dataReceived(FRAMES2)
        self.assertEqual((self.session.trains, self.owner.drained), ([TRAIN], []))
        tunnel.dataReceived(FRAMES2 + DRAIN2)
        self.assertEqual((self.session.trains, self.owner.drained), ([TRAIN] * 2, [tunnel]))
        tunnel.close()
        self.assertEqual(self.session.says, ["free", "gone"])

    def test_drainOfThePeerIsAnswered(self) -> None:
        """
        Behind all that was sent before; nothing else is, then.
        """
        tunnel, transport = self.accept()
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        tunnel.dataReceived(DRAIN2)
        tunnel.dataReceived(DRAIN2)
        tunnel.drain()
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        self.assertEqual(transport.getOutBuffer(), FRAMES2 + DRAIN2)
        self.assertEqual((self.session.says, self.owner.drained), (["free", "gone"], [tunnel]))

    def test_drainThatIsNotAnsweredEndsInTime(self) -> None:
        for peer in (b"", DRAIN2):
            tunnel, transport = self.accept()
            tunnel.drain()
            tunnel.dataReceived(peer)
            self.clock.advance(DRAIN_SECONDS)
            self.assertEqual((tunnel.state, transport.aborted), (State.CLOSING, False))
            self.clock.advance(CLOSE_SECONDS)
            self.assertTrue(transport.aborted)

    def test_whatCannotBeDrainedIsClosed(self) -> None:
        tunnel, transport = self.open()
        tunnel.drain()
        self.assertEqual((tunnel.state, transport.disconnecting), (State.CLOSING, True))
        waiting = self.accepted()
        transport = self.connect(waiting)
        waiting.drain()
        self.assertEqual((waiting.state, transport.disconnecting), (State.CLOSING, True))

    def test_clientSaysByeAndServerHearsIt(self) -> None:
        tunnel, transport = self.openInFormat2()
        tunnel.bye()
        self.assertEqual((transport.stream, transport.disconnecting), ([BYE2], True))
        accepted, _ = self.accept()
        accepted.dataReceived(BYE2)
        self.assertEqual(self.owner.left, [accepted])
        other, transport = self.openInFormat2()
        other.dataReceived(BYE2)
        self.assertTrue(transport.aborted)
        self.assertIn("only a client may", str(other.fault))

    def test_byeOfFormat1IsAClose(self) -> None:
        tunnel, transport = self.open()
        tunnel.bye()
        self.assertEqual((transport.stream, transport.disconnecting), ([], True))

    def test_whatIsCarriedIsCounted(self) -> None:
        tunnel, _ = self.openInFormat2()
        before = tunnel.carried
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        tunnel.dataReceived(FRAMES2)
        self.assertEqual(tunnel.carried - before, 2 * len(FRAMES2))

    def test_tunnelsOfASessionShareItsNumbers(self) -> None:
        first, one = self.accept()
        second, two = self.accept()
        linkOf(first).send([TRAIN], self.clock.seconds())
        linkOf(second).send([TRAIN], self.clock.seconds())
        linkOf(first).send([TRAIN], self.clock.seconds())
        numbers = [data[6:10] for transport in (one, two) for data in transport.stream]
        self.assertEqual([int.from_bytes(number, "big") for number in numbers], [0, 4, 2])

    def test_whatATunnelHeldThatIsLostCanGoThroughAnother(self) -> None:
        lost, transport = self.accept()
        linkOf(lost).send([TRAIN, TRAIN], self.clock.seconds())
        transport.lose(ConnectionLost())
        self.assertEqual(self.session.unacked, [(0, TRAIN), (2, TRAIN)])
        other, transport = self.accept()
        linkOf(other).sendAgain(self.session.unacked)
        linkOf(other).send([TRAIN], self.clock.seconds())
        numbers = [
            int.from_bytes(data[start + 6 : start + 10], "big")
            for data in transport.stream
            for start in range(0, len(data), len(FRAMES2))
        ]
        self.assertEqual(numbers, [0, 2, 4])
        self.assertEqual(other.carried, 3 * len(FRAMES2))
        linkOf(lost).sendAgain(self.session.unacked)
        self.assertEqual(linkOf(lost).takeUnacked(), [])

    def test_whatATunnelHoldsThatIsSilentCanGoThroughAnother(self) -> None:
        tunnel, _ = self.openInFormat2()
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        self.clock.advance(FIRST_PATIENCE_SECONDS - 0.5)
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        self.clock.advance(0.5)
        self.assertEqual(self.session.unacked, [(2, TRAIN)])

    def test_whatArrivesYetIsNotSentAgain(self) -> None:
        """
        A tunnel that is drained, or closed, brings what it was given.
        """
        ends: tuple[Callable[[Tunnel], None], ...] = (
            lambda tunnel: tunnel.drain(),
            lambda tunnel: tunnel.dataReceived(DRAIN2),
            lambda tunnel: tunnel.close(),
        )
        for end in ends:
            tunnel, transport = self.accept()
            linkOf(tunnel).send([TRAIN], self.clock.seconds())
            end(tunnel)
            transport.lose(ConnectionLost())
            self.assertEqual(self.session.unacked, [])

    def test_tunnelKnowsWhetherItHoldsSomething(self) -> None:
        tunnel, _ = self.accept()
        self.assertFalse(linkOf(tunnel).holdsUnacked())
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        self.assertTrue(linkOf(tunnel).holdsUnacked())
        linkOf(tunnel).takeUnacked()
        self.assertFalse(linkOf(tunnel).holdsUnacked())
        linkOf(tunnel).send([TRAIN], self.clock.seconds())
        tunnel.close()
        self.assertFalse(linkOf(tunnel).holdsUnacked())

    def test_whereThereAreNoNumbersNothingIsSentAgain(self) -> None:
        """
        Nobody could tell what comes twice.
        """
        tunnel, transport = self.open()
        before = list(transport.stream)
        linkOf(tunnel).sendAgain([(0, TRAIN)])
        self.assertEqual(transport.stream, before)

    def test_onlyFormat2CanProveThatItIsGood(self) -> None:
        """
        The other can but be dialled again.
        """
        tunnel, _ = self.open()
        self.assertFalse(tunnel.prove())
        tunnel, _ = self.openInFormat2()
        self.assertTrue(tunnel.prove())
        self.clock.advance(FIRST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.givenUp, [tunnel])
