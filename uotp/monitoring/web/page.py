"""
The page: how a program is, at a glance.  It is made here, whole, so that it needs no script; a little one only
asks for its body again every few seconds.

Everything that somebody else has chosen is escaped: addresses, names of certificates, reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from uotp.monitoring.report import CertificateReport, Report, SessionReport, WorkerReport
from uotp.monitoring.web.figures import FULL_DAY, byteWords, countWords, curve, delayWords, rateWords, timeWords
from uotp.monitoring.web.history import MOST_SAMPLES, History

ROWS_AT_ONCE = 16
"""So many sessions are written in one step."""

SOON_DAYS = 14
"""A certificate that ends so soon is shown as a warning."""

FILES_WORDS = "the files on disk cannot be used, so the old ones stay in use"
"""What stands before the reason."""

PAGE_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="page.css">
<noscript><meta http-equiv="refresh" content="10"></noscript>
<script src="page.js" defer></script>
</head>
<body>
<main>
"""

PAGE_TAIL = """\
</main>
<footer><span id="fresh">As of when the page was loaded.</span>
<a href="metrics">metrics</a> <a href="healthz">health</a> <a href="report.json">report</a></footer>
</body>
</html>
"""

COLUMNS = (
    ("session", "Session"),
    ("peer", "Address"),
    ("client", "Client"),
    ("time", "Since"),
    ("time", "Idle"),
    ("number", "Out"),
    ("number", "Back"),
    ("number", "Round trip"),
    ("number", "Sent again"),
    ("number", "Dropped"),
    ("number", "Tunnels"),
)
"""The class and the heading of each column of the sessions."""


def pageParts(report: Report, history: History) -> Iterator[bytes]:
    """
    @return: the whole page, in parts.
    """
    yield PAGE_HEAD.format(title=escape(f"uotp-{report.end}")).encode()
    yield from bodyParts(report, history)
    yield PAGE_TAIL.encode()


def bodyParts(report: Report, history: History) -> Iterator[bytes]:
    """
    @return: what of the page changes, in parts.
    """
    yield _state(report).encode()
    yield _tiles(report, history).encode()
    yield from _sessions(report, history)
    yield _others(report).encode()


def _state(report: Report) -> str:
    isWell = "well" if report.isReady else "ill"
    words = "ready" if report.isReady else report.trouble
    bad = report.filesTrouble
    files = f'<p class="trouble">{FILES_WORDS}: {escape(bad)}</p>' if bad else ""
    remote = "server" if report.end == "client" else "target"
    return (
        f'<header class="{isWell}"><h1>uotp-{escape(report.end)}</h1>'
        f'<p class="state">{escape(words)}</p>{files}'
        f"<p>up for {timeWords(report.seconds)}, version {escape(report.version)}, process {report.pid}</p>"
        f"<p>listening on {escape(', '.join(report.listening))}, {remote} {escape(report.remote)}</p></header>\n"
    )


def tile(title: str, value: str, more: str = "", drawing: str = "") -> str:
    """
    @return: one figure with its title.
    """
    small = f"<small>{escape(more)}</small>" if more else ""
    return f"<div class=tile><dt>{escape(title)}</dt><dd>{escape(value)}{small}{drawing}</dd></div>"


def _tiles(report: Report, history: History) -> str:
    samples = list(history.samples)
    last = samples[-1] if samples else None
    dropped = sum(report.drops.values())
    ends = min((each.expires for each in report.certificates), default=None)
    days = None if ends is None else (ends - report.time) / FULL_DAY
    tiles = [
        tile(
            "Out",
            "\N{EN DASH}" if last is None else rateWords(last.out),
            f"{byteWords(report.out.bytes)} in all",
            curve([each.out for each in samples], "out, last minutes", MOST_SAMPLES),
        ),
        tile(
            "Back",
            "\N{EN DASH}" if last is None else rateWords(last.back),
            f"{byteWords(report.back.bytes)} in all",
            curve([each.back for each in samples], "back, last minutes", MOST_SAMPLES),
        ),
        tile(
            "Round trip",
            delayWords(max((each.roundTrip for each in report.sessions), default=0.0)),
            "the longest",
            curve([each.roundTrip for each in samples], "round trip, last minutes", MOST_SAMPLES),
        ),
        tile(
            "Dropped",
            countWords(dropped),
            "datagrams",
            curve([each.dropped for each in samples], "dropped, last minutes", MOST_SAMPLES),
        ),
        tile("Sessions", countWords(report.sessionsOpen), f"{countWords(report.sessionsOpened)} in all"),
        tile("Tunnels", f"{report.tunnelsReady} of {report.tunnelsWanted}", "ready of wanted"),
        tile("Waiting", byteWords(report.queuedBytes), "in all queues"),
        tile("Worst delay", delayWords(report.worstTurn), "of the program itself"),
    ]
    if days is not None:
        tiles.append(tile("Certificates", f"{days:.0f} days" if days > 0 else "ended", "until the first ends"))
    return f"<dl class=tiles>{''.join(tiles)}</dl>\n"


