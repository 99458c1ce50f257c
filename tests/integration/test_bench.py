"""
C{python -m bench} measures, tells and draws.  Whether it was fast is not judged.
"""

from __future__ import annotations

import json
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from bench.contenders import BARE, OURS, formatOneContender
from tests.integration.harness import ProgramTestCase, needed, runToEnd

ROOT = Path(__file__).resolve().parents[2]
SECONDS = ("0.3", "1.5", "6")
"""So short is a load, or longer, if nothing has arrived since the machine stood still."""

SCENARIOS = ("throughput/1400", "roundtrip/2000")
ENDINGS = ("hand-over/restart", "hand-over/stop")


class BenchTests(ProgramTestCase):
    """
    The measurements, as short as can be.
    """

    def setUp(self) -> None:
        if sys.platform != "linux":
            needed("the measurements need Linux")
        self.tunnels = [OURS, *(one.name for one in [formatOneContender()] if one is not None)]
        super().setUp()

    def bench(self, *words: str) -> str:
        """
        @return: what it prints.
        """
        done = runToEnd([sys.executable, "-m", "bench", *words], folder=str(ROOT))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("failed", done.stderr)
        return done.stdout

    def hasArrived(self, raw: Path) -> bool:
        """
        @param raw: what was written.
        @return: whether something has arrived of each load.
        """
        runs = [run for one in json.loads(raw.read_text("utf-8"))["scenarios"].values() for run in one["runs"]]
        return all(run["figures"].get("rate") or run["figures"].get("roundTripMedian") for run in runs)

    def measured(self, raw: Path, scenarios: tuple[str, ...]) -> dict[str, Any]:
        """
        @param raw: what was written.
        @return: the scenarios in it: those that are expected, all with numbers.
        """
        found: dict[str, Any] = json.loads(raw.read_text("utf-8"))["scenarios"]
        self.assertEqual(set(found), set(scenarios))
        for name, one in found.items():
            self.assertIn("kernel", one["conditions"])
            for run in one["runs"]:
                self.assertTrue(run["figures"], f"{name} {run['contender']}")
                for figure, value in run["figures"].items():
                    self.assertTrue(
                        value is not None and math.isfinite(value) and value >= 0, f"{name} {figure} {value}"
                    )
        return found

    def test_itMeasuresTellsAndDraws(self) -> None:
        """
        A short run gives a table, raw numbers and a picture, and the numbers alone give
        the same table and picture again.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        raw, picture, again = folder / "raw.json", folder / "picture.svg", folder / "again.svg"
        for seconds in SECONDS:
            raw.unlink(missing_ok=True)
            measured = self.bench(
                *("--rounds", "1", "--seconds", seconds, "--only", ",".join(SCENARIOS)),
                *("--json", str(raw), "--chart", str(picture)),
            )
            if self.hasArrived(raw):
                break
        scenarios = self.measured(raw, SCENARIOS)
        for name in SCENARIOS:
            self.assertIn(f"\n{name}  ", measured)
            self.assertEqual([run["contender"] for run in scenarios[name]["runs"]], [*self.tunnels, BARE])
        flood, answers = (scenarios[name]["runs"] for name in SCENARIOS)
        for run in flood:
            self.assertGreater(run["figures"]["rate"], 0)
            self.assertEqual("processor" in run["figures"], run["contender"] != BARE)
        for run in answers:
            self.assertGreater(run["figures"]["roundTripMedian"], 0)
            self.assertEqual(run["figures"].get("roundTripProcessor", 0) > 0, run["contender"] != BARE)
        ET.fromstring(picture.read_text("utf-8"))  # noqa: S314 - it is our own
        self.assertEqual(self.bench("--from", str(raw), "--chart", str(again)), measured)
        self.assertEqual(again.read_text("utf-8"), picture.read_text("utf-8"))

    def test_itMeasuresHowProgramsGo(self) -> None:
        """
        A server that is killed and started again carries the flow again, and programs
        that are told to end do.  Both are mostly waiting, so they are measured at once.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()

        def measure(name: str) -> dict[str, Any]:
            raw = folder / f"{name.replace('/', '-')}.json"
            self.bench("--rounds", "1", "--seconds", "0.3", "--only", name, "--json", str(raw))
            return self.measured(raw, (name,))

        with ThreadPoolExecutor(len(ENDINGS)) as pool:
            restart, stop = pool.map(measure, ENDINGS)
        scenarios = restart | stop
        for name in ENDINGS:
            self.assertEqual([run["contender"] for run in scenarios[name]["runs"]], self.tunnels)
        for run in scenarios["hand-over/restart"]["runs"]:
            figures = run["figures"]
            self.assertGreater(figures["fromStartSeconds"], 0)
            self.assertGreaterEqual(figures["fromKillSeconds"] - figures["fromStartSeconds"], 0.499)
            self.assertGreater(figures["sent"], figures["lost"])

    def test_itSaysWhatItCanMeasure(self) -> None:
        listed = self.bench("--list", "--pools", "1,8,32")
        links = ("order/heavy/loss-0.5", "hand-over/black-hole", "hand-over/renewal")
        for name in (
            *SCENARIOS,
            *(f"roundtrip/{rate}" for rate in (100, 200, 800)),
            *ENDINGS,
            *links,
            "throughput/1400/pool-32",
            "idle/memory",
            *("light/bursts-3", "light/bulk-10", "many/light", "many/idle", "mixed/overload/apart"),
            "link/loss-0.5",
            "wireguard/loss-0",
        ):
            self.assertRegex(listed, rf"(?m)^{name} +[A-Z0-9]")
