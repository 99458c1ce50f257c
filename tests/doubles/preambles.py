"""
Preambles as others speak them, for tests: what a client says to a proxy, and what a proxy says to a server.
"""

from __future__ import annotations

from uotp.errors import PeerError
from uotp.transport.preamble import Preamble

ANSWER_END = b"\r\n\r\n"

HEADER_END = b"\r\n"


class LinePreamble:
    """
    Says one thing, and hears up to some end, which is kept.

    @ivar heard: what has come, without what stands behind the end.
    """

    def __init__(self, says: bytes, end: bytes, limit: int = 64) -> None:
        """
        @param says: what is said at the beginning.
        @param end: what the other end's words end with.
        @param limit: the most that it may say, in bytes.
        """
        self.limit = limit
        self._says = says
        self._end = end
        self.heard = b""

    def dataToSend(self) -> bytes:
        says, self._says = self._says, b""
        return says

    def received(self, data: bytes) -> int | None:
        before = len(self.heard)
        self.heard, found, _ = (self.heard + data).partition(self._end)
        if not found:
            return None
        return len(self.heard) + len(self._end) - before


class ProxyRequest(LinePreamble):
    """
    Says a client's words to an HTTP proxy, in the manner of C{CONNECT}: it has to agree.
    """

    def __init__(self, limit: int = 64) -> None:
        """
        @param limit: the most that the proxy may say, in bytes.
        """
        super().__init__(b"CONNECT good.test:8443 HTTP/1.1\r\n\r\n", ANSWER_END, limit)

    def received(self, data: bytes) -> int | None:
        """
        @raise PeerError: when the proxy refuses.
        """
        own = super().received(data)
        if own is not None and not self.heard.startswith(b"HTTP/1.1 200"):
            reason = "the proxy refuses"
            raise PeerError(reason)
        return own


class ProxyHeader(LinePreamble):
    """
    Says a proxy's words to a server, of who its client is: nothing is said to that.
    """

    def __init__(self) -> None:
        super().__init__(b"", HEADER_END, 64)


class ProxyAnswer(LinePreamble):
    """
    Plays an HTTP proxy's part, and agrees to everything.
    """

    def __init__(self) -> None:
        super().__init__(b"", ANSWER_END, 64)

    def received(self, data: bytes) -> int | None:
        own = super().received(data)
        if own is not None:
            self._says = b"HTTP/1.1 200 OK" + ANSWER_END
        return own


class Dialogue:
    """
    Asks twice, and has a last word: the other end answers with one byte each time.
    """

    limit = 2

    def __init__(self) -> None:
        self._says = [b"1", b"2", b"3"]
        self._asked = 0

    def dataToSend(self) -> bytes:
        """
        @return: the next word, if its time has come.
        """
        return self._says.pop(0) if len(self._says) == 3 - self._asked else b""

    def received(self, data: bytes) -> int | None:
        """
        An answer came, and maybe more behind it.
        """
        self._asked += 1
        return 1 if self._asked == 2 else None


# Each fits its seam.
_request: type[Preamble] = ProxyRequest
_header: type[Preamble] = ProxyHeader
_dialogue: type[Preamble] = Dialogue
