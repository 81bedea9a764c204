"""What is known of a customer whom the shop allows to be recognised."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.recommendations.cache import Candidate


@dataclass(frozen=True, slots=True)
class Shopper:
    """A customer's purchases, as far as answers need them. Ids are the platform's.

    Attributes:
        weights: what they bought, each with its weight between 0 and 1: recent purchases weigh more.
        due: what they are about to need again, most urgent first.
        resting: what they bought and will not need again for long.
    """

    weights: Mapping[str, float]
    due: tuple[Candidate, ...]
    resting: frozenset[str]
