"""
Where a proxy is that a client's connections go through, and what shows who asks it.  User and password are secrets:
here is no word, no C{repr} and no error that has one of them in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from urllib.parse import unquote_to_bytes

from uotp.net.hosts import Host, parseDestination
from uotp.net.listening import MAX_PORT

MAX_SECRET_BYTES = 255
"""User and password may each be so long: SOCKS5 tells their lengths in one byte (RFC 1929)."""

MAX_URL_LETTERS = 2048
"""A longer one can only be a mistake."""

PROXY_FORMS = "http://, https:// or socks5:// with HOST:PORT behind it"
"""How a proxy is written."""


class ProxyKind(Enum):
    """
    Names what is spoken with a proxy.  The values are what its URL begins with.
    """

    HTTP = "http"
    HTTPS = "https"
    SOCKS5 = "socks5"


PROXY_SCHEMES = {**{kind.value: kind for kind in ProxyKind}, "socks5h": ProxyKind.SOCKS5}
"""What URLs begin with.  Names are resolved by the proxy in any case, which C{socks5h} says elsewhere."""

USUAL_PORTS = {ProxyKind.HTTP: 80, ProxyKind.HTTPS: 443, ProxyKind.SOCKS5: 1080}
"""The port of a URL that has none."""

_URL = re.compile(r"([a-z0-9+.-]+)://(?:([^@/?#]*)@)?(\[[^\]/?#@]*\]|[^:/?#@\[\]]*)(?::([0-9]*))?/?", re.IGNORECASE)
_DELETE = 0x7F


@dataclass(frozen=True, slots=True)
class ProxyLogin:
    """
    Holds what shows a proxy who asks.

    @ivar user: its bytes.
    @ivar password: its bytes; they may be empty.
    """

    user: bytes = field(repr=False)
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProxyPlace:
    """
    Says where a proxy is, and how it is spoken to.

    @ivar kind: what it speaks.
    @ivar host: host name or address.
    @ivar port: TCP port.
    @ivar login: who we are to it, or L{None}.
    @ivar authorities: for TLS to the proxy, PEM with the CAs to trust in place of the system's, or L{None}.
    @ivar excepted: hosts that are reached without it, as the variable C{NO_PROXY} has them.
    """

    kind: ProxyKind
    host: str
    port: int
    login: ProxyLogin | None = None
    authorities: bytes | None = field(default=None, repr=False)
    excepted: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """
        Host and port.
        """
        return self.host, self.port

    def isFor(self, host: str, port: int) -> bool:
        """
        @return: whether a server is reached through it, by the rules of Python's standard library.
        """
        alone = host.lower()
        both = f"{Host.parse(alone).besidePort}:{port}"
        for name in (each.strip().lower().lstrip(".") for each in self.excepted.split(",")):
            if name and (name in (alone, both) or alone.endswith(f".{name}") or both.endswith(f".{name}")):
                return False
        return self.excepted.strip() != "*"


def parseProxy(text: str) -> ProxyPlace:
    """
    @param text: a URL.  User and password may have percent signs and two digits in place of letters.
    @return: the proxy.
    @raise ValueError: in words, which do not show it.
    """
    match = _URL.fullmatch(text) if len(text) <= MAX_URL_LETTERS else None
    kind = None if match is None else PROXY_SCHEMES.get(match[1].lower())
    if match is None or kind is None:
        reason = f"a proxy is written as {PROXY_FORMS}; signs in a user or a password as %40 for @"
        raise ValueError(reason)
    host, port = match[3], int(match[4] or USUAL_PORTS[kind])
    if not 1 <= port <= MAX_PORT:
        reason = f"the port of a proxy is from 1 to {MAX_PORT}"
        raise ValueError(reason)
    if host.startswith("["):
        host = host[1:-1]
        if not Host.parse(host).isIPv6:
            reason = "brackets are for an address of IPv6"
            raise ValueError(reason)
    try:
        host = parseDestination(host)
    except ValueError:
        reason = "behind :// and @ a proxy's URL has a host name or an address"
        raise ValueError(reason) from None
    return ProxyPlace(kind, host, port, None if match[2] is None else _loginIn(match[2], kind))


def _loginIn(words: str, kind: ProxyKind) -> ProxyLogin:
    user, _, password = words.partition(":")
    return checkedLogin(unquote_to_bytes(user), unquote_to_bytes(password), kind)


def checkedLogin(user: bytes, password: bytes, kind: ProxyKind) -> ProxyLogin:
    """
    @return: who we are to a proxy.
    @raise ValueError: in words, which show neither.
    """
    if not user:
        reason = "a user is needed before the password"
        raise ValueError(reason)
    if max(len(user), len(password)) > MAX_SECRET_BYTES:
        reason = f"user and password have at most {MAX_SECRET_BYTES} bytes each"
        raise ValueError(reason)
    if any(byte < ord(" ") or byte == _DELETE for byte in user + password):
        reason = "user and password have no control characters"
        raise ValueError(reason)
    if b":" in user and kind is not ProxyKind.SOCKS5:
        reason = "the user of an HTTP proxy has no colon"
        raise ValueError(reason)
    if not password and kind is ProxyKind.SOCKS5:
        reason = "a SOCKS5 proxy needs a password beside the user"
        raise ValueError(reason)
    return ProxyLogin(user, password)


def parseLogin(content: bytes, kind: ProxyKind) -> ProxyLogin:
    """
    @param content: of a file with one line, C{user:password}.
    @return: who we are to a proxy.
    @raise ValueError: in words, which show neither.
    """
    lines = [line for line in (each.strip(b"\r") for each in content.split(b"\n")) if line]
    if len(lines) != 1 or b":" not in lines[0]:
        reason = "one line is needed, USER:PASSWORD"
        raise ValueError(reason)
    user, _, password = lines[0].partition(b":")
    return checkedLogin(user, password, kind)


def proxyInEnvironment(environment: Mapping[str, str]) -> ProxyPlace | None:
    """
    Find the proxy for HTTPS that an environment names, as Python's standard library does: C{https_proxy}, or else
    C{all_proxy}; in small letters before capitals, where an empty one means none.

    @return: the proxy, or L{None}.
    @raise ValueError: in words, which name the variable and do not show its value.
    """
    for name in ("https_proxy", "all_proxy"):
        value, variable = _variable(environment, name)
        if value:
            text = value if "://" in value else f"http://{value}"
            try:
                found = parseProxy(text)
            except ValueError as error:
                reason = f"{variable}: {error}"
                raise ValueError(reason) from error
            return replace(found, excepted=_variable(environment, "no_proxy")[0])
    return None


def _variable(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """
    @return: the value of a variable, and how it is spelled.
    """
    for spelling in (name, name.upper()):
        if spelling in environment:
            return environment[spelling].strip(), spelling
    return "", name
