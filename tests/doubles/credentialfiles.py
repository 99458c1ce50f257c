"""
Files of credentials that are on no disk.
"""

from __future__ import annotations


class CountingFiles:
    """
    Has one file, which somebody replaces each time that it has been read.

    @ivar reads: how often it was.
    """

    isOriginal = True

    def __init__(self) -> None:
        self.reads = 0

    def read(self, path: str) -> bytes:
        """
        @return: another content each time.
        """
        self.reads += 1
        return b"%d" % self.reads

    def isOpenToAll(self, path: str) -> bool:
        """
        @return: whether it is a certain one.
        """
        return path == "open"
