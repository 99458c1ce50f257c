"""
The connection under a tunnel on real sockets: what every kind of it holds, plain and
with either version of TLS, and how the sockets of running programs are set up.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import ctypes
import errno
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import skipIf

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from bench.rig.ports import LOOPBACK, Address
from bench.rig.procfs import memoryBytes
from bench.rig.programs import until
from tests.doubles.certificates import CLIENT
from tests.doubles.contracts import StreamContract
from tests.doubles.preambles import ProxyAnswer, ProxyHeader, ProxyRequest
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase, causeIn
from tests.integration.harness import needed, requireProcfs
from tests.integration.rawtls import APPLICATION_DATA, HANDSHAKE, KEY_UPDATE_HEADER, RawTlsClient
from tests.integration.rig import RigTestCase
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
from uotp.net.sockopts import (
    KEEPALIVE_IDLE_SECONDS,
    KEEPALIVE_INTERVAL_SECONDS,
    KEEPALIVE_PROBES,
    MAX_RATE,
    MIN_BUFFER_BYTES,
    OPENING_MILLISECONDS,
    SO_MAX_PACING_RATE,
    USER_TIMEOUT_MILLISECONDS,
    TunnelSocketOptions,
)
from uotp.net.tcpinfo import TCP_INFO, tcpCost, tcpPathStats
from uotp.path import TROUBLED
from uotp.pki.directory import Pki
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls
from uotp.tls.pins import publicKeyPin
from uotp.tls.reasons import certificateName

AMOUNT = 20_000_000
"""What each end says, in bytes."""

UNSENT_LIMIT = 32 * 1024

AT_ONCE_TURNS = int(USER_TIMEOUT_MILLISECONDS / 2000 / TURN_SECONDS)
"""Sooner than the kernel would find it out for one that has something to send."""

IDLE_SECONDS, IDLE_TURNS = 0.5, 200
"""Who does nothing for so long takes fewer turns: each of them waits for L{TURN_SECONDS}."""

OPEN_SECONDS = 60.0
"""A limit against hanging, until all connections of two programs are open."""

WRITE = 1000
"""What is written at one go where it is counted how much is held."""

SEGMENT_BYTES = 65536
"""What the kernel fills up before it asks for the limit: one segment, before it is cut for the network."""

PIDFD_GETFD = 438
"""Number of the system call, the same on every Linux since 5.6."""

# A contract is no test case before it has a subject.
if TYPE_CHECKING:
    _Case = SynchronousTestCase
    _TlsCase = TlsTestCase
else:
    _Case = _TlsCase = object


class RealStreamContract(StreamContract, _Case):
    """
    What holds for every kind of stream on real sockets, beside what the twin in memory holds
    too.
    """

    def serverCredentials(self) -> ServerCredentials | None:
        """
        @return: the server's; L{None} for plain TCP.
        """
        raise NotImplementedError

    def clientCredentials(self) -> ClientCredentials | None:
        """
        @return: the client's.
        """
        raise NotImplementedError

    tellsTrouble = TCP_INFO is not None

    def connect(self) -> None:
        """
        On loopback.
        """
        here, there = self.here, self.there = RecordingTalker(), RecordingTalker()
        self.connectThese(here, there)

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

    def connectThese(self, here: AnyTalker, there: AnyTalker, tuning: TunnelSocketOptions | None = None) -> None:
        """
        Connect two that are to talk; both connections are gone after the test.
        """
        tuning = tuning or TunnelSocketOptions(UNSENT_LIMIT)
        listener = Listener(self.serverCredentials(), tuning, lambda: there)
        self.addCleanup(listener.close)
        dial(listener.address, self.clientCredentials(), tuning, here)
        stepUntil(lambda: here.ready and there.ready, "both are connected")

    def test_bytesArriveWholeAndInOrderThoughBothEndsAreSlow(self) -> None:
        """
        Both ways at once, while each end reads now and then only, and has to wait
        again and again until the connection takes more.
        """
        ends = Talker(1, AMOUNT), Talker(2, AMOUNT)
        self.connectThese(*ends)
        here, there = ends
        while not all(end.heard == AMOUNT for end in ends):
            before = here.heard, there.heard
            for slow, other in (ends, ends[::-1]):
                slow.transport.pauseProducing()
                step(5)
                self.assertIsNone(other.lost)
                slow.transport.resumeProducing()
                step(2)
            stepUntil(lambda before=before: (here.heard, there.heard) != before, "one has heard more")  # type: ignore[misc]
        self.assertEqual(there.heardDigest.digest(), here.saidDigest.digest())
        self.assertEqual(here.heardDigest.digest(), there.saidDigest.digest())
        self.assertTrue(here.pauses and there.pauses, "the connection has never been full")

    @skipIf(not hasattr(socket, "TCP_NOTSENT_LOWAT") or not hasattr(socket, "TCP_INFO"), "the kernel tells nothing")
    def test_connectionIsFullBeforeMuchIsHeldBack(self) -> None:
        """
        When the peer does not read: no more than the limit, and what was written at one
        go, stands behind what has been sent.
        """
        for limit in (4096, UNSENT_LIMIT):
            self.fill(TunnelSocketOptions(limit))

    @skipIf(tcpPathStats(socket.socket()) is None, "the kernel tells nothing")
    def test_kernelTellsHowAConnectionStands(self) -> None:
        """
        What was sent, what of it again, and how long it takes there and back.
        """
        here, there = Talker(1, AMOUNT), Talker(2, AMOUNT)
        self.connectThese(here, there)
        before = tcpPathStats(here.transport.socket)
        stepUntil(lambda: here.heard > AMOUNT // 10 and there.heard > AMOUNT // 10, "both have heard a part")
        after = tcpPathStats(here.transport.socket)
        assert before is not None
        assert after is not None

        def acknowledged() -> int:  # which the other kernel may do later than it hands on
            told = tcpPathStats(here.transport.socket)
            return 0 if told is None else told.acknowledged - before.acknowledged

        stepUntil(lambda: acknowledged() > AMOUNT // 10, "a part is acknowledged")
        segment = here.transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        self.assertGreater((after.sent - before.sent) * segment, AMOUNT // 10)
        self.assertLess(after.repeated, after.sent)
        self.assertLess(after.heardAgo, 60)
        for standing in (before, after):
            self.assertLess(0, standing.roundTrip)
            self.assertLess(standing.roundTrip, 1)
            self.assertLessEqual(0, standing.leastRoundTrip)
            self.assertLess(standing.leastRoundTrip, 1)

    @skipIf(sys.platform != "linux", "only Linux can be told")
    def test_kernelTakesARateAndForgetsIt(self) -> None:
        """
        And tells how many segments may be in flight.
        """
        here, there = Talker(1, AMOUNT), Talker(2, AMOUNT)
        self.connectThese(here, there)
        kernel = here.transport.socket
        here.transport.boundRate(1_000_000)
        self.assertEqual(kernel.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE), 1_000_000)
        here.transport.boundRate(None)
        self.assertEqual(kernel.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE) & MAX_RATE, MAX_RATE)
        path = tcpPathStats(kernel)
        assert path is not None
        self.assertLess(1, path.window)
        self.assertLess(path.window, 100_000)

    def fill(self, tuning: TunnelSocketOptions) -> None:
        """
        See that a connection is full in time, and free again when the peer reads; and that
        it is known meanwhile what the other kernel has not acknowledged.
        """
        here, there = Talker(), Talker()
        self.connectThese(here, there, tuning)
        there.transport.pauseProducing()
        held = unacknowledged = 0
        while not held:  # the other kernel may find more room later, and take all
            while not here.full:
                self.assertLess(here.said, 100_000_000)
                here.say(os.urandom(WRITE))
            step(100)
            unacknowledged = here.transport.unacknowledged()
            held = tcpCost(here.transport.socket) % TROUBLED
            held += here.transport.queuedBytes()
        self.assertLess(held, tuning.unsentLimit + WRITE + SEGMENT_BYTES)
        self.assertGreaterEqual(unacknowledged, held)
        self.assertLess(unacknowledged, 1.1 * here.said)  # TLS adds to it
        there.transport.resumeProducing()
        stepUntil(lambda: there.heard == here.said and not here.full, "all has come, and it is free again")
        stepUntil(lambda: here.transport.unacknowledged() == 0, "and is acknowledged")

    def test_goodbyeComesBehindWhatWaits(self) -> None:
        """
        Whoever closes is heard to the end, also when the other is slow.
        """
        here, there = Talker(1, 3_000_000), Talker()
        self.connectThese(here, there)
        there.transport.pauseProducing()
        stepUntil(lambda: here.full, "the connection is full")
        here._amount = here.said
        here.transport.unregisterProducer()
        here.transport.close()
        step()
        there.transport.resumeProducing()
        stepUntil(lambda: here.lost and there.lost, "both have closed")
        self.assertEqual(there.heardDigest.digest(), here.saidDigest.digest())
        assert there.lost is not None
        there.lost.trap(ConnectionDone)

    def test_abortIsNoticedAtOnce(self) -> None:
        here, there = Talker(1, AMOUNT), Talker()
        self.connectThese(here, there)
        there.transport.pauseProducing()
        stepUntil(lambda: here.full, "the connection is full")
        there.transport.abort()
        stepWithin(AT_ONCE_TURNS, lambda: here.lost and there.lost, "both have ended")

    def test_whatComesBeforeTheStreamIsNotPartOfIt(self) -> None:
        """
        Each end has its words, and the stream begins behind them.
        """
        here, there = Talker(1, 300_000), Talker(2, 300_000)
        tuning = TunnelSocketOptions()
        listener = Listener(self.serverCredentials(), tuning, lambda: there, ProxyAnswer)
        self.addCleanup(listener.close)
        dial(listener.address, self.clientCredentials(), tuning, here, ProxyRequest)
        stepUntil(lambda: here.heard == there.heard == 300_000, "each has heard the other")
        self.assertEqual(there.heardDigest.digest(), here.saidDigest.digest())
        self.assertEqual(here.heardDigest.digest(), there.saidDigest.digest())

    def test_socketsOfBothEndsAreSetUp(self) -> None:
        here, there = Talker(), Talker()
        congestion = allowedCongestionControl()
        self.connectThese(here, there, TunnelSocketOptions(12345, congestion))
        for end in (here, there):
            end.transport.allowSilence(0.0)  # as the link does when the tunnel is open
            assertSetUp(self, end.transport.socket, 12345, congestion)

    def test_idleConnectionKeepsNoBuffer(self) -> None:
        """
        However much it has carried: a server has thousands of them.
        """
        requireProcfs()
        amount, pairs = 8_000_000, 12

        def carry(seed: int) -> tuple[Talker, Talker]:
            ends = Talker(seed, amount), Talker()
            self.connectThese(*ends)
            stepUntil(lambda: ends[1].heard == amount, "all has come")
            return ends

        carry(0)
        before = memoryBytes(os.getpid())
        kept = [carry(seed) for seed in range(1, pairs + 1)]
        step()
        for end in (end for ends in kept for end in ends):
            self.assertEqual(end.transport.queuedBytes(), 0)
        grown = memoryBytes(os.getpid()) - before
        self.assertLess(grown / pairs, 150_000, "of both ends together")


class PlainStreamTests(RealStreamContract, SynchronousTestCase):
    """
    Plain TCP.
    """

    def serverCredentials(self) -> None:
        """
        None.
        """

    def clientCredentials(self) -> None:
        """
        None.
        """


class _TlsContract(RealStreamContract, _TlsCase):
    """
    What holds with TLS besides.
    """

    version = 0

    def setUp(self) -> None:
        self.limit(SSL.TLS_SERVER_METHOD, version=self.version)

    def serverCredentials(self, *, wantsCertificate: bool = False) -> ServerCredentials:
        """
        @return: those of a server whose address is in its certificate.
        """
        cafile = self.cafile(TRUSTED) if wantsCertificate else None
        return ServerCredentials(ServerTls(self.path(GOOD.certificatePem() + GOOD.keyPem()), cafile=cafile))

    def clientCredentials(self, *, trustsStrangers: bool = False, stranger: bool = False) -> ClientCredentials:
        """
        @return: those of a client that trusts the right CA, or another.
        """
        cafile = self.cafile(STRANGER if trustsStrangers else TRUSTED)
        shown = STRANGER.issue(usages=CLIENT)
        cert = self.path(shown.certificatePem() + shown.keyPem()) if stranger else None
        return ClientCredentials(ClientTls(cafile, cert))

    def refuse(self, server: ServerCredentials, client: ClientCredentials) -> tuple[Talker, Talker]:
        """
        Let the two meet, and one refuse the other; the client has much to say.

        @return: both, when it is over.
        """
        there: list[Talker] = []

        def make() -> Talker:
            there.append(Talker())
            return there[-1]

        listener = Listener(server, TunnelSocketOptions(UNSENT_LIMIT), make)
        self.addCleanup(listener.close)
        here = Talker(1, 300_000)
        dial(listener.address, client, TunnelSocketOptions(UNSENT_LIMIT), here)
        stepUntil(lambda: here.lost and there and there[0].lost, "both have ended")
        self.assertEqual((here.heard, there[0].heard), (0, 0))
        return here, there[0]

    def test_versionIsTheOneThatIsTested(self) -> None:
        here, there = Talker(), Talker()
        self.connectThese(here, there)
        names = {SSL.TLS1_2_VERSION: "TLSv1.2", SSL.TLS1_3_VERSION: "TLSv1.3"}
        for end in (here, there):
            self.assertEqual(end.transport.tls.get_protocol_version_name(), names[self.version])

    def test_handshakeMayStandBehindAHeaderInOneSegment(self) -> None:
        """
        OpenSSL reads it from the socket, to the byte.
        """
        there = Talker()
        listener = Listener(self.serverCredentials(), TunnelSocketOptions(), lambda: there, ProxyHeader)
        self.addCleanup(listener.close)
        client = self.clientCredentials().creatorFor(LOOPBACK)(None)
        client.set_connect_state()
        with socket.create_connection(listener.address) as visitor:
            visitor.setblocking(False)
            words = [b"PROXY 192.0.2.9\r\n"]
            while not there.ready:
                with contextlib.suppress(SSL.WantReadError):
                    client.do_handshake()
                with contextlib.suppress(SSL.WantReadError):
                    words.append(client.bio_read(1 << 16))
                visitor.sendall(b"".join(words))
                words.clear()
                step()
                with contextlib.suppress(BlockingIOError):
                    client.bio_write(visitor.recv(1 << 16))
            client.send(b"hello")
            visitor.sendall(client.bio_read(1 << 16))
            stepUntil(lambda: there.heard == len(b"hello"), "the client is heard")
        stepUntil(lambda: there.lost, "it has gone")
        self.assertIsNone(there.refusal)

    def test_whatTlsHasFoundOutIsKnownDuringAndAfter(self) -> None:
        """
        What both speak, and who the other is, as far as it has said.
        """
        shown = TRUSTED.issue("client", usages=CLIENT)
        cert = self.path(shown.certificatePem() + shown.keyPem())
        here, there = Talker(), Talker()
        listener = Listener(self.serverCredentials(wantsCertificate=True), TunnelSocketOptions(), lambda: there)
        self.addCleanup(listener.close)
        dial(listener.address, ClientCredentials(ClientTls(self.cafile(TRUSTED), cert)), TunnelSocketOptions(), here)
        stepUntil(lambda: here.ready and there.ready, "both are connected")
        pins = {each: publicKeyPin(each.certificate) for each in (GOOD, shown)}
        known = [Security(b"http/1.1", pin, peerChain=each.known(TRUSTED.certificate)) for each, pin in pins.items()]
        known[1] = known[1]._replace(peerName=certificateName(shown.certificate))
        self.assertEqual([here.transport.security, there.transport.security], known)
        here.transport.close()
        stepUntil(lambda: here.lost and there.lost, "both have ended")
        self.assertEqual([here.transport.security, there.transport.security], known)

    def test_refusedClientReadsWhy(self) -> None:
        """
        Each time, although with TLS 1.3 it thought that it was in, and had much on the
        way already.
        """
        for _ in range(10):
            here, there = self.refuse(self.serverCredentials(wantsCertificate=True), self.clientCredentials())
            self.assertEqual(causeIn(there.refusal), "no client certificate")
            self.assertEqual(causeIn(here.refusal), "the server wants a client certificate (cert)")
            here, there = self.refuse(
                self.serverCredentials(wantsCertificate=True), self.clientCredentials(stranger=True)
            )
            self.assertEqual(causeIn(there.refusal), "unknown issuer 'CN=Stranger CA'")
            self.assertEqual(causeIn(here.refusal), "the peer refused our certificate: unknown CA")

    def test_refusedServerReadsWhy(self) -> None:
        for _ in range(10):
            here, there = self.refuse(self.serverCredentials(), self.clientCredentials(trustsStrangers=True))
            self.assertEqual(causeIn(here.refusal), "unknown issuer 'CN=Trusted CA'")
            self.assertEqual(causeIn(there.refusal), "the peer refused our certificate: unknown CA")

    def test_clientThatGoesInTheHandshakeIsNoRefusal(self) -> None:
        """
        Scanners and health checks do that.
        """
        there = Talker()
        listener = Listener(self.serverCredentials(), TunnelSocketOptions(), lambda: there)
        self.addCleanup(listener.close)
        for hello in (b"", b"\x16\x03\x01\x02\x00\x01"):
            there.lost = None
            with socket.create_connection(listener.address) as visitor:
                visitor.sendall(hello)
                step()
            stepUntil(lambda: there.lost, "it has gone")
            self.assertIsNone(there.refusal)


class Tls13StreamTests(_TlsContract, TlsTestCase):
    """
    TLS 1.3.
    """

    version = SSL.TLS1_3_VERSION

    def test_refusedClientThatGoesOnWritingReadsWhyAtLast(self) -> None:
        """
        The server has refused it meanwhile, and does not tear the connection down for
        what still comes: a write that fails would be the end, and the reason lost.
        """
        there = Talker()
        server = self.serverCredentials(wantsCertificate=True)
        listener = Listener(server, TunnelSocketOptions(UNSENT_LIMIT), lambda: there)
        self.addCleanup(listener.close)
        here = Talker()
        dial(listener.address, self.clientCredentials(), TunnelSocketOptions(UNSENT_LIMIT), here)
        stepUntil(lambda: here.ready, "the client thinks that it is in")
        here.transport.stopReading()
        for _ in range(5):
            here.say(bytes(WRITE))
            step(20)
        here.transport.startReading()
        stepUntil(lambda: here.lost and there.lost, "both have ended")
        self.assertEqual(causeIn(here.refusal), "the server wants a client certificate (cert)")
        self.assertEqual(causeIn(there.refusal), "no client certificate")

    def test_peerThatAsksForKeysAndNeverReadsCostsNothing(self) -> None:
        """
        It asks again and again, and does not read the answers: in the end we read no
        more from it, hold no more for it, and do nothing until it reads.
        """
        program = shutil.which("openssl")
        if program is None:
            needed("openssl is missing: install the package of that name")
        there = Talker()
        listener = Listener(self.serverCredentials(), TunnelSocketOptions(MIN_BUFFER_BYTES), lambda: there)
        self.addCleanup(listener.close)
        relay = OneWayRelay(listener.address)
        self.addCleanup(relay.close)
        words = [program, "s_client", "-tls1_3", "-connect", f"{LOOPBACK}:{relay.address[1]}"]
        client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        assert client.stdin is not None
        self.addCleanup(client.stdin.close)
        stepUntil(lambda: there.ready and relay.quiet(), "the handshake is done")
        relay.deafen()
        asked = 0
        while not there.full:
            self.assertLess(asked, 20000)
            for line in (b"K\n", b"\n"):  # OpenSSL wants data between two demands
                carried = relay.carried
                client.stdin.write(line)
                client.stdin.flush()
                stepUntil(lambda carried=carried: relay.carried > carried, "the client has sent it")  # type: ignore[misc]
            step(2)
            asked += 1
            self.assertIsNone(there.lost)
        self.assertGreater(asked, 1)
        transport = there.transport
        self.assertEqual(transport.queuedBytes(), 0)
        heard, turns = there.heard, count()
        with contextlib.suppress(AssertionError):
            stepUntil(lambda: there.heard > heard or next(turns) < 0, "we go on reading", IDLE_SECONDS)
        self.assertEqual(there.heard, heard)
        self.assertLess(next(turns), IDLE_TURNS)
        relay.listen()
        stepUntil(lambda: there.heard > heard and not there.full, "we go on when it reads")

    def connectRaw(self) -> tuple[RawTlsClient, Talker]:
        """
        @return: a client that says what it is told to, and who it talks to.
        """
        there = Talker()
        listener = Listener(self.serverCredentials(), TunnelSocketOptions(), lambda: there)
        self.addCleanup(listener.close)
        client = RawTlsClient(listener.address)
        self.addCleanup(client.close)
        stepUntil(lambda: there.ready, "the server's handshake is done")
        return client, there

    def test_peerThatSaysNothingButNewKeysHasNoMoreThanItsTurn(self) -> None:
        """
        The records bring no data; to read on until some come would be to leave this
        process to whoever sends them as fast as they can be read.
        """
        client, there = self.connectRaw()
        updates = [client.keyUpdate() for _ in range(1000)]
        client.socket.sendall(b"".join(updates))
        waiting = sum(map(len, updates))
        until(lambda: len(peeked(there.transport.socket)) == waiting, "the kernel has all of them")
        self.assertEqual(peeked(there.transport.socket), b"".join(updates))
        for _ in range(10):
            self.assertIsNone(there.transport.doRead())
            left = len(peeked(there.transport.socket))
            self.assertEqual(waiting - left, len(updates[0]), "bytes of one turn, and of one record")
            waiting = left
        client.socket.sendall(client.record(APPLICATION_DATA, b"hello"))
        stepUntil(lambda: there.heard == len(b"hello"), "what comes behind them is read")
        self.assertIsNone(there.lost)

    def test_peerThatStopsAmidNewKeysCostsNothing(self) -> None:
        """
        TLS does not write before it has read the rest, though the kernel has room; we
        go on when it comes.
        """
        client, there = self.connectRaw()
        client.socket.sendall(client.record(HANDSHAKE, KEY_UPDATE_HEADER))
        until(lambda: peeked(there.transport.socket), "the kernel has it")
        stepUntil(lambda: not peeked(there.transport.socket), "it is read")
        there.say(b"hello")
        step()
        self.assertTrue(there.full)
        self.assertNotIn(there.transport, steppedReactor().getWriters())
        client.socket.sendall(client.record(HANDSHAKE, b"\0"))
        stepUntil(lambda: not there.full, "all is written")
        heard = b""

        def isHeard() -> bool:
            nonlocal heard
            heard += client.heard()
            return len(heard) >= len(b"hello")

        stepUntil(isHeard, "the client hears")
        self.assertEqual(heard, b"hello")
        client.changeKeys()
        client.socket.sendall(client.record(APPLICATION_DATA, b"hello"))
        stepUntil(lambda: there.heard == len(b"hello"), "the client is heard")
        self.assertIsNone(there.lost)


class Tls12StreamTests(_TlsContract, TlsTestCase):
    """
    TLS 1.2.
    """

    version = SSL.TLS1_2_VERSION


def peeked(one: socket.socket) -> bytes:
    """
    @return: what the kernel has for a connection that does not block, and keeps.
    """
    with contextlib.suppress(BlockingIOError):
        return one.recv(1 << 20, socket.MSG_PEEK)
    return b""


class OneWayRelay:
    """
    Relays one connection, and no answers while it is told not to.

    @ivar carried: how many bytes the client has sent.
    """

    def __init__(self, server: Address) -> None:
        """
        @param server: where to connect to.
        """
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address: Address = self._listener.getsockname()
        self._far = socket.socket()
        self._far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._far.connect(server)
        self._near: socket.socket | None = None
        self.carried = 0
        self._answeredAt = time.monotonic()
        self._listening = threading.Event()
        self._listening.set()
        threading.Thread(target=self._relay, daemon=True).start()

    def _relay(self) -> None:
        with contextlib.suppress(OSError):
            self._near, _ = self._listener.accept()
            threading.Thread(target=self._relayAnswers, daemon=True).start()
            while data := self._near.recv(65536):
                self._far.sendall(data)
                self.carried += len(data)

    def _relayAnswers(self) -> None:
        assert self._near is not None
        with contextlib.suppress(OSError):
            while True:
                self._listening.wait()
                self._far.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    if not (data := self._far.recv(4096)):
                        return
                    self._near.sendall(data)
                    self._answeredAt = time.monotonic()

    def quiet(self) -> bool:
        """
        @return: whether there has been no answer for a moment.
        """
        return time.monotonic() - self._answeredAt > 0.2

    def deafen(self) -> None:
        """
        Read no more answers.
        """
        self._listening.clear()

    def listen(self) -> None:
        """
        Read them again.
        """
        self._listening.set()

    def close(self) -> None:
        """
        Close all.
        """
        self._listening.set()
        for each in (self._listener, self._far, self._near):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()


def allowedCongestionControl() -> str | None:
    """
    @return: a congestion control that anybody may choose, and that is not what all get
        if there is another; L{None} where there is no choice.
    """
    folder = Path("/proc/sys/net/ipv4")
    if not (folder / "tcp_allowed_congestion_control").exists():
        return None
    usual = (folder / "tcp_congestion_control").read_text(encoding="ascii").strip()
    allowed = (folder / "tcp_allowed_congestion_control").read_text(encoding="ascii").split()
    return next((name for name in allowed if name != usual), usual)


def assertSetUp(case: SynchronousTestCase, connection: socket.socket, unsentLimit: int, congestion: str | None) -> None:
    """
    A tunnel's socket has the options that it was to have, as far as the system has
    them.
    """
    case.assertTrue(connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
    case.assertTrue(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ("TCP_USER_TIMEOUT", USER_TIMEOUT_MILLISECONDS),
        ("TCP_NOTSENT_LOWAT", unsentLimit),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            case.assertEqual(connection.getsockopt(socket.IPPROTO_TCP, option), value, name)
    if congestion is not None:
        chosen = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).split(b"\0")[0]
        case.assertEqual(chosen, congestion.encode())


def socketsOf(pid: int) -> list[socket.socket]:
    """
    @return: the connected TCP sockets of another process, to be looked at.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.pidfd_open(pid)
    found = []
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # it has been closed meanwhile
                if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                    continue
            number = libc.syscall(PIDFD_GETFD, handle, int(name), 0)
            if number < 0 and ctypes.get_errno() == errno.EBADF:
                continue
            if number < 0:
                needed(f"other processes' sockets cannot be looked at: {os.strerror(ctypes.get_errno())}")
            one = socket.socket(fileno=number)
            connected = False
            if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
                with contextlib.suppress(OSError):
                    connected = bool(one.getpeername())
            if connected:
                found.append(one)
            else:
                one.close()
    finally:
        os.close(handle)
    return found


