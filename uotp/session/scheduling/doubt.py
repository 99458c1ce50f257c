"""
Which links of a session had better be asked before they are used.

The other end may have slept, or have got another address, and have dialled anew.  Until the kernel gives
them up, its old connections look here as they did before.  What is sent into one of them is known to be
lost only when the kernel repeats it; and then there is the next of them.  So when it is seen that the
link in use may be dead, the others are compared with it.

 - The link in use stands still: it has sent something again, and nothing was acknowledged.
 - A new link has come, or it is time to move on, while the one in use waits for an acknowledgement, and
   nothing was heard of it for L{UNANSWERED_SECONDS}.
 - A new link has come, and nothing at all was heard of the one in use for L{UNHEARD_SECONDS}.

Whatever else was heard of last is the best that there is, and most of all a new link.  All others, of
which nothing was heard for longer by L{MARGIN_SECONDS}, are in doubt.

Links in doubt are asked, where the format can do that.  Each is trusted again as soon as its kernel has
heard anything, which in format 1 the answer to a probe of an idle connection is.

Pure: time comes in with each call.
"""

from __future__ import annotations

from uotp.boundaries import Link
from uotp.path import PathStats
from uotp.session.scheduling.scheduler import Scheduler

UNHEARD_SECONDS = 1.0
UNANSWERED_SECONDS = 0.3
UNHEARD_ROUND_TRIPS = 2.0
"""
Nothing is heard of a link for so long, and for so many of its round trips, before there is a reason to
look for a better one.  The kernel at the other end may let an acknowledgement wait for 0.04 to 0.2 s.
"""

MARGIN_SECONDS = 0.5
"""A smaller difference says nothing."""

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

    def isUnanswered(self, link: Link) -> bool:
        """
        @return: whether a link waits for an acknowledgement for longer than a path that works takes.
        """
        path = link.pathStats()
        return path is not None and (path.isStill or (path.isWaiting and isUnheard(path, UNANSWERED_SECONDS)))

    def isSilent(self, link: Link) -> bool:
        """
        @return: whether that is so, or nothing was heard of the link for a while.
        """
        path = link.pathStats()
        return path is not None and (isUnheard(path, UNHEARD_SECONDS) or self.isUnanswered(link))

    def compare(self, used: Link | None, now: float) -> None:
        """
        Put those links in doubt that seem to be no better than the one in use, which may be dead.

        @param used: that one; L{None} where none can be used.
        """
        heardAgo = {link: path.heardAgo for link in self._scheduler if (path := link.pathStats()) is not None}
        best = min((ago for link, ago in heardAgo.items() if link is not used), default=0.0)
        self._since, self._lookAt = now, now + TRUST_LOOK_SECONDS
        for link, ago in heardAgo.items():
            if link not in self._scheduler.doubted and (link is used or ago > best + MARGIN_SECONDS):
                self._scheduler.doubted.add(link)
                if link is not used:  # of which its kernel will tell
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


def isUnheard(path: PathStats, seconds: float) -> bool:
    """
    @return: whether nothing was heard of a link for so long, and for some of its round trips.
    """
    return path.heardAgo >= max(seconds, UNHEARD_ROUND_TRIPS * path.roundTrip)
