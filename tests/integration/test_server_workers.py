"""
A server with several workers, as its clients and its administrator see it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil

from bench.rig.ports import LOOPBACK, Address
from bench.rig.procfs import running
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.doubles.certificates import CLIENT, Authority, pem
from tests.integration.harness import needed, requireProcfs
from tests.integration.rawformat2 import WELCOME, RawTunnel2, clientHello, newId, tlsContext, train
from tests.integration.rawpeers import RawTunnel
from tests.integration.rig import PLAIN, RigTestCase, said
from uotp.net.steering import steeringTrouble
from uotp.services import WORKER_MODULE
from uotp.workers.launching import commandOf

FORMAT_2 = ("--wire", "2")

ADDRESSES = 8
"""So many addresses of ours the tunnels of one session come from."""

KNOCKING_ADDRESSES = 32
"""From so many addresses somebody knocks at the start: each worker accepts what comes from some of them."""

CONNECTIONS = 1000
"""So many connections of some addresses are looked at."""

BATCH = 50
"""So many of them are open at a time."""

RELOADS = 10

LOOK_SECONDS = 0.02
"""So long one tunnel is looked at."""


def workersOf(pid: int) -> list[int]:
    """
    @return: the processes that a program has started, in the order of their numbers.
    """
    found = {}
    for child in psutil.Process(pid).children():
        try:
            words = child.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if words[1:3] == commandOf(WORKER_MODULE):
            found[int(words[-1])] = child.pid
    return [found[number] for number in sorted(found)]


def hasEnded(pid: int) -> bool:
    """
    @return: whether a process is no more.
    """
    return not running(pid)


def hasAccepted(pid: int) -> bool:
    """
    @return: whether a worker has a connection, as it may as soon as it is ready.
    """
    try:
        found = psutil.Process(pid).net_connections("tcp")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return any(each.status == psutil.CONN_ESTABLISHED for each in found)


class ServerWorkersTestCase(RigTestCase):
    """
    Starts a server with two workers.
    """

    def setUp(self) -> None:
        super().setUp()
        requireProcfs()
        trouble = steeringTrouble()
        if trouble is not None:
            needed(trouble)
        self.end = self.udpEnd()

    def startWorkers(self, *options: str, workers: int = 2) -> tuple[Program, Address]:
        """
        @return: the server, whose workers are ready, and where it listens.
        """
        server = self.startServer(self.end.address, "--workers", str(workers), *options)
        address = self.listening(server)
        with contextlib.ExitStack() as closing:
            for last in range(1, KNOCKING_ADDRESSES + 1):
                closing.enter_context(socket.create_connection(address, HANG_SECONDS, (f"127.0.9.{last}", 0)))
            pids = partial(workersOf, server.process.pid)
            until(lambda: sum(map(hasAccepted, pids())) == workers, "all workers accept connections")
        return server, address

    def dial(
        self,
        server: Address,
        sessionId: bytes,
        host: str = LOOPBACK,
        context: ssl.SSLContext | None = None,
    ) -> RawTunnel2:
        """
        @param host: the address of ours that it comes from.
        @return: a tunnel that the server has welcomed.
        """
        tunnel = self.knock(server, clientHello(sessionId), host, context)
        self.assertEqual(tunnel.readHello()[0], WELCOME)
        return tunnel

    def knock(
        self, server: Address, begin: bytes, host: str = LOOPBACK, context: ssl.SSLContext | None = None
    ) -> RawTunnel2:
        """
        @param begin: what is said first.
        @return: a tunnel of which nothing was read.
        """
        connection = socket.create_connection(server, HANG_SECONDS, (host, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            connection = context.wrap_socket(connection, server_hostname=server[0])
        tunnel = RawTunnel2(RawTunnel(connection))
        self.addCleanup(tunnel.close)
        tunnel.say(begin)
        return tunnel

    def workerOf(self, server: Program, sessionId: bytes) -> int:
        """
        @return: the number of the worker that has opened a session.
        """
        match = server.waitForLine(rf"worker (\d+): session {sessionId[:4].hex()} opened")
        return int(match[1])

    def sessionsOfEach(
        self, program: Program, server: Address, context: ssl.SSLContext | None = None
    ) -> dict[int, tuple[bytes, str, RawTunnel2]]:
        """
        @return: for each of two workers, a session with the address that it comes from and its tunnel.
        """
        found: dict[int, tuple[bytes, str, RawTunnel2]] = {}
        for last in range(1, 100):
            if len(found) > 1:
                break
            host, sessionId = f"127.0.0.{last}", newId()
            tunnel = self.dial(server, sessionId, host, context)
            found.setdefault(self.workerOf(program, sessionId), (sessionId, host, tunnel))
        self.assertEqual(set(found), {1, 2})
        return found

    def ask(self, tunnel: RawTunnel2, number: int, datagram: bytes) -> Address:
        """
        Send a datagram to the target and back.

        @param number: its number.
        @return: where the target has seen it come from.
        """
        tunnel.say(train(number, datagram))
        source = self.end.expect(datagram)
        self.end.send(datagram, source)
        self.assertEqual(tunnel.expect(0).payload, datagram)
        return source


class SessionTests(ServerWorkersTestCase):
    """
    One session is one session, whoever accepts its tunnels.
    """

    def oneSession(self, server: Program, address: Address, context: ssl.SSLContext | None) -> None:
        """
        Its tunnels come from several addresses, and carry in turn.
        """
        sessionId = newId()
        tunnels = [self.dial(address, sessionId, f"127.0.0.{1 + number}", context) for number in range(ADDRESSES)]
        sources = set()
        for number in range(10 * ADDRESSES):
            tunnel = tunnels[number % ADDRESSES]
            tunnel.say(train(number, b"%d" % number))
            sources.add(self.end.expect(b"%d" % number))
        self.assertEqual(len(sources), 1, "one source port at the target")
        self.workerOf(server, sessionId)  # has said that it has opened it
        opened = said(server, f"session {sessionId[:4].hex()} opened")
        self.assertEqual(len(opened), 1, opened)
        # What the target sends comes by one of them.
        (source,) = sources
        self.end.send(b"answer", source)
        came = bytearray()

        def look() -> bool:
            for tunnel in tunnels:
                tunnel.raw.socket.settimeout(LOOK_SECONDS)
                with contextlib.suppress(TimeoutError):
                    came.extend(tunnel.raw.socket.recv(4096))
            return b"answer" in came

        until(look, "the answer comes by one of them")

    def test_tunnelsFromSeveralAddressesAreOneSession(self) -> None:
        """
        Over TLS, where a worker that has the wrong connection relays it.
        """
        pki = self.newPki()
        server, address = self.startWorkers(*["-c", pki.serverCertificate, "-k", pki.serverKey])
        self.oneSession(server, address, tlsContext(pki.caCertificate))
        self.assertStops(server)

    def test_withoutTlsConnectionsAreHandedOver(self) -> None:
        """
        As behind what ends TLS.
        """
        server, address = self.startWorkers(*PLAIN)
        self.oneSession(server, address, None)
        self.assertStops(server)

    def test_sessionsBehindOneAddressAreSpread(self) -> None:
        """
        Behind what ends TLS all connections come from one address: all workers get some of the sessions.
        """
        server, address = self.startWorkers(*PLAIN, "--owner-share", "100")
        ids = [newId() for _ in range(20)]
        for number, sessionId in enumerate(ids):
            tunnel = self.dial(address, sessionId)
            self.ask(tunnel, 0, b"%d" % number)
        places = [self.workerOf(server, sessionId) for sessionId in ids]
        self.assertTrue(8 <= places.count(1) <= 12, places)

    def test_largeDatagramsPassARelay(self) -> None:
        """
        Both ways, in order, more of them than any buffer on the way holds.
        """
        pki = self.newPki()
        program, address = self.startWorkers(*["-c", pki.serverCertificate, "-k", pki.serverKey])
        context = tlsContext(pki.caCertificate)
        found = self.sessionsOfEach(program, address, context)
        sessionId, _, own = found[1]
        _, elsewhere, _ = found[2]
        tunnel = self.dial(address, sessionId, elsewhere, context)
        own.close()  # so that what comes back comes by the other
        datagrams = [bytes([number]) * 1200 for number in range(200)]
        number = 0
        for datagram in datagrams:
            tunnel.say(train(number, *[datagram] * 4))
            number += 4
            (source,) = {self.end.expect(datagram) for _ in range(4)}
        for datagram in datagrams:
            for _ in range(4):
                self.end.send(datagram, source)
            came: list[bytes] = []
            while len(came) < 4:
                frame = tunnel.expect(0)
                size = frame.segment
                came += [frame.payload[start : start + size] for start in range(0, len(frame.payload), size)]
            self.assertEqual(came, [datagram] * 4)

    def test_addressesStayWithTheirWorker(self) -> None:
        """
        Over many connections, and over a restart of a worker.
        """
        server, address = self.startWorkers(*PLAIN)
        hosts = [f"127.0.0.{last}" for last in range(1, BATCH + 1)]
        first = self.acceptors(server, address, hosts)
        self.assertEqual(set(first.values()), {1, 2})
        for number in range(CONNECTIONS // BATCH):
            if number == CONNECTIONS // BATCH // 2:
                os.kill(workersOf(server.process.pid)[0], signal.SIGKILL)
                server.waitForLine("worker 1 .*has ended by SIGKILL: it is started again at once")
            self.assertEqual(self.acceptors(server, address, hosts), first)

    def acceptors(self, server: Program, address: Address, hosts: list[str]) -> dict[str, int]:
        """
        @return: which worker accepts what comes from each address.
        """
        opened = {}
        for host in hosts:
            connection = socket.create_connection(address, HANG_SECONDS, (host, 0))
            opened[connection.getsockname()] = connection
        found: dict[str, int] = {}

        def look() -> bool:
            for number, pid in enumerate(workersOf(server.process.pid), 1):
                for each in psutil.Process(pid).net_connections("tcp"):
                    if each.raddr and tuple(each.raddr) in opened:
                        found[each.raddr.ip] = number
            return len(found) == len(hosts)

        until(look, "all connections were accepted")
        for connection in opened.values():
            connection.close()
        return found


class FailingWorkersTests(ServerWorkersTestCase):
    """
    One worker has trouble; the sessions of the others do not notice.
    """

    def test_aWorkerThatIsKilledCostsOnlyItsOwnSessions(self) -> None:
        """
        The other's lose nothing, and its own begin anew with the next one.
        """
        pki = self.newPki()
        server, address = self.startWorkers(*["-c", pki.serverCertificate, "-k", pki.serverKey])
        context = tlsContext(pki.caCertificate)
        found = self.sessionsOfEach(server, address, context)
        sources = {number: self.ask(tunnel, 0, b"before") for number, (_, _, tunnel) in found.items()}
        killed, other = workersOf(server.process.pid)
        os.kill(killed, signal.SIGKILL)
        for number in range(1, 200):
            self.assertEqual(self.ask(found[2][2], number, b"%d" % number), sources[2])
        found[1][2].raw.waitUntilClosed()
        sessionId, host, _ = found[1]
        again = self.dial(address, sessionId, host, context)
        self.assertNotEqual(self.ask(again, 0, b"after"), sources[1])
        self.assertEqual(workersOf(server.process.pid)[1], other)
        self.assertStops(server)

    def test_sessionsOfADeadWorkerMayBeginElsewhere(self) -> None:
        """
        Their tunnels may come from an address that leads to the other one.
        """
        server, address = self.startWorkers(*PLAIN)
        found = self.sessionsOfEach(server, address)
        os.kill(workersOf(server.process.pid)[0], signal.SIGKILL)
        server.waitForLine("worker 1 .*has ended by SIGKILL")
        again = self.dial(address, found[1][0], found[2][1])
        self.ask(again, 0, b"here now")

    def test_aWorkerThatHangsIsReplaced(self) -> None:
        """
        Within some seconds, whatever it hangs in.
        """
        server, address = self.startWorkers(*PLAIN)
        found = self.sessionsOfEach(server, address)
        hung, _ = workersOf(server.process.pid)
        os.kill(hung, signal.SIGSTOP)
        number = 0
        while running(hung):
            self.ask(found[2][2], number, b"%d" % number)
            number += 1
            time.sleep(LOOK_SECONDS)
        server.waitForLine(rf"worker 1 \(process {hung}\) has not answered for 10 s: it is ended")
        again = self.dial(address, newId(), found[1][1])
        self.ask(again, 0, b"served")
        self.ask(found[2][2], number, b"never noticed")

    def test_restartsByTurnsCostOnlyTheSessionsOfEach(self) -> None:
        """
        As an administrator may do it, with SIGTERM.
        """
        server, address = self.startWorkers(*PLAIN)
        found = self.sessionsOfEach(server, address)
        for turn in range(2):
            number = 1 + turn % 2
            before = workersOf(server.process.pid)
            os.kill(before[number - 1], signal.SIGTERM)
            until(partial(self.isReplaced, server, before, number), "it is replaced")
            other = 3 - number
            sessionId, host, tunnel = found[other]
            self.ask(tunnel, turn, b"other")
            sessionId, host, _ = found[number]
            tunnel = self.dial(address, sessionId, host)
            self.ask(tunnel, turn + 1, b"own")
            found[number] = sessionId, host, tunnel
        self.assertStops(server)

    def isReplaced(self, server: Program, before: list[int], number: int) -> bool:
        now = workersOf(server.process.pid)
        return len(now) == len(before) and now[number - 1] != before[number - 1]

    def test_workersEndWithTheirParent(self) -> None:
        """
        Also when it was killed: nobody else could lead them.
        """
        server, address = self.startWorkers(*PLAIN)
        self.dial(address, newId())
        pids = workersOf(server.process.pid)
        server.process.kill()
        for pid in pids:
            until(partial(hasEnded, pid), "a worker has ended")


class StopTests(ServerWorkersTestCase):
    """
    How all of them stop together.
    """

    def test_sigtermEndsAll(self) -> None:
        """
        With status 0, and no process is left.
        """
        server, address = self.startWorkers(*PLAIN, workers=3)
        tunnel = self.dial(address, newId())
        pids = workersOf(server.process.pid)
        self.assertStops(server)
        self.assertEqual([pid for pid in pids if running(pid)], [])
        tunnel.raw.waitUntilClosed()
        self.assertEqual(said(server, "Traceback"), [])

    def test_aTerminalsInterruptEndsAll(self) -> None:
        """
        It goes to the whole group, and the workers leave it to their parent.
        """
        where = ["-a", LOOPBACK, "-p", "0", "--workers", "2", *PLAIN]
        script = "import os, sys; os.setpgrp(); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        words = ["-m", self.module, "server", *where, *map(str, self.end.address)]
        server = self.start("our server", [sys.executable, "-c", script, *words])
        self.listening(server)
        until(lambda: len(workersOf(server.process.pid)) == 2, "both workers run")
        os.killpg(server.process.pid, signal.SIGINT)
        self.assertEqual(server.waitForExit(), 0)
        self.assertEqual(said(server, "has ended by"), [])

    def test_aStopWhileWorkersStartEndsAll(self) -> None:
        """
        They have not said that they are ready.
        """
        server = self.startServer(self.end.address, "--workers", "4", *PLAIN)
        self.listening(server)
        self.assertStops(server)
        self.assertEqual(said(server, "Traceback"), [])

    def test_aDaemonHasWorkersToo(self) -> None:
        """
        Its log has their lines, and its pid file is its own.
        """
        words = ["-a", LOOPBACK, "-p", "0", "--workers", "2", *PLAIN, *map(str, self.end.address)]
        daemon = self.daemon("server", *words)
        self.assertEqual(daemon.start().returncode, 0)
        address = daemon.listening()
        tunnel = self.dial(address, newId())
        self.ask(tunnel, 0, b"through a daemon")
        until(lambda: ": session " in daemon.log(), "a worker's line is in the log")
        until(lambda: len(workersOf(daemon.pid)) == 2, "both workers run")
        pids = workersOf(daemon.pid)
        os.kill(daemon.pid, signal.SIGTERM)
        for pid in (daemon.pid, *pids):
            until(partial(hasEnded, pid), "all have ended")

    def test_aSecondServerAtThePortIsRefused(self) -> None:
        """
        With workers, the system would let it share the port.
        """
        _, address = self.startWorkers(*PLAIN)
        for workers in ("1", "2"):
            second = self.startServer(self.end.address, *PLAIN, "--workers", workers, listen=address)
            self.assertEqual(second.waitForExit(HANG_SECONDS), 1)
            self.assertEqual(len(said(second, "Address already in use")), 1)


class ReloadTests(ServerWorkersTestCase):
    """
    All workers use new certificates, or none does.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = Authority("CA")
        self.cafile = self.folder / "ca.pem"
        self.cafile.write_bytes(pem(self.authority.certificate))
        self.renew()

    def renew(self) -> None:
        """
        Let the server have another certificate.
        """
        self.authority.issue(LOOPBACK, "localhost").write(self.folder / "new.pem")
        shutil.move(self.folder / "new.pem", self.folder / "server.pem")

    def shown(self, address: Address, host: str) -> bytes:
        """
        @return: the certificate that the server shows to an address.
        """
        context = ssl.create_default_context(cafile=str(self.cafile))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        with (
            socket.create_connection(address, HANG_SECONDS, (host, 0)) as connection,
            context.wrap_socket(connection, server_hostname=LOOPBACK) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""

    def test_goodFilesAreUsedByAllAndBadOnesByNone(self) -> None:
        """
        Time after time, while sessions go on; a worker that is started later has the same.
        """
        server, address = self.startWorkers("-c", str(self.folder / "server.pem"))
        context = tlsContext(str(self.cafile))
        found = self.sessionsOfEach(server, address, context)
        hosts = [host for _, host, _ in found.values()]
        number = 0
        for turn in range(RELOADS):
            before = {self.shown(address, host) for host in hosts}
            self.assertEqual(len(before), 1)
            isGood = turn % 2 == 0
            good = (self.folder / "server.pem").read_bytes()
            if isGood:
                self.renew()
            else:
                (self.folder / "server.pem").write_bytes(good[: len(good) // 2])
            server.process.send_signal(signal.SIGHUP)
            for _ in range(5):
                for _, _, tunnel in found.values():
                    self.ask(tunnel, number, b"%d" % number)
                number += 1
            words = r"\breloaded$" if isGood else "not reloaded, the old certificates stay in use"
            count = turn // 2 + 1
            until(partial(self.hasSaid, server, words, count), f"line {words} {count}")
            if not isGood:
                os.kill(workersOf(server.process.pid)[0], signal.SIGHUP)  # which only the parent heeds
                self.assertEqual({self.shown(address, host) for host in hosts}, before)
                (self.folder / "server.pem").write_bytes(good)
            else:
                after = {self.shown(address, host) for host in hosts}
                self.assertEqual((len(after), after & before), (1, set()))
        # The disk has another file than is in use when a worker is started again; nobody can use it, or all would.
        used = {self.shown(address, host) for host in hosts}
        (self.folder / "server.pem").write_bytes(good[: len(good) // 2])
        os.kill(workersOf(server.process.pid)[0], signal.SIGKILL)
        server.waitForLine("worker 1 .*has ended by SIGKILL")
        self.assertEqual({self.shown(address, host) for host in hosts}, used)
        self.assertStops(server)

    def hasSaid(self, server: Program, words: str, times: int) -> bool:
        return self.count(server, words) == times

    def count(self, server: Program, words: str) -> int:
        if words.startswith("\\b"):
            return sum(line.endswith("reloaded") and "not reloaded" not in line for line in server.lines)
        return len(said(server, words))

    def test_aRevokedClientIsOutInEveryWorker(self) -> None:
        """
        Also where its tunnel is relayed.
        """
        server, address = self.startWorkers(
            *["-c", str(self.folder / "server.pem"), "-C", str(self.cafile), "--owner-share", "100"]
        )
        identity = self.authority.issue(subject="laptop", usages=CLIENT)
        identity.write(self.folder / "client.pem")
        context = tlsContext(str(self.cafile), str(self.folder / "client.pem"))
        found = self.sessionsOfEach(server, address, context)
        relayed = self.dial(address, found[1][0], found[2][1], context)
        relayed.say(train(0, b"relayed"))
        self.end.expect(b"relayed")
        revoked = self.authority.revocationList(identity.certificate)
        self.cafile.write_bytes(pem(self.authority.certificate) + revoked)
        server.process.send_signal(signal.SIGHUP)
        for _, _, tunnel in found.values():
            tunnel.raw.waitUntilClosed()
        relayed.raw.waitUntilClosed()


class LimitTests(ServerWorkersTestCase):
    """
    What there may be holds for all workers together.
    """

    def test_sessionsCountOverAllWorkers(self) -> None:
        """
        Whoever has reached his share gives up one of his own, and others keep theirs.
        """
        server, address = self.startWorkers(*PLAIN, "--max-sessions", "8", "--owner-share", "50")
        other = self.dial(address, newId(), "127.0.1.1")
        self.ask(other, 0, b"other")
        mine = []
        for number in range(6):
            mine.append(self.dial(address, newId()))
            self.ask(mine[-1], 0, b"%d" % number)
        for gone in mine[:2]:
            gone.raw.waitUntilClosed()
        for kept in mine[2:]:
            self.ask(kept, 1, b"kept")
        self.ask(other, 1, b"still there")
        server.waitForLine("127.0.0.1 has 4 of at most 8 sessions")

    def test_connectionsOfAnOwnerCountOverAllWorkers(self) -> None:
        """
        An owner with a certificate may come from any address.
        """
        pki = self.newPki()
        _, address = self.startWorkers(
            *["-c", pki.serverCertificate, "-k", pki.serverKey, "-C", pki.caCertificate],
            *["--max-connections", "64", "--owner-share", "10"],
        )
        context = tlsContext(pki.caCertificate, pki.clientCertificate, pki.clientKey)
        sessionId = newId()
        for last in range(1, 7):
            self.dial(address, sessionId, f"127.0.0.{last}", context)
        refused = self.knock(address, clientHello(sessionId), "127.0.0.9", context)
        self.assertNotEqual(refused.readHello()[0], WELCOME)


class StartTests(ServerWorkersTestCase):
    """
    What an administrator is told at the start.
    """

    def test_oneProcessorHasOneProcess(self) -> None:
        """
        As many workers as there are processors: with one, there is no parent.
        """
        if shutil.which("taskset") is None:
            self.skipTest("taskset is missing")
        where = ["-a", LOOPBACK, "-p", "0", "--workers", "auto", *PLAIN]
        words = [sys.executable, "-m", self.module, "server", *where, *map(str, self.end.address)]
        server = self.start("our server", ["taskset", "-c", str(min(os.sched_getaffinity(0))), *words])
        address = self.listening(server)
        tunnel = self.dial(address, newId())
        self.ask(tunnel, 0, b"alone")
        self.assertEqual(workersOf(server.process.pid), [])

    def test_whatConcernsTheServerIsSaidOnce(self) -> None:
        """
        And not by each worker.
        """
        server, address = self.startWorkers(*PLAIN)
        self.dial(address, newId())
        server.waitForLine("session .* opened")
        for words in ("listening on", "plain TCP: everybody", "whoever reaches this port"):
            self.assertEqual(len(said(server, words)), 1, words)
        self.assertEqual(said(server, "starting on"), [])

    def test_nobodyStartsAWorkerByHand(self) -> None:
        """
        It has nobody to work for.
        """
        ended = subprocess.run(
            [sys.executable, "-m", "uotp.cli.worker", "server", "1"],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=HANG_SECONDS,
        )
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stderr, "uotp: this program is started by one that has workers, and by nobody else\n")

    def test_secretsAreNeitherOnACommandLineNorInTheLog(self) -> None:
        """
        Anybody on the machine can read the former.
        """
        pki = self.newPki()
        server, address = self.startWorkers(
            "-v", "debug", *["-c", pki.serverCertificate, "-k", pki.serverKey, "-C", pki.caCertificate]
        )
        sessionId = newId()
        self.dial(address, sessionId, context=tlsContext(pki.caCertificate, pki.clientCertificate, pki.clientKey))
        for pid in workersOf(server.process.pid):
            self.assertEqual(psutil.Process(pid).cmdline()[1:-1], [*commandOf(WORKER_MODULE), "server"])
            environment = " ".join(psutil.Process(pid).environ().values())
            self.assertNotIn("PRIVATE KEY", environment)
        self.assertStops(server)
        text = "\n".join(server.lines)
        self.assertNotIn(sessionId.hex(), text)
        self.assertNotIn("PRIVATE KEY", text)
        self.assertNotIn(repr(sessionId)[2:-1], text)
