"""The walk that all redactions share: names are judged, parts looked at, texts cleaned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.personal import (
    PERSONAL_WORDS,
    Fate,
    Redaction,
    Verdicts,
    clean,
    email_address,
    judge,
)

TREE = st.recursive(
    st.none() | st.integers() | st.text("ab@.\x00", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=20,
)


def verdict(name):
    if name == "half":
        return lambda redaction, value, depth: redaction.redacted(value[: len(value) // 2], depth)
    if name == "sign":
        return Fate.TELLING
    return judge(
        name, words=PERSONAL_WORDS, fields=frozenset({"diary"}), signs_of_a_person=frozenset({"born"})
    )


class Everyday(Redaction):
    __slots__ = ()

    verdicts = Verdicts(verdict)
    kept_of_a_person = ("id", "seal")

    def complete(self, value, kept, depth):
        kept["seal"] = (self.pseudonym(value["sign"]), depth)


def redacted(body):
    return Everyday(str.upper).redacted(body)


@pytest.mark.parametrize(
    ("name", "fate"),
    [
        pytest.param("title", None, id="nobody's"),
        pytest.param("emailing", None, id="a word within a word"),
        pytest.param("customer_email", Fate.DROPPED, id="a word in snake case"),
        pytest.param("customerEmail", Fate.DROPPED, id="a word in camel case"),
        pytest.param("Sender-IP2", Fate.DROPPED, id="a word beside a digit"),
        pytest.param("Diary", Fate.DROPPED, id="a whole name"),
        pytest.param("diary_2", None, id="more than the whole name"),
        pytest.param("born", Fate.SIGN_OF_A_PERSON, id="a sign of a person"),
        pytest.param("title\x00", Fate.DROPPED, id="not printable"),
    ],
)
def test_a_name_is_judged_by_its_words(name, fate):
    assert verdict(name) is fate


@pytest.mark.parametrize(
    ("body", "left"),
    [
        pytest.param({"title": "a", "phone": 1, "diary": {}}, {"title": "a"}, id="personal fields"),
        pytest.param(
            {"x": [{"phone": 1, "y": [1.5, True, None]}]}, {"x": [{"y": [1.5, True, None]}]}, id="nested"
        ),
        pytest.param({"id": 1, "born": 2, "title": "a"}, {"id": 1}, id="a person"),
        pytest.param({"born": 2, "line_items": []}, {"line_items": []}, id="an order is no person"),
        pytest.param({"half": ["a", {"phone": 1}, "c@d.ef", 4]}, {"half": ["a", {}]}, id="a part"),
        pytest.param({"sign": "q", "id": 1}, {"id": 1, "seal": ("Q", 1)}, id="a telling field"),
        pytest.param([{"sign": "q", "born": 1}], [{"seal": ("Q", 2)}], id="a telling field of a person"),
        pytest.param({"t": "to a@b.cd", "u": ["\x00"]}, {"t": "to ", "u": [""]}, id="texts"),
        pytest.param("a@b.cd", "", id="a text alone"),
    ],
)
def test_what_is_left_of_a_body(body, left):
    assert redacted(body) == left


def in_lists(value, depth):
    for _ in range(depth):
        value = [value]
    return value


def test_what_lies_too_deep_is_cut_off():
    assert redacted(in_lists("x", 20)) == in_lists("x", 20)
    assert redacted(in_lists("x", 21)) == in_lists(None, 20)
    assert redacted(in_lists("x", 10_000)) == in_lists(None, 20)


def test_the_body_itself_is_left_as_it_is():
    body = {"born": 1, "x": [{"phone": "1", "t": "a@b.cd"}]}

    redacted(body)

    assert body == {"born": 1, "x": [{"phone": "1", "t": "a@b.cd"}]}


@given(TREE)
def test_a_body_without_names_of_persons_loses_nothing_but_addresses_and_nul(body):
    def cleaned(value):
        if isinstance(value, dict):
            return {name: cleaned(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [cleaned(inner) for inner in value]
        return clean(value) if isinstance(value, str) else value

    assert redacted(body) == cleaned(body)


def test_verdicts_are_remembered_up_to_a_limit():
    asked = []
    verdicts = Verdicts(asked.append)

    assert [verdicts["a"], verdicts["a"]] == [None, None]
    assert asked == ["a"]
    for number in range(10_000):
        assert verdicts[str(number)] is None
    assert len(verdicts) == 5_000


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (" Ann@Example.COM\n", "ann@example.com"),
        ("a" * 316 + "@b.c", "a" * 316 + "@b.c"),
        ("a" * 317 + "@b.c", ""),
        ("nobody", ""),
        ("", ""),
        (None, ""),
        (["a@b.cd"], ""),
    ],
    ids=["not normal", "as long as may be", "too long", "without @", "empty", "null", "a list"],
)
def test_email_address(value, address):
    assert email_address(value) == address


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("write to ann.b+c@shop.example.com now", "write to  now"),
        ("a@b.cd, e@f.gh", ", "),
        ("https://cdn.example/shirt@2x.png", "https://cdn.example/shirt@2x.png"),
        ("3 @ 5 each", "3 @ 5 each"),
        ("a\x00@b.cd", ""),
    ],
    ids=["one", "two", "a picture", "a price", "hidden by NUL"],
)
def test_clean(text, cleaned):
    assert clean(text) == cleaned
