"""
C{uotp status}, C{top}, C{reload} and C{disconnect}: what they print, and their exit status.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uotp.cli.operate.asking import (
    RELOAD_SECONDS,
    AskError,
    NobodyThere,
    NotPermitted,
    Program,
    askProgram,
    reportOf,
)
from uotp.cli.operate.operateoptions import (
    DisconnectOptions,
    OperateOptions,
    ReloadOptions,
    StatusOptions,
    TopOptions,
)
from uotp.cli.options import GnuOptions, printable
from uotp.cli.unsaid import shownUrl
from uotp.monitoring import (
    ASK_DISCONNECT,
    ASK_RELOAD,
    ASK_REPORT,
    ControlRequest,
    foundSockets,
    searchedDirectories,
)
from uotp.telemetry import sayLast

FAILED = 1
"""The exit status when a program has not done what it was asked, or there is none."""

RESTART_NEEDED = 3
"""The exit status of C{uotp reload} when all have used their files, and new values of options need a restart."""

NOT_READY = 3
"""The exit status of C{uotp status --check} when all have answered, and one of them is not ready."""


def programsFor(options: OperateOptions, environment: Mapping[str, str]) -> list[Program]:
    """
    @return: the programs that are to be asked, as far as their sockets are there.
    """
    if options["socket"] is not None:
        return [Program(options["socket"])]
    found = [Program(path) for path in foundSockets(environment)]
    name = options.programName
    return [program for program in found if program.isMeant(name)] if name else found


def askEach(
    options: OperateOptions, act: Callable[[Program], bool], environment: Mapping[str, str] | None = None
) -> int:
    """
    Do something with each program.

    @param act: does it, and prints what it has done; returns whether it has; raises L{AskError}.
    @return: the exit status: 0 when one has, and none has failed.
    """
    done, failed, refused, gone = False, [], [], None
    environment = os.environ if environment is None else environment
    for program in programsFor(options, environment):
        try:
            done = act(program) or done
        except NobodyThere as error:  # it was killed, and has left its socket
            gone = error
        except NotPermitted as error:
            refused.append(error)
        except AskError as error:
            failed.append(error)
    # What others run is of no concern to whom something of his own was shown.
    troubles = [*failed, *([] if done else refused)]
    if not done and not troubles:
        isSaid = options["socket"] is not None
        troubles = [gone if isSaid and gone is not None else AskError(nobodyWords(options, environment))]
    for trouble in troubles:
        say(options, str(trouble))
    return FAILED if troubles else 0


def nobodyWords(options: OperateOptions, environment: Mapping[str, str]) -> str:
    """
    @return: that there is no program, and what may be the reason.
    """
    own = "if it has a --control PATH of its own, give that by --socket PATH"
    if options.programName:
        return f"no running uotp program matches {printable(shownUrl(options.programName))}: {own}"
    places = printable(", ".join(searchedDirectories(environment)))
    return f"no uotp program answers on this host (looked in {places}): {own}"


def say(options: GnuOptions, words: str) -> None:
    """
    Say something on standard error.
    """
    sayLast(sys.stderr, f"{options.commandName}: {words}\n")


def status(argv: Sequence[str]) -> int:
    """
    Run C{uotp status}.

    @param argv: the words after C{status}.
    @return: the exit status.
    @raise SystemExit: with status 2 when the words cannot be used, with 0 after C{--help}.
    """
    options = StatusOptions()
    options.parseOptions(argv)
    show = _printJson if options["json"] else _tablePrinter()
    areReady = True

    def act(program: Program) -> bool:
        nonlocal areReady
        answer = askProgram(program, ControlRequest(ASK_REPORT))
        show(program, answer)
        areReady = areReady and (not options["check"] or reportOf(program, answer).isReady)
        return True

    return askEach(options, act) or (0 if areReady else NOT_READY)


def _printJson(_: Program, answer: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(answer.get('report'))}\n")


def _tablePrinter() -> Callable[[Program, Mapping[str, Any]], None]:
    """
    @return: prints a report as tables, with an empty line between two.
    """
    from uotp.cli.operate.tables import consoleFor, glance, put, sessionTable  # noqa: PLC0415 - rich is of no use to JSON

    console = consoleFor(sys.stdout)
    shown: list[Program] = []

    def show(program: Program, answer: Mapping[str, Any]) -> None:
        report = reportOf(program, answer)
        if shown:
            put(console, "")
        shown.append(program)
        put(console, glance(report, program.name))
        if report.sessions:
            put(console, "")
            put(console, sessionTable(report.sessions, console.width))
            hidden = report.sessionsOpen - len(report.sessions)
            if hidden > 0:
                put(console, f"and {hidden} more")

    return show


def top(argv: Sequence[str]) -> int:
    """
    Run C{uotp top}.

    @return: the exit status.
    @raise SystemExit: see L{status}.
    """
    options = TopOptions()
    options.parseOptions(argv)
    if not sys.stdout.isatty():
        say(options, "a terminal is needed: uotp status prints the same once")
        return FAILED
    from uotp.cli.operate.tables import consoleFor  # noqa: PLC0415 - other commands do not need it
    from uotp.cli.operate.top import runTop  # noqa: PLC0415 - as before

    runTop(lambda: programsFor(options, os.environ), askProgram, consoleFor(sys.stdout), options["interval"])
    return 0


def reload(argv: Sequence[str]) -> int:
    """
    Run C{uotp reload}.

    @return: the exit status.
    @raise SystemExit: see L{status}.
    """
    options = ReloadOptions()
    options.parseOptions(argv)
    needRestart = False

    def act(program: Program) -> bool:
        nonlocal needRestart
        waiting = askProgram(program, ControlRequest(ASK_RELOAD), RELOAD_SECONDS).get("restart")
        words = f", but a restart is needed for new values of {_names(waiting)}" if waiting else ""
        needRestart = needRestart or bool(waiting)
        sys.stdout.write(f"{program.name}: reloaded{words}\n")
        return True

    return askEach(options, act) or (RESTART_NEEDED if needRestart else 0)


def _names(told: object) -> str:
    """
    @return: names that a program has told.
    """
    return ", ".join(printable(str(each)) for each in (told if isinstance(told, list) else [told]))


def disconnect(argv: Sequence[str]) -> int:
    """
    Run C{uotp disconnect}.

    @return: the exit status: 1 when nothing was ended.
    @raise SystemExit: see L{status}.
    """
    options = DisconnectOptions()
    options.parseOptions(argv)
    counts: list[int] = []

    def act(program: Program) -> bool:
        ended = int(askProgram(program, ControlRequest(ASK_DISCONNECT, options.word))["ended"])
        counts.append(ended)
        if ended:
            words = "1 session" if ended == 1 else f"{ended} sessions"
            sys.stdout.write(f"{program.name}: {words} ended; a client that is not revoked dials again\n")
        return True

    result = askEach(options, act)
    if counts and not any(counts):
        word = printable(options.word)
        say(options, f"no session id begins with {word}, and no client is called {word}")
        return FAILED
    return result
