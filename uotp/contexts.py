"""
How OpenSSL is set up: versions, ciphers, what it trusts and what it shows.  A
context is made anew for each reload, since one that has been in use may not be
changed.  Nothing here knows what is demanded of a peer beyond its chain.
"""

from __future__ import annotations

from OpenSSL import SSL, crypto

from uotp.errors import ConfigurationError
from uotp.pem import Identity, readCertificates
from uotp.refusals import plainText

CIPHERS_TLS12 = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
CIPHERS_TLS13 = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"


def newContext(method: int) -> SSL.Context:
    """
    Make a context as both ends have it: TLS 1.2 and 1.3, forward secrecy and
    AEAD only, no session to resume, buffers given back while idle.

    @param method: C{SSL.TLS_CLIENT_METHOD} or C{SSL.TLS_SERVER_METHOD}.
    @return: a context that trusts nobody yet.
    """
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS_TLS12)
    context.set_tls13_ciphersuites(CIPHERS_TLS13)
    # A resumed session would bring no certificate to look at.
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


def trust(context: SSL.Context, cafile: str, *, announce: bool) -> None:
    """
    Trust what these CAs sign.

    @param context: a new context.
    @param cafile: PEM file with one CA or many.
    @param announce: whether a server is to name them when it asks for a
        certificate.
    @raise ConfigurationError: when the file is unusable.
    """
    store = context.get_cert_store()
    try:
        for authority in readCertificates(cafile, "CA file"):
            if announce:
                context.add_client_ca(authority)
            if store is not None:
                store.add_cert(crypto.X509.from_cryptography(authority))
    except (SSL.Error, crypto.Error) as problem:
        message = f"the CA file {cafile} is unusable: {_reasonText(problem)}"
        raise ConfigurationError(message) from problem


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
