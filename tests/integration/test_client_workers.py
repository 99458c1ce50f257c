"""
A client with two workers, as real processes: each source has its own worker, and what becomes of one worker
costs the sources of the other nothing.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import os
import re
import selectors
import shutil
import signal
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import psutil

from bench.rig.ports import LOOPBACK, Address
from bench.rig.procfs import running
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration import original
from tests.integration.harness import needed, requireProcfs
from tests.integration.rig import Pair, RigTestCase, said
from uotp.net import steeringTrouble

WORKERS = 2
SOURCES = 40

PERIOD_SECONDS = 0.02
"""Each source sends so often."""

AFTER = 25
"""So many datagrams each source sends after everything is as before."""

LOST_SECONDS = 60.0
"""What has not come so long after the last one is lost."""

LOOK_SECONDS = 0.1
"""It is looked so often whether all has come."""

WINDOW = 5
"""So many of a source's datagrams may be on their way: what all of them send has room in any socket on it..."""

PATIENCE_SECONDS = 1.0
"""...but after so long another one is sent, since those may be lost."""


class Echoed:
    """
    Sends numbers from one source, and keeps which of them came back.

    @ivar sent: how many were sent.
    @ivar came: those that came back, in order.
    """

    def __init__(self, client: Address, name: bytes) -> None:
        """
        @param name: stands before each number.
        """
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(client)
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self._name = name
        self.sent = 0
        self.came: list[int] = []
        self._highest = -1
        self._moment = time.monotonic()  # when the last was sent, or has come

    @property
    def maySend(self) -> bool:
        """
        Whether what was sent has come, all but a few, or is not to be waited for any more.
        """
        return self.sent - self._highest <= WINDOW or time.monotonic() - self._moment > PATIENCE_SECONDS

    def send(self) -> None:
        """
        Send the next number.
        """
        self.socket.send(b"%b %d" % (self._name, self.sent))
        self.sent += 1
        self._moment = time.monotonic()

    def receive(self) -> None:
        """
        Take what has come.

        @raise AssertionError: when it was not sent from here.
        """
        while True:
            try:
                datagram = self.socket.recv(100)
            except BlockingIOError:
                return
            name, number = datagram.split()
            assert name == self._name, (name, self._name)
            self.came.append(int(number))
            self._highest = max(self._highest, int(number))
            self._moment = time.monotonic()

    @property
    def lost(self) -> list[int]:
        """
        Numbers that were sent and have not come back.
        """
        return sorted(set(range(self.sent)) - set(self.came))


class EchoedTogether:
    """
    Lets many sources send, each at its time.
    """

    def __init__(self, sources: Sequence[Echoed]) -> None:
        self.sources = sources
        self._selector = selectors.DefaultSelector()
        for source in sources:
            self._selector.register(source.socket, selectors.EVENT_READ, source)
        self._next = 0
        self._begun = time.monotonic()

    def run(self, condition: Callable[[], object], what: str) -> None:
        """
        Send until something is so.
        """
        end = time.monotonic() + HANG_SECONDS
        gap = PERIOD_SECONDS / len(self.sources)
        while not condition():
            if time.monotonic() > end:
                reason = f"not so: {what}; lost so far: { {source.port: source.lost[:9] for source in self.sources} }"
                raise AssertionError(reason)
            source = self.sources[self._next % len(self.sources)]
            if source.maySend:
                source.send()
            self._next += 1
            self._take(gap)

    def send(self, rounds: int) -> None:
        """
        Let each source send so many more.
        """
        last = {source: source.sent + rounds for source in self.sources}
        self.run(lambda: all(source.sent >= last[source] for source in self.sources), "all are sent")

    def settle(self, isEnough: Callable[[], bool] | None = None) -> None:
        """
        Take what comes until it is enough, or nothing does any more.

        @param isEnough: whether it is; all that was sent when left out.
        """
        isEnough = isEnough or (lambda: not any(source.lost for source in self.sources))
        last = time.monotonic()
        while not isEnough() and time.monotonic() - last < LOST_SECONDS:
            if self._take(LOOK_SECONDS):
                last = time.monotonic()

    def _take(self, seconds: float) -> bool:
        found = self._selector.select(seconds)
        for key, _ in found:
            key.data.receive()
        return bool(found)

    def close(self) -> None:
        """
        Close all.
        """
        self._selector.close()
        for source in self.sources:
            source.socket.close()


