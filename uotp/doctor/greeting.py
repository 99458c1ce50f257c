"""
Judges how the server has received us: what it has chosen by ALPN, what it says of our certificate, and its answer
to the hello.
"""

from __future__ import annotations

from datetime import datetime

from uotp.doctor.encounter import Encounter, HelloAnswer
from uotp.doctor.findings import ExamStep, Finding, doubtful, faulty, notReached, well
from uotp.telemetry import spelled
from uotp.tls.inspection import OwnCertificate
from uotp.wire import WireChoice, WireFormat, formatToDial

NO_TRUST = "the server is not trusted"


def judgeAlpn(found: Encounter, wire: WireChoice) -> Finding:
    """
    @param wire: which formats may be spoken.
    @return: the finding on what was agreed on.
    """
    if found.trouble is not None or (found.shown is None and found.hasTls and not found.wantsOther):
        return notReached(ExamStep.ALPN, "there is no TLS")
    if found.answer is HelloAnswer.FOREIGN or found.wantsOther:
        return anotherProtocol(found)
    protocol = None if found.shown is None else found.shown.protocol
    chosen = found.chosen or "nothing chosen"
    spoken = formatToDial(wire, protocol)
    if not found.hasTls:
        chosen = f"none without TLS; format {spoken.value} is spoken"
    elif wire is not WireChoice.AUTO:
        chosen += f"; format {wire.value} is spoken, as {spelled('wire')} says"
    elif spoken is WireFormat.ONE:
        return doubtfulFormat1(None if protocol is None else chosen)
    return well(ExamStep.ALPN, chosen)


def doubtfulFormat1(chosen: str | None) -> Finding:
    """
    @param chosen: what the server has chosen by ALPN, if anything.
    @return: that format 1 is spoken, and what can be done about it.
    """
    if chosen is not None:
        remedy = f"take {spelled('wire')} 1 away there: format 1 is all it speaks, which knows no order and no pings"
        return doubtful(ExamStep.ALPN, chosen, remedy)
    return doubtful(ExamStep.ALPN, "the server has chosen nothing, so format 1 is spoken", nothingChosenRemedy())


def nothingChosenRemedy() -> str:
    """
    @return: what to do where format 1 is spoken since the server has chosen nothing.
    """
    return (
        "if a balancer or a proxy ends TLS before uotp-server, let it choose http/1.1; if the server is of an older "
        f"version, or {spelled('alpn')} none was said at either end, say {spelled('wire')} 2; if TLS is intercepted on "
        "the way, take another network; if the server is udp-over-tls-pool, all is as it should be"
    )


def anotherProtocol(found: Encounter) -> Finding:
    """
    @return: that no uotp is there.
    """
    facts = "it wants another protocol than uotp" if found.wantsOther else str(found.speech)
    behind = f"leave {spelled('tls=None')} away if it was not said there"
    if found.hasTls:
        behind = "what shares the port with a web server has to hand on what asks for the name of uotp-server (SNI)"
    token = spelled("tokenFile")
    shown = f"does not know the token of {token}" if found.hasToken else f"wants a token ({token})"
    alike = f"a uotp-server that {shown}, or a path (wss://, {spelled('httpPath')}), answers so, too"
    if not found.wantsOther:
        alike += (
            ", and one without TLS that does not expect the PROXY header (send-proxy) of a balancer before it: "
            f"name the balancer's address there by {spelled('proxyProtocol')}"
        )
    return faulty(
        ExamStep.ALPN,
        f"no uotp is there: {facts}",
        f"give the port of uotp-server, which its log tells; {behind}; {alike}",
    )


def judgeCertificate(found: Encounter, now: datetime) -> Finding:
    """
    @param now: what the clock says.
    @return: the finding on our certificate.
    """
    if not found.hasTls:
        return well(ExamStep.CERTIFICATE, "none without TLS: anybody may take either end's place")
    if not found.isTrusted:
        return notReached(ExamStep.CERTIFICATE, NO_TRUST)
    ours = found.ours
    if found.refusesUs is not None:
        return certificateRefused(found, found.refusesUs)
    if ours is None:
        return well(ExamStep.CERTIFICATE, "none is given, and the server wants none")
    return shownCertificate(ours, now, isTaken=found.answer is HelloAnswer.WELCOME)


