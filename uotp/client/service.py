"""
A client, put together: a UDP port, a session for each source, and the way to
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

from uotp.boundaries import Address
from uotp.client.context import ClientContext
from uotp.client.reachability import Reachability
from uotp.client.sessions import SessionsBySource
from uotp.client.settings import ClientSettings
from uotp.client.source import SourceSession
from uotp.errors import LookupFailed, StartError
from uotp.net import Host, SharedResolver, backgroundThread, checkMark
from uotp.process import SleepClocks, SleepDetector, descriptorLimit, sleepClocks
from uotp.session import WAIT_SECONDS
from uotp.telemetry import logCounted, spelled
from uotp.tls import ClientCredentials
from uotp.transport import Dialer
from uotp.tunnel import TunnelService
from uotp.udp import MAX_INTAKE_BYTES, datagramPortOpener

REOPEN_SECONDS = 1.0
"""Until a UDP port that was lost is bound again."""

WAKE_CHECK_SECONDS = 1.0
"""How often we look whether this machine has slept."""

FEW_SOURCES = 128
"""It is said at the start when there are not the descriptors for whole pools of so many sources."""

SILENCE_CHECK_SECONDS = 2.0
"""How often we look for sources to which nothing comes back."""

RENEW_CHECK_SECONDS = 0.25
"""How often we look for tunnels that are old, where they may become so: a second or so apart."""


class ClientService(TunnelService):
    """
    Runs a client: binds its UDP port, and opens a session for each source that sends.
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
        self._reopening: IDelayedCall | None = None
        self._resolving: IDelayedCall | None = None
        self._openPort = datagramPortOpener(reactor, self.drops, settings.udpBuffer, shared=True)
        self.turns.memory.reserve(MAX_INTAKE_BYTES)
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
            self.portLost,
            allow=settings.allow,
        )

    def privilegedStartService(self) -> None:
        """
        Bind the port, while we may still be root.

        @raise StartError: when the port or the mark cannot be had.
        """
        if self._settings.mark is not None:
            checkMark(self._settings.mark)
        self._bind(self._settings.listen)
        super().privilegedStartService()

    def _bind(self, address: Address) -> None:
        try:
            port = self._openPort(address, self._sessions)
        except OSError as error:
            reason = f"cannot listen on {address[0]} port {address[1]} (UDP): {error.strerror or error}"
            raise StartError(reason) from error
        bound: Any = port.getHost()
        self.nowListening(bound.host, bound.port, "UDP")

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when the port or the mark cannot be had.
        """
        if self._sessions.transport is None:
            self.privilegedStartService()
        super().startService()
        self._warnOfStrangers()
        self._warnOfFewDescriptors()
        self.periodicCalls.every(min(1.0, self._settings.expire / 4), self._sessions.endIdle)
        self.periodicCalls.every(SILENCE_CHECK_SECONDS, self._sessions.review)
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
        host, port = self.listening or self._settings.listen
        address = Host.parse(host).address
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        if not self._settings.allow and address is not None and not address.is_loopback:
            self._log.warn(
                "whoever can send to {host} port {port} (UDP) may use this client; {setting} names those that may",
                host=host,
                port=port,
                setting=spelled("allow"),
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
        self._resolver.lookUp(*self._settings.server, "TCP").addErrback(self._notResolvedOnce)

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

    def reload(self) -> None:
        """
        Read the certificate files again, and find out whether the tunnels are still
        good, since the network may have changed: what does not answer is dialled again.

        @raise ConfigurationError: when the files cannot be used; the old stay in use.
        """
        before = self._ownPin()
        try:
            super().reload()
        finally:
            if self._ownPin() != before:
                self._sessions.keyChanged()
            else:
                self._sessions.prove()

    def _ownPin(self) -> bytes | None:
        return None if self._clientCredentials is None else self._clientCredentials.ownPin

    def portLost(self, reason: str) -> None:
        """
        The UDP port is gone, and we did not close it: bind it again.
        """
        if not self.running:
            return
        suppressed = self.rateLimit.suppressedBefore(("port", reason))
        logCounted(self._log, LogLevel.error, suppressed, "the UDP port is lost: {reason}", reason=reason)
        self._reopening = self.reactor.callLater(REOPEN_SECONDS, self._reopen)

    def _reopen(self) -> None:
        self._reopening = None
        try:
            self._bind(self.listening or self._settings.listen)
        except StartError as error:
            self.portLost(str(error))

    def stopService(self) -> Deferred[None]:
        """
        Take nothing more from sources, let what is under way arrive, and end all
        sessions.

        @return: fires when the last tunnel is gone, in less than 5 s.
        """
        for call in (self._reopening, self._resolving):
            if call is not None:
                call.cancel()
        self._reopening = self._resolving = None
        self._sessions.ignoreSources()
        drained = self.whenSent(self._sessions.waits, WAIT_SECONDS).addCallback(self._drain)
        super().stopService()
        return drained

    def _drain(self, _: object) -> Deferred[None]:
        return self._sessions.drainAll().addCallback(self._drainBegun)

    def _drainBegun(self, _: object) -> Deferred[None]:
        return self.liveTunnels.whenEmpty().addCallback(self._drained)

    def _drained(self, _: object) -> Deferred[None]:
        return self._sessions.endAll().addCallback(self._closePort)

    def _closePort(self, _: object) -> Deferred[None] | None:
        return self._sessions.stopListening()
