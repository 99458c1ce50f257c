"""
The file of a control socket: nobody else may ever use it, and nobody's is taken.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from uotp.monitoring import controlsocket
from uotp.monitoring.controlsocket import ABANDONED_SECONDS, ControlSocket, PathTaken, listenAt, sweep


class SocketTestCase(SynchronousTestCase):
    """
    Has a directory with a short name, since the path of a socket has a bound.
    """

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="uotp-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = str(self.directory / "server-8443.sock")

    def listen(self, path: str | None = None) -> ControlSocket:
        """
        @return: a control socket, which is closed in the end.
        """
        made = listenAt(path or self.path)
        self.addCleanup(made.close)
        return made

    def connect(self) -> socket.socket:
        """
        @return: what has connected to it.
        """
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(made.close)
        made.connect(self.path)
        return made

    def names(self) -> list[str]:
        """
        @return: what is in the directory.
        """
        return sorted(each.name for each in self.directory.iterdir())


class ControlSocketTests(SocketTestCase):
    """
    Make, replace and remove the file.
    """

    def test_onlyItsOwnerMayUseIt(self) -> None:
        """
        Whatever the umask is, and from the moment on at which it has its name.
        """
        modes: list[int] = []
        link = os.link

        def watched(made: str, path: str) -> None:
            modes.append(stat.S_IMODE(os.stat(made).st_mode))
            modes.append(stat.S_IMODE(os.stat(os.path.dirname(made)).st_mode))
            link(made, path)

        self.patch(os, "link", watched)
        for umask in (0, 0o077, 0o177):
            before = os.umask(umask)
            try:
                made = self.listen()
            finally:
                os.umask(before)
            self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
            self.assertEqual(modes, [0o600, 0o700 & ~umask])
            modes.clear()
            self.assertEqual(self.names(), ["server-8443.sock"])
            made.close()
            self.assertEqual(self.names(), [])

    def test_whoeverConnectsIsAccepted(self) -> None:
        made = self.listen()
        self.connect().sendall(b"hello")
        accepted, _ = made.socket.accept()
        with accepted:
            self.assertEqual(accepted.recv(9), b"hello")

    def test_whatADeadProgramHasLeftIsReplaced(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
            left.bind(self.path)
            left.listen(1)
        self.listen()
        self.connect()
        self.assertEqual(self.names(), ["server-8443.sock"])

    def test_thatOfALivingOneIsLeftAlone(self) -> None:
        """
        Also when it is so busy that nobody can connect.
        """
        living = self.listen()
        with living.socket as held:
            self.assertRaises(PathTaken, listenAt, self.path)
            held.listen(0)  # and one waits already
            error = self.assertRaises(PathTaken, listenAt, self.path)
            self.assertEqual(error.strerror, "another program answers there")
            self.assertEqual(self.names(), ["server-8443.sock"])

    def test_anythingElseIsLeftAlone(self) -> None:
        """
        A file of that name, a link, a directory.
        """
        elsewhere = self.directory / "elsewhere"
        elsewhere.write_text("precious")
        for make in (
            lambda: Path(self.path).write_text("precious"),
            lambda: os.symlink(elsewhere, self.path),
            lambda: os.symlink(self.directory / "nowhere", self.path),
        ):
            make()
            error = self.assertRaises(OSError, listenAt, self.path)
            self.assertEqual(error.strerror, "there is something else, which is no socket")
            os.unlink(self.path)
        self.assertEqual(elsewhere.read_text(), "precious")

    def test_oneThatHasComeMeanwhileIsPutBack(self) -> None:
        """
        Two programs that start at once may both find one that nobody answers at.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
            left.bind(self.path)
        requireStale = controlsocket.requireStale
        others: list[ControlSocket] = []

        def overtaken(path: str) -> None:
            requireStale(path)
            self.patch(controlsocket, "requireStale", requireStale)
            others.append(self.listen())

        self.patch(controlsocket, "requireStale", overtaken)
        self.assertRaises(PathTaken, listenAt, self.path)
        self.connect()
        accepted, _ = others[0].socket.accept()
        accepted.close()
        self.assertEqual(self.names(), ["server-8443.sock"])

    def test_whatDeadProgramsHaveLeftIsSweptAway(self) -> None:
        """
        Nothing else is: neither what lives, nor another's, nor what is no socket.
        """
        living = self.listen()
        for name in ("server-1.sock", "server-2.sock", "notes"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
                left.bind(str(self.directory / name))
        (self.directory / "file.sock").touch()
        user = os.geteuid()
        with patch.object(os, "geteuid", lambda: user + 1):
            sweep(str(self.directory))
        self.assertEqual(len(self.names()), 5)
        sweep(str(self.directory))
        self.assertEqual(self.names(), ["file.sock", "notes", "server-8443.sock"])
        self.assertEqual(living.path, self.path)

    def leave(self, name: str, *sockets: str, seconds: float = 2 * ABANDONED_SECONDS) -> Path:
        """
        @return: a directory as one leaves it that is killed while it makes a socket, so long ago.
        """
        hidden = self.directory / name
        hidden.mkdir(0o700)
        for each in sockets:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
                left.bind(str(hidden / each))
        then = time.time() - seconds
        os.utime(hidden, (then, then))
        return hidden

    def test_whatWasLeftInTheMiddleIsSweptAway(self) -> None:
        for name, sockets in ((".2b3_6osw", ()), (".abcdefgh", ("s",)), (".00000000", ("s", "old"))):
            self.leave(name, *sockets)
        sweep(str(self.directory))
        self.assertEqual(self.names(), [])

    def test_whatIsLikeThatAndIsNotLeftStays(self) -> None:
        """
        It is new, or another's, or somebody listens there, or it is called otherwise, or holds something else, or is
        reached by a link.
        """
        self.leave(".newnewne", "s", seconds=1)
        self.leave(".others12", seconds=0)
        living = self.leave(".living00")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listener.close)
        listener.bind(str(living / "s"))
        listener.listen(1)
        (self.leave(".precious") / "s").write_text("precious")
        (self.leave(".more0000", "s") / "more").touch()
        for name in (".2B3_6OSW", ".2b3_6osw0", "2b3_6oswx"):
            self.leave(name, "s")
        far = self.directory / "far"
        far.mkdir()
        elsewhere = self.leave("far/elsewhere", "s")
        (self.directory / ".link0000").symlink_to(elsewhere)
        (self.leave(".toolink0") / "s").symlink_to(elsewhere / "s")
        then = time.time() - 2 * ABANDONED_SECONDS
        for each in (".living00", ".precious", ".more0000", ".toolink0"):
            os.utime(self.directory / each, (then, then))
        before = self.names()
        user = os.geteuid()
        with patch.object(os, "geteuid", lambda: user + 1):
            self.leave(".another0", "s")
            sweep(str(self.directory))
        self.assertEqual(self.names(), sorted([*before, ".another0"]))
        sweep(str(self.directory))
        self.assertEqual(self.names(), before)
        self.assertEqual(sorted(each.name for each in elsewhere.iterdir()), ["s"])

    def test_whatHasTakenThePlaceMeanwhileIsNotSweptAway(self) -> None:
        """
        Another program has found the same socket dead, and listens there now.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
            left.bind(self.path)
        requireStale = controlsocket.requireStale

        def overtaken(path: str) -> None:
            requireStale(path)
            self.patch(controlsocket, "requireStale", requireStale)
            os.rename(path, f"{path}.old")
            self.listen(path)

        self.patch(controlsocket, "requireStale", overtaken)
        sweep(str(self.directory))
        self.connect()

    def test_itRemovesOnlyItsOwn(self) -> None:
        made = self.listen()
        os.unlink(self.path)
        made.close()
        made = self.listen()
        os.rename(self.path, f"{self.path}.old")
        Path(self.path).write_text("another's")
        made.close()
        self.assertEqual(self.names(), ["server-8443.sock", "server-8443.sock.old"])

    def test_aDirectoryOfOthersWillNotDo(self) -> None:
        for mode in (0o777, 0o1777, 0o770):
            self.directory.chmod(mode)
            error = self.assertRaises(OSError, listenAt, self.path)
            self.assertEqual((error.errno, error.strerror), (errno.EPERM, f"others may write into {self.directory}"))
        self.directory.chmod(0o755)
        self.listen()
        found = SimpleNamespace(st_mode=self.directory.stat().st_mode, st_uid=os.geteuid() + 1)
        with patch.object(os, "stat", lambda _: found):
            self.assertRaises(OSError, controlsocket.requireOwnDirectory, str(self.directory))

    def test_aDirectoryThatIsNotThereIsAnError(self) -> None:
        self.assertRaises(FileNotFoundError, listenAt, str(self.directory / "missing" / "a.sock"))

    def test_aPathThatIsTooLongIsAnErrorInWords(self) -> None:
        error = self.assertRaises(OSError, listenAt, f"{self.directory}/{'x' * 100}.sock")
        self.assertEqual(error.strerror, "a path of more than 107 bytes cannot be that of a socket")
        self.assertEqual(self.names(), [])
