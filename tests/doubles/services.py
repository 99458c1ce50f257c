"""
A service that is none.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed


class RecordingService(Service):
    """
    Writes down what it is told, and fails where a test wants it to.

    @cvar preparing: what it does until it is ready.
    @cvar unready: what is not so until then.
    @cvar exitStatus: how its program ends.
    @cvar trouble: why that is.
    @ivar journal: "bind", "start" and "stop" in order, each with the name behind it if there is one.
    @ivar reloads: how often it was told to read its files again.
    @ivar listening: where it listens, once it has bound.
    @ivar startError: raised instead of binding, if it is set.
    @ivar reloadError: raised when the files are read again, if it is set.
    @ivar given: the sockets that were handed in.
    @ivar reloading: what a reload waits for; L{None} when it is done at once.
    @ivar ready: fires when it can do its work.
    @ivar ending: what stopping waits for.
    @ivar reloadProgram: set by the program that it is in, as the next two.
    """

    exitStatus = 0
    trouble = ""
    preparing = "getting ready"
    unready = "it is not ready"

    def __init__(
        self,
        called: str = "",
        journal: list[str] | None = None,
        *,
        bound: tuple[str, int] | None = None,
        startError: Exception | None = None,
        reloadError: Exception | None = None,
    ) -> None:
        """
        @param called: the name.
        @param journal: what several services share.
        @param bound: where it listens when it does.
        @param reloadError: raised when the files are read again, if it is set.
        """
        self.journal = [] if journal is None else journal
        self.reloads = 0
        self.listening: tuple[str, int] | None = None
        self.startError = startError
        self.reloading: Deferred[None] | None = None
        self.ready: Deferred[None] = succeed(None)
        self.ending: Deferred[None] = succeed(None)
        self.reloadProgram: Callable[[], Deferred[tuple[str, ...]]] | None = None
        self.tellTrouble: Callable[[str], None] | None = None
        self.configurationTrouble = ""
        self._called = called
        self._bound = bound
        self.reloadError = reloadError

    def _note(self, what: str) -> None:
        self.journal.append(f"{what} {self._called}".strip())

    def useGiven(self, given: object) -> None:
        self.given = given

    def statusWords(self) -> str:
        return "well"

    def isAlive(self) -> bool:
        return True

    def lookUpAhead(self) -> None:
        self._note("look up")

    def openAhead(self) -> None:
        self._note("open")

    def reload(self) -> Deferred[None] | None:
        self.reloads += 1
        if self.reloadError is not None:
            raise self.reloadError
        return self.reloading

    def followPath(self) -> None:
        self._note("follow")

    def whenReady(self) -> Deferred[None]:
        return self.ready

    def privilegedStartService(self) -> None:
        self._note("bind")
        if self.startError is not None:
            raise self.startError
        self.listening = self._bound

    def startService(self) -> None:
        super().startService()
        self._note("start")

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self._note("stop")
        return self.ending
