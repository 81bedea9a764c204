"""Secrets at rest, pseudonyms, keys."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, MultiFernet
from flask import Flask
from sqlalchemy import text

from app.commerce.store import Store, add_store
from app.core import crypto
from app.core.config import ConfigurationError
from app.core.crypto import Vault, key_digest, keys_on_disk, new_key
from app.core.db import db

OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))
PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "value", [None, "", "hush", {"webhook_secret": "s", "n": [1, 2.5, None, True]}, "häßlich ☃"], ids=repr
)
def test_what_was_encrypted_comes_back(value: object) -> None:
    vault = Vault([OLD])

    token = vault.encrypt(value)

    assert vault.decrypt(token) == value
    assert json.dumps(value).encode() not in token or not value


def test_a_new_key_in_front_encrypts_and_the_old_still_decrypts() -> None:
    before, after = Vault([OLD]), Vault([NEW, OLD])
    token = before.encrypt("hush")

    assert after.decrypt(token) == "hush"
    assert Vault([NEW]).decrypt(after.encrypt("hush")) == "hush"
    with pytest.raises(ConfigurationError):
        before.decrypt(after.encrypt("hush"))


def test_a_token_of_a_lost_key_is_one_sentence() -> None:
    token = Vault([OLD]).encrypt("hush")

    with pytest.raises(ConfigurationError) as raised:
        Vault([FOREIGN]).decrypt(token)

    assert str(raised.value) == (
        "A stored secret fits none of PANNIER_SECRET_KEYS; put the key back that encrypted it."
    )


def test_pseudonyms_stay_while_keys_rotate_in_front() -> None:
    before, after = Vault([OLD]), Vault([NEW, OLD])

    assert before.pseudonym(1, "ann@example.com") == after.pseudonym(1, "ann@example.com")
    assert before.pseudonym(1, "ann@example.com") != Vault([NEW]).pseudonym(1, "ann@example.com")


def test_a_person_has_unrelated_pseudonyms_in_two_shops() -> None:
    vault = Vault([OLD])

    found = {vault.pseudonym(store_id, "ann@example.com") for store_id in (1, 2, 12)}

    assert len(found) == 3
    assert all(len(bytes.fromhex(pseudonym)) == 32 for pseudonym in found)
    assert vault.pseudonym(1, "bob@example.com") not in found


@pytest.mark.parametrize(
    "keys",
    [(), ("",), ("short",), (OLD, "not base64 at all!"), ("ü" * 44,), (OLD[:-2],)],
    ids=["none", "empty", "short", "second malformed", "not ASCII", "cut off"],
)
def test_a_malformed_key_is_one_sentence(keys: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Vault(keys)

    assert str(raised.value) == "PANNIER_SECRET_KEYS must be one or more Fernet keys, separated by commas."


def test_no_vault_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "_vault", None)

    with pytest.raises(ConfigurationError, match=r"^No secret keys were loaded\.$"):
        crypto.vault()


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret.key"
    before = os.umask(0)
    try:
        first = keys_on_disk(path)
    finally:
        os.umask(before)

    assert keys_on_disk(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]
    Vault(first)


def test_several_keys_may_stand_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(f"{NEW},{OLD}\n")

    assert keys_on_disk(path) == (NEW, OLD)


def test_threads_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    start, found = threading.Barrier(8), []

    def look() -> None:
        start.wait(timeout=10)
        found.append(keys_on_disk(path))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert len(found) == 8
    assert set(found) == {keys_on_disk(path)}
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]


def test_who_comes_second_takes_the_first_ones_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.key"
    link = os.link

    def late(source: str, target: str) -> None:
        path.write_text(OLD)  # another process, between the look and the link
        link(source, target)

    monkeypatch.setattr(crypto.os, "link", late)

    assert keys_on_disk(path) == (OLD,)
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]


def test_processes_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    code = "import sys; from pathlib import Path; from app.core.crypto import keys_on_disk; "
    code += "print(*keys_on_disk(Path(sys.argv[1])))"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    found = {process.communicate(timeout=60)[0].strip() for process in processes}

    assert found == {path.read_text()}


def test_an_encrypted_column_is_ciphertext_in_the_table(app: Flask) -> None:
    store, _ = add_store("woocommerce", "https://example.com", webhook_secret="hush-hush")
    db.session.commit()

    stored = db.session.execute(text("SELECT credentials FROM store")).scalar_one()
    assert b"hush-hush" not in stored
    assert b"webhook_secret" not in stored
    assert crypto.vault().decrypt(stored) == {"webhook_secret": "hush-hush"}
    db.session.expire_all()
    assert db.session.get_one(Store, store.id).webhook_secrets == (b"hush-hush",)


def test_stored_secrets_survive_a_rotation(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = add_store("woocommerce", "https://example.com", webhook_secret="hush-hush")
    db.session.commit()
    keys = app.extensions["pannier_settings"].secret_keys

    monkeypatch.setattr(crypto, "_vault", Vault([NEW, *keys]))
    assert store.webhook_secrets == (b"hush-hush",)
    store.credentials = {**store.credentials, "webhook_secret_previous": "older"}
    db.session.commit()

    stored = db.session.execute(text("SELECT credentials FROM store")).scalar_one()
    assert MultiFernet([Fernet(NEW)]).decrypt(bytes(stored)) != b""
    assert store.webhook_secrets == (b"hush-hush", b"older")


def test_api_keys_are_unguessable_and_looked_up_by_digest() -> None:
    keys = {new_key("pk") for _ in range(100)}

    assert len(keys) == 100
    assert all(key.startswith("pk_") and len(key) == 35 for key in keys)
    assert len({key_digest(key) for key in keys}) == 100
    assert key_digest("pk_1") == key_digest("pk_1")
    assert len(key_digest("pk_1")) == 32
