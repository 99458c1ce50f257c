"""
Whether a link takes trains, and what its session has been told of it: each change, once.
"""

from __future__ import annotations

from uotp.boundaries import Link, OutboundTrains


class Readiness:
    """
    Tells a session when a link takes trains, from when its tunnel is open until it carries
    for nobody any more.
    """

    def __init__(self, link: Link, session: OutboundTrains, *, full: bool) -> None:
        """
        @param session: where what it carries comes from.
        @param full: whether the stream holds something that the kernel did not take.
        """
        self._link = link
        self._session: OutboundTrains | None = session
        self._isFull = full
        self._isOverdue = False
        self._isHeld = False  # its server is not the one that the session is at
        self._isKnown = False  # to the session
        self._saidFree = False

    def hold(self) -> None:
        """
        Do not tell the session of the link before it is to L{carry}.
        """
        self._isHeld = True

    def carry(self) -> None:
        """
        Tell the session of the link, if it was held.
        """
        self._isHeld = False
        self._tellFree()

    def begin(self) -> None:
        """
        Tell the session for the first time.  It may send at once, and fill the link,
        which has to know us by then.
        """
        self._tellFree()

    def _tellFree(self) -> None:
        if self._session is not None and not (self._isFull or self._isOverdue or self._isHeld or self._saidFree):
            self._isKnown = self._saidFree = True
            self._session.linkFree(self._link)

    def _tellGone(self) -> None:
        if self._session is not None and self._isKnown:
            self._isKnown = self._saidFree = False
            self._session.linkGone(self._link)

    def full(self) -> None:
        """
        The stream holds something, and takes no more for now.
        """
        self._isFull = True
        if self._session is not None and self._saidFree:
            self._saidFree = False
            self._session.linkFull(self._link)

    def free(self) -> None:
        """
        The stream takes more.
        """
        self._isFull = False
        self._tellFree()

    def pongOverdue(self) -> None:
        """
        The other end does not answer in time: carry nothing until it does.
        """
        self._isOverdue = True
        self._tellGone()

    def pongCame(self) -> None:
        """
        The other end answers again.
        """
        self._isOverdue = False
        self._tellFree()

    def end(self) -> None:
        """
        Carry nothing any more, ever.
        """
        self._tellGone()
        self._session = None

    def release(self) -> None:
        """
        Let go of the link, which is over.
        """
        del self._link
