"""
What the parts of the door know of each other.  There is no logic here.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from twisted.python.failure import Failure

from uotp.boundaries import Stream
from uotp.errors import PeerError
from uotp.server.door.request import PathUpgrade
from uotp.transport import AcceptedTcpStream

V_contra = TypeVar("V_contra", contravariant=True)
"""A connection at the door."""


class VisitedStream(Stream, Protocol):
    """
    Is the stream of a connection that may be a visitor's.

    @ivar halfCloses: whether the protocol is told by C{readConnectionLost} that the other end has said that
        nothing more comes, and may go on writing.
    """

    halfCloses: bool

    def handTo(self, protocol: Any) -> None:
        """
        Have another protocol get what comes from now on, and hear of the end.
        """

    def finish(self) -> None:
        """
        Say behind what is written that nothing more comes, and go on reading.
        """

    def depart(self) -> None:
        """
        Close now, as who has nothing more to say or to hear.
        """


class Site(Protocol):
    """
    Answers one visitor.

    @ivar activeAt: when it last did something for him, by the reactor's clock.
    @ivar idleSeconds: so long it may do nothing.
    """

    activeAt: float
    idleSeconds: float

    def feed(self, data: bytes) -> None:
        """
        The visitor has said something.
        """

    def end(self) -> None:
        """
        The visitor has said all.
        """

    def stop(self) -> None:
        """
        The visitor is gone, or was none.
        """

    def pause(self) -> None:
        """
        Say nothing more for now: the visitor does not take it.
        """

    def resume(self) -> None:
        """
        Go on.
        """


class Guest(Protocol):
    """
    Is a visitor, to the site that answers him.
    """

    def say(self, data: bytes) -> None:
        """
        Tell him something.
        """

    def siteEnded(self) -> None:
        """
        The site has said all.
        """

    def siteLost(self) -> None:
        """
        The site has broken the connection off.
        """

    def siteDown(self, unsent: bytes) -> None:
        """
        The site cannot be reached.

        @param unsent: what it was to be told.
        """

    def pauseReading(self) -> None:
        """
        The site takes no more for now.
        """

    def resumeReading(self) -> None:
        """
        The site takes more.
        """


class VisitReception(Protocol[V_contra]):
    """
    Decides about those at the door.

    @ivar path: the secret path, if there is one.
    """

    path: bytes | None

    def openSite(self, visitor: V_contra) -> Site | None:
        """
        @return: the web server behind us, if there is one, and if there is room for one more visitor.
        """

    def takenOver(self, visitor: V_contra) -> None:
        """
        His tunnel is told nothing any more.
        """

    def received(self, visitor: V_contra, reason: PeerError | None) -> None:
        """
        He is a visitor.

        @param reason: why he is no client of ours; L{None} when the web server behind us has ended that question, or
            he has, who goes and has said nothing.
        """

    def siteOf(self, visitor: V_contra) -> Site:
        """
        @return: what answers a visitor.
        """

    def answered(self, visitor: V_contra) -> None:
        """
        The site has begun to answer him.
        """

    def siteInstead(self, visitor: V_contra) -> Site:
        """
        @return: what answers a visitor while the web server behind us cannot be reached.
        """

    def upgraded(self, visitor: V_contra, upgrade: PathUpgrade) -> None:
        """
        He is no visitor: he has asked for the path.
        """

    def left(self, visitor: V_contra, reason: Failure | None) -> None:
        """
        He is no visitor, or is gone.

        @param reason: why his connection is gone, if it is.
        """


# It fits its seam.
_accepted: type[VisitedStream] = AcceptedTcpStream
