"""
Programs that are given a configuration file in place of options.
"""

from __future__ import annotations

import os
import pkgutil
import sys
from pathlib import Path
from typing import Any

import idna
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from tests.doubles.certificates import Authority, pem
from tests.doubles.commands import CommandTestCase
from tests.doubles.processlogs import RecordingProcessLog
from tests.doubles.reactors import MemoryReactor
from tests.doubles.services import RecordingService
from uotp.cli import client, server
from uotp.cli.announcement import Announcement
from uotp.cli.config import reading
from uotp.cli.endservice import EndService
from uotp.cli.introduction import commandLine
from uotp.cli.options import Inline
from uotp.errors import ConfigurationError
from uotp.net import GivenSockets, ServerPlace
from uotp.process import ServiceNotifier
from uotp.telemetry import Logger, Spelling
from uotp.tls import CopiedFiles, ProxyChoices
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials
from uotp.tls.renewal import RenewableCredentials

SERVER = 'target = "127.0.0.1:51820"\ncert = "pki/server.pem"\n'
PIN = bytes(range(32))
CLIENT = 'server = "vpn.example.com:8443"\n'


class ConfigurationTestCase(CommandTestCase):
    """
    Has a file.
    """

    def setUp(self) -> None:
        super().setUp()
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.file = os.path.join(self.directory, "vpn.toml")

    def write(self, text: str) -> None:
        """
        Write the file.
        """
        Path(self.file).write_text(text, encoding="utf-8")

    def client(self, text: str, *words: str) -> client.Options:
        """
        @return: the options of a client that is given a file with this text, and these words.
        """
        self.write(text)
        options = client.Options()
        options.parseOptions([self.file, *words])
        return options

    def server(self, text: str, *words: str) -> server.Options:
        """
        @return: the same of a server.
        """
        self.write(text)
        options = server.Options()
        options.parseOptions([self.file, *words])
        return options

    def refusals(self, module: Any, text: str, *words: str) -> list[str]:
        """
        @return: what a program says of a file, without its name.
        """
        self.write(text)
        self.err.truncate(0)
        self.err.seek(0)
        self.assertEqual(self.statusOf(lambda: module.Options().parseOptions([self.file, *words])), 2)
        name = f"{module.Options.commandName}: "
        lines = self.err.getvalue().splitlines()
        self.assertTrue(all(line.startswith(name) for line in lines), lines)
        return [line.removeprefix(name).replace(self.file, "FILE") for line in lines]


