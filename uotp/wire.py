"""
What both programs must agree on, format 1: the bytes on a tunnel, and nothing
of how they get there.

A client's first L{SESSION_ID_BYTES} bytes are the session id, a random UUID of
version 4.  Then, in both directions and without end, frames: a length of two
bytes, most significant first, and a datagram of that length.
"""

from __future__ import annotations

import uuid

from uotp.train import Train, cut, gather

SESSION_ID_BYTES = 16
"""Length of a UUID."""

LENGTH_BYTES = 2
"""Length of a frame's header; so no datagram is longer than 65535 bytes."""


def newSessionId() -> bytes:
    """
    @return: an id that nobody can guess, for whoever shows it joins the session.
    """
    return uuid.uuid4().bytes


def sessionName(sessionId: bytes) -> str:
    """
    @return: enough of an id to tell sessions apart in a log, and too little to join
        one.
    """
    return sessionId[:4].hex()


FOREIGN_HELLOS = {
    b"\x16\x03": "it speaks TLS, and --no-tls was said here",
    b"GET ": "it speaks HTTP",
    b"POST ": "it speaks HTTP",
    b"HEAD ": "it speaks HTTP",
    b"OPTIONS ": "it speaks HTTP",
    b"CONNECT ": "it speaks HTTP",
    b"PRI * HTTP": "it speaks HTTP",
    b"SSH-": "it speaks SSH",
}
"""How those begin who took us for somebody else."""


def foreignHello(sessionId: bytes) -> str | None:
    """
    @return: what has been taken for a session id, in words, or L{None} when it may
        be one: what is a UUID of version 4 always may.
    """
    if sessionId[6] >> 4 == 4 and sessionId[8] >> 6 == 2:  # noqa: PLR2004 - RFC 9562, version and variant
        return None
    return next((words for hello, words in FOREIGN_HELLOS.items() if sessionId.startswith(hello)), None)


class HelloDecoder:
    """
    Takes the session id off the front of what a client sends.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """
        @param data: the next bytes of the stream, cut anywhere.
        @return: the session id and the bytes that came behind it, or L{None}
            while the id is not complete.
        """
        self._held += data
        if len(self._held) < SESSION_ID_BYTES:
            return None
        held, self._held = self._held, b""
        return held[:SESSION_ID_BYTES], held[SESSION_ID_BYTES:]


class FrameCodec:
    """
    Trains to frames and frames to trains, for one tunnel.
    """

    def __init__(self) -> None:
        self._held = bytearray()  # the beginning of a frame
        self._missing = 0  # bytes without which nothing can be said of it

    def encode(self, train: Train) -> bytes:
        """
        @param train: none of its datagrams above 65535 bytes.
        @return: its frames.
        """
        segment, payload = train
        size = len(payload)
        if size <= segment:
            return size.to_bytes(LENGTH_BYTES, "big") + payload
        header = segment.to_bytes(LENGTH_BYTES, "big")
        datagrams = cut(train)
        datagrams[-1] = len(datagrams[-1]).to_bytes(LENGTH_BYTES, "big") + datagrams[-1]
        # Each join point puts a full-length header before the next datagram; the
        # last datagram brings its own, and is therefore joined without one.
        return header + header.join(datagrams[:-1]) + datagrams[-1]

    def decode(self, data: bytes) -> list[Train]:
        """
        @param data: the next bytes of the stream, cut anywhere.
        @return: the datagrams that are complete now; the rest, at most one
            frame, is kept.
        """
        held = data
        if self._held:
            self._held += data
            self._missing -= len(data)
            if self._missing > 0:
                return []  # so that dribbling a long frame does not make us copy it again and again
            held = bytes(self._held)
            self._held.clear()
        end = len(held)
        datagrams: list[bytes] = []
        start = stop = LENGTH_BYTES
        while start <= end:
            stop = start + (held[start - 2] << 8 | held[start - 1])
            if stop > end:
                break
            datagrams.append(held[start:stop])
            start = stop = stop + LENGTH_BYTES
        self._held += held[start - LENGTH_BYTES :]
        self._missing = stop - end
        return gather(datagrams)
