"""
What the command lines of both ends share: what their words lead to, and the
service that twistd or a console script runs.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Protocol

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import globalLogPublisher
from twisted.python import usage
from twisted.python.failure import Failure

from uotp.cli.addresses import destinationWords, parseHost
from uotp.cli.announcement import Announcement
from uotp.cli.configurable import ConfigurableOptions
from uotp.cli.introduction import introduce
from uotp.cli.options import Repeated
from uotp.cli.parsers import (
    NOWHERE,
    parsePort,
)
from uotp.cli.pidfile import removeStalePidFile
from uotp.cli.words import shown
from uotp.errors import ConfigurationError, StartError
from uotp.monitoring import ControlPlace, usualDirectory
from uotp.net import (
    GivenSockets,
    Listen,
    Transport,
    pairsOf,
    takeGivenSockets,
)
from uotp.process import (
    FreedMemory,
    GarbageCollection,
    ServiceNotifier,
    canBecomeRoot,
    onSignal,
    raiseDescriptorLimit,
    stopOnSignals,
    trimOfMalloc,
    useMonotonicClock,
)
from uotp.telemetry import (
    LogFile,
    LogFormat,
    Logger,
    ProcessLog,
    Spelling,
    orLog,
    sayLast,
)

START_EXIT_STATUS = 1
"""The exit status when the command line was fine, but the program could not start."""

_log = Logger()


class CommonOptions(ConfigurableOptions):
    """
    Holds the options that C{uotp-server} and C{uotp-client} have in common.

    @cvar tlsClass: the dataclass with the choices of TLS; with plain TCP there are none.
    @cvar usualListen: where the end listens unless it is told otherwise.
    @cvar transport: on what it listens.
    @ivar given: the sockets that a service manager has bound for this program.
    @ivar stalePidFile: twistd's pid file, if it was that of a process that is gone.
    """

    positionals = "dst_address dst_port"
    stalePidFile: str | None = None
    given: GivenSockets = GivenSockets()
    transport: ClassVar[Transport]
    tlsClass: ClassVar[Any]
    usualListen: ClassVar[Listen]

    def parseArgs(self, *positionals: str) -> None:
        """
        Take the positional arguments.

        @raise usage.UsageError: when they are not a host and a port.
        """
        try:
            self["dst_address"], self["dst_port"] = destinationWords(
                positionals, self.positionals, ", or one, a configuration file"
            )
        except ValueError as error:
            names = {name for name in self.synonyms if len(name) > 1}
            bare = next((word for word in positionals if word.partition("=")[0] in names), None)
            reason = str(error) if bare is None else f"the word {bare} has no hyphens: write --{bare}"
            raise usage.UsageError(reason) from error

    def postOptions(self) -> None:
        """
        Turn words into values.

        @raise usage.UsageError: for a value or a combination that cannot be used.
        """
        for name, parse in (("dst_address", parseHost), ("dst_port", parsePort)):
            try:
                self[name] = parse(self[name])
            except ValueError as error:
                reason = f"{name} {shown(self[name])}: {error}"
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
        if self["log-format"] is LogFormat.JSON and self.parent is not None and self.parent.get("syslog"):
            reason = "--log-format json and twistd's --syslog exclude each other: syslog has a format of its own"
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
            "listen": self._listen(),
            "control": self._control(),
            "tls": None if self["no-tls"] else self.tlsClass(**self.chosen(self.tlsClass)),
            **({} if self.configuration is None else {"files": self.configuration.files}),
        }

    def _control(self) -> Any:
        """
        @return: where the control socket is to be.
        """
        if self["control"] == NOWHERE or not hasattr(socket, "AF_UNIX"):
            return None
        owner = None if self.parent is None else self.parent.get("uid")
        if self["control"] is not None:
            return ControlPlace(path=self["control"], owner=owner)
        directory = usualDirectory(os.environ, os.geteuid())
        return None if directory is None else ControlPlace(directory=directory, owner=owner)

    def takeGivenSockets(self, environment: MutableMapping[str, str]) -> None:
        """
        Take the sockets that a service manager has bound for this program, if it has.  Call this before
        L{serviceArguments}.

        @raise SystemExit: when they cannot be used, or the command line says where to listen, too.
        """
        try:
            self.given = takeGivenSockets(environment, self.transport, os.getpid())
        except ConfigurationError as error:
            self.refuse(str(error))
        said = [name for name in ("bind-address", "bind-port") if self[name] != self._usualOf(name)]
        if self.given.pairs and said:
            reason = f"the service manager hands in sockets, and so says where to listen: leave --{said[0]} out"
            self.refuse(reason)

    def _usualOf(self, name: str) -> Any:
        row = next(row for row in self.rows if row.name == name)
        return () if isinstance(row, Repeated) else row.parse(self.defaults[name])  # type: ignore[union-attr]

    def _listen(self) -> Listen:
        """
        @return: where to listen.
        """
        if self.given.pairs:
            return self.given.pairs
        hosts = self["bind-address"] or [host for host, _ in pairsOf(self.usualListen)]
        pairs = tuple((host, self["bind-port"]) for host in hosts)
        return pairs if len(pairs) > 1 else pairs[0]


class Reloadable(Protocol):
    """
    Is a service that can read its files again.

    @ivar preparing: what it does until it is ready.
    @ivar unready: what is not so until then.
    @ivar reloadProgram: see L{uotp.tunnel.TunnelService}, as for the next.
    """

    preparing: str
    unready: str
    reloadProgram: Callable[[], Deferred[None]] | None
    tellTrouble: Callable[[str], None] | None

    def reload(self) -> Deferred[None] | None:
        """
        Read the files again.

        @return: fires when that is done; L{None} when it is.
        @raise ConfigurationError: when they cannot be used; the old ones stay in use.
        """

    def whenReady(self) -> Deferred[None]:
        """
        @return: fires when it can do its work, maybe never; fails with L{StartError} when it never can.
        """

    def useGiven(self, given: GivenSockets) -> None:
        """
        See L{uotp.tunnel.TunnelService}.
        """

    def statusWords(self) -> str:
        """
        See L{uotp.tunnel.TunnelService}.
        """

    def isAlive(self) -> bool:
        """
        See L{uotp.tunnel.TunnelService}.
        """

    def lookUpAhead(self) -> None:
        """
        See L{uotp.tunnel.TunnelService}.
        """

    def openAhead(self) -> None:
        """
        See L{uotp.tunnel.TunnelService}.
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
        end.useGiven(options.given)
    except ConfigurationError as error:
        options.refuse(options.located(str(error)))
    except OSError as error:
        options.refuse(f"cannot start: {error.strerror or error}")
    log = ProcessLog(globalLogPublisher, reactor.seconds, form=options["log-format"])
    log.precede(partial(introduce, options, reactor))
    if logFile is not None:
        log.logTo(logFile)
    if options.parent is not None and options.parent.get("chroot"):
        end.lookUpAhead()
        try:
            end.openAhead()
        except StartError as error:
            sayLast(sys.stderr, f"{options.commandName}: {error}\n")
            raise SystemExit(START_EXIT_STATUS) from error
    if not willFork(options):
        log.begin()
    service = EndService(options.commandName, end, log, reactor)
    service.changedKeys = options.changedKeys
    notifier = ServiceNotifier(os.environ)
    service.announcement = Announcement(
        notifier, end.whenReady, reactor, end.preparing, end.unready, end.statusWords, end.isAlive
    )
    return service


