"""
What has come of a connection to the server's port, as a value: TLS, what the server shows, and its answer to a hello.
It is found out first, and judged by those who know about one thing each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from uotp.doctor.tunnel import OpenTunnel
from uotp.tls.inspection import Against, Flaw, OwnCertificate, ShownByServer
from uotp.wire import ServerStatus

ALL_DATES = frozenset({Against.EXPIRED, Against.NOT_YET})


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
    @ivar isTrusted: whether the client would let the server in.
    @ivar shown: what the server has shown; L{None} when it has not.
    @ivar flaws: what is wrong with it.
    @ivar trouble: why there is no TLS, in words, when that is not the server's certificate.
    @ivar speech: which other protocol is spoken there, in words.
    @ivar refusesUs: what the server has against our certificate, or that it misses one, in words.
    @ivar missesListing: whether that may be that it does not have us in its list of clients.
    @ivar wantsOther: whether the server wants none of the protocols that we offer by ALPN.
    @ivar ours: the certificate that we show.
    @ivar hasToken: whether we have a token for a server that we trust.
    @ivar answer: what came of the hello.
    @ivar status: how the server stands, if it has told.
    @ivar date: what time it is there, if a web server has told.
    @ivar tunnel: the tunnel, where it is welcome and trusted.
    """

    hasTls: bool
    isTrusted: bool = False
    shown: ShownByServer | None = None
    flaws: tuple[Flaw, ...] = ()
    trouble: str | None = None
    speech: str | None = None
    refusesUs: str | None = None
    missesListing: bool = False
    wantsOther: bool = False
    ours: OwnCertificate | None = None
    hasToken: bool = False
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
    def isDateAlone(self) -> bool:
        """
        Whether nothing but the dates of the certificate is wrong.
        """
        return bool(self.flaws) and all(each.against in ALL_DATES for each in self.flaws)
