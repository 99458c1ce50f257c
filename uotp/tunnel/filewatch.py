"""
Files of credentials that change while the program runs: they are read again by themselves, and used when all of
them can be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from uotp.boundaries import Credentials
from uotp.errors import ConfigurationError
from uotp.process import Aside, NotDoneError
from uotp.telemetry import Logger, orLog

FILES_LOOK_SECONDS = 2.0
"""
How often we look at the files.  Two looks have to find the same, so that whoever writes several has this time
for it, and a client that is taken out of them is gone within five seconds all the same.
"""


LOOKS_UNTIL_ANYWAY = 5
"""Files that change at each look are read after so many of them all the same: 10 seconds."""

LOOKS_UNTIL_AGAIN = 30
"""
What could not be used is tried again after so many looks, a minute, though it is the same: there was no descriptor
left maybe, or no worker had time, or a certificate was not valid yet.
"""


class FileWatch:
    """
    Looks at the files now and then, in another thread: a network file system may hang.  One look, with what comes of
    it, is under way at most.  What could not be used is tried again when it has changed again, or after a
    while, and said once for each reason.
    """

    _log = Logger()

    def __init__(
        self,
        credentials: Credentials,
        takeUp: Callable[[], Deferred[bool]],
        tried: Callable[[str, bool], None],
        known: Callable[[], str],
        aside: Aside,
    ) -> None:
        """
        @param credentials: what is made of the files.
        @param takeUp: reads them again, and has them used; tells, maybe later, whether they say anything new, and
            fails with L{ConfigurationError} when they cannot be used.
        @param tried: told each time that changed files were read why they cannot be used, in words, or nothing
            when they can; and whether that is to be counted: it is not when they say what is in use already.
        @param known: tells why the files cannot be used, as was found by whoever has read them last; nothing when
            they can.
        @param aside: looks.
        """
        self._credentials = credentials
        self._takeUp = takeUp
        self._tried = tried
        self._known = known
        self._seen: object = credentials.stampRead
        self._aside = aside
        self._isBlind = False
        self._isLooking = False
        self._changes = 0  # one look after the other has found another change
        self._looks = 0  # since the files were tried

    def look(self) -> None:
        """
        Look once.  Call this every L{FILES_LOOK_SECONDS}.
        """
        if self._isLooking:
            return
        self._isLooking = True
        found = self._aside.run(lambda _: self._credentials.stamp(), "a look at the files of certificates and lists")
        done = found.addCallbacks(self._found, self._notFound).addBoth(self._over)
        orLog(done, self._log, "nobody knows what has become of files that have changed")

    def _over(self, outcome: Any) -> Any:
        self._isLooking = False
        return outcome

    def _notFound(self, reason: Failure) -> None:
        """
        No thread could be had, or we stop.  The next look may have more luck.
        """
        reason.trap(ConfigurationError)

    def _found(self, found: object) -> Deferred[None] | None:
        self._changes = 0 if found == self._seen else self._changes + 1
        self._looks += 1
        self._seen = found
        if found is None:
            self._cannotSee()
            return None
        isNew = found != self._credentials.stampRead and self._changes % LOOKS_UNTIL_ANYWAY == 0
        if isNew or (self._known() and self._looks >= LOOKS_UNTIL_AGAIN):
            self._looks = 0
            return self._takeUp().addCallbacks(self._taken, self._notTaken, errbackArgs=(isNew,))
        return None

    def _cannotSee(self) -> None:
        """
        None of the files is to be seen any more: a chroot or the like hides them, and what is in use stays so.
        """
        if not self._isBlind:
            self._isBlind = True
            self._log.info(
                "the files of certificates, keys and lists cannot be seen from here: as long as that is so, what "
                "changes in them is not taken up by itself"
            )

    def _taken(self, isNew: Any) -> None:
        wasTrouble = bool(self._known())
        self._tried("", bool(isNew))
        if wasTrouble and not isNew:  # which files are new is said where they are used
            self._log.info("certificates, keys and lists can be used again; they say what is in use already")

    def _notTaken(self, reason: Failure, isNew: object) -> None:
        if reason.check(NotDoneError):
            return
        reason.trap(ConfigurationError)
        trouble = str(reason.value)
        if not isNew and trouble == self._known():
            return
        self._tried(trouble, True)
        words = "certificates, keys or lists have changed and cannot be used, so all old ones stay in use: {reason}"
        self._log.error(words, reason=trouble)
