"""
Real connections that carry WebSocket: what holds for every kind of stream holds for them too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tests.integration import test_connections as connections
from tests.integration.steppedtcp import AnyTalker
from uotp.net.sockopts import TunnelSocketOptions

# A contract is no test case before it has a subject.
if TYPE_CHECKING:
    _Case = connections.RealStreamContract
else:
    _Case = object


class _WebSocketContract(_Case):
    """
    The client's end is the one that has dialled.
    """

    opensAt = "handshakeCompleted"

    def connectThese(self, here: AnyTalker, there: AnyTalker, tuning: TunnelSocketOptions | None = None) -> None:
        """
        Both ends upgrade as soon as the stream is open, before they speak.
        """
        for end, masks in ((here, True), (there, False)):
            opened = getattr(end, self.opensAt)
            setattr(end, self.opensAt, partial(self.upgrade, end, opened, masks=masks))
        super().connectThese(here, there, tuning)

    def upgrade(self, end: Any, opened: Any, *, masks: bool) -> None:
        """
        @param opened: says to the end that its stream is open.
        """
        end.transport.becomeWebSocket(masks=masks)
        opened()


class PlainWebSocketTests(_WebSocketContract, connections.PlainStreamTests):
    """
    Without TLS.
    """

    opensAt = "connectionMade"


class TlsWebSocketTests(_WebSocketContract, connections.Tls13StreamTests):
    """
    Within TLS.
    """
