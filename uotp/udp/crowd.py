"""
How the sources that share one port share its time.

The kernel keeps what comes for a socket in one queue.  A source that sends more than can be
carried fills it, and what its neighbours send is dropped there with the rest.  So while a
port is crowded, which means that a read brings as much as it can take, and that several
sources send, the socket is read empty first, which costs little.  What was read waits here by
source, and each source in turn has some of it handed on.  What is too much is dropped from
the sources that have most.  A source of which much waits is told to the port, which may read
it apart from the others.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from uotp.telemetry import Drop, Drops, Logger
from uotp.train import TRAIN_OVERHEAD_BYTES, Train

MAX_INTAKE_BYTES = 4 * 1024 * 1024
"""
So much waits, payload and overhead: as much as the kernel keeps by default.  With the
overhead it is sixteen thousand trains at the most.
"""

LEVEL_SHARE = 0.75
"""
When it is too much, so much of it is kept, since to find out who has most takes a while.  That
is found out no more often than the rest of it has come, even where each source has so little that
all keep it.
"""

MIN_LEVEL_BYTES = 2048
"""So much each source may let wait in any case, a datagram or a few small ones."""

MAX_READS = 64
READ_SECONDS = 0.002
"""So often, and for so long, a port is read in one turn: some four thousand datagrams."""

SOURCE_BYTES = 64 * 1024
SOURCE_TRAINS = 16
"""So much a source has handed on before others get their turn: at least one train."""

HAND_ON_BYTES = 256 * 1024
HAND_ON_SECONDS = 0.002
"""So much, and for so long, is handed on in one turn of the reactor, for all sources together."""

WEIGH_SECONDS = 0.25
"""Over so long it is found out whether one source sends too much."""

FULL_READS = 8
"""It does so only where so many reads were full in that time; fewer are a burst."""

HEAVY_BYTES = HAND_ON_BYTES
"""And where it has brought so much more than all others together: more than one turn hands on."""

COMPANY_SECONDS = 1.0
"""A port is shared when so little time has passed since another source sent than the one before."""


class WaitingTrains:
    """
    Holds the trains of one source that wait.

    @ivar cost: payload and overhead, in bytes.
    """

    __slots__ = ("cost", "trains")

    def __init__(self) -> None:
        self.trains: deque[Train] = deque()
        self.cost = 0

    def put(self, train: Train) -> None:
        """
        Let a train wait.
        """
        self.trains.append(train)
        self.cost += len(train.payload) + TRAIN_OVERHEAD_BYTES

    def pop(self) -> Train:
        """
        @return: the oldest train, which is taken out.
        """
        train = self.trains.popleft()
        self.cost -= len(train.payload) + TRAIN_OVERHEAD_BYTES
        return train


class SourceQueue:
    """
    Lets trains wait by their sources, and gives each source its turn.

    @ivar cost: payload and overhead that wait, in bytes.
    """

    def __init__(self, drops: Drops, most: int = MAX_INTAKE_BYTES) -> None:
        """
        @param drops: where what is dropped is counted.
        @param most: payload and overhead that may wait, in bytes.
        """
        self._drops = drops
        self._most = most
        self._bySource: OrderedDict[Hashable, WaitingTrains] = OrderedDict()  # whose turn is next comes first
        self._came = 0  # payload and overhead since it was last found out who has most
        self.cost = 0

    def __len__(self) -> int:
        """
        How many sources have trains that wait.
        """
        return len(self._bySource)

    def put(self, source: Hashable, trains: list[Train]) -> None:
        """
        Let trains of a source wait.
        """
        if not trains:
            return
        waiting = self._bySource.get(source)
        if waiting is None:
            waiting = self._bySource[source] = WaitingTrains()
        before = waiting.cost
        for train in trains:
            waiting.put(train)
        came = waiting.cost - before
        self.cost += came
        self._came += came
        if self.cost > self._most:
            if self._came > self._most * (1 - LEVEL_SHARE):
                self._came = 0
                self._level()
            while self.cost > self._most and waiting.trains:  # very many sources wait, each with little
                self._drop(source, waiting)

    def take(self) -> tuple[Hashable, list[Train]]:
        """
        @return: the source whose turn it is, and its oldest trains.
        @raise LookupError: when none waits.
        """
        source, waiting = self._bySource.popitem(last=False)
        before = waiting.cost
        taken = [waiting.pop()]
        size = len(taken[0].payload)
        while waiting.trains and len(taken) < SOURCE_TRAINS:
            size += len(waiting.trains[0].payload)
            if size > SOURCE_BYTES:
                break
            taken.append(waiting.pop())
        self.cost -= before - waiting.cost
        if waiting.trains:
            self._bySource[source] = waiting
        return source, taken

    def costOf(self, source: Hashable) -> int:
        """
        @return: what waits of a source, payload and overhead, in bytes.
        """
        waiting = self._bySource.get(source)
        return waiting.cost if waiting else 0

    def _level(self) -> None:
        """
        Drop the oldest trains of the sources that have most, so that none of these has more
        than the others.
        """
        left = self._most * LEVEL_SHARE
        costs = sorted(waiting.cost for waiting in self._bySource.values())
        level = float(MIN_LEVEL_BYTES)
        for number, cost in enumerate(costs):
            share = left / (len(costs) - number)
            if cost > share:
                level = max(level, share)
                break
            left -= cost
        for source, waiting in list(self._bySource.items()):
            while waiting.cost > level:
                self._drop(source, waiting)

    def _drop(self, source: Hashable, waiting: WaitingTrains) -> None:
        before = waiting.cost
        self._drops.count(Drop.SOURCE_TOO_MUCH, waiting.pop().datagrams)
        self.cost -= before - waiting.cost
        if not waiting.trains:
            del self._bySource[source]

    def clear(self) -> None:
        """
        Nothing waits any more.
        """
        self._bySource.clear()
        self.cost = 0

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        waiting = self._bySource.values()
        assert all(one.trains for one in waiting)
        for one in waiting:
            assert one.cost == sum(len(train.payload) + TRAIN_OVERHEAD_BYTES for train in one.trains)
        assert self.cost == sum(one.cost for one in waiting) <= self._most


class Scales:
    """
    Finds out which source brings more than all others together.  It remembers one source,
    whose bytes count for it and those of all others against it.  So it costs the same however
    many send.
    """

    def __init__(self) -> None:
        self._source: Hashable = None
        self._bytes = self._fullReads = 0
        self._end = 0.0

    def addFullRead(self, now: float) -> None:
        """
        A read has brought as much as it could.
        """
        if now >= self._end:
            self._end = now + WEIGH_SECONDS
            self._bytes = self._fullReads = 0
        self._fullReads += 1

    def add(self, source: Hashable, trains: list[Train]) -> None:
        """
        A source has brought trains.
        """
        cost = sum(len(train.payload) + TRAIN_OVERHEAD_BYTES for train in trains)
        if source == self._source:
            self._bytes += cost
        elif cost <= self._bytes:
            self._bytes -= cost
        else:
            self._source, self._bytes = source, cost - self._bytes

    def takeHeavy(self) -> Hashable:
        """
        @return: the source that sends too much, once in L{WEIGH_SECONDS}; or L{None}.
        """
        if self._fullReads < FULL_READS or self._bytes < HEAVY_BYTES:
            return None
        self._bytes = self._fullReads = 0
        return self._source


class CrowdedPort(Protocol):
    """
    Reads for an L{Intake}, and hands on what it gives back.
    """

    def readMore(self) -> bool:
        """
        Read once more, and L{Intake.put} what has come.

        @return: whether there may be more.
        """

    def handOn(self, source: Any, trains: list[Train]) -> None:
        """
        Hand on trains of a source.
        """

    def tooMuchOf(self, source: Any) -> None:
        """
        A source sends more than is handed on, beside others; a port may read it apart.
        """


class Intake:
    """
    Takes what a port reads while that is crowded.

    @ivar isReading: whether the port reads for this now.
    @ivar isBusy: whether something waits here, so that what comes later has to wait too.
    """

    _log = Logger()

    def __init__(self, clock: Any, drops: Drops, port: CrowdedPort, most: int = MAX_INTAKE_BYTES) -> None:
        """
        @param clock: C{IReactorTime}.
        @param most: payload and overhead that may wait, in bytes.
        """
        self._clock = clock
        self._port = port
        self._queue = SourceQueue(drops, most)
        self._last: Hashable = None
        self._sharedUntil = 0.0
        self._scales = Scales()
        self._call: Any = None
        self.isReading = self.isBusy = False

    def wants(self, source: Hashable, several: bool, full: bool) -> bool:  # noqa: FBT001 - what a read has brought
        """
        A read has brought something.  This need not be asked for a lone datagram, unless
        this L{isBusy}.

        @param source: who sent the first of it.
        @param several: whether others sent some of it.
        @param full: whether it brought as much as it could.
        @return: whether it is to be put here, and not handed on at once.
        """
        if self.isBusy and not full:
            return True
        if not (full or several):
            return False
        now = self._clock.seconds()
        if full:
            self._scales.addFullRead(now)
        if several or (self._last is not None and source != self._last):
            self._sharedUntil = now + COMPANY_SECONDS
        self._last = source
        return self.isBusy or (full and now < self._sharedUntil)

    def put(self, source: Hashable, trains: list[Train]) -> None:
        """
        Take trains of a source.
        """
        self._scales.add(source, trains)
        self.putAside(source, trains)

    def putAside(self, source: Hashable, trains: list[Train]) -> None:
        """
        Take trains of a source that were read apart, and so filled the port for nobody.
        """
        self.isBusy = True
        self._queue.put(source, trains)

    def costOf(self, source: Hashable) -> int:
        """
        @return: what waits of a source, payload and overhead, in bytes.
        """
        return self._queue.costOf(source)

    def readOn(self, readBehind: Callable[[bool], None] | None = None) -> None:
        """
        Read the socket empty, as far as one turn allows.  Then hand some of it on, unless that
        is going to be done anyway.

        @param readBehind: reads what comes apart, after the socket, and is told whether that
            is empty.
        """
        isEmpty = self._readPort()
        if readBehind is not None:
            readBehind(isEmpty)
        if self._call is None:
            self._handOn()

    def _readPort(self) -> bool:
        """
        @return: whether the socket is empty.
        """
        seconds = self._clock.seconds
        end = seconds() + READ_SECONDS
        isEmpty = False
        self.isReading = True
        try:
            for _ in range(MAX_READS):
                isEmpty = not self._port.readMore()
                if isEmpty or seconds() >= end:
                    break
        finally:
            self.isReading = False
        heavy = self._scales.takeHeavy()
        if heavy is not None:
            self._port.tooMuchOf(heavy)
        return isEmpty

    def _handOn(self) -> None:
        """
        Give sources their turns, as far as one turn of the reactor allows.
        """
        self._call = None
        seconds, queue = self._clock.seconds, self._queue
        end = seconds() + HAND_ON_SECONDS
        size = 0
        while queue and size < HAND_ON_BYTES:
            source, trains = queue.take()
            for train in trains:
                size += len(train.payload)
            try:
                self._port.handOn(source, trains)
            except Exception:  # noqa: BLE001 - an error costs a datagram, and never the port
                self._log.failure("a datagram could not be handed on")
            if seconds() >= end:
                break
        self.isBusy = bool(queue)
        if queue:
            self._call = self._clock.callLater(0, self._handOn)

    def stop(self) -> None:
        """
        The port is closed: hand on nothing more.
        """
        self._queue.clear()
        self.isBusy = False
        if self._call is not None:
            self._call.cancel()
            self._call = None
