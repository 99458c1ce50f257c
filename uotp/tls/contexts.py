"""
How OpenSSL is set up: versions, ciphers, what it trusts and what it shows.  A context is
made anew for each reload, since one that was in use may not be changed.  Nothing here knows
what is required of a peer beyond its chain.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from OpenSSL import SSL, crypto

from uotp.errors import ConfigurationError
from uotp.process import Pausing, noPause
from uotp.tls.clients import ClientList
from uotp.tls.files import DISK, CredentialFiles
from uotp.tls.names import KnownChain
from uotp.tls.pem import Identity, readAuthorities, readRevocationLists
from uotp.tls.pins import readablePin
from uotp.tls.reasons import plainText
from uotp.tls.revocation import NONE, Revocations

AES_TLS12, CHACHA_TLS12 = "ECDHE+AESGCM", "ECDHE+CHACHA20"
AES_128, AES_256, CHACHA_TLS13 = "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"
AES_TLS13 = f"{AES_128}:{AES_256}"

COMMON_TLS12 = "@SECLEVEL=2:{0}:{1}:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
"""
What a client offers of TLS 1.2: what all programs do that take the defaults of Python, where the faster of two comes
first.  A server that takes one of those which are not L{STRONG} is refused.
"""

STRONG = re.compile(r"TLS_\w+|ECDHE-(RSA|ECDSA)-(AES(128-GCM-SHA256|256-GCM-SHA384)|CHACHA20-POLY1305)")
"""The ciphers, by OpenSSL's names, that have forward secrecy and AEAD: all of TLS 1.3, and these of TLS 1.2."""

PRIORITIZE_CHACHA = 1 << 21
"""
OpenSSL's option by which a server takes ChaCha20 where its client has it first.  pyOpenSSL has no name for it.
"""

MAX_ISSUERS = 10
"""
So many certificates may stand between a peer's own and a CA that we trust.  Two or three are
usual.  What is longer is refused before a signature in it is checked.  How large they may be is
bounded before any is looked at (L{uotp.tls.records.MAX_HANDSHAKE_BYTES}).
"""

TRIAL_BYTES = 16 * 1024
TRIALS = 5
"""
A record of TLS is encrypted so often to see which cipher is faster.  That takes well under a
millisecond.
"""


@lru_cache(maxsize=1)
def aesIsFaster() -> bool:
    """
    Find out whether this processor has instructions for AES.  With them AES is several
    times as fast as ChaCha20, without them several times as slow.  Both are tried, since
    every system tells of its processor in another way.

    @return: whether AES-GCM is the faster of the two here.
    """
    record, nonce = bytes(TRIAL_BYTES), bytes(12)
    aes, chacha = AESGCM(bytes(16)), ChaCha20Poly1305(bytes(32))
    least = {}
    for cipher in (aes, chacha):
        times = []
        for _ in range(TRIALS):
            began = time.perf_counter()
            cipher.encrypt(nonce, record, None)
            times.append(time.perf_counter() - began)
        least[cipher] = min(times)
    return least[aes] <= least[chacha]


def preferred(aes: str, chacha: str) -> bytes:
    """
    @return: the ciphers, the faster of them first.
    """
    return ":".join(_fasterFirst(aes, chacha)).encode("ascii")


def _fasterFirst(aes: str, chacha: str) -> tuple[str, str]:
    return (aes, chacha) if aesIsFaster() else (chacha, aes)


def newContext(method: int) -> SSL.Context:
    """
    Make a context with what both ends have in common: TLS 1.2 and 1.3, no session to resume,
    and buffers that are given back while idle.

    @param method: C{SSL.TLS_CLIENT_METHOD} or C{SSL.TLS_SERVER_METHOD}.
    @return: a context that trusts nobody yet.
    """
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    if method == SSL.TLS_CLIENT_METHOD:
        _speakAsOthers(context)
    else:
        _takeStrongOnly(context)
    # A resumed session would bring no certificate to verify.
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_verify_depth(MAX_ISSUERS)
    return context


def _speakAsOthers(context: SSL.Context) -> None:
    """
    Have the first packet of a client be as that of a common one: Python's own, by its defaults.  With it goes that we
    can take a ticket, by which a session could be resumed.  We keep none.
    """
    context.set_cipher_list(COMMON_TLS12.format(*_fasterFirst("ECDH+AESGCM", "ECDH+CHACHA20")).encode("ascii"))
    suites = (AES_256, CHACHA_TLS13, AES_128) if aesIsFaster() else (CHACHA_TLS13, AES_256, AES_128)
    context.set_tls13_ciphersuites(":".join(suites).encode("ascii"))
    context.set_options(SSL.OP_ALL)


