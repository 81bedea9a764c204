"""The merchant's own words of what never makes an answer personal."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.recommendations import sensitive
from app.recommendations.sensitive import mentions
from app.recommendations.sensitive_words import BUILT_IN

ADDRESS = "/v1/guard"


def ask(client: FlaskClient, keys: dict[str, Any], body: Any = None, *, of: str = "mine") -> TestResponse:
    headers = {"Authorization": f"Bearer {keys[of][1].secret}"}
    if body is None:
        return client.get(ADDRESS, headers=headers)
    return client.put(ADDRESS, headers=headers, json=body)


def test_without_own_words_the_built_in_ones_count(client: FlaskClient, keys: dict[str, Any]) -> None:
    assert ask(client, keys).get_json() == {
        "words": [],
        "built_in": {subject: list(words) for subject, words in BUILT_IN.items()},
        "updated_at": None,
    }


def test_own_words_replace_those_of_before_and_count_at_once(
    app: Flask, client: FlaskClient, keys: dict[str, Any]
) -> None:
    store_id = keys["mine"][0].id
    ask(client, keys, {"words": ["candle"]})
    sensitive.words_of(store_id)

    answer = ask(client, keys, {"words": ["wig*", "Haarausfall", "wig*"]})

    assert answer.status_code == 200
    assert answer.get_json()["words"] == ["wig*", "Haarausfall"]
    assert answer.get_json()["updated_at"] is not None
    words = sensitive.words_of(store_id)
    assert [mentions(text, words) for text in ("Wigs", "haarausfall", "Candle", "Condom")] == [
        True,
        True,
        False,
        True,
    ]
    assert ask(client, keys, of="other").get_json()["words"] == []


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"words": ["*"]}, "words.0"),
        ({"words": ["ok words", "a"]}, "words.1"),
        ({"words": ["a*bc"]}, "words.0"),
        ({"words": ["abc\x00"]}, "words.0"),
        ({"words": ["x" * 61]}, "words.0"),
        ({"words": ["abc"] * 201}, "words"),
        ({"words": [7]}, "words.0"),
        ({}, "words"),
        ({"words": [], "built_in": {}}, "built_in"),
    ],
    ids=[
        "everything",
        "too short",
        "asterisk inside",
        "control",
        "long",
        "many",
        "number",
        "none",
        "unknown",
    ],
)
def test_what_is_no_list_of_words_is_refused(
    client: FlaskClient, keys: dict[str, Any], body: Any, name: str
) -> None:
    answer = ask(client, keys, body)

    assert answer.status_code == 422
    assert [param["name"] for param in answer.get_json()["invalid_params"]] == [name]
    assert ask(client, keys).get_json()["words"] == []


@pytest.mark.parametrize("word", ["wig*", "Haar-Ausfall", "perte de cheveux", "l'âge mûr", "避妊", "abc 1*"])
def test_words_of_any_language_are_taken(client: FlaskClient, keys: dict[str, Any], word: str) -> None:
    answer = ask(client, keys, {"words": [word]})

    assert answer.status_code == 200
    assert mentions(f"This is {word.rstrip('*')}!", sensitive.compiled(tuple(answer.get_json()["words"])))
