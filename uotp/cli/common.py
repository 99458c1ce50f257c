"""
What the command lines of both ends share: the options that they have in common, and the
service that twistd or a console script runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Protocol

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.python import usage

from uotp.cli.introduction import introduce
from uotp.cli.options import Flag, GnuOptions, Option
from uotp.cli.parsers import (
    absolutePath,
    parseBindAddress,
    parseBytes,
    parseCongestion,
    parseListeningPort,
    parseMilliseconds,
    parsePort,
    sizeInWords,
)
from uotp.cli.pidfile import removeStalePidFile
from uotp.errors import ConfigurationError, StartError
from uotp.net import MAX_BUFFER_BYTES, MIN_BUFFER_BYTES, parseDestination
from uotp.process import (
    LEAST_MEMORY_BYTES,
    GarbageCollection,
    canBecomeRoot,
    onSignal,
    raiseDescriptorLimit,
    stopOnSignals,
    useMonotonicClock,
)
from uotp.telemetry import LogFile, Logger, ProcessLog, Spelling, parseVerbosity, sayLast
from uotp.tunnel import MAX_REORDER_SECONDS
from uotp.wire import parseWire

MAX_MEMORY_BYTES = 1 << 40
"""A larger budget can only be a typing error."""

COMMON_ROWS = (
    Option("verbosity", "v", "how much to log: debug, info, warn, error or fatal", parseVerbosity, default="info"),
    Option("logfile", "l", "log to this file (besides twistd's own log); SIGHUP opens it again", absolutePath),
    Option("cert", "c", "PEM file with our certificate, and those between it and the CA", absolutePath, "cert"),
    Option(
        "key", "k", "PEM file with the certificate's key; left out, it is in the file of --cert", absolutePath, "key"
    ),
    Option(
        "unsent-limit",
        None,
        "bytes that the kernel may hold of a tunnel and not send yet; K, M or G may follow",
        parseBytes(MIN_BUFFER_BYTES, MAX_BUFFER_BYTES),
        "unsentLimit",
        write=sizeInWords,
    ),
    Option(
        "congestion",
        None,
        "congestion control of the tunnels, by the kernel's name: bbr, cubic (Linux)",
        parseCongestion,
        "congestion",
    ),
    Option(
        "udp-buffer",
        None,
        "bytes of buffer to ask the kernel for on each UDP socket; K, M or G may follow",
        parseBytes(MIN_BUFFER_BYTES, MAX_BUFFER_BYTES),
        "udpBuffer",
        write=sizeInWords,
    ),
    Option(
        "memory",
        None,
        "bytes that may wait in this process, in all queues together; K, M or G may follow",
        parseBytes(LEAST_MEMORY_BYTES, MAX_MEMORY_BYTES),
        "memory",
        write=sizeInWords,
    ),
    Option(
        "wire",
        None,
        "wire format: auto is the best that both ends know, and 1 without TLS; or 1, or 2",
        parseWire,
        "wire",
    ),
    Option(
        "reorder",
        None,
        "milliseconds that a datagram may wait for those sent before it; off, or auto",
        parseMilliseconds(MAX_REORDER_SECONDS),
        "reorder",
        default="auto",
    ),
    Flag("no-tls", None, "plain TCP: no encryption, and anybody may take either end's place", "tls", meaning=None),
)
"""The options that both ends have."""

_log = Logger()


def listenRows(address: str, port: str, listen: tuple[str, int]) -> tuple[Option, Option]:
    """
    Make the two options that say where an end listens.

    @param address: what the address is for.
    @param port: what the port is for.
    @param listen: the default: address and port.
    @return: the options.
    """
    host, number = listen
    return (
        Option("bind-address", "a", address, parseBindAddress, default=host),
        Option("bind-port", "p", port, parseListeningPort, default=str(number)),
    )


class CommonOptions(GnuOptions):
    """
    Holds the options that C{uotp-server} and C{uotp-client} have in common.

    @cvar tlsClass: the dataclass with the choices of TLS; with plain TCP there are none.
    @ivar stalePidFile: twistd's pid file, if it was that of a process that is gone.
    """

    positionals = "dst_address dst_port"
    stalePidFile: str | None = None
    tlsClass: ClassVar[Any]

    def parseArgs(self, *positionals: str) -> None:
        """
        Take the positional arguments.
        """
        if len(positionals) != 2:  # noqa: PLR2004 - the two that are named
            reason = f"two arguments are needed, {self.positionals}; there are {len(positionals)}"
            raise usage.UsageError(reason)
        self["dst_address"], self["dst_port"] = self.typed[""] = list(positionals)

    def postOptions(self) -> None:
        """
        Turn words into values.

        @raise usage.UsageError: for a value or a combination that cannot be used.
        """
        for name, parse in (("dst_address", parseDestination), ("dst_port", parsePort)):
            try:
                self[name] = parse(self[name])
            except ValueError as error:
                reason = f"{name} {self[name]}: {error}"
                raise usage.UsageError(reason) from error
        super().postOptions()
        if self["no-tls"]:
            known = {field.name for field in fields(self.tlsClass)}
            for row in self.rows:
                if row.setting in known and self[row.name]:
                    reason = f"--no-tls and --{row.name} exclude each other"
                    raise usage.UsageError(reason)
        if self["key"] and not self["cert"]:
            reason = "--key needs --cert"
            raise usage.UsageError(reason)
        if self.parent is not None and self.parent.get("pidfile"):
            path = self.parent["pidfile"]
            self.stalePidFile = path if removeStalePidFile(path) else None  # now: twistd looks at it next

    def serviceArguments(self) -> dict[str, Any]:
        """
        @return: the keyword arguments for the end's function in L{uotp.services}.
        """
        return {
            **self.chosen(self.settingsClass),
            "listen": (self["bind-address"], self["bind-port"]),
            "tls": None if self["no-tls"] else self.tlsClass(**self.chosen(self.tlsClass)),
        }


class Reloadable(Protocol):
    """
    Is a service that can read its files again.
    """

    def reload(self) -> None:
        """
        Read the files again.

        @raise ConfigurationError: when they cannot be used; the old ones stay in use.
        """

    def setServiceParent(self, parent: Any) -> None:
        """
        See C{IService}.
        """


def commandService(options: CommonOptions, make: Callable[[Any], Reloadable]) -> EndService:
    """
    Make the service of one end, ready to run in a process of its own.

    @param make: makes the end's service for a reactor.
    @return: the service for twistd, or for a console script.
    @raise SystemExit: with one line and status 2 for what cannot be used.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    useMonotonicClock(reactor)
    Logger.threshold = options["verbosity"]
    Spelling.spellings = options.spellings()
    raiseDescriptorLimit()
    logFile = None
    if options["logfile"] is not None:
        try:
            logFile = LogFile(options["logfile"])
        except OSError as error:
            options.refuse(f"--logfile {options['logfile']}: {error.strerror or error}")
    if options.stalePidFile is not None:
        words = "the pid file {path} was left by a process that is gone, and was removed"
        _log.info(words, path=options.stalePidFile)
    try:
        end = make(reactor)
    except ConfigurationError as error:
        options.refuse(str(error))
    except OSError as error:
        options.refuse(f"cannot start: {error.strerror or error}")
    log = ProcessLog(globalLogPublisher, reactor.seconds)
    log.precede(partial(introduce, options, reactor))
    if logFile is not None:
        log.logTo(logFile)
    if not willFork(options):
        log.begin()
    return EndService(options.commandName, end, log, reactor)


