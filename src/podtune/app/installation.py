"""This installation: its owner name and its signing key, made once and kept outside the database."""

import base64
import hashlib
import hmac
import os
import socket
from pathlib import Path
from typing import Final, NamedTuple

from podtune.core.clock import random_word, token_bytes
from podtune.core.errors import ArtifactError, StateError

OWNER_FILE: Final = "owner"
KEY_FILE: Final = "signing.key"


def host() -> str:
    """This machine's name, as far as drivers of one store have to tell machines apart."""
    return socket.gethostname()[:120]


def owner(home: Path) -> str:
    """The installation's name, eight letters; every machine it starts carries it."""
    path = home / OWNER_FILE
    _write_once(path, random_word(8).encode())
    return path.read_text(encoding="ascii").strip()


def known_owner(home: Path) -> str | None:
    """The installation's name where it has one; looking makes none."""
    path = home / OWNER_FILE
    return path.read_text(encoding="ascii").strip() if path.is_file() else None


class SigningKey(NamedTuple):
    """The installation's Ed25519 key."""

    private: bytes
    """32 raw bytes."""

    @property
    def public_base64(self) -> str:
        """The public half, base64 of 32 raw bytes."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(self.private)
        return base64.b64encode(key.public_key().public_bytes_raw()).decode()

    def sign(self, message: bytes) -> str:
        """Signature in base64."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        signature = Ed25519PrivateKey.from_private_bytes(self.private).sign(message)
        return base64.b64encode(signature).decode()

    def derive(self, purpose: str) -> str:
        """A secret for one purpose, 64 hex signs: the same each time, so it need not be stored."""
        return hmac.new(self.private, purpose.encode(), hashlib.sha256).hexdigest()


def signing_key(home: Path) -> SigningKey:
    """The key, made on first use; only this user can read the file.

    Raises:
        StateError: the file does not hold a key.
    """
    path = home / KEY_FILE
    _write_once(path, token_bytes(32))
    private = path.read_bytes()
    if len(private) != 32:
        raise StateError(
            f"{str(path)!r} is no signing key", hint="restore it, or remove it to make a new one"
        )
    return SigningKey(private)


def check_signature(public_base64: str, message: bytes, signature_base64: str) -> None:
    """Verify a signature.

    Raises:
        ArtifactError: it does not fit.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_base64, validate=True))
        key.verify(base64.b64decode(signature_base64, validate=True), message)
    except (InvalidSignature, ValueError) as error:
        raise ArtifactError(
            "the receipt's signature does not fit its text: it was changed",
            code="bad_signature",
        ) from error


def _write_once(path: Path, content: bytes) -> None:
    """Create a file with its whole content, unless it is there; two processes make one file."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{token_bytes(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)
