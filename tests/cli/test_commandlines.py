"""
The command lines of both ends: every option, every default, every refusal; and the
service that is made of them, up to where a reactor would run it.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from types import ModuleType
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent, globalLogPublisher

import uotp
from tests.doubles.certificates import Authority, pem
from tests.doubles.commands import CommandTestCase
from tests.doubles.newcomers import listenInMemory
from tests.doubles.processlogs import RecordingProcessLog
from tests.doubles.reactors import MemoryReactor
from tests.doubles.services import RecordingService
from tests.doubles.threads import HeldThreads, WithThreads
from uotp.cli import client, common, endservice, server
from uotp.cli.announcement import Announcement
from uotp.cli.common import CommonOptions, commandService
from uotp.cli.endservice import START_EXIT_STATUS, EndService
from uotp.duplicate import Duplicate
from uotp.errors import ConfigurationError, StartError
from uotp.monitoring import ControlPlace
from uotp.net import GivenSockets, ProxyKind, ProxyPlace, ServerPlace, sockopts
from uotp.net.sockopts import UDP_BUFFER_BYTES, UNSENT_LIMIT_BYTES
from uotp.order import Order, OrderMode
from uotp.process import Aside, ServiceNotifier
from uotp.process.garbage import GarbageCollection
from uotp.process.memory import DEFAULT_MEMORY_BYTES
from uotp.server import service as serverservice
from uotp.telemetry.log import Logger
from uotp.telemetry.logformat import LogFormat
from uotp.telemetry.spelling import Spelling
from uotp.tls.alerts import errorWords
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerTls
from uotp.tunnel import settings
from uotp.wire.foreign import foreignSpeech
from uotp.wire.negotiation import WireChoice

DESTINATION = ["example.com", "8443"]

PIN = bytes(range(32))
OTHER_PIN = bytes(32)

HERE = os.path.abspath("x.pem")
"""What the file name C{x.pem} means, made absolute; see L{OptionsTests.setUp}."""

SHARED = [
    ("--verbosity", "-v", "debug", "verbosity", LogLevel.debug),
    ("--verbosity", "-v", "fatal", "verbosity", LogLevel.critical),
    ("--verbosity", "-v", "WARNING", "verbosity", LogLevel.warn),
    ("--logfile", "-l", HERE, "logfile", HERE),
    ("--log-format", None, "json", "log-format", LogFormat.JSON),
    ("--no-tls", None, None, "no-tls", 1),
    ("--cert", "-c", HERE, "cert", HERE),
    ("--cafile", "-C", HERE, "cafile", HERE),
    ("--token-file", None, HERE, "token-file", HERE),
    ("--unsent-limit", None, "32768", "unsent-limit", 32 * 1024),
    ("--unsent-limit", None, "64K", "unsent-limit", 64 * 1024),
    ("--congestion", None, "cubic", "congestion", "cubic"),
    ("--mss", None, "1200", "mss", 1200),
    ("--udp-buffer", None, "8M", "udp-buffer", 8 * 1024 * 1024),
    ("--udp-buffer", None, "212k", "udp-buffer", 212 * 1024),
    ("--memory", None, "64M", "memory", 64 << 20),
    ("--workers", None, "4", "workers", 4),
    ("--workers", None, "Auto", "workers", None),
    ("--wire", None, "auto", "wire", WireChoice.AUTO),
    ("--wire", None, "1", "wire", WireChoice.ONE),
    ("--wire", None, "2", "wire", WireChoice.TWO),
    ("--alpn", None, "http/1.1", "alpn", ("http/1.1",)),
    ("--alpn", None, "h2, http/1.1", "alpn", ("h2", "http/1.1")),
    ("--alpn", None, "None", "alpn", ()),
    ("--pad", None, None, "pad", 1),
    ("--reorder", None, "auto", "reorder", Order()),
    ("--reorder", None, "off", "reorder", Order(OrderMode.OFF)),
    ("--reorder", None, "bulk", "reorder", Order(OrderMode.BULK)),
    ("--reorder", None, "BULK", "reorder", Order(OrderMode.BULK)),
    ("--reorder", None, "80", "reorder", Order.within(0.08)),
    ("--reorder", None, "0.2s", "reorder", Order.within(0.2)),
    ("--metrics", None, "9100", "metrics", ("localhost", 9100)),
    ("--metrics", None, "[::1]:0", "metrics", ("::1", 0)),
    ("--control", None, HERE, "control", HERE),
    ("--control", None, "Off", "control", "off"),
    ("--control", None, "", "control", "off"),
    ("--duplicate", None, "auto", "duplicate", Duplicate.AUTO),
    ("--duplicate", None, "off", "duplicate", Duplicate.OFF),
    ("--duplicate", None, "Always", "duplicate", Duplicate.ALWAYS),
]
"""
Options of both ends: long name, short name, word, and under which name there is which value then.
"""

SERVER = [
    *SHARED,
    ("--bind-address", "-a", "::1", "bind-address", ("::1",)),
    ("--bind-port", "-p", "443", "bind-port", 443),
    ("--bind-port", "-p", "0", "bind-port", 0),
    ("--crl", None, HERE, "crl", HERE),
    ("--clients", None, HERE, "clients", HERE),
    ("--http-path", None, "/a-secret-path", "http-path", "/a-secret-path"),
    ("--fallback", None, "localhost:8080", "fallback", ("localhost", 8080)),
    ("--fallback", None, "[::1]:80", "fallback", ("::1", 80)),
    ("--linger", None, "12.5", "linger", 12.5),
    ("--max-sessions", None, "65536", "max-sessions", 65536),
    ("--max-connections", None, "100", "max-connections", 100),
    ("--owner-share", None, "100", "owner-share", 100),
    ("--proxy-protocol", None, "192.0.2.7", "proxy-protocol", (ip_network("192.0.2.7/32"),)),
    ("--owner-share", None, "50%", "owner-share", 50),
    ("--linger", None, "6h", "linger", 21600.0),
]

CLIENT = [
    *SHARED,
    ("--bind-address", "-a", "::1", "bind-address", ("::1",)),
    ("--bind-port", "-p", "51821", "bind-port", 51821),
    ("--bind-port", "-p", "0", "bind-port", 0),
    ("--expire", "-e", "30", "expire", 30.0),
    ("--expire", "-e", "2m", "expire", 120.0),
    ("--backoff", "-B", "500ms", "backoff", 0.5),
    ("--timeout", "-w", "1500ms", "timeout", 1.5),
    ("--max-age", None, "1d", "max-age", 86400.0),
    ("--max-bytes", None, "4MB", "max-bytes", 4 << 20),
    ("--bind-address", "-a", "[::1]", "bind-address", ("::1",)),
    ("--pool-size", "-n", "4", "pool-size", 4),
    ("--min-pool", None, "3", "min-pool", 3),
    ("--backoff", "-B", "2.5", "backoff", 2.5),
    ("--timeout", "-w", "10", "timeout", 10.0),
    ("--resolve-once", "-R", None, "resolve-once", 1),
    ("--state-directory", None, os.path.dirname(HERE), "state-directory", os.path.dirname(HERE)),
    ("--mark", "-m", "0xca6c", "mark", 51820),
    ("--mark", "-m", "51820", "mark", 51820),
    ("--proxy", None, "http://127.0.0.1:3128", "proxy", ProxyPlace(ProxyKind.HTTP, "127.0.0.1", 3128)),
    ("--proxy", None, "None", "proxy", None),
    ("--proxy-auth-file", None, HERE, "proxy-auth-file", HERE),
    ("--proxy-cafile", None, HERE, "proxy-cafile", HERE),
    ("--max-age", None, "86400", "max-age", 86400.0),
    ("--max-bytes", None, "100G", "max-bytes", 100 << 30),
    ("--max-bytes", None, "64k", "max-bytes", 64 << 10),
    ("--tls-servername", None, "vpn.example.com", "tls-servername", "vpn.example.com"),
    ("--pin", None, PIN.hex(), "pin", (PIN,)),
    ("--allow", None, "192.0.2.0/24", "allow", (ip_network("192.0.2.0/24"),)),
]

BUFFERS = {
    "unsent-limit": UNSENT_LIMIT_BYTES,
    "congestion": None,
    "mss": None,
    "udp-buffer": UDP_BUFFER_BYTES,
    "memory": DEFAULT_MEMORY_BYTES,
    "workers": 1,
}
CHOICES = {"wire": WireChoice.AUTO, "alpn": None, "pad": 0, "reorder": None, "duplicate": Duplicate.AUTO}

SERVER_DEFAULTS = {
    "verbosity": LogLevel.info,
    "logfile": None,
    "log-format": LogFormat.TEXT,
    "no-tls": 0,
    "cert": HERE,  # without one there is no server
    "key": None,
    "cafile": None,
    "metrics": None,
    "control": None,
    "token-file": None,
    "crl": None,
    "clients": None,
    "http-path": None,
    "fallback": None,
    **BUFFERS,
    **CHOICES,
    "bind-address": (),
    "bind-port": 8443,
    "linger": 150.0,
    "max-sessions": 4096,
    "max-connections": 32768,
    "owner-share": 25,
    "proxy-protocol": (),
    "dst_address": "example.com",
    "dst_port": 8443,
}

CLIENT_DEFAULTS = {
    "verbosity": LogLevel.info,
    "logfile": None,
    "log-format": LogFormat.TEXT,
    "no-tls": 0,
    "cert": None,
    "key": None,
    "cafile": None,
    "metrics": None,
    "control": None,
    "token-file": None,
    **BUFFERS,
    **CHOICES,
    "bind-address": (),
    "bind-port": 8911,
    "expire": 120.0,
    "pool-size": 16,
    "min-pool": None,
    "backoff": 5.0,
    "timeout": 4.0,
    "resolve-once": 0,
    "state-directory": None,
    "mark": None,
    "proxy": None,
    "proxy-auth-file": None,
    "proxy-cafile": None,
    "max-age": None,
    "max-bytes": None,
    "no-hostname-check": 0,
    "tls-servername": None,
    "pin": (),
    "allow": (),
    "servers": (ServerPlace("example.com", 8443),),
    "dst_address": "example.com",
    "dst_port": 8443,
}

Row = tuple[str, str | None, str | None, str, object]


def spellings(row: Row) -> list[list[str]]:
    """
    @return: all the ways to write an option.
    """
    long, short, word, _, _ = row
    if word is None:
        return [[long]] + ([] if short is None else [[short]])
    ways = [[long, word], [f"{long}={word}"]]
    return ways if short is None else [*ways, [short, word], [short + word]]


class OptionsTests(CommandTestCase):
    """
    Turn the words of both command lines into values.
    """

    def serverOptions(self, *words: str) -> server.Options:
        """
        @return: the server's options for these words.
        """
        options = server.Options()
        options.parseOptions(words)
        return options

    def clientOptions(self, *words: str) -> client.Options:
        """
        @return: the client's options for these words.
        """
        options = client.Options()
        options.parseOptions(words)
        return options

    def assertEverywhere(self, parse: Callable[..., CommonOptions], rows: list[Row], *needed: str) -> None:
        """
        Each option, in all its spellings, before, between and after the positionals.

        @param needed: words without which there is no valid command line.
        """
        host, port = DESTINATION
        for row in rows:
            rest = [] if row[0] in {"--no-tls", *needed} else needed
            for option in spellings(row):
                for words in ([*option, host, port], [host, *option, port], [host, port, *option]):
                    try:
                        options = parse(*words, *rest)
                    except SystemExit:
                        self.fail(f"{words} {rest}: {self.err.getvalue()}")
                    self.assertEqual(options[row[3]], row[4], words)
                    self.assertEqual((options["dst_address"], options["dst_port"]), (host, int(port)), words)
        self.assertEqual((self.out.getvalue(), self.err.getvalue()), ("", ""))

    def test_everyOptionOfTheServerInEverySpellingAndPlace(self) -> None:
        self.assertEverywhere(self.serverOptions, SERVER, "--cert", HERE)

    def test_everyOptionOfTheClientInEverySpellingAndPlace(self) -> None:
        self.assertEverywhere(self.clientOptions, CLIENT, "--proxy", "https://p")

    def test_hostAndPortMayBeOneWord(self) -> None:
        for words, destination in (
            (["vpn.example.com:8443"], ("vpn.example.com", 8443)),
            (["[2001:db8:0::1]:443"], ("2001:db8::1", 443)),
            (["[fe80::1%eth0]:443"], ("fe80::1%eth0", 443)),
            (["[2001:db8::1]", "443"], ("2001:db8::1", 443)),
            (["cert", "443"], ("cert", 443)),
        ):
            for options in (self.clientOptions("-n", "1", *words), self.serverOptions(*words, "--no-tls")):
                self.assertEqual((options["dst_address"], options["dst_port"]), destination)

    def test_theKeyGoesWithTheCertificate(self) -> None:
        for parse in (self.serverOptions, self.clientOptions):
            for words in (["-c", HERE, "-k", HERE + ".key"], [f"--key={HERE}.key", "--cert", HERE]):
                self.assertEqual(parse(*DESTINATION, *words)["key"], HERE + ".key")

    def test_whatIsNotSaidHasItsDocumentedDefault(self) -> None:
        """
        Every one of them; this is also the list of all options that there are.
        """
        self.assertEqual(dict(self.serverOptions(*DESTINATION, "-c", HERE)), SERVER_DEFAULTS)
        self.assertEqual(dict(self.clientOptions(*DESTINATION)), CLIENT_DEFAULTS)

    def test_stateIsKeptWhereTheServiceManagerSays(self) -> None:
        """
        Unless the command line says something else.
        """
        for given, words, directory in (
            ("/var/lib/uotp", [], "/var/lib/uotp"),
            ("/var/lib/uotp:/var/lib/more", [], "/var/lib/uotp"),
            ("/var/lib/uotp", ["--state-directory", "/mine"], "/mine"),
            ("", [], None),
        ):
            self.patch(os, "environ", {**os.environ, "STATE_DIRECTORY": given})
            self.assertEqual(self.clientOptions(*DESTINATION, *words)["state-directory"], directory)

    def test_noOptionIsUntested(self) -> None:
        for options, rows, others in (
            (server.Options(), SERVER, {"key", "help", "version"}),
            (client.Options(), CLIENT, {"key", "help", "version", "no-hostname-check"}),
        ):
            known = {name.rstrip("=") for name in options.longOpt}
            self.assertEqual(known, {row[0].removeprefix("--") for row in rows} | others)
            short = {row[1].removeprefix("-") for row in rows if row[1] is not None}
            self.assertEqual(set(options.shortOpt) - {":"}, short | {"k", "h"})

    def test_pinsMayBeRepeatedAndWrittenAsPeopleDo(self) -> None:
        """
        Any of them is enough for the server; no CA is needed beside.
        """
        for other in ("00" * 32, "sha256//" + "A" * 43 + "="):
            options = self.clientOptions("--pin", PIN.hex(), *DESTINATION, "--pin", other)
            self.assertEqual(options["pin"], (PIN, OTHER_PIN))

    def test_networksMayBeRepeated(self) -> None:
        """
        An address is a network of one.
        """
        options = self.clientOptions("--allow", "2001:db8::/32", *DESTINATION, "--allow", "192.0.2.1")
        self.assertEqual(options["allow"], (ip_network("2001:db8::/32"), ip_network("192.0.2.1/32")))

    def test_theChainMayBeEnough(self) -> None:
        for words in (["--no-hostname-check", "-C", HERE, *DESTINATION], [*DESTINATION, "--cafile", HERE, "--no-host"]):
            self.assertEqual(self.clientOptions(*words)["no-hostname-check"], 1)

    def test_filesAreAbsoluteBecauseADaemonChangesItsDirectory(self) -> None:
        """
        The names count from where the command was typed.
        """
        options = self.clientOptions(*DESTINATION, "-c", "a", "-k", "b", "-C", "c", "-l", "d")
        directory = os.getcwd()
        for name, file in (("cert", "a"), ("key", "b"), ("cafile", "c"), ("logfile", "d")):
            self.assertEqual(options[name], os.path.join(directory, file))

    def test_whatDiffersFromTheDefaultCanBeToldInWords(self) -> None:
        """
        As it was typed, but for the names of files; what is said and is the default is left out.
        """
        options = self.clientOptions(
            *[
                "-n16",
                "-e",
                "30.0",
                "--unsent-limit=16384",
                "-R",
                "--allow",
                "::1",
                *DESTINATION,
                "--allow=192.0.2.0/24",
            ],
            *["-c", "my cert\n.pem", "-vdebug", "--udp-b", "8M", "--pin", PIN.hex(), "-a", "0:0::1"],
        )
        self.assertEqual(
            options.differing(),
            [
                "--verbosity debug",
                f"--cert '{os.path.abspath('my cert')}\\n.pem'",
                "--udp-buffer 8M",
                "--bind-address 0:0::1",
                *["--allow ::1", "--allow 192.0.2.0/24"],
                "--expire 30.0",
                f"--pin {PIN.hex()}",
                "--resolve-once",
            ],
        )

    def test_withoutAnyOptionNothingDiffers(self) -> None:
        self.assertEqual(self.clientOptions(*DESTINATION).differing(), [])
        self.assertEqual(self.serverOptions(*DESTINATION, "--no-tls").differing(), ["--no-tls"])

    def test_helpExits0AndNamesEveryOption(self) -> None:
        for parse, rows in ((self.serverOptions, SERVER), (self.clientOptions, CLIENT)):
            for word in ("--help", "-h"):
                text = self.outputOf(lambda parse=parse, word=word: parse("x", word))  # type: ignore[misc]
                for long, short, _, _, _ in rows:
                    self.assertIn(long if short is None else f"{short}, {long}", text)
            self.assertIn("[options] dst_address dst_port", text)

    def test_versionExits0(self) -> None:
        self.assertEqual(self.outputOf(lambda: self.serverOptions("--version")), f"uotp-server {uotp.__version__}\n")
        self.out.truncate(0)
        self.out.seek(0)
        self.assertEqual(self.outputOf(lambda: self.clientOptions("--version")), f"uotp-client {uotp.__version__}\n")


class RefusalTests(CommandTestCase):
    """
    Command lines that cannot be used end with one line and status 2.
    """

    def assertRefusals(self, module: ModuleType, name: str, *cases: tuple[list[str], str]) -> None:
        """
        @param name: of the command, with which each line begins.
        @param cases: words, and what is said of them.
        """
        for words, reason in cases:
            line = self.refusalOf(lambda words=words: module.Options().parseOptions(words))  # type: ignore[misc]
            self.assertEqual(line, f"{name}: {reason} (see --help)")

    def assertRefusedByBoth(self, *cases: tuple[list[str], str]) -> None:
        """
        @param cases: words that come after the destination, and what is said.
        """
        for words, reason in cases:
            self.assertRefusals(client, "uotp-client", ([*DESTINATION, *words], reason))
            needed = [] if {"--no-tls", "-c", "--cert"} & set(words) else ["-c", HERE]
            self.assertRefusals(server, "uotp-server", ([*needed, *words, *DESTINATION], reason))

    def test_whatIsNoSuchThingNamesTheOptionAndTheWord(self) -> None:
        port = "a port from 0 to 65535 is needed"
        way = "if that is the word, write --cert=-k"
        address = "an IPv4 or IPv6 address of this machine is needed, 0.0.0.0 or :: for all"
        self.assertRefusedByBoth(
            (["-v", "loud"], "--verbosity loud: one of debug, info, warn, error, fatal is needed"),
            (["-a", "localhost"], f"--bind-address localhost: {address}: write 127.0.0.1 or ::1"),
            (["--bind-address", ""], f"--bind-address '': {address}"),
            (["-p", "eighty!"], f"--bind-port eighty!: {port}"),
            (["-p", "65536"], f"--bind-port 65536: {port}"),
            (["--logfile="], "--logfile '': a file name is needed"),
            (["--cert="], "--cert '': a file name is needed"),
            (["--cafile="], "--cafile '': a file name is needed"),
            (["-c", HERE, "--key="], "--key '': a file name is needed"),
            (["--colour"], "there is no option --colour"),
            (["-x"], "there is no option -x"),
            (["--un-sent-limit=1M"], "there is no option --un-sent-limit: did you mean --unsent-limit?"),
            (
                ["-c", "-k", HERE],
                f"-c (--cert) needs a word behind it, and there is -k: {way}",
            ),
            (["--no-tls=yes"], "--no-tls takes no word: leave =yes out; it holds when it is given, and else not"),
            (["\u2013v", "debug"], r"the word '\u2013v': U+2013 is in it, a dash that is no hyphen: write -v"),
        )

    def test_anOptionOfTheOtherEndIsKnownAsSuch(self) -> None:
        """
        And one of twistd's, which stands before the name of the command.
        """
        where = "where it stands before"
        for module, words, reason in (
            (client, ["--linger", "3"], "--linger is an option of uotp-server"),
            (server, ["--expire=3"], "--expire is an option of uotp-client"),
            (server, ["-B", "3"], "-B is an option of uotp-client (--backoff)"),
            (client, ["--pidfile", "x"], f"--pidfile is an option of twistd, {where} uotp-client"),
            (
                server,
                ["-n"],
                f"-n is an option of uotp-client (--pool-size), and of twistd (--nodaemon), {where} uotp-server",
            ),
        ):
            self.assertRefusals(module, module.Options.commandName, ([*DESTINATION, *words], reason))

    def test_sizesAndCongestionControl(self) -> None:
        written = "in bytes, or as 64K, 1.5M or 1G (K is 1024)"
        budget = f"a size from 16M to 1T is needed, {written}"
        size = f"a size from 1K to 1G is needed, {written}"
        name = "a name as in /proc/sys/net/ipv4/tcp_available_congestion_control is needed"
        words = ("0", "-1", "1.5", "K", "1023", "2048M", "9" * 13, "16Mbit")
        self.assertRefusedByBoth(
            *(
                ([f"{option}={word}"], f"{option} {word}: {size}")
                for option in ("--unsent-limit", "--udp-buffer")
                for word in words
            ),
            (["--unsent-limit="], f"--unsent-limit '': {size}"),
            (["--udp-buffer", "16 K"], f"--udp-buffer 16 K: {size}: write 16K"),
            *(
                (["--workers", word], f"--workers {word}: a number from 1 to 64 is needed, or auto")
                for word in ("0", "65", "1.5", "all")
            ),
            *((["--memory", word], f"--memory {word}: {budget}") for word in ("0", "16777215", "15M", "1025G", "1.1T")),
            *((["--congestion", word], f"--congestion {word}: {name}") for word in ("a b", "a/b", "x" * 16, "bbr;")),
        )

    def test_formatAndOrder(self) -> None:
        names = "names with commas between are needed, as http/1.1, or none"
        order = "auto, off, bulk, or a time from 1ms to 5s is needed, as 80 (milliseconds), 80ms or 0.08s"
        self.assertRefusedByBoth(
            *(([f"--wire={word}"], f"--wire {word}: one of auto, 1, 2 is needed") for word in ("3", "two", "12")),
            *(
                ([f"--alpn={word}"], f"--alpn {spelledWord}: {names}")
                for word, spelledWord in (("", "''"), (",", ","), ("http/1.1,", "http/1.1,"), ("a b", "a b"))
            ),
            (["--alpn", "h2,h2"], "--alpn h2,h2: a name stands there twice"),
            (["--alpn", "http/1.1", "--no-tls"], "--no-tls and --alpn exclude each other"),
            *(([f"--reorder={word}"], f"--reorder {word}: {order}") for word in ("-1", "5001", "on", "6s")),
            (["--reorder", "0.2"], f"--reorder 0.2: {order}: write 0.2s"),
            *(
                ([f"--duplicate={word}"], f"--duplicate {word}: one of auto, off, always is needed")
                for word in ("on", "5", "auto,off")
            ),
        )

    def test_howOldATunnelMayBecome(self) -> None:
        """
        Not so young that replacing it costs more than it carries.
        """
        seconds = "a time from 1s to 365d is needed, as 90 or 1.5 (seconds), 500ms, 2m, 6h or 1d"
        size = "a size from 64K to 1024T is needed, in bytes, or as 64K, 1.5M or 1G (K is 1024)"
        self.assertRefusals(
            client,
            "uotp-client",
            ([*DESTINATION, "--max-age", "0"], f"--max-age 0: {seconds}"),
            ([*DESTINATION, "--max-age", "0.9"], f"--max-age 0.9: {seconds}"),
            ([*DESTINATION, "--max-bytes", "65535"], f"--max-bytes 65535: {size}"),
            ([*DESTINATION, "--max-bytes", "1025T"], f"--max-bytes 1025T: {size}"),
        )

    def test_timesCountsAndMarksOfTheClient(self) -> None:
        seconds = "a time above 0 and at most 365d is needed, as 90 or 1.5 (seconds), 500ms, 2m, 6h or 1d"
        mark = "a number from 0 to 0xffffffff is needed, decimal or with 0x before it"
        self.assertRefusals(
            client,
            "uotp-client",
            *(
                ([*DESTINATION, *words], reason)
                for words, reason in (
                    (["-e", "0"], f"--expire 0: {seconds}"),
                    (["-B", "-1"], f"--backoff -1: {seconds}"),
                    (["-w", "nan"], f"--timeout nan: {seconds}"),
                    (["-n", "0"], "--pool-size 0: a number from 1 to 256 is needed"),
                    (["-n", "257"], "--pool-size 257: a number from 1 to 256 is needed"),
                    (["--min-pool", "0"], "--min-pool 0: a number from 1 to 256 is needed"),
                    (["-m", "ca6c"], f"--mark ca6c: {mark}: write 0xca6c"),
                    (["-m", "0x100000000"], f"--mark 0x100000000: {mark}"),
                    (["--tls-servername="], "--tls-servername '': a host name or an IP address is needed"),
                )
            ),
        )

    def test_lingerOfTheServer(self) -> None:
        for word in ("0", "-1", "inf", "long"):
            options = server.Options()
            words = [*DESTINATION, "-c", HERE, "--linger", word]
            line = self.refusalOf(lambda options=options, words=words: options.parseOptions(words))  # type: ignore[misc]
            self.assertTrue(line.startswith(f"uotp-server: --linger {word}: a time above 0"), line)

    def test_countsOfTheServer(self) -> None:
        for name, least, most, words in (
            ("--max-sessions", 1, 65536, ("0", "-1", "65537", "many")),
            ("--max-connections", 64, 1 << 20, ("0", "63", "1048577", "1K")),
        ):
            for word in words:
                options = server.Options()
                line = self.refusalOf(
                    lambda options=options, name=name, word=word: options.parseOptions(  # type: ignore[misc]
                        [*DESTINATION, "-c", HERE, name, word]
                    )
                )
                reason = f"a number from {least} to {most} is needed"
                self.assertEqual(line, f"uotp-server: {name} {word}: {reason} (see --help)")

    def test_sharesOfTheServer(self) -> None:
        reason = "a whole number of percent from 1 to 100 is needed, as 25 or 25%"
        for word in ("0", "101%", "0.5", "%"):
            words = [*DESTINATION, "-c", HERE, "--owner-share", word]
            self.assertRefusals(server, "uotp-server", (words, f"--owner-share {word}: {reason}"))

    def test_theSecretPathIsNotShown(self) -> None:
        """
        Neither in an error nor among what the log says at the start.
        """
        for words in (
            ["--http-path", "secret path"],
            ["--http-path", "secret"],
            ["--http-path", "/secret?"],
            ["--http-path", "/secret", "--http-path", "/secret2"],
        ):
            options = server.Options()
            line = self.refusalOf(
                lambda options=options, words=words: options.parseOptions(["-c", HERE, *words, *DESTINATION])  # type: ignore[misc]
            )
            self.assertTrue(line.startswith("uotp-server: --http-path "), line)
            self.assertNotIn("secret", line)
        options = server.Options()
        options.parseOptions(["-c", HERE, "--http-path", "/secret", *DESTINATION])
        self.assertIn("--http-path ...", options.differing())

    def test_aFallbackThatIsNoneNamesItself(self) -> None:
        reason = "a host with a port is needed, as 127.0.0.1:8080, [::1]:8080 or web.example.com:80"
        for word in ("80", "localhost", "http://localhost:80", "localhost:0", "localhost:99999"):
            words = [*DESTINATION, "-c", HERE, "--fallback", word]
            self.assertRefusals(server, "uotp-server", (words, f"--fallback {word}: {reason}"))

    def test_aPinThatIsNoneNamesItself(self) -> None:
        for word in ("zz", "00" * 31, "00" * 33, "sha1//abcd"):
            options = client.Options()
            words = [*DESTINATION, "--pin", word]
            line = self.refusalOf(lambda options=options, words=words: options.parseOptions(words))  # type: ignore[misc]
            self.assertTrue(line.startswith(f"uotp-client: --pin {word}: "), line)

    def test_aNetworkThatIsNoneNamesItself(self) -> None:
        network = "a network is needed, as 192.0.2.0/24 or 2001:db8::/32, or one address"
        inside = "it is an address inside of a network: say {}, or the address alone"
        self.assertRefusals(
            client,
            "uotp-client",
            *(
                ([*DESTINATION, "--allow", word], f"--allow {word}: {network}")
                for word in ("here", "192.0.2.0/33", "192.0.2.0/24/8", "fd00::/129")
            ),
            *(
                ([*DESTINATION, "--allow", word], f"--allow {word}: {inside.format(meant)}")
                for word, meant in (("192.0.2.1/24", "192.0.2.0/24"), ("fd00::1/64", "fd00::/64"))
            ),
        )

    def test_destinationsThatAreNone(self) -> None:
        for module, name in ((client, "uotp-client"), (server, "uotp-server")):
            count = "two arguments are needed, dst_address dst_port, or one, a configuration file; there"
            self.assertRefusals(
                module,
                name,
                (["--no-tls"], f"{count} are 0"),
                (["--no-tls", "a"], f"{count} is 1: a: the port is missing"),
                (["--no-tls", "a", "1", "2"], f"{count} are 3: a, 1, 2"),
                (["--no-tls", "a b", "1"], "dst_address a b: a host name or an IP address is needed"),
                (["--no-tls", "", "1"], "dst_address '': a host name or an IP address is needed"),
                (["--no-tls", "0.0.0.0", "1"], "dst_address 0.0.0.0: not the address of one host"),  # noqa: S104 - a word that is refused
                (["--no-tls", "a", "0"], "dst_port 0: a port from 1 to 65535 is needed"),
                (["--no-tls", "a", "ninety!"], "dst_port ninety!: a port from 1 to 65535 is needed"),
                (["--no-tls", "a", "1", "reorder=off"], "the word reorder=off has no hyphens: write --reorder=off"),
                (["--no-tls", "a", "1", "reorder", "off"], "the word reorder has no hyphens: write --reorder"),
                (["help"], "the word help has no hyphens: write --help"),
                (["--no-tls", "a:"], "dst_port '': a port from 1 to 65535 is needed"),
            )

    def test_plainTcpTakesNothingThatHasToDoWithTls(self) -> None:
        """
        Whoever names a certificate does not mean plain TCP.
        """
        self.assertRefusedByBoth(
            (["--no-tls", "-c", HERE], "--no-tls and --cert exclude each other"),
            (["--no-tls", "-k", HERE], "--no-tls and --key exclude each other"),
            (["--no-tls", "-C", HERE], "--no-tls and --cafile exclude each other"),
        )
        self.assertRefusals(
            client,
            "uotp-client",
            ([*DESTINATION, "--no-tls", "--pin", PIN.hex()], "--no-tls and --pin exclude each other"),
            ([*DESTINATION, "--tls-servername", "a", "--no-tls"], "--no-tls and --tls-servername exclude each other"),
            ([*DESTINATION, "--no-hostname-check", "--no-tls"], "--no-tls and --no-hostname-check exclude each other"),
        )

    def test_syslogHasAFormatOfItsOwn(self) -> None:
        parent: Any = {"syslog": 1}
        for words in ([], ["--log-format", "text"]):
            options = client.Options()
            options.parent = parent
            options.parseOptions([*DESTINATION, *words])
        options = client.Options()
        options.parent = parent
        line = self.refusalOf(lambda: options.parseOptions([*DESTINATION, "--log-format", "json"]))
        self.assertIn("--log-format json and twistd's --syslog exclude each other", line)

    def test_aKeyWithoutACertificateIsOfNoUse(self) -> None:
        self.assertRefusals(client, "uotp-client", ([*DESTINATION, "-k", HERE], "--key needs --cert"))

    def test_aServerWithoutACertificateIsToldHowToMakeOne(self) -> None:
        reason = "a server needs --cert: `uotp cert DIR` makes one, with a private CA; or give --no-tls"
        self.assertRefusals(server, "uotp-server", (DESTINATION, reason), ([*DESTINATION, "-C", HERE], reason))

    def test_theHostNameIsNotCheckedOnlyWithACa(self) -> None:
        """
        Otherwise anybody's certificate would do; a pin does not change that.
        """
        reason = "--no-hostname-check needs --cafile: without both, anybody's certificate would do"
        self.assertRefusals(
            client,
            "uotp-client",
            ([*DESTINATION, "--no-hostname-check"], reason),
            ([*DESTINATION, "--no-hostname-check", "--pin", PIN.hex()], reason),
        )

    def test_aNameToCheckAndNoCheckOfTheNameExcludeEachOther(self) -> None:
        reason = "--no-hostname-check and --tls-servername exclude each other"
        words = [*DESTINATION, "--no-hostname-check", "--tls-servername", "a"]
        self.assertRefusals(client, "uotp-client", (words, reason), ([*words, "-C", HERE], reason))


class ServiceTestCase(CommandTestCase):
    """
    Has a reactor of its own in the place of the global one, and leaves nothing of the process changed.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reactor = MemoryReactor()
        self.replaceReactor(self.reactor)
        self.patch(Logger, "threshold", LogLevel.info)
        self.patch(sys, "excepthook", sys.excepthook)
        self.log: Any = RecordingProcessLog()
        self.processLogs: list[RecordingProcessLog] = []
        self.patch(common, "ProcessLog", self.processLog)
        self.collecting: list[str] = []
        self.patch(GarbageCollection, "start", lambda _: self.collecting.append("start"))
        self.patch(GarbageCollection, "stop", lambda _: self.collecting.append("stop"))
        self.limitsRaised: list[bool] = []
        self.patch(common, "raiseDescriptorLimit", lambda: self.limitsRaised.append(True))
        self.signals: dict[int, Callable[..., object]] = {}
        self.patch(signal, "signal", self.signals.__setitem__)

    def processLog(self, publisher: Any, clock: Any, **choices: Any) -> Any:
        """
        @return: a log of the process, whose files are closed in the end.
        """
        log = RecordingProcessLog(publisher, clock, **choices)
        self.processLogs.append(log)
        self.addCleanup(lambda: [logFile.close() for logFile in log.files])
        return log

    def parsed(self, module: ModuleType, *words: str) -> Any:
        """
        @return: the options of one end.
        """
        options = module.Options()
        options.parseOptions([*DESTINATION, *words])
        return options

    def path(self, content: bytes) -> str:
        """
        @return: the absolute name of a new file with this content.
        """
        path = Path(os.path.abspath(self.mktemp()))
        path.write_bytes(content)
        return str(path)