def willFork(options: CommonOptions) -> bool:
    """
    @return: whether twistd is going to make a daemon of this process, which leaves all threads behind.
    """
    return options.parent is not None and not options.parent.get("nodaemon", True)


class EndService(MultiService):
    """
    Runs one end in a process of its own: it obeys signals, and shows an error in one line
    when it cannot start.

    @ivar announcement: tells the service manager how this process is; L{None} not to tell.
    @ivar changedKeys: tells which keys of the configuration file have other values than at the start; raises
        ConfigurationError when the file cannot be used.
    @ivar exitStatus: that of this process when it ends by itself.
    @ivar trouble: why that is, in words.
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
        self.announcement: Announcement | None = None
        self.changedKeys: Callable[[], list[str]] = list
        self._commandName = commandName
        self._end = end
        self._processLog = processLog
        self._reactor = reactor
        self._garbageCollection = GarbageCollection(reactor)
        self._freedMemory = FreedMemory(reactor, trimOfMalloc())
        self.exitStatus, self.trouble = 0, ""
        end.reloadProgram = self.reload
        end.tellTrouble = self._sayTrouble
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
        if self.announcement is not None:
            self._reactor.callWhenRunning(self.announcement.begin)
        self._reactor.callWhenRunning(self._processLog.absorb)
        self._reactor.callWhenRunning(self._waitForEnd)
        self._garbageCollection.start()
        self._freedMemory.start()
        if canBecomeRoot():
            self._log.warn("root is given up by half, this process can become root again: leave twistd's --euid out")

    def _waitForEnd(self) -> None:
        """
        End the program when its end finds out that it cannot do its work.
        """
        ready = self._end.whenReady().addErrback(self._cannotStart)
        orLog(ready, self._log, "it is not known whether this program can do its work")

    def _cannotStart(self, reason: Failure) -> None:
        reason.trap(StartError)
        self.exitStatus, self.trouble = START_EXIT_STATUS, str(reason.value)
        self._log.critical("cannot start: {reason}", reason=self.trouble)
        atexit.register(self._endWithStatus)  # twistd has no way to be told of a status
        self._reactor.stop()

    def _endWithStatus(self) -> None:
        """
        End this process now: whatever else waits for its end is not called any more.
        """
        self._processLog.flush()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with suppress(OSError, ValueError):
                    stream.flush()
        os._exit(self.exitStatus)

    def _installSignals(self) -> None:
        stopOnSignals(self._reactor)
        onSignal(self._reactor, "SIGHUP", self._reload)

    def _reload(self) -> None:
        done = self.reload().addErrback(lambda reason: reason.trap(ConfigurationError))  # that is said
        orLog(done, self._log, "the files were not read again")

    def reload(self) -> Deferred[None]:
        """
        Read all files again, and open those of the log again.

        @return: fires when that is done; fails with L{ConfigurationError} when the old ones stay in use.
        """
        return self._readAgain() if self.announcement is None else self.announcement.around(self._readAgain)

    def _readAgain(self) -> Deferred[None]:
        self._processLog.reopen()
        read = maybeDeferred(self._reloadEnd)
        return read.addCallbacks(self._reloaded, self._notReloaded)

    def _reloadEnd(self) -> Deferred[Sequence[str]]:
        """
        @return: fires with the keys of the configuration file that are not taken up.
        @raise ConfigurationError: when the file cannot be used.
        """
        changed = self.changedKeys()
        return maybeDeferred(self._end.reload).addCallback(lambda _: changed)

    def _reloaded(self, changed: Sequence[str]) -> None:
        self._sayTrouble("")
        self._log.info("reloaded")
        if changed:
            words = "other values of the configuration file are taken up at a restart alone: {keys}"
            self._log.warn(words, keys=", ".join(changed))

    def _sayTrouble(self, reason: str) -> None:
        if self.announcement is not None:
            self.announcement.trouble = f"the files were not taken up: {reason}" if reason else ""

    def _notReloaded(self, reason: Failure) -> Failure:
        reason.trap(ConfigurationError)
        self._sayTrouble(str(reason.value))
        self._log.error("not reloaded, the old certificates stay in use: {reason}", reason=str(reason.value))
        return reason

    def stopService(self) -> Deferred[list[Any]]:
        """
        Stop, and say so in the log.
        """
        self._log.info("stopping")
        if self.announcement is not None:
            self.announcement.end()
        self._garbageCollection.stop()
        self._freedMemory.stop()
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
