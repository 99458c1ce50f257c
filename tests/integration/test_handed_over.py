"""
Connections that one process has accepted and another one gets, on real sockets: the connection
itself without TLS, and with TLS the plain bytes and another descriptor of it.  Both processes are this
one, and what passes between them goes through a socket as it would between two.
"""

from __future__ import annotations

import array
import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest import skipIf

from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bench.rig.programs import HANG_SECONDS
from tests.doubles.certificates import CLIENT
from tests.doubles.contracts import StreamContract
from tests.doubles.tlspairs import GOOD, TRUSTED, TlsTestCase
from tests.integration.harness import requireProcfs
from tests.integration.steppedtcp import (
    TURN_SECONDS,
    AnyTalker,
    Listener,
    RecordingTalker,
    Talker,
    dial,
    step,
    steppedReactor,
    stepUntil,
    stepWithin,
)
from uotp.boundaries import Security
from uotp.net.sockopts import SO_MAX_PACING_RATE, TunnelSocketOptions
from uotp.net.tcpinfo import TCP_INFO, tcpPathStats
from uotp.process.turns import Turns
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls
from uotp.transport.accepted import AcceptedTcpStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.pipe import PIPE_SEND_BYTES, newPipe
from uotp.transport.relay import HANGUP_SECONDS, RELAY_CLOSE_SECONDS, Relay
from uotp.transport.relayed import RelayedStream, adopt

AMOUNT = 5_000_000
"""What each end says, in bytes."""

DESCRIPTORS = 5
"""Of one connection: the client's, that of the process that has accepted it, the owner's, and two of the pipe."""

TUNING = TunnelSocketOptions(32 * 1024)

# A contract is no test case before it has a subject.
if TYPE_CHECKING:
    _TlsCase = TlsTestCase
else:
    _TlsCase = object


def passed(*sockets: socket.socket) -> list[socket.socket]:
    """
    Have the kernel pass sockets as one process gives them to another, which has other descriptors.

    @return: what has arrived.
    """
    one, other = socket.socketpair()
    with one, other:
        numbers = array.array("i", [each.fileno() for each in sockets])
        one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)])
        for each in sockets:
            each.close()
        _, ((_, _, data),), _, _ = other.recvmsg(1, socket.CMSG_SPACE(numbers.itemsize * len(sockets)))
    arrived = array.array("i")
    arrived.frombytes(data)
    return [socket.socket(fileno=number) for number in arrived]


def takeOver(owner: Any, given: socket.socket, path: socket.socket | None, stream: Any, begun: bytes = b"") -> Any:
    """
    Be the other process.

    @return: the stream that the owner has there.
    """
    reactor = steppedReactor()
    tls = None if stream.security is None else stream.facts().tls
    client, handshakes = stream.client, HandshakeQueue(reactor)
    return adopt(given, path, stream.security, client, handshakes, TUNING, owner, reactor, begun=begun, tls=tls)


def abort(stream: Any) -> None:
    """
    Abort a stream.
    """
    stream.abort()


def die(stream: Any) -> None:
    """
    Have the kernel close the descriptors of an owner, who says nothing.
    """
    stream.stopReading()
    stream.stopWriting()
    stream._path.close()
    os.close(stream.socket.detach())


