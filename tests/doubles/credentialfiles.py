"""
Files of credentials that are on no disk.
"""

from __future__ import annotations

from uotp.tls import CredentialFiles


class CountingFiles:
    """
    Has one file, which somebody replaces each time that it has been read.

    @ivar reads: how often it was.
    """

    isOriginal = True

    def __init__(self) -> None:
        self.reads = 0

    def now(self) -> CredentialFiles:
        """
        @return: the same, which nothing keeps from changing.
        """
        return self

    def onDisk(self, path: str) -> str:
        """
        @return: the file itself.
        """
        return path

    def read(self, path: str, *, isReadAgain: bool = False) -> bytes:
        """
        @return: another content each time.
        """
        self.reads += 1
        return b"%d" % self.reads

    def stamp(self, path: str) -> object:
        """
        @return: what tells one content from the next.
        """
        return self.reads

    def meaningOf(self, path: str, data: bytes) -> bytes:
        """
        @return: all of it.
        """
        return data

    def isOpenToAll(self, path: str) -> bool:
        """
        @return: whether it is a certain one.
        """
        return path == "open"
