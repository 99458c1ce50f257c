"""
The interface for programs that embed a client or a server: one function for each end, which
makes a Twisted service from plain values, and what else such a program needs.  The service
can be added to any Application.

Twisted's timers follow the wall clock unless told otherwise: call
L{useMonotonicClock} before the first of them.

The garbage collector is the program's own.  What ends here leaves nothing to it, so
C{gc.freeze()} after the start does no harm, and with thousands of sessions it keeps full
collections short.  The log is the program's own too, with its queues and its budget for lines of
Twisted's own loggers, and so are the limit of descriptors and signals: only the command lines set
them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from uotp.client import ClientFront, ClientService, ClientSettings, clientCredentials
from uotp.duplicate import Duplicate
from uotp.net import Listen, Network, ProxyPlace, ServerPlace, pairsOf, parseProxy, steeringTrouble
from uotp.order import Order, OrderMode
from uotp.process import usableProcessors, useMonotonicClock
from uotp.server import ServerFront, ServerService, ServerSettings, serverCredentials
from uotp.tls import DISK, ClientTls, CredentialFiles, ServerTls
from uotp.tunnel import MAX_WORKERS
from uotp.wire import WireChoice

if TYPE_CHECKING:
    from uotp.monitoring import ControlPlace

__all__ = [
    "ClientTls",
    "Duplicate",
    "Order",
    "OrderMode",
    "ProxyPlace",
    "ServerPlace",
    "ServerTls",
    "WireChoice",
    "clientService",
    "parseProxy",
    "serverService",
    "useMonotonicClock",
]

CLIENT = ClientSettings(servers=(ServerPlace("localhost", 8443),))
SERVER = ServerSettings(target=("localhost", 51820))
"""The defaults of both functions.  The two positional arguments in them mean nothing."""


Servers = tuple[str, int] | ServerPlace | Sequence[tuple[str, int] | ServerPlace]
"""One server, by host and port or with the path of a WebSocket, or several, the one to use first."""


WORKER_MODULE = "uotp.cli.worker"
"""What the processes of workers run."""


def clientService(
    server: Servers,
    *,
    tls: ClientTls | None,
    listen: Listen = CLIENT.listen,
    allow: tuple[IPv4Network | IPv6Network, ...] = CLIENT.allow,
    poolSize: int = CLIENT.poolSize,
    minPool: int | None = CLIENT.minPool,
    expire: float = CLIENT.expire,
    backoff: float = CLIENT.backoff,
    timeout: float = CLIENT.timeout,
    resolveOnce: bool = CLIENT.resolveOnce,
    stateDirectory: str | None = CLIENT.stateDirectory,
    mark: int | None = CLIENT.mark,
    proxy: ProxyPlace | None = CLIENT.proxy,
    proxyAuthFile: str | None = CLIENT.proxyAuthFile,
    proxyCafile: str | None = CLIENT.proxyCafile,
    unsentLimit: int = CLIENT.unsentLimit,
    congestion: str | None = CLIENT.congestion,
    mss: int | None = CLIENT.mss,
    udpBuffer: int = CLIENT.udpBuffer,
    memory: int = CLIENT.memory,
    workers: int | None = CLIENT.workers,
    wire: WireChoice = CLIENT.wire,
    alpn: tuple[str, ...] | None = CLIENT.alpn,
    pad: bool = CLIENT.pad,
    reorder: Order | None = CLIENT.reorder,
    duplicate: Duplicate = CLIENT.duplicate,
    metrics: Listen | None = CLIENT.metrics,
    maxAge: float | None = CLIENT.maxAge,
    maxBytes: int | None = CLIENT.maxBytes,
    control: str | ControlPlace | None = None,
    files: CredentialFiles = DISK,
    reactor: Any = None,
) -> ClientFront:
    """
    Make a client, which listens on UDP and opens a session for each source that sends.
    Its arguments are the fields of L{ClientSettings}, which says what each means (L{parseProxy} makes a proxy of its
    URL), and these:

    @param server: where the server is, or several of them.
    @param tls: how to verify the server and how to show who we are; L{None} means
        plain TCP without any protection, and has to be said.
    @param control: the path of a UNIX socket at which C{uotp status} and the like ask; L{None} for none.
    @param files: has the files that C{tls} names; they are on the disk when this is left out.
    @param reactor: the global one when left out.
    @return: the service; after the start C{service.listening} tells where it listens, and
        C{service.listeningAll} all places where it does.  C{service.whenReady()} fires when the
        server's name was found; with several workers it fails with L{StartError} when none can be started.
        C{reload()} reads the files again in another thread, and looks the name up again; it returns a
        C{Deferred}, which fails with L{ConfigurationError} when they cannot be used.
        Workers are processes of their own, started with C{sys.executable} by C{reactor.spawnProcess}.
    @raise ConfigurationError: for files or values that cannot be used.
    @raise StartError: when workers cannot be started, since there is no such program.
    """
    settings = ClientSettings(
        servers=placesOfServers(server),
        listen=listen,
        allow=allow,
        poolSize=poolSize,
        minPool=minPool,
        expire=expire,
        backoff=backoff,
        timeout=timeout,
        resolveOnce=resolveOnce,
        stateDirectory=stateDirectory,
        mark=mark,
        proxy=proxy,
        proxyAuthFile=proxyAuthFile,
        proxyCafile=proxyCafile,
        unsentLimit=unsentLimit,
        congestion=congestion,
        mss=mss,
        udpBuffer=udpBuffer,
        memory=memory,
        workers=workers,
        wire=wire,
        alpn=alpn,
        pad=pad,
        reorder=reorder,
        duplicate=duplicate,
        metrics=metrics,
        maxAge=maxAge,
        maxBytes=maxBytes,
    )
    processes, trouble = processesFor(workers)
    isShared = processes > 1 and trouble is None
    credentials = clientCredentials(tls, settings, files=files, keepsContents=isShared)
    ours = orGlobalReactor(reactor)
    if isShared:
        from uotp.client.workers import CLIENT_MESSAGES, ClientParent  # noqa: PLC0415 - of no use to one process

        launch = launcherOf(ours, "client", CLIENT_MESSAGES)
        parent = ClientParent(settings, tls, credentials, ours, processes, launch)
        beControlled(parent, control, "client", ours)
        beShown(parent)
        return parent
    service = ClientService(settings, credentials, ours)
    warnOfOneProcess(service, processes, trouble)
    beControlled(service, control, "client", ours)
    beShown(service)
    return service


def serverService(
    target: tuple[str, int],
    *,
    tls: ServerTls | None,
    listen: Listen = SERVER.listen,
    linger: float = SERVER.linger,
    maxSessions: int = SERVER.maxSessions,
    maxConnections: int = SERVER.maxConnections,
    ownerShare: int = SERVER.ownerShare,
    proxyProtocol: tuple[Network, ...] = SERVER.proxyProtocol,
    tokenFile: str | None = SERVER.tokenFile,
    httpPath: str | None = SERVER.httpPath,
    fallback: tuple[str, int] | None = SERVER.fallback,
    workers: int | None = SERVER.workers,
    unsentLimit: int = SERVER.unsentLimit,
    congestion: str | None = SERVER.congestion,
    mss: int | None = SERVER.mss,
    udpBuffer: int = SERVER.udpBuffer,
    memory: int = SERVER.memory,
    wire: WireChoice = SERVER.wire,
    alpn: tuple[str, ...] | None = SERVER.alpn,
    pad: bool = SERVER.pad,
    reorder: Order | None = SERVER.reorder,
    duplicate: Duplicate = SERVER.duplicate,
    metrics: Listen | None = SERVER.metrics,
    control: str | ControlPlace | None = None,
    files: CredentialFiles = DISK,
    reactor: Any = None,
) -> ServerFront:
    """
    Make a server, which accepts tunnels and forwards each session to the target.  Its
    arguments are the fields of L{ServerSettings}, which says what each means, and these:

    @param tls: certificate and key, and who may connect; L{None} means plain TCP
        without any protection, and has to be said.
    @param control: the path of a UNIX socket at which C{uotp status} and the like ask; L{None} for none.
    @param files: has the files that C{tls} names; they are on the disk when this is left out.
    @param reactor: the global one when left out.
    @return: the service; after the start C{service.listening} tells where it listens, and
        C{service.listeningAll} all places where it does.
        C{service.whenReady()} fires when it can do its work; with several workers it fails with L{StartError} when
        none can be started.  C{reload()} reads the files again in another thread, and returns a C{Deferred}, which
        fails with L{ConfigurationError} when they cannot be used.
        Workers are processes of their own, started with C{sys.executable} by C{reactor.spawnProcess}.
    @raise ConfigurationError: for files or values that cannot be used.
    @raise StartError: when workers cannot be started, since there is no such program.
    """
    settings = ServerSettings(
        target=target,
        listen=listen,
        linger=linger,
        maxSessions=maxSessions,
        maxConnections=maxConnections,
        ownerShare=ownerShare,
        proxyProtocol=proxyProtocol,
        tokenFile=tokenFile,
        httpPath=httpPath,
        fallback=fallback,
        workers=workers,
        unsentLimit=unsentLimit,
        congestion=congestion,
        mss=mss,
        udpBuffer=udpBuffer,
        memory=memory,
        wire=wire,
        alpn=alpn,
        pad=pad,
        reorder=reorder,
        duplicate=duplicate,
        metrics=metrics,
    )
    processes, trouble = processesFor(workers)
    isShared = processes > 1 and trouble is None
    credentials = serverCredentials(tls, settings, files=files, keepsContents=isShared)
    ours = orGlobalReactor(reactor)
    if isShared:
        from uotp.server.workers import MESSAGES, ServerParent  # noqa: PLC0415 - of no use to one process

        launch = launcherOf(ours, "server", MESSAGES)
        parent = ServerParent(settings, tls, credentials, ours, processes, launch)
        beControlled(parent, control, "server", ours)
        beShown(parent)
        return parent
    service = ServerService(settings, credentials, ours)
    warnOfOneProcess(service, processes, trouble)
    beControlled(service, control, "server", ours)
    beShown(service)
    return service


def placesOfServers(server: Servers) -> tuple[ServerPlace, ...]:
    """
    @return: where they are.
    """
    if isinstance(server, ServerPlace):
        return (server,)
    if server and isinstance(server[0], str):
        host, port = server
        return (ServerPlace(host, port),)  # type: ignore[arg-type]  # a pair that begins with a text is a host and a port
    return tuple(each if isinstance(each, ServerPlace) else ServerPlace(*each) for each in server)  # type: ignore[misc]


def processesFor(workers: int | None) -> tuple[int, str | None]:
    """
    @param workers: how many are wanted, or L{None} for as many as there are processors.
    @return: how many processes that is, and why this system cannot have several, if it cannot.
    """
    processes = min(usableProcessors(), MAX_WORKERS) if workers is None else workers
    return processes, steeringTrouble() if processes > 1 else None


def warnOfOneProcess(service: ClientService | ServerService, processes: int, trouble: str | None) -> None:
    """
    Let a service say at its start why it is one process, where several were wanted.
    """
    if trouble is not None:
        service.warnAtStart("one process serves, and not {workers}: {trouble}", workers=processes, trouble=trouble)


def beShown(service: Any) -> None:
    """
    Let a service show how it is by HTTP, if its settings say where.

    @param service: a L{ClientFront} or a L{ServerFront}.
    """
    metrics = service.settings.metrics
    if metrics is not None:
        from uotp.monitoring.web import MonitoringServer  # noqa: PLC0415 - of no use without that setting

        service.accompany(MonitoringServer(service.commandName, metrics, service.reporter(), service.reactor))


def beControlled(
    service: Any,
    control: str | ControlPlace | None,
    end: str,
    reactor: Any,
) -> None:
    """
    Give a service a control socket, if it is to have one.

    @param service: a L{ClientFront} or a L{ServerFront}.
    @param control: where the socket is to be.
    @param end: C{"client"} or C{"server"}.
    """
    if control is None:
        return
    from uotp.monitoring import ControlPlace, ControlService  # noqa: PLC0415 - of no use without a socket

    def portOf() -> int:
        pairs = [service.listening] if service.listening else pairsOf(service.settings.listen)
        return int(pairs[0][1])

    reporter = service.reporter()

    def reload() -> Deferred[tuple[str, ...]]:
        again: Deferred[tuple[str, ...]]
        if service.reloadProgram is None:
            again = reporter.reload().addCallback(lambda _: ())
        else:
            again = service.reloadProgram()
        return again

    place = ControlPlace(path=os.path.abspath(control)) if isinstance(control, str) else control
    service.accompany(ControlService(place, reporter, reload, end, portOf, reactor))


def launcherOf(reactor: Any, end: str, messages: Sequence[type]) -> Any:
    """
    @param end: C{"client"} or C{"server"}: what L{uotp.cli.worker} is told to be.
    @param messages: what is said besides what leads workers of any kind.
    @return: what starts the processes of workers, a L{uotp.workers.Launch}.
    @raise StartError: when there is no such program.
    """
    from uotp.workers import WORK, ProcessLauncher  # noqa: PLC0415 - of no use to one process

    return ProcessLauncher(reactor, WORKER_MODULE, [end], (*WORK, *messages)).launch


def orGlobalReactor(reactor: Any) -> Any:
    """
    @return: the reactor that was handed in, or the global one.
    """
    if reactor is None:
        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it
    return reactor