class ValuesTests(ConfigurationTestCase):
    """
    A file says what a command line would say.
    """

    def test_aFileSaysWhatTheCommandLineWouldSay(self) -> None:
        found = self.client(
            CLIENT + 'pool-size = 8\nmemory = "64M"\nresolve-once = true\nexpire = 90.5\nmark = 0x51\nbackoff = 5e0\n'
            'allow = ["10.0.0.0/8", "::1"]\nbind-address = "::1"\nno-tls = false\nwire = 2\n'
        )
        typed = client.Options()
        typed.parseOptions(
            [
                *("vpn.example.com", "8443", "--pool-size=8", "--memory=64M", "-R", "--expire=90.5", "--mark=0x51"),
                *("--backoff=5", "--allow=10.0.0.0/8", "--allow=::1", "-a", "::1", "--wire=2"),
            ]
        )
        self.assertEqual(dict(found), dict(typed))

    def test_filesAreRelativeToTheFile(self) -> None:
        self.patch(os, "environ", {**os.environ, "HOME": "/home/u"})
        found = self.server(SERVER + 'key = "~/server.key"\ncafile = "/etc/ca.pem"\nlogfile = "../log"\n')
        here = self.directory
        self.assertEqual(found["cert"], os.path.join(here, "pki", "server.pem"))
        for word, control in ((os.path.relpath("/run/x", here), "/run/x"), ("off", "off")):
            text = SERVER + f'key = "k"\ncontrol = "{word}"\n'
            self.assertEqual(self.server(text)["control"], control)
        self.assertEqual((found["key"], found["cafile"]), ("/home/u/server.key", "/etc/ca.pem"))
        self.assertEqual(found["logfile"], os.path.join(os.path.dirname(here), "log"))

    def test_whereToSendIsWrittenInAnyWay(self) -> None:
        for text, destination in (
            ('server = "a.example:1"', ("a.example", 1)),
            ('server = "a.example"\nport = 2', ("a.example", 2)),
            ('server = "a.example"\nport = "2"', ("a.example", 2)),
            ('server = "[2001:db8::1]:3"', ("2001:db8::1", 3)),
            ('server = "2001:db8::1"\nport = 4', ("2001:db8::1", 4)),
        ):
            found = self.client(text)
            self.assertEqual((found["dst_address"], found["dst_port"]), destination)

    def test_severalServersAreAnArray(self) -> None:
        found = self.client('server = ["a.example:1", "[::1]:2", "wss://b.example/secret"]')
        places = (ServerPlace("a.example", 1), ServerPlace("::1", 2), ServerPlace("b.example", 443, "/secret"))
        self.assertEqual(found.destination, places)
        shown = f"{self.file} a.example:1 '[::1]:2' wss://b.example:443/..."
        self.assertEqual(commandLine(found), shown)
        one = self.client('server = "wss://b.example/secret"')
        self.assertEqual(one.destination, places[2:])
        self.assertNotIn("secret", commandLine(one))
        for text, reason in (
            ("server = []", "server: 1 to 16 servers are needed, and there are 0"),
            ('server = ["a.example"]', "server: a.example: HOST:PORT or wss://HOST[/PATH] is needed"),
            ('server = ["a.example:1", 2]', 'server: element 2: text is needed, as "HOST:PORT"'),
            ('server = ["https://a.example/secret"]', "server: https://a.example/...: HOST:PORT or wss://HOST[/PATH]"),
            ('server = "https://a.example/secret"', "server: https://a.example/...: HOST:PORT or wss://HOST[/PATH]"),
            ('server = "a.example/secret"', 'server = a.example/...: the port is missing: write server = "HOST:PORT"'),
            ('server = "a.example:443/secret"', "server: 443/...: a port from 1 to 65535 is needed"),
            (
                'server = "wss:/a.example/secret"',
                "server: wss:/...: HOST:PORT or wss://HOST[/PATH] is needed: write wss://",
            ),
            (
                'server = "a.example/secret"\nport = 443',
                "server: a.example/...: a host name or an IP address is needed",
            ),
            ('server = ["a.example:1"]\nport = 2', "port: it belongs to one host"),
            ('server = "wss://a.example/s?x"', "server: wss://a.example/...: a path has neither ? nor #"),
            ('server = ["a:1", "wss://u:secret@b/x"]', "server: wss://b/...: a URL has no user"),
            ('server = ["a:1", "a:1"]', "FILE:1: server a:1: it is named twice"),
            ('server = ["a:1", "wss://a:1", "A:1"]', "FILE:1: server A:1: it is named twice"),
            ('no-tls = true\nserver = ["a:1", "wss://b/secret"]', "FILE:2: server wss://b/...: wss:// has TLS"),
        ):
            error = self.refusals(client, text)
            self.assertIn(reason, error[0])
            self.assertNotIn("secret", error[0])

    def test_theCommandLineWins(self) -> None:
        text = CLIENT + 'pool-size = 8\nallow = ["10.0.0.0/8", "::1"]\nexpire = 5\n'
        found = self.client(text, "--pool-size", "9", "--allow", "192.0.2.0/24")
        self.assertEqual(
            (found["pool-size"], found["expire"], list(map(str, found["allow"]))), (9, 5.0, ["192.0.2.0/24"])
        )
        found = self.client(text, "other.example", "1")
        self.assertEqual((found["dst_address"], found["dst_port"]), ("other.example", 1))

    def test_theLogSaysWhatCounts(self) -> None:
        found = self.client(
            CLIENT + 'pool-size = 8\nallow = ["::1"]\nkey = "k"\ncert = """-----BEGIN x\nsecret"""\n', "-R"
        )
        self.assertEqual(
            commandLine(found),
            f"{self.file} --cert '{self.file}#cert' --key {self.directory}/k --allow ::1 --pool-size 8 --resolve-once "
            "vpn.example.com 8443",
        )

    def test_anyFileThatIsThereIsOne(self) -> None:
        """
        Whatever its name; where there are several words, only by its name.
        """
        self.file = os.path.join(self.directory, "vpn")
        self.assertEqual(self.client(CLIENT)["dst_port"], 8443)
        error = self.refusals(client, CLIENT, "x")
        self.assertIn("dst_address FILE: ", error[0])

    def test_nothingIsLoadedForItWithoutAFile(self) -> None:
        for name in [name for name in sys.modules if name.startswith(("msgspec", "tomllib", "uotp.cli.config."))]:
            self.addCleanup(sys.modules.__setitem__, name, sys.modules.pop(name))
        client.Options().parseOptions(["example.com", "8443"])
        self.assertEqual({"msgspec", "tomllib", "uotp.cli.config.document"} & set(sys.modules), set())