def _sessions(report: Report, history: History) -> Iterator[bytes]:
    told = len(report.sessions)
    more = f" <small>the {told} busiest of {report.sessionsOpen}</small>" if told < report.sessionsOpen else ""
    heads = "".join(f'<th class="{kind}">{title}</th>' for kind, title in COLUMNS)
    yield f"<section><h2>Sessions{more}</h2>".encode()
    if not report.sessions:
        yield b"<p>There is none.</p></section>\n"
        return
    yield f"<table class=sessions><thead><tr>{heads}</tr></thead><tbody>\n".encode()
    for start in range(0, told, ROWS_AT_ONCE):
        yield "".join(_row(each, history) for each in report.sessions[start : start + ROWS_AT_ONCE]).encode()
    yield b"</tbody></table></section>\n"


def _row(session: SessionReport, history: History) -> str:
    rate = history.rate(session.worker, session.name)
    drops = ", ".join(f"{name} {number}" for name, number in session.drops.items())
    values = (
        session.name,
        session.peer,
        session.client,
        timeWords(session.seconds),
        timeWords(session.idleSeconds),
        rateWords(rate.out),
        rateWords(rate.back),
        delayWords(session.roundTrip),
        countWords(session.retransmissions),
        countWords(sum(session.drops.values())),
        f"{session.tunnelsReady} of {session.tunnelsWanted}",
    )
    cells = "".join(
        f'<td class="{kind}" data-title="{title}">{escape(value)}</td>'
        for (kind, title), value in zip(COLUMNS, values, strict=True)
    )
    return f'<tr title="{escape(drops)}">{cells}</tr>\n'


def _others(report: Report) -> str:
    several = len(report.serversUsed) > 1
    parts = [
        _list("Servers", [(shown, report.serverWords(shown)) for shown in report.serversUsed] if several else []),
        _list("Workers", [(f"worker {each.number}", _workerWords(each)) for each in report.workers]),
        _list("Certificates", [(_certificateWords(each), _endWords(each, report)) for each in report.certificates]),
        *(
            _list(title, [(name.replace("_", " "), countWords(number)) for name, number in counts.items() if number])
            for title, counts in (
                ("Dropped", report.drops),
                ("Handshakes", report.handshakes),
                ("Refused", report.refusals),
                ("Visitors", report.visitors),
                ("Moves to another server", report.moves),
                ("Made room", report.evictions),
                ("Files read again", report.reloads),
            )
        ),
    ]
    return f"<div class=lists>{''.join(parts)}</div>\n"


def _list(title: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<section><h2>{title}</h2><table>{lines}</table></section>" if lines else ""


def _workerWords(worker: WorkerReport) -> str:
    silent = "" if worker.isTold else ", does not answer"
    return f"{worker.state}{silent}, process {worker.pid}, {worker.restarts} restarts"


def _certificateWords(certificate: CertificateReport) -> str:
    kinds = {"own": "our own", "ca": "CA", "crl": "revocation list"}
    return f"{certificate.name} ({kinds.get(certificate.kind, certificate.kind)})"


def _endWords(certificate: CertificateReport, report: Report) -> str:
    days = (certificate.expires - report.time) / FULL_DAY
    if days <= 0:
        return "has ended"
    return f"ends in {days:.0f} days" + (": renew it" if days < SOON_DAYS else "")
