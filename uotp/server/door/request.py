"""
Whether somebody asks for the secret path by HTTP, without any I/O.  Whoever does not is a visitor,
and nothing that he can see tells him how near he was.
"""

from __future__ import annotations

import hmac
import re
from typing import NamedTuple

import h11

from uotp.errors import PeerError, forgetFrames
from uotp.server.door.heads import MOST_HEAD_LINES, linesOfHead
from uotp.server.settings import SHORT_PATH
from uotp.transport import answerToUpgrade
from uotp.wire import CROSSED_OUT, foreignSpeech

METHOD = b"GET "
"""How a request for WebSocket begins."""

MOST_REQUEST_LINE_BYTES = 2048
"""The first line of a request for the path is shorter: that has at most 1024 letters."""

MOST_UPGRADE_BYTES = 8192
"""So long the head of a request for the path may be, as with most web servers."""

BEFORE_PATH = re.compile(
    rb"(?:[\r\n]{0,4}\S{1,32} +(?:https?://[^/\s]*)?|\nreferer:[ \t]*https?://[^/\s]*)(?:/{1,8}(?=/))?", re.IGNORECASE
)
"""
What stands before the path in the first line of a request, where a proxy is told the host, too; and in the field by
which a browser tells where it has been before, behind the line before it.  Somebody may have put a URL together with
a slash too many.  Methods have no more letters than are looked at here, so it takes no time to search an upload.
"""

REFERER = b"\nreferer:"

MOST_SEARCHED_BYTES = 8192
"""So much of what comes is searched for the path: the head of a request is hardly ever longer."""

HTTP = "it speaks HTTP"

NO_HELLO = "what it says is no hello"

BROKEN = "it asks for the path by HTTP, and its request is broken or too long"


class PathUpgrade(NamedTuple):
    """
    Says how a connection goes on whose client has asked for the path.

    @ivar answer: the head of the answer.
    @ivar rest: what has come behind the request.
    """

    answer: bytes
    rest: bytes


def asksForPath(line: bytes, path: bytes) -> bool:
    """
    @param line: the first line of a request.
    @return: whether it asks for exactly this path, in HTTP/1.1.  How long that takes does not tell where they differ.
    """
    method, _, behind = line.partition(b" ")
    target, _, version = behind.partition(b" ")
    isIt = hmac.compare_digest(target, path)
    return method + b" " == METHOD and version == b"HTTP/1.1" and isIt


def pathCrossedOut(shown: bytes, path: bytes) -> bytes:
    """
    Make what asks for the path in a wrong way fit for the log of a web server.

    @param shown: what has come, from the first line of a request on.
    @param path: the secret; a short one is none, and may be that of a page.
    @return: the same, but where it asks for the path, or for what begins with it, or says that it has been there, all
        of that is crossed out behind the first letter.  How long that takes does not tell where they differ.
    """
    if len(path) < SHORT_PATH:
        return shown
    head = shown[:MOST_SEARCHED_BYTES]
    for at in (0, head.lower().find(REFERER)):
        before = BEFORE_PATH.match(head, at) if at >= 0 else None
        if before is None:
            continue
        begin, end = before.end(), before.end() + len(path)
        if hmac.compare_digest(shown[begin:end], path):
            shown = shown[: begin + 1] + CROSSED_OUT * (len(path) - 1) + shown[end:]
    return shown


def judgeRequest(shown: bytes, path: bytes) -> PathUpgrade | None:
    """
    @param shown: all that has come.
    @param path: the secret.
    @return: how it goes on, or L{None} while the request is not complete.
    @raise PeerError: for anything but an upgrade to WebSocket at the path; in words that do not tell the path.
    """
    if not shown.startswith(METHOD) and not METHOD.startswith(shown):
        raise PeerError(foreignSpeech(shown) or NO_HELLO)
    line, isEnded, _ = shown.partition(b"\n")
    if not isEnded:
        if len(line) > MOST_REQUEST_LINE_BYTES:
            raise PeerError(HTTP)
        return None
    if not asksForPath(line.removesuffix(b"\r"), path):
        raise PeerError(HTTP)
    return judgeHead(shown)


def asksWhole(shown: bytes, path: bytes) -> bool:
    """
    @param shown: what has come at one go.
    @param path: the secret.
    @return: whether it is, or begins with, all of an upgrade at the path.
    """
    try:
        return shown.startswith(METHOD) and judgeRequest(shown, path) is not None
    except PeerError:
        return False


def judgeHead(shown: bytes) -> PathUpgrade | None:
    """
    Judge a request whose first line is right.

    @return: see L{judgeRequest}.
    @raise PeerError: when it is no upgrade.
    """
    if linesOfHead(shown) > MOST_HEAD_LINES:
        raise PeerError(BROKEN)
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_UPGRADE_BYTES)
    connection.receive_data(shown)
    try:
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        forgetFrames(error)
        raise PeerError(BROKEN) from None
    if request is h11.NEED_DATA:
        return None
    assert isinstance(request, h11.Request)
    try:
        answer = answerToUpgrade(request.headers)
    except PeerError as error:
        reason = f"it asks for the path by HTTP, but {error}"
        raise PeerError(reason) from None
    rest: bytes = connection.trailing_data[0]
    return PathUpgrade(answer, rest)
