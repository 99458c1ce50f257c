"""
The client's way to the server, one attempt at a time.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from weakref import ref

from OpenSSL import SSL
from twisted.internet import error, main, tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.dialling import MemoryConnect
from tests.doubles.sockets import FakeSocket
from tests.doubles.streams import MemoryStream
from tests.doubles.tlspairs import TRUSTED, TlsTestCase
from tests.doubles.tunnels import RecordingOwner
from uotp.client.dial.failures import WORDS, wordsForFailure
from uotp.errors import LookupFailed
from uotp.net import sockopts
from uotp.net.resolver import Resolved, SharedResolver
from uotp.net.sockopts import TunnelSocketOptions
from uotp.tls.credentials import ClientCredentials, ClientTls
from uotp.transport import dialer
from uotp.transport.dialer import Dialer
from uotp.transport.dialled import DialledTcpStream, DialledTlsStream
from uotp.tunnel.dialled import DialledTunnel

V6, V4 = IPv6Address("TCP", "2001:db8::1", 8443), IPv4Address("TCP", "192.0.2.1", 8443)
HELLO = b"a session's id !"


class _DialTestCase(SynchronousTestCase):
    """
    Has a reactor in memory.
    """

    def setUp(self) -> None:
        """
        Make it; no timer may be left on it.
        """
        self.reactor = MemoryReactorClock()
        self.connecting = MemoryConnect()
        self.found: Resolved = [V4]
        self.asked = 0
        self.late: list[Callable[[Resolved], None]] = []
        self.owner = RecordingOwner()
        self.addCleanup(lambda: self.assertEqual(self.reactor.getDelayedCalls(), []))

    def lookup(self, host: str, port: int, semantics: str) -> Resolved:
        """
        In place of the system's.
        """
        self.asked += 1
        return self.found

    def dialer(self, credentials: ClientCredentials | None = None, **choices: Any) -> Dialer:
        """
        @return: a way to a server.
        """
        resolver = SharedResolver(lambda call, done: done(call()), lookup=self.lookup)
        return Dialer(
            self.reactor,
            ("good.test", 8443),
            None if credentials is None else credentials.creatorFor("good.test"),
            resolver,
            **choices,
        )

    def makeTunnel(self) -> DialledTunnel:
        return DialledTunnel(self.reactor, self.owner, HELLO)

    def connect(self, number: int) -> tuple[Any, MemoryStream]:
        """
        Let an attempt at one address succeed.

        @return: the tunnel, with what is around it, and the transport.
        """
        protocol = self.reactor.tcpClients[number][2].buildProtocol(V4)
        assert protocol is not None
        transport = MemoryStream(protocol)
        protocol.makeConnection(transport)
        return protocol, transport


class _RecordedTestCase(_DialTestCase):
    """
    Has a reactor that keeps the attempts to connect.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(dialer, "connectTunnel", self.connecting)


