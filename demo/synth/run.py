"""A run: the store is opened, lives through its days, is looked at by the service's jobs, and judged."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from flask import Flask, current_app
from sqlalchemy import exists, func, select, update

from app.commerce.order import Order as OrderRow
from app.commerce.store import SHOPIFY, Store, StoreError, add_store
from app.core.config import Settings
from app.core.db import db, now
from app.experiments import exposures, jobs
from app.experiments.assignment import CONTROL, NOTHING, SHOW
from app.experiments.models import Experiment
from app.factory import create_app
from app.monitoring import guardrails, pausing
from app.privacy.erasure import erase_store
from app.recommendations import learning
from demo.messages import Delivery
from demo.synth import bodies, crowd, findings, shoppers
from demo.synth.crowd import CONTROL_PERCENT, Crowd
from demo.synth.findings import BAD_SLOT, EXPERIMENT, SHOWN, Finding
from demo.synth.inside import InProcess
from demo.synth.line import Api, AtAddress, Line, SynthError
from demo.synth.world import ANNOYANCE, CONVERSION, CURRENCY, Fault, Order, Plan, World
from webhooks.jobs import drain
from webhooks.models import PENDING, WebhookDelivery

_CROWD_ORDERS: Final = 20_000_000
_OTHER_CROWD_ORDERS: Final = 25_000_000
# Of the crowd, in the slot that may do harm.
_OTHER_CROWD: Final = 3

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run.

    Attributes:
        plan: what was asked for.
        counts: what there was, by name.
        findings: planted against found.
        seconds: how long it took.
    """

    plan: Plan
    counts: dict[str, int]
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether everything planted was found."""
        return all(finding.ok for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "store": self.plan.domain,
            "seed": self.plan.seed,
            "faults": sorted(self.plan.faults),
            "uplift": self.plan.uplift,
            "counts": self.counts,
            "findings": [finding.to_json() for finding in self.findings],
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
        }


def steps(plan: Plan) -> int:
    """Return how many steps a run takes, for a progress bar."""
    spoiled = plan.orders if Fault.SPOILED_ORDERS in plan.faults else 0
    return plan.orders + plan.crowd + plan.crowd // _OTHER_CROWD + plan.shoppers + spoiled


def run(
    plan: Plan,
    *,
    address: str | None = None,
    again: bool = False,
    keep: bool = False,
    on_step: Progress = lambda steps: None,  # noqa: ARG005
) -> Report:
    """Open a synthetic store, have it live, and compare what was planted with what the service found.

    Inside an application's context.

    Args:
        plan: what is planted.
        address: of a service on the same database; an application in this process unless given.
        again: whether a store of this name is deleted first.
        keep: whether the store is left for looking at.
        on_step: is told how many steps more are done.

    Raises:
        StoreError: if there is a store of this name already, or the service's secret is not known here.
        SynthError: if the service does not do its part.
    """
    began = time.monotonic()
    with _line(address) as (line, app, secret):
        store_id, api = _open(plan, line, again=again)
        try:
            life = _Life(World(plan, now()), store_id, api, app, secret, on_step)
            found = life.live()
        finally:
            line.settle()
            db.session.rollback()
            if not keep:
                erase_store(store_id)
    return Report(plan, life.counts, tuple(found), time.monotonic() - began)


@contextmanager
def _line(address: str | None) -> Iterator[tuple[Line, Flask, str]]:
    """Yield the line, the application whose log the crowd is written to, and the secret that signs webhooks."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    settings: Settings = app.extensions["pannier_settings"]
    secret = settings.shopify_api_secret
    if address is not None:
        if not secret:
            raise StoreError("SHOPIFY_API_SECRET is not set; webhooks need the one of the service.")
        yield AtAddress(address), app, secret
        return
    if secret:
        yield InProcess(app), app, secret
        return
    # Nothing outside of this process needs to know it.
    secret = secrets.token_hex(25)
    own = create_app(replace(settings, shopify_api_secret=secret))
    with own.app_context():
        try:
            yield InProcess(own), own, secret
        finally:
            own.extensions["pannier_intake"].inbox.close()
            own.extensions["pannier_events"].writer.close()
            own.extensions["pannier_decisions"].close()
            db.session.close()
            db.engine.dispose()


