"""
What a worker writes to its standard error stands in the log.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry import LineBudget
from uotp.workers.stderr import MOST_LINE_BYTES, WrittenLines


class WrittenLinesTests(SynchronousTestCase):
    """
    Write lines.
    """

    def written(self, *portions: bytes, lines: int = 99) -> list[str]:
        """
        @param lines: how many may be logged.
        @return: what is logged of what is written.
        """
        clock = Clock()
        written = WrittenLines(3, LineBudget(clock.seconds, lines))
        with capturedLogs() as events:
            for portion in portions:
                written.received(portion)
            written.end()
            clock.advance(601.0)
            written.received(b"later\n")
        return [formatEvent(event).removeprefix("worker 3: ") for event in events][:-1]

    def test_linesComeInAnyPortions(self) -> None:
        text = b"Traceback:\n  File\n\nError: \xc3\xa4"
        expected = ["Traceback:", "  File", "Error: \xe4"]
        self.assertEqual(self.written(text), expected)
        self.assertEqual(self.written(*(bytes([byte]) for byte in text)), expected)

    def test_whatATerminalWouldObeyIsReplaced(self) -> None:
        self.assertEqual(self.written(b"\x1b[2J\xff\r\n\x07\n"), ["?[2J\ufffd", "?"])

    def test_longLinesAreCut(self) -> None:
        length = MOST_LINE_BYTES
        for portions in ((b"x" * 2500,), (b"x" * 2500 + b"\n",), (b"x",) * 2500):
            self.assertEqual([len(line) for line in self.written(*portions)], [length, length, 500])

    def test_linesHaveABudget(self) -> None:
        found = self.written(b"x\n" * 1000, lines=5)
        self.assertEqual(found, ["x"] * 5)
