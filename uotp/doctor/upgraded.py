"""
Judges how the way goes on inside WebSocket: what is there at all, what it has answered to the question for WebSocket,
and what to the hello inside of it.
"""

from __future__ import annotations

from uotp.doctor.carried import NoUpgrade, UpgradeEnd
from uotp.doctor.encounter import Encounter, HelloAnswer
from uotp.doctor.findings import ExamStep, Finding, faulty, notReached, well
from uotp.doctor.firstwords import LEAST_SPEECH
from uotp.doctor.greeting import NO_TRUST, helloRefused, helloWell
from uotp.doctor.webquestion import ANSWER_BEGINS
from uotp.telemetry import spelled
from uotp.wire import foreignSpeech

FIELDS = "speak HTTP/1.1 with uotp-server, and hand on the fields Upgrade and Connection"

PATHS = "the path of the URL, and that of uotp-server ({httpPath})"

REMEDIES_BY_STATUS = {
    101: "something on the way changes the answer, or answers from what it keeps: have it hand on the upgrade as it is",
    400: f"have the web server there {FIELDS}; if that announces its clients by the PROXY protocol (send-proxy), name "
    "its address to uotp-server by {proxyProtocol}, or turn that off",
    401: "let the web server there ask for no password at this path",
    403: "see what the web server or the content network there forbids: the path, WebSocket, or this machine's address",
    404: f"compare {PATHS}: they have to be the same, letter for letter.  If they are, a web server before "
    f"uotp-server has to know the path, to {FIELDS}",
    405: f"have the web server there hand on the path to uotp-server; it has to {FIELDS}",
    407: "give a proxy by {proxy}, with user and password",
    426: f"have the web server there {FIELDS}, and Sec-WebSocket-Version as it is",
    429: "raise the limit of requests for the path at the web server, or the content network, there",
    502: "try once more: some web servers answer so once after a browser has been at the path; where the web server "
    "is, see whether uotp-server runs and listens where that looks for it (`ss -ltn`), and "
    "whether TLS between the two was said at one end alone; if uotp-server was told by {proxyProtocol} to wait for a "
    "PROXY header from there, have it sent (send-proxy), or take that away",
    503: "where the web server is, see whether uotp-server runs and listens where that looks for it (`ss -ltn`), and "
    "whether the web server lets so many connections through",
    504: "where the web server is, see whether a firewall between it and uotp-server drops what it sends, and whether "
    "the address there is right",
}
"""What can be done about each answer to the question for WebSocket."""

TLS_BEGINS = frozenset({b"\x15", b"\x16"})
"""How whoever speaks TLS begins."""

NOT_UNDERSTOOD = 400
ORDINARY = range(200, 300)
ELSEWHERE_STATUS = range(300, 400)
SERVER_ERRORS = range(500, 600)


def remedyForStatus(status: int, *, hasTls: bool) -> str:
    """
    @param hasTls: whether TLS is spoken.
    @return: what can be done about an answer to the question for WebSocket.
    """
    template = REMEDIES_BY_STATUS.get(status)
    if template is not None:
        # Some web servers answer so where TLS was to come.
        first = f"{wantsTlsRemedy()}; else " if status == NOT_UNDERSTOOD and not hasTls else ""
        return first + template.format(**{each: spelled(each) for each in ("httpPath", "proxyProtocol", "proxy")})
    if status in ORDINARY:
        return (
            f"compare {PATHS.format(httpPath=spelled('httpPath'))}; a web server before uotp-server has to hand on the "
            f"path, to {FIELDS}"
        )
    if status in ELSEWHERE_STATUS:
        return (
            "name in the URL the address that a browser is sent to from there; if that is the login page of a network, "
            "log in first"
        )
    if status in SERVER_ERRORS:
        return "the log of the web server or the content network there says why it does not reach uotp-server"
    return "the log of the web server there says what it has against the request"


def judgeWebServer(found: Encounter) -> Finding:
    """
    @return: the finding of the step ALPN: whether a web server is there that may go on with WebSocket.
    """
    if found.trouble is not None or (found.shown is None and found.hasTls and not found.wantsOther):
        return notReached(ExamStep.ALPN, "there is no TLS")
    alpn = spelled("alpn")
    if found.wantsOther:
        facts = "what is there takes none of the protocols that are offered to it"
        return faulty(ExamStep.ALPN, facts, f"have it take http/1.1, and leave {alpn} away here if it was said")
    chosen = found.chosen or ("nothing chosen" if found.hasTls else "none without TLS")
    why = found.noUpgrade
    if why is None or isAboutPath(found, why):
        return well(ExamStep.ALPN, f"{chosen}; WebSocket is asked for in HTTP/1.1")
    if why.end is UpgradeEnd.HTTP_2:
        facts = "the web server there has chosen HTTP/2, in which no WebSocket is opened here"
        return faulty(ExamStep.ALPN, facts, f"leave h2 out of {alpn}")
    return faulty(ExamStep.ALPN, f"no web server is there: {strangerWords(why)}", strangerRemedy(found, why))


