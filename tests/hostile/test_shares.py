"""
Shares, not only totals: nobody takes from others what there is for all.
"""

from __future__ import annotations

from bench.rig.ports import LOOPBACK
from tests.hostile.door import Door, addresses, newIdOf, readExactly
from tests.hostile.trial import ATTACKER, LONG, HostileTestCase, Options
from tests.integration.rawformat2 import BYE, HELLO_BYTES, RawFrame

MOST_SESSIONS = 4096 if LONG else 64
"""Of the server in the suite, so that few fill it."""

TOO_MANY = 4200 if LONG else 200
"""Sessions of the attacker."""

LINGER_SECONDS = 120
"""Longer than the attacks here take on a slow and busy machine; they take their leave at the end."""

SECONDS = 20.0 if LONG else 1.0

BOTH_WAYS = (True, False)[: 2 if LONG else 1]
"""Whether datagrams are sent many at a time."""

ELSEWHERE = addresses(1, 99)[0]

DOWNLOAD_SHARE = 0.001
"""Of a light flow, that may be lost while another client downloads."""


class SessionTests(HostileTestCase):
    """
    One owner opens more sessions than the server has room for.
    """

    def assertOthersKeepTheirs(self, what: str, **options: object) -> None:
        """
        Another client's session, which has lost its tunnels without a word, is still there
        afterwards, and newcomers come in.
        """
        limits = () if LONG else ("--max-sessions", str(MOST_SESSIONS))
        house = self.build(self.certificates(), server=limits, linger=LINGER_SECONDS)
        mine = newIdOf(2)
        server, *rest = house.door("lingering")
        door = Door(tuple(server), *rest)
        door.enter(mine, ELSEWHERE, door.context()).close()
        options |= {"number": TOO_MANY, "farewells": MOST_SESSIONS}
        attacker = house.attack("sessions", door=house.door(), source=ATTACKER, **options)
        house.mark()
        report = attacker.ask("go")
        newcomers = house.attack("newcomers", door=house.door("newcomer"), source=ELSEWHERE, interval=0.1)
        came = newcomers.ask("go")
        self.demand(came["came"] == came["of"], f"{what}: newcomers: {came}, while {report}")
        self.judge(what, house.verdict())
        tunnel = door.shakeHands(door.connect(ELSEWHERE), door.context())
        with tunnel:
            tunnel.sendall(door.hello(mine))
            begin = readExactly(tunnel, HELLO_BYTES)
            state = readExactly(tunnel, int.from_bytes(begin[6:8], "big"))
            self.demand(state.startswith(b"\1\0\1\1"), f"{what}: another's lingering session is gone: {state!r}")
            tunnel.sendall(RawFrame(BYE).encode())
        attacker.ask("end")
        for one in (attacker, newcomers):
            one.end()
        self.assertHouseAsBefore()

    def test_sessionsWithTunnels(self) -> None:
        self.assertOthersKeepTheirs("sessions of one owner")

    def test_sessionsThatLinger(self) -> None:
        self.assertOthersKeepTheirs("lingering sessions of one owner", lingering=True)


class StormTests(HostileTestCase):
    """
    Much of everything that a server keeps count of.
    """

    def test_comeAndGo(self) -> None:
        """
        512 tunnels of one session, drained at once or ended by a bye; a client who says bye
        and hello all the time; sessions that end as soon as they begin.
        """
        certificates = self.certificates()
        house = self.build(certificates)
        number, times = (512, 3000) if LONG else (128, 100)
        door = house.door()
        self.attack("tunnels", what="drains of all tunnels", door=door, source=ATTACKER, number=number)
        self.attack("tunnels", what="a bye with many tunnels", door=door, source=ATTACKER, number=number, bye=True)
        self.attack("storm", door=door, source=ATTACKER, times=times)
        self.attack("sessions", what="short sessions", door=door, source=ATTACKER, number=times, bye=True, held=False)
        self.assertHouseAsBefore()


class CarriedTests(HostileTestCase):
    """
    Somebody is sent, or sends, as much as can be.
    """

    def test_download(self) -> None:
        """
        One client downloads as fast as it can; another one's light flow hardly notices.
        """
        house = self.build(self.certificates())
        for trains in BOTH_WAYS:
            options: Options = {"seconds": SECONDS, "trains": trains}
            self.attack("download", share=DOWNLOAD_SHARE, door=house.door(), source=ATTACKER, **options)
        self.assertHouseAsBefore()

    def test_targetFloodsOneSession(self) -> None:
        """
        A target sends small datagrams to one session of a client, more than anybody can
        carry; the bystander's session is of the same client.
        """
        for wire in (1, 2)[0 if LONG else 1 :]:
            house = self.build(wire=wire, client=("--expire", "3"))
            options: Options = {"size": 20, "seconds": SECONDS}
            self.attack("flooded", what=f"format {wire}", share=DOWNLOAD_SHARE, client=house.clientAddress, **options)
            self.assertHouseAsBefore()

    def test_oneUploads(self) -> None:
        """
        One client sends small datagrams as fast as they go, the other one sends a few.
        """
        house = self.build(self.certificates())
        _, other = house.newClient("uploading", "--expire", "3")
        options: Options = {"size": 100, "seconds": SECONDS}
        for trains in BOTH_WAYS:
            self.attack("heavy", share=DOWNLOAD_SHARE, to=other, host=LOOPBACK, trains=trains, **options)
        self.assertHouseAsBefore()
