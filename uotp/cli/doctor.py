"""
C{uotp doctor}: its options, and how it tells what it has found.  What is looked at, and what is made of it,
L{uotp.doctor} knows.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TextIO

from twisted.logger import LogLevel

from uotp.cli.client import Options as ClientOptions
from uotp.cli.options import Flag, Option
from uotp.cli.parsers import parseBytes
from uotp.cli.server import Options as ServerOptions
from uotp.doctor import (
    RATE_TEST_SECONDS,
    DoctorSettings,
    Examination,
    ExamStep,
    Finding,
    Outcome,
    SystemMachine,
    exitStatusOf,
)
from uotp.errors import ConfigurationError
from uotp.net import ProxyPlace, ServerPlace
from uotp.telemetry import Logger, Spelling
from uotp.tls import DISK, withProxyFiles

LARGEST_DATAGRAM = 65507
"""A UDP datagram over IPv4 has no more bytes."""

MOST_PROBE_BYTES = 1400
"""A longer one may not reach the target."""

USUAL_SIZE = "1500"
"""What a packet of most networks has at most, so no datagram of a VPN is longer."""

NEEDED = ("tls", "files", "listen", "timeout", "wire", "alpn", "mark", "mss", "udpBuffer")
"""What matters of the client's choices for the way to the server."""

INTERRUPTED_EXIT_STATUS = 130
"""What a shell tells of a program that was interrupted."""

VERDICT_WIDTH = max(len(outcome.value) for outcome in Outcome) + 2
TITLE_WIDTH = max(len(step.title) for step in ExamStep) + 2
"""How wide the first two columns are, in letters."""

OUTCOME_COLOURS = {Outcome.OK: "32", Outcome.WARNING: "33", Outcome.FAULT: "1;31", Outcome.NOT_REACHED: "2"}
"""Of a terminal, by ECMA-48."""


def parseProbe(word: str) -> bytes:
    """
    @return: the bytes that a word has in hexadecimal.
    @raise ValueError: in words.
    """
    try:
        probe = bytes.fromhex(word)
    except ValueError:
        probe = b""
    if not 0 < len(probe) <= MOST_PROBE_BYTES:
        reason = f"a datagram in hexadecimal is needed, of 1 to {MOST_PROBE_BYTES} bytes, as 70696e67"
        raise ValueError(reason)
    return probe


class DoctorOptions(ClientOptions):
    """
    Holds the options of C{uotp doctor}: those of the client, so that its command line can be examined as it is, and
    a few of its own.
    """

    commandName: ClassVar[str] = "uotp doctor"
    longdesc = (
        "Finds out why nothing passes.  Takes the command line of uotp-client, and looks at each step of the way to "
        "the server and to the target behind it: what was found, and what can be done about it.  It may run beside the "
        "client.  Options that have nothing to do with the way are taken and passed over.  The exit status is 0 when "
        "all is well, otherwise that of the first step with a fault that no other step explains, at the first server "
        "that has one; a warning does not change it."
    )
    sharedRows = ClientOptions.rows
    sharedTitle = "Options of uotp-client"
    rows: ClassVar[tuple[Option | Flag, ...]] = (
        *ClientOptions.rows,
        Flag("json", None, "print the findings as JSON"),
        Flag("no-rate", None, "do not send for five seconds as fast as the path carries"),
        Option(
            "probe",
            None,
            "a datagram that the target answers, in hexadecimal; otherwise a single byte",
            parseProbe,
            "probe",
            metavar="HEX",
        ),
        Option(
            "size",
            None,
            f"size of the largest datagram that is to pass, up to {LARGEST_DATAGRAM}",
            parseBytes(1, LARGEST_DATAGRAM),
            "largest",
            default=USUAL_SIZE,
            metavar="BYTES",
        ),
    )

    def doctorSettings(self) -> list[DoctorSettings]:
        """
        @return: the choices for the examination of each server.
        """
        chosen = self.serviceArguments()
        return [self._settingsFor(place, chosen) for place in self["servers"]]

    def _settingsFor(self, place: ServerPlace, chosen: dict[str, Any]) -> DoctorSettings:
        proxy: ProxyPlace | None = chosen["proxy"]
        if proxy is not None and proxy.isFor(*place.address):
            try:
                files = chosen.get("files", DISK)
                proxy = withProxyFiles(proxy, chosen["proxyAuthFile"], chosen["proxyCafile"], files)
            except ConfigurationError as error:
                self.refuse(self.located(str(error)))
        else:
            proxy = None
        return DoctorSettings(
            place=place,
            proxy=proxy,
            hasLoginFile=chosen["proxyAuthFile"] is not None,
            probe=self["probe"],
            largest=self["size"],
            rateSeconds=0.0 if self["no-rate"] else RATE_TEST_SECONDS,
            **{name: chosen[name] for name in NEEDED if name in chosen},
        )