class RefusalTests(ConfigurationTestCase):
    """
    All that is wrong is said, with line and key.
    """

    def test_eachFaultHasItsLineAndItsKey(self) -> None:
        text = (
            'server = "vpn.example.com"\npool-size = 0\nmemory = "25X"\nlinger = 4\nmin-pool = true\n'
            'allow = [\n  "10.0.0.0/8",\n  "10.0.0.1/8"\n]\nbind-address = ["::1", true]\nno-tls = "yes"\ncert = 5\n'
            'expire = 2026-11-27\npidfile = "x"\nn = 3\npool_size = 3\ntimeout = [1]\nwire = {}\n[tls]\nx = 1\n'
        )
        file = "the name of a file is needed, in quotation marks, or its text, which begins with -----BEGIN"
        element = "each element is a number or text in quotation marks"
        self.assertEqual(
            self.refusals(client, text),
            [
                'FILE:1: server = vpn.example.com: the port is missing: write server = "HOST:PORT"',
                "FILE:2: pool-size: 0: a number from 1 to 256 is needed",
                "FILE:3: memory: 25X: a size from 16M to 1T is needed, in bytes, or as 64K, 1.5M or 1G (K is 1024)",
                "FILE:4: linger is a key of uotp-server",
                "FILE:5: min-pool: a number is needed, or text in quotation marks, and there is true",
                "FILE:8: allow: 10.0.0.1/8: it is an address inside of a network: say 10.0.0.0/8, or the address alone",
                f"FILE:10: bind-address: element 2: {element}, and there is true",
                "FILE:11: no-tls: true or false is needed, without quotation marks, and there is text",
                f"FILE:12: cert: {file}, and there is a number",
                "FILE:13: expire: a number is needed, or text in quotation marks, and there is a date or a time",
                "FILE:14: pidfile is an option of twistd, where it stands before uotp-client",
                "FILE:15: there is no key n: write pool-size",
                "FILE:16: there is no key pool_size: did you mean pool-size?",
                "FILE:17: timeout: a number is needed, or text in quotation marks, and there is an array",
                "FILE:18: wire: a number is needed, or text in quotation marks, and there is a table",
                "FILE:19: there is no table [tls]: did you mean no-tls or tls-servername?",
            ],
        )

    def test_aTokenInThePlaceOfItsFileIsNotRepeated(self) -> None:
        """
        The log keeps what is said here.
        """
        shown = "a-token-of-somebody-0123456789"
        words = 'token-file: there is no file of such a name; a line itself stands in an array, as ["..."]'
        self.assertEqual(self.refusals(client, f'{CLIENT}token-file = "{shown}"\n'), [f"FILE:2: {words}"])
        self.assertEqual(self.refusals(client, f'{CLIENT}token-file = "of/{shown}"\n'), [f"FILE:2: {words}"])
        text = f'{CLIENT}proxy = "http://p:1"\nproxy-auth-file = "u:word"\n'
        self.assertEqual(self.refusals(client, text), [f"FILE:3: {words.replace('token', 'proxy-auth')}"])
        os.mkdir(f"{self.directory}/of")
        for name in ("tokens", f"of/{shown}"):
            self.assertEqual(self.client(f'{CLIENT}token-file = "{name}"\n')["token-file"], f"{self.directory}/{name}")

    def test_neitherAPasswordNorThePathOfAUrlIsRepeated(self) -> None:
        for url in ("wss://a.test/SECRET", "http://u:SECRET@a.test:80/SECRET", "wss:\\\\a.test\\SECRET"):
            for module, start in ((client, CLIENT), (server, SERVER)):
                for row in module.Options.rows:
                    if row.name == "alpn" or (row.name, url[:4]) == ("proxy", "http"):  # they take it
                        continue
                    isList = getattr(row, "inline", None) is Inline.LINES
                    for value in [f"'{url}'", *([] if isList else [f"['{url}']"])]:
                        said = self.refusals(module, f"{start}{row.name} = {value}\n")
                        self.assertNotIn("SECRET", "".join(said), (row.name, value))
            for text in (f"'{url}' = 1\n", f"'{url}' = 1\n'{url}' = 2\n", f"['{url}']\nx = 1\n"):
                self.assertNotIn("SECRET", "".join(self.refusals(client, f"{CLIENT}{text}")))

    def test_forNoMoreKeysThanAreToldOthersAreLookedForThatMayBeMeant(self) -> None:
        """
        A file has room for so many keys that this would take minutes.
        """
        looked: list[str] = []

        def look(key: str, _: object) -> list[str]:
            looked.append(key)
            return []

        self.patch(reading, "similarNames", look)
        faults = self.refusals(client, CLIENT + "".join(f"key{number} = 1\n" for number in range(1000)))
        self.assertEqual(faults[0], "FILE:2: there is no key key0")
        self.assertEqual(faults[-1], "FILE: and 980 faults more")
        self.assertEqual(len(looked), 20)

    def test_aFileOfTheOtherEndIsKnownAsSuch(self) -> None:
        self.assertEqual(
            self.refusals(client, 'target = "x:1"\n'),
            ["FILE:1: target is a key of uotp-server, and this file is read by uotp-client"],
        )
        self.assertEqual(
            self.refusals(server, CLIENT + "pool-size = 1\n"),
            [
                "FILE:1: server is a key of uotp-client, and this file is read by uotp-server",
                "FILE:2: pool-size is a key of uotp-client",
            ],
        )

    def test_whereToSendIsNeeded(self) -> None:
        missing = 'server is missing: write server = "HOST:PORT"'
        twice = 'the port stands in it and in port: write server = "HOST:PORT"'
        for text, said in (
            ("", f"FILE: {missing}"),
            ("port = 8443", "FILE:1: port belongs to server, which is missing"),
            ("server = 5", 'FILE:1: server: text is needed, as "HOST:PORT", and there is a number'),
            ('server = "a"\nport = true', "FILE:2: port: a number is needed, and there is true"),
            ('server = "a:1"\nport = 2', f"FILE:1: server = a:1: {twice}"),
            ('server = "a"\nport = 70000', "FILE:2: port: 70000: a port from 1 to 65535 is needed"),
        ):
            self.assertEqual(self.refusals(client, text), [said])

    def test_optionsThatExcludeEachOtherAreFoundInTheFile(self) -> None:
        text = CLIENT + 'no-tls = true\ncafile = "x"\n'
        self.assertEqual(self.refusals(client, text), ["FILE:2: no-tls and cafile exclude each other"])
        self.assertEqual(
            self.refusals(client, CLIENT + '\ncafile = "x"\n', "--no-tls"),
            ["FILE:3: --no-tls and cafile exclude each other"],
        )
        self.assertEqual(self.refusals(client, CLIENT, "--key", "x"), ["--key needs --cert (see --help)"])
        needed = "a server needs cert: `uotp cert DIR` makes one, with a private CA; or give no-tls"
        self.assertEqual(self.refusals(server, 'target = "x:1"\n'), [f"FILE: {needed}"])

    def test_aFileThatTheCommandLineNamesIsNotSoughtInTheFile(self) -> None:
        options = self.client(CLIENT + 'cert = "c.pem"\n', "--key", "k.pem")
        reason = f"cannot read the key file {os.path.abspath('k.pem')}"
        self.assertEqual(options.located(reason), reason)
        reason = f"cannot read the certificate file {self.directory}/c.pem"
        self.assertEqual(options.located(reason), f"{self.file}:2: cert: {reason}")

    def test_whatOnlyTheServiceFindsIsFoundInTheFile(self) -> None:
        self.replaceReactor(MemoryReactor())
        threshold = Logger.threshold
        self.addCleanup(lambda: setattr(Logger, "threshold", threshold))
        options = self.client(CLIENT + "\nmin-pool = 20\n")
        line = self.refusalOf(lambda: client.makeService(options))
        most = "min-pool 20 is more than pool-size 16, which is the most that there may be"
        self.assertEqual(line, f"uotp-client: {self.file}:3: {most}")


