"""
How a connection that speaks HTTP/1.1 becomes one that carries WebSocket, at either end, without
any I/O.  The path may be a secret: it is in the request, and in nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from functools import partial

import h11

from uotp.boundaries import Upgrade
from uotp.errors import PeerError
from uotp.transport.httpclient import SWITCHING, HttpClient

Fields = Iterable[tuple[bytes, bytes]]
"""The names of header fields in small letters, each with a value."""

KEY_BYTES = 16
"""The bytes of a key, which is random and shows that the answer is to this very request."""

WEBSOCKET_VERSION = b"13"
"""There is no other version of WebSocket."""

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Is put behind a key before it is hashed.  Only who speaks WebSocket does so."""

NO_HTTP = "what answers there speaks no HTTP, or its answer is broken or too long"
"""Why there is no WebSocket where no status tells."""

MEANINGS = {
    400: "what answers there does not understand the request (400): it knows no WebSocket, or does not let it through",
    401: "what answers there wants a password (401)",
    403: "what answers there forbids the path (403)",
    404: "the path is not known there (404): that of the URL and that of the server have to be the same",
    405: "what answers at the path speaks no WebSocket (405)",
    407: "a proxy on the way wants a password (407)",
    426: "what answers there wants another version of WebSocket or of HTTP (426)",
    429: "what answers there has had too many requests (429)",
    502: "the web server there cannot reach the server behind it (502)",
    503: "the web server there says that the server behind it is down or has no room (503)",
    504: "the server behind the web server there does not answer (504)",
}
"""What the status of an answer means for a tunnel."""


class UpgradeRefused(PeerError):
    """
    Is raised when what was asked does not go on with WebSocket.

    @ivar status: of its answer; L{None} where that is no answer of HTTP.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        """
        @param reason: why, in words.
        """
        super().__init__(reason)
        self.status = status


def acceptFor(key: bytes) -> bytes:
    """
    @param key: as it stands in the request.
    @return: what the server answers to it.
    """
    digest = hashlib.sha1(key + GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest)


def tokensOf(fields: Fields, name: bytes) -> set[bytes]:
    """
    @return: the words of a field that is a list, in small letters.
    """
    return {word.strip().lower() for known, value in fields if known == name for word in value.split(b",")}


def saidIn(fields: Fields, name: bytes) -> list[bytes]:
    """
    @return: what a field says, each time that it is there.
    """
    return [value.strip() for known, value in fields if known == name]


def answerToUpgrade(fields: Fields) -> bytes:
    """
    Judge a GET request of HTTP/1.1 for the right path.

    @param fields: all that it says.
    @return: the head of the answer.  Behind it both ends speak WebSocket.
    @raise PeerError: when it is no upgrade to WebSocket.
    """
    known = list(fields)
    keys = saidIn(known, b"sec-websocket-key")
    for isWrong, reason in (
        (b"websocket" not in tokensOf(known, b"upgrade"), "it does not ask for WebSocket"),
        (b"upgrade" not in tokensOf(known, b"connection"), "it does not ask for an upgrade"),
        (saidIn(known, b"sec-websocket-version") != [WEBSOCKET_VERSION], "it speaks another version of WebSocket"),
        (len(keys) != 1 or not isKey(keys[0]), "it has no key of WebSocket"),
        (hasBody(known), "it has a body"),
    ):
        if isWrong:
            raise PeerError(reason)
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + acceptFor(keys[0])
        + b"\r\n\r\n"
    )


def isKey(value: bytes) -> bool:
    """
    @return: whether this is a key, in base64.
    """
    try:
        key = base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    return len(key) == KEY_BYTES


def hasBody(fields: Fields) -> bool:
    """
    @return: whether something belongs to a request behind its head.
    """
    known = list(fields)
    lengths = saidIn(known, b"content-length")
    return bool(saidIn(known, b"transfer-encoding")) or any(length != b"0" for length in lengths)


class WebSocketUpgrade:
    """
    Asks a server to go on with WebSocket, and judges its answer.
    """

    def __init__(self, host: str, path: str, randomBytes: Callable[[int], bytes]) -> None:
        """
        @param host: host and port, as they stand in the URL.
        @param path: of the URL.
        @param randomBytes: gives so many.
        """
        key = base64.b64encode(randomBytes(KEY_BYTES))
        self._expected = acceptFor(key)
        fields = [
            (b"Host", host.encode("ascii")),
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Key", key),
            (b"Sec-WebSocket-Version", WEBSOCKET_VERSION),
        ]
        request = h11.Request(method="GET", target=path, headers=fields)
        self._http = HttpClient(request, partial(UpgradeRefused, NO_HTTP))

    def request(self) -> bytes:
        """
        @return: what is said first.
        """
        return self._http.request

    def received(self, data: bytes) -> bytes | None:
        """
        Hear what the server answers.

        @return: what has come behind the answer, once that is complete; L{None} before.
        @raise UpgradeRefused: when it does not go on with WebSocket; in words.
        """
        answer = self._http.received(data)
        if answer is None:
            return None
        if answer.status != SWITCHING:
            raise UpgradeRefused(wordsForStatus(answer.status), answer.status)
        self._requireWebSocket(answer.fields)
        return answer.rest

    def _requireWebSocket(self, fields: list[tuple[bytes, bytes]]) -> None:
        isUpgraded = b"websocket" in tokensOf(fields, b"upgrade") and b"upgrade" in tokensOf(fields, b"connection")
        if not isUpgraded or saidIn(fields, b"sec-websocket-accept") != [self._expected]:
            reason = "what answers there says that it goes on with WebSocket, and its answer is not to our request"
            raise UpgradeRefused(reason, SWITCHING)
        if saidIn(fields, b"sec-websocket-extensions") or saidIn(fields, b"sec-websocket-protocol"):
            reason = "what answers there wants to speak WebSocket in a way that we did not offer"
            raise UpgradeRefused(reason, SWITCHING)


def wordsForStatus(status: int) -> str:
    """
    @return: why there is no WebSocket, for whoever has to mend it.
    """
    if status in MEANINGS:
        return MEANINGS[status]
    if status < 300:  # noqa: PLR2004 - what is found there
        return f"an ordinary web page is at the path ({status}), and no WebSocket"
    if status < 400:  # noqa: PLR2004 - what is found elsewhere
        return f"what answers there sends us to another address ({status}), and we do not follow: name that in the URL"
    return f"what answers there speaks HTTP, and refuses the request ({status})"


# It fits its seam.
_upgrade: type[Upgrade] = WebSocketUpgrade
