"""
One connection to a control socket: a request comes, and an answer goes, in pieces that the other end has time
to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IPullProducer
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.errors import ConfigurationError
from uotp.monitoring.controlport import ReportingProtocol
from uotp.monitoring.controlwire import (
    ASK_DISCONNECT,
    ASK_RELOAD,
    MOST_REQUEST_BYTES,
    RequestError,
    answerOf,
    parseRequest,
    piecesOfAnswer,
)
from uotp.monitoring.report import Report, Reporter
from uotp.telemetry import Logger, orLog

Reload = Callable[[], Deferred[tuple[str, ...]]]
"""Reads files again, see L{Reporter.reload}, and tells which keys of the configuration file need a restart."""

EXCHANGE_SECONDS = 10.0
"""So long a request may take to come, and so long an answer may take to be read."""

WORK_SECONDS = 40.0
"""So long what is asked may take; new files take up to 30 s where there are workers."""

PIECE_BYTES = 1 << 13
"""At least so much is written at a time: four sessions or so, in a tenth of a millisecond."""


@implementer(IPullProducer)
class ControlConnection(ReportingProtocol):
    """
    Serves one connection.
    """

    _log = Logger()

    def __init__(self, reporter: Reporter, reload: Reload, clock: Any) -> None:
        """
        @param reporter: is asked.
        @param reload: see L{Reload}.
        @param clock: C{IReactorTime}.
        """
        self._reporter = reporter
        self._reload = reload
        self._clock = clock
        self._received = bytearray()
        self._isAsked = False
        self._pieces: Iterator[bytes] = iter(())
        self._deadline: IDelayedCall | None = None

    @property
    def _unix(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        """
        Somebody is there.
        """
        self._allow(EXCHANGE_SECONDS)

    def _allow(self, seconds: float) -> None:
        """
        From now on so much time is left for what is done now.
        """
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._clock.callLater(seconds, self._tooLate)

    def _tooLate(self) -> None:
        self._deadline = None
        self._unix.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        self._pieces = iter(())
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.whenGone()

    @property
    def _isOver(self) -> bool:
        return self._deadline is None

    def dataReceived(self, data: bytes) -> None:
        """
        A part of the request has come.
        """
        if self._isAsked:  # nobody has more to say
            self._unix.abortConnection()
            return
        self._received += data
        line, end, rest = bytes(self._received[: MOST_REQUEST_BYTES + 1]).partition(b"\n")
        if not end:
            if len(line) > MOST_REQUEST_BYTES:
                self._refuse(f"a request has at most {MOST_REQUEST_BYTES} bytes")
            return
        self._received.clear()
        if rest:
            self._refuse("one request is answered for each connection")
            return
        self._isAsked = True
        self._allow(WORK_SECONDS)
        orLog(maybeDeferred(self._serve, line).addErrback(self._failed), self._log, "a request was not answered")

    def _serve(self, line: bytes) -> Deferred[Any]:
        """
        Do what is asked.

        @raise RequestError: when it cannot be.
        """
        request = parseRequest(line)
        if request.ask == ASK_RELOAD:
            return self._reload().addCallback(self._reloaded)
        if request.ask == ASK_DISCONNECT:
            ended = self._reporter.disconnect(request.session)
            return ended.addCallback(lambda number: self._end(ended=number))
        return self._reporter.report().addCallback(self._tell)

    def _reloaded(self, waiting: Sequence[str]) -> None:
        self._end(reloaded=True, **({"restart": list(waiting)} if waiting else {}))

    def _failed(self, reason: Failure) -> None:
        if reason.check(RequestError, ConfigurationError):
            self._refuse(reason.getErrorMessage())
            return
        self._log.failure("a request was not answered", reason)
        self._refuse("this has failed in the program: its log says why")

    def _refuse(self, reason: str) -> None:
        self._isAsked = True
        self._end(error=reason)

    def _end(self, **values: object) -> None:
        self._answer(iter((answerOf(**values),)))

    def _tell(self, report: Report) -> None:
        self._answer(piecesOfAnswer(report))

    def _answer(self, pieces: Iterator[bytes]) -> None:
        if self._isOver:
            return
        self._allow(EXCHANGE_SECONDS)
        self._pieces = pieces
        self._unix.registerProducer(self, False)

    # What the transport wants of a producer.

    def resumeProducing(self) -> None:
        """
        All is written: go on with the next part.
        """
        some: list[bytes] = []
        size = 0
        try:
            while size < PIECE_BYTES:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                some.append(piece)
                size += len(piece)
        except (TypeError, ValueError):
            self._log.failure("a report cannot be written down")
            self._unix.abortConnection()
            return
        self._unix.write(b"".join(some))
        if size < PIECE_BYTES:
            self._unix.unregisterProducer()
            self._unix.loseConnection()

    def stopProducing(self) -> None:
        """
        Nobody reads any more.
        """
        self._pieces = iter(())
