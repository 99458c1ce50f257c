"""
Meets whatever is at the server's port, and finds out who that is.

When the client would not trust the server, another connection looks at it without trust.  On that the hello of a
session that nobody has is said, to know by the answer who is there.  Our certificate is shown only where nothing but
the dates are wrong: then the server is who it is to be, and its answer tells what time it is there.  A token is shown
to a server that is trusted, and to no other.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from uotp.doctor.channel import ServerChannel
from uotp.doctor.encounter import Encounter, HelloAnswer
from uotp.doctor.proxied import throughProxy
from uotp.doctor.seams import Machine
from uotp.doctor.settings import DoctorSettings
from uotp.doctor.tunnel import OpenTunnel, TunnelGone
from uotp.errors import PeerError
from uotp.tls.inspection import HandshakeTrouble, Inspection, TlsTalk
from uotp.wire import (
    ClientHello,
    ServerHelloDecoder,
    WireFormat,
    encodeClientHello,
    foreignSpeech,
    formatToDial,
    newSessionId,
)

LEAST_SPEECH = 3
"""Fewer bytes tell nothing of a protocol."""

FIRST_WORD_SECONDS = 1.0
"""So long is waited for an answer that need not come."""

WEB_QUESTION = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
"""What a web server answers, whatever it serves."""

WEB_BYTES = 8192
"""No more is read of its answer."""

END_OF_REQUEST = b"\r\n\r\n"
"""
What ends a request of HTTP, and begins a datagram of format 1 that does not come.  Who has waited for more of a
request answers then, and a server of ours does not, though it is a web site for others.
"""

UNKNOWN = frozenset({HelloAnswer.CLOSED, HelloAnswer.SILENT})
"""What may come of a hello wherever it is said."""


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

    def meet(self, address: Any) -> Encounter:
        """
        @param address: one to which TCP has connected.
        @return: what was found out.
        """
        if self._inspection is None:
            return self._greet(Encounter(hasTls=False, isTrusted=True), address, self._open(address, None))
        found = Encounter(hasTls=True, ours=self._inspection.ours())
        talk = self._inspection.trusting()
        channel = self._open(address, talk)
        try:
            channel.shakeHands(self._settings.timeout)
        except HandshakeTrouble as trouble:
            channel.close()
            return self._refused(found, address, channel, talk, trouble)
        except TimeoutError:
            channel.close()
            return replace(found, trouble=f"the handshake of TLS is not answered within {self._settings.timeout:g} s")
        except OSError:
            channel.close()
            return replace(found, trouble="the connection is closed in the handshake of TLS")
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
        speech = foreignSpeech(channel.first) if len(channel.first) >= LEAST_SPEECH else None
        return replace(
            found, trouble=trouble.words or "the connection is closed in the handshake of TLS", speech=speech
        )

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

    def _open(self, address: Any, talk: TlsTalk | None) -> ServerChannel:
        settings = self._settings
        line = self._machine.connect(address, self._mark, settings.mss, settings.timeout)
        if settings.proxy is not None:
            line = throughProxy(line, settings.proxy, settings.server, settings.timeout, self._machine.seconds)
        return ServerChannel(line, talk, self._machine.seconds)

    def _greet(self, found: Encounter, address: Any, channel: ServerChannel) -> Encounter:
        """
        Say a hello, and wait for what comes.  Where nothing tells who is there, ask as a browser would.
        """
        greeted = self._sayHello(found, channel)
        return self._askWeb(greeted, address) if greeted.answer in UNKNOWN else greeted

    def _sayHello(self, found: Encounter, channel: ServerChannel) -> Encounter:
        isLook = found.hasTls and not found.isTrusted
        protocol = None if found.shown is None else found.shown.protocol
        wireFormat = WireFormat.TWO if isLook else formatToDial(self._settings.wire, protocol)
        token = None if self._inspection is None or isLook else self._inspection.token()
        found = replace(found, hasToken=token is not None)
        hello = ClientHello(wireFormat, newSessionId(), token=token if wireFormat is WireFormat.TWO else None)
        try:
            channel.send(encodeClientHello(hello), self._settings.timeout)
            if wireFormat is WireFormat.ONE:
                return self._afterFormat1(found, channel)
            return self._hear(found, channel)
        except HandshakeTrouble as trouble:
            channel.close()
            if trouble.isAboutUs:
                return replace(found, refusesUs=trouble.words, missesListing=trouble.isAboutList)
            return replace(found, answer=HelloAnswer.CLOSED)
        except TimeoutError:
            channel.close()
            return replace(found, answer=HelloAnswer.SILENT)
        except OSError:
            channel.close()
            return replace(found, answer=HelloAnswer.CLOSED)

    def _askWeb(self, found: Encounter, address: Any) -> Encounter:
        """
        Find out whether a web server is there.  It also tells what time it is.
        """
        talk = None if self._inspection is None else self._inspection.looking(shows=False, offers=False)
        head = b""
        with suppress(OSError, HandshakeTrouble):
            channel = self._open(address, talk)
            try:
                channel.shakeHands(self._settings.timeout)
                channel.send(WEB_QUESTION, self._settings.timeout)
                deadline = self._machine.seconds() + min(self._settings.timeout, FIRST_WORD_SECONDS)
                while len(head) < WEB_BYTES and b"\r\n\r\n" not in head:
                    came = channel.receive(deadline - self._machine.seconds())
                    head += came
                    if not came:
                        break
            finally:
                channel.close()
        if not head.startswith(b"HTTP/"):
            return found
        return replace(found, answer=HelloAnswer.FOREIGN, speech=foreignSpeech(head), date=dateIn(head))

    def _hear(self, found: Encounter, channel: ServerChannel) -> Encounter:
        decoder = ServerHelloDecoder()
        heard = None
        shown = b""
        deadline = self._machine.seconds() + self._settings.timeout
        while heard is None:
            came = channel.receive(deadline - self._machine.seconds())
            shown += came
            if not came:
                channel.close()
                return replace(found, answer=HelloAnswer.CLOSED)
            try:
                heard = decoder.feed(came)
            except PeerError:
                channel.close()
                speech = foreignSpeech(shown) if len(shown) >= LEAST_SPEECH else None
                return replace(
                    found, answer=HelloAnswer.FOREIGN, speech=speech or "it answers in a protocol of its own"
                )
        answer, rest = heard
        if not answer.welcome:
            channel.close()
            return replace(found, answer=HelloAnswer.REFUSED)
        return self._welcomed(found, channel, rest)

    def _welcomed(self, found: Encounter, channel: ServerChannel, rest: bytes) -> Encounter:
        status = None
        tunnel = OpenTunnel(channel, self._machine.seconds)
        with suppress(TunnelGone):
            tunnel.take(rest)
            status = tunnel.status(self._settings.timeout)
        return replace(found, answer=HelloAnswer.WELCOME, status=status, tunnel=tunnel)

    def _afterFormat1(self, found: Encounter, channel: ServerChannel) -> Encounter:
        """
        Wait a moment: a server of another protocol answers, and one that refuses closes.  Then end what a web server
        may take for a request, and wait once more.
        """
        seconds = min(self._settings.timeout, FIRST_WORD_SECONDS)
        try:
            with suppress(TimeoutError):
                return self._format1Answered(found, channel.receive(seconds))
            channel.send(END_OF_REQUEST, self._settings.timeout)
            return self._format1Answered(found, channel.receive(seconds))
        except TimeoutError:
            return replace(found, answer=HelloAnswer.FORMAT_1)
        finally:
            channel.close()

    def _format1Answered(self, found: Encounter, came: bytes) -> Encounter:
        if not came:
            return replace(found, answer=HelloAnswer.CLOSED)
        speech = foreignSpeech(came) if len(came) >= LEAST_SPEECH else None
        answer = HelloAnswer.FORMAT_1 if speech is None else HelloAnswer.FOREIGN
        date = dateIn(came) if came.startswith(b"HTTP/") else found.date
        return replace(found, answer=answer, speech=speech, date=date)


def dateIn(head: bytes) -> datetime | None:
    """
    @param head: the head of an answer of HTTP.
    @return: the time at which it says that it was written.
    """
    found = re.search(rb"\r\n[Dd]ate: ([^\r\n]{1,40})\r\n", head)
    if found is None:
        return None
    try:
        return parsedate_to_datetime(found[1].decode("ascii", "replace"))
    except ValueError:
        return None
