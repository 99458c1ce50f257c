"""
The way leads through a proxy: whatever that refuses, and whatever else is there, is named with a remedy of its own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tests.doctor.test_examination import FROM_THE_TUNNEL, ExaminationTestCase
from tests.doubles.certificates import DAY, NOW, Issued
from tests.doubles.examined import Plain, Proxy, Secured, Speaks
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED
from uotp.doctor.findings import ExamStep, Finding, Outcome, exitStatusOf
from uotp.doctor.proxytrouble import DISTRUST, REMEDIES, UntoldFault
from uotp.doctor.seams import Way
from uotp.errors import LookupFailed
from uotp.net import ServerPlace
from uotp.net.proxyplaces import parseProxy
from uotp.tls.inspection import Against
from uotp.tls.proxies import withProxyFiles
from uotp.transport.proxies.faults import ProxyFault
from uotp.transport.proxies.httpconnect import CONNECT_MEANINGS
from uotp.transport.proxies.socks import REPLIES

WORD = "s3cr3tw0rd"
"""The password."""

HTTP = "http://proxy.test:3128"
SOCKS = "socks5://proxy.test:1080"
WITH_TLS = "https://proxy.test:3129"

AGREED = b"HTTP/1.1 200 Connection established\r\n\r\n"
SOCKS_AGREED = (b"\x05\0", b"\x05\0\0\x01\x7f\0\0\x01\x04\x38")


def withLogin(url: str) -> str:
    """
    @return: the same proxy with user and password.
    """
    return url.replace("://", f"://alice:{WORD}@")


FAULTS: Sequence[tuple[str, Sequence[bytes], str, str]] = (
    (HTTP, [b"SSH-2.0-OpenSSH_9.2\r\n"], "is no HTTP proxy", "has the host and the port of the proxy"),
    (HTTP, [b"\x15\x03\x03\0\x02\x02\x46"], "it wants TLS first", "write https:// in place of http:// in the URL"),
    (HTTP, [b"\x05\xff"], "it speaks SOCKS5", "write socks5:// in place of http:// in the URL"),
    (HTTP, [b"HTTP/1.1 407 x\r\n\r\n"], "wants user and password", "a file of proxyAuthFile"),
    (withLogin(HTTP), [b"HTTP/1.1 407 x\r\n\r\n"], "does not accept", "right in the URL of proxy"),
    (HTTP, [b"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n"], "asks by NTLM", "cntlm or px"),
    (HTTP, [b"HTTP/1.1 302 x\r\nLocation: http://login.test/\r\n\r\n"], "sends us elsewhere", "with a browser"),
    (HTTP, [b"HTTP/1.1 418 x\r\n\r\n"], "it answers 418", "what that answer means"),
    (HTTP, [b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n"], "is broken or too long", "has the host and the port"),
    (HTTP, [b"HTTP/1.1 100 Continue\r\n\r\n" * 900], "broken or too long", "has the host and the port"),
    (HTTP, [b""], "closes the connection before it has agreed", "what waits for TLS closes so"),
    (SOCKS, [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "seems to be an HTTP proxy", "write http:// in place of socks5://"),
    (SOCKS, [b"\x15\x03\x01"], "it wants TLS", "SOCKS5 within TLS is not spoken here"),
    (SOCKS, [b"\0\x5b"], "it speaks SOCKS4", "SOCKS4 is not spoken here"),
    (SOCKS, [b"RFB 003.008\n"], "is no SOCKS5 proxy", "has the host and the port"),
    (SOCKS, [b"\x05\xff"], "wants user and password", "a file of proxyAuthFile"),
    (withLogin(SOCKS), [b"\x05\xff"], "in another way who asks", "cntlm or px"),
    (withLogin(SOCKS), [b"\x05\x02", b"\x01\x01"], "does not accept", "right in the URL of proxy"),
    (SOCKS, [b"\x05\0", b"\x05\x63"], "it replies 99", "what that answer means"),
    (SOCKS, [b"\x05\0", b""], "closes the connection before it has agreed", "may not let this machine in"),
    (WITH_TLS, [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "it answers in HTTP", "write http:// in place of https://"),
    (WITH_TLS, [b"\x05\xff"], "it speaks SOCKS5", "write socks5:// in place of https://"),
    (WITH_TLS, [b""], "closed in the handshake", "TLS is spoken with the proxy itself"),
    (WITH_TLS, [b"\x15\x03\x03\0\x02\x02\x28"], "no common cipher", "TLS is spoken with the proxy itself"),
)
"""The URL of a proxy, what it answers step by step before it closes, what is found, and what can be done."""

UNREACHED = {
    ProxyFault.NO_PROXY: "has the host and the port of the proxy",
    ProxyFault.FORBIDS: "let uotp-server listen on port 443",
    ProxyFault.NEVER_CONNECTS: "for a proxy that connects its clients",
    ProxyFault.HAS_NO_ROOM: "give this machine more room",
    ProxyFault.BROKEN: "the proxy's log says why",
    ProxyFault.NOT_REACHED: "has tried good.test:8443), and whether a firewall there lets the proxy in",
    ProxyFault.SERVER_REFUSES: "see whether uotp-server runs",
    ProxyFault.SERVER_SILENT: "lets the proxy in at good.test:8443",
    ProxyFault.NO_SUCH_ADDRESS: "give the server's address of IPv4 in place of good.test, with serverName",
}
"""What can be done about what an answer says in a number."""


class ProxiedTestCase(ExaminationTestCase):
    """
    Examines a way through a proxy.
    """

    def through(self, url: str, program: Callable[[], Speaks], **others: Any) -> dict[ExamStep, Finding]:
        """
        @param program: makes what is at the proxy's port.
        @return: the findings, in none of which the password is.
        """
        self.machine.program = program
        proxy = parseProxy(url)
        cafile = others.pop("proxyCafile", None)
        if cafile is not None:
            proxy = withProxyFiles(proxy, None, cafile)
        found = self.examine(proxy=proxy, **others)
        for each in self.all:
            self.assertNotIn(WORD, repr(each))
        return found

    def assertProxyNamed(self, found: dict[ExamStep, Finding], facts: str, remedy: str) -> None:
        """
        The fault stands at the step TLS; of this machine all is examined.
        """
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, facts, remedy)
        self.assertLessEqual(FROM_THE_TUNNEL | {ExamStep.ALPN, ExamStep.HELLO}, self.outcomes(Outcome.NOT_REACHED))
        self.assertIs(found[ExamStep.CLOCK].outcome, Outcome.OK)
        self.assertEqual(exitStatusOf(self.all), 12)


class WellThroughProxyTests(ProxiedTestCase):
    """
    All is well.
    """

    def test_nothingIsNamed(self) -> None:
        server = self.serving()
        for url, answers in ((HTTP, [AGREED]), (SOCKS, SOCKS_AGREED), (withLogin(HTTP), [AGREED])):
            found = self.through(url, lambda: Proxy(answers, server()))  # noqa: B023 - it is called before the next
            self.assertEqual(self.outcomes(Outcome.OK), set(ExamStep), self.all)
            self.assertIn("the proxy proxy.test is 192.0.2.7", found[ExamStep.NAME].facts)

    def test_withTlsToTheProxy(self) -> None:
        server, proxy = self.serving(), TRUSTED.issue("proxy.test")
        self.through(WITH_TLS, lambda: Secured(proxy, Proxy([AGREED], server())), proxyCafile=self.cafile(TRUSTED))
        self.assertEqual(self.outcomes(Outcome.OK), set(ExamStep), self.all)


class RefusedByProxyTests(ProxiedTestCase):
    """
    The proxy refuses, or is none.
    """

    def test_eachFaultHasItsRemedy(self) -> None:
        for url, answers, facts, remedy in FAULTS:
            found = self.through(url, partial(Proxy, answers))
            self.assertProxyNamed(found, facts, remedy)

    def test_eachAnswerInANumberHasItsRemedy(self) -> None:
        for status, (fault, words) in CONNECT_MEANINGS.items():
            found = self.through(HTTP, partial(Proxy, [b"HTTP/1.1 %d x\r\n\r\n" % status]))
            self.assertProxyNamed(found, words, UNREACHED[fault])
        for number, (fault, words) in REPLIES.items():
            found = self.through(SOCKS, partial(Proxy, [b"\x05\0", bytes([5, number])]))
            self.assertProxyNamed(found, words, UNREACHED[fault])

    def test_everyFaultHasARemedy(self) -> None:
        besides = {ProxyFault.WRONG_LOGIN, ProxyFault.FORBIDS}
        self.assertEqual(set(REMEDIES) | besides, {*ProxyFault, *UntoldFault})

    def test_noRemedyNamesWhatIsTheServers(self) -> None:
        """
        Unless it is the server that is not reached.
        """
        for url, answers, facts, _ in FAULTS:
            remedy = str(self.through(url, partial(Proxy, answers))[ExamStep.TLS].remedy)
            self.assertNotIn("serverName", remedy, facts)
            self.assertNotIn("cafile", remedy, facts)

    def test_passwordInAFileIsMendedThere(self) -> None:
        answer = b"HTTP/1.1 407 x\r\n\r\n"
        found = self.through(withLogin(HTTP), lambda: Proxy([answer]), hasLoginFile=True)
        self.assertProxyNamed(found, "does not accept", "right in the file of proxyAuthFile")
        self.assertNotIn("URL", str(found[ExamStep.TLS].remedy))

    def test_webPortNeedsNoOther(self) -> None:
        answer = b"HTTP/1.1 403 x\r\n\r\n"
        found = self.through(HTTP, lambda: Proxy([answer]), place=ServerPlace("good.test", 443))
        self.assertProxyNamed(found, "forbids", "have the proxy's administrator allow connections to good.test:443")

    def test_addressNeedNotBeFound(self) -> None:
        for host, asks in (("good.test", True), ("192.0.2.9", False), ("2001:db8::9", False)):
            place = ServerPlace(host, 8443)
            remedy = str(
                self.through(HTTP, partial(Proxy, [b"HTTP/1.1 502 x\r\n\r\n"]), place=place)[ExamStep.TLS].remedy
            )
            self.assertEqual(f"does not find {host}" in remedy, asks)
        self.assertIn("[2001:db8::9]:8443", remedy)

    def test_httpProxyWithTlsIsNoSocks(self) -> None:
        found = self.through(HTTP, lambda: Proxy([b"\x15\x03\x03\0\x02\x02\x46"]))
        self.assertNotIn("SOCKS", str(found[ExamStep.TLS].remedy))

    def test_silentProxies(self) -> None:
        for url, facts, remedy in (
            (HTTP, "has not answered within 4 s", "drops what the proxy sends to good.test:8443"),
            (SOCKS, "does not answer the greeting of SOCKS5", "write http:// in place of socks5://"),
            (WITH_TLS, "the handshake is not answered within 4 s", "what waits for something else is silent"),
        ):
            self.assertProxyNamed(self.through(url, Plain), facts, remedy)
        found = self.through(SOCKS, partial(Plain, SOCKS_AGREED[0]))
        self.assertProxyNamed(found, "has not answered within 4 s", "drops what the proxy sends to good.test:8443")

    def test_proxyAgreesBeforeItIsConnected(self) -> None:
        found = self.through(SOCKS, lambda: Proxy([*SOCKS_AGREED, b""]))
        self.assertProxyNamed(found, "closed in the handshake of TLS", "or the proxy does not reach the server")


class DistrustedProxyTests(ProxiedTestCase):
    """
    TLS is spoken with a proxy that is not trusted: nothing is asked of it.
    """

    def distrusted(self, issued: Issued, **others: Any) -> dict[ExamStep, Finding]:
        """
        @return: the findings.
        """
        asked: list[Proxy] = []

        def make() -> Speaks:
            asked.append(Proxy([AGREED]))
            return Secured(issued, asked[-1])

        found = self.through(withLogin(WITH_TLS), make, **others)
        self.assertEqual([proxy.heard for proxy in asked], [b"", b"", b""], "of reach, of trust, and of the look")
        return found

    def test_unknownIssuer(self) -> None:
        proxy = STRANGER.issue("proxy.test")
        found = self.distrusted(proxy)
        self.assertProxyNamed(found, "unknown issuer 'CN=Stranger CA'", "give by proxyCafile the CA")
        self.assertNotIn(" cafile", found[ExamStep.TLS].facts)
        found = self.distrusted(proxy, proxyCafile=self.cafile(TRUSTED))
        self.assertProxyNamed(found, "unknown issuer", "the CA of proxyCafile has not signed")

    def test_anotherName(self) -> None:
        found = self.distrusted(TRUSTED.issue("other.test"), proxyCafile=self.cafile(TRUSTED))
        facts = "wrong name: expected proxy.test, certificate has other.test"
        self.assertProxyNamed(found, facts, "as it is in its certificate, in the URL of proxy")
        self.assertNotIn("serverName", repr(found[ExamStep.TLS]))

    def test_outOfDate(self) -> None:
        """
        That may be the clock, which is judged by what is known without a server.
        """
        cafile = self.cafile(TRUSTED)
        old = TRUSTED.issue("proxy.test", begins=NOW - 9 * DAY, ends=NOW - DAY)
        self.assertProxyNamed(self.distrusted(old, proxyCafile=cafile), "expired", "if the step clock is well")
        new = TRUSTED.issue("proxy.test", begins=NOW + 30 * DAY)
        self.assertProxyNamed(self.distrusted(new, proxyCafile=cafile), "not yet valid", "see the step clock")
        self.machine.wallClock = NOW.replace(year=2026, month=10) - 400 * DAY
        found = self.distrusted(new, proxyCafile=cafile)
        self.assertIs(found[ExamStep.CLOCK].outcome, Outcome.FAULT)
        self.assertEqual(exitStatusOf(self.all), 13, "it is the clock, and TLS only shows it")

    def test_clockIsJudgedByOurOwnCertificate(self) -> None:
        self.machine.synchronized = None
        found = self.through(HTTP, partial(Proxy, [b"HTTP/1.1 403 x\r\n\r\n"]))
        self.assertIn("between the dates of our own certificate", found[ExamStep.CLOCK].facts)

    def test_everyFlawHasARemedy(self) -> None:
        self.assertEqual(set(DISTRUST) | {Against.PIN, Against.OTHER}, set(Against))


class ReachOfProxyTests(ProxiedTestCase):
    """
    The proxy is not found, or not reached.
    """

    def test_nameOfTheProxyIsNotFound(self) -> None:
        self.machine.found = LookupFailed("not found")
        found = self.through(HTTP, Plain)
        self.assertNamed(found[ExamStep.NAME], Outcome.FAULT, "proxy.test: not found", "the proxy's address in place")
        self.assertNotIn("serverName", str(found[ExamStep.NAME].remedy))

    def test_proxyIsNotReached(self) -> None:
        self.machine.program = OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        found = self.examine(proxy=parseProxy(HTTP))
        self.assertNamed(found[ExamStep.TCP], Outcome.FAULT, "refused", "the port of the proxy are right")
        self.assertEqual(exitStatusOf(self.all), 11)

    def test_wayToTheProxyIsALoop(self) -> None:
        self.machine.way = Way("wg0", isTunnel=True, vpn=(("127.0.0.1", 8911),))
        self.machine.program = TimeoutError()
        found = self.examine(proxy=parseProxy(HTTP))
        self.assertNamed(found[ExamStep.TCP], Outcome.FAULT, "does not answer", "the way to the proxy leads through")
        self.assertNamed(found[ExamStep.ROUTE], Outcome.FAULT, "goes round in a loop", "give the proxy a route")

    def test_serverIsOnlyReachedOnce(self) -> None:
        """
        The second connection is the proxy's business.
        """
        calls: list[int] = []
        whole = self.machine.connect

        def connect(*arguments: Any) -> Any:
            calls.append(1)
            if len(calls) > 1:
                raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            return whole(*arguments)

        self.patch(self.machine, "connect", connect)
        found = self.through(HTTP, lambda: Proxy([AGREED], Secured(GOOD, Plain())))
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "a second connection is not let in", "the proxy's log")
