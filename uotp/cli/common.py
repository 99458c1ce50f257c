"""
What the command lines of both ends share: what their words mean together, and how a service is made of them.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, ClassVar

from twisted.logger import globalLogPublisher
from twisted.python import usage

from uotp.cli.addresses import destinationWords, parseHost
from uotp.cli.announcement import Announcement
from uotp.cli.configurable import ConfigurableOptions
from uotp.cli.endservice import START_EXIT_STATUS, EndService, Reloadable
from uotp.cli.introduction import introduce
from uotp.cli.options import Repeated
from uotp.cli.parsers import (
    NOWHERE,
    parsePort,
)
from uotp.cli.pidfile import removeStalePidFile
from uotp.cli.unsaid import SECRET_NAMES, UNSAID, shownPlace, shownUrl
from uotp.errors import ConfigurationError, StartError
from uotp.monitoring import ControlPlace, usualDirectory
from uotp.net import (
    GivenSockets,
    Listen,
    Transport,
    pairsOf,
    placesOf,
    takeGivenSockets,
)
from uotp.process import (
    ServiceNotifier,
    raiseDescriptorLimit,
    useMonotonicClock,
)
from uotp.telemetry import (
    LogFile,
    LogFormat,
    Logger,
    ProcessLog,
    Spelling,
    sayLast,
)
from uotp.tls import formatsForTokens

_log = Logger()


class CommonOptions(ConfigurableOptions):
    """
    Holds the options that C{uotp-server} and C{uotp-client} have in common.

    @cvar tlsClass: the dataclass with the choices of TLS; with plain TCP there are none.
    @cvar destinationSetting: the setting of where to send.
    @cvar usualListen: where the end listens unless it is told otherwise.
    @cvar transport: on what it listens.
    @ivar given: the sockets that a service manager has bound for this program.
    @ivar stalePidFile: twistd's pid file, if it was that of a process that is gone.
    """

    positionals = "dst_address dst_port"
    stalePidFile: str | None = None
    given: GivenSockets = GivenSockets()
    destinationSetting: ClassVar[str]
    transport: ClassVar[Transport]
    tlsClass: ClassVar[Any]
    usualListen: ClassVar[Listen]

    def parseArgs(self, *positionals: str) -> None:
        """
        Take the positional arguments.

        @raise usage.UsageError: when they are not a host and a port.
        """
        try:
            self._takeDestination(positionals, ", or one, a configuration file")
        except ValueError as error:
            names = {name for name in self.synonyms if len(name) > 1}
            bare = next((word for word in positionals if re.split(r"[=\s]", word, maxsplit=1)[0] in names), None)
            reason = str(error) if bare is None else self._withoutHyphens(bare)
            raise usage.UsageError(reason) from error

    def _withoutHyphens(self, word: str) -> str:
        """
        @return: that a word lacks its hyphens, without what may be a secret.
        """
        name = re.split(r"[=\s]", word, maxsplit=1)[0]
        told = f"{name}={UNSAID}" if name != word and name in SECRET_NAMES else shownUrl(word)
        return f"the word {told} has no hyphens: write --{told}"

    def _takeDestination(self, words: Sequence[str], instead: str) -> None:
        """
        Take the words of where to send.

        @param instead: what may stand there in place of them, for errors.
        @raise ValueError: when they are none.
        """
        self["dst_address"], self["dst_port"] = destinationWords(words, self.positionals, instead)

    def _parseDestination(self) -> None:
        """
        Turn these words into values.

        @raise usage.UsageError: for one that cannot be used.
        """
        for name, parse in (("dst_address", parseHost), ("dst_port", parsePort)):
            try:
                self[name] = parse(self[name])
            except ValueError as error:
                told = self[name] if os.path.exists(self[name]) else shownPlace(self[name])
                reason = f"{name} {told}: {error}"
                raise usage.UsageError(reason) from error

    @property
    def destinationShown(self) -> list[str]:
        """
        Where to send, in words that can be typed, without what may be a secret.
        """
        return [self["dst_address"], str(self["dst_port"])]

    @property
    def destination(self) -> Any:
        """
        Where to send, as the end's settings have it.
        """
        return self["dst_address"], self["dst_port"]

    def postOptions(self) -> None:
        """
        Turn words into values.

        @raise usage.UsageError: for a value or a combination that cannot be used.
        """
        self._parseDestination()
        super().postOptions()
        if self["no-tls"]:
            known = {field.name for field in fields(self.tlsClass)}
            for row in self.rows:
                if row.setting in known and self[row.name]:
                    reason = f"--no-tls and --{row.name} exclude each other"
                    raise usage.UsageError(reason)
            if self["alpn"] is not None:
                reason = "--no-tls and --alpn exclude each other"
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

    def settings(self) -> Any:
        """
        @return: the settings of the end.
        @raise ConfigurationError: when there can be none such.
        """
        chosen = {**self.chosen(self.settingsClass), "listen": self._listen()}
        return self.settingsClass(**{self.destinationSetting: self.destination}, **chosen)

    def requireSense(self) -> None:
        """
        See L{ConfigurableOptions}.
        """
        settings = self.settings()
        if not self["no-tls"]:
            self.tlsClass(**self.chosen(self.tlsClass)).requireSense()
        if self["token-file"]:
            formatsForTokens(settings.wire)

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

    def _another(self) -> ConfigurableOptions:
        """
        See L{ConfigurableOptions}.  It has the same sockets.
        """
        again = super()._another()
        assert isinstance(again, CommonOptions)
        again.given = self.given
        return again

    def _usualOf(self, name: str) -> Any:
        row = next(row for row in self.rows if row.name == name)
        return () if isinstance(row, Repeated) else row.parse(self.defaults[name])  # type: ignore[union-attr]

    def _listen(self) -> Listen:
        """
        @return: where to listen.
        """
        return self.given.pairs or self._listenAsSaid()

    def _listenAsSaid(self) -> Listen:
        hosts = self["bind-address"] or [host for host, _ in pairsOf(self.usualListen)]
        pairs = tuple((host, self["bind-port"]) for host in hosts)
        return pairs if len(pairs) > 1 else pairs[0]

    def valueOf(self, key: str) -> Any:
        """
        See L{ConfigurableOptions}.  What a service manager hands in goes with no address that is said.
        """
        if key == "bind-address" and not self.given.pairs:
            return {place.host for place in placesOf(self._listenAsSaid())}
        return super().valueOf(key)


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
