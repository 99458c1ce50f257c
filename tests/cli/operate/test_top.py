"""
What C{uotp top} shows, what is typed, and what becomes of programs meanwhile.
"""

from __future__ import annotations

import io
import json
import re
import signal
import sys
import termios
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.operate.test_keys import TerminalTestCase
from tests.cli.operate.test_rates import later
from tests.doubles.reports import CLIENT_REPORT, SERVER_REPORT, crowded
from uotp.cli.operate import top
from uotp.cli.operate.asking import AskError, NobodyThere, Program
from uotp.cli.operate.top import GONE_SECONDS, LEAST_ROWS, RESTART_SECONDS, Top, runTop
from uotp.monitoring import ControlRequest, Report
from uotp.monitoring.controlwire import piecesOfAnswer

SERVER, CLIENT = Program("/run/uotp/server-8443.sock"), Program("/run/uotp/client-8911.sock")


class TopTests(SynchronousTestCase):
    """
    Watch programs on a terminal in memory.
    """

    def setUp(self) -> None:
        self.now = 1000.0
        self.reports: dict[Program, Report | AskError] = {SERVER: SERVER_REPORT}
        self.found = [SERVER]
        self.steps: list[Callable[[], str]] = []
        self.screens: list[str] = []
        self.width, self.height = 80, 24

    def wait(self, seconds: float) -> str:
        """
        Somebody does what comes next in the test, and then quits.
        """
        self.see()
        if not self.steps:
            return "q"
        typed = self.steps.pop(0)()
        if not typed:
            self.now += seconds
        return typed

    def ask(self, program: Program, _: ControlRequest) -> Mapping[str, Any]:
        """
        Ask a program of the test.
        """
        told = self.reports.get(program) or NobodyThere("nobody")
        if isinstance(told, AskError):
            raise told
        answer: Mapping[str, Any] = json.loads(b"".join(piecesOfAnswer(told)))
        return answer

    def see(self) -> None:
        """
        Look at what is on the screen.
        """
        text = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        self.screens.append(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text))

    def run_(self, *steps: Callable[[], str], interval: float = 2.0) -> list[str]:
        """
        @param steps: what is done at each look; what is returned is typed.
        @return: what was on the screen, each time.
        """
        self.steps = list(steps)
        self.out = io.StringIO()
        console = Console(
            file=self.out, width=self.width, height=self.height, force_terminal=True, highlight=False, markup=False
        )
        Top(lambda: self.found, self.ask, console, self, interval, lambda: self.now).run()
        rest = self.out.getvalue()
        self.assertIn("\x1b[?1049l", rest)  # the other screen is left
        self.assertIn("\x1b[?25h", rest)  # and the cursor is seen
        return self.screens

    def carry(self) -> str:
        """
        Two seconds in which something is carried.
        """
        report = self.reports[SERVER]
        assert isinstance(report, Report)
        self.reports[SERVER] = later(report, 2.0, 250_000)
        return ""

    def names(self, screen: str) -> list[str]:
        """
        @return: the sessions on a screen, in order.
        """
        return re.findall(r"^([0-9a-f]{8}) ", screen, re.MULTILINE)

    def test_ratesAreSeenFromTheSecondLookOn(self) -> None:
        first, second = self.run_(self.carry)
        self.assertIn("out 0bit/s", first)
        self.assertIn("out 1.0Mbit/s", second)
        self.assertIn("every 2 s  sorted by rate", second)
        self.assertEqual(self.names(second), ["1f2e3d4c", "aabbccdd"])

    def test_theFastestIsFirst(self) -> None:
        def carryByTheOther() -> str:
            one, other = SERVER_REPORT.sessions
            other = replace(other, back=replace(other.back, bytes=other.back.bytes + 1000))
            self.reports[SERVER] = replace(SERVER_REPORT, seconds=SERVER_REPORT.seconds + 2, sessions=(one, other))
            return ""

        _, second = self.run_(carryByTheOther)
        self.assertEqual(self.names(second), ["aabbccdd", "1f2e3d4c"])

    def test_whatIsTypedSorts(self) -> None:
        sorts = ["rate", "age", "idle", "round trip", "drops", "client", "rate", "client", "rate"]
        typed = ["s", "s", "\x1b[C", "s", "s", "s", "\x1b[D", "\x1b[C"]
        screens = self.run_(*[lambda each=each: each for each in typed])
        self.assertEqual([re.findall("sorted by ([a-z ]+)  ", screen)[0] for screen in screens], sorts)

    def test_otherKeysDoNothing(self) -> None:
        for screen in self.run_(lambda: "x", lambda: "\x1b", lambda: "\x1b[A"):
            self.assertIn("sorted by rate", screen)

    def test_asManyRowsAreSeenAsFit(self) -> None:
        self.reports[SERVER] = replace(crowded(200, 1), sessionsOpen=300)
        for width, height, least in ((80, 24, 6), (80, 50, 32), (80, 12, LEAST_ROWS), (50, 12, 1), (50, 7, 1)):
            self.width, self.height = width, height
            self.screens.clear()
            (screen,) = self.run_()
            rows = len(self.names(screen))
            self.assertLessEqual(len(screen.splitlines()), height)
            self.assertGreaterEqual(rows, least)
            self.assertIn(f"and {300 - rows} more", screen)

    def test_programsForWhichThereIsNoRoomAreCounted(self) -> None:
        self.found = [Program(f"/run/uotp/server-{port}.sock") for port in range(8443, 8453)]
        self.reports = dict.fromkeys(self.found, crowded(20, 1))
        (screen,) = self.run_()
        shown = screen.count("[server-84")
        self.assertLessEqual(len(screen.splitlines()), 24)
        self.assertGreater(shown, 3)
        self.assertIn(f"and {10 - shown} more programs", screen)

    def test_severalProgramsShareTheScreen(self) -> None:
        self.found = [SERVER, CLIENT]
        self.reports = {SERVER: crowded(100, 1), CLIENT: replace(crowded(100, 1), end="client")}
        (screen,) = self.run_()
        self.assertLessEqual(len(screen.splitlines()), 24)
        self.assertEqual((screen.count("[server-8443]"), screen.count("[client-8911]")), (1, 1))
        self.assertGreaterEqual(len(self.names(screen)), 2 * LEAST_ROWS)

    def test_aProgramThatEndsIsWaitedFor(self) -> None:
        """
        It is said when it is there again.
        """

        def end() -> str:
            self.found = []
            del self.reports[SERVER]
            return ""

        def startAgain() -> str:
            self.found = [SERVER]
            self.reports[SERVER] = replace(SERVER_REPORT, pid=9, seconds=1.0)
            return ""

        def goOn() -> str:
            self.now += RESTART_SECONDS
            return ""

        first, gone, again, later_ = self.run_(end, startAgain, goOn)
        self.assertNotIn("waiting", first)
        self.assertIn("server-8443: it has ended; waiting for it", gone)
        self.assertEqual(self.names(gone), [])
        self.assertIn("it was started again", again)
        self.assertNotIn("it was started again", later_)

    def test_oneThatDoesNotComeBackIsForgotten(self) -> None:
        def end() -> str:
            self.found = []
            del self.reports[SERVER]
            return ""

        def wait() -> str:
            self.now += GONE_SECONDS
            return ""

        *_, last = self.run_(end, wait)
        self.assertIn("no program runs yet: waiting for one", last)

    def test_oneThatIsNotThereYetIsWaitedFor(self) -> None:
        self.reports.clear()

        def start() -> str:
            self.reports[SERVER] = SERVER_REPORT
            return ""

        first, second = self.run_(start)
        self.assertIn("server-8443: it is not there; waiting for it", first)
        self.assertIn("uotp-server 0.1.0", second)

    def test_whyItDoesNotAnswerIsSaid(self) -> None:
        self.reports[SERVER] = AskError("server-8443 has not answered in 12 s")
        (screen,) = self.run_()
        self.assertIn("has not answered in 12 s; waiting for it", screen)

    def test_workersSessionsAreTold(self) -> None:
        self.reports[SERVER] = CLIENT_REPORT
        (screen,) = self.run_()
        self.assertIn("SESSION  W WHO", screen)


class SignalTests(TerminalTestCase):
    """
    End it from outside.
    """

    def test_aSignalEndsItWell(self) -> None:
        """
        SIGTERM and SIGHUP as Ctrl-C does, so that the terminal is restored.
        """
        taken: dict[int, Callable[..., None]] = {}
        self.patch(signal, "signal", taken.__setitem__)
        self.patch(sys, "stdin", open(self.theirs, closefd=False))  # noqa: SIM115 - it is closed below
        self.addCleanup(sys.stdin.close)
        before = termios.tcgetattr(self.theirs)
        for number in (signal.SIGTERM, signal.SIGHUP):

            def run(_: object, number: int = number) -> None:
                taken[number](number, None)

            self.patch(top.Top, "run", run)
            runTop(list, lambda *_: {}, Console(file=io.StringIO()), 2.0)
            self.assertEqual(termios.tcgetattr(self.theirs), before)