class InlineTests(ConfigurationTestCase):
    """
    Certificates and keys stand in the file itself.
    """

    def bundle(self, issued: Any, more: str = "") -> str:
        """
        @return: a file with which a client is enrolled.
        """
        parts = {"cafile": pem(self.authority.certificate), "cert": issued.certificatePem(), "key": issued.keyPem()}
        return CLIENT + more + "".join(f'{key} = """\n{data.decode()}"""\n' for key, data in parts.items())

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority("ca")

    def credentials(self, options: client.Options, **choices: Any) -> ClientCredentials:
        """
        @return: what these options lead to.
        """
        arguments = options.serviceArguments()
        return ClientCredentials(arguments["tls"], files=arguments["files"], **choices)

    def saidAtReload(self, credentials: RenewableCredentials) -> list[str]:
        """
        @return: what the log says of a reload.
        """
        with capturedLogs() as events:
            credentials.reload()
        return [formatEvent(event) for event in events]

    def test_theyAreReadOutOfItAtEachReload(self) -> None:
        first, second = self.authority.issue("a"), self.authority.issue("b")
        options = self.client(self.bundle(first))
        credentials = self.credentials(options)
        before = credentials.ownPin
        self.write(self.bundle(second, "# one line more\n"))
        credentials.reload()
        self.assertNotEqual(credentials.ownPin, before)
        self.assertEqual(options.changedKeys(), [])

    def test_atFirstTheyAreOfTheSameMomentAsTheOptions(self) -> None:
        """
        And the file is not read a second time, since it may be a pipe.
        """
        options = self.client(self.bundle(self.authority.issue("a")))
        os.remove(self.file)
        credentials = self.credentials(options)
        self.assertIsNotNone(credentials.ownPin)
        error = self.assertRaises(ConfigurationError, credentials.reload)
        self.assertIn("the configuration file cannot be read: No such file or directory", str(error))

    def test_aChangeOfTheFileIsSeen(self) -> None:
        """
        Also one that comes while it is read: what was seen of it is from before.
        """
        options = self.client(self.bundle(self.authority.issue("a")))
        credentials = self.credentials(options)
        self.assertEqual(credentials.stamp(), credentials.stampRead)
        self.write(self.bundle(self.authority.issue("b")))
        self.assertNotEqual(credentials.stamp(), credentials.stampRead)
        files = options.serviceArguments()["files"]
        path, before = f"{self.file}#cert", files.stamp(f"{self.file}#cert")
        reading = files.now()
        self.write(self.bundle(self.authority.issue("c")))
        self.assertEqual(reading.stamp(path), before)
        self.assertNotEqual(files.stamp(path), before)

    def test_aListThatHasMovedInTheFileHasNotChanged(self) -> None:
        """
        Its elements have other lines then, and errors tell these.
        """
        first, second, third = (letter * 16 for letter in "abc")
        array = f'token-file = ["{first}",\n"{second}"]\n'
        table = f'[clients]\nlaptop = "{PIN.hex()}"\n'
        options = self.server(SERVER + array + table)
        os.chmod(self.file, 0o600)
        issued = self.authority.issue("server")
        os.mkdir(os.path.join(self.directory, "pki"))
        Path(options["cert"]).write_bytes(issued.certificatePem() + issued.keyPem())
        os.chmod(options["cert"], 0o600)
        arguments = options.serviceArguments()
        credentials = ServerCredentials(arguments["tls"], files=arguments["files"], tokenFile=options["token-file"])
        for text in (
            f"# a\n# b\n{SERVER}# c\n{array}# d\n{table}",
            SERVER + array.replace("\n", "\n# a\n") + table.replace("\n", "\n# b\n"),
            f'{SERVER}token-file = ["{first}", "{second}"]\n{table}',
        ):
            self.write(text)
            self.assertTrue(credentials.prepare().isInUse)
            self.assertEqual(self.saidAtReload(credentials), [])
        words = "has changed, and is used from now on"
        self.write(f'# a\n{SERVER}token-file = ["{second}", "{first}"]\n{table}')
        self.assertEqual(self.saidAtReload(credentials), [f"the token file {self.file}#token-file {words}"])
        self.write(f'# a\n{SERVER}token-file = ["{second}", "{first}"]\n{table.replace("laptop", "phone")}')
        self.assertEqual(self.saidAtReload(credentials), [f"the list of clients {self.file}#clients {words}"])
        self.write(f'# a\n{SERVER}token-file = ["{second}",\n\n"{third[1:]}"]\n{table}')
        error = self.assertRaises(ConfigurationError, credentials.reload)
        self.assertIn(f"#token-file, line {SERVER.count(chr(10)) + 4}: ", str(error))

    def test_aPasswordThatHasMovedInTheFileHasNotChanged(self) -> None:
        proxy = 'proxy = "http://p:1"\n'
        options = self.client(f'{CLIENT}{proxy}proxy-auth-file = ["u:secret"]\n')
        os.chmod(self.file, 0o600)
        choices = ProxyChoices(options["proxy"], options["proxy-auth-file"])
        credentials = ClientCredentials(None, files=options.serviceArguments()["files"], proxy=choices)
        self.write(f'# a\n# b\n{CLIENT}{proxy}proxy-auth-file = ["u:secret"]\n')
        self.assertEqual(self.saidAtReload(credentials), [])
        self.write(f'# a\n# b\n{CLIENT}{proxy}proxy-auth-file = ["u:other"]\n')
        words = f"{self.file}#proxy-auth-file has changed, and is used from now on"
        self.assertEqual(self.saidAtReload(credentials), [f"the file with the password for the proxy {words}"])

    def test_othersAreHandedWhatWasRead(self) -> None:
        """
        So it is with several workers.
        """
        options = self.client(self.bundle(self.authority.issue("a")))
        parent = self.credentials(options, keepsContents=True)
        self.assertEqual(set(parent.contents), {f"{self.file}#{key}" for key in ("cafile", "cert", "key")})
        tls: ClientTls = options.serviceArguments()["tls"]
        worker = ClientCredentials(tls, files=CopiedFiles(parent.contents))
        self.assertEqual(worker.ownPin, parent.ownPin)

    def test_whatIsDamagedIsRefusedAndTheOldStaysInUse(self) -> None:
        options = self.client(self.bundle(self.authority.issue("a")))
        credentials = self.credentials(options)
        before = credentials.ownPin
        for text, reason in (
            (self.bundle(self.authority.issue("b")).replace("END CERT", "END CRT"), "#cert has a damaged certificate"),
            (self.bundle(self.authority.issue("b")).replace("cafile =", "cafile"), ":2: "),
            (CLIENT, "the key cert has no such text any more: a restart is needed"),
            (CLIENT + 'cert = "cert.pem"', "the key cert has no such text any more: a restart is needed"),
            (CLIENT + "cert = 5", "cert"),
        ):
            self.write(text)
            self.assertIn(reason, str(self.assertRaises(ConfigurationError, credentials.reload)))
            self.assertEqual(credentials.ownPin, before)

    def test_aKeyThatOthersMayReadIsSaid(self) -> None:
        options = self.client(self.bundle(self.authority.issue("a")))
        os.chmod(self.file, 0o644)
        with capturedLogs() as events:
            self.credentials(options)
        self.assertEqual(
            [formatEvent(event) for event in events],
            [f"the private key in {self.file} may be read by every user who can reach the file: chmod 600 {self.file}"],
        )
        os.chmod(self.file, 0o600)
        with capturedLogs() as events:
            self.credentials(options)
        self.assertEqual(events, [])

    def test_otherFilesAreWhereTheyWere(self) -> None:
        issued = self.authority.issue("a")
        for name, data in (("c.pem", issued.certificatePem()), ("k.pem", issued.keyPem())):
            Path(self.directory, name).write_bytes(data)
        os.chmod(os.path.join(self.directory, "k.pem"), 0o600)
        options = self.client(
            CLIENT + f'cert = "c.pem"\nkey = "k.pem"\ncafile = """{pem(self.authority.certificate).decode()}"""'
        )
        self.assertIsNotNone(self.credentials(options).ownPin)

    def test_linesStandInATableOrAnArray(self) -> None:
        """
        The file of clients has a pin and a name on each line, and that of tokens a token.
        """
        issued = self.authority.issue("server")
        pin, token = PIN.hex(), "a-token-of-somebody-0123456789"
        text = f'{SERVER}key = "k"\ntoken-file = ["{token}"]\n[clients]\nalice = "{pin}"\n"bob" = "sha256//x"\n'
        options = self.server(text)
        files = options.serviceArguments()["files"]
        self.assertEqual(files.read(options["clients"]).strip(), f"{pin} alice\nsha256//x bob".encode())
        self.assertEqual(files.read(options["token-file"]).strip(), token.encode())
        parts = f'cert = """{issued.certificatePem().decode()}"""\nkey = """{issued.keyPem().decode()}"""\n'
        options = self.server(f'target = "x:1"\n{parts}[clients]\nalice = "{pin}"\n')
        arguments = options.serviceArguments()
        credentials = ServerCredentials(arguments["tls"], files=arguments["files"])
        assert credentials._trusted.clients is not None
        self.assertEqual(dict(credentials._trusted.clients.names), {PIN: "alice"})
        self.assertIn("FILE:4: clients: ", self.refusals(server, SERVER + "[clients]\nalice = 5\n")[0])
        self.assertIn("no end of a line", self.refusals(server, SERVER + '[clients]\nalice = "a\\nb"\n')[0])

    def test_aLineOfAListHasTheNumberThatItHasInTheFile(self) -> None:
        """
        Errors of those who read such a list name the line.
        """
        options = self.server(SERVER + 'token-file = ["a", "b",\n\n"c"]\n[clients]\n\nalice = "1"\nbob = "2"\n')
        files = options.serviceArguments()["files"]
        clients, tokens = (files.read(options[name]).decode().split("\n") for name in ("clients", "token-file"))
        self.assertEqual((clients[7:], set(clients[:7])), (["1 alice", "2 bob", ""], {""}))
        self.assertEqual(tokens, ["", "", "a", "b", "c", ""])

    def test_textOfSeveralLinesIsNoNameOfAFile(self) -> None:
        said = "the name of a file is needed, in quotation marks, and there is text of several lines"
        self.assertIn(f"logfile: {said}", self.refusals(client, CLIENT + 'logfile = """\na\nb"""\n')[0])
        self.assertNotIn("secret", self.refusals(client, CLIENT + 'key = """\nsecret\nb"""\n')[0])


