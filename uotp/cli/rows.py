"""
The options that the command lines of both ends have in common.
"""

from __future__ import annotations

from uotp.cli.addresses import parseBindAddress, parseListeningPlace
from uotp.cli.options import Flag, Inline, Option, Repeated
from uotp.cli.parsers import (
    absolutePath,
    absolutePathOfLines,
    inAnyCase,
    parseBytes,
    parseCongestion,
    parseControl,
    parseListeningPort,
    parseOrder,
    parseWorkers,
    sizeInWords,
)
from uotp.duplicate import parseDuplicate
from uotp.net import (
    MAX_BUFFER_BYTES,
    MAX_SEGMENT_BYTES,
    MIN_BUFFER_BYTES,
    MIN_SEGMENT_BYTES,
    Listen,
    placesOf,
)
from uotp.process import LEAST_MEMORY_BYTES
from uotp.telemetry import parseLogFormat, parseVerbosity
from uotp.tunnel import MAX_WORKERS
from uotp.wire import parseNames, parseWire

MAX_MEMORY_BYTES = 1 << 40
"""A larger budget can only be a typing error."""

UNITS_HELP = (
    "  Times are in seconds, or have ms, s, m, h or d behind the number; sizes are in bytes, or have K, M, G or T "
    "behind it, and K is 1024."
)
"""How the help says what times and sizes are."""

parseForm = inAnyCase(parseLogFormat)
"""Parses a format of the log."""

parseLevel = inAnyCase(parseVerbosity, {"warning": "warn", "critical": "fatal"})
"""Parses a level of the log, also where Python's name for it is another."""

COMMON_ROWS = (
    Option(
        "verbosity",
        "v",
        "how much to log: debug, info, warn, error or fatal",
        parseLevel,
        default="info",
        metavar="LEVEL",
        choices=("debug", "info", "warn", "error", "fatal"),
    ),
    Option(
        "logfile",
        "l",
        "log to this file (besides twistd's own log); SIGHUP opens it again",
        absolutePath,
        metavar="FILE",
    ),
    Option(
        "log-format",
        None,
        "how lines of the log are written: text, or json",
        parseForm,
        default="text",
        metavar="FORM",
        choices=("text", "json"),
    ),
    Option(
        "cert",
        "c",
        "PEM file with our certificate, and those between it and the CA",
        absolutePath,
        "cert",
        metavar="FILE",
        inline=Inline.PEM,
    ),
    Option(
        "key",
        "k",
        "PEM file with the certificate's key; left out, it is in the file of --cert",
        absolutePath,
        "key",
        metavar="FILE",
        inline=Inline.PEM,
    ),
    Option(
        "token-file",
        None,
        "file with tokens, one on each line: a server lets in only clients that show one, and a client shows the first",
        absolutePathOfLines,
        "tokenFile",
        metavar="FILE",
        inline=Inline.LINES,
    ),
    Option(
        "unsent-limit",
        None,
        "size of what the kernel may hold of a tunnel that it has not sent yet",
        parseBytes(MIN_BUFFER_BYTES, MAX_BUFFER_BYTES),
        "unsentLimit",
        write=sizeInWords,
        metavar="SIZE",
    ),
    Option(
        "congestion",
        None,
        "congestion control of the tunnels, by the kernel's name: bbr, cubic (Linux)",
        parseCongestion,
        "congestion",
        metavar="NAME",
        choices=("bbr", "cubic"),
    ),
    Option(
        "mss",
        None,
        "the largest TCP segment of the tunnels, both ways, in bytes; otherwise the client finds out",
        parseBytes(MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES),
        "mss",
        metavar="BYTES",
    ),
    Option(
        "udp-buffer",
        None,
        "size of the buffer to ask the kernel for on each UDP socket",
        parseBytes(MIN_BUFFER_BYTES, MAX_BUFFER_BYTES),
        "udpBuffer",
        write=sizeInWords,
        metavar="SIZE",
    ),
    Option(
        "memory",
        None,
        "size of what may wait in the whole program, in all queues together",
        parseBytes(LEAST_MEMORY_BYTES, MAX_MEMORY_BYTES),
        "memory",
        write=sizeInWords,
        metavar="SIZE",
    ),
    Option(
        "workers",
        None,
        f"processes that do the work: 1 to {MAX_WORKERS}, or auto for as many as there are processors",
        inAnyCase(parseWorkers),
        "workers",
        metavar="NUMBER",
        choices=("auto",),
    ),
    Option(
        "wire",
        None,
        "wire format: 1, 2, or auto, which is the best that both ends know, and 1 without TLS",
        inAnyCase(parseWire),
        "wire",
        metavar="FORMAT",
        choices=("auto", "1", "2"),
    ),
    Option(
        "alpn",
        None,
        "names that a client offers in the TLS handshake (ALPN), and a server takes, with commas between, or none; "
        "otherwise http/1.1, as clients of the web do",
        parseNames,
        "alpn",
        metavar="NAMES",
        choices=("http/1.1", "none"),
    ),
    Option(
        "reorder",
        None,
        "which datagrams wait for those sent before them: auto (all; while the path loses, those of a light flow only "
        "for 3 ms), off (none), bulk (those above 256 bytes), or the time for all, up to 5s, in milliseconds if it has "
        "no unit; otherwise auto, and at a server as its client asks",
        parseOrder,
        "reorder",
        metavar="TIME",
        choices=("auto", "off", "bulk"),
    ),
    Option(
        "duplicate",
        None,
        "datagrams of light flows, and those of up to 256 bytes, go over two tunnels: auto (while the path loses), "
        "always (also where nothing is lost), or off; at most 128 kbit/s or 5 % of a flow; in format 2, and for what "
        "this end sends",
        inAnyCase(parseDuplicate),
        "duplicate",
        metavar="WHEN",
        choices=("auto", "always", "off"),
    ),
    Option(
        "control",
        None,
        "UNIX socket at which uotp status and the like ask, or off; otherwise one named after the port, in "
        "$RUNTIME_DIRECTORY, /run/uotp (root) or $XDG_RUNTIME_DIR/uotp",
        parseControl,
        "control",
        metavar="PATH",
        choices=("off",),
    ),
    Option(
        "metrics",
        None,
        "show metrics and a page by HTTP at this ADDRESS:PORT; a port alone is for this machine only",
        parseListeningPlace,
        "metrics",
        metavar="PLACE",
    ),
    Flag(
        "pad",
        None,
        "fill up what a tunnel sends first to one of a few lengths: its hello, and eight writes, 16 KB each at most; "
        "in format 2, and for what this end sends",
        "pad",
    ),
    Flag("no-tls", None, "plain TCP: no encryption, and anybody may take either end's place", "tls", meaning=None),
)
"""The options that both ends have."""


def listenRows(address: str, port: str, listen: Listen) -> tuple[Repeated, Option]:
    """
    Make the two options that say where an end listens.

    @param address: what the address is for.
    @param port: what the port is for.
    @param listen: the default.
    @return: the options.
    """
    places = placesOf(listen)
    usual = " and ".join(place.host for place in places)
    return (
        Repeated(
            "bind-address",
            "a",
            f"{address}; may be repeated; otherwise {usual}",
            parseBindAddress,
            "listen",
            metavar="ADDRESS",
        ),
        Option(
            "bind-port",
            "p",
            port,
            parseListeningPort,
            default=str(places[0].port),
            metavar="PORT",
        ),
    )
