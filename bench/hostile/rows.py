"""
The rows of the table: each is an attack, and what it does to a bystander.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contenders import BARE, Contender
from bench.figures import percent
from bench.hostile.houses import HAPROXY, Terminator, built, terminated
from bench.rig.namespaces import Namespace, command
from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import RigError
from bench.stage import Stage
from tests.hostile.atthedoor import ASKING, NOTHING, STALLS
from tests.hostile.door import Door, addresses, newIdOf, readExactly
from tests.hostile.house import House
from tests.hostile.messages import MESSAGES
from tests.hostile.orders import Report, Spoken
from tests.hostile.streams import FORMAT_1, FORMAT_2
from tests.integration.rawformat2 import HELLO_BYTES

Figures = dict[str, float]

Measurement = Callable[[Stage, Contender, float], Figures]
"""Measures a contender once, in so much of the full length."""

AnyHouse = House | Terminator

ATTACKER = "127.0.0.66"
ELSEWHERE = addresses(1, 99)[0]

QUIET_SECONDS = 2.0
"""For which the bystander flows alone, to compare with."""

RETURNED_SECONDS = 90.0

HEADERS = 28
"""Bytes of IPv4 and UDP before each datagram."""

FORGED_BYTES = 60

PATH = "/a-path-that-few-know"
"""By which attackers come in who speak WebSocket."""

LIGHT_RATE = 50

DEAF_RATE = 200.0

LOOK_SECONDS = 0.2
"""Between two looks whether they are gone."""

ESTABLISHED = "01"
"""A connection's state, as Linux writes it."""

SHORT_LIFE = ("--expire", "5")
SHORT_LINGER = ("--linger", "1")
"""So that it can be seen when all is as it was."""


@dataclass(frozen=True, slots=True)
class Row:
    """
    A row, as a scenario.

    @ivar name: its family before the slash.
    @ivar description: one sentence.
    @ivar figures: measures it, in so much of its full length.
    @ivar share: of its full length.
    """

    name: str
    description: str
    figures: Measurement
    share: float = 1.0
    without: Sequence[str] = (BARE,)
    mostRounds = 99

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return ""

    def measure(self, stage: Stage, contender: Contender) -> Mapping[str, float]:
        """
        See L{Scenario}.
        """
        return self.figures(stage, contender, self.share)


def together(*attackers: Spoken) -> list[Report]:
    """
    @return: the report of each, when all have attacked.
    """
    with ThreadPoolExecutor(len(attackers)) as pool:
        return list(pool.map(lambda one: one.ask("go"), attackers))


def quiet(house: AnyHouse) -> Figures:
    """
    @return: how the bystander flows alone.
    """
    house.mark()
    time.sleep(QUIET_SECONDS)
    return {"quietP99": house.sample()["p99"]}


def story(verdict: Report) -> Figures:
    """
    @return: what a bystander says, by the names of figures.
    """
    return {
        "longestGap": verdict["longestGap"],
        "roundTripMedian": verdict["median"],
        "roundTripP99": verdict["p99"],
        "loss": percent(verdict["lost"], verdict["sent"]),
    }


def grown(house: AnyHouse, before: Sequence[int]) -> float:
    """
    @return: how much more memory the program has that has grown most, in MiB.
    """
    return max(now - then for then, now in zip(before, house.memory(), strict=True)) / (1 << 20)


def beside(house: AnyHouse, *attackers: Spoken) -> tuple[list[Report], Figures]:
    """
    Attack, and see what the bystander says.
    """
    figures = quiet(house)
    before = house.memory()
    house.mark()
    reports = together(*attackers)
    figures |= {"attackSeconds": max(one["seconds"] for one in reports if "seconds" in one)}
    figures |= {"mebibytes": grown(house, before)}
    return reports, figures | story(house.verdict())


def came(report: Report) -> Figures:
    """
    @return: how newcomers fared.
    """
    return {"newcomers": percent(report["came"], report["of"]), "newcomerSeconds": report["seconds"]}


# What a peer may say.


def worstOf(all_: Sequence[Figures]) -> Figures:
    """
    @return: the worst of each figure.
    """
    return {name: max(one[name] for one in all_) for name in all_[0]}


