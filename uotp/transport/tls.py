"""
A connection under a tunnel with TLS, which works on the socket itself and not on
buffers in memory, of which each tunnel would keep several, as large as the most that
it ever carried.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from OpenSSL import SSL
from twisted.internet import main
from twisted.internet.interfaces import ISSLTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.net import TunnelSocketOptions
from uotp.transport.tcp import READ_BYTES, AcceptedConnection, DialledConnection, PlainConnection

RECORD_BYTES = 16384
"""The most that one record of TLS carries."""

LONE_BYTES = 2048
"""
A record that is shorter is most likely the last that has come: it is not worth a
system call to find out, since the reactor tells us if there is more.  One that is not
full is the last of a write, and so of a train: where much has come before, to stop there
spares cutting the next train in two.
"""


@implementer(ISSLTransport)
class TlsConnection(PlainConnection):
    """
    The same with TLS.

    @ivar tls: OpenSSL's connection, on our socket.
    """

    tls: Any
    _secured = False
    _readingWaits = False  # TLS has to answer first, and the kernel takes nothing
    _writingWaits = False  # TLS has to read the rest of a message first
    _leaving = False
    _saidGoodbye = False
    _lingering = False  # until the peer has had time to read why it was refused
    _failure: Failure | None = None

    def getHandle(self) -> Any:
        """
        @return: OpenSSL's connection.
        """
        return self.tls

    def getPeerCertificate(self) -> Any:
        """
        See C{ISSLTransport}.
        """
        return self.tls.get_peer_certificate()

    # The handshake.

    def _shakeHands(self) -> Any:
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            self.startReading()
            self.stopWriting()
        except SSL.WantWriteError:
            self.stopReading()  # or what has come would wake us for nothing
            self.startWriting()
        except SSL.Error:
            return self._refuse()
        else:
            self._secured = True
            self.startReading()
            self.stopWriting()
            self.protocol.handshakeCompleted()
        return None

    def _refuse(self) -> Any:
        """
        The handshake has failed.  To close at once would make the kernel tear the
        connection down with what the peer has sent meanwhile, and the peer would
        never read why; so wait for the peer's end, which whoever made us bounds.
        """
        end = self._fail()
        if self._failure is None:
            return end
        self._lingering = True
        self.startReading()
        self.stopWriting()
        return self._shutDown()

    def _fail(self) -> Exception:
        failure = Failure()
        if not isEndOfStream(failure.value):
            failure.cleanFailure()
            self._failure = failure
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
        Read what has come, bounded.
        """
        if not self._secured:
            return self._discard() if self._lingering else self._shakeHands()
        if self._writingWaits:
            self._writingWaits = False
            self.startWriting()
        end: Any = None
        records: list[bytes] = []
        size = 0
        try:
            while size < READ_BYTES:
                record = self.tls.recv(RECORD_BYTES)
                records.append(record)
                size += len(record)
                if len(record) < LONE_BYTES or (len(record) < RECORD_BYTES and size >= READ_BYTES // 2):
                    break
        except SSL.WantReadError:
            pass
        except SSL.WantWriteError:
            self._waitToAnswer()
        except SSL.ZeroReturnError:
            self._sayGoodbye()
            end = main.CONNECTION_DONE
        except SSL.Error:
            end = self._fail()
        if records:
            self.protocol.dataReceived(records[0] if len(records) == 1 else b"".join(records))
        return end

    def _discard(self) -> Any:
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        return None if data else main.CONNECTION_DONE

    def _waitToAnswer(self) -> None:
        """
        The peer has asked TLS for new keys and does not read the answer: read no
        more either, and count as full, so that one who goes on like this is found.
        """
        self._readingWaits = True
        self.stopReading()
        self.startWriting()
        self.producerPaused = True
        producer: Any = self.producer
        if producer is not None:
            producer.pauseProducing()

    # Writing.

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
        except SSL.WantWriteError:
            pass
        except SSL.WantReadError:
            self._writingWaits = True
        except SSL.Error:
            return self._fail()
        return sent

    def doWrite(self) -> Any:
        """
        Go on where the kernel took nothing before.
        """
        if not self._secured:
            return None if self._lingering else self._shakeHands()
        if self._readingWaits:
            self._readingWaits = False
            self.startReading()
            end = self.doRead()
            if end or self._readingWaits:
                return end
        end = super().doWrite()
        if self._writingWaits and not end:
            self.stopWriting()  # there is room, so that we would be called again and again
        if self._leaving and not end and not self.dataBuffer and not self._tempDataLen:
            return self._sayGoodbye()
        return end

    # The end.

    def loseConnection(self, reason: Any = None) -> None:
        """
        Send what is written, say that it was all, and wait for the peer to say the
        same.  Whoever calls this sets a time for it.
        """
        if not self.connected or self._leaving:
            return
        self._leaving = True
        if not self._secured:
            self.abortConnection()
        elif not self.dataBuffer and not self._tempDataLen:
            self._sayGoodbye()

    def _sayGoodbye(self) -> Any:
        if self._saidGoodbye:
            return None
        self._saidGoodbye = True
        with suppress(SSL.Error):  # the kernel takes nothing, or the connection is broken: its end says as much
            self.tls.shutdown()
        return self._shutDown()

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        super().connectionLost(self._failure or reason)
        self.tls = self._failure = None  # each knows the other


def isEndOfStream(error: BaseException | None) -> bool:
    """
    @return: whether OpenSSL speaks of a connection that has ended under it, rather
        than of something that it does not like.
    """
    if isinstance(error, SSL.SysCallError):
        return True
    queue = error.args[0] if isinstance(error, SSL.Error) and error.args else []
    # The system's own errors have no words there.
    return not queue or any(not entry[-1] or "unexpected eof" in str(entry[-1]).lower() for entry in queue)


class DialledTlsConnection(TlsConnection, DialledConnection):
    """
    The same with TLS.

    @cvar creator: makes OpenSSL's connection for a socket.
    """

    creator: Any

    def doConnect(self) -> None:
        """
        Connect, and begin the handshake when that is done.
        """
        super().doConnect()
        if self.connected:
            self.startWriting()

    def _connectDone(self) -> None:
        self.tls = type(self).creator(self.socket)
        self.tls.set_connect_state()
        super()._connectDone()


class AcceptedTlsConnection(TlsConnection, AcceptedConnection):
    """
    The same with TLS.
    """

    def __init__(self, creator: Any, tuning: TunnelSocketOptions, accepted: Any, *rest: Any) -> None:
        """
        @param creator: makes OpenSSL's connection for a socket.
        """
        self.tls = creator(accepted)
        self.tls.set_accept_state()
        super().__init__(tuning, accepted, *rest)
