"""
Standard output that takes no more.
"""

from __future__ import annotations

import errno
import io
import sys
from typing import Any

from tests.doubles.commands import CommandTestCase
from uotp.cli.main import client, main, server
from uotp.cli.output import CheckedOutput, OutputError, checkedOutput

CLOSED = BrokenPipeError(errno.EPIPE, "Broken pipe")
FULL = OSError(errno.ENOSPC, "No space left on device")


class RefusingStream(io.StringIO):
    """
    Takes nothing, at once or when what was written has to be out.
    """

    def __init__(self, error: OSError, *, isLate: bool = False) -> None:
        super().__init__()
        self._error = error
        self._isLate = isLate

    def write(self, text: str) -> int:
        if not self._isLate:
            raise self._error
        return super().write(text)

    def flush(self) -> None:
        if self.getvalue():
            raise self._error


class OutputTests(CommandTestCase):
    """
    Write where nothing can be written.
    """

    def test_whatIsWrittenIsThere(self) -> None:
        with checkedOutput("uotp x"):
            sys.stdout.write("one\n")
        self.assertIs(sys.stdout, self.out)
        self.assertEqual((self.out.getvalue(), self.err.getvalue()), ("one\n", ""))

    def test_aClosedPipeEndsEachCommandInSilence(self) -> None:
        for run in (
            lambda: main(["man", "uotp"]),
            lambda: main(["completion", "bash"]),
            lambda: main(["systemd", "sysusers"]),
            lambda: main(["--help"]),
            lambda: main(["cert", "--help"]),
            lambda: main(["server", "--help"]),
            lambda: server(["--version"]),
            lambda: client(["--help"]),
        ):
            for isLate in (False, True):
                stream = RefusingStream(CLOSED, isLate=isLate)
                self.patch(sys, "stdout", stream)
                self.assertEqual((self.statusOf(run), self.err.getvalue()), (141, ""))
                self.assertIs(sys.stdout, stream)

    def test_aFullDiskIsSaidInOneLine(self) -> None:
        for isLate in (False, True):
            self.patch(sys, "stdout", RefusingStream(FULL, isLate=isLate))
            self.assertEqual(self.statusOf(lambda: main(["man", "uotp"])), 1)
        words = "uotp man: nothing can be written to standard output: No space left on device\n"
        self.assertEqual(self.err.getvalue(), words * 2)

    def test_whereItIsClosedFromTheBeginningThatIsSaid(self) -> None:
        self.patch(sys, "stdout", None)
        self.assertEqual(self.statusOf(lambda: main(["man", "uotp"])), 1)
        self.assertEqual(self.err.getvalue(), "uotp man: nothing can be written to standard output: it is closed\n")

    def test_whoGoesOnWithoutItFailsAllTheSame(self) -> None:
        """
        As a reactor does, which catches what is raised.
        """
        stream: Any = RefusingStream(CLOSED)

        def goOn() -> None:
            with checkedOutput("uotp x"):
                for _ in range(2):
                    self.assertRaises(OutputError, sys.stdout.write, "one")

        self.patch(sys, "stdout", stream)
        self.assertEqual(self.statusOf(goOn), 141)

    def test_otherFailuresAreLeftAlone(self) -> None:
        def fail() -> None:
            with checkedOutput("uotp x"):
                raise CLOSED

        self.assertRaises(BrokenPipeError, fail)
        self.assertEqual(self.statusOf(lambda: main(["no-such-command"])), 2)

    def test_itIsAsTheStreamInAllElse(self) -> None:
        output = CheckedOutput(self.out)
        self.assertEqual((output.isatty(), output.encoding), (False, self.out.encoding))
