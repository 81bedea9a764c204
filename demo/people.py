"""The invented people who buy in the demo shops: nobody real, on addresses that cannot exist.

Their fields are complete, so that what drops personal data on the way in has something to drop. Domains,
telephone numbers and networks are the ones set aside for examples: RFC 2606, Ofcom's numbers for drama,
RFC 5737. ``ZZ99`` is the British postcode area for no place at all.
"""

import zlib
from dataclasses import dataclass

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) DemoBrowser/1.0"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody invented, as a checkout form would have asked for them."""

    first_name: str
    last_name: str
    email: str
    phone: str
    street: str
    city: str
    postcode: str
    ip: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


def person(key: str) -> Person:
    """Return the invented person called ``key`` (``customer-17``, ``guest-1042``); always the same."""
    draw = zlib.crc32(key.encode())
    kind, _, number = key.partition("-")
    return Person(
        first_name=kind.capitalize(),
        last_name=f"Sample-{number}",
        email=f"{key}@example.test",
        phone=f"+44 1632 960{draw % 1000:03d}",
        street=f"{1 + draw % 200} Example Street",
        city="Sampleton",
        postcode=f"ZZ99 {1 + draw % 9}ZZ",
        ip=f"192.0.2.{1 + draw % 254}",
    )