class DialerTests(_RecordedTestCase):
    """
    Dial over plain TCP, and see what is the same with TLS.
    """

    def test_nameIsLookedUpEachTime(self) -> None:
        dialer = self.dialer()
        for host in ("192.0.2.1", "192.0.2.7"):
            self.found = [IPv4Address("TCP", host, 8443)]
            self.assertEqual(self.successResultOf(dialer.lookUp()), self.found)
        self.assertEqual(self.asked, 2)

    def test_nameThatIsNotFoundFails(self) -> None:
        self.found = LookupFailed("host name not found")
        failure = self.failureResultOf(self.dialer().lookUp())
        self.assertEqual(wordsForFailure(failure), "host name not found")

    def test_lookupThatEndsAfterTheCancelDisturbsNobody(self) -> None:
        resolver = SharedResolver(lambda _, done: self.late.append(done))
        done = Dialer(self.reactor, ("good.test", 8443), None, resolver).lookUp()
        done.cancel()
        self.failureResultOf(done)
        self.late[0]([V4])

    def test_connectionBecomesATunnel(self) -> None:
        done = self.dialer().connect(V4, self.makeTunnel)
        self.assertNoResult(done)
        ((host, port, _, _, bindAddress),) = self.reactor.tcpClients
        self.assertEqual((host, port, bindAddress), ("192.0.2.1", 8443, None))
        tunnel, transport = self.connect(0)
        self.assertIs(self.successResultOf(done), tunnel)
        self.assertIsInstance(tunnel, DialledTunnel)
        self.assertEqual(transport.stream, [HELLO])

    def test_nobodyStandsBetweenAStreamAndItsTunnel(self) -> None:
        """
        What comes is handed to the tunnel itself, and so is the end.
        """
        done = self.dialer().connect(V4, self.makeTunnel)
        _, transport = self.connect(0)
        tunnel = self.successResultOf(done)
        self.assertIs(transport.protocol, tunnel)
        transport.lose()
        self.assertEqual([each for each, _ in self.owner.lost], [tunnel])

    def test_connectionLetsGoOfWhoeverDialledIt(self) -> None:
        """
        A tunnel may live for months, and whoever made it is over at once.
        """

        class Maker:
            """
            Makes a tunnel.
            """

            def make(self) -> DialledTunnel:
                return tunnel
                return self.makeTunnel()

        tunnel = self.makeTunnel()
        maker = Maker()
        gone = ref(maker)
        self.dialer().connect(V4, maker.make)
        self.connect(0)
        del maker
        self.assertIsNone(gone())

    def test_connectionThatFailsFailsInWords(self) -> None:
        done = self.dialer().connect(V6, self.makeTunnel)
        factory: Any = self.reactor.tcpClients[0][2]
        factory.clientConnectionFailed(self.reactor.connectors[0], Failure(error.ConnectionRefusedError()))
        self.assertTrue(wordsForFailure(self.failureResultOf(done)).startswith("connection refused"))

    def test_cancelledConnectionLeavesNothing(self) -> None:
        done = self.dialer().connect(V6, self.makeTunnel)
        done.cancel()
        self.failureResultOf(done)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)

    def test_cancelOfAConnectionThatIsMadeChangesNothing(self) -> None:
        done = self.dialer().connect(V6, self.makeTunnel)
        self.connect(0)
        done.cancel()
        self.successResultOf(done)
        self.assertFalse(self.reactor.connectors[0].stoppedConnecting)

    def test_tunnelsAreMadeForConnectionsOnly(self) -> None:
        made: list[DialledTunnel] = []

        def make() -> DialledTunnel:
            made.append(self.makeTunnel())
            return made[-1]

        done = self.dialer().connect(V4, make)
        self.assertEqual(made, [])
        self.connect(0)
        self.assertEqual([self.successResultOf(done)], made)


class KindsTests(_RecordedTestCase, TlsTestCase):
    """
    See what connections a dialer asks for.
    """

    def kind(self, dialer: Dialer) -> type[DialledTcpStream]:
        """
        @return: what kind of connection its next attempt is.
        """
        done = dialer.connect(V4, self.makeTunnel)
        kind = self.connecting.kinds[self.reactor.tcpClients[-1][2]]
        done.addErrback(lambda _: None)
        done.cancel()
        return kind

    def credentials(self) -> ClientCredentials:
        """
        @return: those of a client that trusts the right CA.
        """
        return ClientCredentials(ClientTls(cafile=self.cafile(TRUSTED)))

    def test_withoutCredentialsItIsPlainTcp(self) -> None:
        kind = self.kind(self.dialer())
        self.assertFalse(issubclass(kind, DialledTlsStream))
        self.assertEqual((kind.mark, kind.tuning), (None, TunnelSocketOptions()))
        tuning = TunnelSocketOptions(4096, "cubic")
        kind = self.kind(self.dialer(mark=7, tuning=tuning))
        self.assertEqual((kind.mark, kind.tuning), (7, tuning))

    def test_withCredentialsItIsTlsForThatServer(self) -> None:
        tuning = TunnelSocketOptions(4096, "cubic")
        kind = self.kind(self.dialer(self.credentials(), mark=7, tuning=tuning))
        assert issubclass(kind, DialledTlsStream)
        self.assertEqual((kind.mark, kind.tuning), (7, tuning))
        connection = kind.creator(None)
        connection.set_connect_state()
        self.assertRaises(SSL.WantReadError, connection.do_handshake)
        sent = connection.bio_read(1 << 16)
        self.assertEqual(sent[:2], b"\x16\x03")
        self.assertIn(b"good.test", sent)

    def test_reloadedCredentialsAreUsedFromTheNextConnectionOn(self) -> None:
        credentials = self.credentials()
        kind = self.kind(self.dialer(credentials))
        assert issubclass(kind, DialledTlsStream)
        before = kind.creator(None).get_context()
        self.assertIs(kind.creator(None).get_context(), before)
        credentials.adopt(replace(credentials.prepare(), loaded=self.credentials().prepare().loaded))
        self.assertIsNot(kind.creator(None).get_context(), before)

    def test_dialersDoNotShareTheirChoices(self) -> None:
        one, other = self.dialer(mark=7), self.dialer(tuning=TunnelSocketOptions(4096))
        kinds = [self.kind(dialer) for dialer in (one, other)]
        self.assertEqual([kind.mark for kind in kinds], [7, None])
        self.assertEqual([kind.tuning.unsentLimit for kind in kinds], [TunnelSocketOptions().unsentLimit, 4096])


