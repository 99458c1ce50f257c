"""
How a command ends and what it says, without a process of its own.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from uotp.cli import common
from uotp.telemetry.spelling import Spelling


class CommandTestCase(SynchronousTestCase):
    """
    Takes what is written on standard output and standard error.
    """

    def setUp(self) -> None:
        """
        Stand in for the terminal, and let no command line's spellings outlive it.
        """
        self.out = io.StringIO()
        self.err = io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        self.patch(Spelling, "spellings", {})
        self.patch(common, "usualDirectory", lambda *_: None)  # no test opens a control socket unasked
        # A user's wish that nothing be an option behind a positional is honoured; not here.
        wish = os.environ.pop("POSIXLY_CORRECT", None)
        if wish is not None:
            self.addCleanup(os.environ.__setitem__, "POSIXLY_CORRECT", wish)

    def replaceReactor(self, reactor: object) -> None:
        """
        @param reactor: what the outermost functions get for the global reactor, which need not have been installed.
        """
        names = vars(importlib.import_module("twisted.internet"))
        if "reactor" in names:
            self.addCleanup(names.__setitem__, "reactor", names["reactor"])
        else:
            self.addCleanup(names.pop, "reactor", None)
        names["reactor"] = reactor

    def statusOf(self, call: Callable[[], object]) -> object:
        """
        @param call: what must end the process.
        @return: the exit status.
        """
        return self.assertRaises(SystemExit, call).code

    def refusalOf(self, call: Callable[[], object]) -> str:
        """
        @param call: what must be refused: with status 2, nothing on standard output, and one line on standard error.
        @return: that line.
        """
        self.err.seek(0)
        self.err.truncate()
        self.assertEqual(self.statusOf(call), 2)
        self.assertEqual(self.out.getvalue(), "")
        text = self.err.getvalue()
        self.assertTrue(text.endswith("\n"), text)
        line = text[:-1]
        self.assertEqual(len(line.splitlines()), 1, text)
        return line

    def outputOf(self, call: Callable[[], object]) -> str:
        """
        @param call: what must end the process with status 0, and say nothing on standard error.
        @return: what it says on standard output.
        """
        self.assertEqual(self.statusOf(call), 0)
        self.assertEqual(self.err.getvalue(), "")
        return self.out.getvalue()
