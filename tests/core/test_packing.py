"""Bodies as they are stored: small, whole, and never more memory than intended."""

import threading

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from app.core import packing
from app.core.packing import pack, unpack

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON.map(orjson.dumps))
def test_what_is_packed_comes_back(body: bytes) -> None:
    assert unpack(pack(body)) == body


@given(_JSON.map(orjson.dumps))
def test_json_that_was_never_packed_is_read_as_it_is(body: bytes) -> None:
    assert unpack(body) == body


@pytest.mark.parametrize("lines", [100, 1000], ids=["of a usual size", "large"])
def test_a_body_becomes_smaller(lines: int) -> None:
    body = orjson.dumps([{"id": number, "title": "Mug", "price": "1.25"} for number in range(lines)])

    assert len(pack(body)) < len(body) / 4
    assert unpack(pack(body)) == body


@pytest.mark.parametrize(
    "stored",
    [
        pack(b'{"id": 1}')[:-1],
        pack(b'{"id": 1}') + b"x",
        b"\x28\xb5\x2f\xfd",
        b"\x28\xb5\x2f\xfd" + b"\xff" * 20,
        zstandard.ZstdCompressor(write_content_size=False).compress(b'{"id": 1}'),
    ],
    ids=["cut off", "something after it", "a beginning", "nonsense", "size not stated"],
)
def test_a_damaged_body_is_a_clear_error(stored: bytes) -> None:
    with pytest.raises(ValueError, match="a stored body"):
        unpack(stored)


def test_a_body_that_would_take_too_much_memory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = pack(b"0" * 5000)
    assert len(bomb) < 100
    monkeypatch.setattr(packing, "_LARGEST", 4999)

    with pytest.raises(ValueError, match="too large"):
        unpack(bomb)


def test_a_body_that_could_not_be_read_again_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_LARGEST", 4999)
    body = b"0" * 5000

    assert pack(body) == body
    assert unpack(pack(body)) == body


def test_threads_do_not_disturb_each_other() -> None:
    bodies = [orjson.dumps([number] * 20_000) for number in range(8)]
    start, wrong = threading.Barrier(len(bodies)), []

    def run(body: bytes) -> None:
        start.wait(timeout=10)
        wrong.extend(1 for _ in range(50) if unpack(pack(body)) != body)

    threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
