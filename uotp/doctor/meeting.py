"""
Meets whatever is at the server's port, and finds out who that is.

When the client would not trust the server, another connection looks at it without trust.  On that the hello of a
session that nobody has is said, to know by the answer who is there; where the way goes on inside WebSocket, what is
there is only asked for a page.  Our certificate is shown only where nothing but the dates are wrong: then the server is
who it is to be, and its answer tells what time it is there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from uotp.doctor.carried import UpgradeEnd
from uotp.doctor.channel import ServerChannel
from uotp.doctor.encounter import Encounter, HelloAnswer, TlsEnd
from uotp.doctor.firstwords import LEAST_SPEECH, FirstWords
from uotp.doctor.proxied import throughProxy
from uotp.doctor.seams import Machine, TcpLine
from uotp.doctor.settings import DoctorSettings
from uotp.doctor.webquestion import ANSWER_BEGINS, askWeb, dateIn
from uotp.tls.inspection import HandshakeTrouble, Inspection, TlsTalk
from uotp.wire import Token, foreignSpeech

CLOSED_EARLY = "the connection is closed in the handshake of TLS"

TLS_RECORDS = frozenset({0x15, 0x16})
"""How the records of TLS begin that may come in a handshake: alerts, and messages of the handshake."""

UNKNOWN = frozenset({HelloAnswer.CLOSED, HelloAnswer.SILENT})
"""What may come of a hello wherever it is said."""

UNANSWERED = frozenset({UpgradeEnd.CLOSED, UpgradeEnd.SILENT})
"""What may come of the question for WebSocket wherever it is asked."""


class Meeting:
    """
    Meets whatever is at an address.
    """

    def __init__(
        self, settings: DoctorSettings, machine: Machine, inspection: Inspection | None, mark: int | None
    ) -> None:
        """
        @param inspection: makes the connections of TLS; L{None} for plain TCP.
        @param mark: the firewall mark to set, if we can.
        """
        self._settings = settings
        self._machine = machine
        self._inspection = inspection
        self._mark = mark
        self._firstWords = FirstWords(settings, machine.seconds, self._token)

    def meet(self, address: Any) -> Encounter:
        """
        @param address: one to which TCP has connected.
        @return: what was found out.
        """
        if self._inspection is None:
            return self._greet(self._new(hasTls=False, isTrusted=True), address, self._open(address, None))
        found = self._new(hasTls=True, ours=self._inspection.ours())
        talk = self._inspection.trusting()
        channel = self._open(address, talk)
        try:
            channel.shakeHands(self._settings.timeout)
        except HandshakeTrouble as trouble:
            channel.close()
            return self._refused(found, address, channel, talk, trouble)
        except TimeoutError:
            channel.close()
            words = f"the handshake of TLS is not answered within {self._settings.timeout:g} s"
            return replace(found, trouble=words, tlsEnd=TlsEnd.SILENT)
        except OSError:
            channel.close()
            return replace(found, trouble=CLOSED_EARLY, tlsEnd=TlsEnd.CLOSED)
        return self._greet(replace(found, isTrusted=True, shown=talk.shown()), address, channel)

    def _refused(
        self, found: Encounter, address: Any, channel: ServerChannel, talk: TlsTalk, trouble: HandshakeTrouble
    ) -> Encounter:
        """
        @return: what was found out of a server where TLS has not come about.
        """
        if trouble.isAboutUs:  # TLS 1.2: the server has been verified before that
            found = replace(found, isTrusted=True, shown=talk.shown())
            return replace(found, refusesUs=trouble.words, missesListing=trouble.isAboutList)
        if trouble.isAboutProtocol:
            return self._look(replace(found, wantsOther=True), address, shows=False, offers=False)
        if talk.refusal is not None:
            looked = self._look(found, address, shows=False)
            return self._look(found, address, shows=True) if looked.isDateAlone else looked
        isForeign = len(channel.first) >= LEAST_SPEECH and channel.first[0] not in TLS_RECORDS
        speech = foreignSpeech(channel.first) if isForeign else None
        end = TlsEnd.VERSION if trouble.isAboutVersion else TlsEnd.OTHER if trouble.words else TlsEnd.CLOSED
        return replace(found, trouble=trouble.words or CLOSED_EARLY, tlsEnd=end, speech=speech)

    def _look(self, found: Encounter, address: Any, *, shows: bool, offers: bool = True) -> Encounter:
        """
        Look at a server without trust.
        """
        assert self._inspection is not None
        talk = self._inspection.looking(shows=shows, offers=offers)
        try:
            channel = self._open(address, talk)
        except OSError:
            return replace(found, trouble="a second connection was not let in")
        try:
            channel.shakeHands(self._settings.timeout)
        except (HandshakeTrouble, OSError):
            channel.close()
            return replace(found, shown=talk.shown(), flaws=talk.flaws)
        looked = self._greet(replace(found, shown=talk.shown(), flaws=talk.flaws), address, channel)
        if looked.tunnel is not None:
            looked.tunnel.bye()
        return replace(looked, tunnel=None, isTrusted=not talk.flaws)

    def _new(self, **facts: Any) -> Encounter:
        return Encounter(isInside=self._settings.isInside, **facts)

    def _token(self) -> Token | None:
        return None if self._inspection is None else self._inspection.token()

    def _open(self, address: Any, talk: TlsTalk | None) -> ServerChannel:
        settings, clock = self._settings, self._machine.seconds
        connect = partial(self._machine.connect, address, self._mark, settings.mss, settings.timeout)
        line: TcpLine = connect() if settings.proxy is None else throughProxy(connect, settings.proxy, settings, clock)
        return ServerChannel(line, talk, clock)

    def _greet(self, found: Encounter, address: Any, channel: ServerChannel) -> Encounter:
        """
        Say a hello, and wait for what comes.  Where nothing tells who is there, ask as a browser would.
        """
        if found.isInside and not found.isTrusted:
            channel.close()
            return self._askWeb(found, address)
        greeted = self._firstWords.say(found, channel)
        if found.isInside:
            isUnanswered = greeted.noUpgrade is not None and greeted.noUpgrade.end in UNANSWERED
            return self._askWeb(greeted, address) if isUnanswered else greeted
        return self._askWeb(greeted, address) if greeted.answer in UNKNOWN else greeted

    def _askWeb(self, found: Encounter, address: Any) -> Encounter:
        """
        Find out whether a web server is there.  It also tells what time it is.
        """
        talk = None if self._inspection is None else self._inspection.looking(shows=False, offers=False)
        head = b""
        with suppress(OSError, HandshakeTrouble):
            head = askWeb(self._open(address, talk), self._settings.timeout, self._machine.seconds)
        if not head.startswith(ANSWER_BEGINS):
            return found
        if found.isInside:
            return replace(found, isWebServer=True, date=dateIn(head))
        return replace(found, answer=HelloAnswer.FOREIGN, speech=foreignSpeech(head), date=dateIn(head))
