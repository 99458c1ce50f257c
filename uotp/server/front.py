"""
What a server is towards the outside, whether it is one process or the parent of several: its TCP
ports, and what it says at the start.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from uotp.net import outOfReach, placesOf
from uotp.process import descriptorLimit
from uotp.server.ports import ServerPorts
from uotp.server.settings import MAX_CONNECTIONS, SHORT_PATH, ServerSettings
from uotp.server.targetsocket import ROUTE_SECONDS
from uotp.telemetry import spelled
from uotp.tls import ServerCredentials
from uotp.tunnel import TunnelService
from uotp.wire import WireChoice

LISTEN_QUEUE = 511
"""
Connections that the kernel accepts ahead of us: a restart brings all pools back
at once.  The system's own limit, net.core.somaxconn, may make it less.
"""

FEW_CONNECTIONS = 4096
"""
With fewer connections than this a warning says so, also where nobody has asked for more: they
are enough for 512 clients with the usual pool.
"""


class ServerFront(TunnelService):
    """
    Listens on the ports of a server.

    @ivar settings: what it was told.
    @ivar ports: where it listens.
    @cvar isOneOfSeveral: whether there are workers.  Then connections get half as many descriptors as otherwise:
        one that is relayed takes two in either of two workers.
    @ivar mostConnections: how many connections there may be.
    @ivar mostSessions: the same of sessions.
    """

    commandName = "uotp-server"
    isOneOfSeveral = False

    def __init__(
        self, settings: ServerSettings, credentials: ServerCredentials | None, reactor: Any, processes: int = 1
    ) -> None:
        """
        See L{TunnelService}.
        """
        super().__init__(settings, credentials, reactor, processes)
        self._letsEverybodyIn = credentials is None or not (credentials.verifiesClients or credentials.tokens)
        self._unusedList = None if credentials is None else credentials.unusedList()  # a chroot may hide it later
        self.settings = settings
        self.ports = ServerPorts(self.listen, self.rateLimit, partial(self.sayListening, transport="TCP"))
        self._descriptors = descriptorLimit()
        descriptors = None if self._descriptors is None else self._descriptors * processes
        forConnections = descriptors if descriptors is None or not self.isOneOfSeveral else descriptors // 2
        self.mostConnections = connectionsWithin(forConnections, settings.maxConnections)
        self.mostSessions = sessionsWithin(descriptors, settings.maxSessions)

    def listen(self, host: str, port: int) -> Any:
        """
        Listen at one address.

        @return: what has C{getHost} and C{stopListening}.
        @raise OSError: when that cannot be done.
        """
        raise NotImplementedError

    def privilegedStartService(self) -> None:
        """
        Bind the ports, while we may still be root.

        @raise StartError: when one cannot be had.
        """
        self.ports.bind(placesOf(self.settings.listen))
        self.nowListening(self.ports.listening, "TCP")
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when a port cannot be had.
        """
        if not self.ports.listening:
            self.privilegedStartService()
        super().startService()
        self.periodicCalls.every(ROUTE_SECONDS, self.ports.followLinks)
        if self.settings.wire is WireChoice.ONE:
            self.warnOfFormat1()
        asked = self.settings.maxConnections
        share = "a quarter" if self.isOneOfSeveral else "half"
        if self.mostConnections < min(asked, FEW_CONNECTIONS) or self.mostConnections < asked != MAX_CONNECTIONS:
            self._sayDescriptorsAreShort("connections", self.mostConnections, asked, share)
        if self.mostSessions < self.settings.maxSessions:
            self._sayDescriptorsAreShort("sessions", self.mostSessions, self.settings.maxSessions, "three eighths")
        path = self.settings.httpPath
        if path is not None and len(path) < SHORT_PATH:
            self._log.warn(
                "the path of {httpPath} is short, and may be guessed: it should have {least} letters or more",
                httpPath=spelled("httpPath"),
                least=SHORT_PATH,
            )
        if self._letsEverybodyIn and path is None:
            tokens = spelled("tokenFile")
            ways = f"no {spelled('cafile')}, {spelled('clients')} or {tokens} says who may"
            cause = f"there is no certificate in plain TCP, and no {tokens}" if self.isPlain else ways
            self._log.warn("whoever reaches this port can reach the target: {cause}", cause=cause)
        wide = self.settings.anybodyAnnounces()
        if wide is not None:
            self._log.warn("{reason}", reason=wide)
        self._warnOfNoBalancer()
        if self._unusedList is not None:
            self._unusedList.warn()

    def _warnOfNoBalancer(self) -> None:
        """
        Warn of networks of balancers from which nothing can come to where this server listens.
        """
        hosts = [host for host, _ in self.listeningAll]
        unreached = outOfReach(self.settings.proxyProtocol, hosts)
        if unreached:
            self._log.warn(
                "{setting} {networks} is of no use: this server listens on {hosts}, where nothing comes from there",
                setting=spelled("proxyProtocol"),
                networks=", ".join(unreached),
                hosts=" and ".join(hosts),
            )

    def _sayDescriptorsAreShort(self, what: str, number: int, asked: int, share: str) -> None:
        self._log.warn(
            "there may be {number} {what} and not {asked}, since {whoWords} may have {descriptors} descriptors, "
            "of which they get {share}: raise that limit (ulimit -n, or LimitNOFILE of systemd)",
            number=number,
            what=what,
            asked=asked,
            descriptors=self._descriptors,
            share=share,
            whoWords=f"each of {self.processes} workers" if self.processes > 1 else "this process",
            workers=self.processes,
        )


def connectionsWithin(descriptors: int | None, asked: int) -> int:
    """
    @param descriptors: how many this process may have, or L{None} for no limit.
    @param asked: how many connections there may be.
    @return: how many there may be so that half of the descriptors are left for everything
        else.
    """
    return asked if descriptors is None else max(1, min(asked, descriptors // 2))


def sessionsWithin(descriptors: int | None, asked: int) -> int:
    """
    @param descriptors: see L{connectionsWithin}.
    @param asked: how many sessions there may be.
    @return: how many there may be, each with a socket, so that an eighth of the descriptors is
        left beside the connections.
    """
    return asked if descriptors is None else max(1, min(asked, descriptors * 3 // 8))
