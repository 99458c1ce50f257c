"""
One file with all that a client needs: where its servers are, the CA, its certificate and its key.
C{uotp-client} takes it as its configuration.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from uotp.errors import ConfigurationError
from uotp.net import ServerPlace
from uotp.pki.authority import MOST_PEM_BYTES, readAuthority
from uotp.pki.directory import PkiFiles
from uotp.pki.files import Content, readSmall, replaceFiles, writeNew
from uotp.pki.issue import Issued, SigningKey
from uotp.pki.issued import Register, readRegister
from uotp.telemetry import spelled


def bundleContent(name: str, servers: Sequence[ServerPlace], authority: x509.Certificate, client: Issued) -> Content:
    """
    @param name: what the client is called.
    @param servers: where its servers are, the one to use first before the others; each speaks TLS.
    @return: what the file is to hold, in TOML, by the long names of the client's options.
    """
    ca = authority.public_bytes(Encoding.PEM).decode("ascii")
    places = ", ".join(_quoted(place.withPath) for place in servers)
    where = places if len(servers) == 1 else f"[{places}]"
    certificate, key = client.certificatePem().decode("ascii"), client.keyPem().decode("ascii")
    text = (
        f"# All that the client {name} needs. A private key is in it: keep it secret. Run: uotp-client {name}.uotp\n"
        f"server = {where}\n"
        f'cafile = """\n{ca}"""\n'
        f'cert = """\n{certificate}"""\n'
        f'key = """\n{key}"""\n'
    )
    return Content(text.encode("utf-8"), isSecret=True)


def _quoted(word: str) -> str:
    """
    @param word: a word whose letters can all be seen.
    @return: the same as text of TOML.  A path may have quotation marks.
    """
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def writeBundle(files: PkiFiles, name: str, servers: Sequence[ServerPlace], *, isForced: bool = False) -> bytes:
    """
    Make the file of a client that has a certificate already.

    @param servers: see L{bundleContent}.
    @param isForced: whether one that is there is replaced.
    @return: what it holds.
    @raise ConfigurationError: when something that it needs is not here, or is of no use, or when
        the file cannot be written.
    """
    authority = readAuthority(files)
    register = readRegister(files, authority)
    client = identityInUse(files, register, name)
    requireRoom(files.bundleOf(name), isForced=isForced)
    content = bundleContent(name, servers, authority, client)
    contents = {files.bundleOf(name): content}
    if isForced:
        replaceFiles(contents)
    else:
        writeNew(files.directory, contents)
    return content.data


def identityInUse(files: PkiFiles, register: Register, name: str) -> Issued:
    """
    @return: the certificate that a client uses, and its key.
    @raise ConfigurationError: when one of them is not here, or the certificate is revoked.
    """
    inUse = next((each for each in register.of(name) if each.isInUse), None)
    if inUse is None:
        reason = f"{files.certificateOf(name)} has no certificate of {name} from this CA"
        raise ConfigurationError(reason)
    if inUse.serial in register.revoked.entries:
        reason = f"the certificate of {name} is revoked: `uotp cert add {name}` makes a new one"
        raise ConfigurationError(reason)
    return Issued(inUse.certificate, keyFor(files.keyOf(name), inUse.certificate))


def keyFor(path: str, certificate: x509.Certificate) -> SigningKey:
    """
    @param path: the file with the key.
    @return: the key of a certificate.
    @raise ConfigurationError: when it is not there.
    """
    data = readSmall(path, MOST_PEM_BYTES)
    if data is None:
        reason = (
            f"{path} is missing, and the client's one file needs the key: bring it back, or make a new one "
            f"by `uotp cert renew` with {spelled('newKey')}"
        )
        raise ConfigurationError(reason)
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, SigningKey) or key.public_key() != certificate.public_key():
        reason = f"{path} has no key that can be read and belongs to the certificate"
        raise ConfigurationError(reason)
    return key


def requireRoom(path: str, *, isForced: bool) -> None:
    """
    @raise ConfigurationError: when a client's one file is there and may not be replaced.
    """
    if not isForced and readSmall(path) is not None:
        reason = f"{path} is there already: {spelled('force')} replaces it"
        raise ConfigurationError(reason)
