"""
A report as tables of rich: what a program is and does at a glance, and its sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from uotp.cli.operate.figures import DAY_SECONDS, ageOf, milliseconds, shortCount, shortRate, shortSize, spanOf
from uotp.cli.operate.rates import ProgramRates
from uotp.cli.options import printable
from uotp.monitoring import CertificateReport, Report, SessionReport, WorkerReport

EXPIRY_DAYS = 30
"""A certificate that ends sooner is coloured."""

WIDE_COLUMNS = 120
"""On a terminal of so many columns a session's row tells more."""

PLAIN_COLUMNS = 200
"""So wide a table may be that goes to a file or another program."""

LONG_TITLES = {"WHO", "CLIENT", "PEER"}
LEAST_LONG_COLUMNS = 8
"""These columns are cut where there is no room for all, down to so much."""

MOST_KINDS = 6
"""So many kinds of drops and the like are named, those that are most first."""

FINGERPRINT_FOLLOWS = ", sha256 "
"""What stands between a client's name and the fingerprint of its certificate, as servers tell both."""

GOOD, WORRYING, BAD, QUIET = "green", "yellow", "bold red", "dim"


def consoleFor(file: object) -> Console:
    """
    @return: what prints tables, without colours and wide enough where nobody looks at a terminal.
    """
    console = Console(file=file, highlight=False, markup=False, emoji=False)  # type: ignore[arg-type]
    if not console.is_terminal:
        console = Console(file=file, highlight=False, markup=False, emoji=False, width=PLAIN_COLUMNS)  # type: ignore[arg-type]
    return console


def put(console: Console, part: RenderableType) -> None:
    """
    Print something.  Where nobody looks at a terminal its lines have no blanks at their ends.
    """
    if console.is_terminal:
        console.print(part)
        return
    with console.capture() as captured:
        console.print(part)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def harmless(words: str, style: str = "") -> Text:
    """
    @return: words that may have come from a peer: nothing in them is an order for a terminal.
    """
    return Text(printable(words), style)


