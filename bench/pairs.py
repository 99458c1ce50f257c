"""
A client and a server, running, with a load at both ends.
"""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from bench.contenders import Contender
from bench.ends import LoadEnd
from bench.places import LOOPBACK, Place
from bench.processes import (
    LOOK_SECONDS,
    TCP_ESTABLISHED,
    TCP_LISTEN,
    UDP_BOUND,
    MeasurementError,
    Processes,
    processorSeconds,
    sockets,
)
from bench.stage import Stage

POOL = 8
LOWEST_PORT, HIGHEST_PORT = 12000, 32000
"""The original cannot choose a port by itself; these are below what kernels hand out."""

POOL_SECONDS = 10.0
SETTLING_SECONDS = 2.0
"""Without a further tunnel for so long, no more are waited for."""

HANDSHAKE_SECONDS = 0.5
"""From a connection to a tunnel that carries, at most."""


@dataclass(frozen=True, slots=True)
class Pair:
    """
    What an application sends to and what comes of it; without a tunnel, the target.

    @ivar entrance: where an application sends.
    @ivar programs: server and client; none without a tunnel.
    @ivar tunnelPort: the server's.
    @ivar pool: how many tunnels the client is to open for a session.
    @ivar startServer: starts a server like the first, when that is gone; none without
        a tunnel.
    """

    entrance: tuple[str, int]
    programs: tuple[subprocess.Popen[str], ...]
    tunnelPort: int = 0
    pool: int = POOL
    startServer: Callable[[], subprocess.Popen[str]] | None = None

    @property
    def server(self) -> subprocess.Popen[str]:
        """
        The server's process.
        """
        return self.programs[0]

    @property
    def client(self) -> subprocess.Popen[str]:
        """
        The client's process.
        """
        return self.programs[1]

    def processorSeconds(self) -> float:
        """
        @return: what both have used so far.
        """
        return sum(processorSeconds(program) for program in self.programs)

    def tunnels(self) -> int:
        """
        @return: how many connections the server has.
        """
        return sockets(self.server, "tcp", self.tunnelPort, TCP_ESTABLISHED)

    def awaitTunnels(self, count: int) -> None:
        """
        Wait until there are so many tunnels, or as many as there will be.

        @raise MeasurementError: when there is none.
        """
        if not self.programs:
            return
        end = time.monotonic() + POOL_SECONDS
        settled = time.monotonic() + SETTLING_SECONDS
        seen = 0
        while (now := time.monotonic()) < min(end, settled) and seen < count:
            if (there := self.tunnels()) != seen:
                seen, settled = there, now + SETTLING_SECONDS
            time.sleep(LOOK_SECONDS)
        if not seen:
            reason = "the client has opened no tunnel"
            raise MeasurementError(reason)
        time.sleep(HANDSHAKE_SECONDS)


@dataclass(frozen=True, slots=True)
class Flow:
    """
    An application and a target with a pair between them.
    """

    application: LoadEnd
    target: LoadEnd
    pair: Pair


def freePort(kind: socket.SocketKind) -> int:
    """
    @return: a port that nobody has at the moment.
    """
    while True:
        port = random.randint(LOWEST_PORT, HIGHEST_PORT)  # noqa: S311 - nobody is to guess it
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        return port


def startPair(
    stage: Stage,
    place: Place,
    processes: Processes,
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
    @raise MeasurementError: when one does not start.
    """
    if not contender.command:
        return Pair(target, ())
    tls = "--no-tls" not in contender.options
    tunnelPort, entrance = freePort(socket.SOCK_STREAM), freePort(socket.SOCK_DGRAM)
    startServer = partial(
        processes.start,
        [
            *(*place.serverSide, *contender.words("server"), target[0], str(target[1])),
            *("-a", place.serverAddress, "-p", str(tunnelPort)),
            *(["-c", stage.pki.serverCertificate, "-k", stage.pki.serverKey] if tls else []),
        ],
        contender.environment,
    )
    server = startServer()
    processes.waitFor(server, lambda: sockets(server, "tcp", tunnelPort, TCP_LISTEN), "a server that listens")
    client = processes.start(
        [
            *(*place.clientSide, *contender.words("client"), place.serverAddress, str(tunnelPort)),
            *("-p", str(entrance), "-n", str(pool), *clientOptions),
            *(["-C", stage.pki.caCertificate] if tls else []),
        ],
        contender.environment,
    )
    processes.waitFor(client, lambda: sockets(client, "udp", entrance, UDP_BOUND), "a client that listens")
    return Pair((LOOPBACK, entrance), (server, client), tunnelPort, pool, startServer)


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
    A flow with all its tunnels, that has carried a datagram each way.

    @param clientOptions: that the contender has.
    @param oneServer: whether the target hears from no other server than the first.
    @raise MeasurementError: when it does not come to that.
    """
    with Processes(stage.folder) as processes:
        targetAddress = LOOPBACK if contender.command else place.serverAddress
        target = LoadEnd(processes, place.serverSide, targetAddress)
        pair = startPair(
            *(stage, place, processes, contender, (targetAddress, target.port)), pool=pool, clientOptions=clientOptions
        )
        application = LoadEnd(processes, place.clientSide, "0.0.0.0")  # noqa: S104 - it is connected soon
        target.begin("answer", onePeer=oneServer)
        application.connect(pair.entrance)
        target.finish()
        pair.awaitTunnels(pool)
        yield Flow(application, target, pair)
