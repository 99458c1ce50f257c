"""
The list of clients that may join: on each line the pin of a client's public key, and the name that the log
calls it by.  Lines that begin with C{#}, and empty ones, mean nothing.

    sha256//BASE64 laptop of Anna

Two lines may have the same name, as while a client gets a new key; none has the key of another.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

from uotp.errors import ConfigurationError
from uotp.process import Pausing, noPause
from uotp.tls.files import CredentialFiles
from uotp.tls.pem import readFile
from uotp.tls.pins import PIN_BYTES, parsePin
from uotp.tls.reasons import plainText

LIST_BYTES = 6 << 20
"""
A longer list is refused.  Each of L{MOST_CLIENTS} lines may have 96 bytes: a pin of 64 hexadecimal digits, a space, a
name of 30 letters and the end of the line.
"""

MOST_CLIENTS = 65536
"""So many clients may be listed: it takes some 0.2 s to read them, and 12 MB to keep them."""

NAME_LETTERS = 64
"""As long as the name of a client may be, as a common name in a certificate."""

COMMENT = "#"

OPENSSL_PREFIX = "sha256//"


@dataclass(frozen=True, slots=True)
class ClientList:
    """
    Knows which clients may join.

    @ivar file: where they are listed.
    @ivar names: what each is called, by the L{publicKeyPin} of its certificate.
    """

    file: str
    names: Mapping[bytes, str]


def readClients(path: str, files: CredentialFiles, pause: Pausing = noPause) -> ClientList:
    """
    @param files: where the list is.
    @param pause: called for each line.
    @return: what it says.
    @raise ConfigurationError: when it cannot be read, or a line of it cannot.
    """
    data = readFile(path, "list of clients", files)
    if len(data) > LIST_BYTES:
        message = f"the list of clients {path} has more than {LIST_BYTES >> 20} MiB"
        raise ConfigurationError(message)
    names: dict[bytes, str] = {}
    for number, line in enumerate(BytesIO(data), 1):
        pause()
        try:
            found = _entryOf(line)
        except ValueError as problem:
            message = f"the list of clients {path}, line {number}: {problem}"
            raise ConfigurationError(message) from problem
        if found is None:
            continue
        pin, name = found
        if pin in names:
            message = f"the list of clients {path}, line {number}: the key of {names[pin]!r} is there already"
            raise ConfigurationError(message)
        names[pin] = name
        if len(names) > MOST_CLIENTS:
            message = f"the list of clients {path} has more than {MOST_CLIENTS} clients"
            raise ConfigurationError(message)
    return ClientList(path, names)


def _entryOf(line: bytes) -> tuple[bytes, str] | None:
    """
    @return: the pin and the name of a line, or L{None} for one that means nothing.
    @raise ValueError: for a line that cannot be read, in words.
    """
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        message = "it is no text in UTF-8"
        raise ValueError(message) from None
    if not text or text.startswith(COMMENT):
        return None
    word, _, name = text.partition(" ")
    pin, name = _pinOf(word), name.strip()
    if not name:
        message = "there is no name behind the pin"
        raise ValueError(message)
    if len(name) > NAME_LETTERS or not name.isprintable():
        message = f"a name has up to {NAME_LETTERS} letters that can be printed, and this is {plainText(name)!r}"
        raise ValueError(message)
    return pin, name


def _pinOf(word: str) -> bytes:
    """
    @return: the pin, soon where it is written as `uotp cert` and openssl print it.
    """
    pin = b""
    with suppress(binascii.Error, ValueError):
        if word.startswith(OPENSSL_PREFIX):
            pin = base64.b64decode(word[len(OPENSSL_PREFIX) :], validate=True)
        elif len(word) == 2 * PIN_BYTES:
            pin = bytes.fromhex(word)
    return pin if len(pin) == PIN_BYTES else parsePin(word)
