"""What about a list of rules is probably not meant so. Pure.

Rules that never fire, rules that never come to anything, rules that contradict each other (which ``evaluation``
settles, but perhaps not as the merchant thinks), and lists that leave nothing to show. Rules that are off are left
alone.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any, Final

from app.rules import possible
from app.rules.actions import ANSWERS, BOOST, BURY, FILTERED, HIDE, NOTHING, PIN, RESTRICT
from app.rules.catalogue import Catalogue
from app.rules.context import Item
from app.rules.filters import WORDS, Filters, bits_of, price_range

# What never works, and what works otherwise than it may look.
ERROR: Final = "error"
WARNING: Final = "warning"
LEVELS: Final = (ERROR, WARNING)

NEVER_VALID: Final = "never_valid"
EXPIRED: Final = "expired"
IMPOSSIBLE: Final = "impossible"
SHADOWED: Final = "shadowed"
OVERRULED: Final = "overruled"
SHOWN_AND_HIDDEN: Final = "shown_and_hidden"
SAME_POSITION: Final = "same_position"
PINNED_TWICE: Final = "pinned_twice"
BOOSTED_AND_BURIED: Final = "boosted_and_buried"
HIDES_EVERYTHING: Final = "hides_everything"
MATCHES_NOTHING: Final = "matches_nothing"
UNKNOWN_PRODUCT: Final = "unknown_product"
UNKNOWN_SEGMENT: Final = "unknown_segment"
CODES: Final = (
    NEVER_VALID, EXPIRED, IMPOSSIBLE, SHADOWED, OVERRULED, SHOWN_AND_HIDDEN, SAME_POSITION, PINNED_TWICE,
    BOOSTED_AND_BURIED, HIDES_EVERYTHING, MATCHES_NOTHING, UNKNOWN_PRODUCT, UNKNOWN_SEGMENT,
)  # fmt: skip

Rule = Mapping[str, Any]
Action = Mapping[str, Any]
Filter = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something odd about a rule, and perhaps about how it stands to another."""

    rule: str
    other: str | None
    level: str
    code: str
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def lint(rules: Sequence[Rule], now: datetime, catalogue: Catalogue | None = None) -> list[Finding]:
    """Return what is odd about a valid list of rules, by the order of the rules.

    Without a catalogue only what follows from the rules alone is found.
    """
    on = [rule for rule in rules if rule.get("enabled", True)]
    dead = [finding for rule in on for finding in _never_fires(rule, now)]
    gone = {finding.rule for finding in dead}
    live = [rule for rule in on if rule["id"] not in gone]
    found = [*dead, *_overruled(live)]
    for one, other in combinations(live, 2):
        found += _contradictions(one, other, catalogue)
    found += [finding for rule in live for finding in _contradictions_within(rule, catalogue)]
    found += _disjoint_restrictions(live)
    if catalogue is not None:
        found += [finding for rule in live for finding in _unknown(rule, catalogue)]
        if catalogue.shown:
            found += _against_all(live, catalogue.shown)
    place = {rule["id"]: number for number, rule in enumerate(on)}
    return sorted(dict.fromkeys(found), key=lambda finding: place[finding.rule])


def named_products(rules: Sequence[Rule]) -> frozenset[str]:
    """Return the products that rules are to show, or ask for."""
    return frozenset(product for rule in rules for product in (*_shows(rule), *_asks_for(rule)))


def _asks_for(rule: Rule) -> frozenset[str]:
    condition = rule.get("if")
    return possible.words(condition, "product") | possible.words(condition, "cart_product")


def _shows(rule: Rule) -> list[str]:
    """Return the products that a rule pins or lists."""
    return [
        product
        for action in rule["then"]
        for product in ([action["product"]] if action["do"] == PIN else action.get("products", ()))
    ]


# --- one rule -------------------------------------------------------------------------------------------


def _never_fires(rule: Rule, now: datetime) -> Iterator[Finding]:
    start, end = _validity(rule)
    if end <= start:
        yield _finding(rule, None, ERROR, NEVER_VALID, "It ends before it begins, and never fires.")
    elif end <= now:
        yield _finding(rule, None, WARNING, EXPIRED, "It is over, and does not fire any more.")
    elif not possible.possible(rule.get("if")):
        yield _finding(
            rule, None, ERROR, IMPOSSIBLE, "Its conditions exclude each other, so that it never fires."
        )