def shownCertificate(ours: OwnCertificate, now: datetime, *, isTaken: bool) -> Finding:
    """
    @return: the finding on a certificate of ours that nobody has refused.
    """
    facts = f"{ours.subject}, issued by {ours.issuer}, until {ours.ends:%Y-%m-%d}"
    if isTaken:
        return well(ExamStep.CERTIFICATE, facts)
    if not ours.begins <= now <= ours.ends:
        word = "not valid yet" if now < ours.begins else f"expired on {ours.ends:%Y-%m-%d}"
        remedy = "have another one made on the server, or set the clock right"
        return faulty(ExamStep.CERTIFICATE, f"{ours.subject} is {word}", remedy)
    return well(ExamStep.CERTIFICATE, f"{facts}; the server has not said whether it takes it")


def certificateRefused(found: Encounter, reason: str) -> Finding:
    """
    @return: that the server does not take our certificate, or misses one.
    """
    ours, wanted = found.ours, "" if found.shown is None else " or ".join(found.shown.wanted)
    if ours is None:
        return faulty(
            ExamStep.CERTIFICATE,
            f"{reason}{f', of {wanted}' if wanted else ''}; none is given",
            f"give the client's certificate and key: {spelled('cert')} client.pem {spelled('key')} client.key; on the "
            "server `uotp cert` makes them",
        )
    return faulty(
        ExamStep.CERTIFICATE,
        f"{reason}; ours is {ours.subject}, issued by {ours.issuer}, valid until {ours.ends:%Y-%m-%d}"
        f"{f', and the server takes those of {wanted}' if wanted else ''}",
        listingRemedy(ours.listing)
        if found.missesListing and ours.listing is not None
        else "have the server's administrator make another one for this client, and give it by "
        f"{spelled('cert')} and {spelled('key')}; if the server has a list of clients, have it put there",
    )


def listingRemedy(listing: str) -> str:
    """
    @return: what to do where the server's list of clients does not have us, with the line at the end to be copied.
    """
    return (
        "have the server's administrator put this line into that list; if it is there, the server's log says what else "
        f"is wrong: {listing}"
    )


def judgeHello(found: Encounter) -> Finding:
    """
    @return: the finding on the server's answer.
    """
    reason = None
    if found.trouble is not None or not found.isTrusted:
        reason = NO_TRUST if found.trouble is None else "there is no TLS"
    elif found.refusesUs is not None:
        reason = "the server does not let us in"
    elif found.answer is HelloAnswer.FOREIGN or found.wantsOther:
        reason = "no uotp is there"
    if reason is not None:
        return notReached(ExamStep.HELLO, reason)
    good = helloWell(found)
    return well(ExamStep.HELLO, good) if good is not None else helloRefused(found)


def helloWell(found: Encounter) -> str | None:
    """
    @return: that the hello has led to a session, in words; L{None} where it has not.
    """
    return {
        HelloAnswer.WELCOME: "the server has welcomed a session in format 2",
        HelloAnswer.FORMAT_1: None if found.hasToken else "said in format 1, which has no answer",
    }.get(found.answer)


def helloRefused(found: Encounter) -> Finding:
    """
    @return: that the server has not welcomed us.
    """
    token = spelled("tokenFile")
    if found.answer is HelloAnswer.REFUSED:
        shown = f"it does not know the token of {token}" if found.hasToken else f"it wants a token ({token})"
        return faulty(
            ExamStep.HELLO,
            "the server refuses the session",
            f"its log says why: {shown}, all its sessions are taken, this client has its share, it stops, or it does "
            f"not speak this format ({spelled('wire')})",
        )
    if found.answer is HelloAnswer.FORMAT_1:
        return faulty(
            ExamStep.HELLO,
            "format 1 is spoken, in which no token can be shown",
            f"see the step ALPN: with {token} both ends have to speak format 2",
        )
    here = f"see whether uotp-server is at this port, and whether it speaks this format ({spelled('wire')}): its log "
    if found.answer is HelloAnswer.CLOSED:
        return faulty(
            ExamStep.HELLO,
            "the server has closed the connection in place of an answer",
            f"{here}names this client, or says that it has waited for a PROXY header, by {spelled('proxyProtocol')}: "
            "then let the balancer before it send that (send-proxy), or take that setting away",
        )
    return faulty(ExamStep.HELLO, "the server does not answer", f"{here}names this client")