def glance(report: Report, name: str, rates: ProgramRates | None = None) -> RenderableType:
    """
    @param name: what the program is called.
    @param rates: how fast it goes, if that is known.
    @return: what it is and does.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=QUIET, no_wrap=True)
    table.add_column(overflow="fold")
    for label, words in _lines(report, rates):
        table.add_row(label, words)
    return Group(title(report, name), table)


def brief(report: Report, name: str, rates: ProgramRates) -> RenderableType:
    """
    @return: the same in two lines, for several programs on one screen.
    """
    words = (
        f"sessions {report.sessionsOpen}, tunnels {report.tunnelsReady} of {report.tunnelsWanted}, "
        f"out {shortRate(rates.all.out)}bit/s, back {shortRate(rates.all.back)}bit/s"
    )
    line = Text(words)
    dropped = sum(report.drops.values())
    if dropped:
        line.append(f", drops {shortCount(dropped)}", WORRYING)
    if report.filesTrouble:
        line.append(", files cannot be used", BAD)
    for certificate in report.certificates:
        if certificate.expires - report.time < EXPIRY_DAYS * DAY_SECONDS:
            line.append(", ").append_text(_certificate(certificate, report.time))
    return Group(title(report, name), line)


def title(report: Report, name: str, _: ProgramRates | None = None) -> Text:
    """
    @return: the first line of both: which program this is, and whether it is ready.
    """
    state = Text("ready", GOOD) if report.isReady else harmless(f"not ready: {report.trouble}", BAD)
    return Text.assemble(
        (f"uotp-{printable(report.end)}", "bold"),
        f" {printable(report.version)}, pid {report.pid}, up {spanOf(report.seconds)}, ",
        state,
        (f"  [{printable(name)}]", QUIET),
    )


def _lines(report: Report, rates: ProgramRates | None) -> Iterator[tuple[str, Text]]:
    yield "listens", harmless(", ".join(report.listening))
    if len(report.serversUsed) > 1:
        yield "servers", harmless("; ".join(f"{shown}: {report.serverWords(shown)}" for shown in report.serversUsed))
    else:
        yield "server" if report.end == "client" else "target", harmless(report.remote)
    if report.workers:
        yield "workers", _joined([_worker(each) for each in report.workers])
    sessions = f"{report.sessionsOpen} ({report.sessionsOpened} since the start)"
    yield "sessions", Text(f"{sessions}, tunnels {report.tunnelsReady} of {report.tunnelsWanted}")
    now = ("", "") if rates is None else (f"{shortRate(rates.all.out)}bit/s, ", f"{shortRate(rates.all.back)}bit/s, ")
    yield (
        "traffic",
        Text(
            f"out {now[0]}{shortSize(report.out.bytes)}B in {shortCount(report.out.datagrams)}; "
            f"back {now[1]}{shortSize(report.back.bytes)}B in {shortCount(report.back.datagrams)}"
        ),
    )
    mean = f", {milliseconds(report.heldSeconds / report.heldDatagrams)} each" if report.heldDatagrams else ""
    yield (
        "queues",
        Text(
            f"{shortSize(report.queuedBytes)}B wait; {shortCount(report.heldDatagrams)} datagrams were held{mean}; "
            f"resent {shortCount(report.retransmissions)} by TCP, {shortCount(report.again)} by us; "
            f"worst delay {milliseconds(report.worstTurn) or '0ms'}"
        ),
    )
    for label, counts, style in (
        ("drops", report.drops, WORRYING),
        ("handshakes", report.handshakes, ""),
        ("refusals", report.refusals, WORRYING),
        ("visitors", report.visitors, ""),
        ("evictions", report.evictions, WORRYING),
        ("reloads", report.reloads, ""),
    ):
        words = kinds(counts)
        if words:
            yield label, harmless(words, style)
    if report.filesTrouble:
        yield "files", harmless(f"cannot be used, so the old ones stay in use: {report.filesTrouble}", BAD)
    if report.certificates:
        yield "expiry", _joined([_certificate(each, report.time) for each in report.certificates])


def kinds(counts: Mapping[str, int]) -> str:
    """
    @return: those of some counts that are above nothing, the largest first.
    """
    found = sorted(((number, kind) for kind, number in counts.items() if number), key=lambda each: (-each[0], each[1]))
    words = [f"{kind} {shortCount(number)}" for number, kind in found[:MOST_KINDS]]
    rest = sum(number for number, _ in found[MOST_KINDS:])
    return ", ".join([*words, f"others {shortCount(rest)}"] if rest else words)


def _joined(parts: Sequence[Text]) -> Text:
    return Text(", ").join(parts)


def _worker(worker: WorkerReport) -> Text:
    again = f", restarted {worker.restarts}x" if worker.restarts else ""
    style = GOOD if worker.state == "ready" else WORRYING
    silent = "" if worker.isTold else ", has not answered"
    return Text.assemble(f"{worker.number} ", harmless(worker.state, style), f" {ageOf(worker.seconds)}{again}{silent}")


def _certificate(certificate: CertificateReport, now: float) -> Text:
    days = (certificate.expires - now) / DAY_SECONDS
    words = f"{certificate.kind} {certificate.name}"
    if days < 0:
        return harmless(f"{words} expired {-days:.0f} days ago", BAD)
    return harmless(f"{words} in {days:.0f} days", WORRYING if days < EXPIRY_DAYS else "")


@dataclass(frozen=True, slots=True)
class Column:
    """
    Says what one column of the table of sessions shows.

    @ivar title: above it.
    @ivar cell: makes a cell.
    @ivar isWide: whether it is for wide terminals only.
    @ivar isNarrow: whether it is for others only.
    @ivar isText: whether it holds words, which may be cut, and no number.
    """

    title: str
    cell: Callable[[SessionReport], Text]
    isWide: bool = False
    isNarrow: bool = False
    isText: bool = False


def _number(words: str, *, isWorrying: bool = False) -> Text:
    return Text(words, WORRYING if isWorrying else "")


def _tunnels(session: SessionReport) -> Text:
    words = f"{session.tunnelsReady}/{session.tunnelsWanted}"
    return _number(words, isWorrying=session.tunnelsReady < session.tunnelsWanted)


def _who(session: SessionReport) -> str:
    """
    @return: the name of a client, without the fingerprint of its certificate; its address where it has none.
    """
    return session.client.rpartition(FINGERPRINT_FOLLOWS)[0] or session.client or session.peer


def columnsFor(rates: ProgramRates | None, *, hasWorkers: bool) -> tuple[Column, ...]:
    """
    @param rates: how fast it goes in sessions; L{None} to show what they have carried.
    @param hasWorkers: whether it is told which worker has a session.
    @return: the columns.
    """
    if rates is None:
        traffic = (
            Column("OUT", lambda each: _number(shortSize(each.out.bytes))),
            Column("BACK", lambda each: _number(shortSize(each.back.bytes))),
        )
    else:
        traffic = (
            Column("OUTbit/s", lambda each: _number(shortRate(rates.of(each).out))),
            Column("BACKbit/s", lambda each: _number(shortRate(rates.of(each).back))),
        )
    return (
        Column("SESSION", lambda each: harmless(each.name), isText=True),
        *([Column("W", lambda each: _number(str(each.worker)))] if hasWorkers else []),
        Column("CLIENT", lambda each: harmless(each.client), isWide=True, isText=True),
        Column("PEER", lambda each: harmless(each.peer), isWide=True, isText=True),
        Column("WHO", lambda each: harmless(_who(each)), isNarrow=True, isText=True),
        Column("AGE", lambda each: _number(ageOf(each.seconds))),
        Column("IDLE", lambda each: _number(ageOf(each.idleSeconds))),
        *traffic,
        Column("RTT", lambda each: _number(milliseconds(each.roundTrip))),
        Column("TUN", _tunnels),
        Column("RESENT", lambda each: _number(shortCount(each.retransmissions + each.again))),
        Column("LATE", lambda each: _number(shortCount(each.late)), isWide=True),
        Column("QUEUE", lambda each: _number(shortSize(each.queuedBytes)), isWide=True),
        Column("DROPS", _dropped),
    )


def _dropped(session: SessionReport) -> Text:
    number = sum(session.drops.values())
    return _number(shortCount(number), isWorrying=number > 0)


def sessionTable(
    sessions: Sequence[SessionReport], width: int, rates: ProgramRates | None = None, *, expand: bool = False
) -> Table:
    """
    @param sessions: in this order.
    @param width: of the terminal, in columns.
    @param rates: see L{columnsFor}.
    @param expand: whether the table takes all of the width.
    """
    isWide = width >= WIDE_COLUMNS
    columns = [
        each
        for each in columnsFor(rates, hasWorkers=any(session.worker for session in sessions))
        if not (each.isNarrow if isWide else each.isWide)
    ]
    rows = [[column.cell(session) for column in columns] for session in sessions]
    needed = [max([len(column.title), *(row[place].cell_len for row in rows)]) for place, column in enumerate(columns)]
    fills = expand or sum(needed) + len(needed) - 1 > width  # then the long columns get what is left
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="reverse" if expand else QUIET)
    table.expand = fills
    for place, column in enumerate(columns):
        isLong = column.title in LONG_TITLES
        table.add_column(
            column.title,
            justify="left" if column.isText else "right",
            no_wrap=True,
            overflow="ellipsis" if column.isText else "crop",
            ratio=1 if isLong and fills else None,
            min_width=LEAST_LONG_COLUMNS if isLong else needed[place],
        )
    for row in rows:
        table.add_row(*row)
    return table
