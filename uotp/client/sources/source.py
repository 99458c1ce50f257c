"""
The session of one source with its pool, and how much the source has done.
"""

from __future__ import annotations

from uotp.client.pool import Pool
from uotp.client.sources.proof import Proof
from uotp.client.sources.silence import Silence
from uotp.client.standby.servers import ClientServers
from uotp.client.succession import Succession
from uotp.session import Session, StoppedAnswers
from uotp.telemetry import Drops
from uotp.train import TakeTrains
from uotp.wire import newSessionId

LASTING_SECONDS = 300.0
"""
A source that has sent, and has been answered, for so long since it was proved lasts.  One that
sends nothing but keepalives would need more than twice that time to pay.  Few forged sources
keep a place for so long.
"""

ACTIVE_SECONDS = 5.0
"""
A source that was active so lately may be in the middle of something, and goes later than
others: however little it has sent, it has time to pay.
"""


class SourceSession:
    """
    Holds the session of one source, and its pool.

    @ivar send: sends trains that came from the source.
    @ivar succession: keeps the pool, and another where the server refuses the session for good.
    @ivar openedAt: when the session began, in monotonic seconds.
    @ivar proof: tells whether the source is proved, and how many tunnels it is worth.
    """

    def __init__(self, servers: ClientServers, drops: Drops, deliver: TakeTrains) -> None:
        """
        @param servers: of the client.
        @param deliver: sends trains to the source.
        """
        context = servers.all[0].context
        self._clock = context.clock
        settings = context.settings
        self._silence = Silence()
        self._stopped = StoppedAnswers()
        sessionId = newSessionId()
        allowance = context.turns.allowanceOf(sessionId)
        self.openedAt: float = context.clock.seconds()
        self.session = Session(
            deliver, drops, context.clock, allowance, self._answered, settings.order, duplicate=settings.duplicate
        )
        self.send = self.session.outbound.send
        self.succession = Succession(servers, self.session, sessionId)
        self.proof = Proof(self.session.outbound, context.clock.seconds, settings.poolSize, self.succession.widen)
        self.session.outbound.demand.tellWanted(self.succession.grow)
        self.succession.start()

    def review(self) -> None:
        """
        Look once in a while whether something comes back, and how many tunnels are wanted.
        """
        inbound, outbound = self.session.inbound, self.session.outbound
        outbound.demand.review(inbound.bytes + outbound.bytes, self._clock.seconds())
        self.pool.review()
        isUp, now = not self.pool.isDown, self._clock.seconds()
        reachability = self.succession.server.context.reachability
        if self._silence.isToBeSaid(isUp=isUp, answered=inbound.answered, lastSent=outbound.lastActive, now=now):
            reachability.nothingComesBack(self.name, isWelcome=self.pool.isKnown)
        # While no tunnel is up, that is what the log says.
        heardAt = inbound.lastActive if isUp and inbound.answered else now
        if self._stopped.isToBeSaid(outbound.lastActive, heardAt, now):
            reachability.answersStopped(self.name)

    def reviewServers(self) -> None:
        """
        Look some times a second whether the session had better be at another server.
        """
        self.succession.standby.review(self._clock.seconds())

    @property
    def pool(self) -> Pool:
        """
        The tunnels that carry for the source.
        """
        return self.succession.pool

    @property
    def name(self) -> str:
        """
        What the session is called in the log.
        """
        return self.succession.name

    def _answered(self) -> None:
        self.succession.server.context.reachability.reached()
        self.proof.answered()

    @property
    def lasts(self) -> bool:
        """
        Whether the source has sent, and has been answered, for some minutes since it was proved.
        """
        until = min(self.session.inbound.lastActive, self.session.outbound.lastActive)
        return until - self.proof.provedAt >= LASTING_SECONDS

    def worth(self, now: float) -> tuple[bool, bool, int, float]:
        """
        @return: less for the source that goes first of those that are proved: whether it lasts
            and whether it is active, how much it has sent, by powers of two, and when it was
            last active.
        """
        lastActive = self.session.lastActive
        return self.lasts, now - lastActive < ACTIVE_SECONDS, self.proof.earned.bit_length(), lastActive
