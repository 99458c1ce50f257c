"""
C{uotp top}: how programs are, again and again, until somebody has seen enough.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from uotp.cli.operate.asking import Ask, AskError, NobodyThere, Program, reportOf
from uotp.cli.operate.keys import Keys, keysOf
from uotp.cli.operate.rates import Followed, ProgramRates
from uotp.cli.operate.tables import BAD, QUIET, WORRYING, brief, glance, sessionTable, title
from uotp.monitoring import ASK_REPORT, ControlRequest, Report, SessionReport

LEAST_ROWS = 3
"""With room for fewer sessions less is told of the program above them."""

LINES_BESIDE_ROWS = 2
"""The head of a table of sessions, and the line that says how many more there are."""

RESTART_SECONDS = 10.0
"""So long it is said that a program was started again."""

GONE_SECONDS = 60.0
"""So long a program is waited for that was found, and is not there any more."""

QUIT, NEXT_SORT, LAST_SORT = {"q", "Q", "\x03"}, {"s", "\x1b[C", "\x1bOC"}, {"\x1b[D", "\x1bOD"}
"""What is typed to end, and to sort by something else: letters, Ctrl-C, and what the arrows send."""

Tell = Callable[[Report, str, ProgramRates], RenderableType]

SortKey = Callable[[SessionReport, ProgramRates], Any]

SORTS: tuple[tuple[str, SortKey], ...] = (
    ("rate", lambda session, rates: -rates.of(session).both),
    ("age", lambda session, _: session.seconds),
    ("idle", lambda session, _: session.idleSeconds),
    ("round trip", lambda session, _: -session.roundTrip),
    ("drops", lambda session, _: -sum(session.drops.values())),
    ("client", lambda session, _: (session.client or session.peer, session.name)),
)
"""What sessions can be sorted by, and what is smaller the further above one stands."""


class WatchedProgram:
    """
    Follows one program.

    @ivar program: it.
    @ivar report: the last one.
    @ivar trouble: why there is no newer one; empty when there is.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.report: Report | None = None
        self.trouble = ""
        self.followed = Followed()
        self._startedAgainAt = float("-inf")
        self._seenAt = float("-inf")

    def look(self, ask: Ask, now: float) -> None:
        """
        Ask for a new report.

        @param now: in monotonic seconds.
        """
        try:
            report = reportOf(self.program, ask(self.program, ControlRequest(ASK_REPORT)))
        except NobodyThere:
            self.trouble = "it has ended" if self.report is not None else "it is not there"
            return
        except AskError as error:
            self.trouble = str(error)
            return
        self.trouble, self._seenAt = "", now
        if self.followed.follow(report):
            self._startedAgainAt = now
        self.report = report

    def isForgotten(self, now: float) -> bool:
        """
        @return: whether it has not been there for so long that nobody waits for it.
        """
        return now - self._seenAt > GONE_SECONDS

    def says(self, now: float) -> str:
        """
        @return: what became of the program, in words; nothing while all is well.
        """
        if self.trouble:
            return f"{self.trouble}; waiting for it"
        return "it was started again" if now - self._startedAgainAt < RESTART_SECONDS else ""


