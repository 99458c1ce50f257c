"""
The options of the commands for programs that run.
"""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.python import usage

from uotp.cli.options import Flag, GnuOptions, Option
from uotp.cli.parsers import absolutePath, parseSecondsFrom
from uotp.cli.unsaid import isUrl, shownUrl

LEAST_INTERVAL_SECONDS = 0.2
"""A program gives the same report for almost a second, so that less shows nothing more."""

SOCKET = Option(
    "socket", "s", "control socket of one program; otherwise all in the usual directories are asked", absolutePath
)
"""The option of all these commands."""


class OperateOptions(GnuOptions):
    """
    Holds what these commands have in common.

    @ivar word: the argument; empty without one.
    """

    neighbours = ("uotp.cli.server:Options", "uotp.cli.client:Options")
    positionals: ClassVar[str] = "[NAME]"
    rows: ClassVar[tuple[Option | Flag, ...]] = (SOCKET,)
    needsWord: ClassVar[bool] = False
    word = ""

    def parseArgs(self, *words: Any) -> None:
        """
        Take the argument.

        @raise usage.UsageError: when there is another number of them.
        """
        if self.needsWord and not words:
            reason = "give a session id or a client's name"
            raise usage.UsageError(reason)
        if len(words) > 1:
            reason = f"{'one' if self.needsWord else 'at most one'} argument is needed, and there are {len(words)}"
            raise usage.UsageError(reason)
        if words and not words[0]:
            reason = "one argument is needed, and it is empty"
            raise usage.UsageError(reason)
        if words and isUrl(words[0]):
            reason = f"{shownUrl(words[0])}: a name is needed, and no URL"
            raise usage.UsageError(reason)
        self.word = words[0] if words else ""

    def postOptions(self) -> None:
        """
        Turn words into values.

        @raise usage.UsageError: for a value or a combination that cannot be used.
        """
        super().postOptions()
        if self["socket"] and self.word and not self.needsWord:
            reason = f"--socket and the name {shownUrl(self.word)} exclude each other"
            raise usage.UsageError(reason)

    @property
    def programName(self) -> str:
        """
        Which program is asked; empty for all.
        """
        return "" if self.needsWord else self.word


class StatusOptions(OperateOptions):
    """
    Holds the options of C{uotp status}.
    """

    commandName: ClassVar[str] = "uotp status"
    longdesc = (
        "Shows how the programs are that run here, and their sessions: all of them, or the one that is named as "
        "its control socket is (server-8443), by its end (server) or its port (8443)."
    )
    rows = (
        SOCKET,
        Flag("json", "j", "print each program's report as one line of JSON"),
        Flag("check", None, "end with status 3 when a program answers that it is not ready, for a health check"),
    )


class TopOptions(OperateOptions):
    """
    Holds the options of C{uotp top}.
    """

    commandName: ClassVar[str] = "uotp top"
    longdesc = (
        "Shows how programs are again and again, with the rates of their sessions.  `s` or the arrows sort by "
        "something else, `q` quits."
    )
    rows = (
        SOCKET,
        Option(
            "interval",
            "i",
            "time from one look to the next",
            parseSecondsFrom(LEAST_INTERVAL_SECONDS),
            default="2s",
        ),
    )


class ReloadOptions(OperateOptions):
    """
    Holds the options of C{uotp reload}.
    """

    commandName: ClassVar[str] = "uotp reload"
    longdesc = (
        "Has programs read their files again, as SIGHUP does, and says whether they use them, and which options have "
        "new values in the configuration file that need a restart.  The exit status is 0 if all use their files, 3 if "
        "they do and a restart is needed, and otherwise 1."
    )


class DisconnectOptions(OperateOptions):
    """
    Holds the options of C{uotp disconnect}.
    """

    commandName: ClassVar[str] = "uotp disconnect"
    positionals: ClassVar[str] = "SESSION|CLIENT"
    needsWord = True
    longdesc = (
        "Ends sessions: the one whose id begins so, as the log and `uotp status` show it, or all of a client by its "
        "name.  Of an id at least four letters are needed.  Its client dials again, and begins a new session, unless "
        "it is revoked."
    )
