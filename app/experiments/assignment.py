"""Which arms a visitor is in. Pure: decided anew at each answer, and always the same.

The order is that of who may keep whom out of what:

1. the store's **hold-out** (``holdout``): who is ``out`` never sees Pannier, and is in no other sample;
2. the slot's **standing control** (``slot:<slot>``): who is in ``control`` is shown nothing there, and is in no
   experiment there;
3. the **experiments**, by key: a visitor is in one where it is about the slot, where the visitor falls into its part
   of its namespace and into the range of an arm, and where its conditions hold.

A person whose visits turned out to be one person's stays in the arm that was met first (``sticky``), whatever
namespace and hash say now. Conditions are about the moment, and hold for everybody.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.experiments.hashing import Range, bucket, bucket_ranges, choose_variation, in_namespace

HOLDOUT: Final = "holdout"
OUT: Final = "out"
IN: Final = "in"
STANDING: Final = "slot:"
CONTROL: Final = "control"
SHOWN: Final = "shown"
# What an arm that shows nothing says in its settings.
SHOW: Final = "show"
NOTHING: Final = "nothing"
# Why a visitor is in an arm: by the hash, in OpenFeature's word, or because the person was in it before.
SPLIT: Final = "SPLIT"
STICKY: Final = "STICKY"

# What conditions may be about, and where that stands in the context: one text, or several of which one must do.
TARGETS: Final[Mapping[str, str]] = {
    "segment": "segments",
    "intent": "intent",
    "channel": "channel",
    "country": "country",
    "device": "device",
}


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of answering. ``settings`` are what is done otherwise; the control's are mostly empty."""

    key: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A part of a namespace, ``start`` inclusive to ``end`` exclusive: parts that are apart share no visitor."""

    key: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Running:
    """An experiment as assignment needs it.

    Attributes:
        key: its key, which is also the seed of its hash.
        arms: its arms, at least one.
        ranges: the buckets of each arm.
        slots: the places that it is about; None for all.
        namespace: the part of a namespace that its visitors are taken from; None for all visitors.
        targeting: what the context must say: one of the values, for each attribute of it that is named here.
    """

    key: str
    arms: tuple[Arm, ...]
    ranges: tuple[Range, ...]
    slots: frozenset[str] | None = None
    namespace: Namespace | None = None
    targeting: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A visitor is in an arm of an experiment. ``bucket`` is where the hash puts the visitor, 0 to 1."""

    experiment: str
    arm: str
    settings: Mapping[str, Any]
    reason: str
    bucket: float


def holdout(percent: float) -> Running | None:
    """Return the store-wide hold-out of ``percent`` of the visitors; None for 0."""
    return _split(HOLDOUT, OUT, IN, percent)


def standing(slot: str, control_percent: float) -> Running | None:
    """Return the slot's standing control of ``control_percent`` of the visitors; None for 0."""
    return _split(f"{STANDING}{slot}", CONTROL, SHOWN, control_percent, frozenset([slot]))


def _split(
    key: str, kept: str, others: str, percent: float, slots: frozenset[str] | None = None
) -> Running | None:
    """Return a split into those who are shown nothing and the others."""
    if percent <= 0:
        return None
    share = min(percent / 100, 1.0)
    arms = (Arm(kept, {SHOW: NOTHING}), Arm(others))
    return Running(key, arms, tuple(bucket_ranges(2, 1.0, (share, 1 - share))), slots)


def assign(
    running: Sequence[Running],
    unit: str,
    *,
    slot: str | None,
    context: Mapping[str, Any],
    sticky: Mapping[str, str],
) -> list[Assignment]:
    """Return the arms that a visitor is in, in the order above, whatever the order of ``running``.

    Never call it for a visitor who did not agree to analytics.

    Args:
        running: what is on: the experiments, the hold-out and the slot's standing control.
        unit: the visitor, as the hexadecimal digits of a digest.
        slot: the place on the page; None where the question names none.
        context: the attributes of the context that ``TARGETS`` names.
        sticky: the arm that the person was in first, by experiment.
    """
    found = []
    for experiment in sorted(running, key=_rank):
        assignment = _assigned(experiment, unit, slot, context, sticky)
        if assignment is None:
            continue
        found.append(assignment)
        if _is_built_in(experiment.key) and assignment.settings.get(SHOW) == NOTHING:
            break
    return found


def _rank(experiment: Running) -> tuple[int, str]:
    key = experiment.key
    return (0 if key == HOLDOUT else 1 if key.startswith(STANDING) else 2), key


def _is_built_in(key: str) -> bool:
    return key == HOLDOUT or key.startswith(STANDING)


def _assigned(
    experiment: Running, unit: str, slot: str | None, context: Mapping[str, Any], sticky: Mapping[str, str]
) -> Assignment | None:
    """Return the visitor's arm; None where the experiment is not about the visitor, here and now."""
    if experiment.slots is not None and slot not in experiment.slots:
        return None
    if not _on_target(experiment.targeting, context):
        return None
    found = bucket(experiment.key, unit)
    before = sticky.get(experiment.key)
    for arm in experiment.arms:
        if arm.key == before:
            return Assignment(experiment.key, arm.key, arm.settings, STICKY, found)
    part = experiment.namespace
    if part is not None and not in_namespace(unit, part.key, part.start, part.end):
        return None
    index = choose_variation(found, experiment.ranges)
    if index < 0:
        return None
    arm = experiment.arms[index]
    return Assignment(experiment.key, arm.key, arm.settings, SPLIT, found)


def _on_target(targeting: Mapping[str, frozenset[str]], context: Mapping[str, Any]) -> bool:
    """Return whether the context has, for each name, one of the values."""
    return all(not wanted.isdisjoint(_values(context.get(name))) for name, wanted in targeting.items())


def _values(value: Any) -> Collection[str]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def clashes(one: Running, other: Running) -> Iterator[str]:
    """Yield why two experiments cannot run at once, in a clause each; nothing where they can.

    Parts of one namespace must not overlap. Where the two may meet the same visitor in the same slot, they must not
    change the same thing: one would override the other.
    """
    first, second = one.namespace, other.namespace
    if first is not None and second is not None and first.key == second.key:
        if first.start < second.end and second.start < first.end:
            yield f"its part of the namespace {first.key} overlaps that of {other.key}"
        return
    if one.slots is not None and other.slots is not None and one.slots.isdisjoint(other.slots):
        return
    if both := _changes(one) & _changes(other):
        yield (
            f"{other.key} changes {', '.join(sorted(both))} in the same slot:"
            " give the two separate parts of one namespace"
        )


def _changes(experiment: Running) -> set[str]:
    return {name for arm in experiment.arms for name in arm.settings}
