"""Prices over the API: the variants of one product, and the webhook that tells of them."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from demo.peers.shopify.fields import Thing, product_of
from demo.peers.shopify.money import written
from demo.peers.shopify.run import Root, Run, number
from demo.peers.shopify.state import Body

MOST_AT_ONCE: Final = 250
"""https://shopify.dev/docs/api/usage/limits: of any list in the input of a mutation."""
SCOPES: Final = {"Mutation.productVariantsBulkUpdate": "write_products"}


def _update(run: Run, arguments: Body) -> dict[str, Any]:
    product = run.shop.product(number(arguments["productId"], "Product"))
    if product is None:
        return _refused([_problem(["productId"], "Product does not exist", "PRODUCT_DOES_NOT_EXIST")])
    given = arguments["variants"]
    if len(given) > MOST_AT_ONCE:
        return _refused([_problem(["variants"], f"At most {MOST_AT_ONCE} variants at once", "INVALID_INPUT")])
    known = {variant["id"]: variant for variant in product["variants"]}
    problems, changes = [], {}
    for place, each in enumerate(given):
        found = known.get(number(each["id"], "ProductVariant")) if each.get("id") else None
        problem = _objection(place, each, found)
        if problem is not None:
            problems.append(problem)
        elif found is not None:
            changes[found["id"]] = _changed(run, each, found)
    if problems and not arguments.get("allowPartialUpdates"):
        return _refused(problems)
    if changes:
        now = run.shop.now().isoformat()
        variants = [changes.get(variant["id"], variant) for variant in product["variants"]]
        run.shop.product_changed({**product, "variants": variants, "updated_at": now})
    owner = product_of(run.shop, product["id"])
    things = [Thing("ProductVariant", variant, run.shop, owner) for variant in changes.values()]
    return {"product": owner, "product_variants": things, "user_errors": problems}


def _objection(place: int, given: Body, found: Body | None) -> dict[str, Any] | None:
    """Return what is wrong with one variant's input, None for nothing."""
    path = ["variants", str(place)]
    if not given.get("id"):
        return _problem([*path, "id"], "Product variant ID is missing", "PRODUCT_VARIANT_ID_MISSING")
    if found is None:
        return _problem([*path, "id"], "Product variant does not exist", "PRODUCT_VARIANT_DOES_NOT_EXIST")
    for field in ("price", "compareAtPrice"):
        amount = given.get(field)
        if amount is None:
            continue
        try:
            negative = Decimal(amount) < 0
        except InvalidOperation:
            return _problem([*path, field], f"{field} is not a number", "INVALID_INPUT")
        if negative:
            return _problem([*path, field], f"{field} must be at least 0", "NEGATIVE_PRICE_VALUE")
    return None


def _changed(run: Run, given: Body, variant: Body) -> Mapping[str, Any]:
    """Return a variant with the prices that were given; null takes a price to compare with away."""
    changed = {**variant, "updated_at": run.shop.now().isoformat()}
    if given.get("price") is not None:
        changed["price"] = written(Decimal(given["price"]), run.shop.currency)
    if "compareAtPrice" in given:
        compared = given["compareAtPrice"]
        changed["compare_at_price"] = (
            None if compared is None else written(Decimal(compared), run.shop.currency)
        )
    return changed


def _refused(problems: list[dict[str, Any]]) -> dict[str, Any]:
    return {"product": None, "product_variants": None, "user_errors": problems}


def _problem(path: list[str], message: str, code: str) -> dict[str, Any]:
    return {"field": path, "message": message, "code": code}


ROOTS: Final[dict[str, Root]] = {"Mutation.productVariantsBulkUpdate": _update}
