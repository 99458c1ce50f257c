"""
What the log says of the server: what is known of it and no more, and each change once.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from uotp.client.dial.failures import wordsForTimeOut
from uotp.client.dial.patience import DialStep
from uotp.client.reachability import SERVER_HINTS, TARGET_HINTS, Reachability
from uotp.client.sources.silence import NEVER_ANSWERED_SECONDS, SENT_SECONDS, Silence
from uotp.telemetry.ratelimit import RateLimit
from uotp.wire.hello import ServerHello


class ReachabilityTests(SynchronousTestCase):
    """
    Let tunnels come and go, and read what is said of them.
    """

    def setUp(self) -> None:
        clock = Clock()
        capture = capturedLogs()
        self.events = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)
        self.clock = clock
        self.reachability = self.newReachability()

    def newReachability(self, onlyInFormat2: Sequence[str] = ()) -> Reachability:
        """
        @return: that of a server that has not been reached yet.
        """
        seconds = self.clock.seconds
        return Reachability(("good.test", 8443), seconds, RateLimit(seconds), None, onlyInFormat2)

    def lines(self) -> list[str]:
        """
        @return: what was said since this was asked last.
        """
        lines = [formatEvent(event) for event in self.events]
        self.events.clear()  # type: ignore[attr-defined]
        return lines

    def test_tunnelThatOnlyStaysIsNoConnectionToAUotp(self) -> None:
        """
        In format 1 any server would do, until it says something.
        """
        for isSecured, what in ((True, "TLS"), (False, "TCP")):
            self.reachability.tunnelUp()
            for _ in range(3):
                self.reachability.stayed(isSecured=isSecured)
            words = f"{what} is up to good.test port 8443, which has not said that it is uotp (format 1)"
            self.assertEqual(self.lines(), [words])
            self.reachability.tunnelDown()
            self.reachability.tunnelFailed(f"{what} was lost")
            self.assertEqual(self.lines(), [f"no tunnel to good.test port 8443 is left: {what} was lost"])

    def test_whatFormat1CannotFollowIsSaidWhenItIsSpoken(self) -> None:
        """
        Once, however the server is known to speak it; and never where it has once spoken format 2.
        """
        words = (
            " has no effect: good.test port 8443 speaks only format 1; if it is older than we are, or ends TLS before "
            "a server of format 2, say wire 2"
        )
        for arrive in (Reachability.reached, lambda each: each.stayed(isSecured=True)):
            reachability = self.newReachability(["reorder", "pad"])
            for _ in range(3):
                reachability.tunnelUp()
                arrive(reachability)
                reachability.tunnelDown()
                reachability.tunnelFailed("it was lost")
            self.assertEqual([line for line in self.lines() if "effect" in line], [f"reorder{words}", f"pad{words}"])
        reachability = self.newReachability(["pad"])
        for answer in (ServerHello(True), None, None):
            reachability.tunnelUp()
            reachability.reached(answer)
            reachability.tunnelDown()
            reachability.tunnelFailed("it was lost")
        self.assertEqual([line for line in self.lines() if "effect" in line], [])

    def test_limitsOfThePathAreSaidOnce(self) -> None:
        for _ in range(2):
            self.reachability.connectionsLimited(4)
            self.reachability.volumeLimited(1 << 20)
        counted = "further connections to good.test port 8443 do not get through beside the 4 that there are: something"
        ended = "connections to good.test port 8443 end again and again when they have carried some 1024 KiB: something"
        lines = self.lines()
        self.assertEqual(
            [line[: len(words)] for line, words in zip(lines, (counted, ended), strict=True)], [counted, ended]
        )

    def test_firstAnswerIsProof(self) -> None:
        """
        Once and for all: the same server comes back after an outage.
        """
        self.reachability.tunnelUp()
        self.reachability.stayed(isSecured=True)
        self.lines()
        self.reachability.reached()
        self.reachability.reached()
        self.assertEqual(self.lines(), ["connected to good.test port 8443"])
        self.reachability.tunnelDown()
        self.reachability.tunnelFailed("lost")
        self.reachability.tunnelUp()
        self.reachability.stayed(isSecured=True)
        self.assertEqual(
            self.lines(), ["no tunnel to good.test port 8443 is left: lost", "connected to good.test port 8443"]
        )

    def test_format2IsProofWithTheWelcome(self) -> None:
        self.reachability.tunnelUp()
        self.reachability.reached(ServerHello(True, True, 150))
        self.reachability.stayed(isSecured=True)
        words = "connected to good.test port 8443, which speaks format 2 and keeps a session without tunnels for 150 s"
        self.assertEqual(self.lines(), [words])

    def test_sameCauseIsSaidOnceWhateverTheRemedy(self) -> None:
        """
        Which may tell the time.
        """
        for minute in range(10):
            self.reachability.tunnelFailed(f"certificate not yet valid; this machine's clock says 00:0{minute}")
        self.assertEqual(len(self.lines()), 1)

    def test_sameCauseIsSaidOnceHoweverLongItTook(self) -> None:
        """
        Each try has more time than the one before.
        """
        for step in (DialStep.LOOKUP, DialStep.CONNECT, DialStep.TLS, DialStep.UPGRADE, DialStep.HELLO):
            before = len(self.lines())
            for seconds in (0.5, 1.0, 4.0, 8.0, 16.0, 30.0):
                self.reachability.tunnelFailed(wordsForTimeOut(step, "192.0.2.1", seconds))
            self.assertEqual(len(self.lines()), before + 1, self.lines())

    def test_eachOutageHasItsCauseSaid(self) -> None:
        """
        Also when it was the same before.  What is said once of it is enough, and so is that no tunnel is left for it.
        """
        refused = "a tunnel to good.test port 8443 failed: the proxy does not accept user and password (407)"
        self.reachability.tunnelFailed("the proxy does not accept user and password (407)")
        self.assertEqual(self.lines(), [refused])
        for _ in range(3):
            self.reachability.tunnelUp()
            self.reachability.reached()
            self.lines()
            self.reachability.tunnelDown()
            self.reachability.tunnelFailed("connection lost")
            self.assertEqual(self.lines(), ["no tunnel to good.test port 8443 is left: connection lost"])
            for _ in range(3):
                self.reachability.tunnelFailed("the proxy does not accept user and password (407)")
            self.assertEqual(self.lines(), [refused])

    def test_whatNoTunnelIsLeftForIsNotSaidTwiceForEachOutage(self) -> None:
        for outage in range(3):
            self.reachability.tunnelUp()
            self.reachability.reached()
            self.reachability.tunnelDown()
            self.lines()
            for _ in range(3):
                self.reachability.tunnelFailed("connection refused")
            self.assertEqual(len(self.lines()), 1 + (outage == 0))

    def test_silenceIsSaidWithWhatToLookAt(self) -> None:
        """
        Of many sessions once, and whether it is a uotp at all only where that is not known.
        """
        before = "nothing comes back to session 5f0c9e21 from good.test port 8443: "
        for _ in range(3):
            self.reachability.nothingComesBack("5f0c9e21", isWelcome=False)
        self.assertEqual(self.lines(), [f"{before}{SERVER_HINTS} {TARGET_HINTS}"])
        for _ in range(3):
            self.reachability.nothingComesBack("5f0c9e21", isWelcome=True)
        self.assertEqual(self.lines(), [f"{before}{TARGET_HINTS}"])

    def test_endOfAnswersIsSaidOnceForManySessions(self) -> None:
        for _ in range(3):
            self.reachability.answersStopped("5f0c9e21")
        words = f"for 30 s nothing has come back to session 5f0c9e21 from good.test port 8443: {TARGET_HINTS}"
        self.assertEqual(self.lines(), [words])


class SilenceTests(SynchronousTestCase):
    """
    Look every second at a source that sends every second.
    """

    def saidAt(
        self, *, sends: float = 100.0, answeredAt: float = 100.0, upFrom: float = 0.0, downAt: float = 100.0
    ) -> list[float]:
        """
        @param sends: until when the source sends.
        @param answeredAt: when something comes back for the first time.
        @param upFrom: when there is a tunnel.
        @param downAt: when there is none again.
        @return: when silence is to be said.
        """
        silence = Silence()
        return [
            now
            for now in map(float, range(60))
            if silence.isToBeSaid(
                isUp=upFrom <= now < downAt, answered=now >= answeredAt, lastSent=min(now, sends), now=now
            )
        ]

    def test_silenceIsSaidOnce(self) -> None:
        self.assertEqual(self.saidAt(), [NEVER_ANSWERED_SECONDS])

    def test_timeCountsFromTheTunnel(self) -> None:
        """
        Before that other lines say what is wrong.
        """
        self.assertEqual(self.saidAt(upFrom=20), [20 + NEVER_ANSWERED_SECONDS])
        self.assertEqual(self.saidAt(downAt=NEVER_ANSWERED_SECONDS - 1), [])

    def test_answerInTimeIsNoSilence(self) -> None:
        self.assertEqual(self.saidAt(answeredAt=NEVER_ANSWERED_SECONDS - 1), [])

    def test_lonelyDatagramNeedsNoAnswer(self) -> None:
        """
        Nor does what was sent in a moment.
        """
        self.assertEqual(self.saidAt(sends=SENT_SECONDS - 1), [])
        self.assertEqual(self.saidAt(sends=SENT_SECONDS), [NEVER_ANSWERED_SECONDS])
