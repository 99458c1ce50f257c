"""
Lines of the log as values that another process can be sent.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from twisted.logger import LogEvent, LogLevel, LogPublisher, formatEvent
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry.log import Logger
from uotp.telemetry.plainlines import (
    CUT,
    FIELD_BYTES,
    FIELDS_BYTES,
    LATEST,
    LINE_VALUES_BYTES,
    MOST_INTEGER,
    NAME_LENGTH,
    NAMESPACE_BYTES,
    TRACEBACK_BYTES,
    WORDS_BYTES,
    cutTo,
    encodedBytes,
    isFieldName,
    isPlain,
    isTime,
    plainValues,
    wordsOf,
)


class Colour(Enum):
    """
    Is a value that JSON does not have.
    """

    RED = "red"


class Mute:
    """
    Is a thing that cannot be put into words.
    """

    def __format__(self, specification: str) -> str:
        raise LookupError

    __str__ = __repr__ = lambda self: self.__format__("")


def plainly(words: str | None, **fields: Any) -> dict[str, Any]:
    """
    @return: what an event with this format and these fields is turned into.
    """
    return plainValues({"log_format": words, "log_level": LogLevel.info, "log_namespace": "n", **fields})


class PlainValuesTests(SynchronousTestCase):
    """
    Turn events into plain values.
    """

    def assertWords(self, values: dict[str, Any], words: str) -> None:
        """
        What was made of an event says this, by its format or as text.
        """
        said = wordsOf(values["format"], values["fields"]) if "format" in values else values["text"]
        self.assertEqual(said, words)

    def test_aLineKeepsItsLevelPlaceTimeFormatAndFields(self) -> None:
        events: list[LogEvent] = []
        observer: Any = events.append
        Logger("uotp.somewhere", observer=observer).warn(
            "{count} of {peer}: {on} {none} {rate:.1f}", count=3, peer="a", on=True, none=None, rate=2.25
        )
        values = plainValues(events[0])
        self.assertEqual(
            values,
            {
                "level": "warn",
                "namespace": "uotp.somewhere",
                "time": events[0]["log_time"],
                "format": "{count} of {peer}: {on} {none} {rate:.1f}",
                "fields": {"count": 3, "peer": "a", "on": True, "none": None, "rate": 2.25},
            },
        )
        self.assertEqual(json.loads(json.dumps(values)), values)
        self.assertWords(values, "3 of a: True None 2.2")

    def test_whatIsNotPlainIsItsText(self) -> None:
        """
        And the format, which says the same with it, stays: lines of one kind are found by it.
        """
        values = plainly("{colour} {data} {items}", colour=Colour.RED, data=b"x", items=[1])
        self.assertEqual(values["fields"], {"colour": "Colour.RED", "data": "b'x'", "items": "[1]"})
        self.assertEqual(values["format"], "{colour} {data} {items}")

    def test_wherePlainFieldsWouldSaySomethingElseTheWordsAreSent(self) -> None:
        for words, said in (
            ("{colour!r}", "<Colour.RED: 'red'>"),
            ("{colour.value}", "red"),
            ("{items[1]}", "7"),
            ("{call()}", "called"),
            ("{when:%Y}", "2026"),
            ("{nan:.1f}", "nan"),
            ("{wide:>{width}}", "   w"),
            ("{count:>150}", f"{5:>150}"),
            ("{worker}", "9"),
        ):
            values = plainly(
                words,
                colour=Colour.RED,
                items=[6, 7],
                call=lambda: "called",
                when=datetime(2026, 1, 1, tzinfo=timezone.utc),
                nan=float("nan"),
                wide="w",
                width=4,
                count=5,
                worker=9,
            )
            self.assertNotIn("format", values, words)
            self.assertEqual(values["text"], said)

    def test_linesOfTheOldKindAreTheirText(self) -> None:
        """
        What they have besides is not sent twice.
        """
        events: list[LogEvent] = []
        publisher: Any = LogPublisher(events.append)  # type: ignore[arg-type]
        legacy.LogPublisher(publishPublisher=publisher).msg("(TCP Port 1 Closed)", peer="a")
        values = plainValues(events[0])
        self.assertEqual((values["text"], values["fields"]), ("(TCP Port 1 Closed)", {"peer": "a"}))
        self.assertEqual((values["namespace"], values["level"]), ("log_legacy", "info"))

    def test_anErrorIsTheTextOfItsTraceback(self) -> None:
        try:
            raise LookupError("it is" + " gone")  # noqa: TRY301 - the words are what is looked for
        except LookupError:
            failure = Failure()
        values = plainly("failed", log_failure=failure)
        self.assertEqual(values["traceback"], failure.getTraceback())
        self.assertIn("it is gone", values["traceback"])
        self.assertEqual(values["fields"], {})
        self.assertEqual(plainly("failed", log_failure="odd")["traceback"], "odd")
        self.assertNotIn("traceback", plainly("failed"))

    def test_theEventIsNotChanged(self) -> None:
        event = {"log_format": "{items}", "items": [1], "log_source": self}
        plainValues(event)
        self.assertEqual(event, {"log_format": "{items}", "items": [1], "log_source": self})

    def test_whateverIsLoggedCanBeSent(self) -> None:
        """
        As UTF-8 too, by whoever writes JSON without escapes.
        """
        odd: list[Any] = [
            {},
            {"log_format": None},
            {"log_format": b"bytes"},
            {"log_format": 7},
            {"log_format": "{"},
            {"log_format": "}"},
            {"log_format": "{}"},
            {"log_format": "{0}"},
            {"log_format": "{absent}"},
            {"log_format": "{x:d}", "x": "text"},
            {"log_format": "{x!x}", "x": "text"},
            {"log_format": "{mute}", "mute": Mute()},
            {"log_format": "\ud800 {x}", "x": "\udcff", "log_namespace": "\ud800"},
            {"log_level": "loud", "log_time": "noon", "log_namespace": Mute()},
            {"log_level": LogLevel, "log_time": float("nan"), "log_failure": Mute()},
            {"log_format": "{x}", "x": 10**5000, "log_failure": "\ud800"},
            {"log_format": "{x}", "x": float("inf")},
            {"log_format": "{x}", 7: "seven", "x": Colour},
        ]
        for event in odd:
            values = plainValues(event)
            json.dumps(values, ensure_ascii=False, allow_nan=False).encode("utf-8")
            self.assertIn(values["level"], {"info"})
            self.assertIsNone(values["time"])

    def test_noLineIsTooLong(self) -> None:
        """
        Whatever its texts are made of: some characters take six times the room of others.
        """
        for character in ("x", "\n", "\0", "ü", "\U0001f600", "\ud800", '"'):
            text = character * 50_000
            fields = {f"field{number}": text for number in range(100)}
            numbers = {"n" * NAME_LENGTH + str(number): 7 for number in range(1000)}
            for words in ("{field1}", text, "{n1}" + "{field1}" * 100):
                values = plainly(words, log_namespace=text, log_failure=text, **fields, **numbers, n1=7)
                self.assertLessEqual(len(json.dumps(values)), LINE_VALUES_BYTES)
                self.assertLessEqual(encodedBytes(values["fields"]), FIELDS_BYTES)

    def test_whatIsCutShowsIt(self) -> None:
        """
        Of a traceback the end is kept, which says what it was.
        """
        values = plainly("a{x}", x="y" * 5000, n=7, log_namespace="n" * 5000, log_failure="begin" + "-" * 9000 + "end")
        self.assertEqual(values["text"], "a" + "y" * (WORDS_BYTES - 1 - len(CUT)) + CUT)
        self.assertEqual(values["fields"], {"x": "y" * (FIELD_BYTES - len(CUT)) + CUT, "n": 7})
        self.assertEqual(values["namespace"], "n" * (NAMESPACE_BYTES - len(CUT)) + CUT)
        self.assertEqual(values["traceback"], CUT + "-" * (TRACEBACK_BYTES - len(CUT) - 3) + "end")

    def test_aFieldThatFindsNoRoomIsLeftOut(self) -> None:
        """
        And not those after it that do.
        """
        fields = {f"f{number}": "x" * 1000 for number in range(5)}
        values = plainly("{f4}", **fields, last=7)
        self.assertEqual(list(values["fields"]), ["f0", "f1", "f2", "f3", "last"])
        self.assertEqual(values["text"], "x" * 1000)


class RulesTests(SynchronousTestCase):
    """
    Ask what is plain, both where it is made and where it comes in.
    """

    def test_plainIsWhatJsonHasAndCannotDoAnything(self) -> None:
        class Text(str):
            __slots__ = ()

        plain: list[object] = ["", "x", 0, True, None, 1.5, MOST_INTEGER - 1, 1 - MOST_INTEGER]
        others: list[object] = [
            b"",
            [],
            {},
            (),
            Text("x"),
            float("nan"),
            float("-inf"),
            MOST_INTEGER,
            -MOST_INTEGER,
            Colour,
        ]
        for value in plain:
            self.assertTrue(isPlain(value), value)
        for value in others:
            self.assertFalse(isPlain(value), value)

    def test_namesThatMeanSomethingElseAreNoFields(self) -> None:
        good = ["x", "_", "roundTrip", "n" * NAME_LENGTH, "log", "X2"]
        odd: list[object] = ["", "2x", "a.b", "a[0]", "a()", "a b", "ü", "x\n", "n" * (NAME_LENGTH + 1), None, 7]
        taken = [
            "log_format",
            "worker",
            "traceback",
            "message",
            "time",
            "system",
            "format",
            "isError",
            "failure",
            "why",
        ]
        for name in good:
            self.assertTrue(isFieldName(name), name)
        for each in (*odd, *taken):
            self.assertFalse(isFieldName(each), each)

    def test_timesAreThoseThatCanBeWritten(self) -> None:
        for value in (0, 1.5, LATEST):
            self.assertTrue(isTime(value), value)
        others: list[object] = [-1, LATEST + 1, float("nan"), float("inf"), True, None, "1"]
        for other in others:
            self.assertFalse(isTime(other), other)

    def test_aFormatReachesNothingInsideAField(self) -> None:
        """
        Twisted's formats can call what they reach, and from a text it is not far to all classes.
        """
        for words in (
            "{x.__class__}",
            "{x.__class__.__mro__[1].__subclasses__()}",
            "{x[0]}",
            "{x()}",
            "{x.upper()}",
            "{}",
            "{0}",
            "{absent}",
            "{x!a}",
            "{x:{x}}",
            "{x:>100}",
            "{x:999999999}",
            "{n:.999999999f}",
            "{n:c}",
            "{x:.3d}",
            "{n:.100f}",
            "{none:.1f}",
            "{x",
            "x}",
            "{x!}",
        ):
            self.assertIsNone(wordsOf(words, {"x": "text", "n": 7, "none": None}), words)

    def test_aSimpleFormatSaysHowFieldsAreWritten(self) -> None:
        fields = {"x": "text", "n": 7, "f": 2.5}
        for words, said in (
            ("", ""),
            ("no field", "no field"),
            ("{{x}} {x}", "{x} text"),
            ("{x!r} {x!s}", "'text' text"),
            ("{f:.0f} {f:g} {n:02x} {n:>3} {x:<6}|{n:+,d} {f:%}", "2 2.5 07   7 text  |+7 250.000000%"),
        ):
            self.assertEqual(wordsOf(words, fields), said)

    def test_wordsHaveABound(self) -> None:
        """
        A short format may name a long field again and again.
        """
        self.assertEqual(wordsOf("{x}" * 4, {"x": "x" * (WORDS_BYTES // 4)}), "x" * WORDS_BYTES)
        self.assertIsNone(wordsOf("{x}" * 4 + ".", {"x": "x" * (WORDS_BYTES // 4)}))
        self.assertEqual(wordsOf("x" * WORDS_BYTES, {}), "x" * WORDS_BYTES)
        self.assertIsNone(wordsOf("x" * (WORDS_BYTES + 1), {}))
        self.assertIsNone(wordsOf("{x}" + "{x:.0}" * WORDS_BYTES, {"x": "x"}))

    def test_cutTextFillsItsRoom(self) -> None:
        for text in ("x" * 100, "ü" * 100, "x" * 50 + "\0" * 50):
            for most in range(len(CUT) + 1, 120):
                for end in (False, True):
                    cut = cutTo(text, most, end=end)
                    if encodedBytes(text) <= most:
                        self.assertEqual(cut, text)
                        continue
                    self.assertLessEqual(encodedBytes(cut), most)
                    self.assertGreater(encodedBytes(cut), most - len("\\u0000"))
                    self.assertTrue(cut.startswith(CUT) if end else cut.endswith(CUT))
                    kept = cut.replace(CUT, "")
                    self.assertTrue(text.endswith(kept) if end else text.startswith(kept))

    def test_formatsMeanHereWhatTheyMeanToTwisted(self) -> None:
        fields = {"x": "text", "n": 7, "f": 2.5, "yes": True, "none": None}
        for words in ("{x} {n} {f} {yes} {none}", "{x!r}{n!r}{none!s}", "{f:.1f}{n:03d}{yes:d}", "{{{x}}}"):
            self.assertEqual(wordsOf(words, fields), formatEvent({"log_format": words, **fields}))