def nonsense(wire: int, *, server: bool) -> Measurement:
    """
    @param server: whether the server is attacked, and not the client.
    @return: what measures all that one peer can say; the worst of each figure.
    """

    def figures(stage: Stage, contender: Contender, share: float) -> Figures:
        found = []
        for kind in FORMAT_1 if wire == 1 else FORMAT_2:
            port = 0 if server else freePort(socket.SOCK_STREAM)
            size = max(4096, int((65536 if wire == 1 else 524288) * share))
            with built(stage, contender, tls=server, wire=wire, shadyPort=port, client=SHORT_LIFE) as house:
                options: dict[str, object] = {"kind": kind, "size": size}
                attacker = (
                    house.attack("flood", door=house.door(), source=ATTACKER, **options)
                    if server
                    else house.attack("shady", client=house.clientAddress, port=port, wire=wire, **options)
                )
                _, one = beside(house, attacker)
                found.append(one)
                print(f"    {kind}: {', '.join(f'{name} {value:.1f}' for name, value in one.items())}", flush=True)
        return worstOf(found)

    return figures


def nonsenseInWebSocket(stage: Stage, contender: Contender, share: float) -> Figures:
    """
    Measure all that one peer can say within WebSocket; the worst of each figure.
    """
    found = []
    for kind in MESSAGES:
        size = max(4096, int(524288 * share))
        with built(stage, contender, server=("--http-path", PATH), client=SHORT_LIFE) as house:
            options: dict[str, object] = {"path": PATH, "kind": kind, "size": size}
            _, one = beside(house, house.attack("messages", door=house.door(), source=ATTACKER, **options))
            found.append(one)
            print(f"    {kind}: {', '.join(f'{name} {value:.1f}' for name, value in one.items())}", flush=True)
    return worstOf(found)


# Handshakes.


def handshaking(attack: str, **options: object) -> Measurement:
    """
    @return: what measures handshakes; beside HAProxy, too.
    """

    def figures(stage: Stage, contender: Contender, share: float) -> Figures:
        given = dict(options)
        if "seconds" in given:
            given["seconds"] = float(str(given["seconds"])) * share
        manager = terminated(stage, contender) if contender.name == HAPROXY else built(stage, contender)
        with manager as house:
            attacker = house.attack(attack, door=house.door(), source=ATTACKER, **given)
            _, found = beside(house, attacker)
            return found

    return figures


def chains(stage: Stage, contender: Contender, share: float) -> Figures:
    """
    Measure clients who show very many certificates.
    """
    times = max(5, int(100 * share))
    with terminated(stage, contender) if contender.name == HAPROXY else built(stage, contender) as house:
        door = house.door()
        door[3] = house.certificates.longChain()
        return beside(house, house.attack("chain", door=door, source=ATTACKER, times=times))[1]


def stalling(number: int, rate: float, kinds: Sequence[str], *, tls: bool) -> Measurement:
    """
    @return: what measures connections at which nothing more is said.
    """

    def figures(stage: Stage, contender: Contender, share: float) -> Figures:
        with built(stage, contender, tls=tls, wire=2 if tls else 1, server=SHORT_LINGER) as house:
            count = max(600, int(number * share))
            options = {"number": count, "rate": rate, "kinds": list(kinds)}
            attacker = house.attack("stalled", door=house.door(), source=ATTACKER, **options)
            many = max(6, int(count / rate / 1.2))
            newcomers = house.attack("newcomers", door=house.door("newcomer"), source=ELSEWHERE, number=many, far=0.3)
            (_, report), found = beside(house, attacker, newcomers)
            began = time.monotonic()
            with suppress(RigError):
                house.untilReturned(RETURNED_SECONDS)
            return {**found, **came(report), "goneSeconds": time.monotonic() - began}

    return figures


# Sources.


def forged(number: int, seconds: float, *, answered: bool) -> Measurement:
    """
    @return: what measures forged sources.
    """

    def figures(stage: Stage, contender: Contender, share: float) -> Figures:
        count, length = max(100, int(number * share)), max(1.0, seconds * share)
        with built(stage, contender, client=SHORT_LIFE, server=SHORT_LINGER) as house:
            options = {"sources": count, "seconds": length, "size": FORGED_BYTES, "answered": answered}
            attacker = house.attack("forged", client=house.clientAddress, **options)
            many = max(6, int(60 * share))
            newcomers = house.attack("questions", client=house.clientAddress, number=many, rate=many / length, asks=3)
            (_, report), found = beside(house, attacker, newcomers)
            found["newcomers"] = percent(report["answered"], report["of"])
        return {**found, "times": amplified(stage, contender, options)}

    return figures


