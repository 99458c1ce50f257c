"""
What a plain web server says that has nothing to show: every path is not found, and what is no HTTP is
a bad request.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

import h11

from uotp.boundaries import Allowance
from uotp.errors import forgetFrames
from uotp.server.door.heads import MOST_HEAD_LINES, MOST_REQUEST_HEAD_BYTES, linesOfHead, mayBeRequest
from uotp.server.door.seams import Guest

NOT_FOUND = 404

BAD_GATEWAY = 502

UNAVAILABLE = 503

BAD_REQUEST = 400

CONTENT_TOO_LARGE = 413

HEAD_TOO_LARGE = 431

VERSION_NOT_SUPPORTED = 505

REASONS = {
    BAD_REQUEST: "Bad Request",
    NOT_FOUND: "Not Found",
    CONTENT_TOO_LARGE: "Content Too Large",
    HEAD_TOO_LARGE: "Request Header Fields Too Large",
    BAD_GATEWAY: "Bad Gateway",
    UNAVAILABLE: "Service Unavailable",
    VERSION_NOT_SUPPORTED: "HTTP Version Not Supported",
}
"""What stands behind the number of an answer."""

PAGE = (
    "<html>\r\n<head><title>{status} {reason}</title></head>\r\n"
    "<body>\r\n<h1>{status} {reason}</h1>\r\n</body>\r\n</html>\r\n"
)

MOST_BODY_BYTES = 1 << 20
"""So much of the body of one request is read, and thrown away."""

REQUEST_UNITS = 10
"""
To answer one request takes about as long as to hand on so many lone datagrams; to read it, one more for each line of
its head.
"""

REQUEST_SECONDS = 60.0
"""A request may take so long, and so long nobody need say anything: as with other web servers."""


def isInChunks(request: h11.Request) -> bool:
    """
    @return: whether the body of a request comes in chunks.
    """
    return any(name == b"transfer-encoding" for name, _ in request.headers)


class StaticSite:
    """
    Answers one visitor without any server behind it.
    """

    idleSeconds = REQUEST_SECONDS

    def __init__(
        self,
        guest: Guest,
        allowance: Allowance,
        now: Callable[[], float],
        wallClock: Callable[[], float],
        status: int = NOT_FOUND,
    ) -> None:
        """
        @param allowance: of all visitors; an answer costs units of it.
        @param now: the reactor's clock.
        @param wallClock: seconds since 1970.
        @param status: of the answer to a good request.
        """
        self._guest = guest
        self._allowance = allowance
        self._now = now
        self._wallClock = wallClock
        self._status = status
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_REQUEST_HEAD_BYTES)
        self._request: h11.Request | None = None
        self._bodyBytes = self._lines = 0
        self._isOver = self._waits = self._hasEnded = self._isPaused = False
        self.activeAt = now()

    def feed(self, data: bytes) -> None:
        """
        Read requests, and answer them.
        """
        if self._isOver or not data:
            return
        self._connection.receive_data(data)
        self._goOn()

    def _goOn(self) -> None:
        if self._waits or self._isPaused:
            return
        allowance = self._allowance
        while not self._isOver and self._step():
            if allowance.isSpent or allowance.owner.isExhausted:
                self._waits = True
                self._guest.pauseReading()
                allowance.later(self._turn)
                return
        if self._hasEnded and not self._isOver:
            self._finish()

    def _turn(self) -> None:
        self._waits = False
        if self._isOver:
            return
        self._goOn()
        if not self._waits and not self._isOver:
            self._guest.resumeReading()

    def _step(self) -> bool:
        """
        Read on until a request is answered.

        @return: whether there may be another one.
        """
        while True:
            if self._connection.their_state is h11.IDLE and not self._hasFewLines():
                self._refuse(HEAD_TOO_LARGE)
                return False
            try:
                event = self._connection.next_event()
            except h11.RemoteProtocolError as error:
                forgetFrames(error)
                self._refuse(error.error_status_hint)
                return False
            if event is h11.NEED_DATA or event is h11.PAUSED:
                self._requireRequest()
                return False
            if isinstance(event, h11.EndOfMessage):
                self._answer(self._status, isLast=self._status >= BAD_GATEWAY)
                return not self._isOver
            self._hear(event)
            if self._isOver:
                return False

    def _hasFewLines(self) -> bool:
        """
        @return: whether the head that comes next is one to be read.
        """
        lines = linesOfHead(self._connection.trailing_data[0])
        self._lines = min(lines, MOST_HEAD_LINES)
        return lines <= MOST_HEAD_LINES

    def _hear(self, event: object) -> None:
        """
        A part of a request has come.  A body in chunks is not read, since there may be one byte in each.
        """
        if isinstance(event, h11.Request):
            self._request, self._bodyBytes = event, 0
            if event.http_version not in {b"1.0", b"1.1"}:
                self._refuse(VERSION_NOT_SUPPORTED)
            elif self._connection.they_are_waiting_for_100_continue or isInChunks(event):
                self._answer(self._status, isLast=True)
        elif isinstance(event, h11.Data):
            self._bodyBytes += len(event.data)
            if self._bodyBytes > MOST_BODY_BYTES:
                self._refuse(CONTENT_TOO_LARGE)
        else:
            self._finish()

    def _requireRequest(self) -> None:
        """
        More has to come.  Whoever can see already that it is no request does not wait for it.
        """
        if not mayBeRequest(self._connection.trailing_data[0]):
            self._refuse(BAD_REQUEST)

    def _refuse(self, status: int) -> None:
        self._answer(status if status in REASONS else BAD_REQUEST, isLast=True)

    def _answer(self, status: int, *, isLast: bool) -> None:
        """
        Answer what was asked last.
        """
        self._allowance.spend(REQUEST_UNITS + self._lines)
        self.activeAt = self._now()
        connection, request = self._connection, self._request
        reason = REASONS[status]
        body = PAGE.format(status=status, reason=reason)
        fields = [
            ("Date", formatdate(self._wallClock(), usegmt=True)),
            ("Content-Type", "text/html"),
            ("Content-Length", str(len(body))),
        ]
        if isLast:
            fields.append(("Connection", "close"))
        said = connection.send(h11.Response(status_code=status, reason=reason, headers=fields)) or b""
        if request is None or request.method != b"HEAD":
            said += connection.send(h11.Data(data=body.encode("ascii"))) or b""
        said += connection.send(h11.EndOfMessage()) or b""
        self._request = None
        self._guest.say(said)
        if connection.our_state is h11.MUST_CLOSE:
            self._finish()
        else:
            connection.start_next_cycle()

    def _finish(self) -> None:
        if not self._isOver:
            self._isOver = True
            self._guest.siteEnded()

    def end(self) -> None:
        """
        The visitor has said all: when that is answered, so has this.
        """
        self._hasEnded = True
        if not self._waits and not self._isPaused:
            self._finish()

    def stop(self) -> None:
        """
        Answer nothing any more.
        """
        self._isOver = True

    def pause(self) -> None:
        """
        Answer no more before what was said is taken.
        """
        if not self._isPaused:
            self._isPaused = True
            self._guest.pauseReading()

    def resume(self) -> None:
        """
        Go on.
        """
        if not self._isPaused:
            return
        self._isPaused = False
        if self._isOver:
            return
        self._goOn()
        if not self._waits and not self._isOver:
            self._guest.resumeReading()
