"""
What servers and clients are called: in certificates, and in the names of their files.
"""

from __future__ import annotations

import contextlib
import re

from uotp.errors import ConfigurationError
from uotp.net import Host, dnsName

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
"""What a server is called by the machine that it runs on."""

THE_SERVER = "server"
"""What the server is called among those who have a certificate."""

NAMES_OF_OTHERS = {"ca": "the CA", THE_SERVER: "the server", "crl": "the revocation list"}
"""Names that no client can have, since their files are somebody else's."""

CLIENT_NAME = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_.@-]{0,63}", re.ASCII)
"""It is a common name, which has 64 characters at the most, and the beginning of a file's name."""


def clientName(word: str) -> str:
    """
    Look at what a client is to be called.

    @return: the word.
    @raise ConfigurationError: when no client can be called so.
    """
    if not CLIENT_NAME.fullmatch(word) or word.endswith("."):
        reason = (
            f"{word[:80]!r} cannot be the name of a client: it has 1 to 64 letters from A to Z, digits, "
            "hyphens, underscores, dots and @, and begins with a letter, a digit, _ or @"
        )
        raise ConfigurationError(reason)
    if word.lower() in NAMES_OF_OTHERS:
        reason = f"a client cannot be called {word}: that is {NAMES_OF_OTHERS[word.lower()]}"
        raise ConfigurationError(reason)
    return word


def normalHost(host: str) -> str:
    """
    Bring a host name or an IP address into the form that a certificate holds.

    @param host: a name, also an international one or C{*.example.com}, or an
        address of either family.
    @return: the name in lower case, as A-labels; the address in its shortest form.
    @raise ConfigurationError: when it is neither.
    """
    found = Host.parse(host).withoutZone.asOneAddress
    if found.address is not None:
        return found.text
    star, name = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    try:
        name = dnsName(name)
    except ValueError as error:
        reason = f"{host!r} is neither a host name (also *.example.com) nor an IP address: {error}"
        raise ConfigurationError(reason) from error
    if star and "." not in name:
        reason = f"{host!r} covers too much: clients refuse it"
        raise ConfigurationError(reason)
    return star + name


def defaultHosts(machine: str) -> tuple[str, ...]:
    """
    @param machine: the name of this machine; left out when it cannot be one in DNS.
    @return: what a certificate is made for when nobody said what for.
    """
    with contextlib.suppress(ConfigurationError):
        return tuple(dict.fromkeys((normalHost(machine), *LOCAL_HOSTS)))
    return LOCAL_HOSTS