class SocketTests(_DialTestCase, TlsTestCase):
    """
    Read the firewall mark of the connections, and what else their sockets are told.
    """

    def setUp(self) -> None:
        super().setUp()
        self.journal: list[tuple[Any, ...]] = []
        self.made: list[FakeSocket] = []
        self.isRefused = False
        self.patch(sockopts, "SO_MARK", 36)
        self.patch(tcp.BaseClient, "createInternetSocket", lambda _: self.createSocket())

    def createSocket(self) -> FakeSocket:
        refused = [36] if self.isRefused else []
        self.made.append(FakeSocket(*refused, journal=self.journal, connecting=errno.EINPROGRESS))
        return self.made[-1]

    def order(self) -> list[str | int]:
        """
        @return: which marks were set, and when it was connected.
        """
        return [
            entry[3] if entry[0] == "option" else "connect"
            for entry in self.journal
            if entry[0] == "connect" or entry[2] == sockopts.SO_MARK
        ]

    def test_markIsSetBeforeTheFirstPacket(self) -> None:
        """
        Otherwise a VPN's default route would swallow its own carrier.
        """
        done = self.dialer(mark=0xCA6C).connect(V4, self.makeTunnel)
        self.reactor.advance(0)
        self.assertEqual(self.journal[0], ("option", socket.SOL_SOCKET, 36, 0xCA6C))
        self.assertEqual(self.journal[-1], ("connect", ("192.0.2.1", 8443)))
        done.addErrback(lambda _: None)
        done.cancel()

    def test_everyAddressIsDialledWithTheMark(self) -> None:
        dialer = self.dialer(mark=7)
        for address in (V4, IPv4Address("TCP", "192.0.2.2", 8443)):
            done = dialer.connect(address, self.makeTunnel)
            self.reactor.advance(0)
            done.addErrback(lambda _: None)
            done.cancel()
        self.assertEqual(self.order(), [7, "connect"] * 2)

    def test_dialersDoNotShareTheirMarks(self) -> None:
        for mark in (7, 8):
            done = self.dialer(mark=mark).connect(V4, self.makeTunnel)
            self.reactor.advance(0)
            done.addErrback(lambda _: None)
            done.cancel()
        self.assertEqual(self.order(), [7, "connect", 8, "connect"])

    def test_markThatMayNotBeSetIsAFailureInWords(self) -> None:
        self.isRefused = True
        done = self.dialer(mark=7).connect(V4, self.makeTunnel)
        self.reactor.advance(0.5)
        failure = self.failureResultOf(done)
        self.assertIn("Operation not permitted", str(wordsForFailure(failure)))
        self.assertEqual(self.journal, [])
        self.assertEqual([each.closed for each in self.made], [True])

    def test_refusalIsHeardOnce(self) -> None:
        """
        A reactor says in one call that there is something to read and that there is room to write.
        """
        for credentials in (None, ClientCredentials(ClientTls(cafile=self.cafile(TRUSTED)))):
            done = self.dialer(credentials).connect(V4, self.makeTunnel)
            self.reactor.advance(0)
            (stream,) = self.reactor.getWriters()
            self.made[-1].given = errno.ECONNREFUSED
            stream.doRead()
            stream.doWrite()
            stream.doRead()
            self.reactor.advance(0.5)
            self.assertIn("refused", str(wordsForFailure(self.failureResultOf(done))))
            self.assertEqual(self.reactor.getWriters(), [])

    def test_withoutAMarkNoneIsSet(self) -> None:
        self.isRefused = True
        done = self.dialer().connect(V4, self.makeTunnel)
        self.reactor.advance(0)
        self.assertEqual(self.order(), ["connect"])
        done.addErrback(lambda _: None)
        done.cancel()

    def test_socketIsTunedBeforeTheFirstPacket(self) -> None:
        """
        Some options are of use from the beginning only.
        """
        done = self.dialer(tuning=TunnelSocketOptions(4321)).connect(V4, self.makeTunnel)
        self.reactor.advance(0)
        tuned = [entry[3] for entry in self.journal[:-1]]
        self.assertEqual(self.journal[-1][0], "connect")
        self.assertIn(4321, tuned)
        done.addErrback(lambda _: None)
        done.cancel()

    def test_segmentSizeIsSetBeforeTheFirstPacket(self) -> None:
        """
        The other end is told when the connection is made, and so it holds both ways.
        """
        dialer = self.dialer()
        for size in (1200, None):
            done = dialer.connect(V4, self.makeTunnel, size)
            self.reactor.advance(0)
            done.addErrback(lambda _: None)
            done.cancel()
        sizes = [
            entry[3] if entry[0] == "option" else "connect"
            for entry in self.journal
            if entry[0] == "connect" or entry[2] == socket.TCP_MAXSEG
        ]
        self.assertEqual(sizes, [1200, "connect", "connect"])

    def refusedBy(self, number: int, *, isRead: bool) -> Failure:
        """
        @param number: what the network answers.
        @param isRead: whether the reactor takes it for the end of something that it reads.
        @return: why a connection failed.
        """
        done = self.dialer().connect(V4, self.makeTunnel)
        self.reactor.advance(0)
        (stream,) = self.reactor.writers
        self.made[-1].given = number
        reason = Failure(main.CONNECTION_DONE if isRead else main.CONNECTION_LOST)
        (stream.readConnectionLost if isRead else stream.connectionLost)(reason)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        failure: Failure = self.failureResultOf(done)
        return failure

    def test_refusalOfTheNetworkIsReadFromTheSocket(self) -> None:
        """
        The reactor says only that the connection is over, whatever a router or a firewall has answered.
        """
        for number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES):
            for isRead in (False, True):
                self.assertEqual(wordsForFailure(self.refusedBy(number, isRead=isRead)), WORDS[number])

    def test_endWithoutAReasonIsNoTextOfOurs(self) -> None:
        self.assertNotIn("Failure", wordsForFailure(self.refusedBy(0, isRead=False)))

    def test_addressThatTheSystemCannotHaveFails(self) -> None:
        done = self.dialer().connect(IPv6Address("TCP", "fe80::1%nowhere9", 8443), self.makeTunnel)
        self.assertNotIn("Failure", wordsForFailure(self.failureResultOf(done)))


