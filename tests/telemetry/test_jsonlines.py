"""
Lines of the log as JSON.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogEvent, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry.jsonlines import OWN_KEYS, jsonLine
from uotp.telemetry.log import Logger, logCounted
from uotp.telemetry.plainlines import LINE_VALUES_BYTES, plainValues
from uotp.telemetry.workerlines import eventOf

MOST_BYTES = 2 * LINE_VALUES_BYTES
"""No line is longer: the words come in the message and as fields."""


def failed() -> Failure:
    """
    @return: an error with its traceback.
    """
    try:
        int("nothing")
    except ValueError:
        return Failure()
    raise AssertionError


class JsonLineTests(SynchronousTestCase):
    """
    Write events, and read what was written.
    """

    def event(self, words: str, level: Any = LogLevel.info, **fields: object) -> LogEvent:
        """
        @return: what is logged.
        """
        events: list[LogEvent] = []
        Logger("uotp.room", observer=events.append).emit(level, words, **fields)  # type: ignore[arg-type]
        return {**events[0], "log_time": 1700000000.25}

    def told(self, event: LogEvent) -> dict[str, Any]:
        """
        @return: what is written of an event, which is one line of printable ASCII.
        """
        line = jsonLine(event)
        self.assertTrue(line.endswith("}\n"))
        self.assertEqual([letter for letter in line[:-1] if not " " <= letter <= "~"], [])
        self.assertLess(len(line), MOST_BYTES)
        read: dict[str, Any] = json.loads(line)
        return read

    def test_eachFieldHasAKeyOfItsOwn(self) -> None:
        """
        The keys that every line has come first.
        """
        read = self.told(self.event("{host} has {count}", host="a.test", count=3, rate=1.5, isOpen=True, tls=None))
        self.assertEqual(
            list(read.items()),
            [
                ("time", "2023-11-14T22:13:20.250000Z"),
                ("level", "info"),
                ("logger", "uotp.room"),
                ("message", "a.test has 3"),
                ("host", "a.test"),
                ("count", 3),
                ("rate", 1.5),
                ("isOpen", True),
                ("tls", None),
            ],
        )

    def test_proseIsInTheMessageAlone(self) -> None:
        read = self.told(self.event("open{clientWords}", clientWords=" (alice, sha256 12)", client="alice"))
        self.assertEqual((read["message"], read["client"]), ("open (alice, sha256 12)", "alice"))
        self.assertNotIn("clientWords", read)

    def test_whatWasLeftOutIsANumber(self) -> None:
        events: list[Any] = []
        log = Logger("uotp.room", observer=events.append)  # type: ignore[arg-type]
        for suppressed in (0, 3):
            logCounted(log, LogLevel.info, suppressed, "said")
        first, second = map(self.told, events)
        self.assertEqual((first["message"], second["message"]), ("said", "said (and 3 not said before)"))
        self.assertEqual((first.get("suppressed"), second["suppressed"]), (None, 3))

    def test_anErrorHasItsTraceback(self) -> None:
        failure = failed()
        read = self.told(self.event("it failed", LogLevel.critical, log_failure=failure))
        self.assertEqual((read["level"], read["message"]), ("critical", "it failed"))
        self.assertIn("test_jsonlines.py", read["traceback"])
        self.assertIn("ValueError", read["traceback"])

    def test_aWorkersLineHasItsNumberApart(self) -> None:
        """
        In the text it stands before the words, and a traceback behind them.
        """
        failure = failed()
        for fields in ({}, {"log_failure": failure}):
            event = self.event("session {session} opened", session="1f2e", **fields)
            read = self.told(eventOf(plainValues(event), 2))
            self.assertEqual((read["message"], read["worker"], read["session"]), ("session 1f2e opened", 2, "1f2e"))
            self.assertEqual("ValueError" in read.get("traceback", ""), bool(fields))

    def test_whatTheParentSaysOfAWorkerHasItsNumberToo(self) -> None:
        read = self.told(self.event("worker {worker} is gone", worker=2))
        self.assertEqual((read["message"], read["worker"]), ("worker 2 is gone", 2))

    def test_controlCharactersAreEscaped(self) -> None:
        name = "a\x1b[2J\x7f\x85\u2028\ud800\n"
        read = self.told(self.event("{name}", name=name))
        self.assertEqual(read["name"], name.replace("\ud800", "\\ud800"))

    def test_linesHaveABound(self) -> None:
        """
        Also where each letter takes six bytes.
        """
        read = self.told(self.event("{a}{b}", a="\x00" * 100_000, b="x" * 100_000, **{f"f{n}": n for n in range(9999)}))
        self.assertTrue(read["message"].endswith("[...]"))

    def test_twistedsOwnLinesAreWrittenToo(self) -> None:
        """
        One of the old kind has no format, and one may have a field by a name of ours.
        """
        read = self.told({"log_text": "old", "log_format": "{log_text}", "level": 3, "log_level": LogLevel.warn})
        self.assertEqual((read["message"], read["level"], read["time"]), ("old", "warn", None))

    @given(st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.floats() | st.none() | st.binary()))
    def test_whateverIsLoggedIsOneObject(self, fields: dict[str, Any]) -> None:
        read = self.told({"log_format": "words", "log_level": LogLevel.info, "log_time": 1.0, **fields})
        self.assertEqual([key for key in read if key in OWN_KEYS][:4], list(OWN_KEYS[:4]))
