"""Ed25519 signatures over the seals: whoever rewrites the chain without the key is found. Part of the store.

The key lives elsewhere: in a file, in the environment, or where a command gets it. A record names the public key that
signed it; another key counts only once a record signed with the one before has introduced it.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import secret
from pipeline.errors import AuditbookError, UsageError
from pipeline.secret import Kept

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = b"auditbook seal "
HINT = "`auditbook keys new FILE` makes one; [signing] says where it is."


@dataclass(frozen=True)
class Signing(Kept):
    """Where the key is, which public key is trusted, and who is told of new heads: [signing] of the configuration."""

    public_key: str | None = None
    witness: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signer:
    """A private key, ready to sign."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        """The public key in hexadecimal digits."""
        return self.private.public_key().public_bytes_raw().hex()

    def sign(self, seal: str) -> str:
        return self.private.sign(PREFIX + seal.encode()).hex()


def signer(settings: Signing) -> Signer | None:
    """The key that is configured, or None; one that is configured and cannot be had is an error."""
    found = secret.read(settings, "signing", HINT)
    return None if found is None else _signer(*found)


def verifies(public: str, seal: str, signature: str) -> bool:
    """Whether a seal was signed with the private half of a public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), PREFIX + seal.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key(text: str) -> str:
    """A public key as it was typed: 64 hexadecimal digits, or a file with them or with PEM."""
    path = Path(text).expanduser()
    content = text if len(text) == 64 else secret.file(path, HINT).decode("utf-8", "replace").strip()
    if "PUBLIC KEY" in content:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            key = load_pem_public_key(content.encode())
        except ValueError as error:
            raise UsageError("is not a public key.", path=path) from error
        if isinstance(key, Ed25519PublicKey):
            return key.public_bytes_raw().hex()
    try:
        if len(bytes.fromhex(content)) == 32:
            return content.lower()
    except ValueError:
        pass
    raise UsageError("is not an Ed25519 public key.", path=text, hint="`auditbook keys list` prints it.")


def new(path: Path) -> Signer:
    """Make a key and write it to a file of its own, for its owner alone; nothing is overwritten."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made = Ed25519PrivateKey.generate()
    text = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)
    except FileExistsError as error:
        raise UsageError("is there already; a key is never overwritten.", path=path) from error
    except OSError as error:
        raise AuditbookError(f"cannot be written: {error.strerror}.", path=path) from error
    return Signer(made)


def _signer(text: bytes, where: str) -> Signer:
    """PEM, or the 32 bytes in hexadecimal digits or base64. What was read is never shown."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if b"PRIVATE KEY" in text:
            key = load_pem_private_key(text, password=None)
            if isinstance(key, Ed25519PrivateKey):
                return Signer(key)
        else:
            return Signer(Ed25519PrivateKey.from_private_bytes(_raw(text.strip())))
    except (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error):
        pass
    raise UsageError(f"{where} is not an Ed25519 private key.", hint=HINT) from None


def _raw(text: bytes) -> bytes:
    return bytes.fromhex(text.decode("ascii")) if len(text) == 64 else base64.b64decode(text, validate=True)
