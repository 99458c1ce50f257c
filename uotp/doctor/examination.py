"""
The whole examination, in its order.  What cannot be done after a fault is not reached; what is of this machine
alone is done in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from uotp.doctor.clock import judgeClock
from uotp.doctor.encounter import Encounter, HelloAnswer
from uotp.doctor.findings import ExamStep, Finding, Outcome, faulty, notReached
from uotp.doctor.greeting import judgeAlpn, judgeCertificate, judgeHello
from uotp.doctor.local import judgeBuffer, judgeMark, judgeRoute
from uotp.doctor.meeting import Meeting
from uotp.doctor.passage import tryPing, tryRate, tryRoundTrip, trySizes, tryTarget
from uotp.doctor.proxytrouble import ProxyTrouble
from uotp.doctor.reach import connectTcp, findName
from uotp.doctor.seams import Machine, Way
from uotp.doctor.settings import DoctorSettings
from uotp.doctor.trust import judgeTls
from uotp.doctor.upgraded import judgeInside, judgeWebServer
from uotp.errors import ConfigurationError
from uotp.tls.inspection import Inspection

MET = (ExamStep.TLS, ExamStep.CLOCK, ExamStep.ALPN, ExamStep.CERTIFICATE, ExamStep.HELLO)
"""The steps that need a TCP connection."""

TRIED = (ExamStep.PING, ExamStep.TARGET, ExamStep.SIZE, ExamStep.ROUND_TRIP, ExamStep.LOSS, ExamStep.RATE)
"""The steps that need an open tunnel."""


class Examination:
    """
    Examines the way from this machine through a server to its target.
    """

    def __init__(self, settings: DoctorSettings, machine: Machine) -> None:
        """
        @param machine: the one that we run on.
        """
        self._settings = settings
        self._machine = machine

    def findings(self) -> Iterator[Finding]:
        """
        @return: one finding for each step, as soon as it is known, in the order of the steps.
        """
        settings, machine = self._settings, self._machine
        marked = judgeMark(settings.mark, machine)
        mark = settings.mark if marked.outcome is not Outcome.FAULT else None
        named, addresses = findName(settings, machine)
        yield named
        way: Way | None = None
        address: Any = None
        hasAnswered = False
        if addresses:
            way = machine.wayTo(addresses[0], mark)
            reached = connectTcp(settings, machine, addresses, mark, way)
            yield reached.finding
            address, hasAnswered = reached.address, reached.hasAnswered
        else:
            yield notReached(ExamStep.TCP, "the server has no address")
        yield from self._remote(address, mark)
        yield judgeBuffer(settings.udpBuffer, machine.udpBuffer(settings.udpBuffer))
        if addresses:
            known = machine.wayTo(address, mark) if address is not None else way
            yield judgeRoute(address or addresses[0], known, settings, hasAnswered=hasAnswered)
        else:
            yield notReached(ExamStep.ROUTE, "the server has no address")
        yield marked

    def _remote(self, address: Any, mark: int | None) -> Iterator[Finding]:
        """
        @return: what is found beyond TCP.
        """
        if address is None:
            yield from (notReached(step, "there is no TCP connection") for step in (*MET, *TRIED))
            return
        try:
            inspection, unusable = self._inspection()
        except ConfigurationError as error:
            yield faulty(ExamStep.TLS, str(error), "give files that belong together: `uotp cert` makes them")
            yield from (notReached(step, "the files of TLS cannot be used") for step in (*MET[1:], *TRIED))
            return
        try:
            found = Meeting(self._settings, self._machine, inspection, mark).meet(address)
        except ProxyTrouble as trouble:
            yield faulty(ExamStep.TLS, trouble.words, trouble.remedy, trouble.cause)
            ours = None if inspection is None else inspection.ours()
            nothing, now = Encounter(hasTls=inspection is not None, ours=ours), self._machine.now()
            yield judgeClock(nothing, now, isSynchronized=self._machine.isSynchronized())
            yield from (notReached(step, "there is no way through the proxy") for step in (*MET[2:], *TRIED))
            return
        except OSError as error:
            reason = error.strerror or "it took too long"
            facts = f"a second connection is not let in: {reason}"
            whose = "server" if self._settings.proxy is None else "proxy"
            yield faulty(ExamStep.TLS, facts, f"see the {whose}'s log: it may be full")
            yield from (notReached(step, "there is no connection") for step in (*MET[1:], *TRIED))
            return
        yield from self._judge(found, unusable)
        yield from self._try(found)

    def _inspection(self) -> tuple[Inspection | None, str | None]:
        """
        @return: what makes the connections of TLS, and why our certificate cannot be shown on them, if so.
        @raise ConfigurationError: when any other file cannot be used.
        """
        settings, machine = self._settings, self._machine
        if settings.tls is None:
            return None, None
        inspect = partial(
            Inspection,
            host=settings.server[0],
            wire=settings.wire,
            alpn=settings.alpn,
            now=machine.now,
            files=settings.files,
        )
        try:
            return inspect(settings.tls), None
        except ConfigurationError as error:
            return inspect(replace(settings.tls, cert=None, key=None)), str(error)

    def _judge(self, found: Encounter, unusable: str | None) -> Iterator[Finding]:
        now = self._machine.now()
        yield judgeTls(found, self._settings, now)
        yield judgeClock(found, now, isSynchronized=self._machine.isSynchronized())
        yield judgeWebServer(found) if found.isInside else judgeAlpn(found, self._settings.wire)
        if unusable is None:
            yield judgeCertificate(found, now)
        else:
            remedy = "give a certificate and a key that belong together: the server's administrator makes them"
            yield faulty(ExamStep.CERTIFICATE, unusable, remedy)
        yield judgeInside(found) if found.isInside else judgeHello(found)

    def _try(self, found: Encounter) -> Iterator[Finding]:
        """
        @return: what is found on an open tunnel.
        """
        tunnel = found.tunnel
        if tunnel is None:
            isOld = found.answer is HelloAnswer.FORMAT_1 and found.isTrusted
            reason = "format 1 has no way to ask" if isOld else "there is no tunnel"
            yield from (notReached(step, reason) for step in TRIED)
            return
        clock = self._machine.seconds
        try:
            first = tryPing(tunnel, self._settings.timeout)
            yield first
            if first.outcome is Outcome.FAULT:
                yield from (notReached(step, "the server does not answer") for step in TRIED[1:])
                return
            yield tryTarget(tunnel, self._settings)
            sized = trySizes(tunnel, self._settings)
            yield sized
            if sized.outcome is Outcome.FAULT:
                yield from (notReached(step, "the connection has stopped") for step in TRIED[3:])
                return
            yield tryRoundTrip(tunnel, self._settings, clock)
            yield from tryRate(tunnel, self._settings, clock)
        finally:
            tunnel.bye()
