"""What personal data may be used for, in the words of Shopify's Customer Privacy API.

https://shopify.dev/docs/api/customer-privacy names analytics, marketing, preferences and sale of data; the WP Consent
API says ``statistics`` for analytics (https://wordpress.org/plugins/wp-consent-api/), Segment's consent object
``Advertising``, ``Analytics``, ``Functional`` and ``DataSharing``
(https://segment.com/docs/privacy/consent-management/).
"""

from collections.abc import Mapping
from enum import IntFlag
from typing import Any, Final


class Purposes(IntFlag):
    """What somebody agreed to. The numbers are stored."""

    NONE = 0
    ANALYTICS = 1  # events are kept under a pseudonym
    MARKETING = 2  # segments and offers meant for this person
    PREFERENCES = 4  # answers that depend on this person's history
    SALE_OF_DATA = 8  # kept as evidence; Pannier sells nothing


NAMES: Final = {
    "analytics": Purposes.ANALYTICS,
    "marketing": Purposes.MARKETING,
    "preferences": Purposes.PREFERENCES,
    "sale_of_data": Purposes.SALE_OF_DATA,
}
# What other interfaces call the same.
_SYNONYMS: Final = NAMES | {
    "statistics": Purposes.ANALYTICS,
    "functional": Purposes.PREFERENCES,
    "advertising": Purposes.MARKETING,
    "datasharing": Purposes.SALE_OF_DATA,
    "saleofdata": Purposes.SALE_OF_DATA,
}


def read_purposes(stated: Any) -> Purposes:
    """Return the purposes that ``stated`` (name to truth value) allows; of several names for one, all must say yes.

    Only JSON's ``true`` is a yes; unknown names, other values and anything that is no object allow nothing.
    """
    if not isinstance(stated, Mapping):
        return Purposes.NONE
    allowed = refused = Purposes.NONE
    for name, value in stated.items():
        purpose = _SYNONYMS.get(name.replace("_", "").lower()) if isinstance(name, str) else None
        if purpose is None:
            continue
        if value is True:
            allowed |= purpose
        else:
            refused |= purpose
    return allowed & ~refused


def as_mapping(purposes: Purposes) -> dict[str, bool]:
    """Return purposes by their names."""
    return {name: bool(purposes & purpose) for name, purpose in NAMES.items()}
