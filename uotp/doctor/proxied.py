"""
The way through the proxy that the client has been told, as an examination goes it: each connection is asked for anew.
Nothing is asked of a proxy that is not trusted.
"""

from __future__ import annotations

from collections.abc import Callable

from uotp.doctor.channel import ServerChannel
from uotp.doctor.proxytrouble import UntoldFault, distrusted, refusedByProxy, troubled
from uotp.doctor.seams import TcpLine
from uotp.doctor.settings import DoctorSettings
from uotp.errors import ConfigurationError, PeerError
from uotp.net import ProxyKind, ProxyPlace
from uotp.path import PathStats
from uotp.tls.inspection import Flaw, HandshakeTrouble, proxyTalk
from uotp.transport import Preamble, ProxyRefused, preambleFor


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
    connect: Callable[[], TcpLine], proxy: ProxyPlace, settings: DoctorSettings, clock: Callable[[], float]
) -> TcpLine:
    """
    Ask a proxy for a connection to the server.

    @param connect: opens a connection to the proxy.  It is closed when the proxy does not agree.
    @param settings: say how long that may take, and how long TLS to the proxy may.
    @param clock: monotonic seconds.
    @raise ProxyTrouble: when there is no way through.
    @raise OSError: when the proxy is not reached.
    """
    line = connect()
    try:
        secured = _secured(line, connect, proxy, settings, clock)
        return _agreed(secured, proxy, settings, clock)
    except BaseException:
        line.close()
        raise


def _secured(
    line: TcpLine,
    connect: Callable[[], TcpLine],
    proxy: ProxyPlace,
    settings: DoctorSettings,
    clock: Callable[[], float],
) -> TcpLine:
    """
    @return: what carries bytes to the proxy, with TLS where it is to be spoken.
    """
    try:
        talk = proxyTalk(proxy, looks=False)
    except ConfigurationError as error:
        raise troubled(UntoldFault.TLS, settings, str(error)) from None
    if talk is None:
        return line
    channel = ServerChannel(line, talk, clock)
    try:
        channel.shakeHands(settings.timeout)
    except HandshakeTrouble as trouble:
        if talk.refusal is not None:
            raise distrusted(talk.refusal, _flaws(connect, proxy, settings, clock), settings) from None
        raise troubled(UntoldFault.TLS, settings, trouble.words, channel.first) from None
    except TimeoutError:
        raise troubled(UntoldFault.TLS_SILENT, settings, first=channel.first) from None
    except OSError:
        raise troubled(UntoldFault.TLS, settings, first=channel.first) from None
    return channel


def _flaws(
    connect: Callable[[], TcpLine], proxy: ProxyPlace, settings: DoctorSettings, clock: Callable[[], float]
) -> tuple[Flaw, ...]:
    """
    Look at a proxy without trust, and ask nothing of it.

    @return: all that is wrong with it, as far as a second look tells.
    """
    talk = proxyTalk(proxy, looks=True)
    assert talk is not None
    try:
        channel = ServerChannel(connect(), talk, clock)
    except OSError:
        return ()
    try:
        channel.shakeHands(settings.timeout)
    except (HandshakeTrouble, OSError):
        pass
    finally:
        channel.close()
    return talk.flaws


def _agreed(line: TcpLine, proxy: ProxyPlace, settings: DoctorSettings, clock: Callable[[], float]) -> TcpLine:
    asked = _Asked(line, preambleFor(proxy, settings.server), clock() + settings.timeout, clock)
    try:
        return asked.agreed()
    except ProxyRefused as error:
        raise refusedByProxy(error, settings) from None
    except HandshakeTrouble as trouble:
        raise troubled(UntoldFault.TLS, settings, trouble.words) from None
    except PeerError as error:
        raise troubled(UntoldFault.OTHER, settings, str(error)) from None
    except TimeoutError:
        isMute = proxy.kind is ProxyKind.SOCKS5 and not asked.heard
        raise troubled(UntoldFault.MUTE if isMute else UntoldFault.SILENT, settings) from None
    except OSError:
        raise troubled(UntoldFault.CLOSED, settings) from None


class _Asked:
    """
    Carries out what is said to a proxy on one line.

    @ivar heard: how many bytes have come.
    """

    def __init__(self, line: TcpLine, preamble: Preamble, deadline: float, clock: Callable[[], float]) -> None:
        self._line = line
        self._preamble = preamble
        self._deadline = deadline
        self._clock = clock
        self.heard = 0

    def agreed(self) -> TcpLine:
        """
        @return: the line to the server.
        @raise PeerError: when the proxy refuses, or breaks the rules.
        @raise OSError: when it closes; C{TimeoutError} when it takes too long.
        """
        while True:
            self._say()
            left = self._deadline - self._clock()
            if left <= 0:
                raise TimeoutError
            came = self._line.receive(left)
            if not came:
                raise ConnectionResetError
            own = self._preamble.received(came)
            if own is not None:
                self._say()
                return LineBehind(self._line, came[own:])
            self.heard += len(came)
            if self.heard > self._preamble.limit:
                reason = "the proxy says too much before it agrees"
                raise PeerError(reason)

    def _say(self) -> None:
        said = self._preamble.dataToSend()
        if said:
            self._line.send(said, self._deadline - self._clock())
