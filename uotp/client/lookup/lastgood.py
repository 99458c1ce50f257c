"""
The addresses of a server to which a tunnel has opened, remembered for when its name cannot be
looked up, and on disk for the next start: at boot the name servers may be behind the very VPN
that needs the tunnel.

The file is JSON, C{{"version": 1, "host": ..., "port": ..., "addresses": [...]}}, the last one
that was good first.  Nothing of it is trusted: an address is dialled, and whoever answers has to
show the server's certificate as always.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from uotp.net import Host, dnsName
from uotp.process import StateDirectory
from uotp.telemetry import Logger, spelled

FILE_VERSION = 1
"""Of the file's form."""

MAX_REMEMBERED_HOSTS = 8
"""So many are remembered: what a name has at one time, and some that it had before."""

MAX_FILE_BYTES = 4096
"""More than that is not ours."""

LONGEST_IN_NAME = 200
"""Letters of the host in the file's name, of which file systems allow 255."""

WRITE_SECONDS = 60.0
"""
The file is written once in so long at the most: a name with hundreds of addresses, another one
at each lookup, would have it written all day.
"""


WriteElsewhere = Callable[[tuple[str, ...]], None]
"""Has good addresses written by another process, the last one that was good first."""


class LastGood:
    """
    Remembers the good addresses of one server.
    """

    _log = Logger()

    def __init__(
        self,
        server: tuple[str, int],
        directory: str | None,
        clock: Callable[[], float],
        elsewhere: WriteElsewhere | None = None,
    ) -> None:
        """
        @param server: host name and port.
        @param directory: where the file is; L{None} to forget all at the end.
        @param clock: monotonic seconds.
        @param elsewhere: takes what is to be written, where another process of ours writes the file and
            says what is wrong with it.
        """
        self._server = server
        self._elsewhere = elsewhere
        self._directory = directory
        self._clock = clock
        self._state: StateDirectory | None = None
        self._hosts: tuple[str, ...] = ()
        self._written: frozenset[str] = frozenset()
        self._writtenAt = float("-inf")
        self._hasWarned = False
        self.open()

    def open(self) -> None:
        """
        Read the file, unless that was done.
        """
        directory = self._directory
        if directory is None or self._state is not None or Host.parse(self._server[0]).address is not None:
            return
        try:
            self._state = StateDirectory(directory)
            content = self._state.read(self._file, MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            self._warn(error)
            return
        if content is None:
            return
        found = hostsIn(content, *self._server)
        self._written = frozenset(found)
        self._hosts = tuple(dict.fromkeys(self._hosts + found))[:MAX_REMEMBERED_HOSTS]
        if not found and self._elsewhere is None:
            words = "the addresses remembered in {directory}/{file} cannot be read, and are not used"
            self._log.warn(words, directory=directory, file=self._file)

    @property
    def _file(self) -> str:
        host, port = self._server
        return f"{dnsName(host)[:LONGEST_IN_NAME]}-{port}.json"

    @property
    def hosts(self) -> tuple[str, ...]:
        """
        Numeric addresses, the last one that was good first.
        """
        return self._hosts

    def note(self, host: str) -> None:
        """
        A tunnel has opened.

        @param host: the numeric address that it goes to.
        """
        if self._hosts[:1] != (host,):
            self._hosts = (host, *(each for each in self._hosts if each != host))[:MAX_REMEMBERED_HOSTS]
        self.save()

    def learn(self, hosts: Iterable[str]) -> None:
        """
        Another process of ours has found these good, the last one that was good first.
        """
        good = [each.text for each in map(Host.parse, hosts) if each.isOneHost]
        self._hosts = tuple(dict.fromkeys((*good, *self._hosts)))[:MAX_REMEMBERED_HOSTS]
        self.save()

    def save(self) -> None:
        """
        Write what was not written yet, if that may be done again.  Call this now and then.
        """
        isDue = self._clock() - self._writtenAt >= WRITE_SECONDS
        if isDue and not self._written.issuperset(self._hosts):
            self._write()

    def _write(self) -> None:
        if self._state is None:
            return
        if self._elsewhere is not None:
            self._writtenAt, self._written = self._clock(), frozenset(self._hosts)
            self._elsewhere(self._hosts)
            return
        host, port = self._server
        fields = {"version": FILE_VERSION, "host": dnsName(host), "port": port, "addresses": self._hosts}
        self._writtenAt = self._clock()
        try:
            self._state.replace(self._file, json.dumps(fields).encode("ascii") + b"\n")
        except OSError as error:
            self._warn(error)
        else:
            self._written = frozenset(self._hosts)

    def _warn(self, error: Exception) -> None:
        if self._hasWarned or self._elsewhere is not None:
            return
        self._hasWarned = True
        isOthers = isinstance(error, PermissionError)
        self._log.warn(
            "the server's addresses cannot be remembered in {directory} ({setting}): {reason}{remedyWords}",
            directory=self._directory,
            setting=spelled("stateDirectory"),
            reason=getattr(error, "strerror", None) or str(error),
            remedyWords="; it has to belong to the user that this program runs as" if isOthers else "",
        )

    def close(self) -> None:
        """
        Write what was not written yet, and let the directory go.
        """
        if self._state is None:
            return
        if not self._written.issuperset(self._hosts):
            self._write()
        self._state.close()
        self._state = None


def hostsIn(content: bytes, host: str, port: int) -> tuple[str, ...]:
    """
    @param content: of the file.
    @param host: the server's name.
    @return: the addresses in it; none when it is not such a file, or not of this server.
    """
    fields: Any = None
    if len(content) <= MAX_FILE_BYTES:
        with suppress(ValueError, RecursionError):
            fields = json.loads(content)
    if not isinstance(fields, dict) or fields.get("version") != FILE_VERSION:
        return ()
    if (fields.get("host"), fields.get("port")) != (dnsName(host), port):
        return ()
    listed = fields.get("addresses")
    hosts = [Host.parse(each) for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    return tuple(dict.fromkeys(each.text for each in hosts if each.isOneHost))[:MAX_REMEMBERED_HOSTS]
