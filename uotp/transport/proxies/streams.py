"""
The streams that we have opened through the TLS of a proxy, with TLS to the server inside of that or without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uotp.boundaries import StreamFacts
from uotp.transport.dialled import DialledTlsStream
from uotp.transport.phases import StreamPhase
from uotp.transport.proxies.nested import NestedTls
from uotp.transport.proxies.tlsexchange import TlsPreambleExchange
from uotp.transport.tls import Creator, TlsStream


class ProxiedStream(DialledTlsStream):
    """
    Carries bytes through the TLS of a proxy.

    @cvar proxyCreator: makes OpenSSL's connection to the proxy for a socket.
    """

    proxyCreator: Creator
    WAYS: Mapping[StreamPhase, tuple[str, str]] = {
        **TlsStream.WAYS,
        StreamPhase.PREAMBLE: ("_awaitTurn", "_awaitTurn"),  # there is a handshake in it
    }
    _outer: Any = None

    def _newExchange(self) -> TlsPreambleExchange:
        make = type(self).makePreamble
        assert make is not None
        return TlsPreambleExchange(make(), type(self).proxyCreator(self.socket))

    def _preambleOver(self, exchange: Any) -> None:
        self._outer = exchange.tls
        super()._preambleOver(exchange)

    def _secured(self) -> None:
        super()._secured()
        reactor: Any = self.reactor
        reactor.callLater(0, self._meetEnd)  # what is in memory already, the reactor tells nothing of

    def connectionLost(self, reason: Any) -> None:
        """
        The connection is gone.
        """
        self._outer = None
        super().connectionLost(reason)


class NestedTlsStream(ProxiedStream):
    """
    Carries bytes with TLS to the server, within the TLS of a proxy.
    """

    def _makeTls(self) -> NestedTls:
        outer, self._outer = self._outer, None
        return NestedTls(type(self).creator(None), outer)

    def doRead(self) -> Any:
        """
        Read what has come, no more than a bound.
        """
        end = super().doRead()
        nested: Any = vars(self).get("tls")
        if nested is not None and nested.hasEnd:
            nested.hasEnd = False
            if end is None and not self._hasMetEnd:
                self._hasMetEnd = True
                reactor: Any = self.reactor
                reactor.callLater(0, self._meetEnd)
        return end


class BareInTlsStream(ProxiedStream):
    """
    Carries bytes to the server without TLS, within the TLS of a proxy, whose certificate says nothing of the server.
    """

    @property
    def security(self) -> None:  # type: ignore[override]
        """
        L{None}, since there is no TLS to the server.
        """
        return

    @property
    def isBare(self) -> bool:
        """
        L{False}: the bytes on the socket are not those of the stream.
        """
        return False

    def facts(self) -> StreamFacts:
        """
        See L{uotp.boundaries.Stream.facts}.
        """
        return super().facts()._replace(tls=None)

    def _shakeHands(self) -> None:
        self.tls, self._outer = self._outer, None
        self.startReading()
        self._secured()
