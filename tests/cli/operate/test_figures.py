"""
Numbers in few letters.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.operate.figures import ageOf, milliseconds, shortCount, shortRate, shortSize, spanOf


class FigureTests(SynchronousTestCase):
    """
    Write numbers.
    """

    def test_sizesAndRatesAndCounts(self) -> None:
        for number, written in (
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (10_188, "9.9K"),
            (10_190, "10K"),
            (1024 * 1023, "1023K"),
            (1024 * 1024 - 1, "1.0M"),
            (143 << 20, "143M"),
            (1 << 50, "1.0P"),
            (1 << 70, "1024E"),
        ):
            self.assertEqual(shortSize(number), written)
        for bytesPerSecond, written in ((0, "0"), (1, "8"), (125, "1.0k"), (1_250_000, "10M"), (12.5e9, "100G")):
            self.assertEqual(shortRate(bytesPerSecond), written)
        for number, written in ((999, "999"), (1000, "1.0k"), (999_999, "1.0M"), (12_345_678, "12M")):
            self.assertEqual(shortCount(number), written)

    def test_noneIsEverLong(self) -> None:
        for power in range(60):
            for number in (2**power - 1, 2**power, 2**power + 1, 10**power // 10**40):
                self.assertLessEqual(len(shortSize(number)), 5, number)
                self.assertLessEqual(len(shortCount(number)), 5, number)

    def test_times(self) -> None:
        for seconds, age, span in (
            (-1, "0s", "0s"),
            (0.9, "0s", "0s"),
            (119, "119s", "1m 59s"),
            (120, "2m", "2m"),
            (7199, "119m", "1h 59m"),
            (7200, "2h", "2h"),
            (93_784, "26h", "1d 2h"),
            (400 * 86400, "400d", "400d"),
        ):
            self.assertEqual((ageOf(seconds), spanOf(seconds)), (age, span))
        for roundTrip, written in ((0, ""), (0.0004, "0.4ms"), (0.00996, "10ms"), (0.0214, "21ms"), (2.5, "2500ms")):
            self.assertEqual(milliseconds(roundTrip), written)