_EVER: Final = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _validity(rule: Rule) -> tuple[datetime, datetime]:
    times = (rule.get("starts_at"), rule.get("ends_at"))
    start, end = (
        default if text is None else datetime.fromisoformat(text)
        for text, default in zip(times, _EVER, strict=True)
    )
    return start, end


def _unknown(rule: Rule, catalogue: Catalogue) -> Iterator[Finding]:
    for product in dict.fromkeys((*_shows(rule), *sorted(_asks_for(rule)))):
        if product not in catalogue.named:
            yield _finding(rule, None, WARNING, UNKNOWN_PRODUCT, f"The store has no product {product}.")
    for key in sorted(possible.words(rule.get("if"), "segment") - catalogue.segments):
        yield _finding(rule, None, WARNING, UNKNOWN_SEGMENT, f"The store has no segment {key}.")


def _contradictions_within(rule: Rule, catalogue: Catalogue | None) -> Iterator[Finding]:
    yield from _shown_and_hidden(rule, rule, catalogue)
    yield from _boosted_and_buried(rule, rule)


# --- two rules ------------------------------------------------------------------------------------------


def _overruled(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Find rules whose actions always lose against those of an earlier rule."""
    for number, rule in enumerate(rules):
        losing: dict[int, Rule] = {}
        for place, action in enumerate(rule["then"]):
            winner = next((e for e in rules[:number] if _beats(e, action) and _covers(e, rule)), None)
            if winner is not None:
                losing[place] = winner
        if losing:
            other = next(iter(losing.values()))
            whole = len(losing) == len(rule["then"])
            sentence = (
                "An earlier rule decides wherever this one fires, so that it never comes to anything."
                if whole
                else "An earlier rule always decides in place of a part of it."
            )
            yield _finding(
                rule, other, ERROR if whole else WARNING, SHADOWED if whole else OVERRULED, sentence
            )


def _beats(earlier: Rule, action: Action) -> bool:
    """Whether an action comes to nothing where an earlier rule fires."""
    kinds = {each["do"] for each in earlier["then"]}
    if NOTHING in kinds:
        return True
    if action["do"] in ANSWERS:
        return bool(kinds & set(ANSWERS))
    if action["do"] != PIN:
        return False
    pins = [each for each in earlier["then"] if each["do"] == PIN]
    return any(each["position"] == action["position"] for each in pins)


def _covers(one: Rule, other: Rule) -> bool:
    """Whether ``one`` fires wherever ``other`` does."""
    (start, end), (first, last) = _validity(one), _validity(other)
    return start <= first and last <= end and possible.implies(other.get("if"), one.get("if"))


def _contradictions(one: Rule, other: Rule, catalogue: Catalogue | None) -> list[Finding]:
    found = [
        *_same_places(one, other),
        *_shown_and_hidden(one, other, catalogue),
        *_shown_and_hidden(other, one, catalogue),
        *_boosted_and_buried(one, other),
    ]
    return found if found and _overlap(one, other) else []


def _overlap(one: Rule, other: Rule) -> bool:
    """Whether both may fire at once."""
    (start, end), (first, last) = _validity(one), _validity(other)
    return max(start, first) < min(end, last) and possible.possible(one.get("if"), other.get("if"))


def _same_places(one: Rule, other: Rule) -> Iterator[Finding]:
    for first in one["then"]:
        for second in other["then"]:
            if first["do"] != PIN or second["do"] != PIN:
                continue
            if first["position"] == second["position"] and first["product"] != second["product"]:
                sentence = f"Both pin a product at position {first['position']}; the earlier rule has it."
                yield _finding(other, one, WARNING, SAME_POSITION, sentence)
            elif first["product"] == second["product"] and first["position"] != second["position"]:
                sentence = f"Both pin {first['product']}; it stands where the earlier rule pins it."
                yield _finding(other, one, WARNING, PINNED_TWICE, sentence)


def _shown_and_hidden(showing: Rule, hiding: Rule, catalogue: Catalogue | None) -> Iterator[Finding]:
    """Find products that one rule pins or lists and another hides."""
    named = catalogue.named if catalogue is not None else {}
    products = dict.fromkeys(_shows(showing))
    for action in hiding["then"]:
        if action["do"] not in (HIDE, RESTRICT):
            continue
        for product in products:
            if _is_hidden(action, product, named.get(product)):
                always = _covers(hiding, showing)
                sentence = (
                    f"It is to show {product}, which the other rule {'always' if always else 'may'} "
                    + ("hides; hiding wins." if always else "hide; hiding wins.")
                )
                yield _finding(showing, hiding, ERROR if always else WARNING, SHOWN_AND_HIDDEN, sentence)


def _is_hidden(action: Action, product: str, item: Item | None) -> bool:
    """Whether a product is certainly hidden; of an unknown one only its id is looked at."""
    wanted = action["filter"]
    if item is not None:
        return bool(Filters([wanted]).matching(item)) is (action["do"] == HIDE)
    if action["do"] == HIDE:
        return wanted.keys() == {"products"} and product in wanted["products"]
    return product not in wanted.get("products", [product])


def _boosted_and_buried(one: Rule, other: Rule) -> Iterator[Finding]:
    pairs = [(a, b) for a in one["then"] for b in other["then"]]
    for first, second in pairs:
        if {first["do"], second["do"]} == {BOOST, BURY} and _same_products(first["filter"], second["filter"]):
            sentence = "The same products are boosted and buried; the factors are multiplied."
            yield _finding(other, one, WARNING, BOOSTED_AND_BURIED, sentence)


def _same_products(one: Filter, other: Filter) -> bool:
    if one.keys() == other.keys() == {"products"}:
        return not set(one["products"]).isdisjoint(other["products"])
    return {n: _plain(v) for n, v in one.items()} == {n: _plain(v) for n, v in other.items()}


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


# --- what leaves nothing --------------------------------------------------------------------------------


def _disjoint_restrictions(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Find restrictions that no product can meet together."""
    restricting = [(rule, a["filter"]) for rule in rules for a in rule["then"] if a["do"] == RESTRICT]
    for (one, first), (other, second) in combinations(restricting, 2):
        if _disjoint(first, second) and _overlap(one, other):
            sentence = "No product meets its restriction and the other one, so that nothing is left to show."
            yield _finding(other, one, ERROR, HIDES_EVERYTHING, sentence)


def _disjoint(one: Filter, other: Filter) -> bool:
    """Whether no product can match both. A product has many tags, and one of all else."""
    for name in WORDS:
        if name != "tags" and name in one and name in other and set(one[name]).isdisjoint(other[name]):
            return True
    (low, high), (start, end) = price_range(one), price_range(other)
    return max(low, start) > min(high, end)


def _against_all(rules: Sequence[Rule], shown: Collection[Item]) -> list[Finding]:
    """Find filters that no product matches, and rules that hide all products."""
    places = [(rule, action) for rule in rules for action in rule["then"] if action["do"] in FILTERED]
    filters = Filters([action["filter"] for _, action in places])
    left = {rule["id"]: rule for rule in rules if _hiding(rule)}
    hidden_by = _hiders([rule for rule in rules if rule.get("if") is None], left.values(), places)
    matched_ever = 0
    for item in shown:
        matched = filters.matching(item)
        matched_ever |= matched
        for id_ in [id_ for id_ in left if not hidden_by(id_, matched)]:
            del left[id_]
    found = [
        _finding(rule, None, ERROR, HIDES_EVERYTHING, "Where it fires, no product is left to show.")
        for rule in left.values()
    ]
    unmatched = set(range(len(places))) - set(bits_of(matched_ever))
    for bit in sorted(unmatched):
        rule, action = places[bit]
        if rule["id"] not in left:
            sentence = f"No product that can be shown is what it would {action['do']}."
            found.append(_finding(rule, None, WARNING, MATCHES_NOTHING, sentence))
    return found


def _hiding(rule: Rule) -> bool:
    return any(action["do"] in (HIDE, RESTRICT) for action in rule["then"])


def _hiders(
    always: Sequence[Rule], rules: Collection[Rule], places: Sequence[tuple[Rule, Action]]
) -> Callable[[str, int], bool]:
    """Return whether a product is hidden where a rule fires, by the rule's id and the filters that it matches.

    What always fires hides, too.
    """
    now_on = {rule["id"] for rule in always}
    masks = {
        rule["id"]: tuple(
            sum(
                1 << bit
                for bit, (owner, action) in enumerate(places)
                if action["do"] == do and (owner["id"] == rule["id"] or owner["id"] in now_on)
            )
            for do in (HIDE, RESTRICT)
        )
        for rule in rules
    }

    def hidden(id_: str, matched: int) -> bool:
        hide, restrict = masks[id_]
        return bool(matched & hide or restrict & ~matched)

    return hidden


def _finding(rule: Rule, other: Rule | None, level: str, code: str, sentence: str) -> Finding:
    return Finding(rule["id"], None if other is None or other is rule else other["id"], level, code, sentence)
