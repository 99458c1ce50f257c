"""
The service that runs one end in a process of its own, for twistd and for the console scripts.  What an end
does, and what its options are, is not known here.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from uotp.cli.announcement import Announcement
from uotp.errors import ConfigurationError, StartError
from uotp.net import GivenSockets
from uotp.process import (
    Aside,
    FreedMemory,
    GarbageCollection,
    NotDoneError,
    Readings,
    canBecomeRoot,
    onSignal,
    stopOnSignals,
    trimOfMalloc,
)
from uotp.telemetry import Logger, ProcessLog, orLog, sayLast

START_EXIT_STATUS = 1
"""The exit status when the command line was fine, but the program could not start."""


class Reloadable(Protocol):
    """
    Is a service that can read its files again.

    @ivar preparing: what it does until it is ready.
    @ivar unready: what is not so until then.
    @ivar reloadProgram: see L{uotp.tunnel.TunnelService}, as for the next two.
    """

    preparing: str
    unready: str
    reloadProgram: Callable[[], Deferred[tuple[str, ...]]] | None
    tellTrouble: Callable[[str], None] | None
    configurationTrouble: str

    def reload(self) -> Deferred[None] | None:
        """
        Read the files again.

        @return: fires when that is done; L{None} when it is.
        @raise ConfigurationError: when they cannot be used; the old ones stay in use.
        """

    def followPath(self) -> None:
        """
        See L{uotp.tunnel.TunnelService}.
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
        self._aside = Aside(reactor)
        self._readings = Readings(self._readAgain)
        self._garbageCollection = GarbageCollection(reactor)
        self._freedMemory = FreedMemory(reactor, trimOfMalloc())
        self._restartWords = ""
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

    def reload(self) -> Deferred[tuple[str, ...]]:
        """
        Read all files again, and open those of the log again.  Who asks while they are read has them read once more.

        @return: fires when that is done, with the keys of the configuration file whose other values need a restart;
            fails with L{ConfigurationError} when the old ones stay in use.
        """
        return self._reopen() if self.announcement is None else self.announcement.around(self._reopen)

    def _reopen(self) -> Deferred[tuple[str, ...]]:
        self._processLog.reopen()
        return self._readings.ask(onlyNew=False)

    def _readAgain(self, _: bool) -> Deferred[tuple[str, ...]]:  # noqa: FBT001 - as L{Readings} tells it
        reading = self._aside.run(lambda _: self.changedKeys(), "reading the configuration file")
        changed = reading.addBoth(self._noteConfiguration)
        return changed.addCallback(self._reloadEnd).addCallbacks(self._reloaded, self._notReloaded)

    def _noteConfiguration(self, outcome: Any) -> Any:
        isFailure = isinstance(outcome, Failure)
        if not (isFailure and outcome.check(NotDoneError)):
            self._end.configurationTrouble = str(outcome.value) if isFailure else ""
            if isFailure:  # the network may have changed all the same
                self._end.followPath()
        return outcome

    def _reloadEnd(self, changed: Sequence[str]) -> Deferred[Sequence[str]]:
        """
        @param changed: the keys of the configuration file that are not taken up.
        @return: fires with them when the end has read its files.
        """
        return maybeDeferred(self._end.reload).addCallback(lambda _: changed)

    def _reloaded(self, changed: Sequence[str]) -> tuple[str, ...]:
        keys = ", ".join(changed)
        self._restartWords = f"a restart is needed for new values of {keys}" if changed else ""
        self._sayTrouble("")
        self._log.info("reloaded")
        if changed:
            self._log.warn("other values of the configuration file are taken up at a restart alone: {keys}", keys=keys)
        return tuple(changed)

    def _sayTrouble(self, reason: str) -> None:
        if self.announcement is not None:
            words = f"the files were not taken up: {reason}" if reason else ""
            self.announcement.trouble = "; ".join(filter(None, (words, self._restartWords)))

    def _notReloaded(self, reason: Failure) -> Failure:
        reason.trap(ConfigurationError)
        if reason.check(NotDoneError):  # we stop
            return reason
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
        self._readings.stop()
        self._aside.stop()
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
