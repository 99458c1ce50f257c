"""
What comes before a stream, with TLS and without, at either end, byte by byte and all at once.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.error import ConnectionDone, ConnectionLost, UserError
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.preambles import Dialogue, LinePreamble, ProxyHeader, ProxyRequest
from tests.doubles.reactors import MemoryReactor
from tests.doubles.sockets import PEER, Diarist, FakeSocket, FakeTls, accept, broken
from uotp.errors import PeerError
from uotp.transport.dialer import connectTunnel
from uotp.transport.dialled import DialledTcpStream, DialledTlsStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.phases import StreamPhase

REQUEST = b"CONNECT good.test:8443 HTTP/1.1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\n\r\n"
HEADER = b"PROXY 192.0.2.9\r\n"


class _PreambleTestCase(SynchronousTestCase):
    """
    Has one stream, which begins with a preamble.
    """

    tls: FakeTls | None
    stream: Any

    def setUp(self) -> None:
        """
        Make what it stands on; its end is told once, and nothing is watched then.
        """
        self.reactor = MemoryReactor()
        self.socket, self.tls = FakeSocket(), None
        self.diary = Diarist()
        self.made: list[LinePreamble] = []
        self.failures: list[Failure] = []
        self.timesReached = 0
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        End the stream, if nobody has.
        """
        self.stream.abort()
        self.reactor.advance(0)
        ends = self.diary.says.count("lost") + len(self.failures)
        self.assertEqual(ends, 1)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))

    def accept(self, make: Callable[[], Any]) -> None:
        self.stream = accept(self.reactor, self.diary, self.socket, self.tls, make)

    def dial(self, make: Callable[[], Any]) -> None:
        self.patch(tcp.BaseClient, "createInternetSocket", lambda _: self.socket)
        self.patch(tcp, "_getpeername", lambda _: (PEER.host, PEER.port))
        choices: dict[str, Any] = {"makePreamble": staticmethod(make)}
        kind: type[DialledTcpStream] = DialledTcpStream
        if self.tls is not None:
            kind, choices["creator"] = DialledTlsStream, staticmethod(lambda _: self.tls)
            choices["handshakes"] = HandshakeQueue(self.reactor)
        factory: Any = ClientFactory.forProtocol(lambda: self.diary)
        factory.noisy = False
        factory.reached = self.reached
        factory.clientConnectionFailed = lambda _, reason: self.failures.append(reason)
        connector: Any = connectTunnel(type("Kind", (kind,), choices), self.reactor, "192.0.2.1", 8443, factory)
        self.stream = connector.transport
        self.reactor.advance(0)

    def reached(self) -> None:
        self.timesReached += 1

    def failure(self) -> Failure:
        """
        @return: why there is no connection.
        """
        (reason,) = self.failures
        self.assertEqual(self.diary.says, [])
        return reason

    def happens(self, *, read: bool = False, write: bool = False) -> bool:
        """
        Let one turn pass in which something has happened.
        """
        return self.reactor.happen(self.stream, read=read, write=write)

    def comes(self, data: bytes) -> None:
        """
        Let bytes come, of which the stream reads what it wants in one turn.
        """
        self.socket.coming.append(data)
        self.happens(read=True)

    def watched(self) -> tuple[bool, bool]:
        """
        @return: whether the reactor waits for something to read, and to write.
        """
        return self.stream in self.reactor.readers, self.stream in self.reactor.writers


