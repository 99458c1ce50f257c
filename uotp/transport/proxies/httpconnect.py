"""
What a client says to an HTTP proxy, so that it connects to a server (CONNECT, RFC 9110), and what the proxy's
answers mean.  The heads are h11's business.  The request has nothing of which the proxy could know this program.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import partial

import h11

from uotp.net import Host, ProxyLogin, dnsName
from uotp.transport.httpclient import MOST_HEADS_BYTES, HttpClient
from uotp.transport.preamble import Preamble, Unsaid
from uotp.transport.proxies.faults import ProxyFault, ProxyRefused

MOST_SCHEMES = 4
"""So many ways to show who we are the log names, of those that a proxy wants."""

HTTP_BEGINS = b"HTTP/1."
"""How each answer begins."""

NO_HTTP_PROXY = "what answers there is no HTTP proxy"
OTHERS_BEGIN = {
    0x15: (ProxyFault.WANTS_TLS, f"{NO_HTTP_PROXY}: it wants TLS first, so its URL begins with https://"),
    0x05: (ProxyFault.SPEAKS_SOCKS5, f"{NO_HTTP_PROXY}: it speaks SOCKS5, so its URL begins with socks5://"),
}
"""What the first byte of other protocols tells."""

AUTHENTICATION = 407
SUCCESSES = range(200, 300)
REDIRECTS = range(300, 400)

CONNECT_MEANINGS = {
    400: (ProxyFault.NO_PROXY, "it does not understand the request (400): is it an HTTP proxy?"),
    401: (ProxyFault.NO_PROXY, "it wants a password as a web server does (401): is it an HTTP proxy?"),
    403: (ProxyFault.FORBIDS, "it forbids connections to this server or port (403): many allow port 443 only"),
    404: (ProxyFault.NO_PROXY, "it knows no CONNECT (404): is it an HTTP proxy?"),
    405: (ProxyFault.NEVER_CONNECTS, "it allows no CONNECT (405)"),
    429: (ProxyFault.HAS_NO_ROOM, "it has had too many requests (429)"),
    500: (ProxyFault.BROKEN, "it has a fault of its own (500)"),
    501: (ProxyFault.NEVER_CONNECTS, "it knows no CONNECT (501)"),
    502: (
        ProxyFault.NOT_REACHED,
        "it cannot reach the server (502): the server is down, or the proxy is not let through to it",
    ),
    503: (
        ProxyFault.NOT_REACHED,
        "it cannot reach the server, or has no room (503): the server's name or port may be wrong",
    ),
    504: (ProxyFault.SERVER_SILENT, "the server does not answer it (504)"),
}
"""What the status of an answer means."""

_SCHEME = re.compile(rb"\s*([A-Za-z][A-Za-z0-9-]{0,19})(?=\s|,|$)")


class HttpConnect(Unsaid):
    """
    Asks an HTTP proxy for a connection to a server; see L{uotp.transport.preamble.Preamble}.
    """

    limit = MOST_HEADS_BYTES

    def __init__(self, host: str, port: int, login: ProxyLogin | None) -> None:
        """
        @param host: of the server, whose name the proxy looks up.
        @param port: of the server.
        @param login: who we are to the proxy.
        """
        self._hasLogin = login is not None
        self._begin = b""
        target = authority(host, port)
        headers = [(b"Host", target)]
        if login is not None:
            words = base64.b64encode(login.user + b":" + login.password)
            headers.append((b"Proxy-Authorization", b"Basic " + words))
        request = h11.Request(method=b"CONNECT", target=target, headers=headers)
        self._http = HttpClient(request, partial(ProxyRefused, f"{NO_HTTP_PROXY}, or its answer is broken or too long"))
        super().__init__(self._http.request)

    def received(self, data: bytes) -> int | None:
        """
        See L{uotp.transport.preamble.Preamble.received}.

        @raise ProxyRefused: when the proxy refuses, or is none.
        """
        if len(self._begin) < len(HTTP_BEGINS):
            self._begin += data[: len(HTTP_BEGINS) - len(self._begin)]
            if not HTTP_BEGINS.startswith(self._begin):
                fault, reason = OTHERS_BEGIN.get(self._begin[0], (ProxyFault.NO_PROXY, NO_HTTP_PROXY))
                raise ProxyRefused(reason, fault)
        answer = self._http.received(data)
        if answer is None:
            return None
        if answer.status not in SUCCESSES:
            raise self._refusal(answer.status, answer.fields)
        return len(data) - len(answer.rest)

    def _refusal(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> ProxyRefused:
        if status == AUTHENTICATION:
            return self._loginRefusal(schemesIn(headers))
        if status in REDIRECTS:
            reason = f"the proxy sends us elsewhere ({status}): a network's login page may be there, for a browser"
            return ProxyRefused(reason, ProxyFault.PORTAL)
        fault, words = CONNECT_MEANINGS.get(status, (ProxyFault.UNKNOWN, f"it answers {status}"))
        return ProxyRefused(f"the proxy refuses: {words}", fault)

    def _loginRefusal(self, wanted: list[str]) -> ProxyRefused:
        if wanted and "Basic" not in wanted:
            reason = f"the proxy wants to know who asks by {' or '.join(wanted)}, and here is only Basic (407)"
            return ProxyRefused(reason, ProxyFault.OTHER_LOGIN)
        if self._hasLogin:
            return ProxyRefused("the proxy does not accept user and password (407)", ProxyFault.WRONG_LOGIN)
        return ProxyRefused("the proxy wants user and password (407)", ProxyFault.WANTS_LOGIN)


def authority(host: str, port: int) -> bytes:
    """
    @return: a server as requests name it.
    """
    known = Host.parse(host).withoutZone
    return f"{dnsName(host) if known.address is None else known.besidePort}:{port}".encode("ascii")


def schemesIn(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """
    @return: the names of the ways to show who we are that a proxy wants, as far as they are names; not all, if it
        has many.
    """
    found: dict[str, None] = {}
    for name, value in headers:
        match = _SCHEME.match(value) if name == b"proxy-authenticate" else None
        if match is not None:
            found[match[1].decode("ascii").capitalize().replace("Ntlm", "NTLM")] = None
    basic = ["Basic"] if "Basic" in found else []
    return (basic + [each for each in found if each not in basic])[:MOST_SCHEMES]


# mypy proves here that it fits its seam.
_preamble: type[Preamble] = HttpConnect
