"""``pannier offers``: products that cost less together, listed, proposed, approved and ended."""

import json
from typing import Any, Final

import click

from app.cli.base import as_text, json_option, show, store_option, with_app
from app.commerce.store import find_store

# Why proposals are not made, and what to do where something can be done.
_LEFT_OUT: Final = {
    "taken": "they have an offer, or you did not want one.",
    "not_sold": "one of the products cannot be bought now.",
    "excluded": "the limits exclude one of the products.",
    "no_price": "the shop tells no price.",
    "currency": "the price is in another currency than the store's.",
    "least_stock": "there are fewer pieces than the limits ask for.",
    "cost_unknown": "what they cost you is not known; tell it in the shop, or set margin_percent.",
    "minimum_margin": "too little margin would be left.",
    "maximum_discount": "the discount would be larger than the limits allow.",
    "no_profit": "no discount would bring more than it gives away.",
    "dates": "the limits allow none at this time.",
}


@click.group("offers")
def offers_group() -> None:
    """List a store's offers, propose, approve and end them."""


@offers_group.command("list")
@store_option
@click.option("--state", metavar="STATE", help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@json_option
@with_app
def offers_list(store: str, state: str | None, limit: int, as_json: bool) -> None:
    """List a store's offers, newest first, with what each stands for."""
    from app.bundles import keeping
    from app.bundles.states import State

    if state is not None and state not in list(State):
        raise click.UsageError(f"There is no state {state!r}; known are {', '.join(State)}.")
    _show(keeping.listed(find_store(store).id, state=state, limit=limit), as_json, "There are no offers.")


@offers_group.command("propose")
@store_option
@json_option
@with_app
def offers_propose(store: str, as_json: bool) -> None:
    """Propose what is worth an offer by what is bought together now."""
    from app.bundles import making

    made = making.make_proposals(find_store(store))
    for reason, count in sorted(made.left_out.items(), key=lambda each: -each[1]):
        click.echo(f"{count} left out ({reason}): {_LEFT_OUT.get(reason, 'they break a limit.')}", err=True)
    _show(made.offers, as_json, "Nothing is worth an offer now.")


@offers_group.command("approve")
@click.argument("key")
@store_option
@click.option("--title", help="What shoppers are to read instead.")
@click.option("--beyond-limits", is_flag=True, help="It may break the store's limits.")
@json_option
@with_app
def offers_approve(key: str, store: str, title: str | None, beyond_limits: bool, as_json: bool) -> None:
    """Approve the proposal KEY, or anew an offer whose prices have changed.

    It goes live as soon as a worker has told the shop.
    """
    from app.bundles import deciding

    offer = deciding.approve(find_store(store).id, key, title=title, beyond_limits=beyond_limits)
    _show([offer], as_json, "")


@offers_group.command("end")
@click.argument("key")
@store_option
@json_option
@with_app
def offers_end(key: str, store: str, as_json: bool) -> None:
    """End the offer KEY for good.

    Nobody is told of it from now on; the shop takes the discount away as soon as a worker has told it.
    """
    from app.bundles import deciding

    _show([deciding.end(find_store(store).id, key)], as_json, "")


def _show(offers: Any, as_json: bool, empty: str) -> None:
    from app.bundles.showing import offer_state

    states = [offer_state(offer) for offer in offers]
    if as_json:
        click.echo(json.dumps(states, default=as_text))
        return
    rows = [
        {
            "key": state["key"],
            "state": state["state"],
            "title": state["title"],
            "off": _off(state),
            "expected": _expected(state),
            "reason": state["reason"],
        }
        for state in states
    ]
    show(rows, as_json=False, empty=empty)


def _expected(state: dict[str, Any]) -> str | None:
    """Return what an offer is expected to bring in 30 days."""
    from app.core.money import to_major

    if not state["profit"]:
        return None
    return f"{to_major(state['profit']['expected'], state['currency'])} {state['currency']}"


def _off(state: dict[str, Any]) -> str:
    from app.core.money import to_major

    discount = state["discount"]
    if discount["kind"] == "percent":
        return f"{discount['value'] / 100:g} %"
    return f"{to_major(discount['value'], state['currency'])} {state['currency']}"
