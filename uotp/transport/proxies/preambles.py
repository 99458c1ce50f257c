"""
Which preamble goes with which kind of proxy.
"""

from __future__ import annotations

from uotp.net import ProxyKind, ProxyPlace
from uotp.transport.preamble import Preamble
from uotp.transport.proxies.httpconnect import HttpConnect
from uotp.transport.proxies.socks import SocksConnect


def preambleFor(proxy: ProxyPlace, server: tuple[str, int]) -> Preamble:
    """
    @param server: host name or address, and port.
    @return: asks the proxy for one connection to the server.
    """
    kind = SocksConnect if proxy.kind is ProxyKind.SOCKS5 else HttpConnect
    return kind(*server, proxy.login)
