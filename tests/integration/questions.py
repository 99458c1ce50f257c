"""
Questions of an application, one after the other, each until it is answered: for what goes on whatever fails.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable

from bench.rig.namespaces import command
from bench.rig.ports import Address
from bench.rig.programs import HANG_SECONDS, Program
from tests.integration.udpends import UdpEnd

TRY_SECONDS = 0.3
"""A question that has not come to the target after so long is asked again."""

APART_SECONDS = 0.1
"""Between two questions while something is waited for."""


class Questions:
    """
    Asks through a client, and answers as the target.
    """

    def __init__(self, source: UdpEnd, door: Address, target: UdpEnd) -> None:
        """
        @param source: asks.
        @param door: where the client listens.
        @param target: what is asked.
        """
        self._source = source
        self._door = door
        self._target = target
        self._numbers = itertools.count()

    def ask(self) -> Address:
        """
        Have one question answered, and ask again for as long as none is.

        @return: where it came from, as the target sees it.
        @raise AssertionError: when nothing is answered.
        """
        deadline = time.monotonic() + HANG_SECONDS
        while time.monotonic() < deadline:
            text = b"%d" % next(self._numbers)
            self._source.send(text, self._door)
            came = self._next(self._target, text, TRY_SECONDS)
            if came is not None:
                self._target.send(text, came)
                if self._next(self._source, text, 1) is not None:
                    return came
        reason = "nothing is answered"
        raise AssertionError(reason)

    def _next(self, end: UdpEnd, text: bytes, seconds: float) -> Address | None:
        """
        @return: who sent this; L{None} when it does not come.
        """
        came = end.receive(seconds)
        while came is not None and came[0] != text:
            came = end.receive(seconds)
        return None if came is None else came[1]

    def goOnUntil(self, program: Program, words: str) -> None:
        """
        Ask again and again until a program has said some words.

        @raise AssertionError: when it has not in time.
        """
        deadline = time.monotonic() + HANG_SECONDS
        while words not in "\n".join(program.lines):
            if time.monotonic() > deadline:
                reason = f"{program.name} has not said: {words}"
                raise AssertionError(reason)
            self.ask()
            time.sleep(APART_SECONDS)


def whoHas(source: Address, programs: Iterable[Program], *before: str) -> Program:
    """
    @param source: of a UDP socket.
    @param before: words before a command that is to run where it is.
    @return: the program that has it.
    """
    shown = command(*before, "ss", "-uapnH", "sport", "=", f":{source[1]}")
    return next(each for each in programs if f"pid={each.process.pid}," in shown)