class MakeServiceTests(ServiceTestCase):
    """
    C{makeService} only translates options into a call of the plain functions.
    """

    BUFFERS = (
        *("--unsent-limit", "4K", "--congestion", "cubic", "--mss", "1200", "--udp-buffer", "1M"),
        *("--memory", "16M", "--control", "/c.sock", "--metrics", "127.0.0.1:9100"),
        *("--workers", "auto"),
        *("--alpn", "none", "--pad"),
        *("--wire", "2", "--reorder", "off", "--duplicate", "always"),
    )

    def callOf(self, module: ModuleType, function: str, *words: str) -> tuple[Any, dict[str, Any]]:
        """
        @return: what the plain function was called with.
        """
        calls: list[tuple[Any, dict[str, Any]]] = []

        def make(destination: Any, **arguments: Any) -> RecordingService:
            calls.append((destination, arguments))
            return RecordingService()

        self.patch(module, function, make)
        module.makeService(self.parsed(module, *words))
        self.assertEqual(len(calls), 1)
        return calls[0]

    def test_theServersOptionsReachTheServer(self) -> None:
        words = ["-a", "::1", "-p", "1", "--linger", "2", "-c", "/c", "-k", "/k", "-C", "/C", *self.BUFFERS]
        words += ["--crl", "/L", "--clients", "/P", "--token-file", "/T"]
        words += ["--http-path", "/a-secret-path", "--fallback", "localhost:8080"]
        words += ["--max-sessions", "7", "--max-connections", "99", "--owner-share", "50"]
        words += ["--proxy-protocol", "192.0.2.7", "--proxy-protocol", "2001:db8::/64"]
        destination, arguments = self.callOf(server, "serverService", *words)
        self.assertEqual(destination, ("example.com", 8443))
        self.assertEqual(
            arguments,
            {
                "tls": ServerTls(*(os.path.abspath(file) for file in ("/c", "/k", "/C", "/L", "/P"))),
                "tokenFile": os.path.abspath("/T"),
                "httpPath": "/a-secret-path",
                "fallback": ("localhost", 8080),
                "listen": ("::1", 1),
                "linger": 2.0,
                "maxSessions": 7,
                "maxConnections": 99,
                "ownerShare": 50,
                "proxyProtocol": (ip_network("192.0.2.7"), ip_network("2001:db8::/64")),
                "unsentLimit": 4096,
                "congestion": "cubic",
                "mss": 1200,
                "udpBuffer": 1024 * 1024,
                "memory": 16 << 20,
                "workers": None,
                "wire": WireChoice.TWO,
                "alpn": (),
                "pad": True,
                "reorder": Order(OrderMode.OFF),
                "duplicate": Duplicate.ALWAYS,
                "control": ControlPlace("/c.sock"),
                "metrics": ("127.0.0.1", 9100),
                "reactor": self.reactor,
            },
        )

    def test_theControlSocketIsWhereItIsSaidOrUsual(self) -> None:
        """
        The user that twistd is to become may use it.
        """
        usual: list[str | None] = ["/run/uotp"]
        self.patch(common, "usualDirectory", lambda *_: usual[0])
        for words, parent, place in (
            ([], None, ControlPlace(directory="/run/uotp")),
            ([], {"uid": 7}, ControlPlace(directory="/run/uotp", owner=7)),
            (["--control", "/x"], {"uid": 7}, ControlPlace("/x", owner=7)),
            (["--control", "off"], {"uid": 7}, None),
        ):
            options = self.parsed(server, "--no-tls", *words)
            options.parent = parent
            self.assertEqual(options.serviceArguments()["control"], place)
        usual[0] = None
        self.assertIsNone(self.parsed(server, "--no-tls").serviceArguments()["control"])

    def test_theClientsOptionsReachTheClient(self) -> None:
        destination, arguments = self.callOf(
            client,
            "clientService",
            *["-a", "::1", "-p", "1", "-e", "2", "-n", "3", "--min-pool", "2", "-B", "4.5", "-w", "6", "-R", "-m", "7"],
            *["--max-age", "3600", "--max-bytes", "2G", "--allow", "::1", "--state-directory", "/S"],
            *["--proxy", "https://p", "--proxy-auth-file", "/A", "--proxy-cafile", "/P"],
            *["-c", "/c", "-k", "/k", "-C", "/C", "--tls-servername", "name", "--pin", PIN.hex()],
            *["--token-file", "/T"],
            *self.BUFFERS,
        )
        self.assertEqual(destination, (ServerPlace("example.com", 8443),))
        files = {"cert": "/c", "key": "/k", "cafile": "/C", "tokenFile": "/T"}
        absolute = {name: os.path.abspath(file) for name, file in files.items()}
        self.assertEqual(
            arguments,
            {
                "tls": ClientTls(**absolute, serverName="name", pins=(PIN,)),  # type: ignore[arg-type]
                "listen": ("::1", 1),
                "expire": 2.0,
                "poolSize": 3,
                "minPool": 2,
                "backoff": 4.5,
                "timeout": 6.0,
                "resolveOnce": True,
                "stateDirectory": "/S",
                "mark": 7,
                "proxy": ProxyPlace(ProxyKind.HTTPS, "p", 443),
                "proxyAuthFile": "/A",
                "proxyCafile": "/P",
                "maxAge": 3600.0,
                "maxBytes": 2 << 30,
                "allow": (ip_network("::1"),),
                "unsentLimit": 4096,
                "congestion": "cubic",
                "mss": 1200,
                "udpBuffer": 1024 * 1024,
                "memory": 16 << 20,
                "workers": None,
                "wire": WireChoice.TWO,
                "alpn": (),
                "pad": True,
                "reorder": Order(OrderMode.OFF),
                "duplicate": Duplicate.ALWAYS,
                "control": ControlPlace("/c.sock"),
                "metrics": ("127.0.0.1", 9100),
                "reactor": self.reactor,
            },
        )

    def test_bindAddressMayBeRepeated(self) -> None:
        """
        At both ends; all have one port.
        """
        for module, function, needed, usual in (
            (client, "clientService", ["--no-tls"], ("localhost", 9)),
            (server, "serverService", ["--no-tls"], ("0.0.0.0", 9)),  # noqa: S104 - what is documented
        ):
            words = [*needed, "-p", "9"]
            self.assertEqual(self.callOf(module, function, *words)[1]["listen"], usual)
            arguments = self.callOf(module, function, *words, "-a", "192.0.2.7", "--bind-address=::1")[1]
            self.assertEqual(arguments["listen"], (("192.0.2.7", 9), ("::1", 9)))

    def test_tooManyAddressesAreRefused(self) -> None:
        words = [word for number in range(33) for word in ("-a", f"192.0.2.{number}")]
        for module, name in ((client, "client"), (server, "server")):
            options = self.parsed(module, "--no-tls", *words)
            line = self.refusalOf(lambda module=module, options=options: module.makeService(options))  # type: ignore[misc]
            self.assertEqual(
                line, f"uotp-{name}: --bind-address has more than 32 addresses: 0.0.0.0 and :: stand for all"
            )

    def test_withoutAnyOptionTheServerIsVerified(self) -> None:
        """
        By the system's CAs and by name: only what is said relaxes it.
        """
        self.assertEqual(self.callOf(client, "clientService")[1]["tls"], ClientTls(hostnameCheck=True))
        words = ["--no-hostname-check", "-C", HERE]
        relaxed = self.callOf(client, "clientService", *words)[1]["tls"]
        self.assertEqual(relaxed, ClientTls(cafile=HERE, hostnameCheck=False))

    def test_plainTcpHasToBeSaid(self) -> None:
        self.assertIsNone(self.callOf(client, "clientService", "--no-tls")[1]["tls"])
        self.assertIsNone(self.callOf(server, "serverService", "--no-tls")[1]["tls"])

    def test_realFilesMakeRealServices(self) -> None:
        authority = Authority("Test CA")
        issued = authority.issue("example.com")
        both = self.path(issued.certificatePem() + issued.keyPem())
        cafile = self.path(pem(authority.certificate))
        for module, name in ((server, "uotp-server"), (client, "uotp-client")):
            service = module.makeService(self.parsed(module, "-c", both, "-C", cafile))
            self.assertEqual([end.commandName for end in service], [name])
        self.assertEqual(self.err.getvalue(), "")

    def test_filesThatCannotBeUsedAreOneLineAndStatus2(self) -> None:
        authority = Authority("Test CA")
        issued, another = authority.issue("example.com"), authority.issue("example.com")
        certificate, key = self.path(issued.certificatePem()), self.path(issued.keyPem())
        strangeKey, junk = self.path(another.keyPem()), self.path(b"junk\n")
        missing = os.path.abspath("missing.pem")
        for module in (server, client):
            for words, named in (
                (["-c", missing], missing),
                (["-c", junk], junk),
                (["-c", certificate], certificate),  # which has no key in it
                (["-c", certificate, "-k", missing], missing),
                (["-c", certificate, "-k", strangeKey], strangeKey),
                (["-c", certificate, "-k", key, "-C", missing], missing),
                (["-c", certificate, "-k", key, "-C", junk], junk),
            ):
                options = self.parsed(module, *words)
                line = self.refusalOf(lambda module=module, options=options: module.makeService(options))  # type: ignore[misc]
                self.assertTrue(line.startswith(f"{options.commandName}: "), line)
                self.assertIn(named, line)

    def test_aCongestionControlThatCannotBeHadIsOneLineAndStatus2(self) -> None:
        asked: list[str] = []

        def refuse(name: str) -> None:
            asked.append(name)
            reason = f"--congestion {name}: not here"
            raise ConfigurationError(reason)

        self.patch(settings, "checkCongestion", refuse)
        for module, name in ((server, "uotp-server"), (client, "uotp-client")):
            options = self.parsed(module, "--no-tls", "--congestion", "vegas")
            line = self.refusalOf(lambda module=module, options=options: module.makeService(options))  # type: ignore[misc]
            self.assertEqual(line, f"{name}: --congestion vegas: not here")
        self.assertEqual(asked, ["vegas"] * 2)

    def test_withoutThatOptionTheKernelIsNotAskedForAny(self) -> None:
        """
        It may be one that does not let us choose.
        """
        self.patch(sockopts, "TCP_CONGESTION", None)
        for module in (server, client):
            module.makeService(self.parsed(module, "--no-tls"))

    def test_aServerNameThatNoCertificateCouldHaveIsRefusedAtOnce(self) -> None:
        """
        It is not left to be found with the first datagram, over and over.
        """
        for host in ("[example.com]", "example.com:8443", "*.example.com", "a,b"):
            options = client.Options()

            def make(host: str = host, options: client.Options = options) -> None:
                options.parseOptions([host, "8443"])
                client.makeService(options)

            line = self.refusalOf(make)
            self.assertIn(host, line)


