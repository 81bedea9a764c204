"""What the app may do at a shop."""

from connectors.shopify import scopes

ALL = frozenset(scopes.REQUIRED) | {scopes.ALL_ORDERS}


def test_nothing_is_missing_when_everything_is_granted():
    assert scopes.missing(ALL) == ()
    assert scopes.notes(ALL) == ()


def test_what_is_missing_keeps_its_order():
    assert scopes.missing(ALL - {"read_orders", "read_products"}) == ("read_products", "read_orders")
    assert scopes.missing([]) == tuple(scopes.REQUIRED)


def test_who_may_write_may_read():
    granted = (ALL - {"read_products", "read_inventory"}) | {"write_products", "write_inventory"}

    assert scopes.missing(granted) == ()


def test_who_may_read_may_not_write():
    assert scopes.missing((ALL - {"write_app_proxy"}) | {"read_app_proxy"}) == ("write_app_proxy",)


def test_permission_to_write_some_orders_does_not_reach_all_of_them():
    granted = (ALL - {scopes.ALL_ORDERS}) | {"write_orders"}

    assert scopes.notes(granted) == (
        "Only the orders of the last 60 days are readable, since the permission read_all_orders is missing: "
        "recommendations begin with those.",
    )


def test_missing_permission_is_explained():
    assert scopes.notes(ALL - {"read_inventory"}) == (
        "The permission read_inventory is missing; it serves to recommend nothing that is sold out.",
    )


def test_list_of_scopes_is_read():
    assert scopes.parse(" read_products, write_app_proxy,,read_products") == {
        "read_products",
        "write_app_proxy",
    }
    assert scopes.parse("") == frozenset()


def test_what_is_to_be_granted_is_said_with_what_it_serves():
    granted = ALL | {"write_discounts"}

    assert scopes.to_grant(granted, scopes.FOR_OFFERS) == (
        "Pannier may not do this in the shop yet: open Pannier in Shopify's admin and grant write_products "
        "(to write prices, and to tell the checkout which offers belong to a product)."
    )
    assert scopes.to_grant(ALL, ["write_discounts", "write_products"]) is not None


def test_nothing_is_to_be_granted_where_everything_is():
    assert scopes.to_grant(ALL | set(scopes.OPTIONAL), scopes.FOR_OFFERS) is None
    assert scopes.to_grant(ALL | {"write_products"}, scopes.FOR_PRICES) is None
    assert scopes.missing(ALL) == ()
