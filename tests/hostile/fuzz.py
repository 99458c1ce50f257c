"""
Hours of nonsense: C{python -m tests.hostile.fuzz --minutes N --seed S}.

Bytes that are drawn, and honest streams with some of their bytes changed, taken away, doubled or
cut, go to a real server and a real client, in both formats, with TLS and without, beside a
bystander.  Each round has a seed of its own, made of that of the run and its number, which is
told when something goes wrong: with C{--round} that one is tried again.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import Program, RigError, endOnSignals
from tests.hostile.crowd import WHO_AM_I
from tests.hostile.door import Door, addresses, closeAll, newIdOf, whoAmI
from tests.hostile.house import Certificates, House, countedPrograms
from tests.hostile.shady import HELLO_SIZES
from tests.hostile.streams import FORMAT_1, FORMAT_2, stream
from tests.integration.harness import ourEnvironment
from tests.integration.rawformat2 import (
    BYE,
    DRAIN,
    MISSING,
    PADDING,
    PING,
    PONG,
    TRAIN,
    RawFrame,
    extension,
    opening,
    serverHello,
)
from tests.integration.rawpeers import frame

ROUNDS_OF_A_HOUSE = 100
"""Then the programs are started anew, in the other format, or with TLS or without."""

STREAMS = 12
"""Connections that are fuzzed at once."""

MOST_BYTES = 1 << 17
"""Of a stream."""

READ_SECONDS = 0.3
"""A fuzzed peer is read from for so long at most."""

LOST_SHARE = 0.02
"""Of what a bystander sends in a round, where the machine is busy with other things too."""

TOLD_LINES = 20
"""Of each program, beside a fault."""

GROWN_BYTES = 64 << 20
"""A program may have so much more in memory than at its start."""


def honest(wire: int, dice: random.Random) -> bytes:
    """
    @return: frames as a peer who means well would send them.
    """
    pieces, number = [], 0
    for _ in range(dice.randint(1, 60)):
        size = dice.choice([0, 1, 2, 9, 10, 11, 60, 255, 256, 1400, dice.randrange(1500), dice.randrange(65536)])
        if wire == 1:
            pieces.append(frame(dice.randbytes(size)))
            continue
        kind = dice.random()
        if kind < 0.6:
            segment = dice.choice([1, 2, 100, 1400, max(1, size)])
            pieces.append(RawFrame(TRAIN, dice.randbytes(size), number, segment, int(kind < 0.05)).encode())
            number = number + max(1, -(-size // segment)) & 0xFFFFFFFF
        elif kind < 0.9:
            which = dice.choice([PING, PONG, MISSING, PADDING, dice.randrange(129, 256)])
            pieces.append(RawFrame(which, dice.randbytes(8 if which in {PING, PONG, MISSING} else size)).encode())
        else:
            pieces.append(RawFrame(dice.choice([DRAIN, BYE, PADDING]) if kind > 0.98 else PADDING).encode())
    return b"".join(pieces)


def hello(wire: int, dice: random.Random, *, server: bool) -> bytes:
    """
    @param server: whether it is that of a server.
    @return: one that is allowed.
    """
    extensions = b"".join(
        extension(dice.randrange(3, 256), dice.randbytes(dice.randrange(40))) for _ in range(dice.randrange(4))
    )
    if server:
        return serverHello(extensions=extensions) if wire == 2 else b""
    sessionId = newIdOf(1)
    return sessionId if wire == 1 else opening(size=len(extensions)) + sessionId + extensions


def mutated(data: bytes, dice: random.Random) -> bytes:
    """
    @return: the same, with some things wrong.
    """
    made = bytearray(data)
    for _ in range(dice.randrange(6)):
        at = dice.randrange(len(made) + 1)
        what = dice.randrange(6)
        if what == 0 and made:
            made[at % len(made)] ^= 1 << dice.randrange(8)
        elif what == 1:
            made[at:at] = dice.randbytes(dice.randrange(20))
        elif what == 2:
            del made[at : at + dice.randrange(20)]
        elif what == 3:
            made[at:at] = made[at : at + dice.randrange(400)]
        elif what == 4:
            made[at : at + 2] = dice.choice([b"\0\0", b"\xff\xff", b"\0\1", b"\x80\0"])
        else:
            del made[at:]
    return bytes(made)


def words(wire: int, dice: random.Random, *, server: bool) -> bytes:
    """
    @return: what a fuzzed peer says, from its hello on.
    """
    kind = dice.random()
    if kind < 0.15:
        return dice.randbytes(dice.randrange(1, 4096))
    begin = hello(wire, dice, server=server)
    if kind < 0.3:
        return begin + dice.randbytes(dice.randrange(1, MOST_BYTES))
    if kind < 0.45:
        kinds = list(FORMAT_1 if wire == 1 else FORMAT_2)
        data = stream(
            wire, dice.choice(kinds), dice.randrange(1, MOST_BYTES), dice.randrange(8), dice.randrange(1 << 30)
        )
        return begin + mutated(data, dice)
    return (
        mutated(begin, dice) + mutated(honest(wire, dice), dice)
        if kind < 0.6
        else begin + mutated(honest(wire, dice), dice)
    )


def speak(connection: socket.socket, data: bytes, dice: random.Random) -> None:
    """
    Say it in pieces, read what is answered for a while, and go in one of several ways.
    """
    with suppress(OSError):
        connection.settimeout(READ_SECONDS * 10)
        while data:
            size = dice.choice([1, 2, 7, 10, 100, 1400, 65536, len(data)])
            connection.sendall(data[:size])
            data = data[size:]
            if dice.random() < 0.01:
                time.sleep(0.01)
        connection.settimeout(READ_SECONDS)
        end = time.monotonic() + READ_SECONDS
        while time.monotonic() < end and dice.random() < 0.9 and connection.recv(65536):
            pass
        if dice.random() < 0.3:
            connection.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        connection.close()


class FuzzedServer:
    """
    Answers a client's sessions with nonsense, but for the first, which is the bystander's.
    """

    def __init__(self, port: int, wire: int) -> None:
        self._wire = wire
        self._listening = socket.create_server((LOOPBACK, port))
        self._lock = threading.Lock()
        self.dice = random.Random(0)  # noqa: S311 - reproducible
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with self._lock:
                    dice = random.Random(self.dice.random())  # noqa: S311 - reproducible
                threading.Thread(target=self._answer, args=(connection, dice), daemon=True).start()

    def _answer(self, connection: socket.socket, dice: random.Random) -> None:
        with suppress(OSError):
            connection.settimeout(READ_SECONDS)
            connection.recv(HELLO_SIZES[self._wire])
            speak(connection, words(self._wire, dice, server=True), dice)

    def close(self) -> None:
        """
        Listen no more.
        """
        closeAll([self._listening])


class Fuzzing:
    """
    One house after the other, and rounds in each.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        """
        @param folder: for certificates.
        """
        self._seed, self._folder = seed, folder
        self.faults: list[str] = []

    def house(self, first: int, last: int, end: float) -> int:
        """
        Try some rounds at one pair of programs.

        @param first: the number of the first round.
        @param last: that of the last, at most.
        @param end: no round begins later, on the monotonic clock.
        @return: how many there were.
        """
        dice = random.Random(f"{self._seed} house {first // ROUNDS_OF_A_HOUSE}")  # noqa: S311 - reproducible
        wire = dice.choice([1, 2])
        tls = dice.random() < 0.3
        port = 0 if tls else freePort(socket.SOCK_STREAM)
        with ExitStack() as life:

            def start(name: str, command: list[str], environment: Mapping[str, str], spokenTo: bool) -> Program:  # noqa: FBT001
                program = Program(name, command, environment, spokenTo=spokenTo)
                life.callback(program.kill)
                return program

            programs = countedPrograms((), ("--expire", "3"), 1, ourEnvironment())
            certificates = Certificates(self._folder / f"pki{first}") if tls else None
            house = House(start, programs, certificates, wire=wire, shadyPort=port)
            before = house.memory()
            fuzzed = FuzzedServer(port, wire) if port else None
            number = first
            while number <= last and time.monotonic() < end and not self.faults:
                self._round(number, house, fuzzed)
                number += 1
            if fuzzed is not None:
                fuzzed.close()
            self._end(number - 1, house, before)
        return number - first

    def _round(self, number: int, house: House, fuzzed: FuzzedServer | None) -> None:
        dice = random.Random(f"{self._seed} {number}")  # noqa: S311 - reproducible
        server, wire, *rest = house.door()
        door = Door(tuple(server), wire, *rest)
        context = door.context()
        house.mark()
        if fuzzed is not None:
            fuzzed.dice = random.Random(f"{self._seed} {number} server")  # noqa: S311 - reproducible
        threads = []
        for one in range(STREAMS):
            own = random.Random(f"{self._seed} {number} {one}")  # noqa: S311 - reproducible
            wireOfThis = own.choice([1, 2])
            data = words(wireOfThis, own, server=False)
            with suppress(OSError):
                connection = door.shakeHands(door.connect(addresses(8)[one % 8]), context)
                threads.append(threading.Thread(target=speak, args=(connection, data, own)))
        applications = []
        for _ in range(STREAMS if fuzzed is not None else 0):
            with socket.socket(type=socket.SOCK_DGRAM) as application:
                application.sendto(WHO_AM_I + dice.randbytes(dice.randrange(1000)), house.clientAddress)
                applications.append(application)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._judge(number, house)

    def _judge(self, number: int, house: House) -> None:
        wrong = house.faults()
        for program in (house.server, house.client):
            if program.process.poll() is not None:
                wrong.append(f"{program.name} has ended")
        verdict = house.verdict()
        if verdict["lost"] > LOST_SHARE * verdict["sent"]:
            wrong.append(f"the bystander: {verdict}")
        self.faults += [f"seed {self._seed}, round {number}: {one}" for one in wrong]

    def _end(self, number: int, house: House, before: tuple[int, int]) -> None:
        """
        See that everything is as it was.
        """
        wrong = []
        try:
            house.untilReturned(90)
        except RigError as error:
            wrong.append(str(error))
        server, *rest = house.door("newcomer")
        try:
            whoAmI(Door(tuple(server), *rest), addresses(1, 77)[0])
        except OSError as error:
            wrong.append(f"a newcomer is not served: {error}")
        wrong += [
            f"{end} has {(now - then) >> 20} MiB more"
            for end, then, now in zip(("server", "client"), before, house.memory(), strict=True)
            if now - then > GROWN_BYTES
        ]
        self.faults += [f"seed {self._seed}, up to round {number}: {one}" for one in wrong]
        if self.faults:
            self.faults += ["\n".join(one.lines[-TOLD_LINES:]) for one in (house.server, house.client)]


def main() -> None:
    """
    Fuzz until the time is over, or something is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--round", type=int, help="try this one alone")
    options = parser.parse_args()
    endOnSignals()
    end = time.monotonic() + options.minutes * 60
    done, number = 0, options.round or 0
    say = sys.stdout.write
    with tempfile.TemporaryDirectory() as folder:
        fuzzing = Fuzzing(options.seed, Path(folder))
        while time.monotonic() < end and not fuzzing.faults and (options.round is None or not done):
            last = number if options.round is not None else number // ROUNDS_OF_A_HOUSE * ROUNDS_OF_A_HOUSE + 99
            rounds = fuzzing.house(number, last, end)
            done += rounds
            number += rounds
            say(f"seed {options.seed}: {done} rounds of {STREAMS} streams, {len(fuzzing.faults)} faults\n")
            sys.stdout.flush()
    say("\n".join(fuzzing.faults) + "\n" if fuzzing.faults else "nothing is wrong\n")
    sys.exit(bool(fuzzing.faults))


if __name__ == "__main__":
    main()
