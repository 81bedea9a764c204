"""Shoppers who go through the API, one request after the other, as a page of the shop would.

They respond to what they are really shown: more is bought where something of the bundle stands that they have in mind.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from demo.messages import Delivery
from demo.synth import bodies
from demo.synth.line import Api
from demo.synth.world import CONVERSION, Fault, Order, Visit, World

SLOT: Final = "product"
_FIRST_ORDER: Final = 30_000_000


def name_of(world: World, number: int) -> str:
    """Return the anonymous id of a shopper."""
    return f"synth-{world.plan.seed}-shopper-{number}"


def visits(world: World) -> Iterator[tuple[Visit, Order]]:
    """Yield each shopper's visit, which is now, and the order that would come of it."""
    for number in range(world.plan.shoppers):
        visit = world.visit(name_of(world, number), world.now, world.now)
        yield visit, world.order_of(visit, _FIRST_ORDER + number, world.now)


def go(api: Api, world: World, visit: Visit, order: Order, secret: str) -> bool:
    """Have a shopper agree, look, tell what was seen, and perhaps buy; return whether something was bought.

    Raises:
        SynthError: if the service does not do its part.
    """
    visitor, page = visit.visitor, str(visit.product)
    api.page("PUT", "/v1/consent", {"visitor_id": visitor, "analytics": True})
    answer = api.page("GET", f"/v1/recommendations?slot={SLOT}&product_id={page}", visitor=visitor)
    shown = [each["product_id"] for each in answer["recommendations"]]
    wanted = [each for each in shown if int(each) in world.partners[visit.product]]
    bought = visit.buys(CONVERSION * (1 + world.plan.uplift) if wanted else CONVERSION)
    events = list(_events(visit, answer["decision_id"], shown, wanted, order if bought else None))
    batch = {"batch": events, "context": {"consent": {"analytics": True}}}
    api.page("POST", "/v1/batch", batch)
    if Fault.DUPLICATES_AND_DISORDER in world.plan.faults:
        api.page("POST", "/v1/batch", {**batch, "batch": events[::-1]})
    if bought and Fault.STOPPED_ORDERS not in world.plan.faults:
        api.deliver([_placed(world, order, secret)])
    return bought


def _placed(world: World, order: Order, secret: str) -> Delivery:
    return bodies.signed(
        world.plan.domain, secret, "orders/create", bodies.order(world, order), order.placed_at
    )


def _events(
    visit: Visit, decision: str, shown: list[str], wanted: list[str], order: Order | None
) -> Iterator[dict[str, Any]]:
    """Yield what a page tells of a visit. An empty box is on screen, too: so both arms are exposed alike."""
    places = [{"product_id": each, "position": place} for place, each in enumerate(shown, 1)]
    yield _event(visit, "Product Viewed", {"product_id": str(visit.product)})
    yield _event(visit, "Product List Viewed", {"list_id": SLOT, "decision_id": decision, "products": places})
    if order is None:
        return
    for each in wanted:
        if int(each) in order.basket:
            yield _event(visit, "Product Clicked", {"product_id": each, "decision_id": decision})
            yield _event(visit, "Product Added", {"product_id": each, "decision_id": decision})
    yield _event(visit, "Order Completed", {"order_id": str(order.number)})


def _event(visit: Visit, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    at: datetime = visit.at
    return {
        "type": "track",
        "event": name,
        "anonymousId": visit.visitor,
        "messageId": f"{visit.visitor}/{name}/{properties.get('product_id', '')}",
        "timestamp": at.isoformat(),
        "properties": properties,
    }
