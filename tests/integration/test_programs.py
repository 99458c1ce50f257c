"""
The two programs as an administrator meets them: every way to start them, to stop
them, to be told why they did not start, and to have their log written.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import uotp
from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.procfs import running
from bench.rig.programs import Program, until
from tests.integration.harness import needed, ourCommand, ourEnvironment, requireProcfs, runToEnd
from tests.integration.rawpeers import RawServer, rawClient
from tests.integration.rig import (
    PLAIN,
    RigTestCase,
    clientWords,
    foregroundCommand,
    runAllToEnd,
    said,
    serverWords,
    twistdCommand,
)
from tests.integration.udpends import Flow
from uotp.net.steering import steeringTrouble

SIGNALS = (signal.SIGTERM, signal.SIGINT)

NOWHERE = (LOOPBACK, "9")
"""A destination that no test sends to."""

SESSION_ID = uuid.UUID(bytes=bytes(range(16)), version=4).bytes

HANGING_NAME = "hangs.test"

HANGING_LOOKUPS = f"""\
import os, socket, time

found = socket.getaddrinfo


def getaddrinfo(host, *rest, flags=0, **options):
    if host == {HANGING_NAME.encode()!r} and not flags & socket.AI_NUMERICHOST:
        os.write(2, b"the lookup hangs\\n")
        time.sleep(60)
    return found(host, *rest, flags=flags, **options)


socket.getaddrinfo = getaddrinfo
"""
"""What makes Python's lookups behave as those of a machine whose name server does not answer."""


MakeCommand = Callable[..., list[str]]
"""C{client} or C{server}, and words, to what runs it."""

Case = tuple[str, list[str], str, int, list[str]]
"""Which program, its command line, what it has to say, its exit status, and what stands before the command."""


def withoutCapabilities(*names: str) -> list[str]:
    """
    @return: what comes before a command that is to run without these privileges.
    """
    if os.geteuid() != 0:
        return []
    found = next((path for path in ("/usr/bin/setpriv", "/bin/setpriv") if os.path.exists(path)), None)
    if found is None:
        needed("setpriv is missing, to run a program without a privilege: it is in util-linux")
    return [found, "--bounding-set=" + ",".join(f"-{name}" for name in names)]


