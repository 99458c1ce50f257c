"""
Tests of L{uotp.monitoring.web.exposition} and of the metrics that there are.
"""

from __future__ import annotations

import re
from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parseOpenMetrics
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reports import SESSION, TUNNEL, WORKER, reportOf, sessionOf
from uotp.monitoring.report import Report, Traffic
from uotp.monitoring.web.exposition import MOST_TUNNELS_EXPORTED, SAMPLES_AT_ONCE, Exposition, uniqueNames
from uotp.monitoring.web.metrics import (
    MOST_LABEL_LETTERS,
    OTHER,
    PROCESS_METRICS,
    SESSION_METRICS,
    SUMMED_METRICS,
    TUNNEL_METRICS,
    Metric,
)

REPORT = reportOf()

METRICS: list[Metric] = [
    *(row[0] for row in PROCESS_METRICS),
    *(row[0] for row in SUMMED_METRICS),
    *(row[0] for row in SESSION_METRICS),
    *(row[0] for row in TUNNEL_METRICS),
]

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class ExpositionTestCase(SynchronousTestCase):
    """
    Reads what is written with the parsers of Prometheus.
    """

    def setUp(self) -> None:
        self.exposition = Exposition()

    def text(self, report: Report, accept: str = "") -> str:
        _, parts = self.exposition.write(report, accept)
        return b"".join(parts).decode()

    def samples(self, report: Report, accept: str = "") -> Samples:
        """
        @return: all samples by their names and labels; none is there twice.
        """
        parse = parseOpenMetrics if accept else text_string_to_metric_families
        found: Samples = {}
        for family in parse(self.text(report, accept)):
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                self.assertNotIn(key, found)
                found[key] = sample.value
        return found

    def value(self, samples: Samples, name: str, **labels: str) -> float:
        return samples[name, frozenset(labels.items())]


class ExpositionTests(ExpositionTestCase):
    """
    What a report says is written.
    """

    def test_bothFormatsSayTheSame(self) -> None:
        plain = self.samples(REPORT)
        opened = self.samples(REPORT, "application/openmetrics-text; version=1.0.0; charset=utf-8,*/*;q=0.1")
        self.assertEqual(plain, opened)
        self.assertEqual(self.exposition.write(REPORT)[0], "text/plain; version=0.0.4; charset=utf-8")
        self.assertIn("openmetrics-text", self.exposition.write(REPORT, "application/openmetrics-text")[0])

    def test_whatTheReportSaysIsThere(self) -> None:
        samples = self.samples(REPORT)
        for name, labels, value in (
            ("uotp_ready", {}, 1),
            ("uotp_info", {"end": "server", "version": "0.1.0"}, 1),
            ("uotp_payload_bytes_total", {"direction": "to_tunnels"}, 9_000_000),
            ("uotp_payload_bytes_total", {"direction": "to_udp"}, 150_000_000),
            ("uotp_dropped_datagrams_total", {"reason": "send_refused"}, 1),
            ("uotp_session_dropped_datagrams_total", {"session": SESSION.name, "reason": "backlog_full"}, 2),
            ("uotp_session_round_trip_seconds", {"session": SESSION.name}, 0.0214),
            ("uotp_session_held_seconds_total", {"session": SESSION.name}, 0.25),
            ("uotp_tunnel_tcp_retransmissions_total", {"session": SESSION.name, "tunnel": "1"}, 4),
            ("uotp_handshakes_total", {"result": "failed"}, 3),
            ("uotp_reloads_total", {"result": "done"}, 1),
            ("uotp_files_refused", {}, 0),
            ("uotp_start_time_seconds", {}, REPORT.time - REPORT.seconds),
        ):
            self.assertEqual(self.value(samples, name, **labels), value, name)

    def test_correctedClockIsNoRestart(self) -> None:
        """
        Whoever counts the changes of the time of the start is told of restarts, and of a clock that was set.
        """
        began = round(REPORT.time - REPORT.seconds, 3)
        found = set()
        for passed in (each / 7 for each in range(100)):
            report = replace(REPORT, seconds=REPORT.seconds + passed, time=REPORT.time + passed + passed / 1000)
            found.add(self.value(self.samples(report), "uotp_start_time_seconds"))
        self.assertEqual(found, {began})
        samples = self.samples(replace(REPORT, time=REPORT.time + 86400.0))
        self.assertEqual(self.value(samples, "uotp_start_time_seconds"), began + 86400.0)

    def test_everyMetricIsExportedUnderItsName(self) -> None:
        """
        With a report that has something of all, the names that are exported are those of the table.
        """
        servers = {name: {"a:8443": 1} for name in ("serversUsed", "serversReady", "serversAway")}
        report = reportOf(workers=(WORKER,), moves={"no_tunnel": 1}, **servers)
        names = {name for name, _ in self.samples(report)}
        self.assertEqual(names, {metric.exportedName for metric in METRICS})

    def test_namesFollowTheRulesOfPrometheus(self) -> None:
        self.assertEqual(len({metric.name for metric in METRICS}), len(METRICS))
        for metric in METRICS:
            self.assertRegex(metric.name, "^uotp_[a-z0-9_]+$")
            self.assertFalse(metric.name.endswith("_total"), metric.name)
            self.assertTrue(metric.help.endswith("."), metric.name)
            self.assertTrue(all(re.fullmatch("[a-z]+", label) for label in metric.labels), metric.name)

    def test_whatAPeerHasChosenIsEscapedAndShort(self) -> None:
        for name in ('<script>alert("1")</script>\n\\', "x" * 5000, "\N{SNOWMAN}"):
            session = sessionOf(client=name)
            samples = self.samples(reportOf(sessions=(session,)))
            (labels,) = (dict(labels) for found, labels in samples if found == "uotp_session_info")
            self.assertEqual(labels["client"][: MOST_LABEL_LETTERS - 1], name[: MOST_LABEL_LETTERS - 1])
            self.assertLessEqual(len(labels["client"]), MOST_LABEL_LETTERS)

    def test_sessionsOfOneNameAreToldApart(self) -> None:
        """
        A client chooses its ids, and two samples with the same labels would make Prometheus take none.
        """
        twins = sessionOf(), sessionOf(), sessionOf("ff")
        self.assertEqual(uniqueNames(twins), [SESSION.name, f"{SESSION.name}-2", "ff"])
        samples = self.samples(reportOf(sessions=twins))
        self.assertEqual(self.value(samples, "uotp_session_sent_bytes_total", session=f"{SESSION.name}-2"), 140_000)

    def test_nameOfAFileNeedBeNoText(self) -> None:
        """
        A system lets it be any bytes, and Prometheus takes text alone.
        """
        one = replace(REPORT.certificates[0], file="/etc/\udcff.pem")
        samples = self.samples(reportOf(certificates=(one,)))
        (labels,) = (dict(labels) for name, labels in samples if name.startswith("uotp_certificate"))
        self.assertEqual(labels["file"], r"/etc/\udcff.pem")

    def test_certificatesOfOneNameAreOne(self) -> None:
        one = REPORT.certificates[0]
        samples = self.samples(reportOf(certificates=(one, replace(one, expires=1.5e9))))
        found = [value for (name, _), value in samples.items() if name.startswith("uotp_certificate")]
        self.assertEqual(found, [1.5e9])

    def test_longMetricsAreWrittenInParts(self) -> None:
        sessions = tuple(sessionOf(f"{number:08x}") for number in range(3 * SAMPLES_AT_ONCE))
        report = reportOf(sessions=sessions)
        self.assertEqual(self.samples(report), self.samples(report, "application/openmetrics-text"))
        _, parts = self.exposition.write(report)
        self.assertLessEqual(max(part.count(b"\n") for part in parts), SAMPLES_AT_ONCE + 2)

    def test_tunnelsAreBounded(self) -> None:
        tunnels = tuple(replace(TUNNEL, number=number) for number in range(16))
        sessions = tuple(sessionOf(f"{number:08x}", tunnels=tunnels) for number in range(100))
        samples = self.samples(reportOf(sessions=sessions))
        ages = [labels for name, labels in samples if name == "uotp_tunnel_age_seconds"]
        self.assertEqual(len(ages), MOST_TUNNELS_EXPORTED)
        self.assertEqual({dict(labels)["tunnel"] for labels in ages}, {str(number) for number in range(16)})