def isAboutPath(found: Encounter, why: NoUpgrade) -> bool:
    """
    @return: whether a web server is there, and WebSocket is not to be had at the path.
    """
    return why.end is UpgradeEnd.REFUSED or (found.isWebServer and why.end in {UpgradeEnd.CLOSED, UpgradeEnd.SILENT})


def strangerWords(why: NoUpgrade) -> str:
    """
    @return: what has come in place of an answer of HTTP.
    """
    shown = why.shown
    if shown and not shown.startswith(ANSWER_BEGINS):
        speech = foreignSpeech(shown) if len(shown) >= LEAST_SPEECH else None
        return speech or "what answers there speaks no HTTP"
    return {
        UpgradeEnd.CLOSED: "the connection is closed in place of an answer",
        UpgradeEnd.SILENT: "nothing is answered",
    }.get(why.end, why.words)


def wantsTlsRemedy() -> str:
    """
    @return: what can be done where TLS is to be spoken, and was not.
    """
    return f"if TLS is spoken there, write wss:// in the URL, and leave {spelled('tls=None')} away"


def strangerRemedy(found: Encounter, why: NoUpgrade) -> str:
    """
    @return: what can be done where no web server is there.
    """
    path = spelled("httpPath")
    if not found.hasTls and why.shown[:1] in TLS_BEGINS:
        return wantsTlsRemedy()
    remedy = (
        f"give in the URL the port of the web server, or of uotp-server with {path}: an older one knows no WebSocket"
    )
    if why.end is UpgradeEnd.CLOSED:
        announcers = spelled("proxyProtocol")
        return f"{remedy}; its log says why it closes, as where it waits for a PROXY header by {announcers}"
    return remedy


def judgeInside(found: Encounter) -> Finding:
    """
    @return: the finding of the step hello: the answer to the question for WebSocket, and that to the hello.
    """
    why = found.noUpgrade
    reason = None
    if found.trouble is not None or not found.isTrusted:
        reason = NO_TRUST if found.trouble is None else "there is no TLS"
    elif found.refusesUs is not None:
        reason = "the server does not let us in"
    elif found.wantsOther or (why is not None and not isAboutPath(found, why)):
        reason = "no web server is there" if why is None or why.end is not UpgradeEnd.HTTP_2 else "HTTP/2 is spoken"
    if reason is not None:
        return notReached(ExamStep.HELLO, reason)
    if why is not None:
        return noWebSocket(why, hasTls=found.hasTls)
    good = helloWell(found)
    if good is not None:
        return well(ExamStep.HELLO, f"{good}, inside WebSocket")
    if found.answer in {HelloAnswer.REFUSED, HelloAnswer.FORMAT_1}:
        return helloRefused(found)
    facts = {
        HelloAnswer.CLOSED: "it closes the connection in place of an answer",
        HelloAnswer.SILENT: "it does not answer",
    }.get(found.answer, str(found.speech))
    return faulty(
        ExamStep.HELLO,
        f"what is at the path goes on with WebSocket, and is no uotp-server: {facts}",
        f"compare {PATHS.format(httpPath=spelled('httpPath'))}: another program may speak WebSocket at this one; if it "
        f"is uotp-server, its log says why, and whether it speaks this format ({spelled('wire')})",
    )


def noWebSocket(why: NoUpgrade, *, hasTls: bool) -> Finding:
    """
    @param hasTls: whether TLS is spoken.
    @return: that the web server there does not go on with WebSocket.
    """
    if why.status is not None:
        return faulty(ExamStep.HELLO, f"there is no WebSocket: {why.words}", remedyForStatus(why.status, hasTls=hasTls))
    how = "closes the connection" if why.end is UpgradeEnd.CLOSED else "does not answer"
    return faulty(
        ExamStep.HELLO,
        f"there is no WebSocket: the web server there {how} when it is asked for",
        f"see the log of the web server there: it has to hand on the path to uotp-server, to {FIELDS}; or something on "
        "the way lets no WebSocket through: try another network",
    )
