"""
Host names as the domain name system and certificates have them.  Every name of a user comes
through here, at the start: one that cannot work is refused in words, and one that can is
brought into the only form that lookups, SNI and certificates know, its A-labels.

The rules are those of the wire and not those of registries, since private networks have names
that nobody could register: C{wg_server}, C{ab--cd.test}, C{a-.test}, and international names
with symbols in them.
"""

from __future__ import annotations

import re

import idna

MAX_NAME = 253
"""Letters of a host name in the domain name system (RFC 1035, without the last dot)."""

MAX_LABEL = 63
"""Letters of what stands between two dots."""

MAX_WORD = 1024
"""Nobody has written a longer word in good faith, and it would take long to look at."""

JOINERS = "\u200c\u200d"
"""Persian and some languages of India need these two in a name, though nobody sees them."""

LETTERS = re.compile(r"[a-z0-9_-]+", re.ASCII)
"""What a label may consist of."""

NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
"""A last label like this makes of the whole what the system would read as an IPv4 address."""


def dnsName(word: str) -> str:
    """
    @param word: a host name in any script and case; a dot may stand at its end.
    @return: the name in lower case, as A-labels, without the last dot: what SNI and
        certificates call the host.
    @raise ValueError: in words, when no host can be called so.
    """
    if not word or word.startswith("-") or len(word) > MAX_WORD or not all(map(_isForNames, word)):
        reason = "a host name or an IP address is needed"
        raise ValueError(reason)
    name = _inAscii(word).removesuffix(".")
    labels = name.split(".")
    if not all(labels):
        reason = "in a host name something stands before each dot"
        raise ValueError(reason)
    longest = max(map(len, labels))
    if longest > MAX_LABEL:
        reason = f"each part of a host name has at most {MAX_LABEL} letters, and one here has {longest}"
        raise ValueError(reason)
    if len(name) > MAX_NAME:
        reason = f"a host name has at most {MAX_NAME} letters, and this one has {len(name)}"
        raise ValueError(reason)
    if not all(map(LETTERS.fullmatch, labels)):
        reason = "a host name has letters, digits, - and _ between its dots"
        raise ValueError(reason)
    if NUMBER.fullmatch(labels[-1]):
        reason = (
            "a host name does not end in a number, and an IPv4 address has four numbers from 0 to 255, "
            "without zeros before them, as 192.0.2.1"
        )
        raise ValueError(reason)
    return name


def lookupName(word: str) -> str:
    """
    @return: see L{dnsName}, with the last dot if there is one: the resolver then tries the
        name as it is, and not in the domains of its own network.
    @raise ValueError: see L{dnsName}.
    """
    return dnsName(word) + ("." if _inAscii(word).endswith(".") else "")


def _isForNames(letter: str) -> bool:
    return letter in JOINERS or (letter.isprintable() and not letter.isspace() and letter not in "/@:%*[]")


def _inAscii(word: str) -> str:
    if word.isascii():
        return word.lower()
    try:
        # Without the rule that forbids _, which dnsName allows.
        mapped = idna.uts46_remap(word, std3_rules=False, transitional=False)
    except idna.IDNAError as error:
        reason = f"no host name has this in it: {error}"
        raise ValueError(reason) from error
    return ".".join(map(_label, mapped.split(".")))


def _label(label: str) -> str:
    """
    @return: the A-label.  What IDNA 2008 has no place for, symbols and hyphens, is encoded all
        the same, as browsers do: such names are in DNS.
    """
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except idna.IDNAError as error:
        if any(letter in JOINERS for letter in label):  # they may stand in some places only
            reason = f"no host name has this in it: {error}"
            raise ValueError(reason) from error
    return "xn--" + label.encode("punycode").decode("ascii")
