"""
Tells the log whether the server can be reached: in few words, and each change once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any

from twisted.logger import LogLevel

from uotp.net import ProxyPlace
from uotp.session import STOPPED_SECONDS
from uotp.telemetry import LineBudget, Logger, RateLimit, causeOf, logCounted, spelled
from uotp.wire import ServerHello


class Known(Enum):
    """
    Names what is known of the server.

    STAYS: it has not closed a tunnel for some seconds, as any server may.
    IS_UOTP: it has welcomed us, or something has come through a tunnel.
    """

    NOTHING = auto()
    STAYS = auto()
    IS_UOTP = auto()


SERVER_HINTS = "is that a uotp server (format 1 does not tell)?"
TARGET_HINTS = (
    "is the target up, is its port the one that the server was told, and does it know this sender (WireGuard: the "
    "keys)?  A firewall may keep the answers, too; the server's log may say more"
)
"""What to look at when nothing comes back."""


class Reachability:
    """
    Counts the open tunnels to the server, and tells the log when it is reached and when it
    is not any more.

    @ivar failingSince: since when there is no tunnel, and none can be opened; L{None} otherwise.
    @ivar failures: how many have failed since then.
    @ivar lastFailure: why the last of these has, in words.
    """

    _log = Logger()

    def __init__(
        self,
        server: tuple[str, int],
        clock: Callable[[], float],
        rateLimit: RateLimit,
        proxy: ProxyPlace | None = None,
        onlyInFormat2: Sequence[str] = (),
    ) -> None:
        """
        @param clock: monotonic seconds.
        @param rateLimit: keeps the log short.
        @param proxy: through which proxy the server is reached, if there is one.
        @param onlyInFormat2: settings that were chosen and have no effect where the server turns out to speak format 1.
        """
        self._server = server
        self._through = "" if proxy is None else f" through the proxy {proxy.host} port {proxy.port}"
        self._clock = clock
        self._rateLimit = rateLimit
        self.failingSince: float | None = None
        self._budget = LineBudget(clock)
        self._up = 0
        self._leadsToSeveral = False
        self._onlyInFormat2 = onlyInFormat2
        self.failures, self.lastFailure = 0, ""
        self._known = Known.NOTHING
        self._outages, self._leftFor = 0, ""  # how often no tunnel was left, and why the last time
        self._wasUotp = False  # it has been reached once, and will be the same when it is back

    @property
    def tunnels(self) -> int:
        """
        How many tunnels are open.
        """
        return self._up

    def connectionsLimited(self, most: int) -> None:
        """
        The path, or the server, seems to let no more connections through than so many.
        """
        words = (
            "further connections to {host} port {port} do not get through beside the {most} that there are: something "
            "on the way seems to count them, or the server; no more are opened, and one more is tried now and then"
        )
        self._sayLimit("connections limited", words, most=most)

    def volumeLimited(self, volume: int) -> None:
        """
        Connections seem to be ended on the way when they have carried so many bytes.
        """
        words = (
            "connections to {host} port {port} end again and again when they have carried some {volume} KiB: something "
            "on the way seems to count that; tunnels are replaced sooner from now on, as with {setting}"
        )
        self._sayLimit("volume limited", words, volume=volume // 1024, setting=spelled("maxBytes"))

    def _sayLimit(self, kind: str, words: str, **found: object) -> None:
        host, port = self._server
        suppressed = self._rateLimit.suppressedBefore(kind)
        logCounted(self._log, LogLevel.warn, suppressed, words, host=host, port=port, **found)

    def tunnelUp(self) -> None:
        """
        A tunnel has been opened.
        """
        self._up += 1
        self.failingSince = None
        self.failures = 0

    def reached(self, answer: ServerHello | None = None) -> None:
        """
        The server has let us in.

        @param answer: what it has said, in format 2.
        """
        if self._known is not Known.IS_UOTP:
            self._known, self._wasUotp = Known.IS_UOTP, True
            self._judgeFormat(answer)
            words = "connected to {host} port {port}{throughWords}{answerWords}"
            found = {"throughWords": self._through, **fieldsFor(answer)}
            self._say(LogLevel.info, self._budget.spend(), words, **found)

    def stayed(self, *, isSecured: bool) -> None:
        """
        A tunnel has stayed for some seconds in format 1, and nothing has come through it.

        @param isSecured: whether it has TLS.
        """
        if self._wasUotp:
            self.reached()
        elif self._known is Known.NOTHING:
            self._known = Known.STAYS
            self._judgeFormat(None)
            words = (
                "{transport} is up to {host} port {port}{throughWords}, which has not said that it is uotp (format 1)"
            )
            transport = "TLS" if isSecured else "TCP"
            self._say(LogLevel.info, self._budget.spend(), words, transport=transport, throughWords=self._through)

    def _judgeFormat(self, answer: ServerHello | None) -> None:
        """
        Warn once of what was chosen in vain, unless the server speaks format 2.
        """
        inVain, self._onlyInFormat2 = self._onlyInFormat2, ()
        for name in inVain if answer is None else ():
            words = (
                "{setting} has no effect: {host} port {port} speaks only format 1; if it is older than we are, or ends "
                "TLS before a server of format 2, say {wire} 2"
            )
            self._say(LogLevel.warn, 0, words, setting=spelled(name), wire=spelled("wire"))

    def leadsToSeveral(self) -> None:
        """
        A tunnel that was to lead to the server of its session leads to another one.  Say so once.
        """
        if not self._leadsToSeveral:
            self._leadsToSeveral = True
            words = (
                "{host} port {port} leads to several servers: each session stays at one of them, and connections that "
                "come to another are dialled again; a balancer that keeps a client at one server spares that"
            )
            self._say(LogLevel.warn, self._budget.spend(), words)

    def nothingComesBack(self, name: str, *, isWelcome: bool) -> None:
        """
        A source has sent for some seconds, and nothing has ever come back to it.

        @param isWelcome: whether the server has welcomed its session.
        """
        words = "nothing comes back to session {session} from {host} port {port}: {hints}"
        suppressed = self._rateLimit.suppressedBefore(("nothing comes back", isWelcome))
        host, port = self._server
        hints = TARGET_HINTS if isWelcome or self._known is Known.IS_UOTP else f"{SERVER_HINTS} {TARGET_HINTS}"
        logCounted(self._log, LogLevel.warn, suppressed, words, session=name, host=host, port=port, hints=hints)

    def answersStopped(self, name: str) -> None:
        """
        A source goes on sending, and nothing has come back for some time, as it did before.
        """
        words = "for {seconds:.0f} s nothing has come back to session {session} from {host} port {port}: {hints}"
        suppressed = self._rateLimit.suppressedBefore("answers stopped")
        host, port = self._server
        found = {"session": name, "host": host, "port": port, "seconds": STOPPED_SECONDS}
        logCounted(self._log, LogLevel.warn, suppressed, words, hints=TARGET_HINTS, **found)

    def sessionForgotten(self, name: str) -> None:
        """
        The server did not know a session any more, and has begun it anew.
        """
        suppressed = self._rateLimit.suppressedBefore("forgotten")
        words = "the server did not know session {session} any more, and has begun it anew"
        logCounted(self._log, LogLevel.info, suppressed, words, session=name)

    def sessionReplaced(self, name: str, following: str, reason: str) -> None:
        """
        The session of a source goes on as another.
        """
        suppressed = self._rateLimit.suppressedBefore(("replaced", reason))
        words = "session {session} goes on as session {following}: {reason}"
        logCounted(self._log, LogLevel.info, suppressed, words, session=name, following=following, reason=reason)

    def tunnelDown(self) -> None:
        """
        A tunnel that was open is no more.
        """
        self._up -= 1

    def tunnelFailed(self, reason: str) -> None:
        """
        A tunnel could not be opened, or was lost; we did not close it.
        """
        if self._up == 0:
            self.failures, self.lastFailure = self.failures + 1, reason
            if self.failingSince is None:
                self.failingSince = self._clock()
        if self._known is not Known.NOTHING and self._up == 0:
            self._known = Known.NOTHING
            self._outages, self._leftFor = self._outages + 1, causeOf(reason)
            words = "no tunnel to {host} port {port} is left: {reason}"
            self._say(LogLevel.warn, self._budget.spend(), words, reason=reason)
        else:
            cause = causeOf(reason)
            isNews = self._up == 0 and cause != self._leftFor  # what an outage comes from is said for each
            suppressed = self._rateLimit.suppressedBefore(("server", cause, self._outages if isNews else 0))
            self._say(LogLevel.warn, suppressed, "a tunnel to {host} port {port} failed: {reason}", reason=reason)

    def _say(self, level: Any, suppressed: int | None, words: str, **found: object) -> None:
        host, port = self._server
        logCounted(self._log, level, suppressed, words, host=host, port=port, **found)


def fieldsFor(answer: ServerHello | None) -> dict[str, object]:
    """
    @return: what a server has answered, as fields of a line: words for its end, and each thing that it says.
    """
    if answer is None:
        return {"answerWords": "", "wire": 1}
    if answer.keptSeconds is None:
        return {"answerWords": ", which speaks format 2", "wire": 2}
    kept = f" and keeps a session without tunnels for {answer.keptSeconds} s"
    return {"answerWords": f", which speaks format 2{kept}", "wire": 2, "keptSeconds": answer.keptSeconds}
