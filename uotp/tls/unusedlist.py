"""
A revocation list that lies beside the file of CAs, where C{uotp cert} puts it, and that a server was not told of.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from uotp.telemetry import Logger, spelled
from uotp.tls.files import CredentialFiles

LIST_NAME = "crl.pem"
"""What C{uotp cert} calls the list."""

UNUSED_WORDS = "{file} beside {cafile} is not used: whoever is revoked there still gets in; give it by {setting}"


@dataclass(frozen=True, slots=True)
class UnusedList:
    """
    Names a list that a server does not use.

    @ivar file: the list.
    @ivar cafile: the file of CAs beside it.
    """

    _log = Logger()

    file: str
    cafile: str

    @property
    def words(self) -> str:
        """
        What is wrong, in words.
        """
        return UNUSED_WORDS.format(file=self.file, cafile=self.cafile, setting=spelled("crl"))

    def warn(self) -> None:
        """
        Say it in the log.
        """
        self._log.warn(UNUSED_WORDS, file=self.file, cafile=self.cafile, setting=spelled("crl"))


def unusedList(cafile: str, files: CredentialFiles) -> UnusedList | None:
    """
    @param cafile: the file of CAs of a server that was given no list.
    @param files: where that file is.
    @return: the list beside it, if one is there.
    """
    beside = os.path.join(os.path.dirname(cafile), LIST_NAME)
    isInline = files.onDisk(cafile) != cafile
    return None if isInline or beside == cafile or files.stamp(beside) is None else UnusedList(beside, cafile)
