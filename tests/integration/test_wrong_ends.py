"""
The other end is not what it should be: a server of another kind, one that speaks TLS where the
other does not, or a target that is silent.  The log says so at each end that can know it.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import threading
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import until
from tests.integration.rig import Pair, RigTestCase, clientWords, said, serverWords
from tests.integration.udpends import AGAIN
from uotp.pki.directory import Pki


class WrongEndsTests(RigTestCase):
    """
    Bring together what does not belong together.
    """

    def quietServer(self, pki: Pki) -> Address:
        """
        @return: the address of a server with a good certificate that reads, and says nothing.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.serverCertificate, pki.serverKey)
        port = socket.create_server((LOOPBACK, 0))
        self.addCleanup(port.close)

        def serve(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as stream:
                while stream.recv(4096):
                    pass

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(port.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        host, number = port.getsockname()
        return host, number

    def test_noTlsAtOneEndAloneIsSaidAtBoth(self) -> None:
        """
        Whichever end it is, and whichever format was chosen.
        """
        pki, target = self.newPki(), self.udpEnd()
        spoken = "it speaks TLS, and --no-tls was said here: say that at both ends or at none"
        plain = "the peer does not speak TLS: it speaks uotp without TLS: --no-tls was said there, and not here"
        maybe = "the peer does not speak TLS: it may be a uotp of format 1 that was told --no-tls"
        pairs: list[tuple[Pair, str, str]] = []
        for server, client, options, atServer, atClient in (
            (pki, None, [], maybe, spoken),
            (pki, None, ["--wire", "2"], plain, f"it does not answer in format 2: {spoken}"),
            (None, pki, [], spoken, plain),
        ):
            address = (LOOPBACK, freePort(socket.SOCK_STREAM))
            theServer = self.startServer(target.address, *serverWords(server), listen=address)
            theClient = self.startClient(address, *clientWords(client), *options)
            pairs.append(
                (Pair(theServer, theClient, self.listening(theServer), self.listening(theClient)), atServer, atClient)
            )
        for pair, atServer, atClient in pairs:
            self.udpEnd().send(b"hello", pair.clientAddress)
            pair.server.waitForLine(f"refused a connection from {LOOPBACK}: {atServer}$")
            pair.client.waitForLine(f"failed: {atClient}$")
        self.assertIsNone(target.receive(0.05))

    def test_whatNobodyAnswersIsSaid(self) -> None:
        """
        A server that is no uotp is never called connected; and a target that is silent is told at the
        client, too, in both formats.
        """
        pki, target = self.newPki(), self.udpEnd()
        ends = []
        client = self.startClient(self.quietServer(pki), "-C", pki.caCertificate, "-n", "1")
        ends.append((client, self.listening(client)))
        for wire in ("1", "2"):
            pair = self.pair(target.address, pki, client=["--wire", wire, "-n", "1"])
            ends.append((pair.client, pair.clientAddress))
        application = self.udpEnd()

        def everybodySaysSo() -> bool:
            for _, address in ends:
                application.send(AGAIN, address)
            return all(said(program, "nothing comes back to session") for program, _ in ends)

        until(everybodySaysSo, "each client says that nothing comes back")
        for (program, _), isUotp, asks in zip(ends, (False, False, True), (True, True, False), strict=True):
            self.assertEqual(bool(said(program, "connected to")), isUotp)
            self.assertEqual(bool(said(program, "which has not said that it is uotp (format 1)")), not isUotp)
            (line,) = said(program, "nothing comes back to session")
            self.assertEqual("is that a uotp server" in line, asks)

    def test_renewedKeyGoesOnAtOnce(self) -> None:
        """
        The server keeps the old session for minutes, for whoever has the old key.
        """
        target = self.udpEnd()
        bundle = Path(self.mktemp()).resolve()
        before, after = self.newPki(), self.newPki()
        bundle.write_bytes(b"".join(Path(each.caCertificate).read_bytes() for each in (before, after)))
        flows = []
        for wire in ("1", "2"):
            shown = Path(self.mktemp()).resolve()
            self.show(shown, before)
            address = (LOOPBACK, freePort(socket.SOCK_STREAM))
            relay = self.relay(address)
            server = self.startServer(
                target.address,
                "-c",
                before.serverCertificate,
                "-k",
                before.serverKey,
                "-C",
                str(bundle),
                listen=address,
            )
            client = self.startClient(
                relay.address, "-C", before.caCertificate, "-c", str(shown), "--wire", wire, "-B", "0.5"
            )
            pair = Pair(server, client, self.listening(server), self.listening(client))
            flow = self.flow(pair, target)
            flow.open(b"before")
            flows.append((pair, relay, flow, shown))
        for pair, relay, flow, shown in flows:
            self.show(shown, after)
            pair.client.process.send_signal(signal.SIGHUP)
            pair.client.waitForLine(r"\breloaded")
            for connection in list(relay.connections):
                connection.cut()
            flow.resume()
            pair.client.waitForLine(r"session \w+ goes on as session \w+: our certificate has another key")
            pair.server.waitForLine(r"session \w+ .*has no tunnel left")
            self.assertEqual(said(pair.server, "ended:"), [], "the old one is still kept")

    def show(self, path: Path, pki: Pki) -> None:
        """
        Write the certificate and the key of a client into one file.
        """
        path.touch(mode=0o600)
        path.write_bytes(Path(pki.clientCertificate).read_bytes() + Path(pki.clientKey).read_bytes())
