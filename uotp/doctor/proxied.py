"""
The way through the proxy that the client has been told, as an examination goes it: each connection is asked for anew.
"""

from __future__ import annotations

from collections.abc import Callable

from uotp.doctor.channel import ServerChannel
from uotp.doctor.seams import TcpLine
from uotp.errors import PeerError
from uotp.net import ProxyPlace
from uotp.path import PathStats
from uotp.tls import proxyCreator
from uotp.tls.inspection import HandshakeTrouble, TlsTalk
from uotp.transport import preambleFor


class ProxyTrouble(OSError):
    """
    Tells in words why there is no way through the proxy.
    """

    def __init__(self, words: str) -> None:
        super().__init__(0, words)
        self.words = words


class LineBehind:
    """
    Is the line to a server behind a proxy, once the proxy has agreed.
    """

    def __init__(self, line: TcpLine, begun: bytes) -> None:
        """
        @param line: that to the proxy, or what speaks TLS on it.
        @param begun: what has come from the server already.
        """
        self._line = line
        self._begun = begun

    def send(self, data: bytes, seconds: float) -> None:
        """
        See L{TcpLine.send}.
        """
        self._line.send(data, seconds)

    def receive(self, seconds: float) -> bytes:
        """
        See L{TcpLine.receive}.
        """
        begun, self._begun = self._begun, b""
        return begun or self._line.receive(seconds)

    def pathStats(self) -> PathStats | None:
        """
        See L{TcpLine.pathStats}.  The path is that to the proxy.
        """
        return self._line.pathStats()

    def close(self) -> None:
        """
        See L{TcpLine.close}.
        """
        self._line.close()


def throughProxy(
    line: TcpLine, proxy: ProxyPlace, server: tuple[str, int], seconds: float, clock: Callable[[], float]
) -> TcpLine:
    """
    Ask a proxy for a connection to a server.

    @param line: to the proxy.  It is closed when the proxy does not agree.
    @param seconds: how long that may take, and how long TLS to the proxy may.
    @param clock: monotonic seconds.
    @raise ProxyTrouble: when there is no way through.
    """
    try:
        return _agreed(_securedLine(line, proxy, seconds, clock), proxy, server, clock() + seconds, clock)
    except HandshakeTrouble as trouble:
        line.close()
        reason = f"TLS to the proxy: {trouble.words or 'the handshake fails'}"
        raise ProxyTrouble(reason) from None
    except PeerError as error:
        line.close()
        raise ProxyTrouble(str(error)) from None
    except TimeoutError:
        line.close()
        reason = f"the proxy has not answered within {seconds:g} s: it stands still, or cannot reach the server"
        raise ProxyTrouble(reason) from None
    except OSError:
        line.close()
        reason = "the proxy closes the connection before it has agreed to connect us"
        raise ProxyTrouble(reason) from None


def _securedLine(line: TcpLine, proxy: ProxyPlace, seconds: float, clock: Callable[[], float]) -> TcpLine:
    create = proxyCreator(proxy)
    if create is None:
        return line
    channel = ServerChannel(line, TlsTalk(create(None)), clock)
    channel.shakeHands(seconds)
    return channel


def _agreed(
    line: TcpLine, proxy: ProxyPlace, server: tuple[str, int], deadline: float, clock: Callable[[], float]
) -> TcpLine:
    preamble = preambleFor(proxy, server)
    heard = 0
    while True:
        said = preamble.dataToSend()
        if said:
            line.send(said, deadline - clock())
        left = deadline - clock()
        if left <= 0:
            raise TimeoutError
        came = line.receive(left)
        if not came:
            raise ConnectionResetError
        own = preamble.received(came)
        if own is not None:
            said = preamble.dataToSend()
            if said:
                line.send(said, deadline - clock())
            return LineBehind(line, came[own:])
        heard += len(came)
        if heard > preamble.limit:
            reason = "the proxy says too much before it agrees"
            raise PeerError(reason)
