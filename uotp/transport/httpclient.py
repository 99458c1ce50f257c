"""
What a client of HTTP/1.1 says and hears until something else is spoken on the connection: one request, and the heads of
the answers.  No byte behind these is taken.

To read a line costs some 15 microseconds, however short it is.  So lines are counted, and not only bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import h11

from uotp.errors import PeerError, forgetFrames

MOST_HEADS_BYTES = 16 * 1024
"""All heads of answers together may be so long, as with most clients of HTTP; few web servers send half of that."""

MOST_HEADS_LINES = 100
"""They may have so many lines together: Python's own client takes as many fields."""

SWITCHING = 101
"""The status of an answer that is the last one, though its number is that of news."""

_END = re.compile(rb"\n\r?\n")


class AnswerHead(NamedTuple):
    """
    Holds the head of the answer that counts.

    @ivar status: its number.
    @ivar fields: names in small letters, each with a value.
    @ivar rest: what has come behind it.
    """

    status: int
    fields: list[tuple[bytes, bytes]]
    rest: bytes


class HttpClient:
    """
    Says one request, and hears the heads of the answers.

    @ivar request: what is said.
    """

    def __init__(self, request: h11.Request, broken: Callable[[], PeerError]) -> None:
        """
        @param request: it has no body.
        @param broken: makes the error for an answer that is none of HTTP.
        """
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADS_BYTES)
        self.request: bytes = self._connection.send(request) or b""
        self._connection.send(h11.EndOfMessage())
        self._broken = broken
        self._bytes = 0
        self._lines = 0
        self._tail = b""  # of the head that is not complete

    def received(self, data: bytes) -> AnswerHead | None:
        """
        Hear what the server answers.

        @return: the answer that counts, once its head is complete; L{None} before.
        @raise PeerError: for what is no HTTP, is broken, or too long.
        """
        while data:
            head, data = self._parted(data)
            answer = self._event(head)
            if answer is not None:
                return AnswerHead(answer.status_code, list(answer.headers), data)
        return None

    def _parted(self, data: bytes) -> tuple[bytes, bytes]:
        """
        @return: what belongs to the head, and what stands behind its end.
        @raise PeerError: when the heads are too long.
        """
        found = _END.search(self._tail + data)
        end = len(data) if found is None else found.end() - len(self._tail)
        head = data[:end]
        self._tail = (self._tail + head)[-2:] if found is None else b""
        self._bytes += len(head)
        self._lines += head.count(b"\n")
        if self._bytes > MOST_HEADS_BYTES or self._lines > MOST_HEADS_LINES:
            raise self._broken()
        return head, data[end:]

    def _event(self, head: bytes) -> h11.Response | h11.InformationalResponse | None:
        """
        @return: the answer, if it is complete and counts.
        """
        try:
            self._connection.receive_data(head)
            event = self._connection.next_event()
        except h11.RemoteProtocolError as error:
            forgetFrames(error)
            raise self._broken() from None
        if event is h11.NEED_DATA:
            return None
        if not isinstance(event, h11.InformationalResponse | h11.Response):
            raise self._broken()
        isNews = isinstance(event, h11.InformationalResponse) and event.status_code != SWITCHING
        return None if isNews else event
