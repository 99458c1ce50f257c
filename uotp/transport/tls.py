"""
Streams with TLS.  Once the handshake is done, OpenSSL works on the socket itself and not on
buffers in memory: each tunnel would keep several of these, each as large as the most that it
ever carried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from OpenSSL import SSL
from twisted.internet import main
from twisted.python.failure import Failure

from uotp.boundaries import Chain, Security, Stream, StreamFacts
from uotp.errors import Refusal
from uotp.transport.phases import CARRYING, StreamEvent, StreamPhase
from uotp.transport.tcp import OPEN, READ_BYTES, TcpStream, cleaned

RECORD_BYTES = 16384
"""One record of TLS carries so much at the most."""

LONE_BYTES = 2048
"""
A record that is shorter is most likely the last that has come.  A system call to find out
does not pay, since the reactor tells if there is more.  A longer record that is not full is
the last of a write, and so of a train.  Where much has come before, reading stops there, so
that the next train is not cut in two.
"""


class TlsConnection(Protocol):
    """
    Is OpenSSL's connection on a socket, as a stream needs it.  It raises C{SSL.Error}, and
    knows in words why one end refuses the other.
    """

    def set_accept_state(self) -> None:
        """
        Take the server's part.
        """

    def set_connect_state(self) -> None:
        """
        Take the client's part.
        """

    def do_handshake(self) -> None:
        """
        Go on with the handshake.
        """

    def send(self, buf: Any, /) -> int:
        """
        @return: how many of these bytes were sent.
        """

    def recv(self, bufsiz: int, /) -> bytes:
        """
        @return: the bytes that have come, of one record at most.
        """

    def shutdown(self) -> bool:
        """
        Say goodbye.
        """

    def get_alpn_proto_negotiated(self) -> bytes:
        """
        @return: the name that both ends have agreed on, empty when there is none.
        """

    def peerPin(self) -> bytes | None:
        """
        @return: the SHA-256 of the peer's public key, or L{None} without a certificate.
        """

    def get_protocol_version_name(self) -> str:
        """
        @return: the version of TLS that is spoken.
        """

    def get_cipher_name(self) -> str | None:
        """
        @return: the cipher that is used.
        """

    def peerName(self) -> str | None:
        """
        @return: what the log calls the certificate of a client, or L{None} without one.
        """

    def peerChain(self) -> Chain:
        """
        @return: the peer's certificate and those above it; nothing without one.
        """

    def refusalWords(self, error: BaseException | None, /) -> str | None:
        """
        @param error: what has ended the connection, if anything has.
        @return: why one end refuses the other, or L{None}.
        """

    def refusalKind(self, error: BaseException | None, /) -> Refusal | None:
        """
        @return: what kind of reason that is, or L{None}.
        """


Creator = Callable[[Any], TlsConnection]
"""Makes OpenSSL's connection for a socket."""