class OthersTests(ExpositionTestCase):
    """
    Those that are not told by name are summed, and that sum never goes down.
    """

    def others(self, report: Report) -> float:
        return self.value(self.samples(report), "uotp_session_sent_bytes_total", session=OTHER)

    def told(self, seconds: float, total: int, **sessions: int) -> Report:
        """
        @param seconds: how long the program has run.
        @param total: what all sessions have carried.
        @param sessions: what those have carried that are told; they are as old as the program.
        """
        return reportOf(
            seconds=seconds,
            out=Traffic(0, 0, total),
            sessions=tuple(
                sessionOf(name, out=Traffic(0, 0, carried), seconds=1000.0) for name, carried in sessions.items()
            ),
        )

    def test_whatNobodyIsToldOfIsTheRest(self) -> None:
        self.assertEqual(self.others(self.told(0, 1000, a=600)), 400)
        self.assertEqual(self.others(self.told(10, 1500, a=900)), 600)

    def test_sessionThatGetsItsNameTakesNothingAway(self) -> None:
        self.assertEqual(self.others(self.told(0, 1000, a=600)), 400)
        self.assertEqual(self.others(self.told(10, 1100, a=600, b=450)), 500)
        self.assertEqual(self.others(self.told(20, 1200, a=600, b=500)), 550)

    def test_sessionThatLosesItsNameIsCountedFromThen(self) -> None:
        self.assertEqual(self.others(self.told(0, 1000, a=600, b=400)), 0)
        self.assertEqual(self.others(self.told(10, 1100, a=650)), 50)

    def test_newSessionIsNoOther(self) -> None:
        self.others(self.told(0, 1000, a=1000))
        report = self.told(10, 1500, a=1000, b=500)
        new = replace(report.sessions[1], seconds=5.0)
        self.assertEqual(self.others(replace(report, sessions=(report.sessions[0], new))), 0)

    def test_newSessionIsNoOtherWhenTheClockIsSetBack(self) -> None:
        self.others(self.told(0, 1000, a=1000))
        report = self.told(10, 1500, a=1000, b=500)
        new = replace(report.sessions[1], seconds=5.0)
        earlier = replace(report, sessions=(report.sessions[0], new), time=report.time - 86400.0)
        self.assertEqual(self.others(earlier), 0)

    def test_reportIsCountedOnce(self) -> None:
        self.others(self.told(0, 1000, a=600))
        report = self.told(10, 1500, a=600)
        for _ in range(3):
            self.assertEqual(self.others(report), 900)
