"""The invented people: complete, always the same, and certainly nobody."""

import ipaddress
import re

import pytest

from demo.people import person


@pytest.mark.parametrize("key", ["customer-1", "customer-1974", "guest-4461"])
def test_nobody_can_be_reached(key: str) -> None:
    who = person(key)

    assert who.email == f"{key}@example.test"
    assert re.fullmatch(r"\+44 1632 960\d{3}", who.phone)
    assert ipaddress.ip_address(who.ip) in ipaddress.ip_network("192.0.2.0/24")
    assert who.postcode.startswith("ZZ99 ")
    assert who.name == f"{who.first_name} {who.last_name}"
    assert all((who.first_name, who.last_name, who.street, who.city))


def test_the_same_key_is_the_same_person_and_another_is_not() -> None:
    assert person("customer-17") == person("customer-17")
    assert person("customer-17").email != person("guest-17").email
