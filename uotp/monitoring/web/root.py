"""
What is asked for by which path, and how it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred, succeed
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from uotp.monitoring.slices import GENTLY, inSlices
from uotp.monitoring.web.answers import SAFE_HEADERS, HttpAnswer, plain
from uotp.monitoring.web.hostheader import isForUs
from uotp.telemetry import Logger, orLog

METHODS = (b"GET", b"HEAD")

Respond = Callable[[str], Deferred[HttpAnswer]]
"""Makes the answer; it is told which kinds of text the asker takes."""


class Root(Resource):
    """
    Answers all requests.
    """

    isLeaf = True
    _log = Logger()

    def __init__(self, clock: Any, ownName: str, responses: dict[str, Respond]) -> None:
        """
        @param clock: C{IReactorTime}.
        @param ownName: the name of this machine.
        @param responses: by their paths.
        """
        super().__init__()
        self._clock = clock
        self._ownName = ownName
        self._responses = responses
        self._making = DeferredLock()  # of several answers one is made at a time, or each would have its part of a turn

    def render(self, request: Any) -> Any:
        """
        Answer, now or later.
        """
        asker = Asker(request)
        answering = maybeDeferred(self._respond, request).addErrback(self._failed).addCallback(self._send, asker)
        orLog(answering, self._log, "a request was not answered")
        return NOT_DONE_YET

    def _respond(self, request: Any) -> Deferred[HttpAnswer]:
        if not isForUs(request.getHeader("host"), self._ownName):
            return succeed(plain(421, "Ask by an address of this machine, as localhost, or by its own name."))
        if request.method not in METHODS:
            return succeed(plain(405, "Only GET and HEAD are answered.", ("Allow", "GET, HEAD")))
        respond = self._responses.get(request.path.decode("latin-1"))
        if respond is None:
            return succeed(plain(404, "There are /, /metrics, /healthz and /report.json."))
        return respond(request.getHeader("accept") or "")

    def _failed(self, reason: Failure) -> HttpAnswer:
        self._log.failure("a request could not be answered", reason)
        return plain(500, "It could not be made; the log says why.")

    def _send(self, answer: HttpAnswer, asker: Asker) -> Deferred[None]:
        """
        Make the parts of an answer, and send all of them at once: then it has a length, and whoever gets the
        beginning gets the end.
        """
        made: Deferred[list[bytes]] = self._making.run(self._make, answer, asker)
        return made.addCallbacks(
            lambda parts: asker.send(answer, parts), lambda reason: asker.send(self._failed(reason))
        )

    def _make(self, answer: HttpAnswer, asker: Asker) -> Deferred[list[bytes]]:
        parts: list[bytes] = []
        if asker.isGone:
            return succeed(parts)
        return inSlices(self._clock, filling(parts, answer.parts), GENTLY).addCallback(lambda _: parts)


def filling(parts: list[bytes], made: Iterable[bytes]) -> Iterator[None]:
    """
    Add one part after the other to a list.
    """
    for part in made:
        parts.append(part)
        yield


class Asker:
    """
    Is whoever has asked, and may have gone.

    @ivar isGone: whether he has.
    """

    _log = Logger()

    def __init__(self, request: Any) -> None:
        """
        @param request: of Twisted.
        """
        self._request = request
        self.isGone = False
        orLog(request.notifyFinish().addErrback(self._went), self._log, "nobody knows whether a request was answered")

    def _went(self, _: Failure) -> None:
        self.isGone = True

    def send(self, answer: HttpAnswer, parts: Iterable[bytes] | None = None) -> None:
        """
        Send an answer, unless nobody waits for it any more.

        @param parts: of the body, where they have been made.
        """
        if self.isGone:
            return
        request = self._request
        request.setResponseCode(answer.status)
        body = b"".join(answer.parts if parts is None else parts)
        length = ("Content-Length", str(len(body)))
        for name, value in (*SAFE_HEADERS, *answer.headers, ("Content-Type", answer.kind), length):
            request.setHeader(name, value)
        request.write(body)
        request.finish()
