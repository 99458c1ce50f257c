"""
The page, read by a parser as a browser reads it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from html.parser import HTMLParser

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reports import CLIENT_REPORT, NOW, SERVER_REPORT, crowded, reportOf, sessionOf
from tests.monitoring.test_site import SiteTestCase
from uotp.monitoring.report import CertificateReport, Report, Traffic
from uotp.monitoring.web.figures import byteWords, countWords, curve, delayWords, rateWords, timeWords
from uotp.monitoring.web.history import MOST_SAMPLES, SAMPLE_SECONDS, STILL, History
from uotp.monitoring.web.page import ROWS_AT_ONCE, pageParts

VOID = {"meta", "link", "br"}
"""Elements that have no end."""


class Reader(HTMLParser):
    """
    Reads a page, and minds that each element ends in its place.

    @ivar tags: all that have begun, with their attributes.
    @ivar text: the words.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        last = self.open.pop()
        assert last == tag, f"{tag} ends in {last}"

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


class PageTests(SynchronousTestCase):
    """
    Show reports.
    """

    def setUp(self) -> None:
        self.history = History(lambda: succeed(SERVER_REPORT), Clock())

    def read(self, report: Report) -> Reader:
        reader = Reader(b"".join(pageParts(report, self.history)).decode())
        self.assertEqual(reader.open, [])
        return reader

    def test_whatIsToldIsThere(self) -> None:
        text = self.read(SERVER_REPORT).text
        for words in (
            "uotp-server",
            "ready",
            "1 d 2 h",
            "listening on 0.0.0.0:8443, [::]:8443",
            "target 127.0.0.1:51820",
            "143 MiB in all",
            "1f2e3d4c",
            "laptop, sha256 1a2b3c4d",
            "21.4 ms",
            "ends in 12 days: renew it",
            "backlog full",
        ):
            self.assertIn(words, text)

    def test_clientHasItsWorkers(self) -> None:
        text = self.read(CLIENT_REPORT).text
        self.assertIn("worker 2", text)
        self.assertIn("ready, process 4720, 1 restarts", text)

    def test_clientHasItsServers(self) -> None:
        text = self.read(CLIENT_REPORT).text
        self.assertIn("server vpn.example.com:8443", text)
        self.assertIn("2 sessions", text)
        self.assertIn("0 sessions, stands by for 1", text)
        away = replace(CLIENT_REPORT, serversAway={"vpn.example.org:8443": 1}, serversReady={})
        self.assertIn("0 sessions, away", self.read(away).text)
        lone = replace(CLIENT_REPORT, serversUsed={CLIENT_REPORT.remote: 2}, moves={})
        self.assertNotIn("2 sessions", self.read(lone).text)

    def test_troubleIsSaid(self) -> None:
        reader = self.read(reportOf(isReady=False, trouble="no tunnel can be opened: <b>why</b>"))
        self.assertIn("no tunnel can be opened: <b>why</b>", reader.text)
        self.assertIn(("header", {"class": "ill"}), reader.tags)

    def test_filesThatCannotBeUsedAreSaid(self) -> None:
        reader = self.read(reportOf(filesTrouble="crl.pem: <b>why</b>"))
        self.assertIn("the files on disk cannot be used, so the old ones stay in use: crl.pem: <b>why</b>", reader.text)
        self.assertIn(("p", {"class": "trouble"}), reader.tags)
        self.assertNotIn("the files on disk", self.read(SERVER_REPORT).text)

    def test_whatAPeerHasChosenIsOnlyWords(self) -> None:
        evil = "\"><script>alert(1)</script><img src=x onerror=alert(2)>' onclick=alert(3)"
        report = reportOf(
            sessions=(sessionOf(evil, peer=evil, client=evil, drops={evil: 1}),),
            certificates=(CertificateReport("own", evil, evil, NOW - 1),),
            refusals={evil: 1},
            listening=(evil,),
            remote=evil,
            trouble=evil,
            isReady=False,
        )
        usual, reader = self.read(reportOf(certificates=report.certificates[:1])), self.read(report)
        self.assertEqual((reader.count("script"), reader.count("img")), (usual.count("script"), 0))
        attributes = {name for _, attrs in reader.tags for name in attrs}
        self.assertFalse([name for name in attributes if name.startswith("on")])
        self.assertGreaterEqual(reader.text.count(evil), 7)

    def test_nothingComesFromElsewhere(self) -> None:
        """
        No style and no script stands in the page itself, since the policy allows none.
        """
        for tag, attributes in self.read(SERVER_REPORT).tags:
            self.assertNotIn("style", attributes)
            for name in ("src", "href"):
                self.assertNotIn("//", attributes.get(name) or "", tag)
        reader = self.read(SERVER_REPORT)
        self.assertEqual([attrs for tag, attrs in reader.tags if tag == "script"], [{"src": "page.js", "defer": None}])

    def test_manySessionsAreWrittenInParts(self) -> None:
        report = replace(crowded(100, 1), sessionsOpen=4096)
        parts = list(pageParts(report, self.history))
        self.assertLessEqual(max(part.count(b"<tr") for part in parts), ROWS_AT_ONCE)
        reader = self.read(report)
        self.assertEqual(sum(tag == "tr" for tag, _ in reader.tags) > 100, True)
        self.assertIn("the 100 busiest of 4096", reader.text)

    def test_programWithoutAnythingHasAPageToo(self) -> None:
        text = self.read(reportOf(sessions=(), certificates=(), drops={}, sessionsOpen=0)).text
        self.assertIn("There is none.", text)