class StartTests(RigTestCase):
    """
    Every way to start a server and a client.
    """

    def test_consoleScriptsTakeOptionsBeforeAndAfterTheArguments(self) -> None:
        """
        C{uotp-server HOST PORT --no-tls -p 0} is as good as the other order, and so
        is something between.
        """
        target = self.udpEnd()
        host, port = map(str, target.address)
        server = self.start("our server", ourCommand("server", host, port, *PLAIN, "-a", LOOPBACK, "-p", "0"))
        serverHost, serverPort = map(str, self.listening(server))
        words = ["-p", "0", serverHost, "-a", LOOPBACK, serverPort, *PLAIN, "--pool-size=2"]
        client = self.start("our client", ourCommand("client", *words))
        Flow(self.udpEnd(), self.listening(client), target).open(b"hello")

    def test_twistdRunsBothInTheForeground(self) -> None:
        """
        C{twistd -n uotp-server} and C{twistd -n uotp-client} work together over TLS,
        and end with status 0 when they are told to, either way.
        """
        target = self.udpEnd()
        pki = self.newPki()
        serverPort = str(freePort(socket.SOCK_STREAM))
        words = [*serverWords(pki), "-a", LOOPBACK, "-p", serverPort, *map(str, target.address)]
        server = self.start("server under twistd", foregroundCommand("server", *words))
        words = [LOOPBACK, serverPort, *clientWords(pki), "-p", "0"]
        client = self.start("client under twistd", foregroundCommand("client", *words))
        self.listening(server)
        Flow(self.udpEnd(), self.listening(client), target).open(b"hello")
        self.assertStops(client, signal.SIGINT)
        self.assertStops(server, signal.SIGTERM)

    def test_twistdRunsBothAsDaemons(self) -> None:
        """
        As daemons they leave the terminal, write pid file and log, work together
        over TLS with the relative paths that they were given, and end at SIGTERM.
        """
        requireProcfs()
        target = self.udpEnd()
        pki = self.newPki()
        relative = {name: os.path.relpath(name) for name in pki.paths}
        serverPort = str(freePort(socket.SOCK_STREAM))
        words = [*serverWords(pki), "-a", LOOPBACK, "-p", serverPort, *map(str, target.address)]
        server = self.daemon("server", *(relative.get(word, word) for word in words))
        words = [*clientWords(pki), "-p", "0", LOOPBACK, serverPort]
        client = self.daemon("client", *(relative.get(word, word) for word in words))
        for daemon in (server, client):
            done = daemon.start()
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            self.assertTrue(running(daemon.pid))
        server.listening()
        Flow(self.udpEnd(), client.listening(), target).open(b"hello")
        for daemon in (client, server):
            os.kill(daemon.pid, signal.SIGTERM)
        for daemon in (client, server):
            until(lambda daemon=daemon: not running(daemon.pid), "the daemon has ended")  # type: ignore[misc]
            self.assertFalse(daemon.pidFile.exists(), "its pid file is gone")
            self.assertIn("stopping", daemon.log())
            self.assertNotIn("Traceback", daemon.log())

    def test_twistdListsBoth(self) -> None:
        """
        C{twistd --help} names both services.
        """
        done = runToEnd(twistdCommand("--help"))
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"uotp-server +UDP through a pool of TLS connections: server")
        self.assertRegex(done.stdout, r"uotp-client +UDP through a pool of TLS connections: client")

    def test_helpAndVersionAreShown(self) -> None:
        """
        C{--help} shows the usage with all options and C{--version} the version, with
        status 0, as a script of its own and under twistd.
        """
        ways: list[tuple[str, MakeCommand]] = [
            ("server", ourCommand),
            ("client", ourCommand),
            ("client", foregroundCommand),
        ]
        commands = [make(which, word) for which, make in ways for word in ("--help", "--version")]
        done = runAllToEnd(commands)
        both = ("verbosity", "logfile", "no-tls", "cert", "key", "cafile", "bind-address", "bind-port")
        onlyClient = ("expire", "pool-size", "backoff", "timeout", "resolve-once", "mark", "tls-servername", "pin")
        for number, (which, _) in enumerate(ways):
            shown, version = done[2 * number : 2 * number + 2]
            self.assertEqual((shown.returncode, shown.stderr, version.returncode, version.stderr), (0, "", 0, ""))
            self.assertEqual(version.stdout, f"uotp-{which} {uotp.__version__}\n")
            self.assertRegex(shown.stdout, rf"^Usage: .*uotp-{which} \[options\] dst_address dst_port\n")
            for name in (*both, *(onlyClient if which == "client" else ("linger",))):
                self.assertIn(f"--{name}", shown.stdout)