class ReloadTests(ConfigurationTestCase):
    """
    A file that has changed is read again.
    """

    def reload(self, options: client.Options | server.Options) -> list[str]:
        """
        @return: what the log says of a reload.
        """
        log: Any = RecordingProcessLog()
        with capturedLogs() as events:
            service = EndService("uotp-client", RecordingService(), log, MemoryReactor())
            service.changedKeys = options.changedKeys
            service._reload()
        return [formatEvent(event) for event in events]

    def test_whatNeedsARestartIsSaid(self) -> None:
        options = self.client(CLIENT + "pool-size = 8\nexpire = 5\n", "--expire", "7")
        self.assertEqual(self.reload(options), ["reloaded"])
        self.write('server = "b:1"\npool-size = 9\nexpire = 6\nmark = 1\n')
        words = "other values of the configuration file are taken up at a restart alone"
        self.assertEqual(self.reload(options), ["reloaded", f"{words}: mark, pool-size, server"])

    def test_whoeverAsksIsToldWhatNeedsARestart(self) -> None:
        """
        And so does the service manager, until a reload finds nothing of the kind.
        """
        options = self.client(CLIENT + 'pool-size = 8\nproxy = "http://a:secret@p:1"\n')
        end = RecordingService()
        log: Any = RecordingProcessLog()
        service = EndService("uotp-client", end, log, MemoryReactor())
        service.changedKeys = options.changedKeys
        service.announcement = Announcement(ServiceNotifier({}), end.whenReady, Clock())
        assert end.reloadProgram is not None
        assert end.tellTrouble is not None
        self.assertEqual(self.successResultOf(end.reloadProgram()), ())
        self.write(CLIENT + 'pool-size = 9\nproxy = "http://a:other@p:1"\n')
        self.assertEqual(self.successResultOf(end.reloadProgram()), ("pool-size", "proxy"))
        words = "a restart is needed for new values of pool-size, proxy"
        self.assertEqual(service.announcement.trouble, words)
        end.tellTrouble("the file x is empty")
        self.assertEqual(service.announcement.trouble, f"the files were not taken up: the file x is empty; {words}")
        self.write(CLIENT + 'pool-size = 8\nproxy = "http://a:secret@p:1"\n')
        self.assertEqual(self.successResultOf(end.reloadProgram()), ())
        self.assertEqual(service.announcement.trouble, "")

    def test_whatSaysTheSameInOtherWordsNeedsNoRestart(self) -> None:
        """
        The port that stands for itself, what is so anyway, another unit.
        """
        options = self.client(CLIENT + "expire = 60\npool-size = 16\nno-tls = false\n")
        self.write('server = "vpn.example.com"\nport = 8443\nexpire = "1m"\n')
        self.assertEqual(options.changedKeys(), [])
        self.write('server = "vpn.example.com"\nport = 8444\nexpire = "61"\nno-tls = true\n')
        self.assertEqual(options.changedKeys(), ["expire", "no-tls", "server"])

    def test_namesHaveNoCase(self) -> None:
        """
        Paths have.
        """
        options = self.client('server = "Bücher.example:1"\ntls-servername = "VPN"\nproxy = "http://P:1"\n')
        self.write('server = "xn--bcher-kva.EXAMPLE:1"\ntls-servername = "vpn"\nproxy = "http://p:1"\n')
        self.assertEqual(options.changedKeys(), [])
        self.write('server = "bücher.example.:1"\ntls-servername = "vpn2"\nproxy = "http://p:2"\n')
        self.assertEqual(options.changedKeys(), ["proxy", "server", "tls-servername"])
        options = self.client('server = ["wss://A/x", "B:1"]\n')
        self.write('server = ["wss://a/x", "b:1"]\n')
        self.assertEqual(options.changedKeys(), [])
        for servers in ('"wss://A/X", "B:1"', '"b:1", "wss://a/x"', '"wss://a/x"'):
            self.write(f"server = [{servers}]\n")
            self.assertEqual(options.changedKeys(), ["server"])
        serving = self.server('target = "A:1"\nno-tls = true\nfallback = "Web:80"\nhttp-path = "/s"\n')
        self.write('target = "a:1"\nno-tls = true\nfallback = "web:80"\nhttp-path = "/S"\n')
        self.assertEqual(serving.changedKeys(), ["http-path"])
        self.write('target = "a:2"\nno-tls = true\nfallback = "web:81"\nhttp-path = "/s"\n')
        self.assertEqual(serving.changedKeys(), ["fallback", "target"])

    def test_whereItListensAnywayNeedsNoRestart(self) -> None:
        options = self.client(CLIENT)
        for addresses, changed in (
            ('["127.0.0.1", "::1"]', []),
            ('["::1", "127.0.0.1", "::1"]', []),
            ('"127.0.0.1"', ["bind-address"]),
            ('["127.0.0.1", "::1", "127.0.0.2"]', ["bind-address"]),
            ('"::"', ["bind-address"]),
        ):
            self.write(f"{CLIENT}bind-address = {addresses}\nbind-port = 8911\n")
            self.assertEqual(options.changedKeys(), changed, addresses)
        self.write(CLIENT + 'bind-address = ["127.0.0.1", "::1"]\nbind-port = 8912\n')
        self.assertEqual(options.changedKeys(), ["bind-port"])
        serving = self.server(SERVER)
        self.write(SERVER + 'bind-address = "0.0.0.0"\n')
        self.assertEqual(serving.changedKeys(), [])
        self.write(SERVER + 'bind-address = "127.0.0.1"\n')
        self.assertEqual(serving.changedKeys(), ["bind-address"])

    def test_whoIsHandedItsSocketsIsToldOfEachAddress(self) -> None:
        """
        A start would refuse it, also where it names the same place.
        """
        serving = self.server(SERVER)
        serving.given = GivenSockets({("0.0.0.0", 8443): []})  # noqa: S104 - nothing listens
        self.assertEqual(serving.changedKeys(), [])
        self.write(SERVER + 'bind-address = "0.0.0.0"\n')
        self.assertEqual(serving.changedKeys(), ["bind-address"])

    def test_whoIsHandedItsSocketsMayHaveAWebSiteWhereItWouldListenOtherwise(self) -> None:
        serving = self.server(SERVER + 'fallback = "127.0.0.1:8443"\n')
        serving.given = GivenSockets({("0.0.0.0", 443): []})  # noqa: S104 - nothing listens
        self.assertEqual(serving.changedKeys(), [])

    def test_nothingIsLoadedForAReload(self) -> None:
        """
        It would be too late in a chroot, or as another user: whose key it may be is said at the start alone.
        """
        text = CLIENT + 'target = "a:1"\nlinger = 5\n'
        self.assertIn("FILE:3: linger is a key of uotp-server", self.refusals(client, text))
        options = self.client(CLIENT)
        self.write(text)
        self.patch(pkgutil, "resolve_name", self.fail)
        reason = str(self.assertRaises(ConfigurationError, options.changedKeys)).replace(self.file, "FILE")
        self.assertIn("FILE:3: there is no key linger", reason)

    def test_whatCannotBeLoadedAnyMoreIsSaid(self) -> None:
        """
        Names with other letters than those of ASCII need a module that is loaded for them alone.
        """

        def load(*_: object, **__: object) -> None:
            reason = "No module named 'idna.uts46data'"
            raise ImportError(reason)

        options = self.client(CLIENT)
        self.patch(idna, "uts46_remap", load)
        self.write('server = "b\u00fccher.example:1"\n')
        reason = str(self.assertRaises(ConfigurationError, options.changedKeys))
        self.assertIn("vpn.toml: it cannot be read again while the program runs (is it in a chroot?): ", reason)

    def test_theDirectoryInWhichItBeganMayBeGone(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        gone = os.path.join(self.directory, "gone")
        os.mkdir(gone)
        os.chdir(gone)
        os.rmdir(gone)
        self.assertEqual(self.client(CLIENT).changedKeys(), [])

    def test_whatTheCommandLineSaysCountsAgain(self) -> None:
        """
        Also where it names files, and the program has left the directory.
        """
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        self.write('server = "a:1"\ncert = "a.pem"\nkey = "a.key"\n')
        options = client.Options()
        Path("the-tokens-of-somebody").touch()
        typed = ["--key", "b.key", "--pin", PIN.hex(), "--token-file", "the-tokens-of-somebody"]
        options.parseOptions(["vpn.toml", "b:2", *typed])
        os.chdir("/")
        self.write('server = "c:3"\ncert = "a.pem"\nkey = "c.key"\npin = "1"\npool-size = 5\n')
        reason = self.assertRaises(ConfigurationError, options.changedKeys)
        self.assertIn("pin: 1: ", str(reason))
        self.write('server = "c:3"\ncert = "a.pem"\nkey = "c.key"\npool-size = 5\n')
        self.assertEqual(options.changedKeys(), ["pool-size"])

    def test_aFileWithWhichNoProgramCouldStartIsNotReloaded(self) -> None:
        """
        Each of its keys is good.
        """
        pairs = (
            ("pool-size = 2\nmin-pool = 3\n", "FILE:2: min-pool 3 is more than pool-size 2"),
            ("no-hostname-check = true\n", "FILE:2: no-hostname-check needs cafile"),
            ("pad = true\nwire = 1\n", "FILE:2: pad needs format 2"),
            ('token-file = ["a"]\nwire = 1\n', "FILE:2: token-file needs format 2"),
            ('proxy-auth-file = ["a:b"]\n', "FILE:2: proxy-auth-file needs proxy"),
        )
        options = self.client(CLIENT)
        self.patch(Spelling, "spellings", {**options.spellings(), **server.Options.spellings()})
        for text, words in pairs:
            self.write(CLIENT + text)
            [line] = self.reload(options)
            self.assertIn(f"not reloaded, the old certificates stay in use: {words}", line.replace(self.file, "FILE"))
        self.write("pool-size = 2\n")
        self.assertIn("FILE: server is missing", self.reload(options)[0].replace(self.file, "FILE"))
        serving = self.server(SERVER)
        self.write(SERVER + 'crl = "c.pem"\n')
        self.assertIn(": crl is of no use without ", self.reload(serving)[0])
        self.write('target = "127.0.0.1:51820"\n')
        self.assertIn("a server needs cert", self.reload(serving)[0])

    def test_aFileThatCannotBeUsedIsNotReloaded(self) -> None:
        options = self.client(CLIENT)
        self.write("x\n")
        [line] = self.reload(options)
        self.assertTrue(line.startswith(f"not reloaded, the old certificates stay in use: {self.file}:1: "), line)

    def test_withoutAFileNothingHasChanged(self) -> None:
        options = client.Options()
        options.parseOptions(["a", "1"])
        self.assertEqual(options.changedKeys(), [])
