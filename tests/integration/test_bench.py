"""
C{python -m bench} measures, tells and draws.  Whether it was fast is not judged.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.integration.harness import ProgramTestCase, needed, runToEnd

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
SCENARIOS = ("throughput/1400", "roundtrip/2000")


class BenchTests(ProgramTestCase):
    """
    The measurements, as short as can be.
    """

    def setUp(self) -> None:
        """
        Find them.
        """
        if sys.platform != "linux":
            needed("the measurements need Linux")
        if not (ROOT / "bench").is_dir():
            needed("bench is not here: run the tests in a checkout")
        super().setUp()

    def bench(self, *words: str) -> str:
        """
        @return: what it prints.
        """
        done = runToEnd([sys.executable, "-m", "bench", *words], SECONDS, folder=str(ROOT))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("failed", done.stderr)
        return done.stdout

    def test_itMeasuresTellsAndDraws(self) -> None:
        """
        A short run gives a table, raw numbers and a picture, and the numbers alone give
        the same table and picture again.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        raw, picture, again = folder / "raw.json", folder / "picture.svg", folder / "again.svg"
        measured = self.bench(
            *("--rounds", "1", "--seconds", "0.3", "--only", ",".join(SCENARIOS)),
            *("--json", str(raw), "--chart", str(picture)),
        )
        scenarios = json.loads(raw.read_text("utf-8"))["scenarios"]
        self.assertEqual(set(scenarios), set(SCENARIOS))
        for name in SCENARIOS:
            self.assertIn(f"\n{name}  ", measured)
            self.assertIn("kernel", scenarios[name]["conditions"])
            for run in scenarios[name]["runs"]:
                for figure, value in run["figures"].items():
                    self.assertTrue(
                        value is not None and math.isfinite(value) and value >= 0, f"{name} {figure} {value}"
                    )
        flood, answers = (scenarios[name]["runs"] for name in SCENARIOS)
        self.assertEqual([run["contender"] for run in flood], ["uotp"])
        self.assertGreater(flood[0]["figures"]["rate"], 0)
        self.assertEqual([run["contender"] for run in answers], ["uotp", "bare"])
        self.assertGreater(answers[0]["figures"]["roundTripMedian"], 0)
        ET.fromstring(picture.read_text("utf-8"))  # noqa: S314 - it is our own
        self.assertEqual(self.bench("--from", str(raw), "--chart", str(again)), measured)
        self.assertEqual(again.read_text("utf-8"), picture.read_text("utf-8"))

    def test_itSaysWhatItCanMeasure(self) -> None:
        """
        Each scenario has a line.
        """
        listed = self.bench("--list", "--pools", "1,8,32")
        for name in (*SCENARIOS, "throughput/1400/pool-32", "idle/memory", "link/loss-0.5", "wireguard/loss-0"):
            self.assertRegex(listed, rf"(?m)^{name} +[A-Z0-9]")
