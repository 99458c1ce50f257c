"""
A client, put together: UDP ports, a session for each source, and the way to
the server.
"""

from __future__ import annotations

import random
from functools import partial
from ipaddress import IPv6Address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel

from uotp.client.context import ClientContext
from uotp.client.dial.segmentsize import SegmentSizes
from uotp.client.dial.segmentwatch import WATCH_SECONDS
from uotp.client.lookup.lastgood import WRITE_SECONDS, LastGood
from uotp.client.lookup.serverlookup import ServerLookup
from uotp.client.reachability import Reachability
from uotp.client.settings import ClientSettings
from uotp.client.sources.allowed import canReach
from uotp.client.sources.ports import ClientPorts
from uotp.client.sources.sessions import SessionsBySource
from uotp.client.sources.source import SourceSession
from uotp.duplicate import Duplicate
from uotp.net import Host, SharedResolver, backgroundThread, checkMark, placesOf
from uotp.process import SleepClocks, SleepDetector, descriptorLimit, sleepClocks
from uotp.session import WAIT_SECONDS
from uotp.telemetry import logCounted, spelled
from uotp.tls import ClientCredentials
from uotp.transport import Dialer
from uotp.tunnel import TunnelService
from uotp.udp import MAX_INTAKE_BYTES, datagramPortOpener
from uotp.wire import WireChoice

INTAKE_SHARE = 4
"""What is read from all UDP ports while they are crowded takes one part in so many of the memory at the most."""

WAKE_CHECK_SECONDS = 1.0
"""How often we look whether this machine has slept."""

FEW_SOURCES = 128
"""It is said at the start when there are not the descriptors for what so many sources need that send little."""

SILENCE_CHECK_SECONDS = 2.0
"""How often we look for sources to which nothing comes back."""

LINK_CHECK_SECONDS = 1.0
"""How often we look whether the network interface of an address that we listen on was made anew."""

RENEW_CHECK_SECONDS = 0.25
"""How often we look for tunnels that are old, where they may become so: a second or so apart."""