def _open(plan: Plan, line: Line, *, again: bool) -> tuple[int, Api]:
    existing = db.session.scalar(
        select(Store.id).where(Store.platform == SHOPIFY, Store.domain == plan.domain)
    )
    if existing is not None:
        if not again:
            raise StoreError(f"There is a store {plan.domain} already; --again deletes it first.")
        erase_store(existing)
    settings = {"control_percent": CONTROL_PERCENT, "decision_sample_percent": 0, "exploration_percent": 0}
    store, keys = add_store(
        SHOPIFY, plan.domain, name=f"Synthetic {plan.seed}", currency=CURRENCY, settings=dict(settings)
    )
    db.session.commit()
    return store.id, Api(line, keys.publishable, keys.secret)


class _Life:
    """What happens to the store, in order."""

    def __init__(
        self, world: World, store_id: int, api: Api, app: Flask, secret: str, on_step: Progress
    ) -> None:
        self.world = world
        self.counts: dict[str, int] = {}
        self._store_id = store_id
        self._api = api
        self._app = app
        self._secret = secret
        self._on_step = on_step
        self._orders: list[Order] = []

    def live(self) -> list[Finding]:
        """Live through all of it; return what was found."""
        world, api = self.world, self._api
        self._past()
        found = [findings.bundles(api, world, list(world.past))]
        self._begin_experiment()
        self._plant_rule()
        self._crowds()
        bought = self._shop()
        self._look()
        placed = len(self._orders) + (0 if Fault.STOPPED_ORDERS in world.plan.faults else bought)
        found.append(findings.orders(placed, self._stored()))
        found += findings.experiment(api, world)
        found += [findings.order_feed(api, world), findings.slot(api, world)]
        if Fault.SPOILED_ORDERS in world.plan.faults:
            self._spoil()
        learning.rebuild(self._store_id)
        found += [
            findings.model(api, world),
            findings.bundles(api, world, [], "bundles after the last rebuild"),
        ]
        return found

    def _past(self) -> None:
        """Send the catalogue and the orders of the past, and have them learned."""
        world = self.world
        listed = world.begin - timedelta(days=1)
        goods = [
            self._signed("products/create", bodies.product(item, listed), listed)
            for item in world.products.values()
        ]
        self._api.deliver(goods)
        self._drain()
        self._place(world.past)
        self._on_step(len(world.past))
        self.counts |= {"products": len(goods), "orders of the past": len(world.past)}
        learning.rebuild(self._store_id)

    def _place(self, placed: Iterable[Order]) -> None:
        """Send orders as the shop would; twice and in any order, where that is planted."""
        sent = list(placed)
        self._orders += sent
        deliveries = [
            self._signed("orders/create", bodies.order(self.world, order), order.placed_at) for order in sent
        ]
        if Fault.DUPLICATES_AND_DISORDER in self.world.plan.faults:
            deliveries *= 2
            self.world.random("disorder").shuffle(deliveries)
        self._api.deliver(deliveries)
        self._drain()

    def _begin_experiment(self) -> None:
        """Compare what is shown on product pages with nothing. It began when the past did: this row is moved."""
        arms = [{"key": CONTROL, "settings": {SHOW: NOTHING}}, {"key": SHOWN}]
        self._api.server(
            "POST",
            "/v1/experiments",
            {"key": EXPERIMENT, "name": "Synthetic lift", "slots": [shoppers.SLOT], "arms": arms},
        )
        self._api.server("POST", f"/v1/experiments/{EXPERIMENT}/start")
        db.session.execute(
            update(Experiment)
            .where(Experiment.store_id == self._store_id, Experiment.key == EXPERIMENT)
            .values(started_at=self.world.begin)
        )
        db.session.commit()
        self._api.line.take_up()

    def _plant_rule(self) -> None:
        """Have the merchant put what fits nobody into a slot, where that is planted."""
        if Fault.IRRELEVANT_SLOT not in self.world.plan.faults:
            return
        rule = {
            "name": "Fits nobody",
            "if": {"fact": "slot", "in": [BAD_SLOT]},
            "then": [{"do": "fixed", "products": [str(number) for number in self.world.annoying]}],
        }
        self._api.server("POST", "/v1/rules", rule)
        self._api.line.take_up()

    def _crowds(self) -> None:
        """Write down the crowds of both slots, and send their orders."""
        plan, begin, end = self.world.plan, self.world.begin, self.world.orders_end
        # What a slot's guard looks at begins with its epoch.
        seen_from = max(begin, min(pausing.since(None, None, self.world.now), end - timedelta(hours=6)))
        helped = CONVERSION * (1 + plan.uplift)
        other = CONVERSION * (1 - ANNOYANCE) if findings.annoys(self._api, self.world) else CONVERSION
        for group in (
            Crowd(shoppers.SLOT, plan.crowd, begin, end, _CROWD_ORDERS, helped),
            Crowd(BAD_SLOT, plan.crowd // _OTHER_CROWD, seen_from, end, _OTHER_CROWD_ORDERS, other),
        ):
            if not group.size:
                continue
            self._place(self._come(group))
        self.counts["orders of the crowd"] = len(self._orders) - plan.orders

    def _come(self, group: Crowd) -> list[Order]:
        told = 0

        def tell(done: int) -> None:
            nonlocal told
            self._on_step(done - told)
            told = done

        bought, counts = crowd.write(self._app, self._store_id, self.world, group, tell)
        self.counts |= counts
        return bought

    def _shop(self) -> int:
        """Have the shoppers visit; return how many bought."""
        bought = 0
        for visit, order in shoppers.visits(self.world):
            bought += shoppers.go(self._api, self.world, visit, order, self._secret)
            self._on_step(1)
        self._api.line.settle()
        self._drain()
        self.counts |= {"shoppers": self.world.plan.shoppers, "orders of shoppers": bought}
        return bought

    def _look(self) -> None:
        """Do what clock and workers do: collect exposures, here of all days at once, and guard the slots."""
        db.session.rollback()
        connection = db.session.connection()
        # Weeks came in seconds, which PostgreSQL has not noticed yet: it would plan for empty tables.
        connection.exec_driver_sql("ANALYZE event, decision")
        until = now() + timedelta(seconds=1)
        self.counts["exposures"] = exposures.collect(connection, self._store_id, self.world.begin, until)
        db.session.commit()
        jobs.make_report(self._store_id, EXPERIMENT)  # of many visitors, the address hands out what was made
        guardrails.guard(self._store_id)
        self._api.line.take_up()

    def _spoil(self) -> None:
        """Have a broken mapping send all orders again, with wrong products."""
        at = self.world.now
        self._api.deliver(
            self._signed("orders/updated", bodies.order(self.world, order, updated_at=at, spoiled=True), at)
            for order in self._orders
        )
        self._on_step(self.world.plan.orders)
        self._drain()

    def _stored(self) -> int:
        query = select(func.count()).select_from(OrderRow).where(OrderRow.store_id == self._store_id)
        return int(db.session.scalar(query) or 0)

    def _drain(self) -> None:
        """Process what was delivered, beside whatever workers there are."""
        waiting = exists().where(
            WebhookDelivery.store_id == self._store_id, WebhookDelivery.status == PENDING
        )
        while db.session.scalar(select(waiting)):
            db.session.rollback()
            drain(self._store_id)
            time.sleep(0.01)
        db.session.rollback()

    def _signed(self, topic: str, body: dict[str, Any], at: Any) -> Delivery:
        return bodies.signed(self.world.plan.domain, self._secret, topic, body, at)


__all__ = ["Fault", "Plan", "Report", "SynthError", "run", "steps"]
