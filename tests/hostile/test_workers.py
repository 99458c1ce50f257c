"""
Attacks at a server, or a client, with two workers: each leaves it and the bystander as it leaves one
process.
"""

from __future__ import annotations

from tests.hostile import (  # as modules: trial takes a class that is imported for one of this module
    test_deaf,
    test_flat,
    test_handshakes,
    test_inwebsocket,
    test_shares,
    test_sources,
    test_strangers,
    test_turns,
)
from tests.hostile.trial import ATTACKER, HostileTestCase
from tests.integration.harness import needed
from tests.net.test_steering import Processor, packet
from uotp.net.steering import steeringProgram, steeringTrouble

WORKERS = 2


class WorkersTestCase(HostileTestCase):
    """
    A test with two workers.  The attacker's address leads to the bystander's worker, and that of
    newcomers to the other one.
    """

    workers = WORKERS

    def setUp(self) -> None:
        trouble = steeringTrouble()
        if trouble is not None:
            needed(trouble)
        super().setUp()


class ClientWorkersTestCase(WorkersTestCase):
    """
    A test with two workers at both ends.
    """

    clientWorkers = WORKERS


class PlaceTests(WorkersTestCase):
    """
    An attack would prove little at a worker that has nothing to do with the bystander.
    """

    def test_attackerAndBystanderMeet(self) -> None:
        program = steeringProgram(WORKERS, byPort=False)
        places = {host: Processor(program, packet(host)).run() for host in (ATTACKER, "127.0.0.1")}
        self.assertEqual(len(set(places.values())), 1, places)
        self.assertNotIn(Processor(program, packet(test_shares.ELSEWHERE)).run(), places.values())


class DeafTests(WorkersTestCase, test_deaf.DeafTests):
    """
    See L{test_deaf}.
    """


class FlatTests(WorkersTestCase, test_flat.FlatTests):
    """
    See L{test_flat}.
    """


class HandshakeTests(WorkersTestCase, test_handshakes.HandshakeTests):
    """
    See L{test_handshakes}.
    """


class StalledTests(WorkersTestCase, test_handshakes.StalledTests):
    """
    See L{test_handshakes}.
    """


class InWebSocketTests(WorkersTestCase, test_inwebsocket.InWebSocketTests):
    """
    See L{test_inwebsocket}.
    """


class SessionTests(WorkersTestCase, test_shares.SessionTests):
    """
    See L{test_shares}.
    """


class StormTests(WorkersTestCase, test_shares.StormTests):
    """
    See L{test_shares}.
    """


class CarriedTests(WorkersTestCase, test_shares.CarriedTests):
    """
    See L{test_shares}.
    """


class TurnTests(WorkersTestCase, test_turns.ServerTests):
    """
    See L{test_turns}.
    """


class UdpTests(ClientWorkersTestCase, test_strangers.UdpTests):
    """
    See L{test_strangers}.
    """


class WordsTests(WorkersTestCase, test_strangers.WordsTests):
    """
    See L{test_strangers}.
    """


class ForgedTests(ClientWorkersTestCase, test_sources.ForgedTests):
    """
    See L{test_sources}.
    """


class AmplifiedTests(ClientWorkersTestCase, test_sources.AmplifiedTests):
    """
    See L{test_sources}.
    """


class ManyTests(ClientWorkersTestCase, test_sources.ManyTests):
    """
    See L{test_sources}.
    """
