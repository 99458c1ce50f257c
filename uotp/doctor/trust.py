"""
Judges what TLS has shown: who is there, who vouches for that, and whether something on the way may read
along.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from uotp.doctor.encounter import Encounter, HelloAnswer, TlsEnd
from uotp.doctor.findings import ExamStep, Finding, doubtful, faulty, well
from uotp.doctor.flaws import ADVICE, worstOf
from uotp.doctor.settings import DoctorSettings
from uotp.telemetry import spelled
from uotp.tls.inspection import Against, Flaw, ShownByServer

SOON = timedelta(days=7)
"""Whoever renews by itself has done so before."""

UNCLEAR = Flaw(Against.OTHER, "the certificate was refused at first, and shows no flaw at a second look")
"""Where two connections come to different ends, as to a balancer with several servers."""

INTERCEPTED = (
    "TLS may be intercepted by something on the way, which can read and change what passes; or another server is at "
    "this address"
)

SHOW_ISSUER = "`openssl x509 -in server.pem -noout -issuer` there"


def judgeTls(found: Encounter, settings: DoctorSettings, now: datetime) -> Finding:
    """
    @return: the finding.
    """
    if not found.hasTls:
        return well(ExamStep.TLS, f"none, as {spelled('tls=None')} says: nothing is encrypted, and nobody is verified")
    if found.trouble is not None:
        return faulty(ExamStep.TLS, found.trouble, troubleRemedy(found, hasProxy=settings.proxy is not None))
    if found.shown is None:
        return faulty(ExamStep.TLS, "the server refuses the handshake, and shows no certificate", "its log may say why")
    shown = found.shown
    if found.isTrusted:
        facts = f"{shown.version}, {shown.cipher}; certificate {shown.subject}, issued by {shown.issuer}"
        facts += f", for {shown.names or 'no name'}, until {shown.ends:%Y-%m-%d}"
        if shown.ends - now < SOON and shown.ends > now:
            return doubtful(ExamStep.TLS, facts, "renew the server's certificate soon: it is valid for a few days more")
        return well(ExamStep.TLS, facts)
    worst = worstOf(found.flaws) or UNCLEAR
    isGiven = settings.tls is not None and settings.tls.cafile is not None
    remedies = {
        Against.ISSUER: issuerRemedy(found, isGiven=isGiven),
        Against.REVOKED: "the server needs a new certificate: its CA has revoked this one",
        Against.PIN: pinRemedy(shown),
        Against.NAME: nameRemedy(shown, settings.server[0]),
        Against.NOT_YET: "see the step clock: either this machine's clock is slow, or the certificate is for later",
        Against.EXPIRED: expiredRemedy(worst, isGiven=isGiven),
        Against.CIPHER: "whatever ends TLS there has to take TLS 1.3, or ECDHE with AES-GCM or ChaCha20",
        Against.OTHER: "make the server's certificate anew, as `uotp cert` does",
    }
    cause = ExamStep.CLOCK if found.isDateAlone else None
    return faulty(ExamStep.TLS, untrustedFacts(worst, shown), remedies[worst.against], cause)


def untrustedFacts(worst: Flaw, shown: ShownByServer) -> str:
    """
    @return: what is wrong with a server that is not trusted, and who it says that it is, with each name once.
    """
    facts = worst.words
    if worst.against is Against.ISSUER:  # what follows it is for a log: the remedy knows more
        facts = ADVICE.split(facts, maxsplit=1)[0]
    facts += f"; {shown.version}"
    if shown.subject not in facts:
        facts += f", certificate {shown.subject}"
    if shown.issuer not in facts:
        facts += f", issued by {shown.issuer}"
    return facts if shown.root in facts else f"{facts}, and its chain leads to {shown.root}"


def troubleRemedy(found: Encounter, *, hasProxy: bool) -> str:
    """
    @param hasProxy: whether the way leads through a proxy.
    @return: what to do where no TLS has come about.  What is likely comes first.
    """
    if found.speech is not None:
        return (
            f"another program is at this port: {found.speech}; give the port of uotp-server, which its log tells, and "
            f"see whether {spelled('tls=None')} was said at one end alone"
        )
    announcers = spelled("proxyProtocol")
    if found.tlsEnd is TlsEnd.VERSION:
        return (
            "if a balancer stands before uotp-server, it may announce its clients by the PROXY protocol (send-proxy), "
            f"and uotp-server was not told: name the balancer's address there by {announcers}, or turn that off in the "
            "balancer; else whatever ends TLS there has to take TLS 1.2 or 1.3"
        )
    if found.tlsEnd is TlsEnd.CLOSED:
        behind = "; or the proxy does not reach the server, and says so by that" if hasProxy else ""
        return (
            f"see whether uotp-server is at this port.  If it is, its log says why: it may be told by {announcers} to "
            "wait for a PROXY header from whoever connects to it, and none comes (send-proxy in a balancer)"
            f"{behind}; or a firewall or a proxy on the way breaks TLS: try port 443, or another network"
        )
    return (
        "see whether uotp-server is at this port, and whether a firewall or a proxy on the way breaks TLS: "
        "try port 443, or another network"
    )


def expiredRemedy(flaw: Flaw, *, isGiven: bool) -> str:
    """
    @param isGiven: whether the user has given a CA.
    @return: what to do about what has expired.
    """
    if not flaw.isOfIssuer:
        return "if the step clock is well, renew the certificate on the server: `uotp cert renew server`"
    if not isGiven:
        return (
            "if the step clock is well, give the server a new certificate, in one file with the present certificates "
            "of its issuers"
        )
    return (
        "see the step clock: this machine's clock may be wrong.  If it is well, the time of the CA itself is over, and "
        "no certificate can be renewed by it: make a new CA with new certificates for the server and its clients, by "
        f"`uotp cert init` in a new directory, and give its ca.pem by {spelled('cafile')} at both ends"
    )


def issuerRemedy(found: Encounter, *, isGiven: bool) -> str:
    """
    @param isGiven: whether the user has given a CA.  Who has done so knows his server, so what is there may be
        somebody else, also where it chooses our protocol.  Who has not has just forgotten it.
    @return: what to do about an issuer that is not trusted.
    """
    cafile = spelled("cafile")
    if found.answer is HelloAnswer.FOREIGN:
        return (
            "no uotp is behind this certificate, but a web server or the portal of a network: give the right port, or "
            "log in to the network first"
        )
    if isGiven:
        return (
            f"{INTERCEPTED}.  Compare the issuer with that of the server: {SHOW_ISSUER}.  If the server has another "
            "one, take another network, or ask whoever runs this one to let the server's address pass; if it has the "
            f"same, give by {cafile} the ca.pem that was made with its certificate"
        )
    return (
        f"give by {cafile} the ca.pem that was made with the server's certificate: without it, only the CAs that this "
        f"system knows are trusted.  If the server has another issuer, by {SHOW_ISSUER}, something on the way "
        "intercepts TLS: take another network"
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
        f"{INTERCEPTED}.  Compare the pin with the one that `uotp cert` has printed on the server; if the server has a "
        f"new key, with that pin, give {spelled('pins')} {shown.pin.hex()}"
    )
