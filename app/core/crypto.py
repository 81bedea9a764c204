"""Secrets at rest, keyed hashes and keys.

Secrets are encrypted with Fernet (AES-128-CBC and HMAC-SHA256); several keys allow rotation: the first
encrypts, all decrypt. Pseudonyms are HMAC-SHA256 under a key derived per store, so that the same
person has unrelated hashes in two shops.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import LargeBinary, TypeDecorator
from sqlalchemy.engine import Dialect

from app.core.config import ConfigurationError


class Vault:
    """Encrypts, decrypts and derives under the process's secret keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take Fernet keys (32 bytes, urlsafe base64), the encrypting one first.

        Raises:
            ConfigurationError: if a key is malformed or there is none.
        """
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise ConfigurationError(
                "PANNIER_SECRET_KEYS must be one or more Fernet keys, separated by commas."
            ) from error
        # The last key is the oldest: deriving from it keeps pseudonyms stable while keys rotate in front.
        self._root = keys[-1].encode()

    def encrypt(self, value: Any) -> bytes:
        """Return a JSON value encrypted."""
        return self._fernet.encrypt(json.dumps(value).encode())

    def decrypt(self, token: bytes) -> Any:
        """Return what ``encrypt`` was given.

        Raises:
            ConfigurationError: if none of the keys fits.
        """
        try:
            return json.loads(self._fernet.decrypt(token))
        except InvalidToken as error:
            raise ConfigurationError(
                "A stored secret fits none of PANNIER_SECRET_KEYS; put the key back that encrypted it."
            ) from error

    @lru_cache(maxsize=4096)  # noqa: B019 - one vault lives as long as its process
    def store_key(self, store_id: int) -> bytes:
        """Return the store's own key for pseudonyms, 32 bytes."""
        return hmac.digest(self._root, b"pannier/pseudonym/%d" % store_id, "sha256")

    def pseudonym(self, store_id: int, identifier: str) -> str:
        """Return the keyed hash of a normalised personal identifier, 64 hex digits."""
        return hmac.digest(self.store_key(store_id), identifier.encode(), "sha256").hex()


_vault: Vault | None = None


def open_vault(keys: Sequence[str]) -> Vault:
    """Open the process's vault; columns of type ``Encrypted`` use it from then on."""
    global _vault
    _vault = Vault(keys)
    return _vault


def vault() -> Vault:
    """Return the process's vault.

    Raises:
        ConfigurationError: if none was opened.
    """
    if _vault is None:
        raise ConfigurationError("No secret keys were loaded.")
    return _vault


def keys_on_disk(path: Path) -> tuple[str, ...]:
    """Return the keys in ``path``, made on first use with mode 0600.

    For development and the demo, where nobody set PANNIER_SECRET_KEYS. Two processes that start together
    agree on one key.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
        try:
            os.link(draft, path)  # fails where another process was first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return tuple(path.read_text().strip().split(","))


class Encrypted(TypeDecorator[Any]):
    """A column that holds a JSON value encrypted."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Encrypt on the way in."""
        return None if value is None else vault().encrypt(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Decrypt on the way out."""
        return None if value is None else vault().decrypt(value)


def new_key(prefix: str) -> str:
    """Return a new unguessable API key such as ``pk_…``: 192 random bits."""
    return f"{prefix}_{secrets.token_urlsafe(24)}"


def key_digest(key: str) -> bytes:
    """Return the digest under which an API key is stored and looked up.

    Keys have 192 random bits, so a plain SHA-256 cannot be searched.
    """
    return hashlib.sha256(key.encode()).digest()