class WordsForFailureTests(SynchronousTestCase):
    """
    Say in the log why there is no tunnel.
    """

    def test_usualFailuresHaveWords(self) -> None:
        remedy = "raise that limit (ulimit -n, or LimitNOFILE of systemd)"
        for cause, words in (
            (LookupFailed("the name server does not answer"), "the name server does not answer"),
            (error.ConnectionRefusedError(), WORDS[errno.ECONNREFUSED]),
            (error.TCPTimedOutError(), "no answer in time"),
            (error.NoRouteError(), WORDS[errno.ENETUNREACH]),
            (error.ConnectionDone(), "closed by the other end"),
            (error.ConnectionLost(), "connection lost"),
            (OSError(errno.EMFILE, "Too many open files"), f"too many open files: {remedy}"),
            (ValueError("invalid hostname: x"), "invalid hostname: x"),
        ):
            self.assertEqual(wordsForFailure(Failure(cause)), words)

    def test_systemsErrorsOfConnectingAreWordsAndNoNumbers(self) -> None:
        for number in (*WORDS, errno.ETIMEDOUT, errno.ENONET, errno.EOPNOTSUPP):
            for cause in (
                error.getConnectError((number, os.strerror(number))),
                error.ConnectBindError(number, os.strerror(number)),
            ):
                words = wordsForFailure(Failure(cause))
                self.assertIsInstance(words, str)
                self.assertNotIn("\n", words)
                self.assertRegex(words, r"^[A-Za-z]{2}.* .*[a-z]")

    def test_linkThatIsNotThereIsNamed(self) -> None:
        cause = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        words = wordsForFailure(Failure(cause))
        self.assertTrue(words.startswith("no network interface has"), words)
        self.assertIn("Name or service not known", words)

    def test_tlsRefusalsHaveTheWordsOfTls(self) -> None:
        self.assertEqual(wordsForFailure(Failure(error.ConnectionDone()), "expired"), "expired")
        self.assertEqual(wordsForFailure(Failure(error.ConnectionLost())), "connection lost")
