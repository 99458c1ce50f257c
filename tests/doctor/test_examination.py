"""
Faults are put in the way, one after another, and each is named.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address

from tests.doubles.certificates import CLIENT, DAY, NOW, Authority, Issued, pem, selfSigned
from tests.doubles.examined import SERVER, MemoryMachine, Plain, Secured, Site, Speaks, Uotp, Web
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase
from uotp.doctor.examination import Examination
from uotp.doctor.findings import ExamStep, Finding, Outcome, exitStatusOf
from uotp.doctor.local import judgeBuffer
from uotp.doctor.seams import Buffer, Way
from uotp.doctor.settings import DoctorSettings
from uotp.doctor.trust import expiredRemedy
from uotp.errors import LookupFailed
from uotp.net import ServerPlace
from uotp.path import PathStats
from uotp.tls.credentials import ClientTls, ServerCredentials, ServerTls
from uotp.tls.inspection import Against, Flaw
from uotp.wire.negotiation import WireChoice
from uotp.wire.status import ServerStatus

MOMENT = int(NOW.timestamp() * 1000)

TOLD = ServerStatus(MOMENT, hasWay=True)

FROM_THE_TUNNEL = {
    ExamStep.PING,
    ExamStep.TARGET,
    ExamStep.SIZE,
    ExamStep.ROUND_TRIP,
    ExamStep.LOSS,
    ExamStep.RATE,
}
"""Steps that need an open tunnel."""

SHORT = 0.05
"""So long the rate is measured, in seconds."""


class Trickle(Plain):
    """
    Sends the longest hello that there is, a byte at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = bytes.fromhex("756f747002000fff") + bytes(4095)

    def take(self, data: bytes) -> None:
        self.heard += data

    @property
    def outgoing(self) -> bytes:
        return self._left[:1] if self.heard else b""

    @outgoing.setter
    def outgoing(self, _: bytes) -> None:
        if hasattr(self, "_left"):
            self._left = self._left[1:]


