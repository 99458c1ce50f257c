"""
What a client is towards its sources, whether it is one process or the parent of several: its UDP
ports, and what it says at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from typing import Any

from uotp.boundaries import Address
from uotp.client.settings import ClientSettings
from uotp.client.sources.ports import ClientPorts
from uotp.duplicate import Duplicate
from uotp.net import Host, checkMark, outOfReach, placesOf
from uotp.process import descriptorLimit
from uotp.telemetry import spelled
from uotp.tls import ClientCredentials
from uotp.tunnel import TunnelService
from uotp.wire import WireChoice

FEW_SOURCES = 128
"""It is said at the start when there are not the descriptors for what so many sources need that send little."""

LINK_CHECK_SECONDS = 1.0
"""How often we look whether the network interface of an address that we listen on was made anew."""


class ClientFront(TunnelService):
    """
    Has the UDP ports of a client.

    @ivar settings: what it was told.
    @ivar ports: where it listens.
    """

    commandName = "uotp-client"

    def __init__(
        self, settings: ClientSettings, credentials: ClientCredentials | None, reactor: Any, processes: int = 1
    ) -> None:
        """
        See L{TunnelService}.
        """
        super().__init__(settings, credentials, reactor, processes)
        self.settings = settings
        self._places = placesOf(settings.listen)
        self.ports = ClientPorts(
            self.openPort, self.newPort, reactor, self.rateLimit, partial(self.sayListening, transport="UDP")
        )

    def openPort(self, bindAddress: Address, protocol: Any) -> Any:
        """
        Bind a port.

        @param protocol: what L{newPort} has made.
        @return: what has C{getHost}.
        @raise OSError: when it cannot be had.
        """
        raise NotImplementedError

    def newPort(self, whenLost: Callable[[str], None]) -> Any:
        """
        @param whenLost: told why, when the port is gone and we did not close it.
        @return: what a port is for, see L{uotp.client.sources.ports.PortProtocol}.
        """
        raise NotImplementedError

    def privilegedStartService(self) -> None:
        """
        Bind the ports, while we may still be root.

        @raise StartError: when a port or the mark cannot be had.
        """
        if self.settings.mark is not None:
            checkMark(self.settings.mark)
        self.ports.bind(self._places)
        self.nowListening(self.ports.listening, "UDP")
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when a port or the mark cannot be had.
        """
        if not self.ports.listening:
            self.privilegedStartService()
        super().startService()
        if self.settings.wire is WireChoice.ONE or (self.isPlain and self.settings.wire is WireChoice.AUTO):
            self.warnOfFormat1()
        self._warnOfOneTunnel()
        self._warnOfStrangers()
        self._warnOfNobody()
        self._warnOfFewDescriptors()
        self.periodicCalls.every(LINK_CHECK_SECONDS, self.ports.followLinks)

    def _warnOfOneTunnel(self) -> None:
        if self.settings.poolSize == 1 and self.settings.duplicate is Duplicate.ALWAYS:
            self._log.warn(
                "{setting} has no effect: nothing goes over two tunnels where {most} allows one",
                setting=spelled("duplicate"),
                most=spelled("poolSize"),
            )

    def _warnOfStrangers(self) -> None:
        """
        Warn when others than this machine may be able to use the client, and nobody has said
        who may.
        """
        for host, port in () if self.settings.allow else self.listeningAll:
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
        unreached = outOfReach(self.settings.allow, hosts)
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
        Warn when all processes together may not have the descriptors for L{FEW_SOURCES}.
        """
        descriptors = descriptorLimit()
        each, most = self.settings.usualTunnels, self.settings.poolSize
        if descriptors is not None and descriptors * self.processes < FEW_SOURCES * each:
            self._log.warn(
                "this process may have {descriptors} descriptors, and the tunnels of a source need {each} of them, or "
                "up to {most} at times: where there are many sources, raise that limit (ulimit -n, or "
                "LimitNOFILE of systemd)",
                descriptors=descriptors,
                each=each,
                most=most,
            )
