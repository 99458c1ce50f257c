"""
Files that stand in a configuration file: a certificate, for example, by its text.  Each has a name of
its own, by which those who read credentials ask for it, and it is read out of the file again each time.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from functools import partial

from uotp.cli.config.document import Document, readDocument
from uotp.cli.config.faults import FaultsError
from uotp.cli.config.values import ValueFault, checked, elementWithin, elementWords, inlineText, placeIn
from uotp.cli.options import Inline, Option
from uotp.tls import DISK, CredentialFiles


def inlineName(file: str, key: str) -> str:
    """
    @return: the name of what stands in a file under a key.
    """
    return f"{file}#{key}"


class InlineFiles:
    """
    Reads files on the disk, and those that stand in a configuration file.
    """

    isOriginal = True

    def __init__(
        self, file: str, rows: Mapping[str, Option], document: Document | None = None, stamp: object = None
    ) -> None:
        """
        @param file: the configuration file.
        @param rows: the options of which it holds the file, by the name that such a file has.
        @param document: what is in the file; L{None} to look.  It counts until somebody asks how the files are now
            for the second time.
        @param stamp: what was seen of the file before the document was read; L{None} to look now.
        """
        self._file = file
        self._rows = rows
        self._document = document
        self._stamp = stamp or DISK.stamp(file)

    def now(self) -> CredentialFiles:
        """
        See L{CredentialFiles}.
        """
        document, self._document = self._document, None
        stamp = self._stamp if document else DISK.stamp(self._file)  # from before, or a change meanwhile is not seen
        try:
            return InlineFiles(self._file, self._rows, document or self._read(), stamp)
        except FaultsError:
            return self  # who reads one of them is told why

    def _read(self) -> Document:
        return readDocument(self._file, isReadAgain=True)

    def read(self, path: str, *, isReadAgain: bool = False) -> bytes:
        """
        See L{CredentialFiles}.
        """
        row = self._rows.get(path)
        if row is None:
            return DISK.read(path, isReadAgain=isReadAgain)
        try:
            document = self._document or self._read()
            value = checked(row, document.values.get(row.name, ""))
            text = inlineText(row, value, partial(document.lineOf, row.name))
        except (FaultsError, ValueFault) as error:
            raise OSError(errno.EINVAL, str(error), path) from error
        if text is None:
            raise OSError(errno.ENOENT, f"the key {row.name} has no such text any more: a restart is needed", path)
        return text.encode()

    def placeOf(self, path: str, number: int) -> tuple[int, str]:
        """
        @param number: a line of a file that stands in the configuration file.
        @return: the same line of that, and what errors call the element of an array or a table that it is, where that
            does not tell it apart from another one; otherwise nothing.
        """
        row = self._rows[path]
        try:
            document = self._document or self._read()
        except FaultsError:
            return number, ""
        value = document.values.get(row.name)
        if isinstance(value, str):
            return document.lineOfText(number, row.name), ""
        lineOf = partial(document.lineOf, row.name)
        element = elementWithin(value or [], lineOf, number)
        if element is None:
            return number, ""
        lines = [lineOf(each) for each in (value if isinstance(value, dict) else range(len(value or [])))]
        isAlone = lines.count(lineOf(element)) == 1
        return lineOf(element), "" if isAlone else elementWords(placeIn(value, element))

    def holds(self, path: str) -> bool:
        """
        @return: whether a file stands in the configuration file.
        """
        return path in self._rows

    def onDisk(self, path: str) -> str:
        """
        See L{CredentialFiles}.
        """
        return self._file if path in self._rows else path

    def stamp(self, path: str) -> object:
        """
        See L{CredentialFiles}.
        """
        isOfDocument = self._document is not None and path in self._rows
        return self._stamp if isOfDocument else DISK.stamp(self.onDisk(path))

    def meaningOf(self, path: str, data: bytes) -> bytes:
        """
        See L{CredentialFiles}.  A list in the configuration file has empty lines wherever that has other keys or
        comments, so that its own have the right numbers; whoever reads it passes them over.
        """
        row = self._rows.get(path)
        return data if row is None or row.inline is not Inline.LINES else b"\n".join(filter(None, data.split(b"\n")))

    def isOpenToAll(self, path: str) -> bool:
        """
        See L{CredentialFiles}.
        """
        return DISK.isOpenToAll(self.onDisk(path))
