"""
The command C{uotp doctor} run in this process, and what it is to say.
"""

from __future__ import annotations

import io
from dataclasses import replace

from tests.integration.rig import RigTestCase
from uotp.cli.doctor import doctor
from uotp.doctor import DoctorSettings, Examination, SystemMachine
from uotp.telemetry import Logger, Spelling

RATE_SECONDS = 0.2
"""So long the rate is measured here."""


class DoctorTestCase(RigTestCase):
    """
    Examines this machine.

    @ivar machine: it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(Logger, "threshold", Logger.threshold)
        self.patch(Spelling, "spellings", Spelling.spellings)
        self.machine = SystemMachine()

    def examined(self, *words: object, timeout: str = "60") -> tuple[int, str]:
        """
        Run the command.

        @param words: of its command line.
        @return: its exit status, and what it prints.
        """

        def examineSoon(settings: DoctorSettings) -> object:
            return Examination(
                replace(settings, rateSeconds=min(settings.rateSeconds, RATE_SECONDS)), self.machine
            ).findings()

        out = io.StringIO()
        status = doctor(["--timeout", timeout, *map(str, words)], examineSoon, out)  # type: ignore[arg-type]
        return status, out.getvalue()

    def assertNamed(self, examined: tuple[int, str], status: int, step: str, *words: str) -> None:
        """
        A fault is named at its step, which decides the exit status.
        """
        found, text = examined
        line = next(each for each in text.splitlines() if each[13:].startswith(step))
        for each in words:
            self.assertIn(each, line, text)
        self.assertEqual(found, status, text)

    def assertRemedied(self, examined: tuple[int, str], status: int, step: str, facts: str, *remedy: str) -> None:
        """
        A fault is named at its step, and the line below it says what can be done.
        """
        self.assertNamed(examined, status, step, facts)
        lines = examined[1].splitlines()
        below = lines[next(at for at, each in enumerate(lines) if each[13:].startswith(step)) + 1]
        for each in ("remedy", *remedy):
            self.assertIn(each, below, examined[1])

    def assertWell(self, examined: tuple[int, str]) -> None:
        """
        Nothing is named, and each step is reached.
        """
        status, text = examined
        self.assertEqual([line for line in text.splitlines() if not line.startswith("ok ")], [], text)
        self.assertEqual((status, text.count("\n")), (0, 16), text)