class ExaminationTestCase(TlsTestCase):
    """
    Examines a machine in memory.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ours = TRUSTED.issue(subject="someone", usages=CLIENT)
        self.uotp = Uotp(TOLD)
        self.machine = MemoryMachine(self.serving())

    def serving(
        self,
        issued: Issued = GOOD,
        program: Callable[[], Speaks] | None = None,
        *,
        clientsFrom: Authority | None = TRUSTED,
    ) -> Callable[[], Speaks]:
        """
        @return: what makes a server for each connection.
        """
        credentials = self.server(issued, clientsFrom=clientsFrom)
        return lambda: Secured(credentials, self.newUotp() if program is None else program())

    def newUotp(self) -> Uotp:
        """
        @return: a server's program like the one that the test has.
        """
        self.uotp = Uotp(self.uotp.status, answers=self.uotp.answers, welcomes=self.uotp.welcomes)
        return self.uotp

    def choices(self, shows: Issued | None, trusts: Authority = TRUSTED, **others: Any) -> ClientTls:
        shown = None if shows is None else self.path(shows.certificatePem() + shows.keyPem())
        return ClientTls(cafile=self.cafile(trusts), cert=shown, **others)

    def examine(self, **others: Any) -> dict[ExamStep, Finding]:
        """
        @return: the findings.
        """
        choices: dict[str, Any] = {
            "place": ServerPlace("good.test", 8443),
            "rateSeconds": SHORT,
            "listen": ("127.0.0.1", 8911),
        }
        if "tls" not in others:
            choices["tls"] = self.choices(self.ours)
        found = list(Examination(DoctorSettings(**{**choices, **others}), self.machine).findings())
        self.assertEqual([each.step for each in found], list(ExamStep), "each step is told, in order")
        for each in found:
            self.assertNotIn("\n", each.facts)
            self.assertEqual(each.remedy is not None, each.outcome in {Outcome.FAULT, Outcome.WARNING}, each)
        self.assertTrue(all(not line.isOpen for line in self.machine.lines), "no connection stays")
        self.all = found
        return {each.step: each for each in found}

    def outcomes(self, outcome: Outcome) -> set[ExamStep]:
        """
        @return: the steps that came to this.
        """
        return {each.step for each in self.all if each.outcome is outcome}

    def assertNamed(self, finding: Finding, outcome: Outcome, facts: str, remedy: str) -> None:
        self.assertIs(finding.outcome, outcome, finding)
        self.assertIn(facts, finding.facts)
        self.assertIn(remedy, str(finding.remedy))


class WellTests(ExaminationTestCase):
    """
    Where all is well, nothing is named.
    """

    def test_nothingIsNamed(self) -> None:
        found = self.examine()
        self.assertEqual(self.outcomes(Outcome.OK), set(ExamStep))
        self.assertEqual(exitStatusOf(self.all), 0)
        self.assertIn("issued by 'CN=Trusted CA'", found[ExamStep.TLS].facts)
        self.assertEqual(found[ExamStep.ALPN].facts, "http/1.1")
        self.assertEqual(self.uotp.byes, 1, "the session is not left behind")
        self.assertEqual(self.uotp.got, [b"\0"], "the target gets no more than it must")

    def test_nothingIsNamedWithoutTls(self) -> None:
        self.machine.program = self.newUotp
        self.examine(tls=None, wire=WireChoice.TWO)
        self.assertEqual(self.outcomes(Outcome.OK), set(ExamStep))

    def test_wireGuardIsHeardByItsPeersAlone(self) -> None:
        """
        A target that answers somebody is well.
        """
        self.uotp.answers = False
        self.uotp.status = TOLD._replace(answeredAny=12)
        found = self.examine()
        self.assertEqual(self.outcomes(Outcome.OK), set(ExamStep))
        self.assertIn("somebody 12 s ago", found[ExamStep.TARGET].facts)

    def test_rateNeedNotBeMeasured(self) -> None:
        found = self.examine(rateSeconds=0.0)
        self.assertEqual(self.outcomes(Outcome.NOT_REACHED), {ExamStep.RATE})
        self.assertIs(found[ExamStep.LOSS].outcome, Outcome.OK)
        self.assertEqual(exitStatusOf(self.all), 0)

    def test_serverOfFormat1CannotBeAsked(self) -> None:
        """
        As the original: it chooses nothing by ALPN, and does not answer a hello.
        """
        self.machine.program = lambda: Secured(GOOD, Plain())
        found = self.examine()
        self.assertIs(found[ExamStep.ALPN].outcome, Outcome.WARNING)
        self.assertIs(found[ExamStep.HELLO].outcome, Outcome.OK)
        self.assertEqual(self.outcomes(Outcome.NOT_REACHED), FROM_THE_TUNNEL)
        self.assertEqual(exitStatusOf(self.all), 0)

    def test_serverOfFormat1MayBeAWebSiteForOthers(self) -> None:
        """
        It is known by that it waits for a datagram where a web server answers.
        """
        for tls in (None, self.choices(self.ours)):
            self.machine.program = Site if tls is None else lambda: Secured(GOOD, Site())
            found = self.examine(tls=tls)
            self.assertIs(found[ExamStep.HELLO].outcome, Outcome.OK)
            self.assertEqual(self.outcomes(Outcome.FAULT), set())
            self.assertEqual(exitStatusOf(self.all), 0)


class ReachTests(ExaminationTestCase):
    """
    The server is not found, or not reached.
    """

    def test_noNameServerAnswers(self) -> None:
        for trouble, words in (
            (TimeoutError(), "no name server has answered"),
            (LookupFailed("not found"), "not found"),
        ):
            self.machine.found = trouble
            found = self.examine()
            self.assertNamed(found[ExamStep.NAME], Outcome.FAULT, words, "getent ahosts good.test")
            self.assertEqual(exitStatusOf(self.all), 10)
            self.assertLessEqual(FROM_THE_TUNNEL | {ExamStep.TCP, ExamStep.ROUTE}, self.outcomes(Outcome.NOT_REACHED))
            self.assertEqual(self.outcomes(Outcome.OK), {ExamStep.BUFFERS, ExamStep.MARK})

    def test_wrongPort(self) -> None:
        for number, words, remedy in (
            (errno.ECONNREFUSED, "refused", "ss -ltn"),
            (errno.EHOSTUNREACH, "the host is not reached", "firewall"),
            (errno.ENETUNREACH, "no route", "ip route"),
        ):
            self.machine.program = OSError(number, os.strerror(number))
            found = self.examine()
            self.assertNamed(found[ExamStep.TCP], Outcome.FAULT, f"192.0.2.7:8443: {words}", remedy)
            self.assertEqual(exitStatusOf(self.all), 11)
        self.machine.program = TimeoutError()
        self.assertNamed(self.examine()[ExamStep.TCP], Outcome.FAULT, "does not answer within 4 s", "firewall")

    def test_oneOfTwoAddressesIsEnough(self) -> None:
        self.machine.found = [IPv4Address("TCP", "192.0.2.99", 8443), SERVER]
        whole = self.machine.connect

        def connect(address: Any, *others: Any) -> Any:
            if address != SERVER:
                raise TimeoutError
            return whole(address, *others)

        self.patch(self.machine, "connect", connect)
        found = self.examine()
        self.assertNamed(
            found[ExamStep.TCP], Outcome.WARNING, "192.0.2.99:8443 does not answer", "take the address from"
        )
        self.assertIs(found[ExamStep.TARGET].outcome, Outcome.OK)
        self.assertEqual(exitStatusOf(self.all), 0)

    def test_hostWithoutIPv6IsWell(self) -> None:
        """
        Though the server's name has an address of it.
        """
        six = IPv6Address("TCP", "2001:db8::7", 8443)
        self.machine.found = [six, SERVER]
        whole = self.machine.connect

        def connect(address: Any, *others: Any) -> Any:
            if address == six:
                raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
            return whole(address, *others)

        self.patch(self.machine, "connect", connect)
        self.assertIn("[2001:db8::7]:8443: no route leads there", self.examine()[ExamStep.TCP].facts)
        self.assertEqual(self.outcomes(Outcome.OK), set(ExamStep))

    def test_anotherProtocolIsThere(self) -> None:
        for says, words in ((b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP server")):
            self.machine.program = lambda says=says: Plain(says, closes=True)
            found = self.examine()
            self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "does not speak TLS", words)
            self.assertEqual(exitStatusOf(self.all), 12)

    def test_noTlsWasSaidHereAlone(self) -> None:
        """
        The server takes the hello for no TLS, and says so by an alert.
        """
        self.machine.program = lambda: Plain(bytes.fromhex("15030300020246"), closes=True)
        found = self.examine(tls=None)
        self.assertNamed(found[ExamStep.ALPN], Outcome.FAULT, "it speaks TLS", "leave")

    def test_firewallThatSwallowsTls(self) -> None:
        self.machine.program = Plain
        found = self.examine()
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "is not answered within 4 s", "another network")

    def test_proxyHeaderThatTheServerDoesNotExpect(self) -> None:
        """
        It takes what the balancer sends before TLS for a version of TLS that it does not know; or without TLS for a
        visitor of a web site.
        """
        self.machine.program = lambda: Plain(bytes.fromhex("15030100020246"), closes=True)
        found = self.examine()[ExamStep.TLS]
        self.assertNamed(found, Outcome.FAULT, "no common TLS version", "if a balancer stands before uotp-server")
        self.assertIn("TLS 1.2", str(found.remedy))
        self.machine.program = lambda: Secured(GOOD, Plain(b"HTTP/1.1 400 Bad Request\r\n\r\n", closes=True))
        found = self.examine()[ExamStep.ALPN]
        self.assertNamed(found, Outcome.FAULT, "it answers in HTTP", "PROXY header (send-proxy) of a balancer")

    def test_proxyHeaderThatTheServerMisses(self) -> None:
        """
        It closes what begins otherwise.
        """
        self.machine.program = lambda: Plain(closes=True)
        found = self.examine()[ExamStep.TLS]
        remedy = "wait for a PROXY header from whoever connects"
        self.assertNamed(found, Outcome.FAULT, "closed in the handshake of TLS", remedy)
        self.machine.program = lambda: Secured(GOOD, Plain(closes=True))
        found = self.examine(wire=WireChoice.TWO)[ExamStep.HELLO]
        self.assertNamed(found, Outcome.FAULT, "closed the connection", "waited for a PROXY header")


class TrustTests(ExaminationTestCase):
    """
    TLS comes about, and the server or the client is not who it is to be.
    """

    def test_webServerIsThere(self) -> None:
        """
        With a certificate that is trusted, as for the same name.
        """
        self.machine.program = lambda: Secured(GOOD, Web())
        found = self.examine()
        self.assertIs(found[ExamStep.TLS].outcome, Outcome.OK)
        self.assertNamed(found[ExamStep.ALPN], Outcome.FAULT, "an HTTP server is there", "the port of uotp-server")
        self.assertEqual(exitStatusOf(self.all), 14)

    def test_webServerThatInsistsOnItsProtocol(self) -> None:
        """
        It ends what asks for another one before it shows who it is, and shows that to who asks for none.
        """
        self.machine.program = lambda: Secured(GOOD, Web(), insists=True)
        found = self.examine()
        self.assertIs(found[ExamStep.TLS].outcome, Outcome.OK)
        self.assertNamed(found[ExamStep.ALPN], Outcome.FAULT, "another protocol", "hand on what asks for the name")
        self.machine.program = lambda: Secured(STRANGER.issue("good.test"), Web(), insists=True)
        found = self.examine()
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "unknown issuer", "portal of a network")

    def test_portalIsThere(self) -> None:
        """
        With a certificate of its own.
        """
        self.machine.program = lambda: Secured(STRANGER.issue("portal.test"), Web())
        found = self.examine()
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "issuer 'CN=Stranger CA'", "portal of a network")
        self.assertNamed(found[ExamStep.ALPN], Outcome.FAULT, "an HTTP server is there", "the port")

    def test_intercepted(self) -> None:
        """
        What opens TLS on the way shows a certificate of its own, and knows nothing of our ALPN.
        """
        self.machine.program = lambda: Secured(STRANGER.issue("good.test"), self.newUotp())
        found = self.examine()
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "unknown issuer 'CN=Stranger CA'", "may be intercepted")
        self.assertEqual(exitStatusOf(self.all), 12)
        self.assertLessEqual(FROM_THE_TUNNEL, self.outcomes(Outcome.NOT_REACHED))

    def test_whatIsLikelyIsSaidFirst(self) -> None:
        """
        Who has given a CA, or a pin, knows his server: another one there is suspect, also where it speaks as ours do.
        Who has given none has forgotten that.
        """
        alike = self.serving(STRANGER.issue("good.test"), clientsFrom=None)
        self.setEnvironment("SSL_CERT_FILE", self.cafile(TRUSTED))
        for program in (alike, lambda: Secured(STRANGER.issue("good.test"), self.newUotp())):
            self.machine.program = program
            for choices, first, later in (
                (self.choices(None), "TLS may be intercepted", "ca.pem"),
                (ClientTls(pins=(bytes(32),)), "TLS may be intercepted", "if the server has a new key"),
                (ClientTls(), "give by ", "intercepts TLS"),
            ):
                remedy = str(self.examine(tls=choices)[ExamStep.TLS].remedy)
                self.assertTrue(remedy.startswith(first), remedy)
                self.assertIn(later, remedy)

    def test_issuerIsToldOnce(self) -> None:
        """
        Whatever is wrong, and whatever the name looks like.
        """
        odd = Authority("Odd; makes that CA trusted")
        between = Authority("Between", issuer=odd)
        for issued, issuers in (
            (STRANGER.issue("good.test"), ["CN=Stranger CA"]),
            (odd.issue("good.test"), ["CN=Odd\\; makes that CA trusted"]),
            (between.issue("good.test"), ["CN=Odd\\; makes that CA trusted", "CN=Between"]),
            (selfSigned("good.test"), ["CN=alone"]),
            (TRUSTED.issue("other.test"), ["CN=Trusted CA"]),
            (TRUSTED.issue("good.test", begins=NOW - 9 * DAY, ends=NOW - DAY), ["CN=Trusted CA"]),
        ):
            self.machine.program = self.serving(issued)
            found = self.examine()[ExamStep.TLS]
            self.assertIs(found.outcome, Outcome.FAULT)
            for each in issuers:
                self.assertEqual((found.facts.count(each), str(found.remedy).count(each)), (1, 0), found)

    def test_ourCertificateIsNotShownToWhomWeDoNotTrust(self) -> None:
        """
        The session of the look is new, and ends.
        """
        self.machine.program = self.serving(STRANGER.issue("good.test"), clientsFrom=TRUSTED)
        found = self.examine()
        self.assertIs(found[ExamStep.TLS].outcome, Outcome.FAULT)
        self.assertEqual(found[ExamStep.CERTIFICATE].outcome, Outcome.NOT_REACHED)

    def test_expired(self) -> None:
        self.machine.program = self.serving(TRUSTED.issue("good.test", begins=NOW - 9 * DAY, ends=NOW - DAY))
        found = self.examine()
        self.assertNamed(
            found[ExamStep.TLS], Outcome.FAULT, "certificate expired", "clock is well, renew the certificate"
        )
        self.assertIs(found[ExamStep.CLOCK].outcome, Outcome.OK, "the server has told what time it is")
        self.assertEqual(exitStatusOf(self.all), 12)

    def test_theCaHasExpired(self) -> None:
        """
        Nothing can be renewed by it, and all have to get new certificates.
        """
        authority = Authority("Old CA", begins=NOW - 9 * DAY, ends=NOW - DAY)
        self.machine.program = self.serving(authority.issue("good.test"))
        found = self.examine(tls=self.choices(self.ours, trusts=authority))[ExamStep.TLS]
        self.assertNamed(found, Outcome.FAULT, "issuer's certificate 'CN=Old CA' expired", "uotp cert init")
        self.assertIn("clock may be wrong", str(found.remedy))
        self.assertNotIn("renew server", str(found.remedy))

    def test_theCaOfTheSystemHasExpired(self) -> None:
        flaw = Flaw(Against.EXPIRED, "expired", isOfIssuer=True)
        self.assertIn("present certificates of its issuers", expiredRemedy(flaw, isGiven=False))

    def test_expiresSoon(self) -> None:
        self.machine.program = self.serving(TRUSTED.issue("good.test", ends=NOW + 2 * DAY))
        self.assertNamed(self.examine()[ExamStep.TLS], Outcome.WARNING, "until", "renew the server's certificate soon")

    def test_wrongName(self) -> None:
        self.machine.program = self.serving(TRUSTED.issue("other.test"))
        found = self.examine()
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "wrong name: expected good.test", "other.test")
        self.assertIn("uotp cert renew server --host good.test", str(found[ExamStep.TLS].remedy))

    def test_wrongPin(self) -> None:
        found = self.examine(tls=self.choices(self.ours, pins=(bytes(32),)))
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "does not match any pin", "be intercepted")

    def test_clientCertificateIsMissing(self) -> None:
        found = self.examine(tls=self.choices(None))
        self.assertIs(found[ExamStep.TLS].outcome, Outcome.OK)
        facts = "wants a client certificate"
        self.assertNamed(found[ExamStep.CERTIFICATE], Outcome.FAULT, facts, "uotp cert")
        self.assertIn("'Trusted CA'", found[ExamStep.CERTIFICATE].facts)
        self.assertEqual(exitStatusOf(self.all), 15)

    def test_clientCertificateOfAnotherAuthority(self) -> None:
        found = self.examine(tls=self.choices(STRANGER.issue(subject="someone", usages=CLIENT)))
        self.assertNamed(found[ExamStep.CERTIFICATE], Outcome.FAULT, "unknown CA", "make another one")
        self.assertIn("issued by 'CN=Stranger CA'", found[ExamStep.CERTIFICATE].facts)

    def test_clientCertificateIsRevoked(self) -> None:
        listed = self.path(pem(TRUSTED.certificate) + TRUSTED.revocationList(self.ours.certificate))
        shown = self.path(GOOD.certificatePem() + GOOD.keyPem())
        credentials = ServerCredentials(ServerTls(shown, cafile=listed))
        self.machine.program = lambda: Secured(credentials, self.newUotp())
        found = self.examine()
        self.assertNamed(found[ExamStep.CERTIFICATE], Outcome.FAULT, "revoked", "make another one")
        self.assertEqual(exitStatusOf(self.all), 15)

    def test_clientIsNotInTheList(self) -> None:
        """
        The line that is missing there is told, and puts the client into it.
        """
        listed, shown = self.path(b""), self.path(GOOD.certificatePem() + GOOD.keyPem())

        def make() -> Speaks:
            choices = ServerTls(shown, cafile=self.cafile(TRUSTED), clients=listed)
            return Secured(ServerCredentials(choices), self.newUotp())

        self.machine.program = make
        found = self.examine()[ExamStep.CERTIFICATE]
        self.assertNamed(found, Outcome.FAULT, "our key is not in its list of clients", "put this line into that list")
        self.assertNotIn("make another one", str(found.remedy))
        self.assertNotIn("pin,", found.facts)
        self.assertEqual(exitStatusOf(self.all), 15)
        line = str(found.remedy).rpartition("sha256//")
        self.assertTrue(line[2].endswith("= someone"), line)
        Path(listed).write_text(f"{line[1]}{line[2]}\n", "utf-8")
        self.assertIs(self.examine()[ExamStep.CERTIFICATE].outcome, Outcome.OK)

    def test_filesThatCannotBeUsed(self) -> None:
        found = self.examine(tls=ClientTls(cafile=self.path(b"nothing")))
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "CA file", "uotp cert")

    def test_keyOfAnotherCertificate(self) -> None:
        """
        The server is looked at all the same.
        """
        choices = self.choices(self.ours)
        other = self.path(TRUSTED.issue(subject="someone", usages=CLIENT).keyPem())
        found = self.examine(tls=replace(choices, key=other))
        self.assertIs(found[ExamStep.TLS].outcome, Outcome.OK)
        self.assertNamed(
            found[ExamStep.CERTIFICATE], Outcome.FAULT, "does not match the certificate", "belong together"
        )
        self.assertEqual(exitStatusOf(self.all), 15)

    def test_tokenIsShown(self) -> None:
        """
        To a server that is trusted, and to no other.
        """
        token = b"a secret of twenty-eight bytes"
        choices = self.choices(self.ours, tokenFile=self.path(token + b"\n"))
        self.assertIs(self.examine(tls=choices)[ExamStep.HELLO].outcome, Outcome.OK)
        self.assertEqual(self.uotp.tokens, [token])
        self.machine.program = lambda: Secured(STRANGER.issue("good.test"), self.newUotp())
        self.examine(tls=choices)
        self.assertEqual(self.uotp.tokens, [None])

    def test_tokenIsNotKnown(self) -> None:
        self.uotp.welcomes = False
        choices = self.choices(self.ours, tokenFile=self.path(b"a secret of twenty-eight bytes\n"))
        remedy = "does not know the token"
        self.assertNamed(self.examine(tls=choices)[ExamStep.HELLO], Outcome.FAULT, "refuses the session", remedy)

    def test_tokenCannotBeShownInFormat1(self) -> None:
        self.machine.program = lambda: Secured(GOOD, Plain())
        choices = self.choices(self.ours, tokenFile=self.path(b"a secret of twenty-eight bytes\n"))
        self.assertNamed(self.examine(tls=choices)[ExamStep.HELLO], Outcome.FAULT, "format 1", "see the step ALPN")

    def test_namesOfAuthoritiesAreShownAsTheyCanBe(self) -> None:
        """
        Anybody may have written them: a terminal gets no control characters.
        """
        evil = Authority("\x1b[2Jevil")
        self.machine.program = self.serving(GOOD, clientsFrom=evil)
        found = self.examine(tls=self.choices(None))
        self.assertIn("'?[2Jevil'", found[ExamStep.CERTIFICATE].facts)
        self.machine.program = self.serving(evil.issue("good.test"))
        self.assertIn("evil", self.examine()[ExamStep.TLS].facts)
        for each in self.all:
            self.assertTrue(each.facts.isprintable() and (each.remedy or "").isprintable(), each)

    def test_serverThatAnswersByteByByte(self) -> None:
        """
        It gets no more time than one that is silent.
        """
        self.machine.program = Trickle
        began = self.machine.time
        found = self.examine(tls=None, wire=WireChoice.TWO)
        self.assertNamed(found[ExamStep.HELLO], Outcome.FAULT, "does not answer", "its log")
        self.assertLess(self.machine.time - began, 15.0)

    def test_twoLooksThatDiffer(self) -> None:
        """
        As at a balancer: the first server is not trusted, and the second one shows nothing.
        """
        bad, calls = self.serving(STRANGER.issue("good.test")), []

        def make() -> Speaks:
            calls.append(1)
            return bad() if len(calls) == 2 else Plain(closes=True)

        self.machine.program = make
        self.assertNamed(self.examine()[ExamStep.TLS], Outcome.FAULT, "shows no certificate", "log")

    def test_serverIsFull(self) -> None:
        self.uotp.welcomes = False
        found = self.examine()
        self.assertNamed(found[ExamStep.HELLO], Outcome.FAULT, "refuses the session", "its log says why")
        self.assertEqual(exitStatusOf(self.all), 16)


class ClockTests(ExaminationTestCase):
    """
    The clock of this machine, or that of the server, is wrong.
    """

    def test_clockIsSlow(self) -> None:
        """
        The server's certificate is not valid yet by it; the server tells what time it is there.
        """
        self.uotp.status = TOLD._replace(milliseconds=MOMENT + 86_400_000 * 40)
        self.machine.program = self.serving(TRUSTED.issue("good.test", begins=NOW + 30 * DAY))
        found = self.examine()
        self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, "not yet valid", "see the step clock")
        self.assertNamed(found[ExamStep.CLOCK], Outcome.FAULT, "40 days slow", "timedatectl set-ntp true")
        self.assertEqual(exitStatusOf(self.all), 13, "it is the clock, and TLS only shows it")

    def test_clockIsSlowAndTheIssuerIsNotKnown(self) -> None:
        """
        Then it is TLS as well.
        """
        self.uotp.status = TOLD._replace(milliseconds=MOMENT + 86_400_000 * 40)
        self.machine.program = self.serving(STRANGER.issue("good.test", begins=NOW + 30 * DAY), clientsFrom=None)
        found = self.examine()
        self.assertIs(found[ExamStep.CLOCK].outcome, Outcome.FAULT)
        self.assertEqual(exitStatusOf(self.all), 12)

    def test_clockIsFastAndTheCertificateStillValid(self) -> None:
        self.uotp.status = TOLD._replace(milliseconds=MOMENT - 3 * 3_600_000)
        found = self.examine()
        self.assertNamed(found[ExamStep.CLOCK], Outcome.WARNING, "3 hours fast", "it may be the server's")
        self.assertEqual(exitStatusOf(self.all), 0)

    def test_clockIsOlderThanTheProgram(self) -> None:
        """
        Where the server does not tell what time it is.
        """
        self.uotp.status = None
        self.machine.wallClock = NOW.replace(year=2026, month=10) - timedelta(days=400)
        self.assertNamed(
            self.examine()[ExamStep.CLOCK], Outcome.FAULT, "when this program was not there yet", "date -s"
        )

    def test_clockIsJudgedWithoutTheServer(self) -> None:
        """
        By its certificate, where nothing tells the time.
        """
        self.uotp.status = None
        self.machine.program = self.serving(TRUSTED.issue("good.test", begins=NOW + 30 * DAY))
        for synchronized, outcome in ((False, Outcome.FAULT), (None, Outcome.FAULT), (True, Outcome.OK)):
            self.machine.synchronized = synchronized
            self.assertIs(self.examine()[ExamStep.CLOCK].outcome, outcome)

    def test_certificateIsOutOfDateAndNobodyTellsTheTime(self) -> None:
        self.uotp.status = None
        self.machine.program = self.serving(TRUSTED.issue("good.test", begins=NOW - 9 * DAY, ends=NOW - DAY))
        for synchronized, outcome in ((False, Outcome.WARNING), (None, Outcome.WARNING), (True, Outcome.OK)):
            self.machine.synchronized = synchronized
            self.assertIs(self.examine()[ExamStep.CLOCK].outcome, outcome)

    def test_whatTheClockIsComparedWithIsTold(self) -> None:
        """
        Where the server does not tell what time it is, and with nothing at all it is not judged.
        """
        self.uotp.status = None
        facts = self.examine()[ExamStep.CLOCK].facts
        self.assertIn("the system says that it is kept right", facts)
        self.machine.synchronized = None
        found = self.examine()[ExamStep.CLOCK]
        self.assertIs(found.outcome, Outcome.OK)
        self.assertIn("between the dates of the server's certificate", found.facts)
        self.machine.program = Plain
        found = self.examine()[ExamStep.CLOCK]
        self.assertIs(found.outcome, Outcome.OK)
        self.assertIn("between the dates of our own certificate", found.facts)
        self.machine.program = self.serving(STRANGER.issue("good.test"), clientsFrom=None)
        found = self.examine(tls=self.choices(None))[ExamStep.CLOCK]
        self.assertIs(found.outcome, Outcome.NOT_REACHED, "who is not trusted is no evidence")
        self.machine.program = self.newUotp
        found = self.examine(tls=None, wire=WireChoice.TWO)[ExamStep.CLOCK]
        self.assertIs(found.outcome, Outcome.NOT_REACHED)
        self.assertIn("nothing to compare", found.facts)

    def test_webServerTellsTheTime(self) -> None:
        self.machine.program = lambda: Secured(GOOD, Web())
        self.assertIn("2026-11-27 12:00:00 UTC at the server", self.examine()[ExamStep.CLOCK].facts)


class PassageTests(ExaminationTestCase):
    """
    The tunnel is open, and something behind it is wrong.
    """

    def test_targetIsSilent(self) -> None:
        self.uotp.answers = False
        found = self.examine()
        self.assertNamed(found[ExamStep.TARGET], Outcome.WARNING, "it is silent", "WireGuard and others answer nothing")
        self.assertEqual(self.uotp.got, [b"\0"] * 3)
        self.assertEqual(exitStatusOf(self.all), 0)

    def test_targetIsSilentThatIsKnownToAnswer(self) -> None:
        self.uotp.answers = False
        found = self.examine(probe=b"ping")
        self.assertNamed(found[ExamStep.TARGET], Outcome.FAULT, "it is silent", "whether the target runs")
        self.assertEqual(self.uotp.got, [b"ping"] * 3)
        self.assertEqual(exitStatusOf(self.all), 18)

    def test_targetAnswersLate(self) -> None:
        """
        Then the server has heard of it, before we have.
        """
        self.uotp.answers = False
        self.uotp.status = TOLD._replace(answered=0, answeredAny=0)
        found = self.examine(probe=b"ping")
        self.assertIn("has answered a datagram of 4 bytes", found[ExamStep.TARGET].facts)

    def test_targetIsNotThere(self) -> None:
        self.uotp.answers = False
        for status, words in (
            (TOLD._replace(refused=0), "nothing listens at the target"),
            (TOLD._replace(hasWay=False), "no way to the target"),
        ):
            self.uotp.status = status
            self.assertNamed(self.examine()[ExamStep.TARGET], Outcome.FAULT, words, "server")

    def test_serverIsTooOldToTell(self) -> None:
        self.uotp.status = None
        self.uotp.answers = False
        found = self.examine()
        self.assertIn("too old to tell", found[ExamStep.TARGET].facts)
        self.assertIn("does not tell", found[ExamStep.CLOCK].facts)

    def test_longPacketsAreSwallowed(self) -> None:
        def make() -> Uotp:
            made = self.newUotp()
            made.swallows = 1400
            return made

        self.machine.program = self.serving(program=make)
        found = self.examine()
        self.assertNamed(found[ExamStep.SIZE], Outcome.FAULT, "1300 bytes pass, and 1420 do not", "1200")
        self.assertEqual(exitStatusOf(self.all), 19)
        self.assertEqual(self.outcomes(Outcome.NOT_REACHED), {ExamStep.ROUND_TRIP, ExamStep.LOSS, ExamStep.RATE})

    def test_sizesGoAsFarAsIsAskedFor(self) -> None:
        for largest in (60, 1500, 65507):
            found = self.examine(largest=largest)
            self.assertIn(f"up to {largest} bytes", found[ExamStep.SIZE].facts)

    def test_pathLoses(self) -> None:
        self.machine.path = None
        self.assertIs(self.examine()[ExamStep.LOSS].outcome, Outcome.NOT_REACHED)
        self.machine.path = PathStats(1000, 150, 0.02, 0.02, needless=50)
        found = self.examine(rateSeconds=0.0)
        self.assertNamed(found[ExamStep.LOSS], Outcome.WARNING, "10.0 % of 1000", "always")

    def test_roundTripIsThatOfThePath(self) -> None:
        self.assertIn("of 20", self.examine()[ExamStep.ROUND_TRIP].facts)


class LocalTests(ExaminationTestCase):
    """
    Something is wrong on this machine.
    """

    def test_bufferIsSmall(self) -> None:
        self.machine.buffer = Buffer(212_992, 212_992)
        found = self.examine()
        facts = "grants 212992 of 4194304 bytes"
        self.assertNamed(found[ExamStep.BUFFERS], Outcome.WARNING, facts, "sysctl -w net.core.rmem_max=4194304")

    def test_bufferIsAsLargeAsItCanBe(self) -> None:
        """
        No setting of the kernel would make it larger.
        """
        wanted, most = 1 << 30, (1 << 30) - 1
        self.assertIs(judgeBuffer(wanted, Buffer(most, most)).outcome, Outcome.OK)
        self.assertIs(judgeBuffer(wanted, Buffer(most, 212_992)).outcome, Outcome.OK)
        remedy = judgeBuffer(wanted, Buffer(212_992, 212_992)).remedy
        self.assertIn(f"net.core.rmem_max={most} ", str(remedy))

    def test_bufferOfTheSuperuser(self) -> None:
        self.machine.buffer = Buffer(4_194_304, 212_992)
        self.assertIn("others get 212992", self.examine()[ExamStep.BUFFERS].facts)

    def test_vpnCarriesItsCarrier(self) -> None:
        """
        A WireGuard whose peer is our own port; it is named also where nothing is reached.
        """
        self.machine.way = Way("wg0", isTunnel=True, vpn=(("127.0.0.1", 8911),))
        found = self.examine()
        self.assertNamed(found[ExamStep.ROUTE], Outcome.FAULT, "through wg0, the VPN that uotp carries", "ip route add")
        self.assertIn("FwMark", str(found[ExamStep.ROUTE].remedy))
        self.assertEqual(exitStatusOf(self.all), 24)
        self.machine.program = TimeoutError()
        found = self.examine()
        self.assertNamed(found[ExamStep.TCP], Outcome.FAULT, "does not answer", "see the step route")
        self.assertIs(found[ExamStep.ROUTE].outcome, Outcome.FAULT)
        self.assertEqual(exitStatusOf(self.all), 24, "it is the route, and TCP only shows it")

    def test_anotherVpnIsNoLoop(self) -> None:
        """
        Where the server is not reached through it, that is no fault of the route, and nobody is sent there.
        """
        self.machine.way = Way("wg1", isTunnel=True, vpn=(("203.0.113.9", 51820),))
        self.assertIs(self.examine()[ExamStep.ROUTE].outcome, Outcome.OK)
        self.machine.program = TimeoutError()
        found = self.examine()
        self.assertNamed(found[ExamStep.TCP], Outcome.FAULT, "does not answer", "whether the VPN wg1")
        self.assertNotIn("step route", str(found[ExamStep.TCP].remedy))
        self.assertIs(found[ExamStep.ROUTE].outcome, Outcome.OK)

    def test_vpnOfAnotherClientHere(self) -> None:
        """
        Its port is another one than ours: it may carry itself, unless the server answers through it.
        """
        self.machine.way = Way("wg1", isTunnel=True, vpn=(("203.0.113.9", 51820), ("127.0.0.1", 51820)))
        self.assertIs(self.examine()[ExamStep.ROUTE].outcome, Outcome.OK)
        self.machine.program = TimeoutError()
        found = self.examine()
        self.assertNamed(found[ExamStep.TCP], Outcome.FAULT, "does not answer", "see the step route")
        facts = "a VPN whose peer is a program of this machine, port 51820 of 127.0.0.1"
        self.assertNamed(found[ExamStep.ROUTE], Outcome.FAULT, facts, "ip route add")
        self.assertEqual(exitStatusOf(self.all), 11, "it is not certain")

    def test_whatRefusesIsNoLoop(self) -> None:
        """
        Somebody has answered.
        """
        self.machine.program = OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        self.machine.way = Way("tun0", isTunnel=True)
        found = self.examine()
        self.assertNamed(found[ExamStep.TCP], Outcome.FAULT, "refused", "ss -ltn")
        self.assertIs(found[ExamStep.ROUTE].outcome, Outcome.WARNING)

    def test_vpnOfWhichNothingIsKnown(self) -> None:
        """
        It may be a loop where TCP has connected, and is one where it has not.
        """
        self.machine.way = Way("tun0", isTunnel=True)
        self.assertIs(self.examine()[ExamStep.ROUTE].outcome, Outcome.WARNING)
        self.machine.program = TimeoutError()
        self.assertIs(self.examine()[ExamStep.ROUTE].outcome, Outcome.FAULT)

    def test_nobodyTellsTheWay(self) -> None:
        self.machine.way = None
        self.assertIs(self.examine()[ExamStep.ROUTE].outcome, Outcome.NOT_REACHED)

    def test_markCannotBeSet(self) -> None:
        """
        All else is looked at without it.
        """
        self.machine.markError = "Operation not permitted"
        found = self.examine(mark=0xCA6C)
        self.assertNamed(found[ExamStep.MARK], Outcome.FAULT, "0xca6c cannot be set", "CAP_NET_ADMIN")
        self.assertEqual(set(self.machine.marked), {None})
        self.assertEqual(exitStatusOf(self.all), 25)

    def test_markThatNobodyHeeds(self) -> None:
        found = self.examine(mark=0xCA6C)
        self.assertNamed(found[ExamStep.MARK], Outcome.WARNING, "no `ip rule` uses it", "ip rule add fwmark 0xca6c")
        self.assertEqual(set(self.machine.marked), {0xCA6C})
        self.machine.marks = {0xCA6C}
        self.assertIs(self.examine(mark=0xCA6C)[ExamStep.MARK].outcome, Outcome.OK)
