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
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.client.allowed import canReach
from uotp.client.context import ClientContext
from uotp.client.ports import ClientPorts
from uotp.client.reachability import Reachability
from uotp.client.sessions import SessionsBySource
from uotp.client.settings import ClientSettings
from uotp.client.source import SourceSession
from uotp.errors import LookupFailed
from uotp.net import Host, SharedResolver, backgroundThread, checkMark, placesOf
from uotp.process import SleepClocks, SleepDetector, descriptorLimit, sleepClocks
from uotp.session import WAIT_SECONDS
from uotp.telemetry import logCounted, orLog, spelled
from uotp.tls import ClientCredentials
from uotp.transport import Dialer
from uotp.tunnel import TunnelService
from uotp.udp import MAX_INTAKE_BYTES, datagramPortOpener

INTAKE_SHARE = 4
"""What is read from all UDP ports while they are crowded takes one part in so many of the memory at the most."""

WAKE_CHECK_SECONDS = 1.0
"""How often we look whether this machine has slept."""

FEW_SOURCES = 128
"""It is said at the start when there are not the descriptors for whole pools of so many sources."""

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
        self._resolving: IDelayedCall | None = None
        self._places = placesOf(settings.listen)
        intakeBytes = min(MAX_INTAKE_BYTES, settings.memory // INTAKE_SHARE // len(self._places))
        self.turns.memory.reserve(intakeBytes * len(self._places))
        self._resolver = SharedResolver(backgroundThread(reactor), once=settings.resolveOnce)
        dialer = Dialer(
            reactor,
            settings.server,
            None if credentials is None else credentials.creatorFor(settings.server[0]),
            self._resolver,
            settings.timeout,
            settings.mark,
            settings.tuning,
        )
        reachability = Reachability(settings.server, reactor.seconds, self.rateLimit)
        context = ClientContext(
            settings, reactor, dialer.dial, random.random, self.liveTunnels, reachability, self.turns
        )
        self._sleep = SleepDetector(clocks or sleepClocks())
        self._sessions = SessionsBySource(
            partial(SourceSession, context, self.drops),
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
        self._warnOfStrangers()
        self._warnOfNobody()
        self._warnOfFewDescriptors()
        self.periodicCalls.every(min(1.0, self._settings.expire / 4), self._sessions.endIdle)
        self.periodicCalls.every(WAKE_CHECK_SECONDS, self._noticeSleep)
        if self._settings.maxAge is not None or self._settings.maxBytes is not None:
            self.periodicCalls.every(RENEW_CHECK_SECONDS, self._sessions.renewOld)
        if self._settings.resolveOnce:
            # Now, before a VPN that needs this tunnel has taken the name server away.
            self._resolveOnce()

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
                    "whoever can send to {host} port {port} (UDP) may use this client; {setting} names those that may",
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
        each = self._settings.poolSize
        if descriptors is not None and descriptors < FEW_SOURCES * each:
            self._log.warn(
                "this process may have {descriptors} descriptors, and a source needs up to {each} of them for its "
                "tunnels: where there are many sources, raise that limit (ulimit -n, or LimitNOFILE of systemd)",
                descriptors=descriptors,
                each=each,
            )

    def _resolveOnce(self) -> None:
        self._resolving = None
        looking = self._resolver.lookUp(*self._settings.server, "TCP").addErrback(self._notResolvedOnce)
        orLog(looking, self._log, "the server was not looked up")

    def _notResolvedOnce(self, reason: Failure) -> None:
        reason.trap(LookupFailed)
        if not self.running:
            return
        why = str(reason.value)
        suppressed = self.rateLimit.suppressedBefore(("resolve once", why))
        words = "{host}: {reason}, trying again"
        logCounted(self._log, LogLevel.warn, suppressed, words, host=self._settings.server[0], reason=why)
        self._resolving = self.reactor.callLater(self._settings.backoff, self._resolveOnce)

    def _noticeSleep(self) -> None:
        if self._sleep.isOver():
            words = "this machine has slept{doubt}: every tunnel has to show that it is good"
            self._log.info(words, doubt=self._sleep.doubt)
            self._sessions.prove()

    def lookUpAhead(self) -> None:
        """
        See L{TunnelService}.
        """
        self._rememberAhead(self._resolver, *self._settings.server, "TCP")

    def reload(self) -> None:
        """
        Read the certificate files again, and find out whether the tunnels are still
        good, since the network may have changed: what does not answer is dialled again.

        @raise ConfigurationError: when the files cannot be used; the old stay in use.
        """
        try:
            super().reload()
        finally:
            self._sessions.prove()

    def stopService(self) -> Deferred[None]:
        """
        Take nothing more from sources, let what is under way arrive, and end all
        sessions.

        @return: fires when the last tunnel is gone, in less than 5 s.
        """
        if self._resolving is not None:
            self._resolving.cancel()
            self._resolving = None
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
