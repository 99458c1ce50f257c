"""
How long a connection at the door may go on without showing what it is.  There is no I/O here: time goes in,
and a reason comes out when it is over.

A client says its hello at one go.  Whoever begins to say something and stops has the time in which a lost part
of that would be sent again; whoever says nothing has as long as a client may take at the most.
"""

from __future__ import annotations

from uotp.errors import PeerError, Refusal

DOOR_LOOK_SECONDS = 1.0
"""So often we look at who has not decided yet what he is; the first time, the web server behind us is called."""

HESITATION_LOOKS = 3
"""
After so many looks, whoever has said something and not gone on is a visitor.  A client says its hello at one go;
when a part of that is lost, it is sent again within this time.
"""

SILENCE_LIMIT_SECONDS = 9.0
"""Whoever has said nothing for so long since he came is a visitor: no client may take much longer."""

SILENT = f"said nothing in {SILENCE_LIMIT_SECONDS:.0f} s"

HESITATES = "it stops within what may be a hello or a request"


class DoorPatience:
    """
    Judges how long one connection has gone on.

    @ivar hasHesitated: whether it has been seen to stop within what it says.
    """

    __slots__ = ("_end", "_looks", "hasHesitated")

    def __init__(self, since: float) -> None:
        """
        @param since: when it came, in seconds.
        """
        self._end = since + SILENCE_LIMIT_SECONDS
        self._looks = 0
        self.hasHesitated = False

    def look(self, now: float, *, hasSpoken: bool) -> PeerError | None:
        """
        Call this every L{DOOR_LOOK_SECONDS}.

        @param now: in seconds, as when it came.
        @param hasSpoken: whether anything has come.
        @return: why it has had time enough, or L{None} while it has not.
        """
        if hasSpoken:
            self._looks += 1
            self.hasHesitated = True
            if self._looks >= HESITATION_LOOKS or now >= self._end:
                return PeerError(HESITATES)
        elif now >= self._end:
            return PeerError(SILENT, Refusal.TOO_SLOW)
        return None