def line(finding: Finding, *, isColoured: bool) -> str:
    """
    @return: what is printed of a finding: one line, and another one with what can be done.
    """
    verdict = finding.outcome.value.ljust(VERDICT_WIDTH)
    if isColoured:
        verdict = f"\x1b[{OUTCOME_COLOURS[finding.outcome]}m{verdict}\x1b[0m"
    text = f"{verdict}{finding.step.title.ljust(TITLE_WIDTH)}{finding.facts}\n"
    if finding.remedy is not None:
        text += f"{'':{VERDICT_WIDTH}}{'remedy'.ljust(TITLE_WIDTH)}{finding.remedy}\n"
    return text


def tell(findings: Iterable[Finding], out: TextIO, *, isColoured: bool) -> list[Finding]:
    """
    Print each finding as soon as it is known.

    @return: all of them.
    """
    told = []
    for finding in findings:
        out.write(line(finding, isColoured=isColoured))
        out.flush()
        told.append(finding)
    return told


def findingsJson(told: Iterable[tuple[str, Iterable[Finding]]]) -> str:
    """
    @param told: each server, and what was found on the way to it.
    @return: all findings, for programs.
    """
    listed = [
        {
            "server": server,
            "step": each.step.title,
            "verdict": each.outcome.value,
            "facts": each.facts,
            "remedy": each.remedy,
        }
        for server, findings in told
        for each in findings
    ]
    return json.dumps({"findings": listed}, indent=2) + "\n"


def doctor(
    argv: Sequence[str], examine: Callable[[DoctorSettings], Iterable[Finding]] | None = None, out: TextIO | None = None
) -> int:
    """
    Run C{uotp doctor}.

    @param argv: the words after C{doctor}.
    @param examine: finds out; this machine, when left out.
    @param out: where to print; standard output, when left out.
    @return: the exit status, see L{exitStatusOf}.
    @raise SystemExit: with status 2 when the words cannot be used, with 0
        after C{--help}.
    """
    options = DoctorOptions()
    options.parseOptions(argv)
    Logger.threshold = LogLevel.critical  # what the credentials would warn of is told by a step
    Spelling.spellings = {**ServerOptions.spellings(), **DoctorOptions.spellings()}  # some remedies are for the server
    each = options.doctorSettings()
    stream = sys.stdout if out is None else out
    told: list[tuple[str, list[Finding]]] = []
    try:
        for settings in each:
            findings = (examine or examineHere)(settings)
            server = settings.place.shown(isPlain=settings.tls is None)
            if options["json"]:
                told.append((server, list(findings)))
                continue
            if len(each) > 1:
                stream.write(f"{server}\n")
            told.append((server, tell(findings, stream, isColoured=stream.isatty() and "NO_COLOR" not in os.environ)))
        if options["json"]:
            stream.write(findingsJson(told))
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_STATUS
    return next((status for status in (exitStatusOf(findings) for _, findings in told) if status), 0)


def examineHere(settings: DoctorSettings) -> Iterable[Finding]:
    """
    @return: what is found on this machine.
    """
    return Examination(settings, SystemMachine()).findings()
