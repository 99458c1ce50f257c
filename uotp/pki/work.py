"""
What a CA needs when it changes its directory, whatever it does there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from uotp.pki.directory import PkiFiles
from uotp.pki.issue import Issued
from uotp.pki.issued import Register, readRegister
from uotp.pki.locking import lockedDirectory


class AuthorityWork:
    """
    Changes the directory of a CA.  Only one of all processes does so at a time.

    @param files: where the PKI is.
    @param authority: the CA, with its key.
    @param now: the moment.
    @param pause: waits for some seconds, for another process.
    """

    def __init__(
        self, files: PkiFiles, authority: Issued, now: datetime, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._files = files
        self._authority = authority
        self._now = now
        self._pause = pause

    @contextmanager
    def changing(self) -> Iterator[Register]:
        """
        Keep other processes from the directory meanwhile.

        @return: a manager whose value is what the CA has issued and revoked so far.
        @raise ConfigurationError: when the directory cannot be had, or read.
        """
        with lockedDirectory(self._files.directory, self._pause):
            yield readRegister(self._files, self._authority.certificate)
