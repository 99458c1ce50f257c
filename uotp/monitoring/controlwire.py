"""
What is said at a control socket: one line of JSON is asked, and one is answered.  Bytes and values
only; nothing here knows of sockets.

A request is C{{"control": 1, "ask": "report"}}, or C{"reload"}, or C{"disconnect"} with C{"session"} beside it.
An answer has C{"control"} too, and one of C{"report"}, C{"reloaded"}, C{"ended"} and C{"error"}.  Beside
C{"reloaded"} C{"restart"} may stand: the options that have new values which need a restart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from uotp.monitoring.report import Report
from uotp.monitoring.reportjson import compactJson, piecesOfReport

CONTROL_VERSION = 1
"""Is raised when what is asked or answered means something else than before; a new key alone changes nothing."""

MOST_REQUEST_BYTES = 4096
"""So long a request may be; the longest that we send has some hundred."""

MOST_WORD_LENGTH = 256
"""So long the name of a client may be; a certificate's common name has 64 letters at the most."""

ASK_REPORT, ASK_RELOAD, ASK_DISCONNECT = "report", "reload", "disconnect"
"""What may be asked."""


class RequestError(ValueError):
    """
    Tells in words why a request is not answered.
    """


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """
    Is what somebody asks.

    @ivar ask: one of L{ASK_REPORT}, L{ASK_RELOAD} and L{ASK_DISCONNECT}.
    @ivar session: of L{ASK_DISCONNECT}: the beginning of ids, or a client's name.
    """

    ask: str
    session: str = ""


def encodeRequest(request: ControlRequest) -> bytes:
    """
    @return: a request as a line.
    """
    values = {"control": CONTROL_VERSION, "ask": request.ask}
    if request.session:
        values["session"] = request.session
    return f"{json.dumps(values)}\n".encode("ascii")


def parseRequest(line: bytes) -> ControlRequest:
    """
    @param line: without its end.
    @raise RequestError: when it cannot be answered.
    """
    try:
        found = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        reason = "this is no request: a line of JSON is needed"
        raise RequestError(reason) from None
    if not isinstance(found, dict):
        reason = "this is no request: a JSON object is needed"
        raise RequestError(reason)
    version = found.get("control")
    if version != CONTROL_VERSION:
        reason = (
            f"this program is asked by version {CONTROL_VERSION} of the control protocol, and not by {version!a:.20}"
        )
        raise RequestError(reason)
    match found:
        case {"ask": "report" | "reload" as ask}:
            return ControlRequest(ask)
        case {"ask": "disconnect", "session": str(session)}:
            return ControlRequest(ASK_DISCONNECT, _word(session))
    reason = f"nothing is known of this request: {str(found.get('ask'))!a:.60}"
    raise RequestError(reason)


def _word(session: str) -> str:
    if not 1 <= len(session) <= MOST_WORD_LENGTH:
        reason = f"a session or a client is named by 1 to {MOST_WORD_LENGTH} letters"
        raise RequestError(reason)
    return session


def answerOf(**values: object) -> bytes:
    """
    @return: a short answer as a line.
    """
    return f"{compactJson({'control': CONTROL_VERSION, **values})}\n".encode("ascii")


def piecesOfAnswer(report: Report) -> Iterator[bytes]:
    """
    @return: an answer with a report, as a line, part by part.
    """
    yield f'{{"control":{CONTROL_VERSION},"report":'.encode("ascii")
    yield from piecesOfReport(report, compactJson)
    yield b"}\n"
