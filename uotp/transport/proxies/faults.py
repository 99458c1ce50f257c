"""
Why a proxy does not connect us, as values: whoever looks for a fault has to know more than the words.
"""

from __future__ import annotations

from enum import Enum, auto

from uotp.errors import PeerError


class ProxyFault(Enum):
    """
    Names why a proxy does not connect us, by what can be done about it.

    NO_PROXY: another program is there, or something that breaks the rules.
    WANTS_TLS: TLS has to be spoken with it first.
    SPEAKS_SOCKS5: it is a SOCKS5 proxy, and was asked in HTTP.
    SPEAKS_HTTP: it is an HTTP proxy, and was asked by SOCKS5.
    SPEAKS_SOCKS4: it knows an older SOCKS alone.
    WANTS_LOGIN: it wants user and password.
    WRONG_LOGIN: it does not accept these.
    OTHER_LOGIN: it wants to know in a way who asks that is not spoken here.
    FORBIDS: its rules are against this server or port.
    NEVER_CONNECTS: it makes no connections for anybody.
    PORTAL: it sends us to a page for browsers.
    HAS_NO_ROOM: it has too much to do.
    BROKEN: it has a fault of its own.
    NOT_REACHED: it does not reach the server.
    SERVER_REFUSES: nothing listens at the server's port, as it finds.
    SERVER_SILENT: the server does not answer it.
    NO_SUCH_ADDRESS: it cannot use a name, or an address of this kind.
    UNKNOWN: it refuses for a reason that we do not know.
    """

    NO_PROXY = auto()
    WANTS_TLS = auto()
    SPEAKS_SOCKS5 = auto()
    SPEAKS_HTTP = auto()
    SPEAKS_SOCKS4 = auto()
    WANTS_LOGIN = auto()
    WRONG_LOGIN = auto()
    OTHER_LOGIN = auto()
    FORBIDS = auto()
    NEVER_CONNECTS = auto()
    PORTAL = auto()
    HAS_NO_ROOM = auto()
    BROKEN = auto()
    NOT_REACHED = auto()
    SERVER_REFUSES = auto()
    SERVER_SILENT = auto()
    NO_SUCH_ADDRESS = auto()
    UNKNOWN = auto()


class ProxyRefused(PeerError):
    """
    Is raised when a proxy does not connect us, or is none.

    @ivar fault: why.
    """

    def __init__(self, reason: str, fault: ProxyFault = ProxyFault.NO_PROXY) -> None:
        """
        @param reason: why, in words.
        """
        super().__init__(reason)
        self.fault = fault
