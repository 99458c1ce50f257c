"""
What may be wrong with the way through a proxy, and what can be done about each of it.  User and password are in no
word of it.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from uotp.doctor.findings import ExamStep
from uotp.doctor.flaws import ADVICE, worstOf
from uotp.doctor.settings import DoctorSettings
from uotp.net import Host, ProxyKind, ProxyPlace
from uotp.telemetry import spelled
from uotp.tls.inspection import Against, Flaw
from uotp.transport import ProxyFault, ProxyRefused

WEB_PORT = 443
"""Most proxies let connections to this port through."""


class UntoldFault(Enum):
    """
    Names what may go wrong with a proxy before it has answered, or in its answer.

    CLOSED: it closes the connection before it has agreed.
    SILENT: it has not answered in time.
    MUTE: it has not even answered the greeting of SOCKS5.
    OTHER: it says too much.
    TLS: there is no TLS with it, though it is to be spoken.
    TLS_SILENT: it does not answer the handshake.
    """

    CLOSED = auto()
    SILENT = auto()
    MUTE = auto()
    OTHER = auto()
    TLS = auto()
    TLS_SILENT = auto()


class ProxyTrouble(OSError):
    """
    Tells in words why there is no way through the proxy, and what can be done.

    @ivar words: why.
    @ivar remedy: what can be done.
    @ivar cause: the step whose fault, if it has one, is the cause.
    """

    def __init__(self, words: str, remedy: str, cause: ExamStep | None = None) -> None:
        super().__init__(0, words)
        self.words = words
        self.remedy = remedy
        self.cause = cause


RIGHT_PLACE = "see whether the URL of {proxy} has the host and the port of the proxy, and begins with what it speaks"

SERVER_BEHIND = (
    "the proxy itself is well: see whether uotp-server runs, and where it listens (`ss -ltn` on the server; the proxy "
    "has tried {where})"
)

REMEDIES = {
    ProxyFault.NO_PROXY: f"{RIGHT_PLACE}: http://, https:// or socks5://",
    ProxyFault.WANTS_TLS: "write https:// in place of {scheme} in the URL of {proxy}: SOCKS5 within TLS is not spoken "
    "here",
    ProxyFault.SPEAKS_SOCKS5: "write socks5:// in place of {scheme} in the URL of {proxy}",
    ProxyFault.SPEAKS_HTTP: "write http:// in place of {scheme} in the URL of {proxy}",
    ProxyFault.SPEAKS_SOCKS4: "name a proxy that speaks SOCKS5 or HTTP: SOCKS4 is not spoken here",
    ProxyFault.WANTS_LOGIN: "give user and password: one line, USER:PASSWORD, in a file of {proxyAuthFile}",
    ProxyFault.OTHER_LOGIN: "only user and password are shown here, in the plain way: run a program on this machine "
    "that shows the other, as cntlm or px do, and name that by {proxy}; or ask the proxy's administrator for another "
    "way",
    ProxyFault.NEVER_CONNECTS: "ask the proxy's administrator for a proxy that connects its clients (CONNECT): this "
    "one does not",
    ProxyFault.PORTAL: "log in to the network with a browser, and run this again; if there is no login page, "
    f"{RIGHT_PLACE}",
    ProxyFault.HAS_NO_ROOM: "wait, and run this again; if it stays so, the proxy's administrator can give this machine "
    "more room",
    ProxyFault.BROKEN: "run this again; if it stays so, the proxy's log says why, which its administrator can read",
    ProxyFault.NOT_REACHED: f"{SERVER_BEHIND}, and whether a firewall there lets the proxy in",
    ProxyFault.SERVER_REFUSES: f"{SERVER_BEHIND}; 127.0.0.1 there cannot be reached from elsewhere",
    ProxyFault.SERVER_SILENT: "the proxy itself is well: see whether a firewall at the server, or at its provider, "
    "lets the proxy in at {where}, and whether one lets the proxy out to there",
    ProxyFault.NO_SUCH_ADDRESS: "give the server's address of IPv4 in place of {host}, with {serverName} and the name "
    "in its certificate",
    ProxyFault.UNKNOWN: "ask the proxy's administrator what that answer means",
    UntoldFault.CLOSED: f"{RIGHT_PLACE}: what waits for TLS closes so, too; if it is right, the proxy may not let this "
    "machine in, which its administrator knows",
    UntoldFault.SILENT: "see whether a firewall at the server drops what the proxy sends to {where}: the proxy waits "
    f"for that; if the server is reached from elsewhere, {RIGHT_PLACE}: what waits for TLS may be silent, too",
    UntoldFault.MUTE: "an HTTP proxy waits so for the end of a request: if it is one, write http:// in place of "
    f"{{scheme}} in the URL of {{proxy}}; else {RIGHT_PLACE}",
    UntoldFault.OTHER: f"{RIGHT_PLACE}: http://, https:// or socks5://",
    UntoldFault.TLS: f"{RIGHT_PLACE}: with https:// TLS is spoken with the proxy itself, which few do",
    UntoldFault.TLS_SILENT: f"{RIGHT_PLACE}: with https:// TLS is spoken with the proxy itself, and what waits for "
    "something else is silent then",
}
"""What can be done about each fault, where that is the same for all who have it."""

DISTRUST = {
    Against.ISSUER: "give by {proxyCafile} the CA that has signed the proxy's certificate: its administrator has it",
    Against.REVOKED: "the proxy needs a new certificate, which is up to its administrator: this one was revoked",
    Against.NAME: "write the name of the proxy as it is in its certificate, in the URL of {proxy}",
    Against.NOT_YET: "see the step clock: either this machine's clock is slow, or the proxy's certificate is for later",
    Against.EXPIRED: "if the step clock is well, the proxy needs a new certificate: its administrator can renew it",
    Against.CIPHER: "the proxy has to take TLS 1.3, or ECDHE with AES-GCM or ChaCha20: tell its administrator",
}
"""What can be done about a proxy that is not trusted."""

OTHER_CERTIFICATE = "the proxy needs another certificate: tell its administrator what is wrong with it"

OF_DATES = frozenset({Against.NOT_YET, Against.EXPIRED})

SPEECHES = {
    b"HTTP/": (ProxyFault.SPEAKS_HTTP, "it answers in HTTP"),
    b"\x05": (ProxyFault.SPEAKS_SOCKS5, "it speaks SOCKS5"),
}
"""How those begin that are proxies without TLS."""

_FIELD = re.compile(r"\{(\w+)\}")


def filled(template: str, settings: DoctorSettings) -> str:
    """
    @return: a remedy with all that belongs into it.
    """
    proxy, place = settings.proxy, settings.place
    known = {
        "scheme": "" if proxy is None else f"{proxy.kind.value}://",
        "host": place.host,
        "where": f"{Host.parse(place.host).besidePort}:{place.port}",
    }
    return _FIELD.sub(lambda field: known.get(field[1]) or spelled(field[1]), template)


def refusedByProxy(error: ProxyRefused, settings: DoctorSettings) -> ProxyTrouble:
    """
    @return: that a proxy does not connect us.
    """
    return ProxyTrouble(str(error), filled(templateFor(error.fault, settings), settings))


def templateFor(fault: ProxyFault, settings: DoctorSettings) -> str:
    """
    @return: what can be done about what a proxy has said.
    """
    if fault is ProxyFault.WRONG_LOGIN:
        return wrongLoginTemplate(settings)
    if fault is ProxyFault.FORBIDS:
        allow = "have the proxy's administrator allow connections to {where}"
        other = f"let uotp-server listen on port {WEB_PORT}, which most proxies let through; or {allow}"
        return allow if settings.place.port == WEB_PORT else other
    template = REMEDIES[fault]
    proxy = settings.proxy
    if fault is ProxyFault.WANTS_TLS and proxy is not None and proxy.kind is not ProxyKind.SOCKS5:
        return template.partition(": ")[0]
    if fault is ProxyFault.NOT_REACHED and Host.parse(settings.place.host).address is None:
        return f"{template}; or the proxy does not find {{host}}: its administrator can look"
    return template


def wrongLoginTemplate(settings: DoctorSettings) -> str:
    """
    @return: where user and password have to be put right.
    """
    if settings.hasLoginFile:
        return "put user and password right in the file of {proxyAuthFile}: one line, USER:PASSWORD"
    return (
        "put user and password right in the URL of {proxy}, where @ is written %40 and : is %3A; or leave them away "
        "there, and give them as they are in a file of {proxyAuthFile}: one line, USER:PASSWORD"
    )


def troubled(
    fault: UntoldFault, settings: DoctorSettings, words: str | None = None, first: bytes = b""
) -> ProxyTrouble:
    """
    @param words: what is known of it besides.
    @param first: what came first.
    @return: that there is no way through a proxy, which has not said why.
    """
    for begins, (spoken, said) in SPEECHES.items():
        if first.startswith(begins):
            return ProxyTrouble(f"TLS to the proxy: it speaks none: {said}", filled(REMEDIES[spoken], settings))
    facts = {
        UntoldFault.CLOSED: "the proxy closes the connection before it has agreed to connect us",
        UntoldFault.SILENT: f"the proxy has not answered within {settings.timeout:g} s: it stands still, or waits for "
        "the server",
        UntoldFault.MUTE: f"what is at the proxy's port does not answer the greeting of SOCKS5 within "
        f"{settings.timeout:g} s",
        UntoldFault.OTHER: words or "the proxy breaks the rules",
        UntoldFault.TLS: f"TLS to the proxy: {words or 'the connection is closed in the handshake'}",
        UntoldFault.TLS_SILENT: f"TLS to the proxy: the handshake is not answered within {settings.timeout:g} s",
    }[fault]
    return ProxyTrouble(facts, filled(REMEDIES[fault], settings))


def distrusted(refusal: str, flaws: tuple[Flaw, ...], settings: DoctorSettings) -> ProxyTrouble:
    """
    @param refusal: what was found first.
    @param flaws: all that is wrong.
    @return: that a proxy is not trusted, to which TLS is spoken.
    """
    worst = worstOf(flaws)
    facts = ADVICE.split(refusal if worst is None else worst.words, maxsplit=1)[0]
    against = None if worst is None else worst.against
    remedy = DISTRUST.get(against, OTHER_CERTIFICATE) if against is not None else OTHER_CERTIFICATE
    cause = ExamStep.CLOCK if flaws and all(each.against in OF_DATES for each in flaws) else None
    if against is Against.ISSUER and authoritiesOf(settings.proxy) is not None:
        remedy = (
            "the CA of {proxyCafile} has not signed the proxy's certificate: have its administrator give the one that "
            "has; if that is the same, something on the way intercepts TLS"
        )
    return ProxyTrouble(f"TLS to the proxy: {facts}", filled(remedy, settings), cause)


def authoritiesOf(proxy: ProxyPlace | None) -> bytes | None:
    """
    @return: the CAs that were given for a proxy, if any.
    """
    return None if proxy is None else proxy.authorities
