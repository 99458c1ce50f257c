"""
The end of a Deferred.  A failure that nobody takes ends in silence, or in a line of Twisted's
much later, when the garbage collector comes by.  So whoever hands a Deferred to nobody gives
it an end here.
"""

from __future__ import annotations

from typing import Any

import twisted.logger
from twisted.internet.defer import Deferred


def orLog(deferred: Deferred[Any], log: twisted.logger.Logger, words: str) -> None:
    """
    Log a failure that nobody has expected, at once and with its traceback.

    @param deferred: nobody adds anything to it after this.
    @param log: whoever is responsible.
    @param words: what has failed, and so did not happen.
    """
    _ = deferred.addErrback(lambda reason: log.failure(words, reason))