class DialledPreambleTests(_PreambleTestCase):
    """
    Open a stream through somebody who has to agree.
    """

    def test_streamBeginsWhenTheOtherEndHasAgreed(self) -> None:
        """
        What stands behind the answer in the same segment is the stream's.
        """
        self.dial(ProxyRequest)
        self.assertEqual((self.diary.says, self.stream.phase, self.timesReached), ([], StreamPhase.PREAMBLE, 1))
        self.happens(write=True)
        self.assertEqual((self.socket.taken, self.watched()), (REQUEST, (True, False)))
        self.comes(ANSWER + b"at once")
        self.assertEqual((self.stream.phase, self.diary.heard), (StreamPhase.OPEN, []))
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [b"at once"])
        self.stream.write(b"we too")
        self.assertEqual(self.socket.taken, REQUEST + b"we too")

    def test_nobodyHasAConnectionBeforeTheOtherEndHasAgreed(self) -> None:
        """
        Only then something can be written.
        """
        self.dial(ProxyRequest)
        self.happens(write=True)
        self.assertEqual((self.socket.taken, self.diary.says), (REQUEST, []))
        self.comes(ANSWER)
        self.assertEqual(self.diary.says, ["made"])
        self.stream.write(b"hello")
        self.assertEqual(self.socket.taken, REQUEST + b"hello")

    def test_answerMayComeByteByByte(self) -> None:
        self.dial(ProxyRequest)
        self.happens(write=True)
        for byte in ANSWER:
            self.assertIs(self.stream.phase, StreamPhase.PREAMBLE)
            self.comes(bytes([byte]))
        self.assertEqual((self.stream.phase, self.diary.heard, list(self.socket.coming)), (StreamPhase.OPEN, [], []))

    def test_requestGoesOutAsTheKernelTakesIt(self) -> None:
        self.dial(ProxyRequest)
        for taken in range(0, len(REQUEST), 5):
            self.assertEqual((self.socket.taken, self.watched()), (REQUEST[:taken], (True, True)))
            self.socket.room = 5
            self.happens(write=True)
        self.assertEqual((self.socket.taken, self.watched()), (REQUEST, (True, False)))

    def test_refusalIsTheReasonOfTheLoss(self) -> None:
        self.dial(ProxyRequest)
        self.comes(b"HTTP/1.1 403 No\r\n\r\n")
        self.failure().trap(PeerError)
        self.assertEqual(self.failure().getErrorMessage(), "the proxy refuses")

    def test_answerIsBounded(self) -> None:
        """
        Whoever does not come to an end is not listened to; one that is as long as it may be is.
        """
        self.dial(lambda: ProxyRequest(limit=30))
        self.comes(b"HTTP/1.1 200 " + bytes(1000))
        self.failure().trap(PeerError)
        self.assertIn("more than 30 bytes", self.failure().getErrorMessage())
        self.assertLessEqual(max(self.socket.asked), 30)

    def test_longestAnswerIsHeard(self) -> None:
        self.dial(lambda: ProxyRequest(limit=len(ANSWER)))
        self.comes(ANSWER)
        self.assertIs(self.stream.phase, StreamPhase.OPEN)

    def test_endsOfTheConnectionAreEnds(self) -> None:
        for data, kind in ((b"", ConnectionDone), (broken(), ConnectionLost)):
            self.socket, self.diary = FakeSocket(), Diarist()
            self.failures.clear()
            self.dial(ProxyRequest)
            self.socket.coming.append(data)
            self.happens(read=True)
            self.failure().trap(kind)
            self.end()
        self.socket, self.diary = FakeSocket(), Diarist()
        self.failures.clear()
        self.dial(ProxyRequest)
        self.socket.failure = OSError(errno.EPIPE, "EPIPE")
        self.happens(write=True)
        self.failure().trap(ConnectionLost)

    def test_lastWordIsSaidBeforeTheStreamBegins(self) -> None:
        """
        Though the other end has said all; what it says next is not touched meanwhile.
        """
        self.dial(Dialogue)
        self.happens(write=True)
        self.comes(b"a")
        self.assertEqual(self.socket.taken, b"12")
        self.socket.room = 0
        self.comes(b"bstream")
        self.assertEqual((self.stream.phase, self.watched()), (StreamPhase.PREAMBLE, (False, True)))
        self.socket.room = 100
        self.happens(write=True)
        self.assertEqual(
            (self.socket.taken, self.stream.phase, self.watched()), (b"123", StreamPhase.OPEN, (True, False))
        )
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [b"stream"])

    def test_handshakeBeginsWhenTheOtherEndHasAgreed(self) -> None:
        """
        With TLS; not a byte of its own is taken from OpenSSL.
        """
        self.tls = FakeTls()
        self.dial(ProxyRequest)
        self.happens(write=True)
        self.assertEqual((self.socket.taken, self.tls.steps), (REQUEST, 0))
        self.comes(ANSWER)
        self.assertEqual((self.stream.phase, self.tls.steps, self.watched()), (StreamPhase.OPEN, 1, (True, False)))
        self.assertEqual((self.diary.says, self.tls.side), (["made", "secured"], "client"))

    def test_attemptCanBeGivenUpMeanwhile(self) -> None:
        """
        Nothing is left of it then.
        """
        self.dial(ProxyRequest)
        self.happens(write=True)
        self.stream.connector.stopConnecting()
        self.failure().trap(UserError)
        self.assertFalse(self.happens(read=True, write=True))
        self.assertEqual(self.stream.phase, StreamPhase.ENDED)


class AcceptedPreambleTests(_PreambleTestCase):
    """
    Accept a stream before which a proxy says whose it is.
    """

    def make(self) -> ProxyHeader:
        made = ProxyHeader()
        self.made.append(made)
        return made

    def test_headerIsNotPartOfTheStream(self) -> None:
        for cut in range(len(HEADER) + 1):
            self.socket, self.diary = FakeSocket(), Diarist()
            self.accept(self.make)
            self.assertEqual(self.watched(), (True, True))
            self.happens(write=True)
            self.assertEqual(self.watched(), (True, False))
            if cut:
                self.comes(HEADER[:cut])
            self.comes(HEADER[cut:] + b"stream")
            while self.happens(read=True) and self.socket.coming:
                pass
            self.assertEqual((cut, b"".join(self.diary.heard), self.socket.taken), (cut, b"stream", b""))
            self.assertEqual(self.made[-1].heard, HEADER.removesuffix(b"\r\n"))
            self.end()

    def test_handshakeBehindTheHeaderIsLeftToOpenssl(self) -> None:
        """
        It reads the socket itself: every byte of it is still there.
        """
        self.tls = FakeTls()
        self.accept(self.make)
        self.comes(HEADER + b"client's hello")
        self.assertEqual((self.stream.phase, list(self.socket.coming)), (StreamPhase.HANDSHAKE, [b"client's hello"]))
        self.happens(read=True)
        self.assertEqual(self.diary.says, ["made", "secured"])

    def test_handshakeThatFailsBehindAHeaderIsARefusalAsEver(self) -> None:
        """
        Nothing of the preamble is left then.
        """
        self.tls = FakeTls()
        self.tls.handshake.clear()
        self.tls.handshake.append(SSL.Error([("SSL routines", "", "http request")]))
        self.accept(self.make)
        self.comes(HEADER)
        self.happens(read=True)
        self.assertIs(self.stream.phase, StreamPhase.REFUSED)
        self.assertEqual(self.stream.security.refusal, "the peer does not speak TLS: was tls=None said there?")

    def test_wakingForNothingChangesNothing(self) -> None:
        self.accept(self.make)
        self.happens(read=True, write=True)
        self.assertEqual((self.stream.phase, self.diary.says), (StreamPhase.PREAMBLE, ["made"]))
