"""
Paths that count: how many connections there are, or what each has carried.
"""

from __future__ import annotations

import socket
import time

from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import until
from tests.integration.loads import LoadTestCase
from tests.integration.relay import Relay
from tests.integration.rig import said
from tests.integration.udpends import Flow

VOLUME = 200_000
"""A path that counts ends a connection that has carried so many bytes."""

DATAGRAM = bytes(1200)

PAUSE_SECONDS = 1.2
"""Connections that end sooner after one another are taken for one."""


class PathLimitTests(LoadTestCase):
    """
    A relay in the place of such a path.
    """

    def test_noMoreTunnelsAreHeldThanGetThrough(self) -> None:
        """
        A second one is refused, attempt after attempt, while the first carries.  That is said once,
        and what is sent arrives.
        """
        target = self.udpEnd()
        port = freePort(socket.SOCK_STREAM)
        relay = self.relay((LOOPBACK, port))
        pair = self.pair(target.address, dial=relay.address, serverPort=port)
        flow = self.flow(pair, target)
        flow.both(b"one tunnel")
        relay.refuse()
        load, back = self.forth(flow, whole=True), self.back(flow, whole=True)
        load.start()
        back.start()
        pair.client.waitForLine("further connections .* do not get through beside the 1 that there are")
        for one in (load, back):
            one.stop()
        self.assertWhole(load, back)
        self.assertEqual(len(said(pair.client, "do not get through")), 1)

    def carry(self, relay: Relay, flow: Flow, size: int) -> None:
        """
        Send so much through the newest connection.
        """
        one = relay.connections[-1]
        before = one.carried
        while one.carried - before < size and not one.isLeft:
            flow.forth(DATAGRAM)

    def test_tunnelsAreReplacedBeforeThePathEndsThem(self) -> None:
        """
        After three that were ended: in format 2 nothing is lost from then on.
        """
        relay, pair, flow = self.relayed(1)
        for count in (1, 2, 3):
            self.carry(relay, flow, VOLUME)
            time.sleep(PAUSE_SECONDS)
            self.assertEqual(len(relay.connections), count)
            relay.connections[-1].cut()
            until(lambda count=count: len(relay.connections) > count, "there is another one")  # type: ignore[misc]
            flow.both(b"it carries")
        pair.client.waitForLine("end again and again when they have carried some")
        self.carry(relay, flow, VOLUME)
        until(lambda: len(relay.connections) == 5 and relay.connections[3].isLeft, "it has been replaced")
        flow.both(b"the next one carries")
