"""
Who takes part: the program of this checkout, the same with the first wire format,
the original, nothing at all, another project's tunnel, and whatever a command line names.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from bench.rig.programs import PROGRAM, environmentFor
from uotp.pki import Pki

OURS = "uotp"
FORMAT_ONE = "uotp, format 1"
ORIGINAL = "original"
BARE = "bare"
WSTUNNEL = "wstunnel"
TWO_WORKERS = "uotp, 2 workers"
"""Names; C{bare} has no tunnel."""

NAMES = {OURS, FORMAT_ONE, ORIGINAL, BARE, WSTUNNEL, TWO_WORKERS}

WSTUNNEL_FAMILIES = ("roundtrip", "throughput", "rate", "light", "many", "mixed")
"""What is measured with one session and needs no option of ours."""

PROGRAMS = {"cli/main.py": "uotp.cli.main", "scripts.py": "uotp.scripts"}
"""The module with C{uotp}'s command line, by its file below C{uotp}: of today and of older checkouts."""

WIRE_OPTION = "--wire"
WORKERS_OPTION = "--workers"
HELP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Between:
    """
    Says what stands between client and server, and what both ends are told because of it.

    @ivar programs: the programs that it takes, each with the text of its configuration, whose file is C{FILE}.
    @ivar server: words for the server, besides its target and where it listens.
    @ivar client: words for the client, besides its entrance.
    @ivar dialled: where the client says that the server is, in one word or two.
    """

    programs: Sequence[tuple[Sequence[str], str]]
    server: Sequence[str]
    client: Sequence[str]
    dialled: Sequence[str]


@dataclass(frozen=True, slots=True)
class Way:
    """
    What two programs connect.

    @ivar server: where the server listens, as the client reaches it.
    @ivar entrance: the port on loopback where the client listens.
    @ivar target: as the server reaches it.
    @ivar pool: the most tunnels that a session may have; L{None} for as many as the program itself
        thinks best.
    @ivar clientOptions: more words for the client.
    @ivar behind: another port at the server's side.  Where something stands between both, that listens at C{server},
        and the server here.
    """

    server: tuple[str, int]
    entrance: int
    target: tuple[str, int]
    pool: int | None
    clientOptions: Sequence[str] = ()
    behind: int = 0


@dataclass(frozen=True, slots=True)
class Contender:
    """
    A client and a server.

    @ivar name: in the results.
    @ivar command: what starts one of the two, when C{client} or C{server} is put for
        the braces in it; empty where there is no tunnel.
    @ivar options: more words for both.
    @ivar environment: that they run in.
    @ivar families: of scenarios that it takes part in; all of them when empty.
    @ivar workers: how many the server has; as many as it has without an option when L{None}, which is one.
    """

    name: str
    command: tuple[str, ...]
    options: tuple[str, ...]
    environment: dict[str, str]
    families: tuple[str, ...] = ()
    workers: int | None = None

    def takesPart(self, scenario: str) -> bool:
        """
        @return: whether it does in a scenario, by its name.
        """
        return not self.families or scenario.partition("/")[0] in self.families

    def between(self, way: Way, pki: Pki, folder: Path) -> Between | None:
        """
        @param folder: for files of what stands between.
        @return: what stands between client and server, if anything does.
        """
        return None

    def serverWords(self, way: Way, pki: Pki, between: Between | None = None) -> list[str]:
        """
        @return: the server's command line.
        """
        tls = [] if "--no-tls" in self.options else ["-c", pki.serverCertificate, "-k", pki.serverKey]
        listen = ["-a", way.server[0], "-p", str(way.server[1])]
        if between is not None:
            listen, tls = ["-a", "0.0.0.0", "-p", str(way.behind)], list(between.server)  # noqa: S104 - for some seconds
        workers = [] if self.workers is None else [WORKERS_OPTION, str(self.workers)]
        return [*self.words("server"), *map(str, way.target), *listen, *tls, *workers]

    def clientWords(self, way: Way, pki: Pki, between: Between | None = None) -> list[str]:
        """
        @return: the client's command line.
        """
        tls = [] if "--no-tls" in self.options else ["-C", pki.caCertificate]
        pool = [] if way.pool is None else ["-n", str(way.pool)]
        options = ["-p", str(way.entrance), *pool, *way.clientOptions]
        if between is not None:
            return [*self.words("client"), *between.dialled, *options, *between.client]
        return [*self.words("client"), *map(str, way.server), *options, *tls]

    def words(self, end: str) -> list[str]:
        """
        @param end: C{client} or C{server}.
        @return: the first words of the command line.
        """
        return [word.format(end) for word in self.command] + list(self.options)

    def knows(self, option: str) -> bool:
        """
        @param option: a long one, with its dashes.
        @return: whether the client's help has it.
        @raise subprocess.SubprocessError: when the client does not help.
        """
        if not self.command:
            return False
        words = [*self.words("client"), "--help"]
        told = subprocess.run(
            words, capture_output=True, text=True, timeout=HELP_SECONDS, check=True, env=self.environment
        ).stdout
        return re.search(rf"{re.escape(option)}(?![\w-])", told) is not None

    @property
    def formatOne(self) -> bool:
        """
        Whether it is told to speak the first wire format.
        """
        return (WIRE_OPTION, "1") in pairwise(self.options)


