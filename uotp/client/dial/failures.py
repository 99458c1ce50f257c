"""
Why an attempt failed or a tunnel was lost, in words for whoever has to mend it.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping

from twisted.internet import error
from twisted.python.failure import Failure

from uotp.client.dial.patience import DialStep
from uotp.errors import LookupFailed
from uotp.net import ProxyPlace
from uotp.telemetry import spelled

PROXY_STEPS = frozenset({DialStep.CONNECT, DialStep.PROXY})
"""Where something fails in these, that is the proxy's doing, where there is one."""

STEP_WORDS = {
    DialStep.TLS: "TLS handshake",
    DialStep.UPGRADE: "answer to the request for WebSocket",
    DialStep.HELLO: "answer to the hello",
}
"""What is waited for in the steps behind the one with a proxy."""

MAX_NAMED = 4
"""Of so many addresses that failed, the log says why."""

MAX_LETTERS = 120
"""Where several addresses failed, the reason of each is cut to so many letters."""

CLOSED = "closed by the other end"
LOST = "connection lost"
"""How a connection ends whose end says nothing of the reason."""

DESCRIPTORS = "raise that limit (ulimit -n, or LimitNOFILE of systemd)"
NO_ROUTE = "no route to host: a router or a firewall answers so, or this machine has no route there"
FORBIDDEN = "the connection is forbidden: a firewall, here or on the way, rejects it"
WORDS = {
    errno.ECONNREFUSED: "connection refused: nothing listens there, or a firewall rejects it",
    errno.ENETUNREACH: "network unreachable: a router answers so, or this machine has no route there",
    errno.EHOSTUNREACH: NO_ROUTE,
    errno.EHOSTDOWN: NO_ROUTE,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.ENOPROTOOPT: FORBIDDEN,
    errno.EPROTO: FORBIDDEN,
    errno.EADDRNOTAVAIL: "this machine has no address, or no free port, to connect from",
    errno.EAFNOSUPPORT: "this machine has no such protocol: IPv6 is perhaps off",
    errno.EINVAL: "the system refuses the address: a route here is a black hole for it (ip route get), or it is a "
    "link-local one without its zone, as in fe80::1%eth0",
    errno.EMFILE: f"too many open files: {DESCRIPTORS}",
    errno.ENFILE: "too many open files on this machine: raise sysctl fs.file-max",
    errno.ENOBUFS: "the system has no memory left for connections",
    errno.ENOMEM: "the system has no memory left for connections",
}
"""What errors of the system mean for a connection."""

DURING = {
    DialStep.LOOKUP: "",
    DialStep.CONNECT: " while it was made",
    DialStep.PROXY: " before it has agreed to connect us",
    DialStep.TLS: " during the TLS handshake",
    DialStep.UPGRADE: " before it has answered the HTTP request",
    DialStep.HELLO: " before it has answered the hello",
}
"""When a connection ended, for the end of a line."""


def wordsForFailure(reason: Failure, refusal: str | None = None) -> str:
    """
    @param reason: why an attempt failed, or a tunnel was lost.
    @param refusal: why TLS refused, in words, if it did.
    @return: words for the log.
    """
    if refusal is not None:
        return refusal
    for kind, words in (
        (error.ConnectionRefusedError, WORDS[errno.ECONNREFUSED]),
        (error.NoRouteError, WORDS[errno.ENETUNREACH]),
        (error.TCPTimedOutError, "no answer in time"),
        (error.ConnectionDone, CLOSED),
        (error.ConnectionLost, LOST),
    ):
        if reason.check(kind):
            return words
    cause = reason.value
    if isinstance(cause, LookupFailed):
        return str(cause)
    if isinstance(cause, socket.gaierror):  # of an address with a zone
        return f"no network interface has the name or number behind the % of the address ({cause.strerror})"
    number = getattr(cause, "errno", None) or getattr(cause, "osError", None)
    if not isinstance(number, int):
        return reason.getErrorMessage()
    isMark = isinstance(cause, error.ConnectBindError) and number == errno.EPERM
    known = f"{os.strerror(number)}: {spelled('mark')} needs root or CAP_NET_ADMIN" if isMark else WORDS.get(number)
    return known or os.strerror(number)


def wordsForLoss(step: DialStep, words: str, proxy: ProxyPlace | None = None) -> str:
    """
    @param step: what was being done.
    @param words: why the connection ended.
    @param proxy: through which proxy, if there is one.
    @return: the same, with the step where that helps, and with the proxy where that did it.
    """
    told = words + DURING[step] if words in (CLOSED, LOST) else words
    return told if proxy is None or step not in PROXY_STEPS else f"{wordsForProxy(proxy)}: {told}"


def wordsForProxy(proxy: ProxyPlace) -> str:
    """
    @return: which proxy it is, in words.
    """
    return f"the proxy {proxy.host} port {proxy.port}"


def wordsForTimeOut(step: DialStep, host: str, seconds: float, proxy: ProxyPlace | None = None) -> str:
    """
    @param step: what was not done in time.
    @param host: the address that was tried.
    @param seconds: how long that took.
    @param proxy: through which proxy, if there is one; the address is its own then.
    @return: what that means.
    """
    whole = round(seconds)  # or a line would differ from the one before only in its last digits
    after = f"after {whole if whole > 1 else round(seconds, 1):g} s"
    if step is DialStep.LOOKUP:
        return f"the name server has not answered {after}"
    if proxy is not None:
        return _wordsBehind(wordsForProxy(proxy), step, after)
    if step is DialStep.CONNECT:
        return f"no answer from {host} to the connection {after}: the server is down, or a firewall drops it"
    if step is DialStep.TLS:
        return (
            f"connected to {host} by TCP, but no TLS handshake {after}: the program there stands still or speaks "
            "no TLS, or large packets are lost on the way"
        )
    if step is DialStep.UPGRADE:
        return f"connected to {host}, but no answer to the HTTP request {after}: is that a web server?"
    return f"connected to {host}, but no answer to the hello {after}: is that a uotp-server, and no web server?"


def _wordsBehind(proxy: str, step: DialStep, after: str) -> str:
    """
    @return: what it means that a step was not done in time where there is a proxy.
    """
    if step is DialStep.CONNECT:
        return f"no answer from {proxy} to the connection {after}: it is down, or a firewall drops it"
    if step is DialStep.PROXY:
        return f"connected to {proxy}, but it has not answered {after}: it stands still, or cannot reach the server"
    return (
        f"connected through {proxy}, but no {STEP_WORDS[step]} {after}: the server stands still or is none, or the "
        "proxy lets only web traffic pass"
    )


def wordsForAll(reasons: Mapping[str, str]) -> str:
    """
    @param reasons: for each address that was tried why that failed.
    @return: one line of a bounded length.
    """
    if len(reasons) == 1:
        return next(iter(reasons.values()))
    named = [f"{host}: {shortened(words)}" for host, words in list(reasons.items())[:MAX_NAMED]]
    more = len(reasons) - len(named)
    return "; ".join(named) + (f"; and {more} addresses more" if more else "")


def shortened(words: str) -> str:
    """
    @return: the same, cut to L{MAX_LETTERS}.
    """
    return words if len(words) <= MAX_LETTERS else words[: MAX_LETTERS - 3] + "..."
