"""
What people do: WireGuard with a flow inside, through each thing that may stand between client and server.  The client
is told where to dial, and nothing else.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.pairs import startPair
from bench.places import Place
from bench.rig.ports import LOOPBACK
from bench.rig.programs import Programs
from bench.scenarios.wireguard import LISTEN_PORT, InnerFlow, wireGuards
from bench.stage import Stage
from bench.ways import WAYS, throughContender
from tests.integration.harness import ProgramTestCase
from tests.integration.hosts import SERVER_ADDRESS, needTwoHosts, twoHosts
from uotp.pki import makePki

FLOW_SECONDS = 1
"""How long the flow lasts: whether it was fast is not judged."""


class WaysTests(ProgramTestCase):
    """
    A flow of iperf3 inside WireGuard arrives.
    """

    def carriedThrough(self, name: str) -> None:
        """
        @param name: of a way.
        """
        programs = [program for program in (WAYS[name][1], "haproxy" if "haproxy" in name else None) if program]
        needTwoHosts("wg", "wireguard-go", "iperf3", "ss", *programs)
        client, server = twoHosts(self)
        place = Place(SERVER_ADDRESS, server.namespace.words, client.namespace.words)
        with tempfile.TemporaryDirectory() as folder, Programs(Path(folder)) as running:
            pki = makePki(f"{folder}/pki", [SERVER_ADDRESS])
            stage = Stage(Path(folder), pki, None, FLOW_SECONDS)
            pair = startPair(stage, place, running, throughContender(name), (LOOPBACK, LISTEN_PORT))
            with wireGuards(place, running, pair.entrance):
                self.assertGreater(InnerFlow(0).flow(place, running, FLOW_SECONDS), 0)

    def test_aWebSocketToTheServerItself(self) -> None:
        self.carriedThrough("wss")

    def test_aProxyWithConnectAndAPassword(self) -> None:
        self.carriedThrough("squid")

    def test_aProxyOfSocks5WithAPassword(self) -> None:
        self.carriedThrough("socks")

    def test_aProxyOfSocks5ForEverybody(self) -> None:
        self.carriedThrough("dante")

    def test_aWebSocketThroughNginx(self) -> None:
        self.carriedThrough("nginx")

    def test_haproxyThatEndsTlsAndTellsTheClientsAddress(self) -> None:
        self.carriedThrough("haproxy")

    def test_nginxInFrontOfHaproxy(self) -> None:
        self.carriedThrough("nginx-haproxy")

    def test_eachWayIsTried(self) -> None:
        tried = {"wss", "squid", "socks", "dante", "nginx", "haproxy", "nginx-haproxy"}
        self.assertEqual(set(WAYS), tried)
