"""
Says a hello on a connection, inside WebSocket where that is the way, and hears what comes of it.  Neither a token nor
the path of a WebSocket is said to a server that is not trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from uotp.doctor.carried import BrokenCarrier, NoUpgrade, UpgradeEnd, UpgradeFailed, becomeWebSocket
from uotp.doctor.channel import ServerChannel
from uotp.doctor.encounter import Encounter, HelloAnswer
from uotp.doctor.settings import DoctorSettings
from uotp.doctor.tunnel import OpenTunnel, TunnelGone
from uotp.doctor.webquestion import ANSWER_BEGINS, FIRST_WORD_SECONDS, dateIn
from uotp.errors import PeerError
from uotp.tls.inspection import HandshakeTrouble
from uotp.wire import (
    HTTP_2_NAME,
    ClientHello,
    ServerHelloDecoder,
    Token,
    WireChoice,
    WireFormat,
    encodeClientHello,
    foreignSpeech,
    formatToDial,
    newSessionId,
)

LEAST_SPEECH = 3
"""Fewer bytes tell nothing of a protocol."""

END_OF_REQUEST = b"\r\n\r\n"
"""
What ends a request of HTTP, and begins a datagram of format 1 that does not come.  Who has waited for more of a
request answers then, and a server of ours does not, though it is a web site for others.
"""


class FirstWords:
    """
    Says what a client says first.
    """

    def __init__(self, settings: DoctorSettings, clock: Callable[[], float], token: Callable[[], Token | None]) -> None:
        """
        @param clock: monotonic seconds.
        @param token: tells what a server is to be shown that is trusted, if anything.
        """
        self._settings = settings
        self._clock = clock
        self._token = token

    def say(self, found: Encounter, channel: ServerChannel) -> Encounter:
        """
        Say a hello, and wait for what comes.

        @param found: what has come of TLS.
        @param channel: the connection, after the handshake.
        @return: what is known now.
        """
        isLook = found.hasTls and not found.isTrusted
        token = None if isLook else self._token()
        found = replace(found, hasToken=token is not None)
        try:
            inner = self._inside(found, channel)
            wireFormat = WireFormat.TWO if isLook else self._format(found)
            hello = ClientHello(wireFormat, newSessionId(), token=token if wireFormat is WireFormat.TWO else None)
            inner.send(encodeClientHello(hello), self._settings.timeout)
            return self._afterFormat1(found, inner) if wireFormat is WireFormat.ONE else self._hear(found, inner)
        except UpgradeFailed as failed:
            shown = failed.why.shown
            date = dateIn(shown) if shown.startswith(ANSWER_BEGINS) else None
            facts: dict[str, Any] = {"noUpgrade": failed.why, "date": date}
        except HandshakeTrouble as trouble:
            facts = {"answer": HelloAnswer.CLOSED}
            if trouble.isAboutUs:
                facts = {"refusesUs": trouble.words, "missesListing": trouble.isAboutList}
        except TimeoutError:
            facts = {"answer": HelloAnswer.SILENT}
        except BrokenCarrier as broken:
            facts = {"answer": HelloAnswer.FOREIGN, "speech": broken.words}
        except OSError:
            facts = {"answer": HelloAnswer.CLOSED}
        channel.close()
        return replace(found, **facts)

    def _format(self, found: Encounter) -> WireFormat:
        """
        @return: which format is to be spoken.  What goes on with WebSocket at a path is none of the original's.
        """
        wire = self._settings.wire
        if self._settings.isInside:
            return WireFormat.ONE if wire is WireChoice.ONE else WireFormat.TWO
        return formatToDial(wire, None if found.shown is None else found.shown.protocol)

    def _inside(self, found: Encounter, channel: ServerChannel) -> ServerChannel:
        place = self._settings.place
        if place.path is None:
            return channel
        if found.shown is not None and found.shown.protocol == HTTP_2_NAME.encode("ascii"):
            raise UpgradeFailed(NoUpgrade(UpgradeEnd.HTTP_2))
        host = place.hostField(isPlain=not found.hasTls)
        return becomeWebSocket(channel, host, place.path, self._settings.timeout, self._clock)

    def _hear(self, found: Encounter, channel: ServerChannel) -> Encounter:
        decoder = ServerHelloDecoder()
        heard = None
        shown = b""
        deadline = self._clock() + self._settings.timeout
        while heard is None:
            came = channel.receive(deadline - self._clock())
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
        tunnel = OpenTunnel(channel, self._clock)
        with suppress(TunnelGone):
            tunnel.take(rest)
            status = tunnel.status(self._settings.timeout)
        return replace(found, answer=HelloAnswer.WELCOME, status=status, tunnel=tunnel)

    def _afterFormat1(self, found: Encounter, channel: ServerChannel) -> Encounter:
        """
        Wait a moment: a server of another protocol answers, and one that refuses closes.  Then end what a web server
        may take for a request, and wait once more; inside WebSocket that is known to be none.
        """
        seconds = min(self._settings.timeout, FIRST_WORD_SECONDS)
        try:
            with suppress(TimeoutError):
                return self._format1Answered(found, channel.receive(seconds))
            if not self._settings.isInside:
                channel.send(END_OF_REQUEST, self._settings.timeout)
                return self._format1Answered(found, channel.receive(seconds))
        except TimeoutError:
            pass
        finally:
            channel.close()
        return replace(found, answer=HelloAnswer.FORMAT_1)

    def _format1Answered(self, found: Encounter, came: bytes) -> Encounter:
        if not came:
            return replace(found, answer=HelloAnswer.CLOSED)
        speech = foreignSpeech(came) if len(came) >= LEAST_SPEECH else None
        answer = HelloAnswer.FORMAT_1 if speech is None else HelloAnswer.FOREIGN
        date = dateIn(came) if came.startswith(ANSWER_BEGINS) else found.date
        return replace(found, answer=answer, speech=speech, date=date)