class SpellingTests(ServiceTestCase):
    """
    Errors and log lines of the whole program name the options of its command line.
    """

    COMMON = {
        "listen": "--bind-address",
        "cert": "--cert",
        "key": "--key",
        "cafile": "--cafile",
        "unsentLimit": "--unsent-limit",
        "tokenFile": "--token-file",
        "congestion": "--congestion",
        "mss": "--mss",
        "udpBuffer": "--udp-buffer",
        "memory": "--memory",
        "workers": "--workers",
        "wire": "--wire",
        "alpn": "--alpn",
        "pad": "--pad",
        "reorder": "--reorder",
        "duplicate": "--duplicate",
        "control": "--control",
        "metrics": "--metrics",
        "tls=None": "--no-tls",
    }
    SERVER = {
        **COMMON,
        "crl": "--crl",
        "clients": "--clients",
        "httpPath": "--http-path",
        "fallback": "--fallback",
        "linger": "--linger",
        "maxSessions": "--max-sessions",
        "maxConnections": "--max-connections",
        "ownerShare": "--owner-share",
        "proxyProtocol": "--proxy-protocol",
    }
    CLIENT = {
        **COMMON,
        "expire": "--expire",
        "poolSize": "--pool-size",
        "minPool": "--min-pool",
        "backoff": "--backoff",
        "timeout": "--timeout",
        "resolveOnce": "--resolve-once",
        "stateDirectory": "--state-directory",
        "mark": "--mark",
        "proxy": "--proxy",
        "proxyAuthFile": "--proxy-auth-file",
        "proxyCafile": "--proxy-cafile",
        "maxAge": "--max-age",
        "maxBytes": "--max-bytes",
        "serverName": "--tls-servername",
        "pins": "--pin",
        "allow": "--allow",
        "hostnameCheck=False": "--no-hostname-check",
    }

    def test_whatIsMadeSpeaksInOptions(self) -> None:
        """
        From before anything is made: all settings that there are, by their options.
        """
        for module, spellings in ((server, self.SERVER), (client, self.CLIENT)):
            seen: list[object] = []

            def make(_: Any, seen: list[object] = seen) -> RecordingService:
                seen.append(Spelling.spellings)
                return RecordingService()

            commandService(self.parsed(module, "--no-tls"), make)
            self.assertEqual(seen, [spellings])
            known = {
                field.name for kind in (module.Options.settingsClass, module.Options.tlsClass) for field in fields(kind)
            }
            named = {setting.partition("=")[0] for setting in spellings}
            self.assertEqual(known - named, {module.Options.destinationSetting})

    def test_errorsOfWhatTheSystemDoesNotLetUsDo(self) -> None:
        self.patch(Spelling, "spellings", self.CLIENT)
        self.patch(sockopts, "TCP_CONGESTION", None)
        error = self.assertRaises(ConfigurationError, sockopts.checkCongestion, "bbr")
        self.assertEqual(str(error), "--congestion bbr: this system does not let a program choose")

        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        self.patch(sockopts, "SO_MARK", 36)
        self.patch(socket, "socket", lambda *_: nullcontext())
        self.patch(sockopts, "setMark", refuse)
        refused = self.assertRaises(StartError, sockopts.checkMark, 0xCA6C)
        self.assertEqual(str(refused), "--mark 0xca6c: Operation not permitted; it needs root or CAP_NET_ADMIN")
        self.patch(sockopts, "SO_MARK", None)
        error = self.assertRaises(ConfigurationError, sockopts.requireMarks)
        self.assertEqual(str(error), "--mark: only Linux has firewall marks")

    def test_errorsOfWhatIsTrusted(self) -> None:
        self.patch(Spelling, "spellings", self.CLIENT)
        for choices, words in (
            (ClientTls(key="k"), "--key is of no use without --cert"),
            (
                ClientTls(hostnameCheck=False),
                "--no-hostname-check needs --cafile: otherwise any certificate of any public CA would do",
            ),
            (
                ClientTls(cafile="c", hostnameCheck=False, serverName="a"),
                "--no-hostname-check and --tls-servername exclude each other",
            ),
            (ClientTls(pins=(b"",)), "--pin takes the SHA-256 of a public key, 32 bytes"),
            (ClientTls(serverName="a b"), "--tls-servername 'a b': a host name or an IP address is needed"),
        ):
            error = self.assertRaises(ConfigurationError, ClientCredentials, choices)
            self.assertEqual(str(error), words)

    def test_whatTheLogSaysOfPeers(self) -> None:
        self.patch(Spelling, "spellings", self.SERVER)
        words = "it speaks TLS, and --no-tls was said here: say that at both ends or at none"
        self.assertEqual(foreignSpeech(b"\x16\x03\x01" + bytes(13)), words)
        alert = SSL.Error([("SSL routines", "", "tlsv13 alert certificate required")])
        self.assertEqual(errorWords(alert, None, "server"), "the server wants a client certificate (--cert)")

    def test_whatTheLogSaysAtTheStart(self) -> None:
        """
        A server that lets in everybody warns of it, and says why if that can be changed.
        """
        self.patch(serverservice, "listen", listenInMemory)
        issued = Authority("Test CA").issue("example.com")
        both = self.path(issued.certificatePem() + issued.keyPem())
        for words, cause in (
            (["--no-tls"], "there is no certificate in plain TCP, and no --token-file"),
            (["--cert", both], "no --cafile, --clients or --token-file says who may"),
        ):
            service = server.makeService(self.parsed(server, *words))
            with capturedLogs() as events:
                service.privilegedStartService()
                service.startService()
                self.addCleanup(service.stopService)
            said = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
            self.assertIn(f"whoever reaches this port can reach the target: {cause}", said)

    def test_aServerSaysWhichListItDoesNotUse(self) -> None:
        self.patch(serverservice, "listen", listenInMemory)
        authority, folder = Authority("Test CA"), Path(os.path.abspath(self.mktemp()))
        issued = authority.issue("example.com")
        both = self.path(issued.certificatePem() + issued.keyPem())
        folder.mkdir()
        (folder / "ca.pem").write_bytes(pem(authority.certificate))
        (folder / "crl.pem").write_bytes(authority.revocationList())
        service = server.makeService(self.parsed(server, "--cert", both, "-C", str(folder / "ca.pem")))
        with capturedLogs() as events:
            service.privilegedStartService()
            service.startService()
            self.addCleanup(service.stopService)
        said = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
        words = "is not used: whoever is revoked there still gets in; give it by --crl"
        self.assertIn(f"{folder}/crl.pem beside {folder}/ca.pem {words}", said)