class WorkersStartTests(RigTestCase):
    """
    The start of a program with several workers.
    """

    def setUp(self) -> None:
        trouble = steeringTrouble()
        if trouble is not None:
            needed(trouble)
        super().setUp()

    def program(self, *before: str) -> list[str]:
        """
        @param before: lines of Python that run first.
        @return: the command of a server with two workers, which is started as a console script is.
        """
        lines = ["import sys", "del sys.path[0]", *before, "from uotp.cli.main import server", "sys.exit(server())"]
        words = [*PLAIN, "--workers", "2", "-a", LOOPBACK, "-p", "0", *NOWHERE]
        return [sys.executable, "-c", "; ".join(lines), *words]

    def test_nothingIsImportedFromWhereItIsStarted(self) -> None:
        """
        Others may be able to write there.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "json.py").write_text("raise SystemExit('this is not the json of Python')\n")
        server = self.start("our server", self.program(), folder=str(folder))
        server.waitForLine("all 2 workers are ready")
        self.assertStops(server, signal.SIGTERM)
        self.assertEqual(said(server, "this is not"), [])

    def test_whereNoWorkerCanBeStartedTheProgramEnds(self) -> None:
        """
        It would accept connections, and serve nobody.
        """
        ended = runToEnd(self.program(f"sys.executable = {shutil.which('false')!r}"))
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertIn("cannot start: no worker can be started: each was tried 4 times", ended.stderr)


class StopTests(RigTestCase):
    """
    SIGTERM and SIGINT, whatever goes on: an end within 5 s, with status 0.
    """

    def assertBothStop(self, *programs: Program) -> None:
        """
        Signal all, SIGTERM and SIGINT in turn, then see all end.
        """
        for number, program in enumerate(programs):
            program.process.send_signal(SIGNALS[number % 2])
        for program in programs:
            self.assertEqual(program.waitForExit(), 0, program.name)
            self.assertEqual(said(program, "Traceback"), [], program.name)
            self.assertEqual(len(said(program, "stopping")), 1, program.name)

    def test_idleProgramsStop(self) -> None:
        programs = [self.startServer((LOOPBACK, 9), *PLAIN), self.startClient((LOOPBACK, 9), *PLAIN)]
        for program in programs:
            self.listening(program)
        self.assertBothStop(*programs)

    def test_programsWithLiveTunnelsStop(self) -> None:
        """
        A pool of TLS connections is up, and datagrams keep coming.
        """
        pki = self.newPki()
        for number, order in ((signal.SIGTERM, (0, 1)), (signal.SIGINT, (1, 0))):
            target = self.udpEnd()
            pair = self.pair(target.address, pki)
            flow = self.flow(pair, target)
            flow.both(b"hello")
            for _ in range(200):
                flow.application.send(bytes(1400), pair.clientAddress)
            for which in order:
                self.assertStops((pair.server, pair.client)[which], number)

    def test_clientStopsWhileItDials(self) -> None:
        """
        The server's host swallows the client's attempts: it does not answer at all,
        or accepts the connection and says nothing.
        """
        silent = RawServer()
        full = RawServer(backlog=0)
        self.addCleanup(silent.close)
        self.addCleanup(full.close)
        for _ in range(3):  # more than its queue holds: from now on the kernel answers nobody
            one = socket.socket()
            self.addCleanup(one.close)
            one.setblocking(False)
            one.connect_ex(full.address)
        pki = self.newPki()
        servers = (silent.address, silent.address, full.address, full.address)
        clients = [self.startClient(server, *clientWords(pki), "-w", "60") for server in servers]
        application = self.udpEnd()
        for client in clients:
            application.send(b"hello", self.listening(client))
        for client in clients:
            client.waitForLine("session .* opened")
        for _ in SIGNALS:
            self.assertIsNotNone(silent.accept())
        self.assertBothStop(*clients)

    def test_programsStopWhileALookupHangs(self) -> None:
        """
        The name server does not answer, and the system's resolver waits for it much
        longer than anybody would for an end.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(HANGING_LOOKUPS, encoding="utf-8")
        environment = ourEnvironment()
        environment["PYTHONPATH"] = os.pathsep.join([str(folder.resolve()), environment["PYTHONPATH"]])
        words = [*PLAIN, "-a", LOOPBACK, "-p", "0", HANGING_NAME, "9"]
        starts: list[tuple[str, MakeCommand]] = [
            ("client", foregroundCommand),
            ("server", foregroundCommand),
            ("server", ourCommand),
        ]
        programs = [self.start(which, make(which, *words), environment) for which, make in starts]
        programs.append(self.start("client", ourCommand("client", *words, "--resolve-once"), environment))
        application = self.udpEnd()
        for program in programs:
            address = self.listening(program)
            if program.name == "client":
                application.send(b"hello", address)
            else:
                tunnel = rawClient(address, SESSION_ID)
                self.addCleanup(tunnel.close)
        for program in programs:
            program.waitForLine("the lookup hangs")
        self.assertBothStop(*programs)

    def test_programsStopWhileThePeerIsFrozen(self) -> None:
        """
        The other program exists and does not read, so that nothing can be said to
        it, not even good-bye.
        """
        pki = self.newPki()
        stopping = []
        for frozen in ("server", "client"):
            target = self.udpEnd()
            pair = self.pair(target.address, pki)
            flow = self.flow(pair, target)
            flow.both(b"hello")
            (pair.server if frozen == "server" else pair.client).process.send_signal(signal.SIGSTOP)
            for _ in range(400):  # more than the kernel's buffers hold
                if frozen == "server":
                    flow.application.send(bytes(60000), pair.clientAddress)
                else:
                    target.send(bytes(60000), flow.source)
            stopping.append(pair.client if frozen == "server" else pair.server)
        self.assertBothStop(*stopping)


