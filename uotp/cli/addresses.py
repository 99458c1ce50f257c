"""
Hosts, addresses and networks as people write them, alone and with a port.  What is written
for another program, and what each means, is said in errors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from uotp.cli.unsaid import shownPlace
from uotp.net import LOCALHOST, MAX_PORT, Host, parseDestination

SCHEME_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
"""The ports that URLs leave out."""

ALL_ADDRESSES = ("*", "all", "any")
"""Words that mean all addresses to other programs."""

NETWORK_WORDS = {
    "localhost": ": write 127.0.0.0/8, and ::1 in an option of its own",
    **dict.fromkeys(ALL_ADDRESSES, ": write 0.0.0.0/0, and ::/0 in an option of its own"),
}
"""How the networks are written that words mean to other programs."""

MOST_SHOWN = 5
"""So many arguments are repeated in an error."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PORT = "[0-9]{1,5}"


def withoutBrackets(word: str) -> str:
    """
    @return: a host without the brackets that an IPv6 address may have.
    @raise ValueError: in words, if what is in the brackets is anything else.
    """
    if not (word.startswith("[") and word.endswith("]")):
        return word
    if not Host.parse(word[1:-1]).isIPv6:
        reason = f"brackets are for addresses of IPv6: write {shownPlace(word[1:-1])}"
        raise ValueError(reason)
    return word[1:-1]


def hostAndPort(word: str) -> tuple[str, str] | None:
    """
    @param word: C{host:port}, C{[address]:port}, or a URL; what the host is, is not looked at.
    @return: both of them, L{None} if the word is no such thing.
    """
    scheme = _URL.match(word)
    if scheme:
        bare = re.split("[/?#]", word[scheme.end() :])[0].rpartition("@")[2]
        return hostAndPort(bare) or (bare, SCHEME_PORTS.get(scheme[0][:-3].lower(), ""))
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]+):([^:]*)", word)
    return (match[1], match[2]) if match else None


def hostAlone(word: str) -> str:
    """
    @return: a host that was written alone, without the brackets that an IPv6 address may have.
        Whether it is one, is not looked at.
    @raise ValueError: in words, for a host with a port, a URL, or an address with its network.
    """
    both = hostAndPort(word)
    if both is not None:
        reason = f"the host alone is needed here: write {shownPlace(both[0])}"
        raise ValueError(reason)
    bare = withoutBrackets(word)
    address, slash, bits = bare.partition("/")
    if slash and bits.isdigit() and Host.parse(address).address is not None:
        reason = f"one address is needed, and no network: write {address}"
        raise ValueError(reason)
    return bare


def parseHost(word: str) -> str:
    """
    @return: a host name, or an address that can be sent to; an IPv6 address may stand in
        brackets.
    @raise ValueError: in words.
    """
    return parseDestination(hostAlone(word))


def parseBindAddress(word: str) -> str:
    """
    @return: an IPv4 or IPv6 address of this machine to listen on; an IPv6 address may stand in
        brackets.
    @raise ValueError: in words; names are refused, since looking one up could
        block, and could open a port on another interface than was meant.
    """
    bare = withoutBrackets(word) if Host.parse(word[1:-1]).isIPv6 else word
    host = Host.parse(bare)
    if host.address is None:
        reason = f"an IPv4 or IPv6 address of this machine is needed, 0.0.0.0 or :: for all{_listenMeant(word)}"
        raise ValueError(reason)
    return host.text


def parseListeningPlace(word: str) -> tuple[str, int]:
    """
    @return: an address of this machine and a port to listen on, 0 to 65535; for a port alone the address that nobody
        else reaches, C{localhost}.
    @raise ValueError: in words.
    """
    both = (LOCALHOST, word) if re.fullmatch(_PORT, word) else hostAndPort(word)
    host = "" if both is None else withoutBrackets(both[0])
    isAddress = host.lower() == LOCALHOST or Host.parse(host).address is not None
    if both is None or not isAddress or not re.fullmatch(_PORT, both[1]) or int(both[1]) > MAX_PORT:
        reason = "an address of this machine with a port is needed, as 127.0.0.1:9100 or [::1]:9100, or a port alone"
        bare = word.removeprefix(":")
        isForAll = both is not None and both[0] in ALL_ADDRESSES
        meant = f": write 0.0.0.0:{both[1]} for all" if both is not None and isForAll else ""
        if bare != word and re.fullmatch(_PORT, bare):
            meant = f": write {bare} for this machine alone, or 0.0.0.0:{bare} for all"
        raise ValueError(reason + meant)
    return (LOCALHOST if host.lower() == LOCALHOST else Host.parse(host).text), int(both[1])


def parseWebServer(word: str) -> tuple[str, int]:
    """
    @return: host and port of a web server in plain TCP.
    @raise ValueError: in words.
    """
    both = hostAndPort(word)
    if both is None or "://" in word or not re.fullmatch(_PORT, both[1]) or not 1 <= int(both[1]) <= MAX_PORT:
        reason = "a host with a port is needed, as 127.0.0.1:8080, [::1]:8080 or web.example.com:80"
        raise ValueError(reason)
    return parseHost(both[0]), int(both[1])


