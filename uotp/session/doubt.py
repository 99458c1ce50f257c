"""
Which links of a session had better be asked before they are used.

The other end may have slept, or have got another address, and have dialled anew.  Until the kernel gives
them up, its old connections look here as they did before.  What is sent into one of them is known to be
lost only when the kernel repeats it; and then there is the next of them.  So when it is seen that the
link in use may be dead, the others are compared with it.

 - The link in use stands still: it has sent something again, and nothing was acknowledged.  Links of
   which the kernel has heard nothing since it heard of this one are in doubt too.
 - A new link has come while nothing was heard of the one in use for L{UNHEARD_SECONDS}.  The new one is
   used from then on; of the others, those of which nothing was heard are in doubt.

Links in doubt are asked, where the format can do that.  Each is trusted again as soon as its kernel has
heard anything, which in format 1 the answer to a probe of an idle connection is.

Pure: time comes in with each call.
"""

from __future__ import annotations

from uotp.boundaries import Link
from uotp.session.scheduler import Scheduler

UNHEARD_SECONDS = 1.0
UNHEARD_ROUND_TRIPS = 2.0
"""
Nothing is heard of a link for so long, and for so many of its round trips, before there is a reason to
look for a better one.
"""

TRUST_LOOK_SECONDS = 0.1
"""The time between two looks whether something was heard of those in doubt."""


class Doubt:
    """
    Puts links of one session in doubt, and trusts them again.
    """

    def __init__(self, scheduler: Scheduler[Link], now: float) -> None:
        """
        @param now: monotonic seconds, as in the other methods.
        """
        self._scheduler = scheduler
        self._since = now
        self._lookAt = now

    def isSilent(self, link: Link) -> bool:
        """
        @return: whether nothing was heard of a link for a while, or it stands still.
        """
        path = link.pathStats()
        if path is None:
            return False
        return path.isStill or path.heardAgo >= max(UNHEARD_SECONDS, UNHEARD_ROUND_TRIPS * path.roundTrip)

    def compare(self, dead: Link | None, now: float) -> None:
        """
        Put those links in doubt that are no better than the one in use, which may be dead.

        @param dead: that one; L{None} when all have been silent.
        """
        path = None if dead is None else dead.pathStats()
        silence = UNHEARD_SECONDS if path is None else path.heardAgo
        self._since, self._lookAt = now, now + TRUST_LOOK_SECONDS
        for link in list(self._scheduler):
            path = link.pathStats()
            if path is not None and path.heardAgo >= silence and link not in self._scheduler.doubted:
                self._scheduler.doubted.add(link)
                link.ask()

    def look(self, now: float) -> None:
        """
        Trust the links again of which something was heard.
        """
        if self._scheduler.doubted and now >= self._lookAt:
            self._lookAt = now + TRUST_LOOK_SECONDS
            for link in list(self._scheduler.doubted):
                path = link.pathStats()
                if path is None or path.heardAgo < now - self._since:
                    self._scheduler.doubted.discard(link)
