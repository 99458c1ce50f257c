"""
The page of all log messages is that of the code as it is, and each field of a message holds one value.
"""

from __future__ import annotations

import functools
import re
import runpy
from pathlib import Path
from string import Formatter
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from uotp.telemetry.jsonlines import OWN_KEYS, PROSE
from uotp.telemetry.plainlines import isFieldName

DOCS = Path(__file__).resolve().parents[1] / "docs"
"""Found in a checkout only; it is no part of what is installed."""

LATER = {"uotp.tunnel.service"}
"""Where messages are logged that were kept for later; they are found where they are kept."""

FEWEST = 150
"""A program that finds fewer messages finds not all."""

SAMPLE = """
KNOWN = {1: "one {a}"}
UNKNOWN = "other"

class Room:
    def open(self, number):
        self._log.info("opened {room}", room=1)
        self._say(LogLevel.warn, KNOWN.get(number, UNKNOWN), a=1)
        words = "left" if number else "lost"
        logCounted(self._log, LogLevel.error, 0, words)
        self._tell("a door")
        self._log.failure("failed")
        self._log.info(number.words)

    def _say(self, level, words, **fields):
        logCounted(self._log, level, 0, words, **fields)

    def _tell(self, words):
        self._log.debug(words + " is open")
"""
"""A module that logs in each of the ways that there are."""


@functools.cache
def program() -> dict[str, Any]:
    """
    @return: what the program that writes the page defines.
    """
    path = DOCS / "list_log.py"
    if not path.exists():
        reason = "docs/list_log.py is not here: run the tests in a checkout"
        raise SkipTest(reason)
    return runpy.run_path(str(path))


class LogPageTests(SynchronousTestCase):
    """
    Compare the page with the code, and look at each message.
    """

    def setUp(self) -> None:
        self.listing = program()["listed"]()

    def test_thePageShowsTheMessagesAsTheyAre(self) -> None:
        """
        Whoever changes a message writes the page again, by C{python docs/list_log.py}.
        """
        self.assertTrue((DOCS / "reference" / "log.rst").read_text("utf-8") == program()["page"]())

    def test_everyMessageIsFound(self) -> None:
        """
        A format stands where it is logged, or is handed on as a parameter.
        """
        self.assertEqual({place.partition(":")[0] for place in self.listing.unknown}, LATER)
        self.assertGreater(len(self.listing.messages), FEWEST)

    def test_eachWayToLogIsRead(self) -> None:
        listing = program()["Listing"]()
        listing.read({"sample": program()["ast"].parse(SAMPLE)})
        found = {(level, text) for _, level, text in listing.messages}
        self.assertEqual(
            found,
            {
                ("info", "opened {room}"),
                ("warn", "one {a}"),
                ("warn", "other"),
                ("error", "left"),
                ("error", "lost"),
                ("debug", "a door is open"),
                ("critical", "failed"),
            },
        )
        self.assertEqual(len(listing.unknown), 1)

    def test_fieldsThatAreGluedToWordsAreProse(self) -> None:
        """
        Such a field holds a space or a comma of its own, and so more than a value.
        """
        for module, _, text in self.listing.messages:
            for found in re.finditer(r"(?<=[\w}])\{(\w+)[^}]*\}|\{(\w+)[^}]*\}(?=\w)", text):
                name = found[1] or found[2]
                self.assertTrue(name.endswith(PROSE), f"{module}: {name} in {text!r}")

    def test_noFieldIsLost(self) -> None:
        """
        Some names mean something to those who write lines.
        """
        for module, _, text in self.listing.messages:
            for _, name, _, _ in Formatter().parse(text):
                if name is not None and name != "worker":
                    self.assertTrue(isFieldName(name) and name not in OWN_KEYS, f"{module}: {name} in {text!r}")
