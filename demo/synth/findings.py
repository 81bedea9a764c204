"""What was planted, against what the service found: one finding for each, read over the API."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from demo.synth.line import Api
from demo.synth.world import Fault, Order, World

EXPERIMENT: Final = "synth_lift"
SHOWN: Final = "shown"
BAD_SLOT: Final = "home"
# Of the partners that were planted, and of what is shown as bought together.
_ENOUGH: Final = 0.9


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison.

    Attributes:
        name: what is compared.
        planted: what is true.
        found: what the service says.
        ok: whether that agrees.
    """

    name: str
    planted: str
    found: str
    ok: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def bundles(api: Api, world: World, orders: list[Order], name: str = "bundles") -> Finding:
    """Ask what goes with each bundled product; compare partners, and how often they were bought together.

    Args:
        api: the store's.
        world: the planted truth.
        orders: that were counted, to compare the evidence with; none: it is not compared.
        name: of the finding.
    """
    together = _together(orders)
    planted = found = shown = wrong = 0
    for number, partners in world.partners.items():
        answer = api.page("GET", f"/v1/recommendations?slot=product&product_id={number}&limit=6")
        planted += len(partners)
        if answer["strategy"] != "frequently_bought_together":
            continue
        for each in answer["recommendations"]:
            other = int(each["product_id"])
            shown += 1
            found += other in partners
            counted = each["evidence"].get("orders")
            wrong += bool(orders) and counted != together.get((number, other), 0)
    precise = found / shown if shown else 0.0
    return Finding(
        name,
        f"{len(world.bundles)} bundles, {planted} partners",
        f"{found / planted:.0%} of the partners, {precise:.0%} of what is shown are such"
        + (f", {wrong} miscounted" if orders else ""),
        found / planted >= _ENOUGH and precise >= _ENOUGH and wrong == 0,
    )


def _together(orders: list[Order]) -> dict[tuple[int, int], int]:
    """Return in how many orders each two products stand."""
    counts: dict[tuple[int, int], int] = {}
    for order in orders:
        for one in order.basket:
            for other in order.basket:
                if one != other:
                    counts[one, other] = counts.get((one, other), 0) + 1
    return counts


def orders(placed: int, stored: int) -> Finding:
    """Compare how many orders were placed with how many are stored."""
    return Finding("orders", f"{placed} orders", f"{stored} orders", placed == stored)


def experiment(api: Api, world: World) -> list[Finding]:
    """Compare the report of the experiment with the planted uplift, or with the planted mismatch."""
    report = api.server("GET", f"/v1/experiments/{EXPERIMENT}/report")
    blocked = report["verdict"] == "blocked"
    split = Fault.SAMPLE_RATIO in world.plan.faults
    sample = Finding(
        "sample ratio",
        "exposures are lost in one arm" if split else "visitors are split as planned",
        f"the verdict is {report['verdict'].replace('_', ' ')}: {report['sentences'][0]}",
        blocked == split,
    )
    return [sample] if split else [sample, _uplift(report, world)]


def _uplift(report: dict[str, Any], world: World) -> Finding:
    planted = world.plan.uplift
    arm = next((each for each in report["arms"] if each["arm"] == SHOWN), None)
    effect = (arm or {"effects": {}})["effects"].get("conversion") or {}
    low, high = effect.get("relative_interval") or (None, None)
    covers = low is not None and high is not None and low <= planted <= high
    wanted = report["verdict"] == "better" if planted else report["verdict"] not in ("better", "worse")
    interval = "no interval" if low is None or high is None else f"{low:+.1%} to {high:+.1%}"
    return Finding(
        "uplift",
        f"{planted:+.1%} conversion where partners are shown",
        f"{interval}; the verdict is {report['verdict'].replace('_', ' ')}",
        covers and wanted,
    )


def order_feed(api: Api, world: World) -> Finding:
    """Compare the freshness of orders with whether their feed has stopped."""
    stopped = Fault.STOPPED_ORDERS in world.plan.faults
    state = api.server("GET", "/v1/freshness")
    source = next(each for each in state["sources"] if each["source"] == "orders")
    wanted = "error" if stopped else "ok"
    return Finding(
        "freshness of orders",
        "orders stopped four days ago" if stopped else "orders arrive",
        f"{source['level']}: {source['message']}",
        source["level"] == wanted,
    )


def slot(api: Api, world: World) -> Finding:
    """Compare the state of the slot with whether it shows what annoys."""
    annoys = Fault.IRRELEVANT_SLOT in world.plan.faults
    state = next(each for each in api.server("GET", "/v1/slots")["slots"] if each["slot"] == BAD_SLOT)
    shown = len(api.page("GET", f"/v1/recommendations?slot={BAD_SLOT}")["recommendations"])
    reason = f" {state['pause']['reason']}" if state["pause"] else ""
    return Finding(
        f"slot {BAD_SLOT}",
        "what it shows drives visitors away" if annoys else "what it shows does no harm",
        f"{state['state']}, shows {shown} products.{reason}",
        (state["state"] == "paused" and shown == 0) if annoys else (state["state"] == "live" and shown > 0),
    )


def annoys(api: Api, world: World) -> bool:
    """Return whether the slot shows what drives visitors away."""
    shown = api.page("GET", f"/v1/recommendations?slot={BAD_SLOT}")["recommendations"]
    planted = [str(number) for number in world.annoying]
    return [each["product_id"] for each in shown] == planted[: len(shown)] and bool(shown)


def model(api: Api, world: World) -> Finding:
    """Compare whether the newest model answers with whether its orders were spoiled."""
    spoiled = Fault.SPOILED_ORDERS in world.plan.faults
    state = api.server("GET", "/v1/reports/models?limit=1")
    (check,) = state["checks"]
    held = state["held"] is not None
    return Finding(
        "model",
        "learned from orders that name wrong products" if spoiled else "learned from good orders",
        f"{'not promoted' if held else 'promoted'}: {check['explanation']}",
        held == spoiled and check["passed"] != spoiled,
    )
