"""
What has come of a connection to the server's port, as a value: TLS, what the server shows, and its answer to a hello.
It is found out first, and judged by those who know about one thing each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from uotp.doctor.carried import NoUpgrade
from uotp.doctor.tunnel import OpenTunnel
from uotp.tls.inspection import Against, Flaw, OwnCertificate, ShownByServer
from uotp.wire import ServerStatus

ALL_DATES = frozenset({Against.EXPIRED, Against.NOT_YET})


class TlsEnd(Enum):
    """
    Names how a handshake of TLS has ended that did not come about, where that is not the server's certificate.

    CLOSED: the connection was closed without a word.
    SILENT: nothing came.
    VERSION: what is there says that it speaks no such version.
    OTHER: one end has refused the other for another reason, or what came is no TLS.
    """

    CLOSED = auto()
    SILENT = auto()
    VERSION = auto()
    OTHER = auto()


class HelloAnswer(Enum):
    """
    Names what has come of a hello.

    NONE: none was said.
    WELCOME: the server lets the tunnel carry.
    REFUSED: it does not.
    FORMAT_1: it was said in format 1, which has no answer.
    FOREIGN: something came that no uotp says.
    CLOSED: the connection was closed without a word.
    SILENT: nothing came.
    """

    NONE = auto()
    WELCOME = auto()
    REFUSED = auto()
    FORMAT_1 = auto()
    FOREIGN = auto()
    CLOSED = auto()
    SILENT = auto()


@dataclass(frozen=True, slots=True)
class Encounter:
    """
    Holds what was found out.

    @ivar hasTls: whether TLS was to be spoken.
    @ivar isInside: whether the way goes on inside WebSocket.
    @ivar isTrusted: whether the client would let the server in.
    @ivar shown: what the server has shown; L{None} when it has not.
    @ivar flaws: what is wrong with it.
    @ivar trouble: why there is no TLS, in words, when that is not the server's certificate.
    @ivar tlsEnd: how it has ended then.
    @ivar speech: which other protocol is spoken there, in words.
    @ivar refusesUs: what the server has against our certificate, or that it misses one, in words.
    @ivar missesListing: whether that may be that it does not have us in its list of clients.
    @ivar wantsOther: whether the server wants none of the protocols that we offer by ALPN.
    @ivar ours: the certificate that we show.
    @ivar hasToken: whether we have a token for a server that we trust.
    @ivar noUpgrade: why there is no WebSocket, where there is to be one.
    @ivar isWebServer: whether a web server has answered that does not answer the question for WebSocket.
    @ivar answer: what came of the hello.
    @ivar status: how the server stands, if it has told.
    @ivar date: what time it is there, if a web server has told.
    @ivar tunnel: the tunnel, where it is welcome and trusted.
    """

    hasTls: bool
    isInside: bool = False
    isTrusted: bool = False
    shown: ShownByServer | None = None
    flaws: tuple[Flaw, ...] = ()
    trouble: str | None = None
    tlsEnd: TlsEnd = TlsEnd.OTHER
    speech: str | None = None
    refusesUs: str | None = None
    missesListing: bool = False
    wantsOther: bool = False
    ours: OwnCertificate | None = None
    hasToken: bool = False
    noUpgrade: NoUpgrade | None = None
    isWebServer: bool = False
    answer: HelloAnswer = HelloAnswer.NONE
    status: ServerStatus | None = None
    date: datetime | None = None
    tunnel: OpenTunnel | None = None

    def isWrongIn(self, *kinds: Against) -> Flaw | None:
        """
        @return: the first objection of one of these kinds.
        """
        return next((each for each in self.flaws if each.against in kinds), None)

    @property
    def chosen(self) -> str | None:
        """
        What the server has chosen by ALPN: one of the names that were offered, or OpenSSL would have refused it.
        """
        protocol = None if self.shown is None else self.shown.protocol
        return None if protocol is None else protocol.decode("ascii", "replace")

    @property
    def isDateAlone(self) -> bool:
        """
        Whether nothing but the dates of the certificate is wrong.
        """
        return bool(self.flaws) and all(each.against in ALL_DATES for each in self.flaws)