class CommandServiceTests(ServiceTestCase):
    """
    What belongs to a process of its own is done once the values are known.
    """

    def made(self, *words: str, end: RecordingService | None = None) -> EndService:
        """
        @return: the service of a server with these options.
        """
        return commandService(self.parsed(server, "--no-tls", *words), lambda _: end or RecordingService())

    def handIn(self, *pairs: tuple[str, int], error: ConfigurationError | None = None) -> None:
        """
        Let a service manager hand in sockets.

        @param error: why they cannot be used.
        """

        def take(environment: object, transport: str, pid: int) -> GivenSockets:
            self.assertEqual((environment, transport, pid), ({}, "TCP", os.getpid()))
            if error is not None:
                raise error
            return GivenSockets({pair: [] for pair in pairs})

        self.patch(common, "takeGivenSockets", take)

    def test_socketsThatAreHandedInSayWhereToListen(self) -> None:
        self.handIn(("192.0.2.1", 443), ("2001:db8::1", 443))
        options = self.parsed(server, "--no-tls")
        options.takeGivenSockets({})
        self.assertEqual(options.serviceArguments()["listen"], (("192.0.2.1", 443), ("2001:db8::1", 443)))
        end = RecordingService()
        commandService(options, lambda _: end)
        self.assertIs(end.given, options.given)

    def test_whereToListenIsSaidByOneOfThem(self) -> None:
        """
        By the sockets that are handed in, or by the options.
        """
        self.handIn(("192.0.2.1", 443))
        for words, name in ((["-p", "8444"], "bind-port"), (["-a", "192.0.2.2"], "bind-address")):
            options = self.parsed(server, "--no-tls", *words)
            line = self.refusalOf(lambda options=options: options.takeGivenSockets({}))  # type: ignore[misc]
            self.assertIn(f"says where to listen: leave --{name} out", line)
        self.handIn()
        options = self.parsed(server, "--no-tls", "-p", "8444")
        options.takeGivenSockets({})
        self.assertEqual(options.serviceArguments()["listen"][1], 8444)

    def test_socketsThatCannotBeUsedAreRefused(self) -> None:
        self.handIn(error=ConfigurationError("descriptor 3 (web) is no socket"))
        line = self.refusalOf(lambda: self.parsed(server, "--no-tls").takeGivenSockets({}))
        self.assertIn("descriptor 3 (web) is no socket", line)

    def test_theClockIsChosenBeforeAnythingIsMade(self) -> None:
        """
        So that no timer can follow the wall clock, and whoever makes a timer has this reactor.
        """
        seen: list[object] = []

        def make(reactor: Any) -> RecordingService:
            seen.extend([reactor, reactor.seconds, Logger.threshold])
            return RecordingService()

        commandService(self.parsed(server, "--no-tls", "-v", "warn"), make)
        self.assertEqual(seen, [self.reactor, time.monotonic, LogLevel.warn])

    def test_theLogBeginsWithWhoWeAre(self) -> None:
        """
        As soon as anything is said: who cannot start at all says why, and nothing else.
        """
        with capturedLogs() as events:
            self.made()
            self.assertEqual(events, [])
            self.processLogs[-1].first()
        (line,) = [str(formatEvent(event)) for event in events]
        self.assertTrue(line.startswith(f"uotp-server {uotp.__version__} on "), line)

    def test_aPidFileThatWasRemovedIsSaid(self) -> None:
        options = self.parsed(server, "--no-tls")
        options.stalePidFile = "x.pid"
        with capturedLogs() as events:
            commandService(options, lambda _: RecordingService())
        words = "the pid file x.pid was left by a process that is gone, and was removed"
        self.assertEqual([formatEvent(event) for event in events], [words])

    def test_theDescriptorLimitIsRaised(self) -> None:
        self.made()
        self.assertEqual(self.limitsRaised, [True])

    def test_theEndIsPartOfTheService(self) -> None:
        end = RecordingService()
        service = self.made(end=end)
        self.assertIs(end.parent, service)
        service.startService()
        self.assertTrue(end.running)
        self.successResultOf(service.stopService())
        self.assertFalse(end.running)

    def test_theServiceManagerIsToldWhatIsWaitedFor(self) -> None:
        """
        In words of the end's.
        """
        service = self.made()
        assert service.announcement is not None
        words = service.announcement._preparing, service.announcement._unready
        self.assertEqual(words, ("getting ready", "it is not ready"))

    def test_namesAreLookedUpAheadOfAChroot(self) -> None:
        """
        There the resolver's files are missing.  twistd goes there after it has made the service.
        """

        def makeEnd(end: RecordingService, _: Any) -> RecordingService:
            return end

        for chroot, journal in ((None, []), ("/srv/empty", ["look up", "open"])):
            end = RecordingService()
            options = self.parsed(server, "--no-tls")
            options.parent = {"chroot": chroot}
            commandService(options, partial(makeEnd, end))
            self.assertEqual(end.journal, journal)

    def test_whatIsNeededBeforeAChrootEndsTheStart(self) -> None:
        end = RecordingService()

        def openAhead() -> None:
            reason = "--control /x: another program answers there"
            raise StartError(reason)

        self.patch(end, "openAhead", openAhead)
        options = self.parsed(server, "--no-tls")
        options.parent = {"chroot": "/srv/empty"}
        self.assertEqual(self.statusOf(lambda: commandService(options, lambda _: end)), START_EXIT_STATUS)
        self.assertEqual(self.err.getvalue(), "uotp-server: --control /x: another program answers there\n")

    def test_withALogfileTheLogGoesThereToo(self) -> None:
        path = self.path(b"")
        self.made("-l", path)
        self.made()
        first, second = self.processLogs
        self.assertEqual(([logFile.path for logFile in first.files], second.files), ([path], []))

    def test_theLogIsThatOfTheWholeProcess(self) -> None:
        self.made()
        (log,) = self.processLogs
        self.assertEqual((log.publisher, log.clock), (globalLogPublisher, self.reactor.seconds))

    def test_threadsWaitUntilTwistdHasMadeADaemon(self) -> None:
        """
        They would stay behind in the process that is left.  C{twist} has no daemons.
        """
        for parent, journal in (({"nodaemon": 1}, ["begin"]), ({"nodaemon": 0}, []), ({}, ["begin"])):
            options = self.parsed(server, "--no-tls")
            options.parent = parent
            service = commandService(options, lambda _: RecordingService())
            self.assertEqual(self.processLogs[-1].journal, journal)
            service.privilegedStartService()
            self.assertEqual(self.processLogs[-1].journal[-1], "begin")

    def test_aLogfileThatCannotBeWrittenIsOneLineAndStatus2(self) -> None:
        path = os.path.join(os.path.abspath(self.mktemp()), "log")
        line = self.refusalOf(lambda: self.made("-l", path))
        self.assertEqual(line, f"uotp-server: --logfile {path}: No such file or directory")

        def logFile(_: str) -> Any:
            reason = "not seekable"
            raise OSError(reason)

        self.patch(common, "LogFile", logFile)  # some errors have no number
        self.assertEqual(self.refusalOf(lambda: self.made("-l", path)), f"uotp-server: --logfile {path}: not seekable")

    def test_anEndThatCannotBeMadeIsOneLineAndStatus2(self) -> None:
        """
        In the words of the error, whether it is the user's or the system's; the log file has nothing to do with it.
        """
        for error, words in (
            (ConfigurationError("the pool size is 0"), "the pool size is 0"),
            (OSError(24, "Too many open files"), "cannot start: Too many open files"),
            (OSError("no reason given"), "cannot start: no reason given"),
        ):

            def make(_: Any, error: Exception = error) -> RecordingService:
                raise error

            options = self.parsed(server, "--no-tls", "-l", self.path(b""))
            line = self.refusalOf(lambda options=options, make=make: commandService(options, make))  # type: ignore[misc]
            self.assertEqual(line, f"uotp-server: {words}")


