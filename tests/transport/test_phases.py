"""
The phases of a stream: each with each event, and what may be asked of it in each.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.preambles import ProxyHeader
from tests.doubles.reactors import MemoryReactor
from tests.doubles.sockets import UNKNOWN_CA, Diarist, FakeSocket, FakeTls, accept
from uotp.boundaries import Security
from uotp.transport.phases import CARRYING, EARLY, STREAM_PHASES, StreamEvent, StreamPhase
from uotp.transport.tls import TlsStream

EXPECTED = {
    StreamPhase.PREAMBLE: {StreamEvent.PREAMBLE_OVER: StreamPhase.HANDSHAKE, StreamEvent.END: StreamPhase.ENDED},
    StreamPhase.HANDSHAKE: {
        StreamEvent.SECURED: StreamPhase.OPEN,
        StreamEvent.REFUSAL: StreamPhase.REFUSED,
        StreamEvent.END: StreamPhase.ENDED,
    },
    StreamPhase.OPEN: {
        StreamEvent.ANSWER_WAITS: StreamPhase.ANSWERING,
        StreamEvent.MESSAGE_UNFINISHED: StreamPhase.AWAITING,
        StreamEvent.GOODBYE: StreamPhase.CLOSING,
        StreamEvent.END: StreamPhase.ENDED,
    },
    StreamPhase.ANSWERING: {
        StreamEvent.GOES_ON: StreamPhase.OPEN,
        StreamEvent.GOODBYE: StreamPhase.CLOSING,
        StreamEvent.END: StreamPhase.ENDED,
    },
    StreamPhase.AWAITING: {StreamEvent.GOES_ON: StreamPhase.OPEN, StreamEvent.END: StreamPhase.ENDED},
    StreamPhase.REFUSED: {StreamEvent.END: StreamPhase.ENDED},
    StreamPhase.CLOSING: {StreamEvent.END: StreamPhase.ENDED},
    StreamPhase.ENDED: {},
}

AFTER_CLOSE = {
    StreamPhase.PREAMBLE: StreamPhase.ENDED,
    StreamPhase.HANDSHAKE: StreamPhase.ENDED,
    StreamPhase.OPEN: StreamPhase.CLOSING,
    StreamPhase.ANSWERING: StreamPhase.CLOSING,
    StreamPhase.AWAITING: StreamPhase.AWAITING,  # what is written goes first
    StreamPhase.REFUSED: StreamPhase.ENDED,
    StreamPhase.CLOSING: StreamPhase.CLOSING,
    StreamPhase.ENDED: StreamPhase.ENDED,
}


class PhaseTests(SynchronousTestCase):
    """
    Bring an accepted stream with TLS into each phase.
    """

    def reach(self, phase: StreamPhase) -> Any:
        """
        @return: a stream in this phase, brought there by what happens to it.
        """
        self.reactor = MemoryReactor()
        self.socket, self.tls, self.diary = FakeSocket(), FakeTls(), Diarist()
        refusal = SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")])
        self.tls.handshake = deque([refusal] if phase is StreamPhase.REFUSED else [None])
        preamble = ProxyHeader if phase is StreamPhase.PREAMBLE else None
        stream = accept(self.reactor, self.diary, self.socket, self.tls, preamble)
        if phase not in EARLY:
            self.reactor.happen(stream, read=True)
        if phase is StreamPhase.ANSWERING:
            self.tls.coming.append(SSL.WantWriteError())
            self.reactor.happen(stream, read=True)
        elif phase is StreamPhase.AWAITING:
            self.tls.failure = SSL.WantReadError()
            stream.write(b"waits")
        elif phase is StreamPhase.CLOSING:
            stream.close()
        elif phase is StreamPhase.ENDED:
            stream.abort()
        self.assertIs(stream.phase, phase)
        return stream

    def end(self, stream: Any) -> None:
        """
        Let a stream be gone; nothing is left of it then.
        """
        stream.abort()
        self.reactor.advance(0)
        self.assertEqual((self.diary.says.count("lost"), stream.phase), (1, StreamPhase.ENDED))
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))

    def test_everyEventInEveryPhaseLeadsWhereTheTableSays(self) -> None:
        for phase in StreamPhase:
            for event in StreamEvent:
                stream = self.reach(phase)
                before = vars(stream).get("doRead")
                expected = EXPECTED[phase].get(event, phase)
                self.assertEqual(stream._advance(event), expected is not phase)
                self.assertEqual((phase, event, stream.phase), (phase, event, expected))
                ways = TlsStream.WAYS.get(expected, ("doRead", "doWrite"))
                if phase is StreamPhase.ENDED:
                    self.assertIs(vars(stream).get("doRead"), before, "what Twisted has put there stays")
                else:
                    self.assertEqual((stream.doRead.__name__, stream.doWrite.__name__), ways)
                self.end(stream)

    def test_openStreamHasNothingInFrontOfItsOwnMethods(self) -> None:
        """
        Nothing is asked or looked up on the way of a lone datagram, and nothing kept.
        """
        stream = self.reach(StreamPhase.OPEN)
        self.assertFalse({"doRead", "doWrite", "write"} & set(vars(stream)))
        self.end(stream)

    def test_tableNamesEveryPhase(self) -> None:
        """
        Each can be reached, but the first, and left, but the last.
        """
        self.assertEqual({before for before, _ in STREAM_PHASES}, set(StreamPhase) - {StreamPhase.ENDED})
        self.assertEqual(set(STREAM_PHASES.values()), set(StreamPhase) - {StreamPhase.PREAMBLE})
        self.assertEqual({event for _, event in STREAM_PHASES}, set(StreamEvent))

    def test_whatIsWrittenIsSentOrWaitsOrIsDropped(self) -> None:
        for phase in StreamPhase:
            stream = self.reach(phase)
            before = stream.queuedBytes()
            stream.write(b"some")
            waits = stream.queuedBytes() - before
            self.assertEqual((phase, self.tls.taken), (phase, b"some" if phase is StreamPhase.OPEN else b""))
            self.assertEqual((phase, waits), (phase, 4 if phase in (CARRYING | EARLY) - {StreamPhase.OPEN} else 0))
            self.assertEqual("pause" in self.diary.says, bool(stream.queuedBytes()) or phase is StreamPhase.ANSWERING)
            self.end(stream)

    def test_whatWaitsForTheHandshakeGoesFirst(self) -> None:
        stream = self.reach(StreamPhase.HANDSHAKE)
        stream.write(b"early")
        self.assertEqual(self.diary.says, ["made", "pause"])
        self.reactor.happen(stream, read=True)
        stream.write(b"late")
        self.assertEqual(self.tls.taken, b"")
        self.reactor.happen(stream, write=True)
        self.assertEqual(
            (self.tls.taken, self.diary.says), (b"earlylate", ["made", "pause", "secured", "pause", "resume"])
        )
        self.end(stream)

    def test_closeInEveryPhase(self) -> None:
        """
        What has no goodbye to say is aborted; closing twice is closing once.
        """
        for phase in StreamPhase:
            stream = self.reach(phase)
            for _ in range(2):
                stream.close()
                self.assertEqual((phase, stream.phase), (phase, AFTER_CLOSE[phase]))
            self.assertEqual((phase, self.tls.goodbyes), (phase, int(AFTER_CLOSE[phase] is StreamPhase.CLOSING)))
            stream.write(b"late")
            self.assertNotIn(b"late", self.tls.taken)
            self.end(stream)

    def test_closeWhileTheAnswerWaitsReadsOn(self) -> None:
        """
        Otherwise the peer's goodbye, or its end, would never be seen.
        """
        stream = self.reach(StreamPhase.ANSWERING)
        self.assertNotIn(stream, self.reactor.readers)
        stream.close()
        self.assertIn(stream, self.reactor.readers)
        self.tls.coming.append(SSL.ZeroReturnError())
        self.reactor.happen(stream, read=True, write=True)
        self.assertEqual(self.diary.says[-1], "lost")

    def test_abortInEveryPhase(self) -> None:
        for phase in StreamPhase:
            stream = self.reach(phase)
            stream.abort()
            stream.abort()
            self.assertIs(stream.phase, StreamPhase.ENDED)
            self.end(stream)

    def test_answerThatWaitsAfterTheGoodbyeDoesNotStopTheReading(self) -> None:
        """
        Nobody writes it any more, and the peer's end has to be seen.
        """
        stream = self.reach(StreamPhase.CLOSING)
        self.tls.coming.append(SSL.WantWriteError())
        self.reactor.happen(stream, read=True)
        self.assertEqual((stream.phase, stream in self.reactor.readers), (StreamPhase.CLOSING, True))
        self.end(stream)

    # What TLS has found out.

    def test_whoThePeerIsIsKnownFromTheHandshakeOn(self) -> None:
        """
        Not before, when nobody has been verified; and it is still known afterwards, as who
        has lost a connection may ask.
        """
        known = Security(b"uotp/2", b"the peer's")
        for phase in StreamPhase:
            stream = self.reach(phase)
            secured = phase not in EARLY and phase is not StreamPhase.REFUSED
            for _ in range(2):
                self.assertEqual(
                    (phase, stream.security._replace(refusal=None, kind=None)),
                    (phase, known if secured else Security()),
                )
                self.end(stream)

    def test_withoutAlpnNothingWasAgreedOn(self) -> None:
        """
        OpenSSL has an empty name for that.
        """
        stream = self.reach(StreamPhase.HANDSHAKE)
        self.tls.alpn = b""
        self.reactor.happen(stream, read=True)
        self.assertIsNone(stream.security.protocol)
        self.end(stream)

    def test_refusalIsSaidWhileItIsWaitedForAndAfterwards(self) -> None:
        """
        Whoever gives up meanwhile can say why; and so can whoever is told of the end.
        """
        words = UNKNOWN_CA
        stream = self.reach(StreamPhase.REFUSED)
        self.assertEqual(stream.security.refusal, words)
        self.end(stream)
        self.assertEqual((self.diary.refusal, stream.security.refusal), (words, words))

    def test_ourRefusalIsKnownBeforeItCanBeSaidToThePeer(self) -> None:
        """
        The kernel takes nothing: the handshake has not failed yet.
        """
        stream = self.reach(StreamPhase.HANDSHAKE)
        self.tls.handshake = deque([SSL.WantWriteError()])
        self.tls.refusal = "unknown issuer 'CN=Stranger CA'"
        self.reactor.happen(stream, read=True)
        self.assertEqual(
            (stream.phase, stream.security.refusal), (StreamPhase.HANDSHAKE, "unknown issuer 'CN=Stranger CA'")
        )
        self.end(stream)
        self.assertEqual(stream.security.refusal, "unknown issuer 'CN=Stranger CA'")

    def test_endInGoodOrderIsNoRefusal(self) -> None:
        for phase in (StreamPhase.OPEN, StreamPhase.CLOSING):
            stream = self.reach(phase)
            self.end(stream)
            self.assertIsNone(stream.security.refusal)