class Top:
    """
    Shows programs on a terminal.
    """

    def __init__(
        self,
        find: Callable[[], Sequence[Program]],
        ask: Ask,
        console: Console,
        keys: Keys,
        interval: float,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param find: finds the programs that there are now.
        @param interval: seconds from one look to the next.
        @param seconds: tells the time, monotonic.
        """
        self._find = find
        self._ask = ask
        self._console = console
        self._keys = keys
        self._interval = interval
        self._seconds = seconds
        self._watched: dict[str, WatchedProgram] = {}
        self._sort = 0

    def run(self) -> None:
        """
        Show them until somebody quits.
        """
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            while True:
                self._look()
                live.update(self._picture(), refresh=True)
                deadline = self._seconds() + self._interval
                while (left := deadline - self._seconds()) > 0:
                    typed = self._keys.wait(left)
                    if typed in QUIT:
                        return
                    if typed:
                        self._turn(typed)
                        live.update(self._picture(), refresh=True)

    def _turn(self, typed: str) -> None:
        if typed in NEXT_SORT:
            self._sort = (self._sort + 1) % len(SORTS)
        elif typed in LAST_SORT:
            self._sort = (self._sort - 1) % len(SORTS)

    def _look(self) -> None:
        found = self._find()
        for program in found:
            self._watched.setdefault(program.path, WatchedProgram(program))
        now, there = self._seconds(), {program.path for program in found}
        for path, watched in list(self._watched.items()):
            watched.look(self._ask, now)
            if path not in there and watched.isForgotten(now):
                del self._watched[path]

    def _picture(self) -> RenderableType:
        width, height = self._console.size
        shown, heading = list(self._watched.values()), self._heading()
        if not shown:
            return Group(heading, Text("no program runs yet: waiting for one", WORRYING))
        room = height - self._linesOf(heading)
        heads, rows = self._fitting(shown, room)
        parts: list[RenderableType] = [heading]
        for place, (watched, head) in enumerate(zip(shown, heads, strict=True)):
            part = Group(head, *self._sessions(watched, rows, width))
            left = len(shown) - place
            room -= self._linesOf(part)
            if place > 0 and room < (left > 1):
                parts.append(Text(f"and {left} more programs" if left > 1 else "and 1 more program", QUIET))
                break
            parts.append(part)
        return Group(*parts)

    def _fitting(self, shown: Sequence[WatchedProgram], room: int) -> tuple[list[RenderableType], int]:
        """
        @param room: how many lines there are.
        @return: what stands above the sessions of each program, and how many of them there is room for.
        """
        most = max(0 if watched.report is None else len(watched.report.sessions) for watched in shown)
        tells: list[tuple[Tell, int]] = [(brief, 1), (title, 1)]
        if len(shown) == 1:
            tells.insert(0, (glance, min(most, LEAST_ROWS)))
        for tell, least in tells:
            heads = [self._head(watched, tell) for watched in shown]
            rows = (room - sum(map(self._linesOf, heads))) // len(shown) - LINES_BESIDE_ROWS
            if rows >= least:
                break
        return heads, max(rows, 1)

    def _heading(self) -> Text:
        name = SORTS[self._sort][0]
        clock = time.strftime("%H:%M:%S")
        return Text(f"uotp top  {clock}  every {self._interval:g} s  sorted by {name}  (s sorts, q quits)", QUIET)

    def _linesOf(self, part: RenderableType) -> int:
        return len(self._console.render_lines(part, pad=False))

    def _head(self, watched: WatchedProgram, tell: Tell) -> RenderableType:
        said = watched.says(self._seconds())
        if watched.report is None or watched.trouble:
            return Text.assemble((watched.program.name, "bold"), ": ", (said, BAD))
        head = tell(watched.report, watched.program.name, watched.followed.rates)
        return Group(head, Text(said, WORRYING)) if said else head

    def _sessions(self, watched: WatchedProgram, rows: int, width: int) -> Iterator[RenderableType]:
        report, rates = watched.report, watched.followed.rates
        if report is None or watched.trouble or not report.sessions:
            return
        _, key = SORTS[self._sort]
        ordered = sorted(report.sessions, key=lambda session: key(session, rates))
        yield sessionTable(ordered[:rows], width, rates, expand=True)
        hidden = report.sessionsOpen - min(rows, len(ordered))
        if hidden > 0:
            yield Text(f"and {hidden} more", QUIET)


def runTop(find: Callable[[], Sequence[Program]], ask: Ask, console: Console, interval: float) -> None:
    """
    Show programs on this terminal, until somebody quits or ends us.
    """

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    try:
        with keysOf(sys.stdin.fileno()) as keys:
            Top(find, ask, console, keys, interval).run()
    except KeyboardInterrupt:
        return
