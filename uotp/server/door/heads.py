"""
What can be seen of the head of a request before it is read.
"""

from __future__ import annotations

import re

MOST_REQUEST_HEAD_BYTES = 16 * 1024
"""So long the head of a request may be."""

MOST_HEAD_LINES = 100
"""So many lines it may have, as with other web servers: to read one takes some 15 microseconds, however short it is."""

_LINE = re.compile(rb"[A-Z_-]{1,32} [^\x00-\x20\x7f]+ HTTP/[0-9]\.[0-9]")
"""The first line of a request."""

_BEGINNING = re.compile(
    rb"[A-Z_-]{0,32}"
    rb"( [^\x00-\x20\x7f]*( (H(T(T(P(/([0-9](\.([0-9]\r?)?)?)?)?)?)?)?)?)?)?"
)
"""What it may be as far as it has come."""


def linesOfHead(begun: bytes) -> int:
    """
    @param begun: a request, as far as it has come, and what has come behind it.
    @return: how many lines its head has, as far as that has come.
    """
    ends = [at + 1 for at in (begun.find(b"\n\n"), begun.find(b"\n\r\n")) if at >= 0]
    return begun.count(b"\n", 0, min(ends, default=MOST_REQUEST_HEAD_BYTES))


def mayBeRequest(begun: bytes) -> bool:
    """
    @param begun: the first bytes of a request, whose head is not complete.
    @return: whether it may become one.
    """
    line, isEnded, _ = begun.partition(b"\n")
    if isEnded:
        return _LINE.fullmatch(line.removesuffix(b"\r")) is not None
    return _BEGINNING.fullmatch(line) is not None
