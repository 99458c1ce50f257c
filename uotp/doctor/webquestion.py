"""
Asks as a browser would, to know whether a web server is there.  It also tells what time it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from uotp.doctor.channel import ServerChannel

FIRST_WORD_SECONDS = 1.0
"""So long is waited for an answer that need not come."""

WEB_QUESTION = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
"""What a web server answers, whatever it serves."""

WEB_BYTES = 8192
"""No more is read of its answer."""

ANSWER_BEGINS = b"HTTP/"
"""How each answer of a web server begins."""


def askWeb(channel: ServerChannel, seconds: float, clock: Callable[[], float]) -> bytes:
    """
    Ask whatever is there for a page.

    @param channel: a new connection.  It is closed.
    @param seconds: how long each step may take.
    @param clock: monotonic seconds.
    @return: what it answers, no more than the beginning.
    @raise HandshakeTrouble: when one end refuses the other.
    @raise OSError: when the connection is gone, or nothing came in time.
    """
    head = b""
    try:
        channel.shakeHands(seconds)
        channel.send(WEB_QUESTION, seconds)
        deadline = clock() + min(seconds, FIRST_WORD_SECONDS)
        while len(head) < WEB_BYTES and b"\r\n\r\n" not in head:
            came = channel.receive(deadline - clock())
            head += came
            if not came:
                break
    finally:
        channel.close()
    return head


def dateIn(head: bytes) -> datetime | None:
    """
    @param head: the head of an answer of HTTP.
    @return: the time at which it says that it was written, in UTC, as also where it names no time zone.
    """
    found = re.search(rb"\r\n[Dd]ate: ([^\r\n]{1,40})\r\n", head)
    if found is None:
        return None
    try:
        written = parsedate_to_datetime(found[1].decode("ascii", "replace"))
        return written.replace(tzinfo=timezone.utc) if written.tzinfo is None else written.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
