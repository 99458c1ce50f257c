"""
What a client says to a SOCKS5 proxy (RFC 1928, and RFC 1929 for a user and a password), so that it connects to a
server, and what the proxy's answers mean.
"""

from __future__ import annotations

from collections.abc import Callable

from uotp.net import Host, ProxyLogin, dnsName
from uotp.transport.preamble import Preamble, Unsaid
from uotp.transport.proxies.faults import ProxyFault, ProxyRefused

SOCKS_VERSION = 5
LOGIN_VERSION = 1
CONNECT = 1
IPV4, NAME, IPV6 = 1, 3, 4
"""How a host is written, by the byte before it."""

NO_LOGIN, WITH_LOGIN, NONE_SUITS = 0, 2, 0xFF
"""Ways to show who we are, by their numbers."""

ADDRESS_BYTES = {IPV4: 4, IPV6: 16}

HEAD_BYTES = 4
"""Version, reply, nothing, and how the host is written."""

PORT_BYTES = 2

LONGEST_ANSWERS = 2 + 2 + HEAD_BYTES + 1 + 255 + PORT_BYTES
"""The way that was chosen, the verdict on user and password, and the reply with the longest name."""

NO_SOCKS = "what answers there is no SOCKS5 proxy"
OTHERS_SAY = {
    ord("H"): (
        ProxyFault.SPEAKS_HTTP,
        f"{NO_SOCKS}: it seems to be an HTTP proxy, so its URL begins with http://",
    ),
    0x15: (ProxyFault.WANTS_TLS, f"{NO_SOCKS}: it wants TLS"),
    0: (ProxyFault.SPEAKS_SOCKS4, f"{NO_SOCKS}: it speaks SOCKS4"),
    4: (ProxyFault.SPEAKS_SOCKS4, f"{NO_SOCKS}: it speaks SOCKS4"),
}
"""What the first byte of other protocols tells."""

WANTS_USER = (ProxyFault.WANTS_LOGIN, "the proxy wants user and password")
WANTS_OTHERWISE = (ProxyFault.OTHER_LOGIN, "the proxy wants to know in another way who asks")
"""What it means when none of the ways suits that were offered: without user and password, and with them."""

REPLIES = {
    1: (ProxyFault.NOT_REACHED, "it has a fault of its own, or cannot reach the server"),
    2: (ProxyFault.FORBIDS, "its rules forbid connections to this server or port"),
    3: (ProxyFault.NOT_REACHED, "the server's network is unreachable from there"),
    4: (ProxyFault.NOT_REACHED, "the server is unreachable from there, or its name is not known"),
    5: (
        ProxyFault.SERVER_REFUSES,
        "the server refuses the connection: nothing listens there, or a firewall rejects it",
    ),
    6: (ProxyFault.SERVER_SILENT, "the server does not answer it"),
    7: (ProxyFault.NEVER_CONNECTS, "it makes no connections for clients"),
    8: (ProxyFault.NO_SUCH_ADDRESS, "it cannot use such an address: names, or IPv6"),
}
"""What the number of a reply means, where it is not 0."""


class SocksConnect(Unsaid):
    """
    Asks a SOCKS5 proxy for a connection to a server; see L{uotp.transport.preamble.Preamble}.  It hears one message
    after another, and each one decides which comes next.
    """

    limit = LONGEST_ANSWERS

    def __init__(self, host: str, port: int, login: ProxyLogin | None) -> None:
        """
        @param host: of the server, whose name the proxy looks up.
        @param port: of the server.
        @param login: who we are to the proxy.
        """
        self._destination = destination(host, port)
        self._login = login
        self._offered = (NO_LOGIN,) if login is None else (NO_LOGIN, WITH_LOGIN)
        super().__init__(bytes([SOCKS_VERSION, len(self._offered), *self._offered]))
        self._heard = b""
        self._hear: Callable[[], int | None] = self._hearMethod  # the number of bytes of the message, when all is there
        self._isOver = False

    def received(self, data: bytes) -> int | None:
        """
        See L{uotp.transport.preamble.Preamble.received}.

        @raise ProxyRefused: when the proxy refuses, or is none.
        """
        self._heard += data
        while not self._isOver:
            size = self._hear()
            if size is None:
                return None
            self._heard = self._heard[size:]
        return len(data) - len(self._heard)

    def _hearMethod(self) -> int | None:
        if self._heard and self._heard[0] != SOCKS_VERSION:
            fault, reason = OTHERS_SAY.get(self._heard[0], (ProxyFault.NO_PROXY, NO_SOCKS))
            raise ProxyRefused(reason, fault)
        if len(self._heard) < 2:  # noqa: PLR2004 - the version, and the way
            return None
        method = self._heard[1]
        if method == NONE_SUITS:
            fault, reason = WANTS_USER if self._login is None else WANTS_OTHERWISE
            raise ProxyRefused(reason, fault)
        if method not in self._offered:
            reason = "the proxy chooses a way to show who asks that was not offered"
            raise ProxyRefused(reason)
        if method == WITH_LOGIN:
            login = self._login
            assert login is not None
            self.say(bytes([LOGIN_VERSION, len(login.user)]) + login.user)
            self.say(bytes([len(login.password)]) + login.password)
            self._hear = self._hearVerdict
        else:
            self._ask()
        return 2

    def _hearVerdict(self) -> int | None:
        if len(self._heard) < 2:  # noqa: PLR2004 - the version, and the verdict
            return None
        if self._heard[0] != LOGIN_VERSION:
            reason = f"{NO_SOCKS}, or its answer to user and password is broken"
            raise ProxyRefused(reason)
        if self._heard[1]:
            reason = "the proxy does not accept user and password"
            raise ProxyRefused(reason, ProxyFault.WRONG_LOGIN)
        self._ask()
        return 2

    def _ask(self) -> None:
        self.say(bytes([SOCKS_VERSION, CONNECT, 0]) + self._destination)
        self._hear = self._hearReply

    def _hearReply(self) -> int | None:
        heard = self._heard
        if heard and heard[0] != SOCKS_VERSION:
            reason = f"{NO_SOCKS}, or its reply is broken"
            raise ProxyRefused(reason)
        if len(heard) > 1 and heard[1]:
            fault, words = REPLIES.get(heard[1], (ProxyFault.UNKNOWN, f"it replies {heard[1]}"))
            reason = f"the proxy refuses: {words}"
            raise ProxyRefused(reason, fault)
        if len(heard) <= HEAD_BYTES:
            return None
        form = heard[HEAD_BYTES - 1]
        length = 1 + heard[HEAD_BYTES] if form == NAME else ADDRESS_BYTES.get(form)
        if length is None:
            reason = f"{NO_SOCKS}, or its reply is broken"
            raise ProxyRefused(reason)
        size = HEAD_BYTES + length + PORT_BYTES
        if len(heard) < size:
            return None
        self._isOver = True
        return size


def destination(host: str, port: int) -> bytes:
    """
    @return: a server as SOCKS5 writes it: by its name, unless it was named by an address.
    """
    known = Host.parse(host).withoutZone
    if known.address is not None:
        written = bytes([IPV6 if known.isIPv6 else IPV4]) + known.address.packed
    else:
        name = dnsName(host).encode("ascii")
        written = bytes([NAME, len(name)]) + name
    return written + port.to_bytes(PORT_BYTES, "big")


# mypy proves here that it fits its seam.
_preamble: type[Preamble] = SocksConnect
