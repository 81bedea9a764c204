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
