"""Automatic discounts over the API: "buy X, get Y" and those that an app's function decides."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from demo.peers.shopify.discount_book import APP, BXGY, MOST_ACTIVE, AutomaticDiscount
from demo.peers.shopify.fields import Thing
from demo.peers.shopify.run import Root, Run, number, outermost, user_error
from demo.peers.shopify.search import matcher
from demo.peers.shopify.state import Body

MOST_TAGS: Final = 5
LONGEST: Final = 255
SCOPES: Final = {
    "QueryRoot.automaticDiscountNode": "read_discounts",
    "QueryRoot.automaticDiscountNodes": "read_discounts",
    "Mutation.discountAutomaticActivate": "write_discounts",
    "Mutation.discountAutomaticAppCreate": "write_discounts",
    "Mutation.discountAutomaticAppUpdate": "write_discounts",
    "Mutation.discountAutomaticBxgyCreate": "write_discounts",
    "Mutation.discountAutomaticBxgyUpdate": "write_discounts",
    "Mutation.discountAutomaticDeactivate": "write_discounts",
    "Mutation.discountAutomaticDelete": "write_discounts",
}
_NATIVE: Final = "automaticBxgyDiscount"
_APP: Final = "automaticAppDiscount"
_SORTED_BY: Final = {"ID": "id", "CREATED_AT": "created_at"}


class _Objection(Exception):
    """What is wrong with the input: an error for the caller, who is told nothing else."""

    def __init__(self, path: list[str], message: str, code: str) -> None:
        super().__init__(message)
        self.error = user_error(path, message, code)


# -- queries --


def _node(run: Run, arguments: Body) -> Thing | None:
    found = run.shop.discounts.find(number(arguments["id"], "DiscountAutomaticNode"))
    return None if found is None else _thing(run, found)


def _nodes(run: Run, arguments: Body) -> dict[str, Any]:
    fits = matcher(arguments.get("query"), "DiscountAutomaticNode", run.shop.timezone)
    found = [thing for each in run.shop.discounts.all() if fits((thing := _thing(run, each)).body)]
    field = _SORTED_BY[arguments.get("sortKey") or "CREATED_AT"]
    return outermost(run, found, arguments, lambda thing: (str(thing.body[field]), thing.body["id"]))


def _thing(run: Run, discount: AutomaticDiscount) -> Thing:
    return Thing("DiscountAutomaticNode", discount.body(run.shop.now()), run.shop)


# -- mutations --


def _create_native(run: Run, arguments: Body) -> dict[str, Any]:
    given = arguments[_NATIVE]
    try:
        for field in ("title", "startsAt", "customerBuys", "customerGets"):
            _need(given, field, [_NATIVE, field])
        starts_at, ends_at = _times(run, given, _NATIVE, None)
        _room(run, starts_at, ends_at, _NATIVE)
        draft = AutomaticDiscount(0, BXGY, given["title"], starts_at, ends_at, starts_at, starts_at)
        _fill_native(run, draft, given, new=True)
    except _Objection as objection:
        return {"automatic_discount_node": None, "user_errors": [objection.error]}
    made = run.shop.discounts.add(BXGY, given["title"], run.shop.now(), starts_at, ends_at)
    _fill_native(run, made, given, new=True)
    return {"automatic_discount_node": _thing(run, made), "user_errors": []}


def _update_native(run: Run, arguments: Body) -> dict[str, Any]:
    given = arguments[_NATIVE]
    try:
        found = _find(run, arguments, BXGY)
        starts_at, ends_at = _times(run, given, _NATIVE, found)
        _room(run, starts_at, ends_at, _NATIVE, found)
        _fill_native(run, found, given, new=False)
    except _Objection as objection:
        return {"automatic_discount_node": None, "user_errors": [objection.error]}
    found.starts_at, found.ends_at, found.updated_at = starts_at, ends_at, run.shop.now()
    found.title = given.get("title") or found.title
    return {"automatic_discount_node": _thing(run, found), "user_errors": []}


def _create_app(run: Run, arguments: Body) -> dict[str, Any]:
    given = arguments[_APP]
    try:
        for field in ("title", "startsAt", "discountClasses"):
            _need(given, field, [_APP, field])
        _function(run, given)
        _common(given, _APP)
        starts_at, ends_at = _times(run, given, _APP, None)
        _room(run, starts_at, ends_at, _APP)
    except _Objection as objection:
        return {"automatic_app_discount": None, "user_errors": [objection.error]}
    made = run.shop.discounts.add(APP, given["title"], run.shop.now(), starts_at, ends_at)
    _fill_common(made, given)
    made.function = given["functionHandle"]
    for each in given.get("metafields") or ():
        run.shop.metafields.set(
            f"gid://shopify/DiscountAutomaticNode/{made.id}",
            each.get("namespace") or "$app",
            each["key"],
            each["type"],
            each["value"],
            run.shop.now(),
        )
    return {
        "automatic_app_discount": _thing(run, made).within(APP, made.body(run.shop.now())),
        "user_errors": [],
    }


def _update_app(run: Run, arguments: Body) -> dict[str, Any]:
    given = arguments[_APP]
    try:
        found = _find(run, arguments, APP)
        _common(given, _APP)
        starts_at, ends_at = _times(run, given, _APP, found)
        _room(run, starts_at, ends_at, _APP, found)
    except _Objection as objection:
        return {"automatic_app_discount": None, "user_errors": [objection.error]}
    _fill_common(found, given)
    found.starts_at, found.ends_at, found.updated_at = starts_at, ends_at, run.shop.now()
    found.title = given.get("title") or found.title
    return {
        "automatic_app_discount": _thing(run, found).within(APP, found.body(run.shop.now())),
        "user_errors": [],
    }


def _delete(run: Run, arguments: Body) -> dict[str, Any]:
    gid = arguments["id"]
    if not run.shop.discounts.delete(number(gid, "DiscountAutomaticNode")):
        return {"deleted_automatic_discount_id": None, "user_errors": [_gone()]}
    run.shop.metafields.forget(gid)
    return {"deleted_automatic_discount_id": gid, "user_errors": []}


def _deactivate(run: Run, arguments: Body) -> dict[str, Any]:
    return _until(run, arguments, run.shop.now())


def _activate(run: Run, arguments: Body) -> dict[str, Any]:
    try:
        _room(
            run,
            run.shop.now(),
            None,
            "id",
            run.shop.discounts.find(number(arguments["id"], "DiscountAutomaticNode")),
        )
    except _Objection as objection:
        return {"automatic_discount_node": None, "user_errors": [objection.error]}
    return _until(run, arguments, None)


def _until(run: Run, arguments: Body, ends_at: datetime | None) -> dict[str, Any]:
    found = run.shop.discounts.find(number(arguments["id"], "DiscountAutomaticNode"))
    if found is None:
        return {"automatic_discount_node": None, "user_errors": [_gone()]}
    found.ends_at, found.updated_at = ends_at, run.shop.now()
    return {"automatic_discount_node": _thing(run, found), "user_errors": []}


# -- what is wrong with an input --


def _find(run: Run, arguments: Body, kind: str) -> AutomaticDiscount:
    found = run.shop.discounts.find(number(arguments["id"], "DiscountAutomaticNode"))
    if found is None or found.kind != kind:
        raise _Objection(["id"], "Discount does not exist.", "INVALID")
    return found


def _gone() -> dict[str, Any]:
    return user_error(["id"], "Discount does not exist.", "INVALID")


def _need(given: Mapping[str, Any], field: str, path: list[str]) -> None:
    if not given.get(field):
        raise _Objection(path, f"{field} can't be blank", "BLANK")


def _times(
    run: Run, given: Body, name: str, before: AutomaticDiscount | None
) -> tuple[datetime, datetime | None]:
    """Return from when and until when a discount is to hold."""
    starts = given.get("startsAt")
    starts_at = _moment(starts) if starts else before.starts_at if before else run.shop.now()
    ends = given.get("endsAt", before.ends_at if before else None)
    ends_at = _moment(ends) if ends else None
    if ends_at is not None and ends_at <= starts_at:
        raise _Objection(
            [name, "endsAt"], "Ends at needs to be after starts_at", "END_DATE_BEFORE_START_DATE"
        )
    return starts_at, ends_at


def _moment(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _room(
    run: Run, starts_at: datetime, ends_at: datetime | None, name: str, own: AutomaticDiscount | None = None
) -> None:
    # What is over does not count, however early the new one says that it began.
    others = run.shop.discounts.crowd(max(starts_at, run.shop.now()), ends_at, own.id if own else None)
    if others >= MOST_ACTIVE:
        message = f"At any given time, only {MOST_ACTIVE} automatic discounts can be active."
        raise _Objection([name], message, "ACTIVE_PERIOD_OVERLAP")


def _common(given: Body, name: str) -> None:
    """Look at what discounts of both kinds have."""
    tags = given.get("tags") or ()
    if len(tags) > MOST_TAGS:
        raise _Objection([name, "tags"], "Tags can't have more than 5 entries", "TOO_MANY_TAGS")
    if any(len(tag) > LONGEST for tag in tags):
        raise _Objection([name, "tags"], "Tag is too long", "INVALID_TAG_LENGTH")
    if len(given.get("title") or "") > LONGEST:
        raise _Objection([name, "title"], "Title is too long (maximum is 255 characters)", "TOO_LONG")


def _function(run: Run, given: Body) -> None:
    handle, identity = given.get("functionHandle"), given.get("functionId")
    if not handle and not identity:
        message = "Either function ID or function handle must be provided."
        raise _Objection([_APP, "functionHandle"], message, "MISSING_FUNCTION_IDENTIFIER")
    if handle and identity:
        message = "Only one of function ID or function handle is allowed."
        raise _Objection([_APP, "functionHandle"], message, "MULTIPLE_FUNCTION_IDENTIFIERS")
    if handle not in run.shop.functions:
        path = [_APP, "functionHandle" if handle else "functionId"]
        raise _Objection(path, "Function not found.", "INVALID")


def _fill_common(discount: AutomaticDiscount, given: Body) -> None:
    if given.get("tags") is not None:
        discount.tags = tuple(given["tags"])
    if given.get("combinesWith") is not None:
        discount.combines = dict(given["combinesWith"])


def _fill_native(run: Run, discount: AutomaticDiscount, given: Body, *, new: bool) -> None:
    """Take over what a "buy X, get Y" is made of."""
    _common(given, _NATIVE)
    buys, gets = given.get("customerBuys") or {}, given.get("customerGets") or {}
    buys_path, gets_path = [_NATIVE, "customerBuys"], [_NATIVE, "customerGets"]
    bought = (buys.get("value") or {}).get("quantity")
    value = gets.get("value") or {}
    if value.get("percentage") is not None or value.get("discountAmount") is not None:
        message = "Only discountOnQuantity permitted with bxgy discounts."
        raise _Objection([*gets_path, "value"], message, "INVALID")
    on_quantity = value.get("discountOnQuantity") or {}
    percentage = (on_quantity.get("effect") or {}).get("percentage")
    if percentage is not None and not 0 <= percentage <= 1:
        path = [*gets_path, "value", "discountOnQuantity", "effect", "percentage"]
        raise _Objection(path, "Value must be between 0.0 and 1.0", "VALUE_OUTSIDE_RANGE")
    if new and (bought is None or percentage is None or on_quantity.get("quantity") is None):
        raise _Objection([*gets_path, "value"], "Value can't be blank", "BLANK")
    bought_items = _items(run, discount.buys, buys.get("items"), [*buys_path, "items"], new=new)
    got_items = _items(run, discount.gets, gets.get("items"), [*gets_path, "items"], new=new)
    discount.buys, discount.gets = bought_items, got_items
    discount.bought = int(bought) if bought is not None else discount.bought
    discount.got = int(on_quantity["quantity"]) if on_quantity.get("quantity") is not None else discount.got
    discount.percentage = percentage if percentage is not None else discount.percentage
    if given.get("usesPerOrderLimit") is not None:
        discount.uses = int(given["usesPerOrderLimit"])
    _fill_common(discount, given)


def _items(
    run: Run, before: Mapping[str, set[int]], given: Body | None, path: list[str], *, new: bool
) -> dict[str, set[int]]:
    """Return which products and variants an input leaves of ``before``, with those that it adds."""
    given = given or {}
    if given.get("all"):
        raise _Objection([*path, "all"], "All is not supported for buy X get Y discounts.", "INVALID")
    changed = given.get("products") or {}
    items = {}
    for kind, field, find in (
        ("Product", "products", run.shop.product),
        ("ProductVariant", "productVariants", run.shop.variant),
    ):
        added = {number(gid, kind) for gid in changed.get(f"{field}ToAdd") or ()}
        gone = [each for each in sorted(added) if find(each) is None]
        if gone:
            message = f"{kind} with id: {gone[0]} is invalid"
            raise _Objection([*path, "products", f"{field}ToAdd"], message, "INVALID")
        name = "products" if kind == "Product" else "variants"
        removed = {number(gid, kind) for gid in changed.get(f"{field}ToRemove") or ()}
        items[name] = (before[name] - removed) | added
    if new and not items["products"] and not items["variants"]:
        raise _Objection(path, "Items can't be blank", "BLANK")
    return items


ROOTS: Final[dict[str, Root]] = {
    "QueryRoot.automaticDiscountNode": _node,
    "QueryRoot.automaticDiscountNodes": _nodes,
    "Mutation.discountAutomaticActivate": _activate,
    "Mutation.discountAutomaticAppCreate": _create_app,
    "Mutation.discountAutomaticAppUpdate": _update_app,
    "Mutation.discountAutomaticBxgyCreate": _create_native,
    "Mutation.discountAutomaticBxgyUpdate": _update_native,
    "Mutation.discountAutomaticDeactivate": _deactivate,
    "Mutation.discountAutomaticDelete": _delete,
}
