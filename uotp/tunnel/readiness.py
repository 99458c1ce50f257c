"""
Whether a tunnel takes trains, and what its session has been told of it: each change,
once.
"""

from __future__ import annotations

from uotp.boundaries import Carrier, TrainsOfTunnel


class Readiness:
    """
    Of one tunnel, from when it is open until it carries for nobody any more.
    """

    def __init__(self, tunnel: Carrier, session: TrainsOfTunnel, *, full: bool) -> None:
        """
        @param session: whom the tunnel carries for.
        @param full: whether its connection holds as much as it wants to.
        """
        self._tunnel = tunnel
        self._session: TrainsOfTunnel | None = session
        self._isFull = full
        self._isSilent = False
        self._isKnown = False  # to the session
        self._saidFree = False

    def begin(self) -> None:
        """
        Tell the session for the first time.  It may send at once, and fill the tunnel,
        which has to know us by then.
        """
        self._tellFree()

    def _tellFree(self) -> None:
        if self._session is not None and not (self._isFull or self._isSilent or self._saidFree):
            self._isKnown = self._saidFree = True
            self._session.tunnelFree(self._tunnel)

    def _tellGone(self) -> None:
        if self._session is not None and self._isKnown:
            self._isKnown = self._saidFree = False
            self._session.tunnelGone(self._tunnel)

    def full(self) -> None:
        """
        The connection holds as much as it wants to.
        """
        self._isFull = True
        if self._session is not None and self._saidFree:
            self._saidFree = False
            self._session.tunnelFull(self._tunnel)

    def free(self) -> None:
        """
        The connection takes more.
        """
        self._isFull = False
        self._tellFree()

    def pongOverdue(self) -> None:
        """
        The other end does not answer in time: carry nothing until it does.
        """
        self._isSilent = True
        self._tellGone()

    def pongCame(self) -> None:
        """
        The other end answers again.
        """
        self._isSilent = False
        self._tellFree()

    def end(self) -> None:
        """
        Carry nothing any more, ever.
        """
        self._tellGone()
        self._session = None
