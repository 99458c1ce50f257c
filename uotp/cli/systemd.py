"""
C{uotp systemd}: prints the files by which systemd, and what belongs to it, runs both ends.  They are in the
package; only where the programs are is put in.
"""

from __future__ import annotations

import os
import shlex
import sys
import zipfile
from collections.abc import Sequence
from importlib import resources

from twisted.python import usage

from uotp.cli.options import Flag, GnuOptions, Option
from uotp.cli.parsers import absolutePath
from uotp.telemetry import sayLast

FILES = {
    "server": "server.service",
    "client": "client.service",
    "sysusers": "sysusers.conf",
    "networkmanager": "networkmanager.sh",
    "networkd": "networkd.sh",
    "logrotate": "logrotate.conf",
}
"""What can be printed, and the files that have it."""

SOCKETS = {"server": "server.socket", "client": "client.socket"}
"""The same with C{--socket}."""

HARDENING = "hardening.conf"
"""What both services have in common."""

HIDDEN = ("/home", "/root", "/run/user")
"""What systemd hides from a service with C{ProtectHome=yes}, as L{HARDENING} has it."""

FOLDER = "host"
"""Where the files are, beside this module."""


class SystemdOptions(GnuOptions):
    """
    Holds the options of C{uotp systemd}.
    """

    commandName = "uotp systemd"
    positionals = "WHAT"
    longdesc = (
        "Prints a file for this machine.  WHAT is `server` or `client`, for the template of a service that runs "
        "/etc/uotp/NAME.toml, or of its sockets with --socket; `sysusers`, for the user that they run as; "
        "`networkmanager` or `networkd`, for a hook that tells all clients when the network has changed; or "
        "`logrotate`.  The first line of each says where it belongs."
    )
    rows = (
        Flag("socket", "s", "print the sockets that systemd is to have for a service, and not the service"),
        Option(
            "prefix",
            None,
            "directory that the programs are installed in, as /opt/uotp; otherwise where this one is",
            absolutePath,
            metavar="DIR",
        ),
    )

    def parseArgs(self, *positionals: str) -> None:
        """
        Take the name of the file.

        @raise usage.UsageError: when it is not one of them.
        """
        known = ", ".join(FILES)
        if len(positionals) != 1 or positionals[0] not in FILES:
            reason = f"one of {known} is needed"
            raise usage.UsageError(reason)
        self["what"] = positionals[0]

    def postOptions(self) -> None:
        """
        See whether the options belong together.

        @raise usage.UsageError: when they do not.
        """
        super().postOptions()
        if self["socket"] and self["what"] not in SOCKETS:
            reason = f"--socket is for {' and '.join(SOCKETS)}"
            raise usage.UsageError(reason)


def systemd(words: Sequence[str]) -> int:
    """
    Run C{uotp systemd}.

    @param words: the command line behind it.
    @return: the exit status.
    """
    options = SystemdOptions()
    options.parseOptions(words)
    what = options["what"]
    text = packaged((SOCKETS if options["socket"] else FILES)[what])
    if options["prefix"] is None and what in SOCKETS and zipfile.is_zipfile(sys.argv[0]):
        reason = "a single file unpacks itself in a home directory, and a service has none: install it, or say --prefix"
        options.refuse(reason)
    folder = None if options["prefix"] is None else os.path.join(options["prefix"], "bin")
    for end in SOCKETS:
        text = text.replace(f"@{end}@", unitCommand(programOf(end, folder)))
    sys.stdout.write(text.replace("@hardening@\n", packaged(HARDENING) + "\n" if "@hardening@" in text else ""))
    if "@hardening@" in text:
        warnOfHidden(options.commandName, programOf(what, folder)[0], isHere=folder is None)
    return 0


def warnOfHidden(commandName: str, program: str, *, isHere: bool) -> None:
    """
    Warn on standard error of a program that a service cannot start.

    @param program: what the service starts.
    @param isHere: whether this Python runs it.
    """
    paths = [program, os.path.realpath(program), *([os.path.realpath(sys.executable)] if isHere else [])]
    hidden = next((path for path in paths if any(path.startswith(f"{each}/") for each in HIDDEN)), None)
    if hidden is not None:
        words = f"the service cannot start: systemd hides {', '.join(HIDDEN)} from it, and {hidden} is there"
        remedy = "install uotp in /opt/uotp, and print the file with the program there"
        sayLast(sys.stderr, f"{commandName}: warning: {words}; {remedy}\n")


def packaged(name: str) -> str:
    """
    @return: the text of a file of the package.
    """
    return resources.files("uotp.cli").joinpath(FOLDER).joinpath(name).read_text("utf-8")


def programOf(end: str, folder: str | None) -> list[str]:
    """
    @param end: C{"server"} or C{"client"}.
    @param folder: where programs are; where this Python is when it is left out.
    @return: the words of the command that runs it: the program of that name, or else this Python with our module.
    """
    beside = folder or os.path.dirname(os.path.abspath(sys.executable))
    program = os.path.join(beside, f"uotp-{end}")
    if folder is not None or os.access(program, os.X_OK):
        return [program]
    return [os.path.abspath(sys.executable), "-m", "uotp.cli.main", end]


def unitCommand(words: Sequence[str]) -> str:
    """
    @return: a command as a unit has it, where a percent sign and a dollar have meanings of their own.
    """
    return shlex.join(words).replace("%", "%%").replace("$", "$$")