def amplified(stage: Stage, contender: Contender, options: Mapping[str, object]) -> float:
    """
    @param options: of the attack.
    @return: bytes between client and server for one that a forged source has sent; in a network
        namespace, where they are counted.
    """
    with Namespace(f"uotp-hostile-{freePort(socket.SOCK_STREAM)}") as namespace, namespace.inside():
        command("ip", "link", "set", "lo", "up")
        with built(stage, contender, rate=LIGHT_RATE, client=SHORT_LIFE, server=SHORT_LINGER) as house:
            port = house.serverAddress[1]
            rules = f"tcp dport {port} counter; tcp sport {port} counter;"
            command("nft", f"table inet hostile {{ chain c {{ type filter hook output priority 0; {rules} }}; }}")
            sent = []
            for sources in (1, options["sources"]):
                attacker = house.attack("forged", client=house.clientAddress, **{**options, "sources": sources})
                before = counted()
                report = attacker.ask("go")
                sent.append(counted() - before)
            return (sent[1] - sent[0]) / float(report["bytes"] + HEADERS * report["datagrams"])


def counted() -> int:
    """
    @return: the bytes that the rules have counted.
    """
    told = json.loads(command("nft", "-j", "list", "table", "inet", "hostile"))["nftables"]
    expressions = [one for rule in told for one in rule.get("rule", {}).get("expr", ())]
    return sum(one["counter"]["bytes"] for one in expressions if "counter" in one)


def questions(stage: Stage, contender: Contender, share: float) -> Figures:
    """
    Measure the honest many.
    """
    with built(stage, contender, tls=False, wire=1) as house:
        attacker = house.attack("questions", client=house.clientAddress, number=int(1400 * share), rate=20.0)
        [report], found = beside(house, attacker)
        return {**found, "newcomers": percent(report["answered"], report["of"])}


def heavy(stage: Stage, contender: Contender, share: float) -> Figures:
    """
    Measure light flows beside one source that sends as fast as it can.
    """
    seconds = max(2.0, 20 * share)
    with built(stage, contender) as house:
        attacker = house.attack("heavy", to=house.clientAddress, seconds=seconds, trains=True)
        lights = house.attack("lights", client=house.clientAddress, seconds=seconds - 1)
        (_, report), found = beside(house, attacker, lights)
        lost = percent(report["sent"] - report["answered"], report["sent"])
        return {**found, "light": lost, "lightMedian": report["median"]}


def stranger(*, atSession: bool) -> Measurement:
    """
    @param atSession: at the socket of the bystander's session, or else at a port that nobody has:
        then it takes from the bystander what the machine needs for it.
    @return: what measures a flood of somebody with whom we have nothing to do.
    """

    def figures(stage: Stage, contender: Contender, share: float) -> Figures:
        with built(stage, contender) as house:
            options = {"rate": 60000.0, "size": 100, "seconds": max(2.0, 20 * share)}
            to = house.session if atSession else (LOOPBACK, freePort(socket.SOCK_DGRAM))
            return beside(house, house.attack("heavy", to=to, host=LOOPBACK, **options))[1]

    return figures


# Shares.


def download(stage: Stage, contender: Contender, share: float) -> Figures:
    """
    Measure a light flow beside another client that downloads.
    """
    with built(stage, contender) as house:
        options = {"seconds": max(2.0, 20 * share)}
        return beside(house, house.attack("download", door=house.door(), source=ATTACKER, **options))[1]


def connectionsFrom(source: str) -> int:
    """
    @param source: an address of IPv4 on this machine.
    @return: how many connections from there live at whoever was connected to.  The peer itself
        may not see their end, while it does not read.
    """
    (number,) = struct.unpack("=I", socket.inet_aton(source))
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split()[2:4] for line in lines]
    return sum(far.startswith(f"{number:08X}:") and state == ESTABLISHED for far, state in fields)


def deaf(wire: int) -> Measurement:
    """
    @return: what measures peers that do not read.
    """

    def figures(stage: Stage, contender: Contender, share: float) -> Figures:
        peers = max(10, int(100 * share))
        with built(stage, contender, wire=2, server=SHORT_LINGER) as house:
            door = house.door()
            door[1] = wire
            attacker = house.attack("deaf", door=door, source=ATTACKER, peers=peers, rate=DEAF_RATE, seconds=60)
            found = quiet(house)
            before, most = house.memory(), 0
            house.mark()
            attacker.ask("go")
            began = time.monotonic()
            while connectionsFrom(ATTACKER) and time.monotonic() - began < RETURNED_SECONDS:
                most = max(most, house.memory()[0] - before[0])
                time.sleep(LOOK_SECONDS)
            gone = time.monotonic() - began
            return {**found, **story(house.verdict()), "goneSeconds": gone, "kibibytesEach": most / 1024 / peers}

    return figures


