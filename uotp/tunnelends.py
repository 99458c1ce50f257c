"""
The two ends of a tunnel, which differ in who speaks first.
"""

from __future__ import annotations

from typing import Any

from uotp.boundaries import FrameCodec
from uotp.tunnel import Tunnel, TunnelOwner
from uotp.tunnellife import State
from uotp.wire import HelloDecoder


class DialledTunnel(Tunnel):
    """
    The client's end: says the session id, and is open.
    """

    def __init__(self, clock: Any, codec: FrameCodec, owner: TunnelOwner, hello: bytes) -> None:
        """
        @param hello: what to send first.
        """
        super().__init__(clock, codec, owner)
        self._hello = hello

    def _secured(self) -> None:
        self.transport.write(self._hello)
        self._owner.tunnelOpened(self)


class AcceptedTunnel(Tunnel):
    """
    The server's end: waits for the session id, and opens when it has been told
    whom to carry for.
    """

    def __init__(self, clock: Any, codec: FrameCodec, owner: TunnelOwner) -> None:
        """
        See L{Tunnel}.
        """
        super().__init__(clock, codec, owner)
        self._helloDecoder = HelloDecoder()

    def _secured(self) -> None:
        """
        Nothing to do: the peer speaks first.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        The session id comes first, and frames may come in the same breath.
        """
        if self.state is not State.HELLO:
            super().dataReceived(data)
            return
        self.heard = True
        hello = self._helloDecoder.feed(data)
        if hello is None:
            return
        sessionId, rest = hello
        self._owner.helloReceived(self, sessionId)
        super().dataReceived(rest)