class FiguresTests(SynchronousTestCase):
    """
    Write numbers.
    """

    def test_words(self) -> None:
        for make, number, words in (
            (byteWords, 0, "0 B"),
            (byteWords, 1023, "1023 B"),
            (byteWords, 1536, "1.5 KiB"),
            (byteWords, 2**60, "1.02e+03 PiB"),
            (rateWords, 0.0, "0 bit/s"),
            (rateWords, 125_000.0, "1 Mbit/s"),
            (countWords, 1234567, "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"),
            (delayWords, 0.0, "\N{EN DASH}"),
            (delayWords, 0.0214, "21.4 ms"),
            (delayWords, 1.5, "1.5 s"),
            (timeWords, -1.0, "0 s"),
            (timeWords, 61.0, "1 min 1 s"),
            (timeWords, 7300.0, "2 h 1 min"),
            (timeWords, 90000.0, "1 d 1 h"),
        ):
            self.assertEqual(make(number), words)

    def test_curves(self) -> None:
        for values in ([], [1.0], [0.0, 0.0], [1.0, 2.0, 0.5]):
            reader = Reader(curve(values, "rate", 60))
            self.assertEqual(reader.count("polyline"), int(len(values) > 1))
        self.assertIn('points="0.0,27.0 120.0,1.0"', curve([0.0, 5.0], "rate", 2))


class HistoryTests(SynchronousTestCase):
    """
    Take reports.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.carried = 0
        self.timeOfDay = 1.8e9
        self.history = History(self.report, self.clock)
        self.history.start()
        self.addCleanup(self.history.stop)

    def report(self) -> Deferred[Report]:
        out = Traffic(0, 0, self.carried)
        sessions = (sessionOf(out=out),)
        return succeed(reportOf(seconds=self.clock.seconds(), time=self.timeOfDay, out=out, sessions=sessions))

    def test_ratesAreThoseOfTheTimeBetween(self) -> None:
        self.clock.advance(0)
        self.assertEqual(len(self.history.samples), 0)
        self.carried = 5000
        self.clock.advance(SAMPLE_SECONDS)
        (sample,) = self.history.samples
        self.assertEqual((sample.out, sample.back, sample.dropped), (1000.0, 0.0, 0.0))
        self.assertEqual(self.history.rate(0, "1f2e3d4c").out, 1000.0)
        self.assertEqual(self.history.rate(1, "1f2e3d4c"), STILL)

    def test_clockThatIsSetBackChangesNothing(self) -> None:
        """
        As at a boot without a battery, or by a host that gives its guest another time.
        """
        self.clock.advance(0)
        self.carried = 5000
        self.timeOfDay -= 86400.0
        self.clock.advance(SAMPLE_SECONDS)
        self.assertEqual([each.out for each in self.history.samples], [1000.0])

    def test_itIsBounded(self) -> None:
        for _ in range(2 * MOST_SAMPLES):
            self.clock.advance(SAMPLE_SECONDS)
        self.assertEqual(len(self.history.samples), MOST_SAMPLES)

    def test_nothingIsTakenWhenItHasStopped(self) -> None:
        self.clock.advance(0)
        self.history.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.history.start()
        for _ in range(3):
            self.clock.advance(SAMPLE_SECONDS)
        self.assertEqual(len(self.history.samples), 2)

    def test_reportThatComesAfterTheEndIsNotKept(self) -> None:
        late: Deferred[Report] = Deferred()
        self.patch(self.history, "_report", lambda: late)
        self.clock.advance(0)
        self.history.stop()
        late.callback(reportOf(seconds=1.0))
        self.patch(self.history, "_report", self.report)
        self.history.start()
        self.clock.advance(SAMPLE_SECONDS)
        self.assertEqual(len(self.history.samples), 0)


class ServedPageTests(SiteTestCase):
    """
    Ask for the page and what belongs to it.
    """

    def test_pageAndItsParts(self) -> None:
        for path, kind, words in (
            ("/", "text/html; charset=utf-8", "<!doctype html>"),
            ("/body", "text/html; charset=utf-8", "<header"),
            ("/page.css", "text/css; charset=utf-8", "color-scheme: light dark"),
            ("/page.js", "text/javascript; charset=utf-8", "use strict"),
            ("/report.json", "application/json", '"end": "server"'),
        ):
            status, headers, text = self.read(path)
            self.assertEqual((status, headers["content-type"]), (200, kind), path)
            self.assertIn(words, text)

    def test_reportIsWhole(self) -> None:
        self.reporter.told = crowded(3, 2)
        told = json.loads(self.read("/report.json")[2])
        self.assertEqual(told, json.loads(json.dumps(asdict(crowded(3, 2)))))
