"""
The console scripts.  C{uotp-server} and C{uotp-client} have the same options and services as
twistd's plugins, and run in the foreground.  C{uotp} has the other commands.
"""

from __future__ import annotations

import difflib
import gc
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from twisted.logger import LoggingFile, LogLevel, globalLogBeginner

from uotp.cli.options import GnuOptions
from uotp.cli.output import checkedOutput
from uotp.cli.pasted import pastedTrouble
from uotp.cli.unsaid import shownPlace
from uotp.errors import StartError
from uotp.telemetry import Logger, leadsToJournal, lineObserver, sayLast, unbuffered


def runEnd(name: str, words: Sequence[str] | None = None) -> int:
    """
    Run one end until it is told to stop.

    @param name: C{uotp.cli.client} or C{uotp.cli.server}.
    @param words: the command line; this process's own when left out.
    @return: the exit status.
    """
    terminal = sys.stderr  # None where it is closed
    with nothingCollected():
        end = import_module(name)
        options = end.Options()
        with checkedOutput(options.commandName):
            options.parseOptions(words)
        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

        from uotp.cli.endservice import START_EXIT_STATUS  # noqa: PLC0415 - the other commands do not need it

        anyReactor: Any = reactor
        service = end.makeService(options)
        observers = []
        if not options["logfile"] and terminal is not None:
            isJournal = leadsToJournal(terminal, os.environ)
            observers.append(lineObserver(unbuffered(terminal), options["log-format"], isJournal=isJournal))
        globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False)
        try:
            service.privilegedStartService()
        except StartError as error:
            sayLast(terminal, f"{options.commandName}: {error}\n")
            return START_EXIT_STATUS
        service.startService()
    anyReactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    # What is printed there must not wait either, nor must the traceback of a crash.
    sys.stderr = LoggingFile(logger=Logger("stderr"), level=LogLevel.error)
    anyReactor.run()
    sys.stderr = terminal
    if service.trouble and not observers:  # it is in a file alone
        sayLast(terminal, f"{options.commandName}: {service.trouble}\n")
    status: int = service.exitStatus
    return status


@contextmanager
def nothingCollected() -> Iterator[None]:
    """
    Look for no garbage for a while.  A start makes next to none, and a tenth of its time would go into the search.
    """
    wasEnabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wasEnabled:
            gc.enable()


def server(words: Sequence[str] | None = None) -> int:
    """
    Run C{uotp-server}.
    """
    return runEnd("uotp.cli.server", words)


def client(words: Sequence[str] | None = None) -> int:
    """
    Run C{uotp-client}.
    """
    return runEnd("uotp.cli.client", words)


@dataclass(frozen=True, slots=True)
class Command:
    """
    Describes a command of C{uotp}.

    @ivar run: takes its words and returns the exit status, as C{module:function}, so that no command loads another.
    @ivar options: the class of its options, as C{module:class}.
    @ivar summary: what it does.
    @ivar commands: those that may stand behind it, each with the class of its options, as C{module:dictionary}.
    """

    run: str
    options: str
    summary: str
    commands: str | None = None


COMMANDS = {
    "server": Command("uotp.cli.main:server", "uotp.cli.server:Options", "is uotp-server, which twistd runs too"),
    "client": Command("uotp.cli.main:client", "uotp.cli.client:Options", "is uotp-client, which twistd runs too"),
    "cert": Command(
        "uotp.cli.cert:cert",
        "uotp.cli.cert:CertOptions",
        "makes a private CA and certificates, and renews and revokes them",
        "uotp.cli.cert.command:COMMANDS_OF_CERT",
    ),
    "check": Command(
        "uotp.cli.check:check", "uotp.cli.check:CheckOptions", "says what is wrong with a configuration file"
    ),
    "demo": Command(
        "uotp.cli.demo.command:demo",
        "uotp.cli.demo.command:DemoOptions",
        "sends datagrams through both ends in one process and verifies them",
    ),
    "doctor": Command("uotp.cli.doctor:doctor", "uotp.cli.doctor:DoctorOptions", "finds out why nothing passes"),
    "status": Command(
        "uotp.cli.operate.commands:status",
        "uotp.cli.operate.operateoptions:StatusOptions",
        "shows how the programs are that run here, and their sessions",
    ),
    "top": Command(
        "uotp.cli.operate.commands:top",
        "uotp.cli.operate.operateoptions:TopOptions",
        "shows the same again and again, with rates",
    ),
    "reload": Command(
        "uotp.cli.operate.commands:reload",
        "uotp.cli.operate.operateoptions:ReloadOptions",
        "has programs read their files again",
    ),
    "disconnect": Command(
        "uotp.cli.operate.commands:disconnect",
        "uotp.cli.operate.operateoptions:DisconnectOptions",
        "ends a session, or all of a client",
    ),
    "systemd": Command(
        "uotp.cli.systemd:systemd", "uotp.cli.systemd:SystemdOptions", "prints units and hooks for this machine"
    ),
    "man": Command("uotp.cli.manual.command:man", "uotp.cli.manual.command:ManOptions", "prints a manual page"),
    "completion": Command(
        "uotp.cli.manual.command:completion",
        "uotp.cli.manual.command:CompletionOptions",
        "prints completion for bash, zsh or fish",
    ),
}
"""The commands of C{uotp}."""


class MainOptions(GnuOptions):
    """
    Holds the options that C{uotp} has before its command.
    """

    commandName = "uotp"
    positionals = "COMMAND [arguments]"
    longdesc = "`uotp COMMAND --help` tells more of a command."
    listedCommands = tuple((name, command.summary) for name, command in COMMANDS.items())
    neighbours = tuple(
        command.options
        for name, command in COMMANDS.items()
        if name != "doctor"  # it takes the client's
    )


def main(words: Sequence[str] | None = None) -> int:
    """
    Run C{uotp}.

    @param words: the command line; this process's own when left out.
    @return: the exit status.
    """
    arguments = list(sys.argv[1:] if words is None else words)
    options = MainOptions()
    if not arguments or arguments[0].startswith("-"):
        with checkedOutput(options.commandName):
            options.parseOptions(arguments[:1])  # --help or --version, or what is refused
        options.refuse(f"a command is needed: {', '.join(COMMANDS)} (see --help)")
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        options.refuse(f"{noCommand(command)} (see --help)")
    run: Callable[[Sequence[str]], int] = pkgutil.resolve_name(COMMANDS[command].run)
    if command in {"server", "client"}:  # they mind it themselves, and then run for long
        return run(rest)
    with checkedOutput(f"{options.commandName} {command}"):
        return run(rest)


def noCommand(word: str) -> str:
    """
    @return: what is said of a word that is no command.
    """
    trouble = pastedTrouble(word, shownPlace)
    if trouble is not None:
        return f"the word {shownPlace(word)!a}: {trouble}"
    reason = f"there is no command {shownPlace(word)}"
    if word in MainOptions().synonyms:
        return f"{reason}: write uotp --{word}"
    similar = difflib.get_close_matches(word.lower().removeprefix("uotp-"), COMMANDS, 1)
    if similar:
        return f"{reason}: did you mean `uotp {similar[0]}`?"
    return f"{reason}: it is one of {', '.join(COMMANDS)}"


if __name__ == "__main__":
    sys.exit(main())