class ClientWorkersTests(RigTestCase):
    """
    Let many sources send to a client with two workers.
    """

    def setUp(self) -> None:
        requireProcfs()
        trouble = steeringTrouble()
        if trouble is not None:
            needed(trouble)
        super().setUp()

    def start2(self, pki: Any = None, *options: str) -> Pair:
        """
        @return: a server and a client with workers, which are ready.
        """
        pair = self.pair(self.target().address, pki, client=("--workers", str(WORKERS), *options))
        pair.client.waitFor(lambda: len(self.workers(pair.client)) == WORKERS, "it has workers")
        return pair

    def workers(self, client: Program) -> dict[int, int]:
        """
        @return: the process of each worker.
        """
        found = {}
        for child in psutil.Process(client.process.pid).children():
            with contextlib.suppress(psutil.Error):
                words = child.cmdline()
                if "client" in words[-2:-1] and child.status() != psutil.STATUS_ZOMBIE:
                    found[int(words[-1])] = child.pid
        return found

    def sourcesOf(self, pair: Pair, count: int = SOURCES) -> EchoedTogether:
        """
        @return: sources that each have got an answer.
        """
        together = EchoedTogether([Echoed(pair.clientAddress, b"source%d" % number) for number in range(count)])
        self.addCleanup(together.close)
        together.run(lambda: all(source.came for source in together.sources), "all are answered")
        return together

    def byWorker(self, client: Program, sources: Sequence[Echoed]) -> dict[int, list[Echoed]]:
        """
        @return: the sources of each worker, by what the log says, which is not everything.
        """

        def found() -> dict[int, list[Echoed]]:
            byWorker: dict[int, list[Echoed]] = {number: [] for number in range(1, WORKERS + 1)}
            ports = {source.port: source for source in sources}
            for line in said(client, "opened"):
                match = re.search(r"worker (\d+): session \w+ for \S+ port (\d+) opened", line)
                if match and int(match[2]) in ports:
                    byWorker[int(match[1])].append(ports.pop(int(match[2])))
            return byWorker

        until(lambda: all(found().values()), "both have some")
        return found()

    def test_eachSourceGetsItsOwnAnswers(self) -> None:
        """
        Whichever worker it has; none changes, and nothing is lost or comes twice.
        """
        pair = self.start2()
        together = self.sourcesOf(pair)
        together.send(AFTER)
        together.settle()
        for source in together.sources:
            self.assertEqual(source.lost, [])
            self.assertEqual(len(source.came), source.sent)
        self.byWorker(pair.client, together.sources)
        self.assertLessEqual(len(said(pair.client, "opened")), SOURCES)

    def test_killedWorkerCostsTheOthersNothing(self) -> None:
        """
        And its own sources are back, whose datagrams wait meanwhile.
        """
        pair = self.start2()
        together = self.sourcesOf(pair)
        found = self.byWorker(pair.client, together.sources)
        killed = self.workers(pair.client)[1]
        os.kill(killed, signal.SIGKILL)
        at = {source.port: source.sent for source in together.sources}

        def areBack() -> bool:
            return all(source.came[-1] >= at[source.port] for source in found[1])

        def isEnough() -> bool:
            isWhole = not any(source.lost for source in found[2])
            return isWhole and all(max(source.lost, default=0) <= at[source.port] + 1 for source in found[1])

        together.run(areBack, "its sources are back")
        together.send(AFTER)
        together.settle(isEnough)
        self.assertEqual({source.port: source.lost for source in found[2] if source.lost}, {})
        for source in found[1]:  # what it had read, and what it was about to send, is lost with it
            self.assertLessEqual(max(source.lost, default=0), at[source.port] + 1, source.lost)
        self.assertTrue(said(pair.client, f"worker 1 (process {killed}) has ended by SIGKILL"))
        self.assertNotEqual(self.workers(pair.client)[1], killed)

    def saidMore(self, program: Program, words: str, before: int) -> bool:
        """
        @return: whether a program has said something more often than before.
        """
        return len(said(program, words)) > before

    def test_reloadCostsNothing(self) -> None:
        """
        Whether the files can be used or not.
        """
        pki = self.newPki()
        pair = self.start2(pki)
        together = self.sourcesOf(pair, 12)
        for good in (True, False, True):
            kept = f"{pki.clientKey}.kept"
            if not good:
                shutil.copyfile(pki.clientKey, kept)
                with open(pki.clientKey, "w", encoding="ascii") as file:
                    file.write("no key\n")
            before = len(said(pair.client, "reloaded"))
            pair.client.process.send_signal(signal.SIGHUP)
            together.run(partial(self.saidMore, pair.client, "reloaded", before), "it says so")
            self.assertEqual("not reloaded" in said(pair.client, "reloaded")[-1], not good)
            if not good:
                shutil.move(kept, pki.clientKey)
        together.send(AFTER)
        together.settle()
        for source in together.sources:
            self.assertEqual(source.lost, [])

    def test_stopLeavesNoProcess(self) -> None:
        pair = self.start2()
        self.sourcesOf(pair, 4)
        pids = list(self.workers(pair.client).values())
        self.assertStops(pair.client)
        self.assertEqual([pid for pid in pids if running(pid)], [])

    def test_killedParentLeavesNoProcess(self) -> None:
        """
        Nor a port that is taken.
        """
        pair = self.start2()
        pids = list(self.workers(pair.client).values())
        pair.client.process.kill()
        until(lambda: not any(map(running, pids)), "its workers have ended")
        again = self.startClient(pair.serverAddress, "--no-tls", listen=pair.clientAddress)
        self.assertEqual(self.listening(again), pair.clientAddress)

    def test_secondClientDoesNotShareThePort(self) -> None:
        """
        Though sockets of one user may.
        """
        pair = self.start2()
        for words in (("--workers", "2"), ()):
            other = self.startClient(pair.serverAddress, "--no-tls", *words, listen=pair.clientAddress)
            self.assertNotEqual(other.waitForExit(HANG_SECONDS), 0)
            self.assertTrue(said(other, "Address already in use"))

    def test_whatIsSaidAtTheStartIsSaidOnce(self) -> None:
        """
        As by one process.
        """
        client = self.startClient((LOOPBACK, 9), "--no-tls", "--workers", "2", listen=("0.0.0.0", 0))  # noqa: S104
        self.listening(client)
        until(lambda: len(self.workers(client)) == WORKERS, "it has workers")
        for words in ("uotp-client listening on", "plain TCP: everybody", "whoever reaches this port"):
            client.waitForLine(words)
        self.assertStops(client)
        for words in ("uotp-client listening on", "plain TCP: everybody", "whoever reaches this port"):
            self.assertEqual(len(said(client, words)), 1, words)


class OriginalServerTests(original.MixedPairTests):
    """
    Our client with two workers and the original's server, with TLS.
    """

    tls = True
    ours = "client"

    def clientArguments(self) -> list[str]:
        """
        See L{tests.integration.pairs.PairTests}.
        """
        return ["--workers", str(WORKERS), *super().clientArguments()]


class OriginalServerPlainTests(OriginalServerTests):
    """
    The same on plain TCP.
    """

    tls = False
