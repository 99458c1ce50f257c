"""
Writes C{docs/reference/metrics.rst}: all metrics, as the code has them.  Run it after a change of one; a test
compares the page with the code::

    python docs/write_metrics.py
"""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

from uotp.monitoring.web.metrics import PROCESS_METRICS, SESSION_METRICS, SUMMED_METRICS, TUNNEL_METRICS, Metric

PAGE = Path(__file__).resolve().parent / "reference" / "metrics.rst"

WIDTH = 110
"""Columns of the page."""

HEAD = """\
=======
Metrics
=======

What ``--metrics`` shows at ``/metrics``, in Prometheus's text format or, for whoever asks for it, as OpenMetrics.
How to set it up is in :doc:`/howto/monitor`.

Counters go on from the start of the program and never go down; with ``--workers`` they are the sums of all workers.
The label ``direction`` is ``to_tunnels`` for what came from UDP, and ``to_udp`` for what came from tunnels.

{parts}"""

PARTS: tuple[tuple[str, str, tuple[Metric, ...]], ...] = (
    ("The whole program", "", tuple(row[0] for row in PROCESS_METRICS)),
    (
        "Each session",
        (
            "The label ``session`` is the beginning of the session's id, as the log shows it, and never enough of it "
            "to join the session.  At most 256 sessions have metrics of their own: those that have carried most "
            "lately.  A session that has ended is not shown any more."
        ),
        (*(row[0] for row in SUMMED_METRICS), *(row[0] for row in SESSION_METRICS)),
    ),
    (
        "Each tunnel",
        (
            "The label ``tunnel`` is its place among the tunnels of its session, the oldest first: where tunnels are "
            "replaced, another one may stand there.  At most 16 tunnels of a session and 1024 in all are shown."
        ),
        tuple(row[0] for row in TUNNEL_METRICS),
    ),
)
"""The headings, what is said under each, and the metrics."""

OTHERS = (
    'All sessions that have no metrics of their own are summed under ``session="other"`` in ``{first}`` to '
    "``{last}``, and what sessions carried before they had metrics of their own, so that the sum over all sessions "
    "tells how fast the program carries."
)


def entry(metric: Metric) -> str:
    """
    @return: what the page says of one metric.
    """
    labels = f", labels {', '.join(f'``{label}``' for label in metric.labels)}" if metric.labels else ""
    words = fill(metric.help, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return f"``{metric.exportedName}`` ({metric.kind}{labels})\n{words}\n"


def page() -> str:
    """
    @return: the whole page.
    """
    parts = []
    for title, words, metrics in PARTS:
        said = [fill(words, WIDTH)] if words else []
        if title == "Each session":
            first, *_, last = (row[0].exportedName for row in SUMMED_METRICS)
            said.append(fill(OTHERS.format(first=first, last=last), WIDTH))
        parts.append("\n\n".join([f"{title}\n{'=' * len(title)}", *said, "\n".join(map(entry, metrics))]))
    return HEAD.format(parts="\n\n".join(parts))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