class RefusalTests(RigTestCase):
    """
    What cannot be used or does not start: one clear line, and status 1 or 2.
    """

    def cases(self, folder: Path) -> list[Case]:
        """
        @return: each thing that can be wrong.
        """
        pki = self.newPki()
        other = self.newPki()
        taken = socket.create_server((LOOPBACK, 0))
        self.addCleanup(taken.close)
        takenUdp = self.udpEnd()
        secret = folder / "secret.pem"
        secret.write_bytes(Path(pki.serverKey).read_bytes())
        secret.chmod(0)
        listen = ["-a", LOOPBACK, "-p"]
        tcp, udp = str(taken.getsockname()[1]), str(takenUdp.address[1])
        own = ["-c", pki.serverCertificate, "-k"]
        noMark = withoutCapabilities("net_admin", "net_raw")
        noRead = withoutCapabilities("dac_override", "dac_read_search")
        inUse = r"cannot listen on 127.0.0.1 port {} \({}\): Address already in use"
        return [
            ("server", [*PLAIN, *listen, tcp, *NOWHERE], inUse.format(tcp, "TCP"), 1, []),
            ("client", [*PLAIN, *listen, udp, *NOWHERE], inUse.format(udp, "UDP"), 1, []),
            ("client", [*PLAIN, *listen, "0", "-m", "0xca6c", *NOWHERE], "--mark 0xca6c: .*CAP_NET_ADMIN", 1, noMark),
            ("server", [*own, str(secret), *NOWHERE], f"{secret}: Permission denied", 2, noRead),
            ("client", ["-C", str(folder / "no.pem"), *NOWHERE], f"{folder}/no.pem: No such file", 2, []),
            ("server", [*own, other.serverKey, *NOWHERE], f"{other.serverKey} does not match", 2, []),
            ("server", [*NOWHERE], "a server needs --cert: `uotp cert DIR` makes one", 2, []),
            ("client", ["--tls-server-name=x", *NOWHERE], "did you mean --tls-servername", 2, []),
            ("client", ["\u2013e", "2m", *NOWHERE], r"U\+2013 is in it, a dash that is no hyphen: write -e", 2, []),
            ("server", [*PLAIN, "--expire", "2m", *NOWHERE], "--expire is an option of uotp-client", 2, []),
            ("client", [LOOPBACK], "two arguments are needed", 2, []),
            ("server", [*PLAIN, "-l", str(folder / "no/log"), *NOWHERE], "--logfile .*No such file", 2, []),
        ]

    def assertOneLine(self, done: subprocess.CompletedProcess[str], reason: str, status: int) -> None:
        """
        The reason is given in one line, and there is no traceback.
        """
        everything = done.stdout + done.stderr
        self.assertEqual(done.returncode, status, everything)
        self.assertNotIn("Traceback", everything)
        self.assertNotIn("Unhandled", everything)
        matching = [line for line in everything.splitlines() if re.search(reason, line)]
        self.assertEqual(len(matching), 1, f"{reason!r} in one line:\n{everything}")

    def test_consoleScriptsSayWhyInOneLine(self) -> None:
        """
        On standard error is that line and nothing else.
        """
        cases = self.cases(self.folder())
        done = runAllToEnd([[*before, *ourCommand(which, *words)] for which, words, _, _, before in cases])
        for (which, _, reason, status, _), result in zip(cases, done, strict=True):
            self.assertOneLine(result, reason, status)
            self.assertRegex(result.stderr, rf"\Auotp-{which}: [^\n]+\n\Z")
            self.assertEqual(result.stdout, "")

    def test_twistdInTheForegroundSaysWhyInOneLine(self) -> None:
        """
        It does so between the lines of its log.
        """
        cases = self.someOfEachKind()
        done = runAllToEnd([[*before, *foregroundCommand(which, *words)] for which, words, _, _, before in cases])
        for (which, _, reason, status, _), result in zip(cases, done, strict=True):
            self.assertOneLine(result, rf"uotp-{which}: .*{reason}", status)

    def test_daemonSaysWhyBeforeItLeaves(self) -> None:
        """
        Whoever starts the daemon gets the reason and the status, and neither a
        daemon nor a pid file is left.
        """
        cases = self.someOfEachKind()
        daemons = [self.daemon(which, *words) for which, words, _, _, _ in cases]
        done = runAllToEnd([[*before, *daemon.command] for daemon, (*_, before) in zip(daemons, cases, strict=True)])
        for (_, _, reason, status, _), daemon, result in zip(cases, daemons, done, strict=True):
            self.assertOneLine(result, reason, status)
            self.assertFalse(daemon.pidFile.exists())
            self.assertNotIn("Traceback", daemon.log())

    def someOfEachKind(self) -> list[Case]:
        """
        @return: one case for each way in which twistd comes to know of it.
        """
        portTaken, _, markRefused, _, _, keyMismatch, noCertificate, *_ = self.cases(self.folder())
        return [portTaken, markRefused, keyMismatch, noCertificate]

    def folder(self) -> Path:
        """
        @return: a new directory.
        """
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        return folder


