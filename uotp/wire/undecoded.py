"""
What has come of a stream and is not decoded yet, for the codecs of both formats.
"""

from __future__ import annotations


class Undecoded:
    """
    Keeps the beginning of a frame until the rest of it has come, and what was read beyond that
    is decoded at one go.

    @ivar rest: what was read and is not decoded, since that was enough at one go; while there
        is any, more can be decoded without more data.
    @ivar inPart: how many bytes have come of a frame whose rest has not.
    @ivar spent: what it takes to obey what the last call has decoded, in units
        (L{uotp.train.unitsOf}); a frame that is no train takes one.
    """

    def __init__(self) -> None:
        self._held = bytearray()  # the beginning of a frame, or of a part that is decoded as one
        self._missing = 0  # bytes that must come before it can be decoded
        self.rest = b""
        self._restAt = 0  # where in it that begins
        self.inPart = 0
        self.spent = 0

    def _resume(self, data: bytes) -> tuple[bytes, int] | None:
        """
        Join new data to what is there.

        @param data: the next bytes of the stream.
        @return: what is to be decoded, and where in it to begin; L{None} while that is only
            a part of what was begun.
        """
        if self.rest:
            rest, start = self.rest, self._restAt
            self.rest = b""
            return (rest[start:] + data, 0) if data else (rest, start)
        if not self._held:
            return data, 0
        if len(data) < self._missing:
            self._missing -= len(data)
            self._held += data  # so that the parts of a long frame are not copied again and again
            self.inPart = len(self._held)
            return None
        whole = b"".join((self._held, data))
        self._held.clear()
        self.inPart = 0
        return whole, 0

    def _leave(self, data: bytes, start: int) -> None:
        """
        Leave what was read to the next call.
        """
        self.rest, self._restAt = data, start

    def _keep(self, data: bytes, start: int, needed: int) -> None:
        """
        Keep the last bytes that were read, if there are any.

        @param needed: how many bytes there have to be before they can be decoded.
        """
        if start < len(data):
            self._held += data[start:]
            self.inPart = len(data) - start
            self._missing = needed - self.inPart
