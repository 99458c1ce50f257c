"""
C{uotp demo} and C{uotp cert} as a user meets them who does what they print.
"""

from __future__ import annotations

import re
import shlex
import signal
import socket
from pathlib import Path

from bench.rig.ports import LOOPBACK, freePort
from tests.integration.harness import ourCommand, runToEnd
from tests.integration.rig import RigTestCase, said
from tests.integration.udpends import Flow
from tests.integration.webservers import PATH

ROWS = ("sent", "returned", "lost", "out of order", "round trip, 50 %", "round trip, 99 %", "datagrams/s")


class DemoTests(RigTestCase):
    """
    C{uotp demo}.
    """

    def test_demoShowsATableAndSucceeds(self) -> None:
        """
        All datagrams come back, a table says so, and the status is 0.
        """
        done = runToEnd(ourCommand("demo", "--count", "500"))
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        rows = {line[:24].strip(): line[24:].split() for line in done.stdout.splitlines()}
        for name in ROWS:
            self.assertIn(name, rows)
        self.assertEqual(rows["sent"], rows["returned"])
        self.assertEqual(rows["sent"][-1], "500")
        self.assertEqual(set(rows["lost"]), {"0"})
        self.assertRegex(done.stdout.splitlines()[-1], r"^OK: all \d+ datagrams came back intact$")

    def test_demoListensForAProgramOfTheUsers(self) -> None:
        """
        With C{--listen} it stays, echoes what a program sends to the address that it
        prints, and ends at Ctrl-C, with status 0.
        """
        # A shell that runs us in the background has SIGINT ignored, by us and by what we start.
        ours = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, ours)
        demo = self.start("demo", ourCommand("demo", "--count", "100", "--listen"))
        match = demo.waitForLine(r"Still running: .* UDP ([0-9.]+) port (\d+) ")
        application = self.udpEnd()
        for size in (0, 1, 1400, 65507):
            application.send(bytes(size), (match[1], int(match[2])))
            application.expect(bytes(size))
        self.assertStops(demo, signal.SIGINT)


class CertTests(RigTestCase):
    """
    C{uotp cert}.
    """

    def commandLines(self, printed: str) -> list[list[str]]:
        """
        @return: the words of the command lines that were printed, in their order.
        """
        return [shlex.split(line) for line in re.findall(r"^ +(uotp-(?:server|client) .*)$", printed, re.MULTILINE)]

    def test_commandLinesWorkAsPrinted(self) -> None:
        """
        Server and client started with the printed lines, in which only the ports are
        others, work together, with the CA and with the pin.
        """
        folder = Path(self.mktemp(), "my certificates")
        done = runToEnd(ourCommand("cert", str(folder), "--host", "localhost", "--host", LOOPBACK))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        server, client, pinned = self.commandLines(done.stdout)
        target = self.udpEnd()
        port = str(freePort(socket.SOCK_STREAM))
        self.assertEqual(server[-2:], [LOOPBACK, "51820"])
        words = [*server[1:-1], str(target.address[1]), "-p", port]
        ours = self.start("our server", ourCommand("server", *words))
        clients = []
        for line in (client, pinned):
            self.assertEqual(line[-2:], ["localhost", "8443"])
            words = [*line[1:-1], port, "-p", "0"]
            clients.append(self.start("our client", ourCommand("client", *words)))
        self.listening(ours)
        for one in clients:
            Flow(self.udpEnd(), self.listening(one), target).both(b"hello")

    def test_aRevokedClientIsShutOutAndTheOthersStay(self) -> None:
        """
        Clients that were enrolled by one file each carry datagrams.  When one of them is revoked, and the
        server reads the list, its session ends, it is told why, and the other one goes on.
        """
        folder = Path(self.mktemp())
        printed = self.cert("init", str(folder), "--host", LOOPBACK)
        server, _, _ = self.commandLines(printed)
        target = self.udpEnd()
        port = str(freePort(socket.SOCK_STREAM))
        words = [*server[1:-2], *map(str, target.address), "-p", port]
        ours = self.start("our server", ourCommand("server", *words))
        clients, flows = {}, {}
        self.listening(ours)
        for name in ("laptop", "phone"):
            self.cert("add", name, "--pki", str(folder), "--bundle", f"{LOOPBACK}:{port}")
            words = [str(folder / f"{name}.uotp"), "-p", "0"]
            clients[name] = self.start(f"our client {name}", ourCommand("client", *words))
            flows[name] = Flow(self.udpEnd(), self.listening(clients[name]), target)
            flows[name].openPool()  # or its session would end soon, while others are enrolled
            ours.waitForLine(f"session .* opened from .*{name}")
        flows["laptop"].both(b"still here")
        self.cert("revoke", "laptop", "--pki", str(folder))
        ours.waitForLine(r"session .* \(laptop, .*\) ended: its client may not join any more")
        clients["laptop"].waitForLine("the peer refused our certificate: revoked")
        flows["phone"].both(b"still here")

    def test_aUrlAndAnotherServerAreInTheClientsOneFile(self) -> None:
        """
        A client that was enrolled by one file goes to the secret path of the first server, and to the second
        server when the first has gone.  Neither it nor the first server names the path.
        """
        folder = Path(self.mktemp())
        server, _, _ = self.commandLines(self.cert("init", str(folder), "--host", LOOPBACK))
        target = self.udpEnd()
        words = [*server[1:-2], *map(str, target.address), "-p", "0"]
        first = self.start("our first server", ourCommand("server", *words, "--http-path", PATH))
        second = self.start("our second server", ourCommand("server", *words))
        url = f"wss://{LOOPBACK}:{self.listening(first)[1]}{PATH}"
        other = f"{LOOPBACK}:{self.listening(second)[1]}"
        self.cert("add", "laptop", "--pki", str(folder), "--bundle", url, "--bundle", other)
        client = self.start("our client", ourCommand("client", str(folder / "laptop.uotp"), "-p", "0"))
        flow = Flow(self.udpEnd(), self.listening(client), target)
        flow.both(b"hello")
        first.waitForLine("session .* opened from .*laptop")
        self.assertStops(first, signal.SIGTERM)
        flow.resume()
        second.waitForLine("session .* opened from .*laptop")
        for program in (first, client):
            self.assertEqual(said(program, PATH[1:]), [])

    def cert(self, *words: str) -> str:
        """
        @return: what C{uotp cert} says.
        """
        done = runToEnd(ourCommand("cert", *words))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_certificatesAreNotOverwritten(self) -> None:
        """
        A second time in the same directory nothing is written, one line says why,
        and the status is not 0.
        """
        folder = Path(self.mktemp())
        self.assertEqual(runToEnd(ourCommand("cert", str(folder))).returncode, 0)
        before = {path: path.read_bytes() for path in folder.glob("**/*.*")}
        done = runToEnd(ourCommand("cert", str(folder)))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"\Auotp cert: .* already: [^\n]*\n\Z")
        self.assertEqual({path: path.read_bytes() for path in folder.glob("**/*.*")}, before)
        keys = [path for path in folder.iterdir() if path.suffix == ".key"]
        self.assertEqual([path.stat().st_mode & 0o777 for path in keys], [0o600] * 3)
