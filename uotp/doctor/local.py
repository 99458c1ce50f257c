"""
Judges what is of this machine alone: the buffers that the kernel grants, whether the VPN would carry its own
carrier, and the firewall mark.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from uotp.doctor.findings import ExamStep, Finding, doubtful, faulty, notReached, well
from uotp.doctor.seams import Buffer, Machine, Way, portsOf
from uotp.doctor.settings import DoctorSettings
from uotp.net import MOST_UDP_BUFFER_BYTES, Host
from uotp.telemetry import spelled


def judgeBuffer(wanted: int, buffer: Buffer) -> Finding:
    """
    @param wanted: what the client asks for, in bytes.
    @return: the finding on what it gets.
    """
    wanted = min(wanted, MOST_UDP_BUFFER_BYTES)
    if buffer.given < wanted:
        return doubtful(
            ExamStep.BUFFERS,
            f"the kernel grants {buffer.given} of {wanted} bytes: bursts from the VPN are dropped",
            f"as root: `sysctl -w net.core.rmem_max={wanted} net.core.wmem_max={wanted}`, and the same in a file of "
            "/etc/sysctl.d",
        )
    if buffer.limit is not None and buffer.limit < wanted:
        return well(
            ExamStep.BUFFERS, f"{buffer.given} bytes, by the privileges of this user; others get {buffer.limit} bytes"
        )
    return well(ExamStep.BUFFERS, f"{buffer.given} bytes, as asked for")


class Carrier(Enum):
    """
    Names what carries the VPN through which a way leads.

    NONE: there is no VPN.
    OURS: the client that is examined.
    HERE: another program of this machine, which may be a client of the same server.
    ELSEWHERE: the network.
    UNKNOWN: nobody tells.
    """

    NONE = auto()
    OURS = auto()
    HERE = auto()
    ELSEWHERE = auto()
    UNKNOWN = auto()


MAY_LOOP = frozenset({Carrier.OURS, Carrier.HERE, Carrier.UNKNOWN})
"""What may send through the VPN what the VPN itself consists of."""


def carrierOf(way: Way | None, settings: DoctorSettings) -> Carrier:
    """
    @return: what carries the VPN through which a way leads.
    """
    if way is None or not way.isTunnel:
        return Carrier.NONE
    if way.vpn is None:
        return Carrier.UNKNOWN
    ports = {port for host, port in way.vpn if isLoopback(host)}
    if ports & portsOf(settings.listen):
        return Carrier.OURS
    return Carrier.HERE if ports else Carrier.ELSEWHERE


def judgeRoute(address: Any, way: Way | None, settings: DoctorSettings, *, hasAnswered: bool) -> Finding:
    """
    @param address: one of the server's.
    @param way: the way to it.
    @param hasAnswered: whether somebody there has answered by TCP, if only to refuse.
    @return: the finding on whether the VPN would carry its own carrier.
    """
    if way is None:
        return notReached(ExamStep.ROUTE, "this system does not tell which way leads there")
    host = address.host
    if not way.isTunnel:
        return well(ExamStep.ROUTE, f"{host} is reached by {way.interface}, which is no VPN")
    whom = "server" if settings.proxy is None else "proxy"
    static = f"ip {'-6 ' if ':' in host else ''}route add {host} via GATEWAY dev INTERFACE"
    remedy = (
        f"give the {whom} a route of its own past the VPN: `{static}`, with what `ip route` tells of your router; or "
        f"mark the connections: FwMark = 0xca6c in the file of wg-quick, and {spelled('mark')} 0xca6c here"
    )
    where = f"the way to {host} leads through {way.interface}"
    carrier = carrierOf(way, settings)
    if carrier is Carrier.ELSEWHERE or (carrier is Carrier.HERE and hasAnswered):
        return well(ExamStep.ROUTE, f"{where}, a VPN that this client does not carry")
    if carrier is Carrier.OURS:
        return faulty(ExamStep.ROUTE, f"{where}, the VPN that uotp carries: it goes round in a loop", remedy)
    if carrier is Carrier.HERE:
        peers = " and ".join(f"port {port} of {peer}" for peer, port in way.vpn or () if isLoopback(peer))
        where += f", a VPN whose peer is a program of this machine, {peers}"
        return faulty(ExamStep.ROUTE, f"{where}: if that is a client of this server, it goes round in a loop", remedy)
    facts = f"{where}, a VPN: if that is the one that uotp carries, it goes round in a loop"
    return (doubtful if hasAnswered else faulty)(ExamStep.ROUTE, facts, remedy)


def isLoopback(host: str) -> bool:
    """
    @return: whether a WireGuard that sends there sends to a program of this machine.
    """
    address = Host.parse(host).asOneAddress.address
    return address is not None and address.is_loopback


def judgeMark(mark: int | None, machine: Machine) -> Finding:
    """
    @return: the finding on the firewall mark.
    """
    if mark is None:
        return well(ExamStep.MARK, "none is asked for")
    trouble = machine.markTrouble(mark)
    if trouble is not None:
        return faulty(
            ExamStep.MARK,
            f"mark {mark:#x} cannot be set: {trouble}",
            "run the client as root, or give it CAP_NET_ADMIN: `AmbientCapabilities=CAP_NET_ADMIN` in its unit",
        )
    if machine.hasRuleFor(mark) is False:
        return doubtful(
            ExamStep.MARK,
            f"mark {mark:#x} can be set, but no `ip rule` uses it, so it changes no route",
            f"add one: `ip rule add fwmark {mark:#x} table main priority 100`",
        )
    return well(ExamStep.MARK, f"mark {mark:#x} can be set, and an `ip rule` uses it")