def _takeStrongOnly(context: SSL.Context) -> None:
    """
    Have a server take what is L{STRONG} alone.  A server that is slow with AES serves many clients, so its own order
    counts.  One that is fast follows its client, which may be slow, but only that far: of AES it takes the faster kind.
    """
    context.set_cipher_list(preferred(AES_TLS12, CHACHA_TLS12) + b":!aNULL")
    context.set_tls13_ciphersuites(preferred(AES_TLS13, CHACHA_TLS13))
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_CIPHER_SERVER_PREFERENCE | PRIORITIZE_CHACHA)


def isStrong(cipher: str | None) -> bool:
    """
    @param cipher: OpenSSL's name of what was agreed on.
    @return: whether it has forward secrecy and AEAD.
    """
    return cipher is not None and STRONG.fullmatch(cipher) is not None


@dataclass(frozen=True, slots=True)
class Trusted:
    """
    Holds whom one end trusts by a file.

    @ivar file: its name.
    @ivar authorities: the CAs.
    @ivar revocations: whose revocation lists there are.
    @ivar clients: whose keys are listed; L{None} where nobody's need be.
    @ivar keys: the L{publicKeyPin}s of the CAs.
    """

    file: str
    authorities: tuple[x509.Certificate, ...]
    revocations: Revocations
    clients: ClientList | None = None
    keys: frozenset[bytes] = frozenset()

    def holds(self, chain: KnownChain, key: bytes | None) -> bool:
        """
        @param chain: by which a peer was let in.
        @param key: the pin of its own certificate.
        @return: whether it still ends at a CA that is in the file.  Where there is no file, all do.
        """
        return not self.authorities or key in self.keys or any(issuer in self.keys for _, issuer, _ in chain)


SYSTEM = Trusted("", (), NONE)
"""Where no file says whom to trust."""


def trust(
    context: SSL.Context,
    cafile: str,
    *,
    announce: bool,
    files: CredentialFiles = DISK,
    crl: str | None = None,
    pause: Pausing = noPause,
) -> Trusted:
    """
    Let a context trust what these CAs have signed.  Each of them is enough alone, also one that has an
    issuer.  What they have revoked is for the verify callback: OpenSSL knows no lists.

    @param context: a new context.
    @param cafile: PEM file with one CA or many, and with their revocation lists.
    @param announce: whether a server is to name them when it asks for a
        certificate.
    @param files: where the files are.
    @param crl: another file with revocation lists.
    @param pause: called between the parts.
    @return: what they hold.
    @raise ConfigurationError: when one of them is unusable.
    """
    store = context.get_cert_store()
    authorities = readAuthorities(cafile, "CA file", files)
    pause()
    more = () if crl is None else readRevocationLists(crl, files)
    pause()
    revocations = Revocations.of(authorities, cafile, more, crl or "", pause)
    try:
        for authority in authorities.certificates:
            pause()
            if announce:
                context.add_client_ca(authority)
            if store is not None:
                store.add_cert(crypto.X509.from_cryptography(authority))
        if store is not None:
            store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    except (SSL.Error, crypto.Error) as problem:
        message = f"the CA file {cafile} is unusable: {_reasonText(problem)}"
        raise ConfigurationError(message) from problem
    keys = frozenset(filter(None, map(readablePin, authorities.certificates)))
    return Trusted(cafile, authorities.certificates, revocations, keys=keys)


def offer(context: SSL.Context, names: Sequence[bytes]) -> None:
    """
    Offer protocols by ALPN, as a client.

    @param context: a new context.
    @param names: the best first; none to say nothing.
    """
    if names:
        context.set_alpn_protos(list(names))


def choose(context: SSL.Context, selected: Callable[[Sequence[bytes]], bytes | None]) -> None:
    """
    Choose among the protocols that a client offers by ALPN, or go on without.

    @param context: a new context.
    @param selected: returns the name that is chosen among those that are offered, or
        L{None}.
    """

    def select(_: SSL.Connection, names: list[bytes]) -> Any:
        name = selected(names)
        return SSL.NO_OVERLAPPING_PROTOCOLS if name is None else name

    context.set_alpn_select_callback(select)


def present(context: SSL.Context, identity: Identity, certificateFile: str) -> None:
    """
    Show this certificate to peers.

    @param context: a new context.
    @param identity: the certificate, with chain and key.
    @param certificateFile: where it comes from, for the error.
    @raise ConfigurationError: when OpenSSL finds it too weak.
    """
    try:
        context.use_certificate(identity.chain[0])
        for intermediate in identity.chain[1:]:
            context.add_extra_chain_cert(intermediate)
        context.use_privatekey(identity.key)
        context.check_privatekey()
    except (SSL.Error, crypto.Error) as problem:
        message = f"the certificate in {certificateFile} is unusable: {_reasonText(problem)}"
        raise ConfigurationError(message) from problem


def _reasonText(problem: Exception) -> str:
    queue = problem.args[0] if problem.args else None
    return plainText(str(queue[0][2])) if queue else "no reason given"
