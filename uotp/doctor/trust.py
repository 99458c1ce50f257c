"""
Judges what TLS has shown: who is there, who vouches for that, and whether something on the way may read
along.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from uotp.doctor.encounter import Encounter, HelloAnswer
from uotp.doctor.findings import ExamStep, Finding, doubtful, faulty, well
from uotp.telemetry import spelled
from uotp.tls.inspection import Against, Flaw, ShownByServer

SOON = timedelta(days=7)
"""Whoever renews by itself has done so before."""

WORST_FIRST = (
    Against.ISSUER,
    Against.REVOKED,
    Against.PIN,
    Against.NAME,
    Against.NOT_YET,
    Against.EXPIRED,
    Against.OTHER,
)
"""Of several objections the one that explains the others is told."""

UNCLEAR = Flaw(Against.OTHER, "the certificate was refused at first, and shows no flaw at a second look")
"""Where two connections come to different ends, as to a balancer with several servers."""


def judgeTls(found: Encounter, host: str, now: datetime) -> Finding:
    """
    @param host: what was dialled.
    @return: the finding.
    """
    if not found.hasTls:
        return well(ExamStep.TLS, f"none, as {spelled('tls=None')} says: nothing is encrypted, and nobody is verified")
    if found.trouble is not None:
        return faulty(ExamStep.TLS, found.trouble, troubleRemedy(found))
    if found.shown is None:
        return faulty(ExamStep.TLS, "the server refuses the handshake, and shows no certificate", "its log may say why")
    shown = found.shown
    if found.isTrusted:
        facts = f"{shown.version}, {shown.cipher}; certificate {shown.subject}, issued by {shown.issuer}"
        facts += f", for {shown.names or 'no name'}, until {shown.ends:%Y-%m-%d}"
        if shown.ends - now < SOON and shown.ends > now:
            return doubtful(ExamStep.TLS, facts, "renew the server's certificate soon: it is valid for a few days more")
        return well(ExamStep.TLS, facts)
    worst = next((each for kind in WORST_FIRST for each in found.flaws if each.against is kind), UNCLEAR)
    words = f"{worst.words}; {shown.version}, certificate {shown.subject} issued by {shown.issuer}"
    if shown.root != shown.issuer:
        words += f", that by {shown.root}"
    remedies = {
        Against.ISSUER: issuerRemedy(found),
        Against.REVOKED: "the server needs a new certificate: its CA has revoked this one",
        Against.PIN: pinRemedy(shown),
        Against.NAME: nameRemedy(shown, host),
        Against.NOT_YET: "see the step clock: either this machine's clock is slow, or the certificate is for later",
        Against.EXPIRED: "if the step clock is well, renew the certificate on the server: `uotp cert renew server`",
        Against.OTHER: "make the server's certificate anew, as `uotp cert` does",
    }
    return faulty(ExamStep.TLS, words, remedies[worst.against])


def troubleRemedy(found: Encounter) -> str:
    """
    @return: what to do where no TLS has come about.
    """
    if found.speech is not None:
        return (
            f"another program is at this port: {found.speech}; give the port of uotp-server, which its log tells, and "
            f"see whether {spelled('tls=None')} was said at one end alone"
        )
    return (
        "see whether uotp-server is at this port, and whether a firewall or a proxy on the way breaks TLS: "
        "try port 443, or another network"
    )


def issuerRemedy(found: Encounter) -> str:
    """
    @return: what to do about an issuer that is not trusted.  By what is behind it, it may be told whether TLS is
        intercepted on the way, or the server just has another certificate than the client expects.
    """
    shown, cafile = found.shown, spelled("cafile")
    assert shown is not None
    if found.answer is HelloAnswer.FOREIGN:
        return (
            "no uotp is behind this certificate, but a web server or the portal of a network: give the right port, or "
            "log in to the network first"
        )
    if shown.protocol is not None:
        return (
            f"a uotp-server is there, and the CA of its certificate is not known here: give by {cafile} the ca.pem "
            "that was made with it.  If its own certificate is of a known CA (`openssl x509 -in server.pem -noout "
            "-issuer` there), something on the way intercepts TLS"
        )
    return (
        f"TLS may be intercepted: something on the way shows a certificate of {shown.issuer} in place of the server's, "
        "and can read and change what passes.  Compare: `openssl x509 -in server.pem -noout -issuer` on the server.  "
        "If it is another issuer, take another network, or ask whoever runs this one to let the server's address pass; "
        f"if it is the same, give its CA by {cafile}"
    )


def nameRemedy(shown: ShownByServer, host: str) -> str:
    """
    @return: what to do about a certificate that is for somebody else.
    """
    first = shown.names.partition(",")[0]
    make = (
        f"renew the server's certificate, there, for {host} and all its other names: "
        f"`uotp cert renew server --host {host}`, with one --host for each"
    )
    return f"if {first} is the server, add {spelled('serverName')} {first}; else {make}" if first else make


def pinRemedy(shown: ShownByServer) -> str:
    """
    @return: what to do about a key that is not the one that was pinned.
    """
    return (
        f"if the server has got a new key, give {spelled('pins')} {shown.pin.hex()}, after you have compared it with "
        "what `uotp cert` has printed on the server; else something on the way intercepts TLS"
    )