class LogTests(RigTestCase):
    """
    Where the log goes, and how much of it there is.
    """

    def test_logFileIsWrittenAndOpenedAgain(self) -> None:
        """
        With C{--logfile} the terminal stays empty; when logrotate has moved the file
        away and sent SIGHUP, a new one is written, under twistd too.
        """
        for make in (ourCommand, foregroundCommand):
            path = Path(self.mktemp())
            moved = Path(f"{path}.1")
            words = [*PLAIN, "-a", LOOPBACK, "-p", "0", "-l", str(path), *NOWHERE]
            program = self.start("our client", make("client", *words))
            until(lambda path=path: path.exists() and "plain TCP" in path.read_text(), "the log is written")  # type: ignore[misc]
            path.rename(moved)
            before = moved.read_bytes()
            program.process.send_signal(signal.SIGHUP)
            until(lambda path=path: path.exists() and "reloaded" in path.read_text(), "there is a new log")  # type: ignore[misc]
            self.assertStops(program)
            self.assertIn("stopping", path.read_text())
            self.assertEqual(moved.read_bytes(), before)
            if make is ourCommand:
                self.assertEqual(program.lines, [])
            else:
                self.assertEqual(len(said(program, "stopping")), 1, "twistd's own log has it too")

    def test_verbosityIsObeyed(self) -> None:
        """
        C{-v debug} says more than C{-v info}, and C{-v error} says nothing while all
        is well.
        """
        target = self.udpEnd()
        programs: dict[str, Program] = {}
        for word in ("debug", "info", "error"):
            port = freePort(socket.SOCK_STREAM)
            programs[word] = self.startServer(target.address, *PLAIN, "-v", word, listen=(LOOPBACK, port))
            self.addCleanup(self.greet((LOOPBACK, port)).close)
            target.expect(b"hello")
        for program in programs.values():
            self.assertStops(program)
        debug, info = ("\n".join(programs[word].lines) for word in ("debug", "info"))
        self.assertIn("#info] session 00010203 opened", info)
        self.assertNotIn("#debug]", info)
        self.assertIn("#info] session 00010203 opened", debug)
        self.assertIn("#debug]", debug)
        self.assertEqual(programs["error"].lines, [])

    def greet(self, server: Address) -> socket.socket:
        """
        @return: a connection to a server that may still be starting, which has sent
            a datagram.
        """
        found: list[socket.socket] = []

        def connected() -> bool:
            try:
                found.append(rawClient(server, SESSION_ID + b"\x00\x05hello").socket)
            except ConnectionRefusedError:
                return False
            return True

        until(connected, "the server accepts")
        return found[0]