class TlsStream(TcpStream):
    """
    Carries bytes with TLS, at either end.

    @ivar tls: OpenSSL's connection on our socket, while there is one.
    """

    tls: TlsConnection
    READING = frozenset({StreamPhase.OPEN, StreamPhase.AWAITING, StreamPhase.CLOSING})
    WAYS: Mapping[StreamPhase, tuple[str, str]] = {
        **TcpStream.WAYS,
        StreamPhase.HANDSHAKE: ("_awaitTurn", "_awaitTurn"),
        StreamPhase.ANSWERING: ("_answer", "_answer"),
        StreamPhase.AWAITING: ("_readOn", "_waitToRead"),
        StreamPhase.REFUSED: ("_awaitTurn", "_waitToRead"),
    }
    _security = Security()
    _hasMetEnd = False

    @property
    def security(self) -> Security:
        """
        What TLS has found out so far.
        """
        tls: TlsConnection | None = vars(self).get("tls")
        if tls is None:
            return self._security
        return self._securityNow(tls, None if self._failure is None else self._failure.value)

    def _securityNow(self, tls: TlsConnection, error: BaseException | None) -> Security:
        return self._security._replace(
            refusal=tls.refusalWords(error), peerName=tls.peerName(), kind=tls.refusalKind(error)
        )

    def facts(self) -> StreamFacts:
        """
        See L{uotp.boundaries.Stream.facts}.
        """
        return super().facts()._replace(tls=f"{self.tls.get_protocol_version_name()} {self.tls.get_cipher_name()}")

    # The handshake.

    def _beginHandshake(self) -> None:
        self._advance(StreamEvent.PREAMBLE_OVER)

    def _takeTurn(self) -> Any:
        if self.phase is StreamPhase.HANDSHAKE:
            return self._shakeHands()
        if self.phase is StreamPhase.REFUSED:
            self.startReading()
            return self._discard()
        return super()._takeTurn()

    def _shakeHands(self) -> Any:
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            self.startReading()
            self.stopWriting()
        except SSL.WantWriteError:
            self.stopReading()  # or what has come would wake us for nothing
            self.startWriting()
        except SSL.Error as error:
            return self._refuse(error)
        else:
            protocol, chain = self.tls.get_alpn_proto_negotiated() or None, self.tls.peerChain()
            self._security = Security(protocol, self.tls.peerPin(), peerChain=chain)
            self.startReading()
            self.stopWriting()
            self._secured()
            self.protocol.handshakeCompleted()
        return None

    def _refuse(self, error: SSL.Error) -> Any:
        """
        The handshake has failed.  If we closed at once, our kernel would reset the connection
        because of what the peer has sent meanwhile, and the peer would never read why it is
        refused.  So wait until the peer closes.  Whoever made this stream limits how long that
        may take.
        """
        end = self._fail(error)
        if self._failure is None:
            return end
        self._advance(StreamEvent.REFUSAL)
        self.startReading()
        self.stopWriting()
        return self._shutDown()

    def _fail(self, error: SSL.Error) -> Exception:
        if not isEndOfStream(error):
            self._failure = cleaned(error)
        return main.CONNECTION_LOST

    def _shutDown(self) -> Any:
        """
        Say to the peer's kernel that nothing more comes.
        """
        try:
            self.socket.shutdown(1)
        except OSError:
            return main.CONNECTION_LOST
        return None

    # Reading.

    def doRead(self) -> Any:
        """
        Read what has come, no more than a bound.
        """
        allowance = self.allowance
        if allowance.isSpent or allowance.owner.isExhausted:
            return self._readLater()
        try:
            record = self.tls.recv(RECORD_BYTES)
        except SSL.Error as error:
            end = self._notRead(error)
            if end is not None:
                return self._ended(end)
            self.allowance.spend(1)  # a part of a record, or one without data, takes its time as well
            return None
        if len(record) >= LONE_BYTES:
            return self._readMore(record)
        self.protocol.dataReceived(record)
        return None

    def _readMore(self, record: bytes) -> Any:
        """
        Read what may have come behind a record.
        """
        records = [record]
        size = len(record)
        end: Any = None
        try:
            while size < READ_BYTES:
                record = self.tls.recv(RECORD_BYTES)
                records.append(record)
                size += len(record)
                if len(record) < LONE_BYTES or (len(record) < RECORD_BYTES and size >= READ_BYTES // 2):
                    break
        except SSL.Error as error:
            end = self._notRead(error)
        self.protocol.dataReceived(records[0] if len(records) == 1 else b"".join(records))
        if end is None:
            return None
        self._hasMetEnd = True
        if self.isPaused:  # the next read, when there is one, meets the end again
            return None
        if self.allowance.isSpent:  # some of the records may wait for their turn; the next read meets the end again
            return self._readLater()
        return self._ended(end)

    def resumeProducing(self) -> None:
        """
        See L{uotp.boundaries.Stream.resumeProducing}.
        """
        super().resumeProducing()
        if self._hasMetEnd:
            reactor: Any = self.reactor
            reactor.callLater(0, self._meetEnd)  # behind what was paused for

    def _readAgain(self) -> None:
        super()._readAgain()
        if self._hasMetEnd:
            self._meetEnd()

    def _meetEnd(self) -> None:
        """
        Meet once more an end that had to wait.  OpenSSL has read it already, so the reactor may tell of nothing.
        """
        if self.isPaused or not self.connected or self.phase not in self.READING:
            return
        end = self.doRead()
        if end:
            self._meet(end)

    def _notRead(self, error: SSL.Error) -> Any:
        """
        @return: what has ended the connection, if it has ended.
        """
        if isinstance(error, SSL.WantReadError):
            return None
        if isinstance(error, SSL.WantWriteError):
            self._waitToAnswer()
            return None
        if isinstance(error, SSL.ZeroReturnError):
            if not self.halfCloses:
                self._sayGoodbye()
            return main.CONNECTION_DONE
        return self._fail(error)

    def _waitToAnswer(self) -> None:
        """
        The peer has asked TLS for new keys and does not read the answer.  Read no more
        either, and count as full, so that a peer that goes on like this is found.
        """
        if not self._advance(StreamEvent.ANSWER_WAITS):
            return
        self.stopReading()
        self.startWriting()
        self.producerPaused = True
        producer: Any = self.producer
        if producer is not None:
            producer.pauseProducing()

    def _answer(self) -> Any:
        """
        There is room: send the answer, read, and go on writing.
        """
        self._advance(StreamEvent.GOES_ON)
        self.startReading()
        end = self.doRead()
        return end if end or self.phase is StreamPhase.ANSWERING else self.doWrite()

    def _readOn(self) -> Any:
        """
        Something has come: read it, and try to write again.
        """
        self._advance(StreamEvent.GOES_ON)
        self.startWriting()
        return self.doRead()

    def _waitToRead(self) -> None:
        """
        There is room, but nothing can be written before more has come.  Do not ask for room
        until then, or the reactor would call again and again.
        """
        self.stopWriting()

    def _discard(self) -> Any:
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        return None if data else main.CONNECTION_DONE

    # Writing.

    def write(self, data: bytes) -> None:
        """
        Encrypt and send at once what can be sent, and the rest later.
        """
        if self.phase is OPEN and data and not self._tempDataLen and not self.dataBuffer:
            if len(data) > RECORD_BYTES:
                sent = self.writeSomeData(data)
            else:
                try:
                    sent = self.tls.send(data)
                except SSL.Error as error:
                    sent = self._notSent(error) or 0
            if sent == len(data):
                if self._isBounded:
                    self._pauseIfFull()
                return
            if not isinstance(sent, Exception):  # the reactor will meet the error again, and can end the connection
                data = data[sent:]
        self._hold(data)

    def writeSomeData(self, data: bytes) -> Any:
        """
        Encrypt and send as much as the kernel takes.

        @return: how many bytes, or what has ended the connection.
        """
        sent = 0
        view = memoryview(data)
        try:
            while sent < len(data):  # OpenSSL must not be asked to send nothing
                sent += self.tls.send(view[sent : sent + RECORD_BYTES])
        except SSL.Error as error:
            return self._notSent(error) or sent
        return sent

    def _notSent(self, error: SSL.Error) -> Any:
        """
        @return: what has ended the connection, if it has ended.
        """
        if isinstance(error, SSL.WantWriteError):
            return None
        if isinstance(error, SSL.WantReadError):
            self._advance(StreamEvent.MESSAGE_UNFINISHED)
            return None
        return self._fail(error)

    def doWrite(self) -> Any:
        """
        Go on where the kernel took nothing before.
        """
        end = super().doWrite()
        if end:
            return end
        if self.phase is StreamPhase.AWAITING:
            self.stopWriting()
        elif self.disconnecting and not self.dataBuffer and not self._tempDataLen:
            return self._sayGoodbye()
        return None

    def _postLoseConnection(self) -> None:
        """
        Do nothing here: when what was written is sent, L{doWrite} says goodbye.
        """

    # The end.

    def finish(self) -> None:
        """
        See L{TcpStream.finish}.
        """
        self.unregisterProducer()
        if self.phase in CARRYING:
            self._leave()

    def depart(self) -> None:
        """
        See L{TcpStream.depart}.
        """
        self._sayGoodbye()
        super().depart()

    def _leave(self) -> None:
        """
        Say behind what is written that nothing more comes, and wait for the peer to say the
        same.
        """
        self.disconnecting = 1
        if not self.dataBuffer and not self._tempDataLen:
            self._sayGoodbye()

    def _sayGoodbye(self) -> Any:
        isDeaf = self.phase is StreamPhase.ANSWERING
        if not self._advance(StreamEvent.GOODBYE):
            return None
        if isDeaf:
            self.startReading()
        with suppress(SSL.Error):  # the kernel takes nothing, or the connection is broken: then its end tells the peer
            self.tls.shutdown()
        return self._shutDown()

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        tls: TlsConnection | None = vars(self).pop("tls", None)  # stream and OpenSSL's connection know each other
        if tls is not None:
            self._security = self._securityNow(tls, (self._failure or reason).value)
        super().connectionLost(reason)


def isEndOfStream(error: BaseException | None) -> bool:
    """
    @return: whether an error of OpenSSL says only that the connection under it has ended.
    """
    if isinstance(error, SSL.SysCallError):
        return True
    queue = error.args[0] if isinstance(error, SSL.Error) and error.args else []
    # The system's own errors have no words there.
    return not queue or any(not entry[-1] or "unexpected eof" in str(entry[-1]).lower() for entry in queue)


# mypy proves here that both fit their seam.
_plain: type[Stream] = TcpStream
_secure: type[Stream] = TlsStream
