"""
Our programs started in every way, and the pair of them that most tests need.  It
does not know what is asked of them.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.procfs import running
from bench.rig.programs import Program, until
from tests.integration.harness import LISTENING, MAIN, TWISTD, ProgramTestCase, ourCommand, runToEnd
from tests.integration.relay import Relay
from tests.integration.udpends import Flow, UdpEnd
from uotp.pki.directory import Pki, makePki

HOSTS = (LOOPBACK, "::1", "localhost")
"""What the certificates of tests are for."""

PLAIN = ("--no-tls",)

SLOW_WORDS = r"no TLS handshake after|showed no session id in"
"""What our programs say where a handshake takes seconds."""


def twistdCommand(*words: str) -> list[str]:
    """
    @param words: of twistd's command line.
    @return: what runs twistd on this Python.
    """
    return [*TWISTD, *words]


def foregroundCommand(which: str, *words: str) -> list[str]:
    """
    @param which: C{client} or C{server}.
    @return: what runs it under twistd in the foreground.
    """
    return twistdCommand("-n", "--pidfile=", f"uotp-{which}", *words)


def runAllToEnd(commands: Sequence[list[str]], atATime: int = 2) -> list[subprocess.CompletedProcess[str]]:
    """
    Run programs that end by themselves, some at a time.

    @param atATime: so many; more than two when they do little but wait.
    @return: what became of each, in the order of the commands.
    """
    with ThreadPoolExecutor(atATime) as pool:
        return list(pool.map(runToEnd, commands))


def serverWords(pki: Pki | None) -> list[str]:
    """
    @param pki: L{None} for plain TCP.
    @return: a server's options for it.
    """
    if pki is None:
        return [*PLAIN]
    return ["-c", pki.serverCertificate, "-k", pki.serverKey, "-C", pki.caCertificate]


def clientWords(pki: Pki | None) -> list[str]:
    """
    @param pki: L{None} for plain TCP.
    @return: a client's options for it.
    """
    if pki is None:
        return [*PLAIN]
    return ["-c", pki.clientCertificate, "-k", pki.clientKey, "-C", pki.caCertificate]


def said(program: Program, words: str) -> list[str]:
    """
    @return: the lines of a program's output that have these words.
    """
    return [line for line in program.lines if words in line]


def warned(program: Program) -> list[str]:
    """
    @return: the warnings and errors among the lines of a program's output, but for those that a slow machine brings
        about, where a handshake takes seconds.
    """
    levels, slow = re.compile(r"#(warn|error|critical)\]"), re.compile(SLOW_WORDS)
    return [line for line in program.lines if levels.search(line) and not slow.search(line)]


@dataclass(frozen=True)
class Pair:
    """
    A server and its client, both listening.
    """

    server: Program
    client: Program
    serverAddress: Address
    clientAddress: Address


class Daemon:
    """
    One of our programs as twistd's daemon.

    @ivar pid: its process id, 0 until it has started.
    @ivar pidFile: where twistd writes that.
    @ivar logFile: twistd's log.
    """

    def __init__(self, folder: str, which: str, words: Sequence[str]) -> None:
        """
        @param folder: where its files are to be; it is made.
        @param which: C{client} or C{server}.
        """
        os.makedirs(folder, exist_ok=True)
        self.pidFile = Path(folder, "twistd.pid").resolve()
        self.logFile = Path(folder, "twistd.log").resolve()
        files = ["--pidfile", str(self.pidFile), "--logfile", str(self.logFile)]
        self.command = twistdCommand(*files, f"uotp-{which}", *words)
        self.pid = 0

    def start(self) -> subprocess.CompletedProcess[str]:
        """
        Start it.

        @return: what became of the process that was started at first, which ends
            when the daemon is on its own.
        """
        done = runToEnd(self.command)
        if self.pidFile.exists():
            self.pid = int(self.pidFile.read_text(encoding="utf-8"))
        return done

    def log(self) -> str:
        """
        @return: what its log says so far.
        """
        return self.logFile.read_text(encoding="utf-8") if self.logFile.exists() else ""

    def listening(self) -> Address:
        """
        @return: where it listens, once its log says so.
        """
        until(lambda: re.search(LISTENING, self.log()), "the daemon's log says where it listens")
        match = re.search(LISTENING, self.log())
        assert match is not None
        return match[1], int(match[2])

    def kill(self) -> None:
        """
        End it, if it still runs.
        """
        if self.pid and running(self.pid):
            os.kill(self.pid, signal.SIGKILL)


class RigTestCase(ProgramTestCase):
    """
    A test with our programs.

    @cvar module: runs them.
    """

    module = MAIN

    def newPki(self) -> Pki:
        """
        @return: certificates for loopback.
        """
        return makePki(self.mktemp(), HOSTS)

    def udpEnd(self, host: str = LOOPBACK, port: int = 0) -> UdpEnd:
        """
        Open a UDP socket.
        """
        end = UdpEnd(host, port)
        self.addCleanup(end.close)
        return end

    def relay(self, server: Address, segment: int | None = None, port: int = 0, delay: float = 0.0) -> Relay:
        """
        Start a relay.
        """
        relay = Relay(server, segment, port, delay)
        self.addCleanup(relay.stop)
        return relay

    def listening(self, program: Program) -> Address:
        """
        Wait until one of our programs listens.

        @return: where.
        """
        match = program.waitForLine(LISTENING)
        return match[1], int(match[2])

    def startServer(self, target: Address, *options: str, listen: Address = (LOOPBACK, 0)) -> Program:
        """
        Start a server, and do not wait for it.

        @param options: all but where it listens.
        """
        where = ["-a", listen[0], "-p", str(listen[1])]
        return self.start("our server", ourCommand("server", *where, *options, *map(str, target), module=self.module))

    def startClient(self, server: Address, *options: str, listen: Address = (LOOPBACK, 0)) -> Program:
        """
        Start a client, and do not wait for it.

        @param options: all but where it listens.
        """
        where = ["-a", listen[0], "-p", str(listen[1])]
        return self.start("our client", ourCommand("client", *where, *options, *map(str, server), module=self.module))

    def pair(
        self,
        target: Address,
        pki: Pki | None = None,
        *,
        server: Sequence[str] = (),
        client: Sequence[str] = (),
        hosts: tuple[str, str] = (LOOPBACK, LOOPBACK),
        dial: Address | None = None,
        serverPort: int | None = None,
    ) -> Pair:
        """
        Start both at once, and wait until both listen.

        @param pki: L{None} for plain TCP.
        @param server: more options of the server.
        @param client: more options of the client.
        @param hosts: where server and client listen.
        @param dial: what the client dials, when it is not the server.
        @param serverPort: of the server, when it is settled already.
        """
        address = (hosts[0], serverPort or freePort(socket.SOCK_STREAM))
        theServer = self.startServer(target, *serverWords(pki), *server, listen=address)
        theClient = self.startClient(dial or address, *clientWords(pki), *client, listen=(hosts[1], 0))
        return Pair(theServer, theClient, self.listening(theServer), self.listening(theClient))

    def flow(self, pair: Pair, target: UdpEnd) -> Flow:
        """
        @return: what is to flow through a pair, from a new application.
        """
        host = "::1" if ":" in pair.clientAddress[0] else LOOPBACK
        return Flow(self.udpEnd(host), pair.clientAddress, target)

    def assertStops(self, program: Program, number: signal.Signals = signal.SIGTERM) -> None:
        """
        Ask a program to stop, and see it end, with status 0.
        """
        program.process.send_signal(number)
        self.assertEqual(program.waitForExit(), 0, program.name)

    def daemon(self, which: str, *words: str) -> Daemon:
        """
        Prepare a daemon, which ends with the test.
        """
        daemon = Daemon(self.mktemp(), which, words)
        self.addCleanup(daemon.kill)
        return daemon
