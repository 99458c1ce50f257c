"""
What C{python -m bench} makes of its numbers: medians, ratios, tables, pictures.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

from twisted.trial.unittest import SynchronousTestCase

from bench.chart import COLOURS, PANELS, barsOf, chart, shown
from bench.connections import (
    Look,
    Settling,
    avoidedAfter,
    busiest,
    gone,
    receiveBuffers,
    replacedAfter,
    writtenBytes,
)
from bench.contenders import (
    BARE,
    FORMAT_ONE,
    ORIGINAL,
    OURS,
    WSTUNNEL,
    Way,
    namedContender,
    programModule,
    wsTunnelContender,
)
from bench.figures import FIGURES, disorder, percent, percentile
from bench.report import FAMILIES, comparisons, conditions, report
from bench.results import Outcome, Results, Run, fromJson, inOrder, merged, ratios, rounded, toJson
from bench.ways import nameThrough
from uotp.pki import Pki

SVG = "{http://www.w3.org/2000/svg}"

WAY = Way(("192.0.2.1", 443), 5000, ("192.0.2.3", 53), 8, ("-e", "9"))
PKI = Pki("pki", ("192.0.2.1",), "")

CONNECTIONS = """\
0      4310   10.99.0.1:47616 10.99.0.2:15799 bbr wscale:10,10 rto:204 bytes_sent:9000 bytes_acked:1001 segs_out:3
0      0   [::ffff:10.99.0.1]:47628   [::ffff:10.99.0.2]:15799 cubic wscale:10,10 rto:204 mss:1448 segs_out:3
"""
"""What C{ss -tinHO state established} says of two, of which one has not been answered."""

BUFFERS = """\
UNCONN 0      0      0.0.0.0:51820 0.0.0.0:* skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d0)
UNCONN 0      0         [::]:51820    [::]:* skmem:(r0,rb14680064,t0,tb212992,f0,w0,o0,bl0,d0)
"""
"""What C{ss -uanmHO} says of two sockets."""


def outcome(figure: str, **values: float | list[float]) -> Outcome:
    """
    @param values: of each contender, one for each round.
    @return: an outcome with one figure.
    """
    runs = [
        Run(contender, turn, {figure: value})
        for contender, given in values.items()
        for turn, value in enumerate(given if isinstance(given, list) else [given], 1)
    ]
    return Outcome("What was measured.", {"machine": "this one", "versions": {"uotp": "1"}}, runs)


def rows(text: str) -> list[list[str]]:
    """
    @return: the cells of the tables in a report.
    """
    found = []
    ruler = ""
    for line in text.splitlines():
        if line.startswith("==="):
            ruler = line
        elif ruler and line:
            starts = [
                place for place, sign in enumerate(ruler) if sign == "=" and ruler[place - 1 : place] in {"", " "}
            ]
            ends = [*starts[1:], len(ruler)]
            found.append([line[start:end].strip() for start, end in zip(starts, ends, strict=True)])
        else:
            ruler = ""
    return found


class FigureTests(SynchronousTestCase):
    """
    Make one number out of many.
    """

    def test_percentilesAreAmongTheNumbers(self) -> None:
        """
        Of a hundred numbers the median is the fiftieth, and the 99th percentile the last but one.
        """
        numbers = list(range(100, 0, -1))
        self.assertEqual(percentile(numbers, 0.5), 50)
        self.assertEqual(percentile(numbers, 0.99), 99)
        self.assertEqual(percentile(numbers, 1), 100)
        self.assertEqual(percentile([7.5], 0.01), 7.5)

    def test_nothingHasNoPercentile(self) -> None:
        """
        Where nothing has come there is no delay, not even one of 0.
        """
        self.assertTrue(math.isnan(percentile([], 0.5)))

    def test_aDatagramIsOutOfOrderAfterAHigherNumber(self) -> None:
        """
        A gap is no disorder, and one that hurried ahead makes all late that it passed.
        """
        self.assertEqual(disorder([0, 1, 2, 5, 6]), 0)
        self.assertEqual(disorder([0, 3, 1, 2, 4]), 2)
        self.assertEqual(disorder([2, 1, 0]), 2)
        self.assertEqual(disorder([]), 0)

    def test_aDatagramThatComesTwiceIsInOrder(self) -> None:
        self.assertEqual(disorder([0, 1, 1, 2]), 0)

    def test_aShareOfNothingIsNone(self) -> None:
        self.assertEqual(percent(1, 4), 25)
        self.assertEqual(percent(0, 0), 0)


class ConnectionTests(SynchronousTestCase):
    """
    Follow what becomes of a client's connections.
    """

    def looks(self, *written: dict[int, int]) -> list[Look]:
        """
        @return: looks at 10.0 seconds, 10.5 and so on.
        """
        return [Look(10 + number / 2, one) for number, one in enumerate(written)]

    def test_whatWasWrittenIsAcknowledgedOrWaits(self) -> None:
        self.assertEqual(writtenBytes(CONNECTIONS), {47616: 5311, 47628: 0})
        self.assertEqual(writtenBytes(""), {})

    def test_theBufferOfEachSocketIsTold(self) -> None:
        """
        One that is not the default does not hide behind another.
        """
        self.assertEqual(receiveBuffers(BUFFERS), [212992, 14680064])

    def test_theBusiestHasGrownMost(self) -> None:
        self.assertEqual(busiest(self.looks({1: 90000, 2: 10}, {1: 90100, 2: 3000})), 2)
        self.assertEqual(busiest(self.looks({1: 90000}, {1: 90100, 3: 200})), 3)

    def test_aConnectionIsAvoidedAfterItsLastTrain(self) -> None:
        """
        A question whether it lives is no train, and neither is what came before.
        """
        story = self.looks({1: 0}, {1: 9000}, {1: 12000}, {1: 15000}, {1: 15040}, {1: 15080}, {1: 15120})
        self.assertEqual(avoidedAfter(story, 1, 10.75, 1400), 0.75)
        self.assertEqual(avoidedAfter(story, 1, 11.75, 1400), 0)

    def test_aConnectionThatIsClosedIsAvoided(self) -> None:
        """
        It is gone, and what others carry is not its own.
        """
        story = self.looks({1: 0, 2: 0}, {1: 9000, 2: 0}, {2: 9000}, {2: 90000})
        self.assertEqual(avoidedAfter(story, 1, 10.25, 1400), 0.25)

    def test_aConnectionThatIsInUseAtTheEndIsNotAvoided(self) -> None:
        self.assertTrue(math.isnan(avoidedAfter(self.looks({1: 0}, {1: 9000}, {1: 19000}), 1, 10.25, 1400)))

    def test_aConnectionIsReplacedWhenThereAreEnoughOthers(self) -> None:
        """
        The dead one counts neither while it is there nor afterwards, and what was before does not count.
        """
        story = self.looks({1: 0, 2: 0, 3: 0}, {1: 0, 2: 0}, {2: 0}, {2: 0, 4: 0})
        self.assertEqual(replacedAfter(story, 1, 10.25, 2), 1.25)
        self.assertEqual(replacedAfter(story, 3, 10.25, 2), 0.25)

    def test_aConnectionMayNotBeReplacedAtAll(self) -> None:
        self.assertTrue(math.isnan(replacedAfter(self.looks({1: 0, 2: 0}, {2: 0}), 1, 10.0, 2)))

    def test_connectionsThatWereReplacedAreCounted(self) -> None:
        self.assertEqual(gone(self.looks({1: 0, 2: 0}, {2: 0, 3: 0}, {2: 0, 4: 0})), 2)
        self.assertEqual(gone(self.looks({1: 0})), 0)

    def settledAt(self, *counts: int) -> float:
        """
        @param counts: connections that there are each quarter of a second.
        @return: when all of eight at most were there, if none came for half a second.
        """
        settling = Settling(8, 0.5)
        return next((number / 4 for number, one in enumerate(counts) if settling.settled(number / 4, one)), math.inf)

    def test_asManyAsThereMayBeAreAll(self) -> None:
        """
        After these no others are waited for, and neither are fewer that stay.
        """
        self.assertEqual(self.settledAt(0, 2, 8), 0.5)
        self.assertEqual(self.settledAt(0, 9), 0.25)
        self.assertEqual(self.settledAt(0, 1, 2, 2, 2), 1)

    def test_whileConnectionsComeOrGoThereAreNotAll(self) -> None:
        self.assertEqual(self.settledAt(1, 1, 2, 2, 3, 3), math.inf)
        self.assertEqual(self.settledAt(3, 3, 2, 2, 2), 1)

    def test_noConnectionIsNeverAll(self) -> None:
        self.assertEqual(self.settledAt(*[0] * 9), math.inf)
        self.assertEqual(self.settledAt(*[0] * 9, 1, 1, 1), 2.75)


class ResultTests(SynchronousTestCase):
    """
    Write raw numbers to a file, and read them.
    """

    def test_theMedianIsOverTheRounds(self) -> None:
        """
        Each contender has its own, and one bad round does not show.
        """
        one = outcome("rate", uotp=[10, 1, 12], original=[2, 4])
        self.assertEqual(one.medians("uotp"), {"rate": 10})
        self.assertEqual(one.medians("original"), {"rate": 3})

    def test_aRoundWithoutANumberIsLeftOut(self) -> None:
        one = outcome("delayMedian", uotp=[math.nan, 3, 5], original=math.nan)
        self.assertEqual(one.medians("uotp"), {"delayMedian": 4})
        self.assertEqual(one.medians("original"), {})

    def test_ratiosAreOfWhatBothHave(self) -> None:
        self.assertEqual(ratios({"rate": 8, "loss": 1, "delayP99": 3}, {"rate": 2, "loss": 0}), {"rate": 4})

    def test_aFileHoldsWhatWasMeasured(self) -> None:
        results = {"rate/200": outcome("delayMedian", uotp=[1.5, math.nan])}
        again = fromJson(toJson(results))["rate/200"]
        self.assertEqual(again.conditions, results["rate/200"].conditions)
        self.assertEqual(again.runs[0], results["rate/200"].runs[0])
        self.assertTrue(math.isnan(again.runs[1].figures["delayMedian"]))
        self.assertNotIn("NaN", toJson(results))

    def test_figuresHaveAsManyDigitsAsMeanSomething(self) -> None:
        """
        What is told at once is what the file says later; what is no number stays none.
        """
        figures = rounded({"rate": 3788449.5, "loss": 1 / 3, "delayP99": math.nan})
        self.assertEqual((figures["rate"], figures["loss"]), (3788450, 0.333333))
        self.assertTrue(math.isnan(figures["delayP99"]))

    def test_anotherFileIsRefused(self) -> None:
        """
        Some other JSON is not taken for measurements.
        """
        for text in ("{}", "[]", '{"runs": []}', '{"scenarios": {"x": {}}}', "no JSON"):
            self.assertRaises(ValueError, fromJson, text)

    def test_whatIsMeasuredAgainReplacesTheOld(self) -> None:
        old = {
            "idle/memory": outcome("rate", uotp=1),
            "rate/200": outcome("rate", uotp=2),
            "link/x": outcome("rate", uotp=3),
        }
        new = {"rate/200": outcome("rate", uotp=20), "link/x": Outcome("nothing came of it", {})}
        both = merged(old, new)
        self.assertEqual(
            {name: one.medians(OURS)["rate"] for name, one in both.items()},
            {"idle/memory": 1, "rate/200": 20, "link/x": 3},
        )

    def test_scenariosAreInTheOrderOfTheirNumbers(self) -> None:
        names = [
            "throughput/mix",
            "throughput/1400/pool-32",
            "throughput/1400",
            "throughput/200",
            "link/loss-0.5",
            "link/loss-0",
        ]
        ordered = [name for name, _ in inOrder({name: outcome("rate") for name in names})]
        self.assertEqual(ordered, [*reversed(names[4:]), *reversed(names[:4])])


class ReportTests(SynchronousTestCase):
    """
    Read the tables of a report.
    """

    def table(self, results: Mapping[str, Outcome]) -> list[list[str]]:
        """
        @return: the cells of a report.
        """
        return rows(report(results))

    def test_theRatioToTheOriginalStandsBelow(self) -> None:
        table = self.table({"throughput/1400": outcome("rate", uotp=[100000, 120000], original=20000, other=5000)})
        self.assertEqual(
            table,
            [
                ["scenario", "contender", "datagrams/s"],
                ["throughput/1400", "uotp", "110 000"],
                ["throughput/1400", "original", "20 000"],
                ["throughput/1400", "other", "5 000"],
                ["throughput/1400", "uotp : original", "5.50"],
                ["throughput/1400", "other : original", "0.25"],
            ],
        )

    def test_withoutTheOriginalThereIsNoRatio(self) -> None:
        self.assertEqual(len(self.table({"throughput/64": outcome("rate", uotp=1)})), 2)

    def test_wireGuardIsComparedWithNoTunnelToo(self) -> None:
        """
        What a user loses or wins by the tunnel is told.
        """
        table = self.table({"wireguard/loss-0": outcome("megabits", uotp=90, original=45, bare=100)})
        self.assertIn(["wireguard/loss-0", "uotp : original", "2.00"], table)
        self.assertIn(["wireguard/loss-0", "uotp : bare", "0.90"], table)

    def test_ofPlainUdpAShareIsTold(self) -> None:
        table = self.table({"throughput/200": outcome("rate", uotp=50, original=0.25, bare=100)})
        self.assertIn(["throughput/200", "uotp : bare", "0.50"], table)
        self.assertIn(["throughput/200", "original : bare", "0.0025"], table)

    def test_oursIsComparedWithItsFirstFormat(self) -> None:
        """
        In every family, and both with the original; nobody else is with ours.
        """
        names = [OURS, FORMAT_ONE, ORIGINAL, "other", BARE]
        to = [(OURS, ORIGINAL), (FORMAT_ONE, ORIGINAL), ("other", ORIGINAL), (OURS, FORMAT_ONE)]
        bare = [(name, BARE) for name in names[:-1]]
        self.assertEqual(comparisons(names, againstBare=False), to)
        self.assertEqual(comparisons(names, againstBare=True), [*to, *bare])
        self.assertEqual(comparisons([FORMAT_ONE, "other"], againstBare=True), [])

    def test_oursIsComparedWithWsTunnel(self) -> None:
        """
        Which is no more than another of the original's rivals otherwise.
        """
        both = [(OURS, ORIGINAL), (WSTUNNEL, ORIGINAL), (OURS, WSTUNNEL)]
        self.assertEqual(comparisons([OURS, ORIGINAL, WSTUNNEL], againstBare=False), both)

    def test_oursByEachWayIsComparedWithOursAlone(self) -> None:
        """
        Once a file has both, and however the ways were ordered.
        """
        names = [nameThrough("squid"), OURS, nameThrough("wss")]
        to = [(nameThrough("wss"), OURS), (nameThrough("squid"), OURS)]
        self.assertEqual(comparisons(names, againstBare=False), to)
        self.assertEqual(comparisons(names[:1], againstBare=False), [])

    def test_aRatioOfLossesIsNotTold(self) -> None:
        """
        Twice next to nothing is nothing to tell.
        """
        table = self.table({"link/loss-1": outcome("loss", uotp=1, original=2)})
        self.assertIn(["link/loss-1", "uotp : original", "--"], table)

    def test_whatIsLateStandsFromEarlyToLate(self) -> None:
        """
        Percentiles are in their order, whatever the order in which they were measured.
        """
        names = ["roundTripMax", "roundTripP99", "loss", "roundTripP999", "roundTripMedian", "roundTripP90"]
        one = Outcome("", {}, [Run(OURS, 1, dict.fromkeys(names, 1.0))])
        head = ["median ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "lost %"]
        self.assertEqual(self.table({"light/loss-1": one})[0][2:], head)

    def test_scenariosWithOtherFiguresHaveATableOfTheirOwn(self) -> None:
        """
        There are no columns that are empty for most rows.
        """
        text = report(
            {"idle/memory": outcome("kibibytesPerTunnel", uotp=30), "idle/processor": outcome("busyPercent", uotp=1)}
        )
        self.assertEqual(sum(row[0] == "scenario" for row in rows(text)), 2)

    def test_whoCannotDoItIsNamed(self) -> None:
        """
        A contender without a number has a row, and nothing to compare.
        """
        one = outcome("lost", **{"uotp": 3, FORMAT_ONE: math.nan})
        one.runs.append(Run(ORIGINAL, 1, {}))
        self.assertEqual(
            self.table({"hand-over/renewal": one})[1:],
            [
                ["hand-over/renewal", OURS, "3"],
                ["hand-over/renewal", FORMAT_ONE, "--"],
                ["hand-over/renewal", ORIGINAL, "--"],
            ],
        )

    def test_whatNobodyCanDoIsLeftOut(self) -> None:
        self.assertEqual(report({"hand-over/renewal": Outcome("", {}, [Run(OURS, 1, {})])}), "")

    def test_everyFamilyOfScenariosIsTold(self) -> None:
        for family in FAMILIES:
            self.assertIn(f"``{family}/x``", report({f"{family}/x": outcome("rate", uotp=1)}))

    def test_conditionsAreToldOnce(self) -> None:
        """
        Scenarios that were measured on one occasion share a line.
        """
        results = {"rate/1": outcome("rate", uotp=1), "rate/2": outcome("rate", uotp=1)}
        self.assertEqual(conditions(results), "- rate/1, rate/2: machine this one; versions uotp 1")


def everything() -> Results:
    """
    @return: an outcome for each panel.
    """
    results: Results = {}
    for panel in PANELS:
        one = outcome(panel.figure, uotp=123456, original=2.5, bare=0.0, **{"<&>": 40})
        results.setdefault(panel.scenario, Outcome("", {})).runs.extend(one.runs)
    return results


@functools.cache
def pictureOfEverything() -> str:
    """
    @return: a picture with every panel, drawn once.
    """
    return chart(everything())


class ChartTests(SynchronousTestCase):
    """
    Look at the picture.
    """

    def test_thePictureIsWellFormed(self) -> None:
        root = ET.fromstring(pictureOfEverything())  # noqa: S314 - it is our own
        self.assertEqual(root.tag, f"{SVG}svg")
        self.assertEqual(len(root.findall(f"{SVG}g")), len(PANELS))
        words = {element.text for element in root.iter(f"{SVG}text")}
        self.assertTrue({"uotp", "original", "no tunnel", "<&>"} <= words)

    def test_barsStayInTheirPanels(self) -> None:
        """
        The longest one leaves room for its value.
        """
        root = ET.fromstring(pictureOfEverything())  # noqa: S314 - it is our own
        for number, panel in enumerate(root.findall(f"{SVG}g")):
            (frame,) = panel.findall(f"{SVG}rect")
            (plot,) = panel.findall(f"{SVG}g/{SVG}g[@class='plot']")
            left, top = map(float, re.findall(r"[\d.]+", plot.get("transform", "")))
            bars = plot.findall(f".//{SVG}g[@class='bar']/{SVG}rect")
            self.assertEqual(len(bars), 4 - len(PANELS[number].without))
            for bar in bars:
                right = left + float(bar.get("x", 0)) + float(bar.get("width", 0))
                bottom = top + float(bar.get("y", 0)) + float(bar.get("height", 0))
                self.assertLess(right, float(frame.get("width", 0)) - 40)
                self.assertLess(bottom, float(frame.get("height", 0)))

    def test_eachContenderHasItsColourAndItsNumber(self) -> None:
        """
        Ours is first, and what it is to the original's stands in the title.
        """
        root = ET.fromstring(chart({"link/loss-1": outcome("delayP99", bare=1, original=8, uotp=4)}))  # noqa: S314
        labels = [element.text for element in root.iterfind(f".//{SVG}g[@class='guides']/{SVG}text")]
        values = [element.text for element in root.iterfind(f".//{SVG}text[@class='value']")]
        self.assertEqual(labels[::-1], ["uotp", "original", "no tunnel"])
        self.assertEqual(values[::-1], ["4.00", "8.00", "1.00"])
        fills = [bar.get("style") for bar in root.iterfind(f".//{SVG}g[@class='bar']")]
        self.assertEqual(fills[::-1], [f"fill: {COLOURS[name]}" for name in (OURS, ORIGINAL, BARE)])
        titles = [element.text or "" for element in root.iterfind(f".//{SVG}g[@class='titles']/{SVG}text")]
        self.assertTrue(titles[0].endswith("\N{MULTIPLICATION SIGN}0.50"), titles)

    def test_aDrawingIsTheSameEachTime(self) -> None:
        """
        So that only what was measured changes a picture that is kept.
        """
        self.assertEqual(chart(everything()), pictureOfEverything())

    def test_whatWasNotMeasuredIsNotDrawn(self) -> None:
        one = chart({"roundtrip/200": outcome("roundTripMedian", uotp=1)})
        self.assertEqual(len(ET.fromstring(one).findall(f"{SVG}g")), 1)  # noqa: S314 - it is our own
        ET.fromstring(chart({}))  # noqa: S314 - it is our own

    def test_panelsShowFiguresThatThereAre(self) -> None:
        self.assertEqual([panel for panel in PANELS if panel.figure not in FIGURES], [])

    def test_aBarThatWouldHideTheOthersIsNotDrawn(self) -> None:
        """
        Plain UDP is no rival on loopback; elsewhere it is shown.
        """
        both = {"throughput/200": outcome("rate", uotp=1, bare=100), "link/loss-1": outcome("delayP99", uotp=1, bare=1)}
        drawn = {panel.scenario: [name for name, _ in barsOf(panel, both)] for panel in PANELS}
        self.assertEqual(drawn["throughput/200"], [OURS])
        self.assertEqual(drawn["link/loss-1"], [OURS, BARE])

    def test_numbersHaveThreeDigits(self) -> None:
        cases = [(0.0456, "0.05"), (4.567, "4.57"), (45.67, "45.7"), (456.7, "457"), (45678, "45\N{NO-BREAK SPACE}700")]
        self.assertEqual([shown(value) for value, _ in cases], [text for _, text in cases])


class ContenderTests(SynchronousTestCase):
    """
    Name contenders on a command line.
    """

    def test_optionsAndEnvironmentAreGiven(self) -> None:
        """
        Words with a variable's name before them are for the environment, the others for both ends.
        """
        one = namedContender("slow=SOME_THING=1 --backoff 3 -v 'warn'")
        self.assertEqual(one.name, "slow")
        self.assertEqual(one.words("server")[-4:], ["server", "--backoff", "3", "-v", "warn"][1:])
        self.assertEqual(one.words("client")[-5], "client")
        self.assertEqual(one.environment["SOME_THING"], "1")

    def test_theFirstFormatIsKnownByItsOption(self) -> None:
        """
        What is no option's value is not taken for one.
        """
        self.assertTrue(namedContender("one=-v warn --wire 1").formatOne)
        for words in ("", "--wire 2", "--wire auto -n 1", "-n 1 --wire 2"):
            self.assertFalse(namedContender(f"one={words}").formatOne, words)

    def test_anOlderCheckoutIsStartedByItsOwnModule(self) -> None:
        """
        The module with the command line has moved; a folder without one is none.
        """
        for file, module in (("scripts.py", "uotp.scripts"), ("cli/main.py", "uotp.cli.main")):
            folder = Path(self.mktemp())
            (folder / "uotp" / file).parent.mkdir(parents=True)
            self.assertRaises(ValueError, programModule, folder)
            (folder / "uotp" / file).touch()
            self.assertEqual(programModule(folder), module)

    def test_bothEndsAreToldTheSameWay(self) -> None:
        """
        The client dials where the server listens; without TLS there are no certificates.
        """
        cases: list[tuple[str, list[str], list[str]]] = [
            ("", ["-c", PKI.serverCertificate, "-k", PKI.serverKey], ["-C", PKI.caCertificate]),
            ("--no-tls", [], []),
        ]
        for options, server, client in cases:
            one = namedContender(f"one={options}")
            words = [*options.split(), "192.0.2.3", "53", "-a", "192.0.2.1", "-p", "443", *server]
            self.assertEqual(one.serverWords(WAY, PKI)[4:], words)
            for way, pool in ((WAY, ["-n", "8"]), (replace(WAY, pool=None), [])):
                words = [*options.split(), "192.0.2.1", "443", "-p", "5000", *pool, "-e", "9", *client]
                self.assertEqual(one.clientWords(way, PKI)[4:], words)

    def test_wsTunnelIsToldInItsOwnWords(self) -> None:
        program = Path(self.mktemp())
        self.assertRaises(ValueError, wsTunnelContender, program)
        program.touch()
        one = wsTunnelContender(program)
        self.assertEqual(one.serverWords(WAY, PKI)[-3:], ["--restrict-to", "192.0.2.3:53", "wss://192.0.2.1:443"])
        tunnel = "udp://127.0.0.1:5000:192.0.2.3:53?timeout_sec=0"
        self.assertEqual(one.clientWords(WAY, PKI)[-3:], ["-L", tunnel, "wss://192.0.2.1:443"])
        for scenario in ("roundtrip/200", "light/loss-1", "light/bulk-10", "many/light", "many/idle", "mixed/room"):
            self.assertTrue(one.takesPart(scenario), scenario)
        self.assertFalse(one.takesPart("idle/memory"))
        self.assertTrue(namedContender("one=").takesPart("idle/memory"))

    def test_whatCannotBeUsedIsRefused(self) -> None:
        for text in (
            "",
            "name",
            "=--option",
            f"{OURS}=-v warn",
            f"{FORMAT_ONE}=",
            f"{ORIGINAL}=",
            f"{BARE}=",
            f"{WSTUNNEL}=",
            "there=@/nowhere/at/all",
        ):
            self.assertRaises(ValueError, namedContender, text)
