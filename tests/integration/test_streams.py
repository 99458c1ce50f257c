"""
Very many streams, as strangers and broken programs may send them, through everything
that reads a tunnel's bytes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import SystemRandom

from bench.rig.programs import HANG_SECONDS, Program
from tests.integration.harness import ProgramTestCase, ourEnvironment

STREAMS = 1_000_000

ROOT = Path(__file__).resolve().parents[2]
"""Where these tests are imported from."""

READ = "from tests.wire.streams import main; main()"


class StreamTests(ProgramTestCase):
    """
    A million streams: random bytes, and sound ones with bits turned over, bytes lost,
    bytes put in between, ends cut off, and others behind them.
    """

    def startReading(self, seed: str, count: int) -> Program:
        """
        @return: a process that reads streams of its own.
        """
        environment = ourEnvironment()
        environment["PYTHONPATH"] += os.pathsep + str(ROOT)
        return self.start(f"seed {seed}", [sys.executable, "-c", READ, seed, str(count)], environment)

    def test_aMillionStreamsRaiseNothingButPeerError(self) -> None:
        """
        Neither hello nor frames can be so wrong that anything else comes of it than the
        end of that tunnel, nor make us hold more than they may.  The seed, the number of
        the stream and its bytes are told when one does.
        """
        processes = os.cpu_count() or 1
        seed = SystemRandom().getrandbits(32)
        shares = [STREAMS // processes + (place < STREAMS % processes) for place in range(processes)]
        readers = [self.startReading(f"{seed}-{place}", share) for place, share in enumerate(shares)]
        for reader, share in zip(readers, shares, strict=True):
            self.assertEqual(reader.waitForExit(2 * HANG_SECONDS), 0, reader.name)
            read = reader.waitForLine(r"^(\d+) streams read, (\d+) of them refused$")
            self.assertEqual(int(read[1]), share)
            self.assertTrue(0.2 * share < int(read[2]) < 0.8 * share, read[0])
