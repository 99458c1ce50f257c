"""
Lines of a worker in the log of its parent.
"""

from __future__ import annotations

import io
import json
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import (
    LegacyLogObserverWrapper,
    LogEvent,
    LogLevel,
    LogPublisher,
    capturedLogs,
    eventFromJSON,
    formatEvent,
    jsonFileLogObserver,
)
from twisted.logger import Logger as TwistedLogger
from twisted.python import log as legacy
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry.log import Logger, textObserver
from uotp.telemetry.plainlines import FIELDS_BYTES, NAMESPACE_BYTES, TRACEBACK_BYTES, WORDS_BYTES, plainValues
from uotp.telemetry.processlog import ProcessLog
from uotp.telemetry.workerlines import eventOf, publishLine


def line(**changed: Any) -> dict[str, Any]:
    """
    @return: a line as it comes, but for what is changed; what is L{Ellipsis} is left out.
    """
    values = {
        "level": "warn",
        "namespace": "uotp.server",
        "time": 1.5e9,
        "format": "{count} of {peer}",
        "fields": {"count": 3, "peer": "a"},
        **changed,
    }
    return {key: value for key, value in values.items() if value is not ...}


class WorkerLineTests(SynchronousTestCase):
    """
    Make events of what a worker has sent.
    """

    def said(self, values: dict[str, Any]) -> str:
        """
        @return: the words of a line in the parent's log.
        """
        return formatEvent(eventOf(values, 2))

    def test_aLineComesWithAllThatItHad(self) -> None:
        event = eventOf(line(), 2)
        self.assertEqual(formatEvent(event), "worker 2: 3 of a")
        self.assertEqual((event["log_level"], event["log_namespace"]), (LogLevel.warn, "uotp.server"))
        self.assertEqual(event["log_time"], 1.5e9)
        self.assertEqual((event["worker"], event["count"], event["peer"]), (2, 3, "a"))
        self.assertEqual(event["log_format"], "worker {worker}: {count} of {peer}")

    def test_wordsWithoutAFormatAreShownAsTheyAre(self) -> None:
        """
        They are no format, whatever is in them.
        """
        self.assertEqual(self.said(line(format=..., text="{count} {worker.x} }")), "worker 2: {count} {worker.x} }")

    def test_aTracebackStandsBelow(self) -> None:
        values = line(level="critical", traceback="Traceback:\n  {x}\n")
        self.assertEqual(self.said(values), "worker 2: 3 of a\nTraceback:\n  {x}\n")
        self.assertEqual(self.said(line(format=..., text="}", traceback="{")), "worker 2: }\n{")

    def test_aFormatThatReachesFurtherIsShownAsText(self) -> None:
        """
        A worker that somebody has taken over does not get at what its parent has.
        """
        for words in (
            "{worker.__class__}",
            "{worker.__class__.__mro__[1].__subclasses__()}",
            "{log_level.__class__}",
            "{log_time}",
            "{worker}",
            "{log_text}",
            "{traceback}",
            "{peer.__class__}",
            "{peer.__class__.__init__.__globals__}",
            "{peer.upper()}",
            "{peer:>999999999}",
            "{absent}",
            "{",
        ):
            event = eventOf(line(format=words), 2)
            self.assertEqual(formatEvent(event), f"worker 2: {words}")
            self.assertEqual(event["log_format"], "worker {worker}: {log_text}")

    def test_whatIsNoLineIsRefusedInWords(self) -> None:
        for values, what in (
            (None, "values"),
            ([], "values"),
            ("line", "values"),
            (line(level=...), "level"),
            (line(level="loud"), "level"),
            (line(level=[]), "level"),
            (line(time="noon"), "time"),
            (line(time=1e300), "time"),
            (line(time=True), "time"),
            (line(namespace=...), "namespace"),
            (line(namespace=7), "namespace"),
            (line(namespace="n" * (NAMESPACE_BYTES + 1)), "namespace"),
            (line(fields=...), "fields"),
            (line(fields=[]), "fields"),
            (line(fields={"x": []}), "fields"),
            (line(fields={"x": {"y": 1}}), "fields"),
            (line(fields={"x": float("nan")}), "fields"),
            (line(fields={"x": 10**5000}), "fields"),
            (line(fields={"log_level": "x"}), "fields"),
            (line(fields={"worker": 3}), "fields"),
            (line(fields={"isError": 1}), "fields"),
            (line(fields={"": 1}), "fields"),
            (line(fields={7: 1}), "fields"),
            (line(fields={"x": "x" * FIELDS_BYTES}), "fields"),
            (line(format=7), "format"),
            (line(format="x" * (WORDS_BYTES + 1)), "format"),
            (line(format=...), "text"),
            (line(format=..., text=7), "text"),
            (line(format=..., text="x" * (WORDS_BYTES + 1)), "text"),
            (line(traceback=7), "traceback"),
            (line(traceback="x" * (TRACEBACK_BYTES + 1)), "traceback"),
        ):
            error = self.assertRaises(ValueError, eventOf, values, 2)
            self.assertEqual(str(error), f"a log line of a worker has no proper {what}")

    def test_aLineWithoutATimeIsALine(self) -> None:
        self.assertIsNone(eventOf(line(time=None), 2)["log_time"])
        self.assertIsNone(eventOf(line(time=...), 2)["log_time"])


