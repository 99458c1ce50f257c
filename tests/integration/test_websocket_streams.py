"""
Real connections that carry WebSocket: what holds for every kind of stream holds for them too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration import test_connections as connections
from tests.integration.steppedtcp import AnyTalker
from uotp.net.sockopts import TunnelSocketOptions

# A contract is no test case before it has a subject.
if TYPE_CHECKING:
    _Case = connections.RealStreamContract
else:
    _Case = object


def upgradeAtOnce(end: Any, opensAt: str, *, masks: bool) -> None:
    """
    Have one end upgrade before it speaks.

    @param opensAt: the name of the method that tells it that its stream is open.
    @param masks: whether it is the client.
    """
    opened = getattr(end, opensAt)

    def upgrade() -> None:
        end.transport.becomeWebSocket(masks=masks)
        opened()

    setattr(end, opensAt, upgrade)


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
            upgradeAtOnce(end, self.opensAt, masks=masks)
        super().connectThese(here, there, tuning)


class PlainWebSocketTests(_WebSocketContract, connections.PlainStreamTests):
    """
    Without TLS.
    """

    opensAt = "connectionMade"


class TlsWebSocketTests(_WebSocketContract, connections.Tls13StreamTests):
    """
    Within TLS.
    """
