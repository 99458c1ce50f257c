"""
Finds the server: its addresses, and which of them TCP reaches.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any

from uotp.doctor.findings import ExamStep, Finding, doubtful, faulty, well
from uotp.doctor.local import MAY_LOOP, Carrier, carrierOf
from uotp.doctor.seams import Machine, Way
from uotp.doctor.settings import DoctorSettings
from uotp.errors import LookupFailed
from uotp.net import Addresses, literalAddress
from uotp.telemetry import spelled

MOST_ADDRESSES = 4
"""So many addresses of a name are tried: each may take as long as a step may."""

CONNECT_WORDS = {
    errno.ECONNREFUSED: "refused: nothing listens there, or a firewall rejects it",
    errno.ENETUNREACH: "no route leads there",
    errno.EHOSTUNREACH: "the host is not reached",
    errno.ECONNRESET: "the connection was reset",
    errno.EPERM: "a firewall of this machine forbids it",
    errno.EACCES: "a firewall of this machine forbids it",
}
"""What errors of the kernel mean here."""

PROXY_REMEDY = (
    "see whether the address and the port of the proxy are right, whether it runs, and whether a firewall lets this "
    "machine connect to it"
)
"""What to do when the proxy is not reached."""

ELSEWHERE = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""What a host without IPv6 says of an address of that kind, where nothing is amiss."""


@dataclass(frozen=True, slots=True)
class Reached:
    """
    Says how TCP fared.

    @ivar finding: the finding.
    @ivar address: the first address that connects, or L{None}.
    @ivar hasAnswered: whether somebody has answered, if only to refuse.
    """

    finding: Finding
    address: Any = None
    hasAnswered: bool = False


def findName(settings: DoctorSettings, machine: Machine) -> tuple[Finding, Addresses]:
    """
    Look the server up.

    @return: the finding, and the addresses.
    """
    host, port = settings.dialled
    told = "" if settings.proxy is None else "the proxy "
    if literalAddress(host, port, "TCP") is not None:
        return well(ExamStep.NAME, f"{told}{host} is an address"), [literalAddress(host, port, "TCP")]
    remedy = nameRemedyFor(settings, machine)
    began = machine.seconds()
    try:
        addresses = machine.addressesOf(host, port, settings.timeout)
    except TimeoutError:
        return faulty(
            ExamStep.NAME, f"no name server has answered for {host} within {settings.timeout:g} s", remedy
        ), []
    except LookupFailed as error:
        return faulty(ExamStep.NAME, f"{host}: {error}", remedy), []
    took = (machine.seconds() - began) * 1000
    shown = ", ".join(address.host for address in addresses[:MOST_ADDRESSES])
    more = f" and {len(addresses) - MOST_ADDRESSES} more" if len(addresses) > MOST_ADDRESSES else ""
    return well(ExamStep.NAME, f"{told}{host} is {shown}{more}, found in {took:.0f} ms"), addresses


def nameRemedyFor(settings: DoctorSettings, machine: Machine) -> str:
    """
    @return: what to do where a name is not found.
    """
    host = settings.dialled[0]
    servers = " and ".join(machine.nameServers()) or "none that is known"
    ask = f"see what `getent ahosts {host}` says, and whether the name servers in /etc/resolv.conf answer ({servers})"
    if settings.proxy is None:
        instead = f"the server's address in place of its name, with {spelled('serverName')} {host}"
    else:
        instead = f"the proxy's address in place of its name in {spelled('proxy')}"
    return f"{ask}: they may be behind the VPN; or give {instead}"


def connectTcp(
    settings: DoctorSettings, machine: Machine, addresses: Addresses, mark: int | None, way: Way | None
) -> Reached:
    """
    Connect to one address after the other.

    @param way: the way there.
    @return: how that went.
    """
    words, found, isTroubled, isRefused = [], None, False, False
    for address in addresses[:MOST_ADDRESSES]:
        where = f"{'[' + address.host + ']' if ':' in address.host else address.host}:{address.port}"
        began = machine.seconds()
        try:
            machine.connect(address, mark, settings.mss, settings.timeout).close()
        except TimeoutError:
            words.append(f"{where} does not answer within {settings.timeout:g} s")
            isTroubled = True
        except OSError as error:
            isTroubled = isTroubled or error.errno not in ELSEWHERE
            isRefused = isRefused or error.errno == errno.ECONNREFUSED
            words.append(f"{where}: {CONNECT_WORDS.get(error.errno or 0, error.strerror or 'not connected')}")
        else:
            words.append(f"{where} connected in {(machine.seconds() - began) * 1000:.1f} ms")
            found = found or address
    facts = "; ".join(words)
    if found is None:
        return Reached(unreached(facts, settings, way, isRefused=isRefused), hasAnswered=isRefused)
    if isTroubled:
        remedy = "the client passes over what does not answer; mend it, or take the address from the name"
        return Reached(doubtful(ExamStep.TCP, facts, remedy), found, hasAnswered=True)
    return Reached(well(ExamStep.TCP, facts), found, hasAnswered=True)


def unreached(facts: str, settings: DoctorSettings, way: Way | None, *, isRefused: bool) -> Finding:
    """
    @return: the finding when nothing was reached.
    """
    carrier = carrierOf(way, settings)
    if carrier in MAY_LOOP and not isRefused:
        whom = "server" if settings.proxy is None else "proxy"
        remedy = f"the way to the {whom} leads through a VPN: see the step route"
        return faulty(ExamStep.TCP, facts, remedy, ExamStep.ROUTE if carrier is Carrier.OURS else None)
    remedy = PROXY_REMEDY if settings.proxy is not None else remedyFor(facts, settings.server[1], isRefused=isRefused)
    if way is not None and carrier is Carrier.ELSEWHERE and not isRefused:
        remedy = f"see whether the VPN {way.interface}, through which the way leads, is up; then {remedy}"
    return faulty(ExamStep.TCP, facts, remedy)


def remedyFor(facts: str, port: int, *, isRefused: bool) -> str:
    """
    @return: what to do when nothing was reached.
    """
    if isRefused:
        return (
            f"see whether uotp-server runs, and where it listens (`ss -ltn` on the server): port {port} was tried, and "
            "127.0.0.1 there cannot be reached from elsewhere"
        )
    if "no route" in facts:
        return "see whether this machine has a network: `ip route`; and with IPv6, whether it has an address"
    return (
        f"see whether a firewall at the server, or at its provider, lets TCP port {port} in, and whether one here lets "
        "it out: try another network, and port 443"
    )
