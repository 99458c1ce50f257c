"""
Files of credentials that change while the program runs: they are read again by themselves, and used when all of
them can be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from uotp.boundaries import Credentials
from uotp.errors import ConfigurationError
from uotp.telemetry import Logger, orLog

FILES_LOOK_SECONDS = 2.0
"""
How often we look at the files.  Two looks have to find the same, so that whoever writes several has this time
for it, and a client that is taken out of them is gone within five seconds all the same.
"""


class FileWatch:
    """
    Looks at the files now and then.  What could not be used is tried again when it has changed again, and said once.
    """

    _log = Logger()

    def __init__(
        self,
        credentials: Credentials,
        takeUp: Callable[[], Deferred[bool] | bool],
        tried: Callable[[str], None],
    ) -> None:
        """
        @param credentials: what is made of the files.
        @param takeUp: reads them again, and has them used; tells, maybe later, whether they say anything new, and
            raises, or fails with, L{ConfigurationError} when they cannot be used.
        @param tried: told each time that files were new why they cannot be used, in words, or nothing when they
            are used.
        """
        self._credentials = credentials
        self._takeUp = takeUp
        self._tried = tried
        self._seen: object = credentials.stampRead
        self._isBlind = False

    def look(self) -> None:
        """
        Look once.  Call this every L{FILES_LOOK_SECONDS}.
        """
        found = self._credentials.stamp()
        isSteady, self._seen = found == self._seen, found
        if found is None:
            self._cannotSee()
        elif isSteady and found != self._credentials.stampRead:
            done = maybeDeferred(self._takeUp).addCallbacks(self._taken, self._notTaken)
            orLog(done, self._log, "nobody knows what has become of files that have changed")

    def _cannotSee(self) -> None:
        """
        None of the files is to be seen any more: a chroot or the like hides them, and what is in use stays so.
        """
        if not self._isBlind:
            self._isBlind = True
            self._log.info(
                "the files of certificates, keys and lists cannot be seen from here, so that what changes in them is "
                "not taken up by itself"
            )

    def _taken(self, isNew: Any) -> None:
        if isNew:
            self._tried("")
            self._log.info("certificates, keys or lists have changed, and the new ones are used from now on")

    def _notTaken(self, reason: Failure) -> None:
        reason.trap(ConfigurationError)
        self._tried(str(reason.value))
        words = "certificates, keys or lists have changed and cannot be used, so all old ones stay in use: {reason}"
        self._log.error(words, reason=str(reason.value))
