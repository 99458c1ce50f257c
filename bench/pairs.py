"""
A client and a server, running, with a load at both ends.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from bench.connections import Settling
from bench.contenders import Between, Contender, Way
from bench.ends import LoadEnd
from bench.places import Place
from bench.rig.ports import LOOPBACK, freePort
from bench.rig.procfs import TCP_ESTABLISHED, TCP_LISTEN, UDP_BOUND, processorSeconds, sockets
from bench.rig.programs import LOOK_SECONDS, Program, Programs, RigError
from bench.stage import Stage

POOL = 8
"""What the original has, and a heavy flow of ours.  With this number no program is given ``-n``."""

POOL_SECONDS = 10.0
SETTLING_SECONDS = 0.5
"""As many tunnels for so long are as many as there will be for now."""

HANDSHAKE_SECONDS = 0.5
"""From a connection to a tunnel that carries, at most."""


@dataclass(frozen=True, slots=True)
class Pair:
    """
    What an application sends to and what comes of it; without a tunnel, the target.

    @ivar entrance: where an application sends.
    @ivar programs: server and client; none without a tunnel.
    @ivar tunnelPort: the server's.
    @ivar pool: how many tunnels the client may open for a session.
    @ivar startServer: starts a server like the first, when that is gone; none without
        a tunnel.
    """

    entrance: tuple[str, int]
    programs: tuple[Program, ...]
    tunnelPort: int = 0
    pool: int = POOL
    startServer: Callable[[], Program] | None = None

    @property
    def server(self) -> Program:
        """
        The server's process.
        """
        return self.programs[0]

    @property
    def client(self) -> Program:
        """
        The client's process.
        """
        return self.programs[1]

    def processorSeconds(self) -> float:
        """
        @return: what both have used so far.
        """
        return sum(self._spentByEach())

    def spentBetween(self, begin: float, end: float) -> float:
        """
        Wait for two moments on the monotonic clock.

        @return: processor time in seconds that both have used between them.
        """
        return sum(self.spentEachBetween(begin, end))

    def spentEachBetween(self, begin: float, end: float) -> list[float]:
        """
        The same, of each.

        @return: of the server and of the client; nothing without a tunnel.
        """
        time.sleep(max(0.0, begin - time.monotonic()))
        before = self._spentByEach()
        time.sleep(max(0.0, end - time.monotonic()))
        return [after - spent for after, spent in zip(self._spentByEach(), before, strict=True)]

    def _spentByEach(self) -> list[float]:
        return [processorSeconds(program.process.pid) for program in self.programs]

    def tunnels(self) -> int:
        """
        @return: how many connections the server has.
        """
        return sockets(self.server.process.pid, "tcp", self.tunnelPort, TCP_ESTABLISHED)

    def awaitTunnels(self, most: int, quiet: float = SETTLING_SECONDS, patience: float = POOL_SECONDS) -> None:
        """
        Wait until there are as many tunnels as there may be, or as many as the client
        wants for what was sent so far: at least one, and no more of them for a while.

        @param quiet: for how long their number has to stay, in seconds.
        @param patience: for how long to wait in all.
        @raise RigError: when there is none.
        """
        if not self.programs:
            return
        settling = Settling(most, quiet)
        end = time.monotonic() + patience
        while not settling.settled(now := time.monotonic(), self.tunnels()) and now < end:
            time.sleep(LOOK_SECONDS)
        if not settling.count:
            reason = "the client has opened no tunnel"
            raise RigError(reason)
        time.sleep(HANDSHAKE_SECONDS)


@dataclass(frozen=True, slots=True)
class Flow:
    """
    An application and a target with a pair between them.
    """

    application: LoadEnd
    target: LoadEnd
    pair: Pair


def startPair(
    stage: Stage,
    place: Place,
    programs: Programs,
    contender: Contender,
    target: tuple[str, int],
    *,
    pool: int = POOL,
    clientOptions: Sequence[str] = (),
) -> Pair:
    """
    Start a server and a client, and wait until both listen.

    @param target: as the server's side reaches it.
    @param clientOptions: that the contender has.
    @raise RigError: when one does not start.
    """
    if not contender.command:
        return Pair(target, ())
    tunnelPort, entrance = freePort(socket.SOCK_STREAM), freePort(socket.SOCK_DGRAM)
    size = None if pool == POOL else pool
    behind = freePort(socket.SOCK_STREAM)
    way = Way((place.serverAddress, tunnelPort), entrance, target, size, clientOptions, behind)
    between = contender.between(way, stage.pki, programs.folder)
    if between is not None:
        startBetween(between, place, programs, tunnelPort)
        tunnelPort = behind
    startServer = partial(
        programs.start, [*place.serverSide, *contender.serverWords(way, stage.pki, between)], contender.environment
    )
    server = startServer()
    server.waitFor(lambda: sockets(server.process.pid, "tcp", tunnelPort, TCP_LISTEN), "listen")
    client = programs.start([*place.clientSide, *contender.clientWords(way, stage.pki, between)], contender.environment)
    client.waitFor(lambda: sockets(client.process.pid, "udp", entrance, UDP_BOUND), "listen")
    return Pair((LOOPBACK, entrance), (server, client), tunnelPort, pool, startServer)


def startBetween(between: Between, place: Place, programs: Programs, port: int) -> None:
    """
    Start what stands between client and server, at the server's side.

    @param port: where the first of its programs listens.
    @raise RigError: when that does not listen.
    """
    started = []
    for number, (words, text) in enumerate(between.programs):
        file = programs.folder / f"between-{number}.conf"
        file.write_text(text)
        started.append(programs.start([*place.serverSide, *(str(file) if word == "FILE" else word for word in words)]))
    if started:
        first = started[0]
        first.waitFor(lambda: sockets(first.process.pid, "tcp", port, TCP_LISTEN), "listen")


@contextmanager
def flowing(
    stage: Stage,
    place: Place,
    contender: Contender,
    pool: int = POOL,
    *,
    clientOptions: Sequence[str] = (),
    oneServer: bool = True,
) -> Iterator[Flow]:
    """
    A flow that has carried some datagrams each way, with the tunnels that it has for that.

    @param clientOptions: that the contender has.
    @param oneServer: whether the target hears from no other server than the first.
    @raise RigError: when it does not come to that.
    """
    with Programs(stage.folder) as programs:
        targetAddress = LOOPBACK if contender.command else place.serverAddress
        target = LoadEnd(programs, place.serverSide, targetAddress)
        pair = startPair(
            *(stage, place, programs, contender, (targetAddress, target.port)), pool=pool, clientOptions=clientOptions
        )
        application = LoadEnd(programs, place.clientSide, "0.0.0.0")  # noqa: S104 - it is connected soon
        target.begin("answer", onePeer=oneServer)
        application.connect(pair.entrance)
        target.finish()
        pair.awaitTunnels(pool)
        yield Flow(application, target, pair)
