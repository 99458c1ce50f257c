"""
Tokens: which files have some, which are known, and that nobody is told them.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from twisted.logger import capturedLogs, formatEvent

from tests.doubles.tlspairs import GOOD, TRUSTED, TlsTestCase
from uotp.errors import ConfigurationError, Refusal
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls
from uotp.tls.files import CopiedFiles
from uotp.tls.tokens import FILE_BYTES, MOST_TOKENS, Tokens, readTokens
from uotp.wire.hello import ClientHello, Token, WireFormat
from uotp.wire.negotiation import WireChoice

OLD, NEW = Token(b"correct horse battery"), Token(b"staple " * 4)


class ReadingTests(TlsTestCase):
    """
    Read a file of tokens.
    """

    def read(self, content: bytes) -> Tokens:
        return readTokens("FILE", CopiedFiles({"FILE": content}))

    def test_eachLineIsAToken(self) -> None:
        """
        Without what stands around it; the first is the one to show.
        """
        tokens = self.read(b"# of today\n\n  " + OLD + b" \r\n" + NEW + b"\n#" + b"x" * 20)
        self.assertEqual(tokens.first, OLD)
        for known in (OLD, NEW.strip()):
            digest = tokens.match(Token(known))
            assert digest is not None
            self.assertTrue(tokens.has(digest))
        for wrong in (None, Token(b"x" * 20), Token(OLD + b" "), Token(OLD[:-1]), Token(b"# of today")):
            self.assertIsNone(tokens.match(wrong))

    def test_aTokenThatIsTakenOutIsKnownNoMore(self) -> None:
        digest = self.read(OLD).match(OLD)
        assert digest is not None
        self.assertFalse(self.read(NEW).has(digest))
        self.assertTrue(self.read(NEW + b"\n" + OLD).has(digest))

    def test_whatIsNoTokenIsNamedByItsLineAlone(self) -> None:
        """
        Not by what stands there, which may be nearly one.
        """
        for line in (b"too short, alas", b"a" * 256, b"signs of others: \xc3\xbc", b"a tab\tis no letter..."):
            error = self.assertRaises(ConfigurationError, self.read, OLD + b"\n" + line)
            self.assertTrue(
                str(error).startswith("the token file FILE, line 2: a token has from 16 to 255 "), str(error)
            )
            self.assertNotIn(line.decode("utf-8")[:6], str(error))
        for content, words in (
            (b"", "has no token"),
            (b"# " + OLD, "has no token"),
            (b"#" * (FILE_BYTES + 1), "has more than 1 MiB"),
            (b"\n".join(b"token %010d" % number for number in range(MOST_TOKENS + 1)), "has more than 256 tokens"),
        ):
            self.assertIn(words, str(self.assertRaises(ConfigurationError, self.read, content)))

    def test_aTokenIsNowhereToBeSeen(self) -> None:
        """
        Whoever logs what has it, or what failed with it, shows nothing of it.
        """
        tokens = self.read(OLD)
        hello = ClientHello(WireFormat.TWO, bytes(16), token=OLD)
        try:
            readTokens(hello, tokens)  # type: ignore[arg-type]
        except AttributeError:
            shown = traceback.format_exc()
        shown += f"{hello} {hello!r} {tokens} {tokens!r} {OLD} {OLD!r}"
        self.assertNotIn("horse", shown)


class TokenCredentialsTests(TlsTestCase):
    """
    Have tokens among the credentials of an end.
    """

    def setUp(self) -> None:
        self.file = self.path(OLD + b"\n")

    def test_aServerInPlainTcpMayHaveTokens(self) -> None:
        """
        Behind something that ends TLS.
        """
        server = ServerCredentials(None, tokenFile=self.file)
        self.assertEqual((server.isPlain, server.verifiesClients), (True, False))
        assert server.tokens is not None
        self.assertIsNotNone(server.tokens.match(OLD))
        self.assertEqual(dict(server.prepare().contents), {self.file: OLD + b"\n"})

    def test_tokensAreReadAgainWithAllElse(self) -> None:
        """
        All files, or none: tokens that can be used do not come into use beside a key that cannot.
        """
        cert, key = self.path(GOOD.certificatePem()), self.path(GOOD.keyPem())
        server = ServerCredentials(ServerTls(cert, key), tokenFile=self.file)
        assert server.tokens is not None
        digest = server.tokens.match(OLD)
        self.assertIsNone(server.objection(None, (), digest))
        Path(self.file).write_bytes(NEW)
        Path(key).write_bytes(TRUSTED.issue("good.test").keyPem())
        self.assertRaises(ConfigurationError, server.reload)
        self.assertIsNone(server.objection(None, (), digest))
        Path(key).write_bytes(GOOD.keyPem())
        server.reload()
        error = server.objection(None, (), digest)
        assert error is not None
        self.assertEqual(
            (str(error), error.kind), ("its token has been taken out of the token file", Refusal.WRONG_TOKEN)
        )

    def test_aFileThatEverybodyMayReadIsWarnedOf(self) -> None:
        Path(self.file).chmod(0o644)
        with capturedLogs() as events:
            ServerCredentials(None, tokenFile=self.file)
        words = f"the token in {self.file} may be read by every user who can reach the file: chmod 600 {self.file}"
        self.assertEqual([formatEvent(event) for event in events], [words])

    def test_aClientShowsTheFirst(self) -> None:
        cafile = self.cafile(TRUSTED)
        client = ClientCredentials(ClientTls(cafile=cafile, tokenFile=self.file))
        self.assertEqual(client.token(), OLD)
        Path(self.file).write_bytes(NEW + b"\n" + OLD)
        client.reload()
        self.assertEqual(client.token(), NEW.strip())
        self.assertIsNone(ClientCredentials(ClientTls(cafile=cafile)).token())

    def test_format1HasNoPlaceForOne(self) -> None:
        words = "tokenFile needs format 2, and wire 1 was said"
        for make in (
            lambda: ServerCredentials(None, tokenFile=self.file, wire=WireChoice.ONE),
            lambda: ClientCredentials(ClientTls(pins=(bytes(32),), tokenFile=self.file), wire=WireChoice.ONE),
        ):
            self.assertEqual(str(self.assertRaises(ConfigurationError, make)), words)