def willFork(options: CommonOptions) -> bool:
    """
    @return: whether twistd is going to make a daemon of this process, which leaves all threads behind.
    """
    return options.parent is not None and not options.parent.get("nodaemon", True)


class EndService(MultiService):
    """
    Runs one end in a process of its own: it obeys signals, and shows an error in one line
    when it cannot start.
    """

    _log = Logger()

    def __init__(self, commandName: str, end: Reloadable, processLog: ProcessLog, reactor: Any) -> None:
        """
        @param commandName: the name of the program, for errors.
        @param end: the end's own service.
        @param processLog: the log of this process.
        @param reactor: the reactor of this process.
        """
        super().__init__()
        self._commandName = commandName
        self._end = end
        self._processLog = processLog
        self._reactor = reactor
        self._garbageCollection = GarbageCollection(reactor)
        end.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """
        Bind the ports.

        @raise StartError: when that cannot be done.  If nobody catches it, it is shown as
            one line.
        """
        showStartErrorsInOneLine(self._commandName)
        self._processLog.begin()
        self._installSignals()
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Begin, and take over the signals again once the reactor has set its own.  By then all
        observers of the log are there, under C{twist} too.
        """
        super().startService()
        self._reactor.callWhenRunning(self._installSignals)
        self._reactor.callWhenRunning(self._processLog.absorb)
        self._garbageCollection.start()
        if canBecomeRoot():
            self._log.warn("root is given up by half, this process can become root again: leave twistd's --euid out")

    def _installSignals(self) -> None:
        stopOnSignals(self._reactor)
        onSignal(self._reactor, "SIGHUP", self._reload)

    def _reload(self) -> None:
        self._processLog.reopen()
        try:
            self._end.reload()
        except ConfigurationError as error:
            self._log.error("not reloaded, the old certificates stay in use: {reason}", reason=str(error))
        else:
            self._log.info("reloaded")

    def stopService(self) -> Deferred[list[Any]]:
        """
        Stop, and say so in the log.
        """
        self._log.info("stopping")
        self._garbageCollection.stop()
        stopped: Deferred[list[Any]] = super().stopService()
        return stopped


def showStartErrorsInOneLine(commandName: str) -> None:
    """
    Let a L{StartError} that ends this program be shown as one line, without a traceback.
    twistd lets exceptions end it.
    """
    shown = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, StartError):
            sayLast(sys.stderr, f"{commandName}: {error}\n")
        else:
            shown(kind, error, trace)

    sys.excepthook = show
