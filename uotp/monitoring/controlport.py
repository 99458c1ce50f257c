"""
Accepts connections at a control socket: a few at a time, and only those of users who may.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.monitoring.controlsocket import ROOT_USER
from uotp.telemetry import Logger, RateLimit, logCounted

MOST_CONNECTIONS = 8
"""So many are served at a time; the next ones wait in the kernel, which takes sixteen."""

ACCEPT_AGAIN_SECONDS = 1.0
"""When a connection could not be accepted, as without a descriptor, the next is after so long."""

CREDENTIALS = struct.Struct("iii")
"""Linux' C{struct ucred}: process, user and group of a peer."""


class ReportingProtocol(TwistedProtocol):
    """
    Tells when its connection is gone.
    """

    whenGone: Callable[[], object]


@implementer(IReadDescriptor)
class ControlPort:
    """
    Accepts at a socket.
    """

    _log = Logger()

    def __init__(self, listening: socket.socket, make: Callable[[], ReportingProtocol], reactor: Any) -> None:
        """
        @param listening: does not block; it stays whose it is.
        @param make: makes what serves one connection.
        @param reactor: C{IReactorFDSet}, C{IReactorTime}, C{IReactorSocket}.
        """
        self._socket = listening
        self._make = make
        self._reactor = reactor
        self._open: set[ReportingProtocol] = set()
        self._again: IDelayedCall | None = None
        self._isStopped = False
        self._rateLimit = RateLimit(reactor.seconds)

    def start(self) -> None:
        """
        Begin to accept.
        """
        self._reactor.addReader(self)

    def stop(self) -> None:
        """
        Accept nothing more, and end what is open.
        """
        self._isStopped = True
        self._reactor.removeReader(self)
        if self._again is not None:
            self._again.cancel()
            self._again = None
        for protocol in list(self._open):
            transport: Any = protocol.transport
            transport.abortConnection()

    # What the reactor wants to know.

    def fileno(self) -> int:
        """
        See C{IFileDescriptor}.
        """
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """
        See C{ILoggingContext}.
        """
        return type(self).__name__

    def connectionLost(self, reason: Failure) -> None:
        """
        See C{IFileDescriptor}.
        """

    def doRead(self) -> None:
        """
        Accept one connection: the next one is for the next turn.
        """
        try:
            accepted, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._say("no connection can be accepted: {reason}", error.strerror or str(error))
            self._reactor.removeReader(self)
            self._again = self._reactor.callLater(ACCEPT_AGAIN_SECONDS, self._goOn)
            return
        with accepted:
            user = peerOf(accepted)
            if user is not None and user not in {os.geteuid(), ROOT_USER}:
                self._say("user {reason} may not ask", str(user))
                return
            accepted.setblocking(False)
            protocol = self._make()
            protocol.whenGone = lambda: self._gone(protocol)
            self._open.add(protocol)
            try:
                self._reactor.adoptStreamConnection(accepted.fileno(), socket.AF_UNIX, _One(protocol))
            except OSError as error:
                self._open.discard(protocol)
                del protocol.whenGone
                self._say("a connection was lost: {reason}", error.strerror or str(error))
        if len(self._open) >= MOST_CONNECTIONS:
            self._reactor.removeReader(self)

    def _goOn(self) -> None:
        self._again = None
        if not self._isStopped and len(self._open) < MOST_CONNECTIONS:
            self._reactor.addReader(self)

    def _gone(self, protocol: ReportingProtocol) -> None:
        self._open.discard(protocol)
        del protocol.whenGone  # it refers to its protocol, and the garbage collector would be needed
        if self._again is None:
            self._goOn()

    def _say(self, words: str, reason: str) -> None:
        suppressed = self._rateLimit.suppressedBefore(words)
        logCounted(self._log, LogLevel.warn, suppressed, "control socket: " + words, reason=reason)


class _One(Factory):
    noisy = False

    def __init__(self, protocol: ReportingProtocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: object) -> ReportingProtocol:
        return self._protocol


def peerOf(accepted: socket.socket) -> int | None:
    """
    @return: the user that has connected; L{None} where the system does not tell: the file's mode keeps others out.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _, user, _ = CREDENTIALS.unpack(accepted.getsockopt(socket.SOL_SOCKET, option, CREDENTIALS.size))
    return int(user)