def _listenMeant(word: str) -> str:
    """
    @return: how to write the address that is meant, to stand at the end of an error.
    """
    if word.lower() == "localhost":
        return ": write 127.0.0.1 or ::1"
    if re.fullmatch(f":?{_PORT}", word):
        return f"; the port stands behind -p: write -p {word.removeprefix(':')}"
    both = hostAndPort(word)
    if both is not None and re.fullmatch(_PORT, both[1]):
        host = shownPlace(both[0].strip("[]"))
        port = f"the port stands behind -p: write -p {both[1]}"
        return f"; {port}" if host in ALL_ADDRESSES else f"; {port} -a {host}"
    address, slash, _ = word.partition("/")
    if slash and Host.parse(address).address is not None:
        return f", without a network: write {address}"
    return ""


def parseNetwork(word: str) -> IPv4Network | IPv6Network:
    """
    @return: a network of IPv4 or IPv6; an address alone is a network of one.  An IPv6 address
        may stand in brackets.
    @raise ValueError: in words, also for an address inside a network, since nobody knows
        which of both was meant.
    """
    bare = re.sub(r"^\[([^\[\]]*:[^\[\]]*)\](?=/|$)", r"\1", word)
    try:
        network = ip_network(bare, strict=False)
    except ValueError as error:
        reason = f"a network is needed, as 192.0.2.0/24 or 2001:db8::/32, or one address{_networkMeant(word)}"
        raise ValueError(reason) from error
    try:
        return ip_network(bare)
    except ValueError as error:
        reason = f"it is an address inside of a network: say {network}, or the address alone"
        raise ValueError(reason) from error


def _networkMeant(word: str) -> str:
    """
    @return: how to write the network that is meant, to stand at the end of an error.
    """
    if word.lower() in NETWORK_WORDS:
        return NETWORK_WORDS[word.lower()]
    if "," in word or " " in word:
        return ": each in an option of its own"
    whole = _wholeNetwork(word)
    if whole is not None:
        return f": write {whole}"
    zone = re.fullmatch("([^%/]*)(/[0-9]+)(%[^/]+)", word)
    if zone:
        return f": write {zone[1]}{zone[3]}{zone[2]}"
    both = hostAndPort(word)
    if both is not None and Host.parse(both[0].strip("[]")).address is not None:
        return f", without a port: write {both[0].strip('[]')}"
    return ""


def _wholeNetwork(word: str) -> str | None:
    """
    @return: the network that a word means of which only the first numbers are written, as in
        C{192.168/16} or C{192.168.*.*}.
    """
    match = re.fullmatch(r"((?:[0-9]{1,3}\.){0,2}[0-9]{1,3})(/[0-9]{1,2}|(?:\.\*){1,3})", word)
    if match is None:
        return None
    parts = match[1].split(".")
    length = match[2] if match[2].startswith("/") else f"/{8 * len(parts)}"
    return ".".join([*parts, "0", "0", "0"][:4]) + length


def destinationWords(words: Sequence[str], names: str, instead: str = "") -> tuple[str, str]:
    """
    Find host and port in the arguments: in two, or in one as C{host:port}.

    @param words: the arguments.
    @param names: what both are called, for errors.
    @param instead: what may stand there in place of both, for errors.
    @return: host and port, not parsed yet.
    @raise ValueError: in words.
    """
    split = [hostAndPort(word) for word in words]
    if len(words) == 1 and split[0] is not None and not _URL.match(words[0]):
        return split[0]
    if 1 <= len(words) <= 2 and split[0] is not None:  # noqa: PLR2004 - host and port
        host, port = split[0]
        kind = "no URL" if _URL.match(words[0]) else "the port once"
        written = _asArguments(host, [*words[1:], port][0])
        place = shownPlace(words[0])
        reason = f"{names.split(maxsplit=1)[0]} {place}: a host and a port are needed, and {kind}: write {written}"
        raise ValueError(reason)
    if len(words) == 2:  # noqa: PLR2004 - host and port
        host, port = words
        if re.fullmatch(_PORT, host) and not re.fullmatch(_PORT, port):
            reason = f"{names.split(maxsplit=1)[0]} {host}: the host comes first: write {_asArguments(port, host)}"
            raise ValueError(reason)
        return host, port
    found = f"; there are {len(words)}" if len(words) != 1 else "; there is 1"
    told = ": " + ", ".join(map(shownPlace, words[:MOST_SHOWN])) if words else ""
    reason = f"two arguments are needed, {names}{instead}{found}{told}{_argumentMeant(words)}"
    raise ValueError(reason)


def _argumentMeant(words: Sequence[str]) -> str:
    """
    @return: how to write what was given in one argument, to stand at the end of an error.
    """
    if len(words) != 1:
        return ""
    parts = words[0].split()
    if len(parts) == 2 and re.fullmatch(_PORT, parts[1]):  # noqa: PLR2004 - host and port
        return f": write {shownPlace(parts[0])} {parts[1]}, without quotation marks around both"
    host, _, port = words[0].rpartition(":")
    if Host.parse(words[0]).isIPv6 and Host.parse(host).isIPv6 and re.fullmatch(_PORT, port):
        return f": the port is missing, or write {_asArguments(host, port)}"
    return ": the port is missing"


def _asArguments(host: str, port: str) -> str:
    """
    @return: host and port as two arguments.
    """
    return f"{shownPlace(host.strip('[]'))} {shownPlace(port) if port else 'PORT'}"
