"""What an offer is expected to bring in 30 days. Pure.

A shopper who buys the first product of an offer (the anchor) anyway sees the others for less. Of ``anchors`` such
shoppers in 30 days, ``before`` took all products without any discount. With a discount of ``D`` on products that cost
``P`` beside the anchor, as many take all as a demand of constant elasticity ``e`` says::

    takes   = min(anchors, before x (1 - D / P) ^ -e)
    profit  = (takes - before) x (M - D')  -  before x D'

``M`` is what the products beside the anchor leave at their list prices, ``D'`` the discount without tax. So it is how
often the offer is taken by those who would not have, times what that leaves, less the discount given to those who would
have bought all the same.

The first penny of a discount pays where ``M / P > 1 / e``: with 2.62, where the products leave more than 38 % of their
price. Else the discount costs more than it brings, and nothing is proposed.

``e`` is 2.62 unless the merchant knows better: the mean of 1,851 price elasticities of 81 studies (Bijmolt, van Heerde
and Pieters 2005, "New Empirical Generalizations on the Determinants of Price Elasticity", Journal of Marketing Research
42(2), 141-156). It is a mean over brands and says little of one shop: the figure ranks offers, and an experiment tells
what one brought.
"""

from dataclasses import dataclass
from typing import Any, Final

from app.bundles.evidence import Evidence

ELASTICITY: Final = 2.62
MONTH_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Gain:
    """What one take changes, in minor units.

    Attributes:
        price: of the products beside the anchor, as the shop shows it.
        margin: what they leave at that price, without tax.
        discount: of the whole offer, as the shop shows it.
        net_discount: the same without tax.
    """

    price: int
    margin: int
    discount: int
    net_discount: int


@dataclass(frozen=True, slots=True)
class Profit:
    """What is expected of 30 days.

    Attributes:
        expected: profit with the offer less profit without it, in minor units.
        before: how often all products would be bought together anyway.
        takes: how often with the offer.
        margin: what one of the additional takes leaves, after the discount.
        discount: what each take gives away, without tax.
        elasticity: that this follows from.
    """

    expected: int
    before: float
    takes: float
    margin: int
    discount: int
    elasticity: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, as an offer keeps it."""
        return {
            "expected": self.expected,
            "before": round(self.before, 2),
            "takes": round(self.takes, 2),
            "margin": self.margin,
            "discount": self.discount,
            "elasticity": self.elasticity,
        }


def expect(evidence: Evidence, gain: Gain, elasticity: float = ELASTICITY) -> Profit:
    """Return what an offer is expected to bring, by how often its products were bought together."""
    per_month = MONTH_DAYS / max(evidence.days, 1.0)
    anchors = evidence.anchor_orders * per_month
    before = min(evidence.orders * per_month, anchors)
    takes = min(anchors, before * _response(gain, elasticity))
    left = gain.margin - gain.net_discount
    expected = (takes - before) * left - before * gain.net_discount
    return Profit(round(expected), before, takes, left, gain.net_discount, elasticity)


def _response(gain: Gain, elasticity: float) -> float:
    """Return how many times as often the products are bought."""
    paid = 1 - gain.discount / gain.price if gain.price > 0 else 0.0
    # A discount as large as the price has no finite answer: the anchors bound it. 0.01 is 99 % off.
    return float(max(paid, 0.01) ** -elasticity)
