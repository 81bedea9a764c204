"""Metafields over the API: set and deleted by at most 25, all or none."""

import re
from typing import Any, Final

import orjson

from demo.peers.shopify.run import Root, Run, denied
from demo.peers.shopify.state import Body

MOST_AT_ONCE: Final = 25
"""https://shopify.dev/docs/api/admin-graphql/latest/mutations/metafieldsSet"""
MOST_JSON_BYTES: Final = 131_072
"""https://shopify.dev/changelog/reduced-metafield-value-sizes, for apps that begin with 2026-04 or later."""
MOST_BYTES: Final = 65_536
_GID: Final = re.compile(r"gid://shopify/(\w+)/(\d+)")
_WRITE: Final = {"Product": "write_products", "DiscountAutomaticNode": "write_discounts"}


def _set(run: Run, arguments: Body) -> dict[str, Any]:
    given = arguments["metafields"]
    if len(given) > MOST_AT_ONCE:
        message = f"Exceeded the maximum metafields input limit of {MOST_AT_ONCE}."
        problems = [_problem(["metafields"], message, "LESS_THAN_OR_EQUAL_TO", None)]
    else:
        problems = [
            problem
            for place, each in enumerate(given)
            if (problem := _objection(run, place, each, "metafieldsSet"))
        ]
    if problems:
        return {"metafields": None, "user_errors": problems}
    for each in given:
        namespace = each.get("namespace") or "$app"
        run.shop.metafields.set(
            each["ownerId"], namespace, each["key"], each["type"], each["value"], run.shop.now()
        )
    found = [
        run.shop.metafields.get(each["ownerId"], each.get("namespace") or "$app", each["key"])
        for each in given
    ]
    return {"metafields": found, "user_errors": []}


def _delete(run: Run, arguments: Body) -> dict[str, Any]:
    given = arguments["metafields"]
    for place, each in enumerate(given):
        if _owner_scope(run, each["ownerId"], "metafieldsDelete") is None:
            problem = _problem(["metafields", str(place), "ownerId"], "Owner does not exist.", None, None)
            return {"deleted_metafields": None, "user_errors": [problem]}
    deleted = [
        {"owner_id": each["ownerId"], "namespace": each["namespace"], "key": each["key"]}
        if run.shop.metafields.delete(each["ownerId"], each["namespace"], each["key"])
        else None
        for each in given
    ]
    return {"deleted_metafields": deleted, "user_errors": []}


def _objection(run: Run, place: int, each: Body, field: str) -> dict[str, Any] | None:
    """Return what is wrong with one metafield, None for nothing."""
    path = ["metafields", str(place)]
    if _owner_scope(run, each["ownerId"], field) is None:
        return _problem([*path, "ownerId"], "Owner does not exist.", "INVALID", place)
    kind, value = each.get("type"), each["value"]
    if not kind:
        return _problem([*path, "type"], "Type can't be blank", "BLANK", place)
    if not value:
        return _problem([*path, "value"], "Value can't be blank", "BLANK", place)
    most = MOST_JSON_BYTES if kind == "json" else MOST_BYTES
    if len(value.encode()) > most:
        return _problem([*path, "value"], f"Value is too large: at most {most} bytes.", "TOO_LONG", place)
    if kind == "json":
        try:
            orjson.loads(value)
        except orjson.JSONDecodeError:
            return _problem([*path, "value"], "Value is invalid JSON.", "INVALID_VALUE", place)
    return None


def _owner_scope(run: Run, owner: str, field: str) -> str | None:
    """Return the permission that writing to ``owner`` takes, None if there is no such resource.

    Raises:
        GraphQLError: if the app was not granted it.
    """
    match = _GID.fullmatch(owner)
    scope = _WRITE.get(match[1]) if match else None
    if match is None or scope is None:
        return None
    if not run.allowed(scope):
        raise denied(field, scope)
    number = int(match[2])
    found = run.shop.product(number) if match[1] == "Product" else run.shop.discounts.find(number)
    return None if found is None else scope


def _problem(path: list[str], message: str, code: str | None, place: int | None) -> dict[str, Any]:
    return {"field": path, "message": message, "code": code, "element_index": place}


ROOTS: Final[dict[str, Root]] = {"Mutation.metafieldsSet": _set, "Mutation.metafieldsDelete": _delete}
