"""
The way to one server of a client: where it is, how it is dialled, and how that goes.
"""

from __future__ import annotations

import random
from typing import Any

from uotp.client.context import ClientContext, noToken
from uotp.client.dial.segmentsize import SegmentSizes
from uotp.client.dial.upgrades import upgradeTo
from uotp.client.lookup.lastgood import LastGood
from uotp.client.lookup.serverlookup import ServerLookup
from uotp.client.reachability import Reachability
from uotp.client.settings import ClientSettings
from uotp.client.standby.servers import Server
from uotp.net import ProxyKind, ServerPlace, SharedResolver
from uotp.process import Turns
from uotp.telemetry import Logger, RateLimit, spelled
from uotp.tls import ClientCredentials
from uotp.transport import Dialer
from uotp.tunnel import LiveTunnels
from uotp.wire import WireChoice


class ServerWay:
    """
    Holds all that belongs to one server of a client.

    @ivar server: what sessions know of it.
    @ivar lookup: finds its addresses.
    @ivar lastGood: remembers them.
    @ivar reachability: counts its tunnels.
    """

    _log = Logger()

    def __init__(
        self,
        place: ServerPlace,
        settings: ClientSettings,
        credentials: ClientCredentials | None,
        reactor: Any,
        resolver: SharedResolver,
        liveTunnels: LiveTunnels,
        turns: Turns,
        rateLimit: RateLimit,
        processes: int,
        lastGood: LastGood,
    ) -> None:
        """
        @param place: where it is.
        @param credentials: of the client; L{None} for plain TCP without a proxy.
        @param processes: how many workers the client has.
        @param lastGood: remembers the addresses that are dialled, also for other servers behind the same proxy.
        @raise ConfigurationError: for a server that no certificate could name.
        """
        self.place = place
        proxy = settings.proxyFor(place)
        creator = None if credentials is None or credentials.isPlain else credentials.creatorFor(place.host)
        isPlain = creator is None
        proxyNow = proxyCreator = None
        if proxy is not None:
            assert credentials is not None
            proxyNow = credentials.proxy
            proxyCreator = credentials.proxyConnection if proxy.kind is ProxyKind.HTTPS else None
        mayTurnOut = settings.wire is WireChoice.AUTO and not isPlain  # otherwise it is known at the start
        inVain = settings.onlyInFormat2 if mayTurnOut else ()
        self.reachability = reachability = Reachability(place.address, reactor.seconds, rateLimit, proxy, inVain)
        self.lastGood = lastGood
        self.lookup = ServerLookup(
            settings.dialledFor(place),
            resolver,
            self.lastGood,
            reactor,
            rateLimit,
            lambda: reachability.failingSince,
            once=settings.resolveOnce,
            retrySeconds=settings.backoff,
        )
        dialer = Dialer(
            reactor,
            place.address,
            creator,
            self.lookup,
            settings.mark,
            settings.tuning,
            upgradeTo(place, isPlain=isPlain),
            proxyNow,
            proxyCreator,
        )
        context = ClientContext(
            settings,
            reactor,
            dialer,
            random.random,
            liveTunnels,
            reachability,
            turns,
            SegmentSizes(settings.mss, self._warnOfSegments),
            self.lookup.opened,
            processes,
            noToken if credentials is None else credentials.token,
        )
        self.server = Server(place, context, place.shown(isPlain=isPlain))

    def _warnOfSegments(self, size: int) -> None:
        self._log.warn(
            "large packets seem to be lost on the way to {host} port {port}: tunnels have TCP segments of {size} bytes "
            "from now on; let ICMP (fragmentation needed, packet too big) pass, or set {setting} {size} or the MTU",
            host=self.place.host,
            port=self.place.port,
            size=size,
            setting=spelled("mss"),
        )
