"""
A report as Prometheus reads it.  It is written in parts, since it may be long and each line takes some microseconds.

A session that is told by its name today may be one of the others tomorrow, and the other way round.  So what the
others have carried is not what is left of the sum: that would go down when one of them gets its own name, and a
counter must not.  It is counted here, from report to report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics

from uotp.monitoring.report import Report, SessionReport
from uotp.monitoring.web.metrics import (
    OTHER,
    PROCESS_METRICS,
    SESSION_METRICS,
    SUMMED_METRICS,
    TUNNEL_METRICS,
    Metric,
    Sample,
    startOf,
)

SAMPLES_AT_ONCE = 32
"""So many are written in one step, which takes a hundred or two hundred microseconds."""

MOST_TUNNELS_EXPORTED = 1024
"""Of so many tunnels there are metrics, those of the busiest sessions first: that is some 600 kilobytes of text."""

START_SECONDS = 1.0
"""
The time of the start is told as before unless it has changed by more: it is reckoned by the time of day, which is
corrected all day, and whoever watches for changes of it looks for restarts.
"""

PLAIN_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What all readers know."""

OPENMETRICS = "application/openmetrics-text"
END_OF_OPENMETRICS = b"# EOF\n"


class OneFamily:
    """
    Is a registry of one metric, as prometheus_client reads it.
    """

    def __init__(self, family: Any) -> None:
        """
        @param family: the metric with its samples.
        """
        self._family = family

    def collect(self) -> Iterable[Any]:
        """
        @return: the metric.
        """
        return (self._family,)


class Exposition:
    """
    Writes reports as text, one after the other.
    """

    def __init__(self) -> None:
        self._others = [0.0] * len(SUMMED_METRICS)
        self._sums: list[float] | None = None  # of the whole program in the last report
        self._told: dict[str, list[float]] = {}  # of each session in the last report
        self._counted: Report | None = None
        self._started = float("-inf")  # by the time of day

    def write(self, report: Report, accept: str = "") -> tuple[str, Iterator[bytes]]:
        """
        @param report: what is told.
        @param accept: what kinds of text the reader takes, as HTTP has it.
        @return: the kind that it gets, and the text in parts; each is made when it is asked for.
        """
        self._count(report)
        started = startOf(report)
        if abs(started - self._started) > START_SECONDS:
            self._started = started
        report = replace(report, time=self._started + report.seconds)
        isOpen = OPENMETRICS in accept
        encode = openmetrics.generate_latest if isOpen else generate_latest
        return openmetrics.CONTENT_TYPE_LATEST if isOpen else PLAIN_TYPE, self._parts(report, encode, isOpen=isOpen)

    def _parts(self, report: Report, encode: Callable[[Any], bytes], *, isOpen: bool) -> Iterator[bytes]:
        for metric, samples in self._families(report):
            yield from written(metric, samples, encode)
        if isOpen:
            yield END_OF_OPENMETRICS

    def _families(self, report: Report) -> Iterator[tuple[Metric, Iterable[Sample]]]:
        """
        @return: each metric with its samples.
        """
        for metric, samplesOf in PROCESS_METRICS:
            yield metric, samplesOf(report)
        named = list(zip(uniqueNames(report.sessions), report.sessions, strict=True))
        for place, (metric, value, _) in enumerate(SUMMED_METRICS):
            others: list[Sample] = [((OTHER,), self._others[place])]
            yield metric, [*(((name,), value(session)) for name, session in named), *others]
        for metric, ofSession in SESSION_METRICS:
            yield metric, [((name, *labels), found) for name, each in named for labels, found in ofSession(each)]
        tunnels = list(
            islice(
                (
                    ((name, str(number)), tunnel)
                    for name, session in named
                    for number, tunnel in enumerate(sorted(session.tunnels, key=lambda one: one.number))
                ),
                MOST_TUNNELS_EXPORTED,
            )
        )
        for metric, ofTunnel in TUNNEL_METRICS:
            yield metric, [(labels, ofTunnel(tunnel)) for labels, tunnel in tunnels]

    def _count(self, report: Report) -> None:
        """
        Add to what others have carried what has grown since the last report, less what has grown of the sessions
        that are told.  Of one that was not told before, that is all when it is new, and nothing when it is older.
        """
        if report is self._counted:
            return
        before, self._counted = self._counted, report
        sums = [ofAll(report) for _, _, ofAll in SUMMED_METRICS]
        told = {
            name: [value(session) for _, value, _ in SUMMED_METRICS]
            for name, session in zip(uniqueNames(report.sessions), report.sessions, strict=True)
        }
        elapsed = float("inf") if before is None else report.seconds - before.seconds
        for place, total in enumerate(sums):
            grown = total - (0.0 if self._sums is None else self._sums[place])
            for (name, values), session in zip(told.items(), report.sessions, strict=True):
                known = self._told.get(name)
                if known is not None:
                    grown -= max(values[place] - known[place], 0.0)
                elif session.seconds <= elapsed:
                    grown -= values[place]
            self._others[place] += max(grown, 0.0)
        self._sums, self._told = sums, told


def uniqueNames(sessions: Iterable[SessionReport]) -> list[str]:
    """
    @return: the name of each session, with a number behind it where another one is called so too: a client chooses
        its ids, and Prometheus takes nothing at all where two are alike.
    """
    seen: dict[str, int] = {}
    names = []
    for session in sessions:
        number = seen[session.name] = seen.get(session.name, 0) + 1
        names.append(session.name if number == 1 else f"{session.name}-{number}")
    return names


def written(metric: Metric, samples: Iterable[Sample], encode: Callable[[Any], bytes]) -> Iterator[bytes]:
    """
    @param encode: of prometheus_client.
    @return: the text of a metric, in parts.
    """
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    remaining = iter(samples)
    isFirst = True
    while part := list(islice(remaining, SAMPLES_AT_ONCE)):
        family = kind(metric.name, metric.help, labels=metric.labels)
        for labels, value in part:
            family.add_metric(labels, value)
        text = encode(OneFamily(family)).removesuffix(END_OF_OPENMETRICS)
        yield text if isFirst else withoutHead(text)
        isFirst = False


def withoutHead(text: bytes) -> bytes:
    """
    @return: the same without the lines that say what the metric is.
    """
    while text.startswith(b"# "):
        text = text.partition(b"\n")[2]
    return text
