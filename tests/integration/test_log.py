"""
The log of real programs: nobody takes it, and what is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import twisted
import uotp
from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.procfs import udpPorts
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration.harness import requireProcfs
from tests.integration.rig import PLAIN, RigTestCase, foregroundCommand, said
from tests.integration.test_log_budget import WAYS
from tests.integration.udpends import UdpEnd
from uotp.telemetry.outlet import MAX_LINES

TALK = f"""\
from twisted.internet import reactor
from uotp.telemetry import Logger


def speak():
    for number in range({2 * MAX_LINES}):
        Logger("uotp.talk").info("line {{number}}", number=number)


reactor.callWhenRunning(reactor.callLater, 0.0, speak)
"""
"""What makes one of our programs say more than can wait."""

LOST = re.compile(rb"\[uotp\.telemetry#warn\] (\d+) log lines were lost, since nobody took them\n")

ASKED_SECONDS = 0.2
EXCHANGES = 20


class Unread:
    """
    Is a pipe that is full and that nobody reads.

    @ivar path: its name.
    @ivar text: what was read of it since.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.text = b""
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.fill()

    def fill(self) -> None:
        """
        Let there be no room for a byte.
        """
        for size in (65536, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(self._end, bytes(size))

    def read(self) -> None:
        """
        Take what is there.
        """
        with contextlib.suppress(BlockingIOError):
            self.text += os.read(self._end, 1 << 20)

    def close(self) -> None:
        """
        Let it be.
        """
        os.close(self._end)


class UnreadLogTests(RigTestCase):
    """
    Run clients whose log nobody takes.
    """

    def logTo(self, pipe: Unread, command: list[str]) -> Program:
        """
        Start a program that writes its standard output and error to a pipe.
        """
        return self.start("unread", ["sh", "-c", 'exec "$@" >"$0" 2>&1', pipe.path, *command])

    def unread(self) -> Unread:
        """
        @return: a pipe, until the test is over.
        """
        pipe = Unread(os.path.abspath(self.mktemp()))
        self.addCleanup(pipe.close)
        return pipe

    def answers(self, source: UdpEnd, client: Address) -> bool:
        """
        @return: whether something that is sent to a client comes back soon.
        """
        source.send(b"ping", client)
        return source.receive(ASKED_SECONDS) is not None

    def test_theFlowGoesOnAndWhatIsLostIsCounted(self) -> None:
        """
        In every way to run a program, also when nobody reads from the beginning on.
        """
        server = self.startServer(self.target().address, *PLAIN)
        where = [str(word) for word in self.listening(server)]
        options = [*PLAIN, "-v", "debug", "-a", LOOPBACK, *where]
        more = {"twistd": ["uotp-client"], "twist": ["--log-format=text", "uotp-client"], "console script": ["client"]}
        for way, (run, words) in WAYS.items():
            pipe, port = self.unread(), freePort(socket.SOCK_DGRAM)
            program = self.logTo(
                pipe, [sys.executable, "-c", TALK + run, *words[:-1], *more[way], "-p", str(port), *options]
            )
            source, client = self.udpEnd(), (LOOPBACK, port)
            program.waitFor(lambda: self.answers(source, client), f"the first answer under {way}")  # noqa: B023 - called at once
            for _ in range(EXCHANGES):
                until(lambda: self.answers(source, client), f"an answer under {way}")  # noqa: B023 - called at once

            def isToldOf() -> bool:
                pipe.read()  # noqa: B023 - called at once
                return LOST.search(pipe.text) is not None  # noqa: B023 - called at once

            until(isToldOf, f"what was lost under {way}")
            self.assertIn(b"] line 0", pipe.text)
            self.assertStops(program)

    def test_aProgramEndsThoughNobodyTakesItsLastWords(self) -> None:
        """
        When it is stopped, when it cannot start, and when it cannot be understood.
        """
        requireProcfs()
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = freePort(socket.SOCK_DGRAM)
        for status, command in (
            (1, ["-m", "uotp.cli.main", "server", *PLAIN, "-a", LOOPBACK, "-p", str(taken.getsockname()[1]), "a", "1"]),
            (2, ["-m", "uotp.cli.main", "server", "--nonsense"]),
            (0, ["-m", "uotp.cli.main", "client", *PLAIN, "-p", str(port), LOOPBACK, "9"]),
        ):
            program = self.logTo(self.unread(), [sys.executable, *command])
            if not status:
                until(lambda: port in udpPorts(program.process.pid), "the client listens")  # noqa: B023 - called at once
                program.process.terminate()
            self.assertEqual(program.waitForExit(HANG_SECONDS), status)


class ContentTests(RigTestCase):
    """
    Read what two programs say at C{debug}.
    """

    def test_bothEndsSayWhoTheyAreAndWhatBecomesOfTunnels(self) -> None:
        pki = self.newPki()
        target = UdpEnd()
        self.addCleanup(target.close)
        debug = ("-v", "debug", "--wire", "2")
        pair = self.pair(target.address, pki, server=debug, client=(*debug, "-n", "1"))
        flow = self.flow(pair, target)
        flow.both(b"hello")
        certificate = ssl.PEM_cert_to_DER_cert(Path(pki.clientCertificate).read_text(encoding="ascii"))
        fingerprint = hashlib.sha256(certificate).hexdigest()[:8]
        pair.server.waitForLine(
            rf"session [0-9a-f]{{8}} opened from {LOOPBACK} \(\S.*, sha256 {fingerprint}\), 1 in all"
        )
        for program in (pair.server, pair.client):
            first = program.lines[0]
            for word in (f" {uotp.__version__} on ", f" Twisted {twisted.__version__} ", " OpenSSL ", "--wire 2"):
                self.assertIn(word, first)
            line = program.waitForLine(r"tunnel (\S+) to (\S+) carries for session \S+: (.*)$")
            self.assertRegex(line[3], r"^TLSv1\.3 TLS_\w+, ALPN http/1\.1, format 2; ")
            self.assertIn("{}:{}".format(*pair.serverAddress), line[1] + " " + line[2])
        pair.client.waitForLine("; the server has begun the session, keeps it for 150 s without a tunnel$")
        self.assertStops(pair.client)
        for program in (pair.server, pair.client):
            program.waitForLine(r"tunnel \S+ to \S+ of session \S+ has ended after [0-9.]+ s and \d+ bytes: ")
        self.assertStops(pair.server)
        self.assertTrue(said(pair.server, "] stopping"))


class PidFileTests(RigTestCase):
    """
    Start under twistd where a crash has left the pid file.
    """

    def test_anotherProgramHasTheNumber(self) -> None:
        other = subprocess.Popen(["/bin/sleep", "600"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        file = Path(os.path.abspath(self.mktemp()))
        file.write_text(str(other.pid), encoding="ascii")
        command = foregroundCommand("server", *PLAIN, "-a", LOOPBACK, "-p", "0", LOOPBACK, "9")
        command[command.index("--pidfile=")] = f"--pidfile={file}"
        program = self.start("a server", command)
        self.listening(program)
        self.assertEqual(int(file.read_text(encoding="ascii")), program.process.pid)
        self.assertTrue(said(program, "was left by a process that is gone"))
        again = self.start("another server", command)
        self.assertEqual(again.waitForExit(HANG_SECONDS), 1)
        self.assertStops(program)
