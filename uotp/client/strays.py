"""
What becomes of tunnels that lead to another server than that of their session, behind a balancer that knows no
affinity.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.tunnel import DialledTunnel

LEAST_STRAYS = 3
"""
A slot that has come to another server so often in a row has not just met it by turns.  With two servers by turns every
other connection is right.
"""

MOST_STRAYS = 16
"""A session holds no more of them.  They may cost the other servers as much as a pool of 16."""

HOLD_SECONDS = 2.0
"""They are held for so long: for all attempts that follow one another quickly."""


class Strays:
    """
    Holds such tunnels for a moment, once there are several in a row.

    A balancer that chooses the server with the fewest connections would send each that is dialled to where the session
    is not, for ever, since those do not stay.  While they are held, it sees them, and the next one comes to the right
    server.
    """

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._held: list[DialledTunnel] = []
        self._timer: IDelayedCall | None = None

    def take(self, tunnel: DialledTunnel, inARow: int, instance: bytes | None) -> None:
        """
        Let a tunnel go, now or later.

        @param inARow: how often its slot has come to another server, with this time.
        @param instance: where the session is.
        """
        if inARow < LEAST_STRAYS and not self._held:
            tunnel.bye()
            return
        self._held.append(tunnel)
        if len(self._held) >= MOST_STRAYS:
            self.release(instance)
        elif self._timer is None:
            self._timer = self._clock.callLater(HOLD_SECONDS, self.release, instance)

    def release(self, instance: bytes | None) -> None:
        """
        Let all go.  Their servers shall forget the session, unless it has moved to one of them: a goodbye there would
        end it.

        @param instance: where the session is.
        """
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        held, self._held = self._held, []
        for tunnel in held:
            answer = tunnel.answer
            if answer is not None and answer.instance == instance:
                tunnel.abort()
            else:
                tunnel.bye()
