"""
What the pools of a client share, as types; no logic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from uotp.boundaries import Upgrade
from uotp.client.connectionlimit import ConnectionLimit
from uotp.client.dial.addresses import AddressOrder
from uotp.client.dial.dialqueue import DialQueue
from uotp.client.dial.outage import Hurry, Outage
from uotp.client.dial.outcomes import DialOutcome
from uotp.client.dial.patience import Patience
from uotp.client.dial.segmentsize import SegmentSizes
from uotp.client.dial.segmentwatch import SegmentWatch
from uotp.client.settings import ClientSettings
from uotp.client.volumelimit import VolumeLimit
from uotp.net import Addresses, ProxyPlace
from uotp.process import Steps, Turns
from uotp.telemetry import Logger, orLog
from uotp.tunnel import LiveTunnels, Tunnel
from uotp.wire import ServerHello, Token


class ReachabilityObserver(Protocol):
    """
    Follows, for the log, how the dialling goes.
    """

    @property
    def tunnels(self) -> int:
        """
        How many tunnels are open.
        """

    def connectionsLimited(self, most: int) -> None:
        """
        The path, or the server, seems to let no more connections through than so many.
        """

    def volumeLimited(self, volume: int) -> None:
        """
        Connections seem to be ended on the way when they have carried so many bytes.
        """

    def tunnelUp(self) -> None:
        """
        A tunnel has been opened.
        """

    def reached(self, answer: ServerHello | None = None) -> None:
        """
        The server has let us in: a tunnel has proved itself.

        @param answer: what the server has said, in format 2.
        """

    def stayed(self, *, isSecured: bool) -> None:
        """
        A tunnel has stayed for some seconds in format 1, and nothing has come through it.

        @param isSecured: whether it has TLS.
        """

    def leadsToSeveral(self) -> None:
        """
        A tunnel that was to lead to the server of its session leads to another one.
        """

    def nothingComesBack(self, name: str, *, isWelcome: bool) -> None:
        """
        A source has sent for some seconds, and nothing has ever come back to it.

        @param isWelcome: whether the server has welcomed its session.
        """

    def answersStopped(self, name: str) -> None:
        """
        A source goes on sending, and nothing has come back for some time, as it did before.
        """

    def sessionForgotten(self, name: str) -> None:
        """
        The server did not know a session any more, and has begun it anew.
        """

    def sessionReplaced(self, name: str, following: str, reason: str) -> None:
        """
        The session of a source goes on as another.
        """

    def tunnelDown(self) -> None:
        """
        A tunnel that was open is no more.
        """

    def tunnelFailed(self, reason: str) -> None:
        """
        A tunnel could not be opened, or was lost; we did not close it.
        """


def ignore(address: Any) -> None:
    """
    Do not remember where the server was reached.
    """


def noToken() -> Token | None:
    """
    @return: nothing to show to the server.
    """
    return None


class ServerDialer(Protocol):
    """
    Knows the way to the server; see L{uotp.transport.Dialer}.
    """

    @property
    def proxy(self) -> ProxyPlace | None:
        """
        Through which proxy it leads.
        """

    def lookUp(self) -> Deferred[Addresses]:
        """
        Find the server's addresses.
        """

    def connect(
        self,
        address: Any,
        makeTunnel: Callable[[], Tunnel],
        segmentSize: int | None,
        reached: Callable[[], None],
    ) -> Deferred[Any]:
        """
        Try to connect to one of them.
        """

    def upgrade(self) -> Upgrade | None:
        """
        Begin to ask the web server there to go on with WebSocket; L{None} where there is none.
        """


@dataclass(slots=True)
class ClientContext:
    """
    Holds what all pools of a client share.

    @ivar settings: what the client was told.
    @ivar clock: C{IReactorTime}.
    @ivar dialer: knows the way to the server.
    @ivar jitter: random numbers from 0 to 1.
    @ivar liveTunnels: of the client.
    @ivar reachability: who is told how the dialling goes.
    @ivar turns: shares the time among the sources.
    @ivar segments: decides how large TCP segments are.
    @ivar segmentWatch: looks for tunnels whose segments are too large.
    @ivar addresses: knows which address of the server is tried first.
    @ivar patience: knows how long the steps to an open tunnel may take.
    @ivar opened: told the address of the other end of each tunnel that has opened.
    @ivar token: tells what to show to the server now, if anything.
    @ivar processes: how many workers there are, which share what may be dialled at once.
    @ivar outcomes: how often attempts to open a tunnel have ended in each way.
    @ivar dials: lets only so many attempts be under way at once.
    @ivar outage: knows which pools have no tunnel that answers.
    @ivar connectionLimit: knows how many connections the path lets through.
    @ivar volumeLimit: knows how much the path lets each carry.
    """

    settings: ClientSettings
    clock: Any
    dialer: ServerDialer
    jitter: Callable[[], float]
    liveTunnels: LiveTunnels
    reachability: ReachabilityObserver
    turns: Turns
    segments: SegmentSizes
    opened: Callable[[Any], None] = ignore
    processes: int = 1
    token: Callable[[], Token | None] = noToken
    segmentWatch: SegmentWatch = field(init=False)
    addresses: AddressOrder = field(init=False)
    patience: Patience = field(init=False)
    outcomes: Counter[DialOutcome] = field(init=False, default_factory=Counter)
    dials: DialQueue = field(init=False)
    outage: Outage = field(init=False)
    connectionLimit: ConnectionLimit = field(init=False)
    volumeLimit: VolumeLimit = field(init=False)
    _steps: Steps = field(init=False)

    def __post_init__(self) -> None:
        """
        Make what belongs to the pools together and depends on nothing else.
        """
        self.segmentWatch = SegmentWatch(self.segments, self.clock.seconds)
        self.addresses = AddressOrder()
        self.patience = Patience(self.settings.timeout)
        self._steps = Steps(self.clock)
        self.dials = DialQueue.ofWorker(self.processes)
        self.outage = Outage(self._callEach)
        self.connectionLimit = ConnectionLimit(self.reachability.connectionsLimited)
        self.volumeLimit = VolumeLimit(self.reachability.volumeLimited)

    def pathChanged(self) -> None:
        """
        The network may have changed: forget what was learned of the path.
        """
        self.segments.forget()
        self.addresses.forget()
        self.connectionLimit.forget()
        self.volumeLimit.forget()

    @property
    def connections(self) -> int:
        """
        How many connections there are, with those that are being opened or are to be.
        """
        return self.reachability.tunnels + self.dials.underWay + self.dials.waiting

    def _callEach(self, calls: list[Hurry]) -> None:
        orLog(self._steps.each(calls, call), Logger(), "not all slots were told to dial")


def call(hurry: Hurry) -> None:
    """
    Let a slot stop waiting.
    """
    hurry()