class Accepting(Protocol):
    """
    Accepts a connection and gives it to its owner.

    @ivar lost: set when nothing is left of it here.
    @ivar relay: what carries the bytes, with TLS.
    """

    transport: Any

    def __init__(self, owner: AnyTalker) -> None:
        self.owner = owner
        self.ready = False
        self.lost: Any = None
        self.relay: Relay | None = None

    def handshakeCompleted(self) -> None:
        """
        With TLS: keep the connection, and relay.
        """
        stream = self.transport
        pipe, other = newPipe()
        given, path = passed(other, stream.socket.dup())
        allowance = Turns(steppedReactor()).allowanceOf("somebody")
        self.relay = Relay(stream, pipe, allowance, steppedReactor(), self.isGone)
        takeOver(self.owner, given, path, stream)

    def dataReceived(self, data: bytes) -> None:
        """
        Without TLS: give the connection away.
        """
        stream = self.transport
        (given,) = passed(stream.surrender())
        self.isGone()
        takeOver(self.owner, given, None, stream, data)

    def isGone(self) -> None:
        """
        Nothing is left here.
        """
        assert self.lost is None
        self.lost = True

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        Nobody should say so.
        """
        self.isGone()
        raise AssertionError(reason)


class _RelayedCase(_TlsCase):
    """
    Has a client, and an owner of its connection who is behind a relay.
    """

    def newAccepting(self, owner: AnyTalker) -> Accepting:
        """
        @return: what accepts the connection.
        """
        return Accepting(owner)

    def connectThese(self, client: AnyTalker, owner: AnyTalker, *, shows: bool = False) -> Accepting:
        """
        Connect them; all is gone after the test.

        @param shows: whether the client has a certificate.
        @return: what has accepted the connection.
        """
        untyped: Any = self.newAccepting(owner)
        cafile = self.cafile(TRUSTED) if shows else None
        server = ServerCredentials(ServerTls(self.path(GOOD.certificatePem() + GOOD.keyPem()), cafile=cafile))
        shown = TRUSTED.issue("client", usages=CLIENT)
        cert = self.path(shown.certificatePem() + shown.keyPem()) if shows else None
        listener = Listener(server, TUNING, lambda: untyped)
        self.addCleanup(stepUntil, lambda: owner.lost and client.lost, "both ends are gone too")
        self.addCleanup(listener.close)
        dial(listener.address, ClientCredentials(ClientTls(self.cafile(TRUSTED), cert)), TUNING, client)
        stepUntil(lambda: client.ready and owner.transport is not None and owner.ready, "both are connected")
        accepting: Accepting = untyped
        return accepting


class _RelayedContract(StreamContract, _RelayedCase):
    """
    Hold both ends to what holds for every stream.
    """

    tellsTrouble = TCP_INFO is not None

    def stall(self, *, stalled: bool) -> None:
        """
        Its kernel takes on what it can.
        """
        if stalled:
            self.there.transport.pauseProducing()
        else:
            self.there.transport.resumeProducing()

    def settleUntil(self, condition: Callable[[], object]) -> None:
        """
        Which may take a while.
        """
        stepUntil(condition, "it has settled")


class OwnersContractTests(_RelayedContract, TlsTestCase):
    """
    The owner's stream.
    """

    def connect(self) -> None:
        """
        The client hears.
        """
        here, there = self.here, self.there = RecordingTalker(), RecordingTalker()
        self.connectThese(there, here)


class ClientsContractTests(_RelayedContract, TlsTestCase):
    """
    The client's stream, which knows of no relay.
    """

    def connect(self) -> None:
        """
        The owner hears.
        """
        here, there = self.here, self.there = RecordingTalker(), RecordingTalker()
        self.connectThese(here, there)


class RelayedConnectionTests(_RelayedCase, TlsTestCase):
    """
    What one end does, and the other meets.
    """

    def test_bytesArriveWholeAndInOrderThoughBothEndsAreSlow(self) -> None:
        """
        Both ways at once, and no more is held meanwhile than may be.
        """
        ends = Talker(1, AMOUNT), Talker(2, AMOUNT)
        accepting = self.connectThese(*ends)
        assert accepting.relay is not None
        while not all(end.heard == AMOUNT for end in ends):
            before = [end.heard for end in ends]
            for slow in ends:
                slow.transport.pauseProducing()
                step(5)
                statistics = accepting.relay.statistics()
                self.assertLessEqual(statistics.heldForOwner, 81_920)
                self.assertLessEqual(statistics.heldForClient, 16_384)
                slow.transport.resumeProducing()
                step(2)
            stepUntil(lambda before=before: [end.heard for end in ends] != before, "one has heard more")  # type: ignore[misc]
        for here, there in (ends, ends[::-1]):
            self.assertEqual(there.heardDigest.digest(), here.saidDigest.digest())
            self.assertTrue(here.pauses, "the connection has never been full")
        carried = accepting.relay.statistics()
        self.assertEqual((carried.fromClient, carried.fromOwner), (AMOUNT, AMOUNT))

    def test_ownerKnowsWhoTheClientIs(self) -> None:
        """
        As the process that has the connection: from its certificate, and from where it comes.
        """
        client, owner = Talker(), Talker()
        accepting = self.connectThese(client, owner, shows=True)
        security: Security = owner.transport.security
        self.assertEqual(security, accepting.transport.security)
        self.assertIsNotNone(security.peerKey)
        self.assertEqual(owner.transport.facts(), accepting.transport.facts())
        self.assertEqual(owner.transport.getPeer(), accepting.transport.getPeer())
        self.assertIs(type(owner.transport), RelayedStream)

    @skipIf(tcpPathStats(socket.socket()) is None, "the kernel tells nothing")
    def test_kernelTellsTheOwnerHowTheConnectionStands(self) -> None:
        """
        And does to it what the owner wants.
        """
        client, owner = Talker(1, AMOUNT), Talker(2, AMOUNT)
        accepting = self.connectThese(client, owner)
        before = owner.transport.pathStats()
        stepUntil(lambda: client.heard > AMOUNT // 2 and owner.heard > AMOUNT // 2, "both have heard a part")
        stepUntil(
            lambda: owner.transport.pathStats().acknowledged - before.acknowledged > AMOUNT // 2, "it is acknowledged"
        )
        path = owner.transport.pathStats()
        self.assertEqual(path.leastRoundTrip, tcpPathStats(accepting.transport.socket).leastRoundTrip)  # type: ignore[union-attr]
        self.assertTrue(0 < path.roundTrip < 1)
        self.assertGreater(owner.transport.flight().received, AMOUNT // 2)
        self.assertIs(owner.transport.isTroubled(), False)
        owner.transport.boundRate(1_000_000)
        owner.transport.boundInFlight(40_000)
        owner.transport.acknowledge()
        kernel = accepting.transport.socket
        self.assertEqual(kernel.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE), 1_000_000)
        self.assertEqual(kernel.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), 80_000)

    def test_clientThatReadsNothingLetsNoMoreBeTakenThanMayBe(self) -> None:
        """
        The owner's stream is full then, and knows what is before it.
        """
        client, owner = Talker(), Talker()
        accepting = self.connectThese(client, owner)
        assert accepting.relay is not None
        client.transport.pauseProducing()
        deadline = time.monotonic() + HANG_SECONDS
        idle = 0
        while idle < 50 and time.monotonic() < deadline:
            idle = idle + 1 if owner.full else 0
            while not owner.full:
                owner.say(os.urandom(1400))
            step(2)
        self.assertTrue(owner.full)
        self.assertLessEqual(accepting.relay.statistics().heldForClient, 16_384)
        self.assertGreater(owner.transport.cost(), PIPE_SEND_BYTES // 4)
        client.transport.resumeProducing()
        stepUntil(lambda: client.heard == owner.said and not owner.full, "all has come, and it is free again")
        self.assertEqual(client.heardDigest.digest(), owner.saidDigest.digest())
        self.assertEqual(owner.transport.cost(), 0)

    def test_clientThatReadsNothingIsGoneSoonAfterTheOwnerIs(self) -> None:
        """
        The process that has its connection cannot know that it is stalled: that is a rule of the owner's, who
        aborts it; or dies.
        """
        dieTurns = int((HANGUP_SECONDS + RELAY_CLOSE_SECONDS + 1) / TURN_SECONDS)
        for end, turns in ((abort, 50), (die, dieTurns)):
            client, owner = Talker(), Talker(1, 100_000_000)
            accepting = self.connectThese(client, owner)
            assert accepting.relay is not None
            client.transport.pauseProducing()
            owner.speak()
            stepUntil(lambda: accepting.relay._isFull and owner.full, "all is full")  # type: ignore[union-attr]  # noqa: B023
            step(200)
            self.assertTrue(accepting.relay._isFull)
            end(owner.transport)
            stepWithin(turns, lambda: accepting.lost, "the relay is gone")  # noqa: B023
            client.transport.resumeProducing()
            stepUntil(lambda: client.lost, "the client is told")  # noqa: B023
            abort(owner.transport)
            stepUntil(lambda: owner.lost, "the owner too")  # noqa: B023

    def test_ownerThatDiesIsTheEndOfTheConnection(self) -> None:
        """
        Though it has not read all.
        """
        client, owner = Talker(1, 300_000), Talker()
        accepting = self.connectThese(client, owner)
        owner.transport.pauseProducing()
        step(20)
        die(owner.transport)
        stepUntil(lambda: client.lost and accepting.lost, "the client is told")
        abort(owner.transport)

    def test_nothingIsLeftWhoeverEndsIt(self) -> None:
        """
        No descriptor of the pipe, and none of the connection; while nothing is under way, or much.
        """
        requireProcfs()
        ends: list[Callable[[Any, Any, Any], None]] = [
            lambda client, _, __: client.transport.close(),
            lambda client, _, __: client.transport.abort(),
            lambda _, owner, __: owner.transport.close(),
            lambda _, owner, __: owner.transport.abort(),
            lambda _, __, relay: relay.close(),
            lambda _, __, relay: relay.abort(),
        ]
        for end in ends:
            for amounts in ((0, 0), (AMOUNT, AMOUNT)):
                client, owner = Talker(1, amounts[0]), Talker(2, amounts[1])
                accepting = self.connectThese(client, owner)
                connected = len(os.listdir("/proc/self/fd"))
                step(5)
                end(client, owner, accepting.relay)
                stepUntil(lambda: client.lost and owner.lost and accepting.lost, "all are gone")  # noqa: B023
                self.assertEqual(len(os.listdir("/proc/self/fd")), connected - DESCRIPTORS)


class SurrenderedConnectionTests(SynchronousTestCase):
    """
    Without TLS the connection itself is handed over.
    """

    def connectThese(self, client: Any, owner: Any, hello: bytes) -> None:
        """
        Have the client say something, upon which its connection changes hands.
        """
        untyped: Any = Accepting(owner)
        listener = Listener(None, TUNING, lambda: untyped)
        self.addCleanup(listener.close)
        dial(listener.address, None, TUNING, client)
        stepUntil(lambda: client.ready, "the client is connected")
        client.transport.write(hello)
        stepUntil(lambda: owner.transport is not None, "it has changed hands")
        self.addCleanup(stepUntil, lambda: owner.lost, "and has ended")
        self.addCleanup(owner.transport.abort)
        self.assertTrue(untyped.lost)

    def test_nothingIsLostAndBothGoOn(self) -> None:
        """
        What was read before is heard first, and behind it what was in the kernel, and what comes later.
        """
        hello = os.urandom(300_000)
        client, owner = RecordingTalker(), RecordingTalker()
        self.connectThese(client, owner, hello)
        self.assertGreater(len(owner.heard[0]), 0)
        client.transport.write(b"last")
        stepUntil(lambda: len(b"".join(owner.heard)) == len(hello) + 4, "all is heard")
        self.assertEqual(b"".join(owner.heard), hello + b"last")
        owner.transport.write(b"welcome")
        stepUntil(lambda: client.heard, "the client hears")
        self.assertEqual((client.heard, client.lost), ([b"welcome"], None))
        self.assertIs(type(owner.transport), AcceptedTcpStream)
        self.assertFalse(owner.transport.socket.getblocking())

    def test_eachSeesTheEndOfTheOther(self) -> None:
        for end in ("close", "abort"):
            for isOwners in (True, False):
                client, owner = RecordingTalker(), RecordingTalker()
                self.connectThese(client, owner, b"hello")
                getattr((owner if isOwners else client).transport, end)()
                stepUntil(lambda: client.lost and owner.lost, "both have ended")  # noqa: B023