class EndServiceTests(ServiceTestCase):
    """
    Send signals to an end, reload it, and stop it.
    """

    def running(self, end: RecordingService | None = None) -> EndService:
        """
        @return: a service that has been started, in a reactor that runs.
        """
        service = EndService("uotp-x", end or RecordingService(), self.log, self.reactor)
        service.privilegedStartService()
        service.startService()
        self.signals.clear()  # as the reactor's own take their place when it runs
        for call, arguments, keywords in self.reactor.whenRunningHooks:
            call(*arguments, **keywords)
        self.reactor.running = True
        return service

    def raiseSignal(self, number: int) -> None:
        """
        Let a signal arrive.
        """
        before = self.reactor.fromThread
        self.signals[number](number, None)
        self.assertEqual(self.reactor.fromThread, before + 1)  # which wakes a reactor that waits

    def test_aStopThatIsAskedForIsAStop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self.signals.clear()
            self.running()
            self.reactor.hasStopped = False
            self.raiseSignal(number)
            self.assertTrue(self.reactor.hasStopped)

    def test_aStopThatIsAskedForBeforeTheReactorRunsIsOneToo(self) -> None:
        bound: list[set[int]] = []
        end = RecordingService()
        self.patch(end, "privilegedStartService", lambda: bound.append(set(self.signals)))
        EndService("uotp-x", end, self.log, self.reactor).privilegedStartService()
        self.assertEqual(bound, [{signal.SIGTERM, signal.SIGINT, signal.SIGHUP}])
        self.raiseSignal(signal.SIGTERM)
        self.assertTrue(self.reactor.hasStopped)

    def test_aSecondSignalWhileStoppingIsNoError(self) -> None:
        """
        Impatience is no reason for a traceback.
        """

        def stopped() -> None:
            raise ReactorNotRunning

        self.running()
        self.patch(self.reactor, "stop", stopped)
        self.raiseSignal(signal.SIGINT)

    def test_anEndThatFindsOutThatItCannotWorkEndsTheProgram(self) -> None:
        """
        With a status that says so, also under twistd, which has none.
        """
        atTheEnd: list[Any] = []
        self.patch(atexit, "register", lambda *call: atTheEnd.append(call))
        end = RecordingService()
        end.ready = Deferred()
        service = self.running(end)
        with capturedLogs() as events:
            end.ready.errback(StartError("no worker can be started"))
        self.assertEqual([formatEvent(event) for event in events], ["cannot start: no worker can be started"])
        self.assertTrue(self.reactor.hasStopped)
        self.assertEqual(service.exitStatus, START_EXIT_STATUS)
        ended: list[tuple[int, str]] = []
        self.patch(os, "_exit", lambda status: ended.append((status, self.log.journal[-1])))
        self.patch(sys, "stdout", None)
        ((atEnd,),) = atTheEnd
        atEnd()
        self.assertEqual(ended, [(START_EXIT_STATUS, "flush")])

    def test_rootThatIsGivenUpByHalfIsSaidOnce(self) -> None:
        """
        C{twistd} gives it up between binding and starting.
        """
        for byHalf, lines in ((False, 0), (True, 1)):
            self.patch(endservice, "canBecomeRoot", lambda byHalf=byHalf: byHalf)
            with capturedLogs() as events:
                self.running()
                self.raiseSignal(signal.SIGHUP)
            said = [event for event in events if event["log_level"] is LogLevel.warn]
            self.assertEqual(len(said), lines)
            for event in said:
                self.assertIn("can become root again: leave twistd's --euid out", formatEvent(event))

    def test_theCollectorIsOursFromStartToStop(self) -> None:
        """
        The process is no embedding program's.
        """
        service = self.running()
        self.assertEqual(self.collecting, ["start"])
        self.successResultOf(service.stopService())
        self.assertEqual(self.collecting, ["start", "stop"])

    def test_otherObserversAreLookedForOnceTheReactorRuns(self) -> None:
        """
        Not before: under C{twist} the log begins after the services.
        """
        service = EndService("uotp-x", RecordingService(), self.log, self.reactor)
        service.privilegedStartService()
        service.startService()
        self.assertNotIn("absorb", self.log.journal)
        for call, arguments, keywords in self.reactor.whenRunningHooks:
            call(*arguments, **keywords)
        self.assertEqual(self.log.journal[-1], "absorb")

    def test_sighupReadsTheFilesAgain(self) -> None:
        """
        What is said of it is in the new log file.
        """
        end = RecordingService()
        self.running(end)
        with capturedLogs() as events:
            self.raiseSignal(signal.SIGHUP)
        self.assertEqual((end.reloads, self.log.journal[-1]), (1, "reopen"))
        self.assertEqual([formatEvent(event) for event in events], ["reloaded"])

    def test_filesThatHaveBecomeUnusableCostNothing(self) -> None:
        self.running(RecordingService(reloadError=ConfigurationError("the file x is empty")))
        with capturedLogs() as events:
            self.raiseSignal(signal.SIGHUP)
        said = [(event["log_level"], formatEvent(event)) for event in events]
        words = "not reloaded, the old certificates stay in use: the file x is empty"
        self.assertEqual(said, [(LogLevel.error, words)])

    def test_whoAsksForAReloadIsToldWhatBecameOfIt(self) -> None:
        """
        What is asked at the control socket is what SIGHUP does.
        """
        end = RecordingService()
        self.running(end)
        assert end.reloadProgram is not None
        self.assertEqual(self.successResultOf(end.reloadProgram()), ())
        self.assertEqual((end.reloads, self.log.journal[-1]), (1, "reopen"))
        end = RecordingService(reloadError=ConfigurationError("the file x is empty"))
        self.running(end)
        assert end.reloadProgram is not None
        with capturedLogs() as events:
            reason = self.failureResultOf(end.reloadProgram(), ConfigurationError)
        self.assertEqual(str(reason.value), "the file x is empty")
        self.assertEqual(len(events), 1)

    def test_theStatusSaysThatFilesWereNotTakenUp(self) -> None:
        """
        Until they are.
        """
        end = RecordingService(reloadError=ConfigurationError("the file x is empty"))
        service = self.running(end)
        service.announcement = Announcement(ServiceNotifier({}), end.whenReady, self.reactor)
        self.raiseSignal(signal.SIGHUP)
        self.assertEqual(service.announcement.trouble, "the files were not taken up: the file x is empty")
        end.reloadError = None
        self.raiseSignal(signal.SIGHUP)
        self.assertEqual(service.announcement.trouble, "")
        assert end.tellTrouble is not None
        for reason, words in (("it is empty", "the files were not taken up: it is empty"), ("", "")):
            end.tellTrouble(reason)
            self.assertEqual(service.announcement.trouble, words)

    def test_theEndKnowsThatTheConfigurationFileIsBad(self) -> None:
        """
        Until it is not any more.
        """
        end = RecordingService()
        service = self.running(end)
        changed: list[str] | None = None

        def changedKeys() -> list[str]:
            if changed is None:
                reason = "line 3: no such key"
                raise ConfigurationError(reason)
            return changed

        service.changedKeys = changedKeys
        self.raiseSignal(signal.SIGHUP)
        self.assertEqual((end.configurationTrouble, end.reloads), ("line 3: no such key", 0))
        self.assertEqual(end.journal[-1], "follow")  # whoever says that the network has changed is heard all the same
        changed = []
        self.raiseSignal(signal.SIGHUP)
        self.assertEqual((end.configurationTrouble, end.reloads), ("", 1))

    def test_aReloadThatTakesTimeIsSaidWhenItIsDone(self) -> None:
        """
        Workers prepare new files before all of them use these.
        """
        for reason, expected in (
            (None, "reloaded"),
            (ConfigurationError("worker 2: no"), "not reloaded, the old certificates stay in use: worker 2: no"),
        ):
            end = RecordingService()
            done: Deferred[None] = Deferred()
            end.reloading = done
            self.reactor.whenRunningHooks.clear()
            self.reactor.running = False
            self.running(end)
            with capturedLogs() as events:
                self.raiseSignal(signal.SIGHUP)
                self.assertEqual(events, [])
                done.callback(None) if reason is None else done.errback(reason)
            self.assertEqual([formatEvent(event) for event in events], [expected])

    def test_reloadsThatAreAskedForMeanwhileAreOneMore(self) -> None:
        """
        Somebody sends SIGHUP again and again, while a file system hangs.  The files of the log are opened each time.
        """
        end = RecordingService()
        first: Deferred[None] = Deferred()
        end.reloading = first
        self.running(end)
        reopened = self.log.journal.count("reopen")
        with capturedLogs() as events:
            for _ in range(4):
                self.raiseSignal(signal.SIGHUP)
            self.assertEqual((end.reloads, self.log.journal.count("reopen") - reopened), (1, 4))
            end.reloading = None
            first.callback(None)
        self.assertEqual(end.reloads, 2)
        self.assertEqual([formatEvent(event) for event in events], ["reloaded"] * 2)

    def test_theConfigurationFileIsReadInAThread(self) -> None:
        """
        It may be where the others are; who stops does not wait for it.
        """
        end = RecordingService()
        service = self.running(end)
        clock, threads = Clock(), HeldThreads()
        service._aside = Aside(WithThreads(clock), threads.start)
        done = service.reload()
        self.assertEqual((end.reloads, len(threads.waiting)), (0, 1))
        threads.run()
        clock.advance(0)
        self.successResultOf(done)
        self.assertEqual(end.reloads, 1)
        done, more = service.reload(), service.reload()
        with capturedLogs() as events:
            service.stopService()
        for each in (done, more):
            self.failureResultOf(each, ConfigurationError)
        self.assertEqual([formatEvent(event) for event in events], ["stopping"])
        threads.run()
        clock.advance(0)
        self.assertEqual((end.reloads, threads.waiting, clock.getDelayedCalls()), (1, [], []))

    def test_aReloadThatFailsOtherwiseIsLogged(self) -> None:
        """
        With all that there is to know of it.
        """
        end = RecordingService()
        done: Deferred[None] = Deferred()
        end.reloading = done
        self.running(end)
        self.raiseSignal(signal.SIGHUP)
        done.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_serviceManagerHearsOfStartReloadAndStop(self) -> None:
        """
        Of the start when the reactor runs, and not before.
        """
        told: list[str] = []
        for name in ("begin", "end"):
            self.patch(Announcement, name, lambda _, name=name: told.append(name))

        def around(_: object, reload: Callable[[], Deferred[None]]) -> Deferred[None]:
            told.append("reload")
            return reload()

        self.patch(Announcement, "around", around)
        end = RecordingService(journal=told)
        service = commandService(self.parsed(server, "--no-tls"), lambda _: end)
        service.privilegedStartService()
        service.startService()
        self.assertEqual(told, ["bind", "start"])
        for call, arguments, keywords in self.reactor.whenRunningHooks:
            call(*arguments, **keywords)
        self.raiseSignal(signal.SIGHUP)
        self.successResultOf(service.stopService())
        self.assertEqual(told[2:], ["begin", "reload", "end", "stop"])
        self.assertEqual(end.reloads, 1)

    def test_aStopIsSaid(self) -> None:
        service = self.running()
        with capturedLogs() as events:
            self.successResultOf(service.stopService())
        self.assertEqual([formatEvent(event) for event in events], ["stopping"])