class ParentLogTests(SynchronousTestCase):
    """
    Log at the parent what was logged at a worker.
    """

    def setUp(self) -> None:
        self.patch(Logger, "threshold", LogLevel.info)
        self.publisher: Any = LogPublisher()
        worker: Any = LogPublisher(self.carry)  # type: ignore[arg-type]
        self.ours = Logger("uotp.server", observer=worker)
        self.twisted = TwistedLogger("twisted.internet.tcp", observer=worker)

    def carry(self, event: LogEvent) -> None:
        """
        Hand a line of the worker to the parent.
        """
        publishLine(json.loads(json.dumps(plainValues(event))), 2, self.publisher)

    def test_textShowsWhoHasSaidIt(self) -> None:
        """
        With what a terminal shows of an error in one process alone.
        """
        file = io.StringIO()
        self.publisher.addObserver(textObserver(file))
        self.ours.warn("{count} of {peer}", count=3, peer=b"a")
        self.ours.debug("not said")
        try:
            raise LookupError("it is" + " gone")  # noqa: TRY301 - the words are what is looked for
        except LookupError:
            self.ours.failure("failed {word}", word="so")
        lines = [text.partition(" ")[2] for text in file.getvalue().splitlines()]
        self.assertEqual(lines[0], "[uotp.server#warn] worker 2: 3 of b'a'")
        self.assertEqual(lines[1], "[uotp.server#critical] worker 2: failed so")
        self.assertIn("LookupError: it is gone", file.getvalue())
        self.assertTrue(all(text.startswith("\t") for text in file.getvalue().splitlines()[2:]))

    def test_jsonHasTheFieldsToFilterBy(self) -> None:
        file = io.StringIO()
        self.publisher.addObserver(jsonFileLogObserver(file, ""))
        self.ours.warn("{count} of {peer}", count=3, peer=b"a")
        found = eventFromJSON(file.getvalue())
        self.assertEqual((found["worker"], found["count"], found["peer"]), (2, 3, "b'a'"))
        self.assertEqual((found["log_level"], found["log_namespace"]), (LogLevel.warn, "uotp.server"))
        self.assertEqual(formatEvent(found), "worker 2: 3 of b'a'")

    def test_observersOfTheOldKindGetTheSameWords(self) -> None:
        """
        That of C{twistd --syslog} is one.
        """
        old: list[Any] = []
        legacyObserver: Any = old.append
        self.publisher.addObserver(LegacyLogObserverWrapper(legacyObserver))
        self.ours.warn("{count} of {peer}", count=3, peer="a")
        self.ours.warn("{isError}", isError=1, message="x", why="y", system="z")
        self.assertEqual([legacy.textFromEventDict(each) for each in old], ["worker 2: 3 of a", "worker 2: 1"])
        self.assertEqual([(each["isError"], each["system"]) for each in old], [(0, "-")] * 2)

    def test_theParentDoesNotLimitWhatTheWorkerHas(self) -> None:
        """
        Otherwise a worker would say how many lines were like the next one, and that one would be missing.
        """
        file = io.StringIO()
        atExit: list[Any] = []
        ProcessLog(self.publisher, Clock().seconds, atExit=atExit.append)
        self.publisher.addObserver(textObserver(file))
        for _ in range(3):
            self.twisted.info("accepted")
            self.twisted.critical("failed")
        atExit[0]()
        self.assertEqual(len(file.getvalue().splitlines()), 6)

    def test_unlessToldOtherwiseALineGoesToTheLogOfTheProcess(self) -> None:
        with capturedLogs() as events:
            publishLine(line(), 2)
        self.assertEqual([formatEvent(event) for event in events], ["worker 2: 3 of a"])
