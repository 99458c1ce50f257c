"""
The UDP ports of a client: how they are bound, and bound again when they were lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import LogLevel

from uotp.boundaries import Address
from uotp.net import ListenPlace, OwnLink, bindTogether, hostAt
from uotp.telemetry import Logger, RateLimit, logCounted, orLog

REOPEN_SECONDS = 1.0
"""Until a UDP port that was lost is bound again."""


class PortProtocol(Protocol):
    """
    Is what a port of a client is for.
    """

    def stopListening(self) -> Any:
        """
        Close the port, if there is one.

        @return: fires when it is closed; L{None} when it is already.
        """

    def ignoreSources(self) -> None:
        """
        Take nothing more from sources, until another port is bound.
        """

    def countKernelDrops(self) -> None:
        """
        See L{uotp.udp.TrainProtocol.countKernelDrops}.
        """


class BoundPort:
    """
    Is one UDP port, which is bound, or will be again.

    @ivar protocol: drives it.
    @ivar host: the address to which it is bound, as it was asked for.
    @ivar shown: the same, as the log has it.
    @ivar number: its number.
    @ivar link: tells whether that address is still what is bound.
    @ivar reopening: the call that binds it again, after it was lost.
    """

    def __init__(self, whenLost: Callable[[BoundPort, str], None], newProtocol: Callable[[Any], PortProtocol]) -> None:
        self.protocol = newProtocol(lambda reason: whenLost(self, reason))
        self.host, self.shown, self.number = "", "", 0
        self.link = OwnLink("")
        self.reopening: IDelayedCall | None = None

    def bind(self, openPort: Callable[[Address, Any], Any], host: str, number: int) -> None:
        """
        Bind it.

        @param number: 0 for any.
        @raise OSError: when it cannot be had.
        """
        bound = openPort((host, number), self.protocol)
        self.host, self.number = host, bound.getHost().port
        self.shown = hostAt(bound.getHost())
        self.link = OwnLink(host)


class ClientPorts:
    """
    Keeps the UDP ports of a client.
    """

    _log = Logger()

    def __init__(
        self,
        openPort: Callable[[Address, Any], Any],
        newProtocol: Callable[[Callable[[str], None]], PortProtocol],
        reactor: Any,
        rateLimit: RateLimit,
        nowListening: Callable[[str, int], None],
    ) -> None:
        """
        @param openPort: binds a port for such a protocol; raises OSError when it cannot be had.
        @param newProtocol: makes the protocol of one port, which tells when that is lost.
        @param reactor: C{IReactorTime}.
        @param nowListening: told of each port that is bound again: its address and its number.
        """
        self._openPort = openPort
        self._newProtocol = newProtocol
        self._reactor = reactor
        self._rateLimit = rateLimit
        self._nowListening = nowListening
        self._ports: list[BoundPort] = []
        self._isStopping = False

    @property
    def listening(self) -> list[tuple[str, int]]:
        """
        The address and number of each port.
        """
        return [(port.shown, port.number) for port in self._ports]

    def bind(self, places: list[ListenPlace]) -> None:
        """
        Bind them all.

        @raise StartError: when one cannot be had.
        """
        self._isStopping = False
        self._ports = bindTogether(
            places, "UDP", self._bindOne, lambda port: port.number, lambda port: port.protocol.stopListening()
        )

    def _bindOne(self, host: str, number: int) -> BoundPort:
        port = BoundPort(self._lost, self._newProtocol)
        port.bind(self._openPort, host, number)
        return port

    def followLinks(self) -> None:
        """
        Bind those again whose network interface was made anew.  Call this now and then.
        """
        for port in self._ports:
            if port.reopening is None and not self._isStopping and port.link.isAnew:
                orLog(maybeDeferred(port.protocol.stopListening), self._log, "a port was not closed")
                self._lost(port, "its network interface was made anew")

    def _lost(self, port: BoundPort, reason: str) -> None:
        """
        A port is gone, and we did not close it: bind it again.
        """
        if self._isStopping:
            return
        suppressed = self._rateLimit.suppressedBefore(("port", port.host, reason))
        words = "UDP port {port} of {host} is lost: {reason}"
        logCounted(self._log, LogLevel.error, suppressed, words, port=port.number, host=port.host, reason=reason)
        port.reopening = self._reactor.callLater(REOPEN_SECONDS, self._reopen, port)

    def _reopen(self, port: BoundPort) -> None:
        port.reopening = None
        try:
            port.bind(self._openPort, port.host, port.number)
        except OSError as error:
            self._lost(port, error.strerror or str(error))
        else:
            self._nowListening(port.shown, port.number)

    def countKernelDrops(self) -> None:
        """
        Count what the kernel has dropped at all ports.
        """
        for port in self._ports:
            port.protocol.countKernelDrops()

    def ignoreSources(self) -> None:
        """
        Take nothing more from sources.  A port that was lost is not bound again.
        """
        self._isStopping = True
        for port in self._ports:
            port.protocol.ignoreSources()
            if port.reopening is not None:
                port.reopening.cancel()
                port.reopening = None

    def stop(self) -> Deferred[Any]:
        """
        Close them.

        @return: fires when all are closed.
        """
        ports, self._ports = self._ports, []
        return gatherResults([maybeDeferred(port.protocol.stopListening) for port in ports])