def sessions(stage: Stage, contender: Contender, share: float) -> Figures:
    """
    Measure one owner with more sessions than there may be, and another one's that lingers.
    """
    with built(stage, contender) as house:
        mine = newIdOf(2)
        server, *rest = house.door("lingering")
        door = Door(tuple(server), *rest)
        door.enter(mine, ELSEWHERE, door.context()).close()
        attacker = house.attack("sessions", door=house.door(), source=ATTACKER, number=int(4200 * share))
        _, found = beside(house, attacker)
        newcomers = house.attack("newcomers", door=house.door("newcomer"), source=ELSEWHERE, interval=0.1)
        found |= came(newcomers.ask("go"))
        with suppress(OSError), door.shakeHands(door.connect(ELSEWHERE), door.context()) as tunnel:
            tunnel.sendall(door.hello(mine))
            begin = readExactly(tunnel, HELLO_BYTES)
            state = readExactly(tunnel, int.from_bytes(begin[6:8], "big"))
            found["kept"] = float(state.startswith(b"\1\0\1\1"))
        return found


def flat(stage: Stage, contender: Contender, share: float) -> Figures:
    """
    Measure what is left of a million datagrams and 2000 sessions.
    """
    with built(stage, contender, server=SHORT_LINGER, client=SHORT_LIFE) as house:

        def turn(datagrams: int, number: int) -> None:
            door = {"door": house.door(), "source": ATTACKER}
            for options in ({"bye": True, "held": False}, {"lingering": True}):
                house.attack("sessions", number=number // 2, **door, **options).ask("go")
            rate = 50000.0
            flow: dict[str, Any] = {"rate": rate, "size": 200, "seconds": datagrams / rate, "trains": True}
            house.attack("heavy", to=house.clientAddress, **flow).ask("go")
            house.untilReturned(RETURNED_SECONDS)

        turn(int(100_000 * share), int(400 * share))
        before, base = house.memory(), house.held().values()
        house.mark()
        turn(int(1_000_000 * share), int(2000 * share))
        after = house.held().values()
        left = max(now["descriptors"] - then["descriptors"] for then, now in zip(base, after, strict=True))
        return {**story(house.verdict()), "mebibytes": grown(house, before), "descriptors": left}


def catalogue(share: float) -> list[Row]:
    """
    @param share: of the full length.
    @return: all rows.
    """
    rows = [
        *(
            (
                f"turns/{end}/{wire}",
                f"All that one peer can say in format {wire}, at the {end}.",
                nonsense(wire, server=end == "server"),
            )
            for end in ("server", "client")
            for wire in (1, 2)
        ),
        ("turns/websocket", "All that one peer can say within WebSocket, at the server.", nonsenseInWebSocket),
        ("handshakes/400-hellos", "400 ClientHellos at once.", handshaking("hellos", number=400)),
        *(
            (
                f"handshakes/300-from-{number}",
                f"300 handshakes a second from {number} addresses, for 30 s.",
                handshaking("handshakes", rate=300.0, seconds=30.0, from_=number),
            )
            for number in (8, 50)
        ),
        ("handshakes/chains", "100 long chains of certificates, one after the other.", chains),
        (
            "stalled/four-kinds",
            "10 000 handshakes that stall, of four kinds, in 60 s.",
            stalling(10000, 10000 / 60, STALLS, tls=True),
        ),
        (
            "stalled/slow-visitors",
            "3000 visitors in 60 s who have shaken hands, and ask for a page a byte at a time.",
            stalling(3000, 50.0, [ASKING], tls=True),
        ),
        (
            "stalled/silent",
            "2000 silent connections a second from one address.",
            stalling(20000, 2000.0, [NOTHING], tls=True),
        ),
        ("stalled/silent-plain", "The same without TLS.", stalling(20000, 2000.0, [NOTHING], tls=False)),
        *(
            (
                f"sources/{number}-forged{'-answered' if answered else ''}",
                f"{number} forged sources in 10 s; the target {'answers' if answered else 'is silent'}.",
                forged(number, 10.0, answered=answered),
            )
            for number in (2000, 20000)
            for answered in (False, True)
        ),
        ("sources/1400-questions", "1400 sources with one question each, 20 a second.", questions),
        ("sources/heavy", "Ten light flows beside a source that sends as fast as it can.", heavy),
        (
            "sources/stranger",
            "60 000 datagrams a second of a stranger at the session's socket.",
            stranger(atSession=True),
        ),
        ("sources/stranger-elsewhere", "The same at a port that nobody has.", stranger(atSession=False)),
        ("shares/download", "Another client downloads as fast as it can.", download),
        ("shares/deaf/1", "100 peers of format 1 that do not read.", deaf(1)),
        ("shares/deaf/2", "100 peers of format 2 that do not read.", deaf(2)),
        ("shares/sessions", "One client opens 4200 sessions.", sessions),
        ("shares/flat", "A million datagrams, and 2000 sessions that come and go.", flat),
    ]
    return [Row(name, description, figures, share) for name, description, figures in rows]