@dataclass(frozen=True, slots=True)
class WsTunnel(Contender):
    """
    U{https://github.com/erebe/wstunnel}, in Rust: one WebSocket over TLS for each session,
    whatever the pool.
    """

    def serverWords(self, way: Way, pki: Pki, between: Between | None = None) -> list[str]:
        """
        See L{Contender}.
        """
        tls = ["--tls-certificate", pki.serverCertificate, "--tls-private-key", pki.serverKey]
        return [*self.words("server"), *tls, "--restrict-to", _url(way.target), f"wss://{_url(way.server)}"]

    def clientWords(self, way: Way, pki: Pki, between: Between | None = None) -> list[str]:
        """
        See L{Contender}.
        """
        tunnel = f"udp://127.0.0.1:{way.entrance}:{_url(way.target)}?timeout_sec=0"
        return [*self.words("client"), "-L", tunnel, f"wss://{_url(way.server)}"]


def _url(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def wsTunnelContender(program: Path) -> Contender:
    """
    @param program: C{wstunnel}, of version 10.
    @raise ValueError: when it is not there.
    """
    if not program.is_file():
        reason = f"there is no {program}"
        raise ValueError(reason)
    command = (str(program.resolve()), "{}")
    return WsTunnel(WSTUNNEL, command, ("--log-lvl", "WARN"), environmentFor(), WSTUNNEL_FAMILIES)


def bareContender() -> Contender:
    """
    @return: the one without a tunnel.
    """
    return Contender(BARE, (), (), {})


def ourContender(
    name: str = OURS, folder: Path = PROGRAM, options: tuple[str, ...] = (), environment: dict[str, str] | None = None
) -> Contender:
    """
    @param folder: of the checkout that is measured.
    @param environment: what is put into it besides.
    @raise ValueError: when there is no C{uotp} in the folder.
    """
    started = (sys.executable, "-m", programModule(folder), "{}")
    return Contender(name, started, options, {**environmentFor(folder), **(environment or {})})


def programModule(folder: Path) -> str:
    """
    @param folder: a checkout, or where the program is installed.
    @return: the module that runs C{uotp}.
    @raise ValueError: when there is none.
    """
    for file, module in PROGRAMS.items():
        if (folder / "uotp" / file).is_file():
            return module
    reason = f"there is no uotp in {folder}"
    raise ValueError(reason)


def formatOneContender() -> Contender | None:
    """
    @return: ours with the first wire format at both ends, if ours has another.
    """
    if not ourContender().knows(WIRE_OPTION):
        return None
    return ourContender(FORMAT_ONE, options=(WIRE_OPTION, "1"))


def twoWorkersContender() -> Contender | None:
    """
    @return: ours with two workers at the server, if ours has such; where workers are what is measured.
    """
    ours = ourContender(TWO_WORKERS)
    return replace(ours, families=("workers",), workers=2) if ours.knows(WORKERS_OPTION) else None


def originalContender(folder: Path) -> Contender:
    """
    @param folder: C{bin} of a virtual environment with udp-over-tls-pool 0.1.1.
    @raise ValueError: when it is not there.
    """
    for end in ("client", "server"):
        if not (folder / f"uotp-{end}").is_file():
            reason = f"there is no {folder / f'uotp-{end}'}"
            raise ValueError(reason)
    return Contender(ORIGINAL, (str(folder.resolve() / "uotp-{}"),), (), environmentFor())


def namedContender(text: str) -> Contender:
    """
    @param text: C{NAME=WORDS}.  The words are options for both ends; before them may
        stand C{@FOLDER}, another checkout, and C{VARIABLE=VALUE} for the environment.
    @raise ValueError: in words.
    """
    name, equals, rest = text.partition("=")
    if not equals or not name or name in NAMES:
        reason = f"{text}: NAME=OPTIONS is needed, with a name of its own"
        raise ValueError(reason)
    words = shlex.split(rest)
    folder, environment = PROGRAM, {}
    if words and words[0].startswith("@"):
        folder = Path(words.pop(0)[1:]).resolve()
    while words and re.match(r"[A-Za-z_]\w*=", words[0]):
        variable, _, value = words.pop(0).partition("=")
        environment[variable] = value
    return ourContender(name, folder, tuple(words), environment)
