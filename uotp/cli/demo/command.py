"""
C{uotp demo}: its options, what it tells the user, and its exit status.  What
runs and what is sent is settled elsewhere.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, globalLogBeginner
from twisted.python.failure import Failure

from uotp.cli.client import Options
from uotp.cli.demo.exchange import LARGEST, Exchange, Pattern, Phase, plan
from uotp.cli.demo.progress import Progress
from uotp.cli.demo.results import Results, table, verdict
from uotp.cli.demo.stage import Stage, StageError
from uotp.cli.options import Flag, GnuOptions, Option
from uotp.cli.parsers import parseCount
from uotp.errors import UotpError
from uotp.process import stopOnSignals, useMonotonicClock
from uotp.telemetry import Logger, Spelling, textObserver

MAX_COUNT = 1_000_000
"""The round trip of each datagram is kept, in 8 bytes."""

FIRST_ANSWER_SECONDS = 8.0
"""How long the first tunnel may take on a slow machine."""

NUMBERS_PER_PHASE = 1 << 32
"""So far apart that no phase takes an answer to another one for its own."""


def parseSize(word: str) -> int:
    """
    @return: the length of a datagram in bytes.
    @raise ValueError: in words.
    """
    if not (word.isascii() and word.isdigit() and int(word) <= LARGEST):
        reason = f"a datagram has 0 to {LARGEST} bytes"
        raise ValueError(reason)
    return int(word)


class DemoOptions(GnuOptions):
    """
    C{uotp demo [--listen] [--count N] [--size BYTES]}
    """

    commandName: ClassVar[str] = "uotp demo"
    longdesc = (
        "Runs a server, a client and a UDP echo target in this process, on loopback, with a throw-away certificate.  "
        "Sends datagrams of many sizes through the real TLS pool, verifies every byte of what comes back, and prints "
        "a table.  The exit status is 0 only if all of them came back intact."
    )
    rows = (
        Flag("listen", None, "When all came back, keep running and print the UDP address to point a program at."),
        Option(
            "count",
            None,
            f"Datagrams in the last phase, up to {MAX_COUNT}.  [default: as many as fit in 3 s]",
            parseCount(MAX_COUNT),
        ),
        Option("size", None, f"Bytes in each of those, 0 to {LARGEST}.", parseSize, default="1400"),
    )

    def parseArgs(self, *words: Any) -> None:
        """
        Refuse positionals.
        """
        if words:
            self.refuse(f"{words[0]!r}: the demo takes options only")


class Player(Protocol):
    """
    Who sends.

    @ivar destination: the UDP address that it sends to.
    """

    destination: tuple[str, int]

    def play(self, exchange: Exchange) -> Deferred[None]:
        """
        Send all of an exchange.
        """


class StageLike(Protocol):
    """
    Where it sends: L{Stage}, or its twin without sockets.
    """

    def open(self, progress: Callable[[Exchange], None]) -> Player:
        """
        Start everything.
        """

    def close(self) -> Deferred[Any]:
        """
        Stop everything.
        """


class Demo:
    """
    One run of the demo.

    @ivar status: the exit status, as far as it is known.
    @ivar ending: whether L{end} was called.
    """

    _log = Logger()

    def __init__(self, scene: StageLike, options: DemoOptions, out: TextIO, err: TextIO, seed: int) -> None:
        """
        @param scene: what is to be started.
        @param options: parsed ones.
        @param out: where the progress and the table go.
        @param err: where the reason of a failure goes.
        @param seed: of what is random: sizes and contents.
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
        Perform.

        @return: fires at the end, of whatever kind; the status is known then.
        """
        self._running = Deferred.fromCoroutine(self._perform()).addErrback(self._explain)
        return self._running

    def end(self) -> Deferred[Any]:
        """
        Stop, in the middle if need be.

        @return: fires when nothing runs any more.
        """
        self.ending = True
        if self._running is not None:
            self._running.cancel()
        return self._scene.close()

    async def _perform(self) -> None:
        """
        Play all phases, and tell what came of them.
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
        self._progress.say(f"\n{table(tallies)}\n\n{verdict(tallies)}")
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
        elif failure.check(UotpError):
            self._progress.clear()
            self._err.write(f"{self._options.commandName}: {failure.getErrorMessage()}\n")
        else:
            self._progress.clear()
            self._log.failure("the demo failed", failure)


def howFar(exchange: Exchange) -> str:
    """
    @return: where an exchange stands, in a few words.
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
    Spelling.spellings = Options.spellings()  # what its parts say is meant for those who run them alone
    globalLogBeginner.beginLoggingTo([textObserver(sys.stderr)], redirectStandardIO=False)
    performance = Demo(Stage(reactor), options, sys.stdout, sys.stderr, random.SystemRandom().getrandbits(64))
    anyReactor: Any = reactor
    anyReactor.callWhenRunning(stopOnSignals, reactor)
    return run(performance, reactor)


def run(performance: Demo, reactor: Any) -> int:
    """
    Give a reactor to a demo, until it is over or a signal comes.

    @return: the exit status.
    """

    def begin() -> None:
        performance.begin().addBoth(lambda _: None if performance.ending else reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", performance.end)
    reactor.run()
    return performance.status
