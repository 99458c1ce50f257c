"""
Tries an open tunnel: whether the server's program answers, what the target says, how large datagrams may be, and how
fast and how sound the path is.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from uotp.doctor.findings import ExamStep, Finding, doubtful, faulty, notReached, well
from uotp.doctor.settings import PROBE, DoctorSettings
from uotp.doctor.tunnel import OpenTunnel, TunnelGone
from uotp.path import PathStats
from uotp.telemetry import spelled
from uotp.wire import ServerStatus

PROBES = 3
"""So many datagrams the target is sent, since UDP may lose one or two."""

PROBE_SECONDS = 0.7
"""So long each of them is waited for, and longer where the path is."""

PINGS = 20
"""So many round trips are measured, in L{PINGS_SECONDS} at most."""

PINGS_SECONDS = 3.0

PADDED_BYTES = (100, 600, 1200, 1300, 1420, 1500, 2000, 4000, 9000, 16000, 32000, 65507)
"""Of these the ones up to what is asked for are tried, the smallest first."""

CHUNK_BYTES = 32 * 1024
"""So long are the frames by which the rate is measured."""

LOSSY = 0.03
"""Above that even light flows feel it."""

TELLING_SEGMENTS = 20
"""Fewer tell nothing about losses."""


def tryPing(tunnel: OpenTunnel, seconds: float) -> Finding:
    """
    Send a few bytes to the server's program, which sends them back.
    """
    try:
        took = tunnel.ping(seconds)
    except TunnelGone as gone:
        return faulty(ExamStep.PING, str(gone), "the server's program stands still or is overloaded: see its log")
    return well(ExamStep.PING, f"to the server's program and back in {took * 1000:.1f} ms")


def tryTarget(tunnel: OpenTunnel, settings: DoctorSettings) -> Finding:
    """
    Send the target a few datagrams, and ask the server what has become of them.
    """
    probe = PROBE if settings.probe is None else settings.probe
    try:
        before = tunnel.datagrams
        for _ in range(PROBES):
            tunnel.sendDatagram(probe, settings.timeout)
            tunnel.listen(PROBE_SECONDS, lambda: tunnel.datagrams > before)
            if tunnel.datagrams > before:
                break
        status = tunnel.status(settings.timeout)
    except TunnelGone as gone:
        return faulty(ExamStep.TARGET, str(gone), "see the server's log")
    if tunnel.datagrams > before or (status is not None and status.answered is not None):
        length = "1 byte" if len(probe) == 1 else f"{len(probe)} bytes"
        return well(ExamStep.TARGET, f"it has answered a datagram of {length}")
    return judgeTarget(status, isOwnProbe=settings.probe is not None)


def judgeTarget(status: ServerStatus | None, *, isOwnProbe: bool) -> Finding:
    """
    @param status: how the server stands; L{None} when it does not tell.
    @param isOwnProbe: whether the target was sent what its user knows it to answer.
    @return: the finding on a target that has not answered.
    """
    if status is not None and not status.hasWay:
        return faulty(
            ExamStep.TARGET,
            "the server has no way to the target",
            "see the server's log: the target's name is not found there, or nothing leads to its address",
        )
    if status is not None and status.refused is not None:
        return faulty(
            ExamStep.TARGET,
            "nothing listens at the target: what the server sends there is refused",
            "on the server, see whether the target runs and whether its port is the one that uotp-server was told: "
            "`ss -lun`; WireGuard: `wg show`",
        )
    if status is not None and status.answeredAny is not None and not isOwnProbe:
        return well(
            ExamStep.TARGET,
            f"it has not answered us, but somebody {status.answeredAny} s ago: WireGuard answers to its peers alone",
        )
    told = "" if status is not None else "; the server is too old to tell more"
    facts = f"{PROBES} datagrams were sent, and it is silent{told}"
    remedy = (
        "see on the server whether the target runs, whether its port is the one that uotp-server was told, and whether "
        "a firewall is between them"
    )
    if isOwnProbe:
        return faulty(ExamStep.TARGET, facts, remedy)
    peers = (
        "WireGuard and others answer nothing to strangers: bring the VPN up, ping through it, and run this again: then "
        f"it is known whether the target has answered anybody.  Or give a datagram that it answers: {spelled('probe')}"
    )
    return doubtful(ExamStep.TARGET, facts, f"{peers}.  Otherwise {remedy}")


def trySizes(tunnel: OpenTunnel, settings: DoctorSettings) -> Finding:
    """
    Send longer and longer datagrams as far as the server's program.
    """
    passed = 0
    patience = settings.timeout
    for size in [*(size for size in PADDED_BYTES if size < settings.largest), settings.largest]:
        try:
            tunnel.pad(size, patience)
            tunnel.ping(patience)
        except TunnelGone as gone:
            return faulty(
                ExamStep.SIZE,
                f"{passed} bytes pass, and {size} do not: {gone}" if passed else f"not even {size} bytes pass: {gone}",
                f"something on the way swallows long packets: give {spelled('mss')} 1200 at one end, and let ICMP pass",
            )
        passed = size
    return well(ExamStep.SIZE, f"datagrams of up to {passed} bytes pass to the server")


def tryRoundTrip(tunnel: OpenTunnel, settings: DoctorSettings, clock: Callable[[], float]) -> Finding:
    """
    Measure some round trips.
    """
    took: list[float] = []
    ends = clock() + PINGS_SECONDS
    try:
        while len(took) < PINGS and (not took or clock() < ends):
            took.append(tunnel.ping(settings.timeout))
    except TunnelGone as gone:
        return faulty(ExamStep.ROUND_TRIP, str(gone), "the path or the server has stopped meanwhile: run this again")
    least, middle, most = (f"{value * 1000:.1f}" for value in (min(took), statistics.median(took), max(took)))
    return well(
        ExamStep.ROUND_TRIP, f"{least} ms at least, {middle} ms in the middle, {most} ms at most, of {len(took)}"
    )


def tryRate(tunnel: OpenTunnel, settings: DoctorSettings, clock: Callable[[], float]) -> tuple[Finding, Finding]:
    """
    Send for some seconds as fast as one connection carries, what the server drops.

    @return: what was lost on the way, and the rate.
    """
    before = tunnel.pathStats()
    if settings.rateSeconds <= 0:
        return judgeLoss(None, tunnel.pathStats()), notReached(ExamStep.RATE, "it was not to be measured")
    sent, began = 0, clock()
    try:
        while clock() - began < settings.rateSeconds:
            tunnel.pad(CHUNK_BYTES, settings.timeout)
            sent += CHUNK_BYTES
        lasted = tunnel.ping(settings.timeout + settings.rateSeconds)
    except TunnelGone as gone:
        after = tunnel.pathStats()
        remedy = "the path does not hold a load: see whether something on the way limits or ends connections"
        return judgeLoss(before, after), faulty(ExamStep.RATE, str(gone), remedy)
    rate = sent * 8 / max(clock() - began, 1e-6) / 1e6
    under = f"an answer takes {lasted * 1000:.0f} ms under this load"
    facts = f"{rate:.1f} Mbit/s to the server over one connection, and {under}"
    return judgeLoss(before, tunnel.pathStats()), well(ExamStep.RATE, facts)


def judgeLoss(before: PathStats | None, after: PathStats | None) -> Finding:
    """
    @param before: what the kernel had counted before a load; L{None} for nothing.
    @param after: what it counts now; L{None} where it does not tell.
    @return: the finding on what had to be sent again.
    """
    if after is None:
        return notReached(ExamStep.LOSS, "this system does not tell what its TCP sends again")
    sent, again = after.sent, after.repeated - after.needless
    if before is not None:
        sent, again = sent - before.sent, again - (before.repeated - before.needless)
    again = max(again, 0)
    if sent < TELLING_SEGMENTS:
        return well(ExamStep.LOSS, f"{again} of {sent} segments were sent again, too few to tell")
    share = again / sent
    facts = f"{share * 100:.1f} % of {sent} segments were sent again"
    if share <= LOSSY:
        return well(ExamStep.LOSS, facts)
    return doubtful(
        ExamStep.LOSS,
        facts,
        "the path loses much under load: a cable, a radio link, or somebody who limits the rate; "
        f"{spelled('duplicate')} always helps light flows",
    )