class ClientService(TunnelService):
    """
    Runs a client: binds its UDP ports, and opens a session for each source that sends.
    """

    commandName = "uotp-client"

    def __init__(
        self,
        settings: ClientSettings,
        credentials: ClientCredentials | None,
        reactor: Any,
        clocks: SleepClocks | None = None,
    ) -> None:
        """
        See L{TunnelService}.

        @param clocks: tell whether the machine has slept; the system's own when left out.
        @raise ConfigurationError: for a server that no certificate could name.
        """
        super().__init__(settings, credentials, reactor)
        self._settings = settings
        self._clientCredentials = credentials
        self._places = placesOf(settings.listen)
        intakeBytes = min(MAX_INTAKE_BYTES, settings.memory // INTAKE_SHARE // len(self._places))
        self.turns.memory.reserve(intakeBytes * len(self._places))
        reachability = Reachability(settings.server, reactor.seconds, self.rateLimit)
        self._resolver = SharedResolver(backgroundThread(reactor))
        self._lastGood = LastGood(settings.server, settings.stateDirectory, reactor.seconds)
        self._lookup = ServerLookup(
            settings.server,
            self._resolver,
            self._lastGood,
            reactor,
            self.rateLimit,
            lambda: reachability.failingSince,
            once=settings.resolveOnce,
            retrySeconds=settings.backoff,
        )
        dialer = Dialer(
            reactor,
            settings.server,
            None if credentials is None else credentials.creatorFor(settings.server[0]),
            self._lookup,
            settings.mark,
            settings.tuning,
        )
        self._context = ClientContext(
            settings,
            reactor,
            dialer,
            random.random,
            self.liveTunnels,
            reachability,
            self.turns,
            SegmentSizes(settings.mss, self._warnOfSegments),
            self._lookup.opened,
        )
        self._sleep = SleepDetector(clocks or sleepClocks())
        self._sessions = SessionsBySource(
            partial(SourceSession, self._context, self.drops),
            reactor,
            self.drops,
            settings.expire,
            allow=settings.allow,
        )
        self._ports = ClientPorts(
            datagramPortOpener(reactor, self.drops, settings.udpBuffer, shared=True, intakeBytes=intakeBytes),
            self._sessions.newPort,
            reactor,
            self.rateLimit,
            partial(self.sayListening, transport="UDP"),
        )

    def privilegedStartService(self) -> None:
        """
        Bind the ports, while we may still be root.

        @raise StartError: when a port or the mark cannot be had.
        """
        if self._settings.mark is not None:
            checkMark(self._settings.mark)
        self._ports.bind(self._places)
        self.nowListening(self._ports.listening, "UDP")
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when a port or the mark cannot be had.
        """
        if not self._ports.listening:
            self.privilegedStartService()
        super().startService()
        isPlain = self._clientCredentials is None
        if self._settings.wire is WireChoice.ONE or (isPlain and self._settings.wire is WireChoice.AUTO):
            self.warnOfFormat1()
        self._warnOfOneTunnel()
        self._warnOfStrangers()
        self._warnOfNobody()
        self._warnOfFewDescriptors()
        self.periodicCalls.every(min(1.0, self._settings.expire / 4), self._sessions.endIdle)
        self.periodicCalls.every(SILENCE_CHECK_SECONDS, self._sessions.review)
        self.periodicCalls.every(WAKE_CHECK_SECONDS, self._noticeSleep)
        self.periodicCalls.every(LINK_CHECK_SECONDS, self._ports.followLinks)
        if self._settings.mss is None:
            self.periodicCalls.every(WATCH_SECONDS, self._context.segmentWatch.look)
        self.periodicCalls.every(RENEW_CHECK_SECONDS, self._renewOld)
        self.periodicCalls.every(WRITE_SECONDS, self._lastGood.save)
        self._lookup.start()

    def _warnOfOneTunnel(self) -> None:
        if self._settings.poolSize == 1 and self._settings.duplicate is Duplicate.ALWAYS:
            self._log.warn(
                "{setting} has no effect: nothing goes over two tunnels where {most} allows one",
                setting=spelled("duplicate"),
                most=spelled("poolSize"),
            )

    def whenReady(self) -> Deferred[None]:
        """
        See L{TunnelService}.  A client is ready when it knows where to dial.
        """
        return self._lookup.first.whenOver()

    def _warnOfStrangers(self) -> None:
        """
        Warn when others than this machine may be able to use the client, and nobody has said
        who may.
        """
        for host, port in () if self._settings.allow else self.listeningAll:
            address = Host.parse(host).address
            if isinstance(address, IPv6Address):
                address = address.ipv4_mapped or address
            if address is not None and not address.is_loopback:
                self._log.warn(
                    "whoever reaches this port can reach the target: {host} port {port} (UDP); {setting} names who may",
                    host=host,
                    port=port,
                    setting=spelled("allow"),
                )

    def _warnOfNobody(self) -> None:
        """
        Warn of networks from which nothing can come to where this client listens.
        """
        hosts = [host for host, _ in self.listeningAll]
        unreached = [
            str(network) for network in self._settings.allow if not any(canReach(network, host) for host in hosts)
        ]
        if unreached:
            self._log.warn(
                "{setting} {networks} lets nobody in: this client listens on {hosts}, where nothing comes from there; "
                "let it listen on an address that those sources reach",
                setting=spelled("allow"),
                networks=", ".join(unreached),
                hosts=" and ".join(hosts),
            )

    def _warnOfFewDescriptors(self) -> None:
        """
        Warn when this process may not have the descriptors for L{FEW_SOURCES}.
        """
        descriptors = descriptorLimit()
        each, most = self._settings.usualTunnels, self._settings.poolSize
        if descriptors is not None and descriptors < FEW_SOURCES * each:
            self._log.warn(
                "this process may have {descriptors} descriptors, and the tunnels of a source need {each} of them, or "
                "up to {most} at times: where there are many sources, raise that limit (ulimit -n, or "
                "LimitNOFILE of systemd)",
                descriptors=descriptors,
                each=each,
                most=most,
            )

    def _warnOfSegments(self, size: int) -> None:
        host, port = self._settings.server
        self._log.warn(
            "large packets seem to be lost on the way to {host} port {port}: tunnels have TCP segments of {size} bytes "
            "from now on; let ICMP (fragmentation needed, packet too big) pass, or set {setting} {size} or the MTU",
            host=host,
            port=port,
            size=size,
            setting=spelled("mss"),
        )

    def _renewOld(self) -> None:
        """
        Replace tunnels that are old, where they may become so.
        """
        allowed = self._context.volumeLimit.most(self.reactor.seconds())
        if any(bound is not None for bound in (self._settings.maxAge, self._settings.maxBytes, allowed)):
            self._sessions.renewOld()

    def _noticeSleep(self) -> None:
        if self._sleep.isOver():
            doubt = self._sleep.doubt
            suppressed = self.rateLimit.suppressedBefore(("clock", doubt)) if doubt else 0
            words = "this machine has slept{doubt}: every tunnel has to show that it is good"
            logCounted(self._log, LogLevel.info, suppressed, words, doubt=doubt)
            self._context.pathChanged()
            self._sessions.prove()

    def lookUpAhead(self) -> None:
        """
        See L{TunnelService}.
        """
        self._rememberAhead(self._resolver, *self._settings.server, "TCP")

    def reload(self) -> None:
        """
        Read the certificate files again, look the server's name up again, and find out whether the
        tunnels are still good, since the network may have changed: what does not answer is dialled
        again.

        @raise ConfigurationError: when the files cannot be used; the old stay in use.
        """
        before = self._ownPin()
        try:
            super().reload()
        finally:
            self._context.pathChanged()
            self._lookup.lookAgain()
            if self._ownPin() != before:
                self._sessions.keyChanged()
            else:
                self._sessions.prove()

    def _ownPin(self) -> bytes | None:
        return None if self._clientCredentials is None else self._clientCredentials.ownPin

    def stopService(self) -> Deferred[None]:
        """
        Take nothing more from sources, let what is under way arrive, and end all
        sessions.

        @return: fires when the last tunnel is gone, in less than 5 s.
        """
        self._lookup.stop()
        self._ports.ignoreSources()
        drained = self.whenSent(self._sessions.waits, WAIT_SECONDS).addCallback(self._drain)
        super().stopService()
        return drained

    def _drain(self, _: object) -> Deferred[None]:
        return self._sessions.drainAll().addCallback(self._drainBegun)

    def _drainBegun(self, _: object) -> Deferred[None]:
        return self.liveTunnels.whenEmpty().addCallback(self._drained)

    def _drained(self, _: object) -> Deferred[None]:
        return self._sessions.endAll().addCallback(lambda _: self._ports.stop())