class StartErrorTests(ServiceTestCase):
    """
    What the machine does not let us do is one line, never a traceback.
    """

    def failing(self, error: Exception) -> EndService:
        """
        @return: a service that cannot start.
        """
        return EndService("uotp-x", RecordingService(startError=error), self.log, self.reactor)

    def test_uncaughtItIsOneLine(self) -> None:
        error = self.assertRaises(StartError, self.failing(StartError("the port is taken")).privilegedStartService)
        sys.excepthook(StartError, error, error.__traceback__)
        self.assertEqual(self.err.getvalue(), "uotp-x: the port is taken\n")

    def test_otherErrorsAreShownAsEver(self) -> None:
        shown: list[object] = []
        self.patch(sys, "excepthook", lambda *error: shown.append(error))
        bug = LookupError("bug")
        self.assertRaises(LookupError, self.failing(bug).privilegedStartService)
        sys.excepthook(LookupError, bug, None)
        self.assertEqual(shown, [(LookupError, bug, None)])
        self.assertEqual(self.err.getvalue(), "")

    def test_aPortInUseNamesAddressPortAndReason(self) -> None:
        self.patch(serverservice, "listen", listenInMemory)
        self.reactor.refusal = OSError(98, "Address already in use")
        service = server.makeService(self.parsed(server, "--no-tls", "-p", "443"))
        error = self.assertRaises(StartError, service.privilegedStartService)
        sys.excepthook(StartError, error, error.__traceback__)
        reason = "cannot listen on 0.0.0.0 port 443 (TCP): Address already in use"
        self.assertEqual(self.err.getvalue(), f"uotp-server: {reason}\n")
