"""
The TCP ports of a server: how they are bound, and bound again when the network interface was made
anew to which their address belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.logger import LogLevel

from uotp.net import ListenPlace, OwnLink, bindTogether
from uotp.telemetry import Logger, RateLimit, logCounted, orLog


@dataclass(frozen=True, slots=True)
class ServerPort:
    """
    Is one port that is bound.

    @ivar listener: what Twisted has of it.
    @ivar host: the address to which it is bound, as it was asked for.
    @ivar link: tells whether that is still what is bound.
    """

    listener: Any
    host: str
    link: OwnLink

    @property
    def pair(self) -> tuple[str, int]:
        """
        The address and the number.
        """
        bound = self.listener.getHost()
        return bound.host, bound.port


class ServerPorts:
    """
    Keeps the TCP ports of a server.
    """

    _log = Logger()

    def __init__(
        self, listen: Callable[[str, int], Any], rateLimit: RateLimit, nowListening: Callable[[str, int], None]
    ) -> None:
        """
        @param listen: begins to listen; raises OSError when a port cannot be had.
        @param rateLimit: keeps the log short.
        @param nowListening: told of each port that is bound again: its address and its number.
        """
        self._listen = listen
        self._rateLimit = rateLimit
        self._nowListening = nowListening
        self._ports: list[ServerPort] = []

    @property
    def listening(self) -> list[tuple[str, int]]:
        """
        The address and number of each port.
        """
        return [port.pair for port in self._ports]

    def bind(self, places: list[ListenPlace]) -> None:
        """
        Bind them all.

        @raise StartError: when one cannot be had.
        """
        self._ports = bindTogether(
            places, "TCP", self._bindOne, lambda port: port.pair[1], lambda port: port.listener.stopListening()
        )

    def _bindOne(self, host: str, number: int) -> ServerPort:
        return ServerPort(self._listen(host, number), host, OwnLink(host))

    def followLinks(self) -> None:
        """
        Bind those again whose interface was made anew.  Call this now and then: the address may
        come some time after the interface.
        """
        self._ports = [self._boundAgain(port) if port.link.isAnew else port for port in self._ports]

    def _boundAgain(self, port: ServerPort) -> ServerPort:
        number = port.pair[1]
        try:
            again = self._bindOne(port.host, number)
        except OSError as error:
            reason = error.strerror or str(error)
            suppressed = self._rateLimit.suppressedBefore(("link", port.host, reason))
            words = "the network interface of {host} was made anew, and its port {port} cannot be had yet: {reason}"
            logCounted(self._log, LogLevel.warn, suppressed, words, host=port.host, port=number, reason=reason)
            return port
        orLog(maybeDeferred(port.listener.stopListening), self._log, "a port was not closed")
        self._nowListening(*again.pair)
        return again

    def stop(self) -> Deferred[Any]:
        """
        Close them.

        @return: fires when all are closed.
        """
        ports, self._ports = self._ports, []
        return gatherResults([maybeDeferred(port.listener.stopListening) for port in ports])
