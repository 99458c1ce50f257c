"""
Several sockets at one address and port, and the kernel that chooses among them.
"""

from __future__ import annotations

import select
import socket
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from bench.rig.programs import HANG_SECONDS
from tests.integration.harness import needed
from uotp.net.steering import SocketGroup, datagramGroup, listenGroup, steeringTrouble

SOCKETS = 4

HOSTS = [f"127.0.0.{last}" for last in range(1, 101)]


class SteeringTests(SynchronousTestCase):
    """
    What comes from one place goes to one socket, whatever becomes of its owner.
    """

    def setUp(self) -> None:
        trouble = steeringTrouble()
        if trouble is not None:
            needed(trouble)

    def listen(self, host: str = "127.0.0.1") -> SocketGroup:
        group = listenGroup((host, 0), SOCKETS, 128)
        self.addCleanup(group.close)
        return group

    def ready(self, group: SocketGroup) -> int:
        """
        @return: the number of the socket to which something has come.
        """
        found, _, _ = select.select(group.sockets, [], [], HANG_SECONDS)
        self.assertEqual(len(found), 1)
        return group.sockets.index(found[0])

    def accepts(self, group: SocketGroup, host: str, target: str = "127.0.0.1") -> int:
        """
        @return: the number of the socket to which a connection from an address has come.
        """
        port = group.pair[1]
        with socket.create_connection((target, port), HANG_SECONDS, (host, 0)):
            number = self.ready(group)
            group.sockets[number].accept()[0].close()
        return number

    def test_connectionsOfAnAddressMeet(self) -> None:
        """
        And addresses are spread over all sockets.
        """
        group = self.listen()
        first = {host: self.accepts(group, host) for host in HOSTS}
        self.assertEqual(set(first.values()), set(range(SOCKETS)))
        for _ in range(3):
            self.assertEqual({host: self.accepts(group, host) for host in HOSTS}, first)

    def test_oneSocketForBothFamiliesTellsThemApart(self) -> None:
        """
        An IPv4 packet has its address elsewhere, also where the socket is one of IPv6.
        """
        try:
            group = self.listen("::")
        except OSError:
            needed("this machine has no IPv6")
        first = {host: self.accepts(group, host) for host in HOSTS}
        self.assertEqual(set(first.values()), set(range(SOCKETS)))
        self.assertEqual({host: self.accepts(group, host) for host in HOSTS}, first)
        self.assertEqual(len({self.accepts(group, "::1", "::1") for _ in range(10)}), 1)

    def test_whatWaitsForAWorkerThatIsAwayWaits(self) -> None:
        """
        The kernel accepts for a socket that nobody reads, and the next one who reads it gets that.
        """
        group = self.listen()
        number = self.accepts(group, HOSTS[0])
        with socket.create_connection(group.pair, HANG_SECONDS, (HOSTS[0], 0)) as waiting:
            waiting.sendall(b"hello")
            others = [each for each in group.sockets if each is not group.sockets[number]]
            self.assertEqual(select.select(others, [], [], 0.1)[0], [])
            later = socket.socket(fileno=group.sockets[number].dup().detach())
            with later, later.accept()[0] as accepted:
                accepted.settimeout(HANG_SECONDS)
                self.assertEqual(accepted.recv(100), b"hello")

    def test_nobodyElseGetsAPartOfIt(self) -> None:
        """
        Sockets like these let others of the same user in; a second program is refused all the same.
        """
        group = self.listen()
        for address in (group.pair, ("0.0.0.0", group.pair[1])):  # noqa: S104 - it is refused
            self.assertRaises(OSError, listenGroup, address, 2, 128)
        plain = socket.socket()
        self.addCleanup(plain.close)
        self.assertRaises(OSError, plain.bind, group.pair)

    def test_aPortThatIsFreeAgainIsHadAtOnce(self) -> None:
        """
        Connections of before that have ended keep nobody from it.
        """
        group = self.listen()
        pair = group.pair
        self.accepts(group, HOSTS[0])
        group.close()
        again = listenGroup(pair, 2, 128)
        self.addCleanup(again.close)
        self.assertEqual(again.pair, pair)

    def test_sourcesKeepTheirSocket(self) -> None:
        """
        A source is an address with a port; programs of one machine are spread by their ports.
        """
        for host in ("127.0.0.1", "::1"):
            try:
                group = datagramGroup((host, 0), SOCKETS)
            except OSError:
                continue  # without IPv6
            self.addCleanup(group.close)
            found: Counter[int] = Counter()
            for _ in range(100):
                with socket.socket(group.sockets[0].family, socket.SOCK_DGRAM) as source:
                    numbers = set()
                    for _ in range(3):
                        source.sendto(b"x", group.pair)
                        numbers.add(self.ready(group))
                        group.sockets[max(numbers)].recv(10)
                    self.assertEqual(len(numbers), 1)
                    found.update(numbers)
            self.assertEqual(set(found), set(range(SOCKETS)))
            self.assertRaises(OSError, datagramGroup, group.pair, 2)