def areOpen(pid: int) -> bool:
    """
    @return: whether another process has connections, and all of them are tunnels that are open.
    """
    connections = socketsOf(pid)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None:
        waiting = []
    else:
        waiting = [one for one in connections if one.getsockopt(socket.IPPROTO_TCP, option) == OPENING_MILLISECONDS]
    for one in connections:
        one.close()
    return bool(connections) and not waiting


class ProgramSocketTests(RigTestCase):
    """
    The sockets of programs that run.
    """

    def assertBothSetUp(self, pki: Pki | None, options: list[str], unsentLimit: int, congestion: str | None) -> None:
        """
        Every connection of either program has its options.
        """
        if not hasattr(os, "pidfd_open"):
            needed("os.pidfd_open is missing: these tests look at the sockets of other processes")
        target = self.udpEnd()
        pair = self.pair(target.address, pki, server=options, client=[*options, "-n", "2"])
        self.flow(pair, target).openPool()
        for program in (pair.server, pair.client):
            until(lambda pid=program.process.pid: areOpen(pid), "all are open", OPEN_SECONDS)  # type: ignore[misc]
            connections = socketsOf(program.process.pid)
            self.assertTrue(connections, program.name)
            for connection in connections:
                with connection:
                    assertSetUp(self, connection, unsentLimit, congestion)

    def test_socketsAreSetUpAsUsual(self) -> None:
        self.assertBothSetUp(None, [], TunnelSocketOptions().unsentLimit, None)

    def test_socketsAreSetUpAsTheCommandLineSays(self) -> None:
        congestion = allowedCongestionControl()
        options = ["--unsent-limit", "20000", *([] if congestion is None else ["--congestion", congestion])]
        self.assertBothSetUp(self.newPki(), options, 20000, congestion)

    def test_congestionControlThatTheKernelDoesNotHaveIsRefusedAtTheStart(self) -> None:
        """
        One line, and status 2, of either program.
        """
        target = self.udpEnd()
        for program in (
            self.startServer(target.address, "--no-tls", "--congestion", "nosuchthing"),
            self.startClient((LOOPBACK, 9), "--no-tls", "--congestion", "nosuchthing"),
        ):
            self.assertEqual(program.waitForExit(), 2)
            (line,) = program.lines
            self.assertIn("--congestion nosuchthing: ", line)
