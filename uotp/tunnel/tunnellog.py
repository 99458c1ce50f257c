"""
What is said of each tunnel at C{debug}: how it was opened, how its path is, what became of it and
why.  There may be thousands of tunnels, and a peer may open and close them as it likes: so much
is said in a minute and no more, and at other levels nothing of this costs anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any
from weakref import ref

from twisted.logger import LogLevel

from uotp.telemetry import LineBudget, Logger, logCounted
from uotp.tunnel.told import Told
from uotp.tunnel.tunnel import Tunnel

LINES_PER_MINUTE = 300
"""So many lines there may be of tunnels that begin and end, and of what becomes of them."""

PATHS_PER_MINUTE = 60
"""So many tunnels are looked at in a minute: each of them, or each in its turn."""

MINUTE = 60.0


class TunnelLog:
    """
    Says at C{debug} what becomes of the tunnels of one service.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._budget = LineBudget(clock.seconds, LINES_PER_MINUTE, MINUTE)
        self._turn: deque[ref[Tunnel]] = deque()  # those that have not been looked at in this round

    def opened(self, tunnel: Tunnel, session: str, answer: str) -> None:
        """
        A tunnel carries from now on.

        @param session: the name of the session.
        @param answer: what was answered to the hello, in words.
        """
        if not Logger.hears(LogLevel.debug):
            return
        facts = tunnel.transport.facts()
        security = tunnel.security
        protocol = None if security is None else security.protocol
        alpn = None if protocol is None else protocol.decode("ascii", "replace")
        tunnel.told = Told(facts.local, facts.peer, session, self._clock.seconds())
        self._say(
            "tunnel {local} to {peer} carries for session {session}: {tlsWords}, {alpnWords}, format {wire}; {answer}",
            local=facts.local,
            peer=facts.peer,
            session=session,
            tlsWords=facts.tls or "no TLS",
            tls=facts.tls or None,
            alpnWords="no ALPN" if alpn is None else f"ALPN {alpn}",
            alpn=alpn,
            wire=tunnel.wireFormat.value,
            answer=answer,
        )

    def tell(self, tunnel: Tunnel | None, what: str) -> None:
        """
        Something has become of a tunnel.

        @param what: the words.
        """
        told = None if tunnel is None else tunnel.told
        if told is not None:
            words = "tunnel {local} to {peer} of session {session}: {what}"
            self._say(words, local=told.local, peer=told.peer, session=told.session, what=what)

    def lost(self, tunnel: Tunnel, reason: str) -> None:
        """
        A tunnel is gone.

        @param reason: the words.
        """
        told, tunnel.told = tunnel.told, None
        if told is not None:
            self._say(
                "tunnel {local} to {peer} of session {session} has ended after {seconds:.1f} s and {carried} bytes: "
                "{reason}",
                local=told.local,
                peer=told.peer,
                session=told.session,
                seconds=self._clock.seconds() - told.openedAt,
                carried=tunnel.carried,
                reason=reason,
            )

    def strangerLost(self, peer: str, reason: str) -> None:
        """
        A connection is gone that has carried nothing.

        @param peer: the host that it came from.
        @param reason: the words.
        """
        if Logger.hears(LogLevel.debug):
            self._say("connection from {peer} ended: {reason}", peer=peer, reason=reason)

    def _say(self, words: str, **fields: object) -> None:
        logCounted(self._log, LogLevel.debug, self._budget.spend(), words, **fields)

    def tellPaths(self, tunnels: Collection[Tunnel]) -> None:
        """
        Say how the paths of some tunnels are; of the next ones when this is called again.

        @param tunnels: all that live.
        """
        if not Logger.hears(LogLevel.debug):
            self._turn.clear()
            return
        if not self._turn:
            self._turn.extend(map(ref, tunnels))
        for _ in range(min(PATHS_PER_MINUTE, len(self._turn))):
            tunnel = self._turn.popleft()()
            if tunnel is not None:
                self._tellPath(tunnel)

    def _tellPath(self, tunnel: Tunnel) -> None:
        told, link = tunnel.told, tunnel.link
        if told is None or link is None:
            return
        path = tunnel.transport.pathStats()
        self._log.debug(
            "tunnel {local} to {peer} of session {session}: {roundTripWords}{pathWords}, {carried} bytes",
            local=told.local,
            peer=told.peer,
            session=told.session,
            roundTripWords=f"round trip {link.roundTrip * 1e3:.1f} ms" if link.roundTrip else "round trip not known",
            roundTrip=link.roundTrip or None,
            pathWords=""
            if path is None
            else f", the kernel's {path.roundTrip * 1e3:.1f} ms, {path.repeated} of {path.sent} segments sent again",
            kernelRoundTrip=None if path is None else path.roundTrip,
            sentAgain=None if path is None else path.repeated,
            segments=None if path is None else path.sent,
            carried=tunnel.carried,
        )
