"""A price rule: which products, which signals with which weight, within which guards, in which hours. Pure.

``app.pricing.schemas`` says which definitions are valid; what is here expects valid ones. Percentages stand in a
definition as the merchant writes them (up to two decimals) and are reckoned with in hundredths of a percent.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from app.pricing import signals
from app.pricing.guards import WHOLE, Guards
from app.pricing.models import PriceRule
from app.rules.conditions import Window, local

SUGGEST: Final = "suggest"  # proposals to look at, which cannot be approved
APPROVE: Final = "approve"  # proposals wait for the merchant's word
AUTOMATIC: Final = "automatic"  # proposals are written, where a floor or a cost bounds them
MODES: Final = (SUGGEST, APPROVE, AUTOMATIC)

BOTH: Final = "both"
UP: Final = "up"
DOWN: Final = "down"
MOVES: Final = (BOTH, UP, DOWN)

# What a rule does where its definition does not say.
PRIORITY: Final = 100
STEP_PERCENT: Final = 5.0
LEAST_STEP_PERCENT: Final = 1.0
COOLING_HOURS: Final = 24
EXPIRES_HOURS: Final = 72
LOW_DAYS: Final = 14.0
HIGH_DAYS: Final = 90.0
DEVIATIONS: Final = 2.0
RATIO: Final = 1.5
FRESH_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class Traits:
    """What a rule may choose a product by."""

    product_id: str
    category: str | None = None
    vendor: str | None = None
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Selection:
    """Products by any of their traits; ``everything``: all of them."""

    everything: bool = False
    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    vendors: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Selection":
        """Return the selection that a definition speaks of."""
        return cls(
            bool(body.get("all", False)),
            *(frozenset(body.get(name, ())) for name in ("products", "categories", "vendors", "tags")),
        )

    def takes(self, product: Traits) -> bool:
        """Return whether a product is meant."""
        return (
            self.everything
            or product.product_id in self.products
            or product.category in self.categories
            or product.vendor in self.vendors
            or not self.tags.isdisjoint(product.tags)
        )


@dataclass(frozen=True, slots=True)
class Weighing:
    """How a rule takes a signal.

    Attributes:
        signal: which.
        weight: by how much full pressure moves the price; hundredths of a percent.
        moves: ``up``, ``down`` or ``both``: what presses the other way is not listened to.
        options: the signal's own thresholds, as the definition has them.
    """

    signal: str
    weight: int
    moves: str
    options: Mapping[str, Any]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Weighing":
        """Return the weighing that a definition speaks of."""
        return cls(body["signal"], hundredths(body["weight_percent"]), body.get("moves", BOTH), body)

    def of(self, signal: signals.Signal) -> int:
        """Return by how much ``signal`` wants to move the price; hundredths of a percent."""
        wanted = round(signal.pressure * self.weight)
        if (self.moves == UP and wanted < 0) or (self.moves == DOWN and wanted > 0):
            return 0
        return wanted


@dataclass(frozen=True, slots=True)
class RuleGuards:
    """A rule's guards, before they meet a variant.

    Attributes:
        floor: for every product, in minor units; None: none. ``floors`` has those of single products, which go before.
        ceiling: likewise, with ``ceilings``.
        floor_share: of the base price (what the merchant set last); hundredths of a percent; None: none.
        ceiling_share: likewise.
        tax: what prices contain, hundredths of a percent of the price without it; None: as the orders tell.
        common: step, least step, cooling, margin and endings, which do not depend on the variant.
    """

    floor: int | None
    ceiling: int | None
    floors: Mapping[str, int]
    ceilings: Mapping[str, int]
    floor_share: int | None
    ceiling_share: int | None
    tax: int | None
    common: Guards

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "RuleGuards":
        """Return the guards that a definition speaks of."""
        common = Guards(
            margin=hundredths(body.get("least_margin_percent", 0)),
            step=hundredths(body.get("largest_step_percent", STEP_PERCENT)),
            least_step=hundredths(body.get("least_step_percent", LEAST_STEP_PERCENT)),
            cooling=timedelta(hours=body.get("cooling_hours", COOLING_HOURS)),
            endings=tuple(body.get("endings", ())),
        )
        single = body.get("single", ())
        return cls(
            body.get("floor"),
            body.get("ceiling"),
            {each["product_id"]: each["floor"] for each in single if "floor" in each},
            {each["product_id"]: each["ceiling"] for each in single if "ceiling" in each},
            _share(body.get("floor_percent")),
            _share(body.get("ceiling_percent")),
            _share(body.get("tax_percent")),
            common,
        )

    def explicit_floor(self, product_id: str) -> int | None:
        """Return the floor that the merchant wrote for a product in money."""
        return self.floors.get(product_id, self.floor)

    def of(self, product_id: str, base: int, tax: int) -> Guards:
        """Return the guards of a variant.

        Args:
            product_id: its product.
            base: what the merchant set last as its price.
            tax: what its price contains by its orders; what the rule says goes before.
        """
        floor, ceiling = self.explicit_floor(product_id), self.ceilings.get(product_id, self.ceiling)
        if self.floor_share is not None:
            # Rounded up: a floor is never lower than it says.
            floor = max(-(-base * self.floor_share // WHOLE), floor or 0)
        if self.ceiling_share is not None:
            share = base * self.ceiling_share // WHOLE
            ceiling = share if ceiling is None else min(share, ceiling)
        return Guards(
            floor,
            ceiling,
            self.common.margin,
            tax if self.tax is None else self.tax,
            self.common.step,
            self.common.least_step,
            self.common.cooling,
            self.common.endings,
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A price rule.

    Attributes:
        key: its public id.
        mode: suggest, approve or automatic.
        priority: a product follows one rule only: of those that take it the one with the smallest priority, of equals
            the one whose key sorts first.
        currency: of its amounts; products in another one are left alone.
        included: its products.
        excluded: those of them that are not meant.
        weighings: the signals that it listens to.
        guards: what it never breaks.
        window: the hours in which it proposes and writes by itself, in the store's time zone; None: always.
        reduced: whether it moves products too that the shop shows as reduced ("was").
        expires: after how long a proposal that nobody approved is void.
    """

    key: str
    mode: str
    priority: int
    currency: str
    included: Selection
    excluded: Selection
    weighings: tuple[Weighing, ...]
    guards: RuleGuards
    window: Window | None
    reduced: bool
    expires: timedelta

    @classmethod
    def from_json(cls, key: str, mode: str, body: Mapping[str, Any]) -> "Rule":
        """Return the rule of a definition."""
        return cls(
            key,
            mode,
            body.get("priority", PRIORITY),
            body["currency"],
            Selection.from_json(body["products"]),
            Selection.from_json(body.get("without", {})),
            tuple(Weighing.from_json(each) for each in body["signals"]),
            RuleGuards.from_json(body.get("guards", {})),
            Window.of(body["hours"]) if "hours" in body else None,
            body.get("reduced", False),
            timedelta(hours=body.get("expires_hours", EXPIRES_HOURS)),
        )

    @classmethod
    def of(cls, row: PriceRule) -> "Rule":
        """Return the rule of a stored row."""
        return cls.from_json(row.key, row.mode, row.definition)

    def takes(self, product: Traits) -> bool:
        """Return whether a product is one of the rule's."""
        return self.included.takes(product) and not self.excluded.takes(product)

    def awake(self, at: datetime, timezone: str) -> bool:
        """Return whether ``at`` lies in the rule's hours."""
        return self.window is None or self.window.holds(*local(at, timezone))

    def listens(self, signal: str) -> Weighing | None:
        """Return how the rule takes a signal; None where it does not."""
        return next((each for each in self.weighings if each.signal == signal), None)


def rule_for(product: Traits, rules: Collection[Rule]) -> Rule | None:
    """Return the rule that a product follows."""
    taking = [rule for rule in rules if rule.takes(product)]
    return min(taking, key=lambda rule: (rule.priority, rule.key), default=None)


def hundredths(percent: float) -> int:
    """Return per cent as hundredths of a percent."""
    return round(percent * 100)


def _share(percent: float | None) -> int | None:
    return None if percent is None else hundredths(percent)
