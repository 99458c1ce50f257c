"""
C{uotp demo}: its options, what it tells the user, and its exit status.  What runs, the
stage knows; what is sent, the exchange.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, globalLogBeginner
from twisted.python import usage
from twisted.python.failure import Failure

from uotp.cli.client import Options
from uotp.cli.demo.exchange import LARGEST, Exchange, Pattern, Phase, plan
from uotp.cli.demo.progress import Progress
from uotp.cli.demo.results import NO_BENCHMARK, Results, table, verdict
from uotp.cli.demo.stage import Stage, StageError
from uotp.cli.options import Flag, GnuOptions, Option
from uotp.cli.output import OutputError
from uotp.cli.parsers import parseBytes, parseCount
from uotp.cli.unsaid import shownUrl
from uotp.errors import UotpError
from uotp.process import stopOnSignals, useMonotonicClock
from uotp.telemetry import Logger, Spelling, orLog, textObserver

MAX_COUNT = 1_000_000
"""No more datagrams can be asked for, since the round trip of each is kept, in 8 bytes."""

FIRST_ANSWER_SECONDS = 8.0
"""The first answer may take so long, since the first tunnel takes its time on a slow machine."""

NUMBERS_PER_PHASE = 1 << 32
"""The numbers of the phases are so far apart that none takes an answer of another for its own."""


class DemoOptions(GnuOptions):
    """
    Holds the options of C{uotp demo [--listen] [--count N] [--size BYTES]}.
    """

    commandName: ClassVar[str] = "uotp demo"
    neighbours = ("uotp.cli.server:Options", "uotp.cli.client:Options")
    longdesc = (
        "Runs a server, a client and a UDP echo target in this process, on loopback, with a throw-away certificate.  "
        "Sends datagrams of many sizes through the real TLS pool, verifies every byte of what comes back, and prints "
        "a table, which is no benchmark.  The exit status is 0 only if all of them came back intact."
    )
    rows = (
        Flag("listen", None, "When all came back, keep running and print the UDP address to point a program at."),
        Option(
            "count",
            None,
            f"Datagrams in the last phase, up to {MAX_COUNT}.  [default: as many as fit in 3 s]",
            parseCount(MAX_COUNT),
            metavar="NUMBER",
        ),
        Option(
            "size",
            None,
            f"Bytes in each of those, 0 to {LARGEST}; K is 1024.",
            parseBytes(0, LARGEST),
            default="1400",
            metavar="BYTES",
        ),
    )

    def parseArgs(self, *words: Any) -> None:
        """
        Refuse positional arguments.

        @raise usage.UsageError: when there is one.
        """
        if words:
            reason = f"{shownUrl(words[0])!r}: the demo takes options only"
            raise usage.UsageError(reason)


class Player(Protocol):
    """
    Sends the datagrams of exchanges.

    @ivar destination: the UDP address that it sends to.
    """

    destination: tuple[str, int]

    def play(self, exchange: Exchange) -> Deferred[None]:
        """
        Send all of an exchange.
        """


class StageLike(Protocol):
    """
    Starts and stops all that the demonstration needs.  It is a L{Stage}, or its twin
    without sockets.
    """

    def open(self, progress: Callable[[Exchange], None]) -> Player:
        """
        Start everything.

        @param progress: called a few times each second.
        """

    def close(self) -> Deferred[Any]:
        """
        Stop everything.
        """


class Demo:
    """
    Runs the demonstration once.

    @ivar status: the exit status, 1 until all is well.
    @ivar ending: whether L{end} was called.
    """

    _log = Logger()

    def __init__(self, scene: StageLike, options: DemoOptions, out: TextIO, err: TextIO, seed: int) -> None:
        """
        @param scene: starts everything.
        @param options: the options, parsed.
        @param out: where the progress and the table go.
        @param err: where the reason of a failure goes.
        @param seed: decides the random sizes and contents.
        """
        self.status = 1
        self.ending = False
        self._scene = scene
        self._options = options
        self._progress = Progress(out)
        self._err = err
        self._pattern = Pattern(seed)
        self._phases = plan(random.Random(seed), options["size"], options["count"])  # noqa: S311 - no secret
        self._running: Deferred[None] | None = None

    def begin(self) -> Deferred[None]:
        """
        Begin to run.

        @return: fires when the run is over, for whatever reason; the status is known then.
        """
        self._running = Deferred.fromCoroutine(self._perform()).addErrback(self._explain)
        return self._running

    def end(self) -> Deferred[Any]:
        """
        Stop, even in the middle of the run.

        @return: fires when nothing runs any more.
        """
        self.ending = True
        if self._running is not None:
            self._running.cancel()
        return self._scene.close()

    async def _perform(self) -> None:
        """
        Play all phases, and tell the results.
        """
        player = self._scene.open(lambda exchange: self._progress.show(howFar(exchange)))
        first = await self._play(player, Phase("first answer", [64], patience=FIRST_ANSWER_SECONDS), 0)
        if not first.returned:
            reason = f"no answer came through the tunnel within {FIRST_ANSWER_SECONDS:g} s"
            raise StageError(reason)
        self._progress.say(f"the first answer came after {first.tally().seconds * 1000:.0f} ms")
        tallies: dict[str, Results] = {}
        for number, phase in enumerate(self._phases, 1):
            exchange = await self._play(player, phase, number)
            self._progress.say(howFar(exchange))
            tallies[phase.name] = exchange.tally()
        self._progress.say(f"\n{table(tallies)}\n\n{NO_BENCHMARK}\n\n{verdict(tallies)}")
        if not all(tally.intact for tally in tallies.values()):
            return
        self.status = 0
        if self._options["listen"]:
            host, port = player.destination
            self._progress.say(f"\nStill running: what you send to UDP {host} port {port} comes back.  Ctrl-C ends it.")
            await Deferred()

    async def _play(self, player: Player, phase: Phase, number: int) -> Exchange:
        exchange = Exchange(phase, self._pattern, number * NUMBERS_PER_PHASE)
        await player.play(exchange)
        return exchange

    def _explain(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            if self.status:
                self._progress.say("interrupted")
        elif failure.check(OutputError):
            pass  # that is said at the end, if it is to be
        elif failure.check(UotpError):
            self._progress.clear()
            self._err.write(f"{self._options.commandName}: {failure.getErrorMessage()}\n")
        else:
            self._progress.clear()
            self._log.failure("the demo failed", failure)


def howFar(exchange: Exchange) -> str:
    """
    @return: how far an exchange is, in a few words.
    """
    return f"{exchange.phase.name}: {exchange.returned} of {exchange.sent} came back"


def demo(argv: Sequence[str]) -> int:
    """
    Run C{uotp demo}, with the reactor of this process.

    @param argv: the words after C{demo}.
    @return: the exit status: 0 when all datagrams came back intact, otherwise 1.
    @raise SystemExit: with status 2 when the words cannot be used, with 0
        after C{--help}.
    """
    options = DemoOptions()
    options.parseOptions(argv)
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    useMonotonicClock(reactor)
    Logger.threshold = LogLevel.warn
    Spelling.spellings = Options.spellings()  # as for users who run the client alone
    globalLogBeginner.beginLoggingTo([textObserver(sys.stderr)], redirectStandardIO=False)
    performance = Demo(Stage(reactor), options, sys.stdout, sys.stderr, random.SystemRandom().getrandbits(64))
    anyReactor: Any = reactor
    anyReactor.callWhenRunning(stopOnSignals, reactor)
    return run(performance, reactor)


def run(performance: Demo, reactor: Any) -> int:
    """
    Run a reactor until the demonstration is over, or a signal comes.

    @return: the exit status.
    """

    def begin() -> None:
        performed = performance.begin().addBoth(lambda _: None if performance.ending else reactor.stop())
        orLog(performed, Logger(), "the demo has no end")

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", performance.end)
    reactor.run()
    return performance.status
