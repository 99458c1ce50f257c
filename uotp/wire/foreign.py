"""
How other protocols begin, and what the log says of a peer that speaks one.  Nothing is decided
by that: who speaks another protocol is refused anyway.
"""

from __future__ import annotations

from uotp.telemetry import spelled

TLS = "it speaks TLS, and {plain} was said here: say that at both ends or at none"
PROXY = "which is not understood from there: name it in {announcers}, or turn that off in the balancer (send-proxy)"

HTTP_SERVER = "an HTTP server is there, not uotp, or a portal or proxy on the way"

FOREIGN = {
    b"\x16\x03\x01": TLS,
    b"\x16\x03\x03": TLS,
    b"\x15\x03\x01\0\x02": TLS,
    b"\x15\x03\x03\0\x02": TLS,
    b"uotp\x02": "it speaks uotp without TLS: {plain} was said there, and not here",
    b"PROXY ": f"it announces its client by the PROXY protocol, {PROXY}",
    b"\r\n\r\n\0\r\n": f"it announces its client by the PROXY protocol (v2), {PROXY}",
    b"GET ": "it speaks HTTP",
    b"POST ": "it speaks HTTP",
    b"HEAD ": "it speaks HTTP",
    b"PUT ": "it speaks HTTP",
    b"PATCH ": "it speaks HTTP",
    b"DELETE ": "it speaks HTTP",
    b"OPTIONS ": "it speaks HTTP",
    b"CONNECT ": "it speaks HTTP",
    b"TRACE ": "it speaks HTTP",
    b"PRI * HTTP": "it speaks HTTP",
    b"HTTP/": f"it answers in HTTP: {HTTP_SERVER}",
    b"<!DOCTYPE": f"it answers with a web page: {HTTP_SERVER}",
    b"<html": f"it answers with a web page: {HTTP_SERVER}",
    b"SSH-": "it speaks SSH",
    b"220 ": "it speaks SMTP or FTP",
    b"220-": "it speaks SMTP or FTP",
    b"EHLO ": "it speaks SMTP",
    b"HELO ": "it speaks SMTP",
    b"* OK": "it speaks IMAP",
    b"+OK": "it speaks POP3",
    b"RFB 00": "it speaks VNC",
}
"""The first bytes of other protocols, of either side, and who says them."""

SHOWN_BYTES = 16
"""So many of the first bytes tell all that is known here; a session id is as long."""


def answersAsWebServer(shown: bytes) -> bool:
    """
    @param shown: the first bytes of what a peer sends.
    @return: whether a web server begins so.
    """
    return any(shown.startswith(beginning) for beginning, words in FOREIGN.items() if words.endswith(HTTP_SERVER))


def foreignSpeech(shown: bytes) -> str | None:
    """
    @param shown: the first bytes of what a peer sends, three or more.
    @return: which protocol they are of, in words, or L{None} when it is not known.
    """
    for beginning, words in FOREIGN.items():
        if shown.startswith(beginning) or beginning.startswith(shown):
            return words.format(plain=spelled("tls=None"), announcers=spelled("proxyProtocol"))
    return None
