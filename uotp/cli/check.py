"""
C{uotp check}: says what is wrong with a configuration file, as the program would that reads it, and opens
no socket.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Any, ClassVar

from twisted.python import usage

from uotp.cli.common import CommonOptions
from uotp.cli.config.configuration import Configuration
from uotp.cli.config.document import readDocument
from uotp.cli.config.faults import Fault, FaultsError
from uotp.cli.config.reading import KeysError
from uotp.cli.options import USAGE_EXIT_STATUS, GnuOptions, Option, printable
from uotp.cli.proxies import PROXY_FILES
from uotp.cli.unsaid import isUrl, shownUrl
from uotp.client import clientCredentials
from uotp.errors import ConfigurationError
from uotp.net import ProxyPlace
from uotp.server import ServerSettings, serverCredentials
from uotp.telemetry import Spelling, sayLast
from uotp.tls import (
    ClientCredentials,
    CredentialFiles,
    Ending,
    FilesReadOnce,
    ServerCredentials,
    endingWords,
    utcNow,
    withProxyFiles,
)
from uotp.tls.trial import FILE_FIELDS, tried

ENDS = {"client": "uotp.cli.client:Options", "server": "uotp.cli.server:Options"}
"""The options of both ends."""


def parseEnd(word: str) -> str:
    """
    @return: one of L{ENDS}.
    @raise ValueError: in words.
    """
    if word not in ENDS:
        reason = f"one of {', '.join(ENDS)} is needed"
        raise ValueError(reason)
    return word


class CheckOptions(GnuOptions):
    """
    Holds the options of C{uotp check FILE}.
    """

    commandName: ClassVar[str] = "uotp check"
    positionals: ClassVar[str] = "FILE"
    longdesc = (
        "Says what is wrong with a configuration file, each fault with its line, or that it is fine.  Certificates and "
        "keys are read too.  No port is opened.  The exit status is 0 when the program could start with it, and 2 when "
        "it could not, or when a certificate is out of date."
    )
    rows = (
        Option(
            "end",
            None,
            "the program that is to read it: client or server; otherwise the keys tell",
            parseEnd,
            metavar="END",
            choices=tuple(ENDS),
        ),
    )

    def parseArgs(self, *words: Any) -> None:
        """
        Take the file.

        @raise usage.UsageError: when there is not exactly one.
        """
        if len(words) != 1:
            reason = f"one configuration file is needed, and there are {len(words)}"
            raise usage.UsageError(reason)
        if isUrl(words[0]):
            reason = f"{shownUrl(words[0])}: a configuration file is needed, and no URL"
            raise usage.UsageError(reason)
        self["file"] = words[0]


def endFor(values: Mapping[str, object]) -> str | None:
    """
    @param values: the keys of a file.
    @return: which end it is for: the one that sends where a key says, or that has more of the keys; L{None} when
        both have as many.
    """
    known: dict[str, float] = {}
    for end, place in ENDS.items():
        options = pkgutil.resolve_name(place)
        names = {row.name for row in options.rows}
        known[end] = len(names & set(values)) + (1000 if options.destinationKey in values else 0)
    first, second = known
    if known[first] == known[second]:
        return None
    return max(known, key=lambda end: known[end])


@dataclass(slots=True)
class Findings:
    """
    Holds what was found of a file.

    @ivar configuration: what it says, as far as that can be used.
    @ivar isUnderstood: whether all of its keys can be.
    @ivar faults: why it cannot be used.
    @ivar warnings: what the log would warn of.
    @ivar tried: what is wrong with files, in words, so that it is told once.
    """

    configuration: Configuration
    isUnderstood: bool
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)

    def refuse(self, reason: str) -> None:
        """
        Note why the file cannot be used.
        """
        fault = self.configuration.faultOf(reason)
        if fault is not None:
            self.faults.append(fault)

    def warn(self, reason: str) -> None:
        """
        Note what the log would warn of.
        """
        fault = self.configuration.faultOf(reason)
        if fault is not None:
            self.warnings.append(fault)

    def tryFiles(self, options: CommonOptions, files: CredentialFiles) -> None:
        """
        Try each file of credentials apart.
        """
        keys = {row.setting: row.name for row in options.rows if row.setting in FILE_FIELDS}
        words = dict(self.configuration.options)
        paths = {setting: words.get(key) for setting, key in keys.items()}
        if "no-tls" in words:
            paths = {"tokenFile": paths["tokenFile"]}
        trial = tried({setting: path for setting, path in paths.items() if path}, files)
        self._tryProxy(options, files)
        for setting, reason in trial.faults:
            self.faults.append(self.configuration.faultAt(keys[setting], reason))
            self.tried.add(reason)
        self.tellEndings(trial.endings(utcNow()))

    def tellEndings(self, endings: Iterable[Ending]) -> None:
        """
        Tell of what is out of date, or soon will be, each once.
        """
        for ending in endings:
            if endingWords(ending) in self.tried:
                continue
            self.tried.add(endingWords(ending))
            isOver = ending.reason.startswith(("expired on", "is not valid before"))
            (self.refuse if isOver else self.warn)(endingWords(ending))

    def _tryProxy(self, options: CommonOptions, files: CredentialFiles) -> None:
        """
        Try the files that a client has for its proxy.
        """
        words = dict(self.configuration.options)
        proxy = options.get("proxy", None)
        if not isinstance(proxy, ProxyPlace):
            return
        for name in PROXY_FILES:
            chosen = {each: words.get(each) if each == name else None for each in PROXY_FILES}
            try:
                withProxyFiles(proxy, chosen["proxy-auth-file"], chosen["proxy-cafile"], files)
            except ConfigurationError as error:
                self.faults.append(self.configuration.faultAt(name, str(error)))
                self.tried.add(str(error))


def findings(options: CommonOptions, end: str, found: Findings, files: CredentialFiles) -> None:
    """
    Make of options what the program makes of them before it opens a port.

    @param options: of the end, parsed.
    @param found: takes what is wrong with them.
    @param files: where the files of credentials are.
    """
    arguments = {**options.serviceArguments(), "files": files}
    try:
        settings = options.settings()
        if isinstance(settings, ServerSettings) and (wide := settings.anybodyAnnounces()) is not None:
            found.warn(wide)
        credentials = credentialsOf(end, settings, arguments)
        if isinstance(credentials, ServerCredentials) and (unused := credentials.unusedList()) is not None:
            found.warn(unused.words)
        if credentials is not None:
            prepared = credentials.prepare()
            found.tellEndings(prepared.endings)
            for what, file in prepared.exposed:
                found.warn(f"the {what} may be read by every user who can reach the file: chmod 600 {quote(file)}")
    except ConfigurationError as error:
        if str(error) not in found.tried:
            found.refuse(str(error))


def credentialsOf(
    end: str, settings: Any, arguments: Mapping[str, Any]
) -> ClientCredentials | ServerCredentials | None:
    """
    Read the certificates and keys that options name.

    @param settings: of the end.
    @param arguments: of the end's function in L{uotp.services}.
    @return: what they lead to; L{None} where there are none.
    @raise ConfigurationError: when they cannot be used.
    """
    tls, files = arguments["tls"], arguments["files"]
    if end == "server":
        return serverCredentials(tls, settings, files=files, keepsContents=False)
    return clientCredentials(tls, settings, files=files)


def understood(asked: CheckOptions, options: CommonOptions, file: str) -> Findings:
    """
    @param options: of an end; they take what the file says.
    @return: what is wrong with the keys.
    @raise SystemExit: when the file cannot be used at all.
    """
    options.isReadAgain = True
    try:
        options.understand(["--", file])
    except KeysError as error:
        return Findings(error.rest, isUnderstood=False, faults=list(error.faults))
    except usage.UsageError as error:
        if options.configuration is None:
            asked.refuse(*options.reasonsOf(error))
        found = Findings(options.configuration, isUnderstood=False)
        found.refuse(str(error))
        return found
    assert options.configuration is not None
    return Findings(options.configuration, isUnderstood=True)


def check(words: Sequence[str]) -> int:
    """
    Run C{uotp check}.

    @param words: the words after C{check}.
    @return: the exit status.
    @raise SystemExit: with status 2 when the words or the file cannot be used.
    """
    asked = CheckOptions()
    asked.parseOptions(words)
    file = asked["file"]
    try:
        end = asked["end"] or endFor(readDocument(file, isReadAgain=True).values)
    except FaultsError as error:
        asked.refuse(*error.lines)
    if end is None:
        asked.refuse(
            f'{file}: the file has neither server = "HOST:PORT" (client) nor target = "HOST:PORT" (server): add one of '
            "them, or give --end client or --end server"
        )
    options: CommonOptions = pkgutil.resolve_name(ENDS[end])()
    Spelling.spellings = options.spellings()
    found = understood(asked, options, file)
    files = FilesReadOnce(found.configuration.files, isReadAgain=True)
    found.tryFiles(options, files)
    if found.isUnderstood:
        findings(options, end, found, files)
    said = FaultsError(file, found.faults).lines
    said += [f"warning: {line}" for line in FaultsError(file, found.warnings).lines]
    if said:
        sayLast(sys.stderr, "".join(f"{asked.commandName}: {printable(line)}\n" for line in said))
    if found.faults:
        return USAGE_EXIT_STATUS
    shown = options.destinationShown
    isOne = shown[-1] == str(options["dst_port"])
    where = " port ".join(shown) if isOne else " and ".join(shown)
    sys.stdout.write(f"{file}: fine, for {options.commandName}, which sends to {where}\n")
    sys.stdout.write("".join(f"  {word}\n" for word in options.differing()))
    return 0
