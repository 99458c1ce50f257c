"""
What is typed on a terminal of the kernel's.
"""

from __future__ import annotations

import os
import pty
import termios

from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.operate.keys import NoKeys, keysOf


class TerminalTestCase(SynchronousTestCase):
    """
    Has a terminal.
    """

    def setUp(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.addCleanup(os.close, self.ours)
        self.addCleanup(os.close, self.theirs)


class KeysTests(TerminalTestCase):
    """
    Type.
    """

    def test_lettersComeAtOnceAndTheTerminalIsRestored(self) -> None:
        before = termios.tcgetattr(self.theirs)
        with keysOf(self.theirs) as keys:
            self.assertNotEqual(termios.tcgetattr(self.theirs), before)
            self.assertEqual(keys.wait(0), "")
            os.write(self.ours, b"s")
            self.assertEqual(keys.wait(10), "s")
            os.write(self.ours, b"\x1b[C")
            self.assertEqual(keys.wait(10), "\x1b[C")
        self.assertEqual(termios.tcgetattr(self.theirs), before)

    def test_anythingThatEndsItRestoresTheTerminal(self) -> None:
        before = termios.tcgetattr(self.theirs)
        for error in (KeyboardInterrupt, ZeroDivisionError):

            def fail(error: type[BaseException] = error) -> None:
                with keysOf(self.theirs):
                    raise error

            self.assertRaises(error, fail)
            self.assertEqual(termios.tcgetattr(self.theirs), before)

    def test_withoutATerminalNobodyTypes(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        with keysOf(reading) as keys:
            self.assertIsInstance(keys, NoKeys)
            self.assertEqual(keys.wait(0), "")
