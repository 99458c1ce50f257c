"""
Any words at all on a command line, and any bytes in a file that it names: what cannot be used is
refused in words, and nothing else is raised.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.certificates import Authority
from uotp.cli import addresses, client, parsers, server
from uotp.errors import ConfigurationError
from uotp.net import Host
from uotp.net.hosts import ownerOf, parseDestination
from uotp.tls.pem import readCertificates, readIdentity

WORDS = st.text(max_size=30) | st.from_regex(r"[-+0-9a-fA-FxX:./%_KMG, ]{0,40}", fullmatch=True)

PARSERS: tuple[Callable[[str], object], ...] = (
    parsers.parsePort,
    parsers.parseListeningPort,
    addresses.parseBindAddress,
    addresses.parseNetwork,
    parsers.parseSeconds,
    parsers.parseSecondsFrom(1),
    parsers.parseCount(256),
    parsers.parseBytes(1, 1 << 40),
    parsers.parseOrder,
    parsers.parseCongestion,
    parsers.parseMark,
    parsers.parsePercent(100),
    addresses.parseHost,
    parseDestination,
)

OPTIONS = (
    *("-a", "-p", "--allow", "-e", "--udp-buffer", "--reorder", "--wire", "-n", "--linger", "--no-tls", "--pin", "-c"),
    *("--memory", "--", "\u2013n", "\\", "-verbosity", "--pool"),
)

steady = settings(derandomize=True)
"""The same examples each time."""


class AnythingTests(SynchronousTestCase):
    """
    Read what somebody may have typed, or put into a file.
    """

    @steady
    @given(WORDS)
    def test_words(self, word: str) -> None:
        """
        Each parser returns a value, or says in words what is needed.
        """
        for parse in PARSERS:
            try:
                parse(word)
            except ValueError as error:
                self.assertNotEqual(str(error), "", parse)
        host = Host.parse(word)
        self.assertEqual(Host.parse(host.text), host)
        owner = ownerOf(word)
        if "/" not in owner:
            self.assertEqual(ownerOf(owner), owner)

    @steady
    @given(st.lists(st.sampled_from(OPTIONS) | WORDS.filter(lambda word: not word.startswith("-")), max_size=8))
    def test_commandLines(self, words: list[str]) -> None:
        """
        The end is that of a command line that cannot be used, and it says why.
        """
        for options in (client.Options(), server.Options()):
            told = io.StringIO()
            self.patch(sys, "stderr", told)
            try:
                options.parseOptions(words)
            except SystemExit as end:
                self.assertEqual(end.code, 2)
                self.assertRegex(told.getvalue(), "^uotp-.*--help")

    @settings(derandomize=True, max_examples=25)
    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1 << 20), st.binary(max_size=6)), max_size=4))
    def test_files(self, changes: list[tuple[int, int, bytes]]) -> None:
        """
        A file of PEM in which some bytes were changed, taken away or put in is read, or is
        refused by its name.
        """
        path = Path(self.mktemp())
        data = bytearray(PEM)
        for kind, place, extra in changes:
            at = place % (len(data) + 1)
            data[at : at + (0, len(extra), 40, 1, 4000)[kind]] = extra
        path.write_bytes(data)
        for read in (lambda: readCertificates(str(path), "certificates"), lambda: readIdentity(str(path), None)):
            try:
                read()
            except ConfigurationError as error:
                self.assertIn(str(path), str(error))


ISSUED = Authority("CA").issue("localhost")
PEM = ISSUED.certificatePem() + ISSUED.keyPem()
