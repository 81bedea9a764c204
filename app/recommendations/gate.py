"""The gate of a rebuild: what it counted answers shoppers only if it is not worse than what answered before.

Before the counts are written the gate settles what is asked (:func:`prepare`); while they are, a challenger gathers
the rows of a model without these orders; then the gate decides (:func:`decide`). All in the rebuild's transaction.
See docs/promotion.md.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import Connection

from app.core.db import now
from app.recommendations import exams, holding, kept_lists, promotion, scoring
from app.recommendations.blends import stored_ranking
from app.recommendations.cooccurrence import Increment, Integers, Parameters, increment, order_weights
from app.recommendations.counts import read_head
from app.recommendations.exams import PlacedOrder
from app.recommendations.kept_lists import KEPT, WATCHED, Exam, Model
from app.recommendations.pair_lists import best_sellers
from app.recommendations.promotion import LEAST_ORDERS, Evidence, Outcome, Question, compare
from app.recommendations.publishing import write_lists
from app.recommendations.ready_lists import BEST_SELLERS, WHOLE_STORE

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.challenger import Challenger

# For so long a model must still know what its forerunner was tested on; then fashion may have left it behind.
_KNOWN_FOR: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Test:
    """What a rebuild is asked.

    Attributes:
        kept: the model that it is compared with; None if there is none.
        newest: questions about the newest orders.
        known: what the kept model was tested on.
        asked: all of these orders, as they are now.
        parameters: what an order is worth.
    """

    kept: Model | None
    newest: tuple[Question, ...]
    known: Exam
    asked: tuple[PlacedOrder, ...]
    parameters: Parameters

    @property
    def subjects(self) -> set[str]:
        """Return the platform ids of the products whose rows are read."""
        return {id_ for question in (*self.newest, *self.known.questions) for id_ in question.cart}

    def removed(self) -> Increment:
        """Return what the orders add to the counts, taken back."""
        return increment(self.parameters, [order.taken_back() for order in self.asked])

    def weights(self) -> Integers:
        """Return int64[o]: what each order was counted with, 0 where it was not."""
        days, sizes = [order.day for order in self.asked], [len(order.basket) for order in self.asked]
        return order_weights(self.parameters, days, sizes)[0]

    @property
    def worth_asking(self) -> bool:
        """Return whether there is enough to judge by."""
        return max(len(self.newest), len(self.known.questions)) >= LEAST_ORDERS


def prepare(connection: Connection, store_id: int, parameters: Parameters, orders: int) -> Test:
    """Return what a rebuild of so many orders is asked.

    A store that was never tested has what it publishes now put by, to go back to.
    """
    kept = kept_lists.find(connection, store_id, KEPT)
    if kept is None and _publishes(connection, store_id):
        version = read_head(connection, store_id).version
        kept_lists.put_by(connection, store_id, KEPT, version, None, kept_lists.no_exam())
        kept = kept_lists.find(connection, store_id, KEPT)
    most = min(exams.MOST_ORDERS, int(orders * exams.SHARE))
    newest = exams.newest(connection, store_id, parameters.basket_cap, most)
    known = kept_lists.no_exam()
    if kept is not None and now() - kept.taken_at <= _KNOWN_FOR:
        known = kept.exam
    asked = {order.id for order in newest}
    also = exams.by_ids(
        connection, store_id, [q.order_id for q in known.questions if q.order_id not in asked]
    )
    return Test(kept, exams.ask_about(connection, newest), known, (*newest, *also), parameters)


def _publishes(connection: Connection, store_id: int) -> bool:
    found: bool = connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM published_list WHERE store_id = %(store)s AND strategy = ANY(%(kinds)s::text[]))",
        {"store": store_id, "kinds": list(kept_lists.KINDS)},
    ).scalar_one()
    return found


def decide(
    connection: Connection,
    store_id: int,
    test: Test,
    challenger: "Challenger | None",
    unlisted: set[str],
    *,
    force: bool,
) -> set[str]:
    """Let a rebuild's lists stand, or publish the kept model's in their place; the caller commits.

    Counts stand in either case. Returns the subjects that have no list any more.

    Args:
        connection: of the rebuild, with its counts and lists written.
        store_id: the store.
        test: what :func:`prepare` returned.
        challenger: the rebuild's model without the orders asked about; None where nothing is worth asking.
        unlisted: subjects that have none by the rebuild.
        force: let it answer whatever the test says.
    """
    exam, evidence = _examine(connection, store_id, test, challenger)
    comparable = test.kept is not None and test.kept.last_order is not None
    outcome = promotion.judge(evidence, kept=comparable)
    if force:
        outcome = Outcome.FORCED
    elif holding.held_reason(connection, store_id) is Outcome.BY_HAND:
        outcome = Outcome.BY_HAND
    elif not outcome.passed and test.kept is None:
        outcome = Outcome.NOTHING_KEPT  # popularity is better, and answers where lists are empty
    head = read_head(connection, store_id)
    measures = {"orders": head.orders, **evidence.to_json()}
    holding.record(connection, store_id, holding.REBUILD, head.version, outcome, measures)
    if not outcome.passed:
        holding.hold(connection, store_id, outcome)
        kept_lists.forget_watched(connection, store_id)
        return kept_lists.restore(connection, store_id, unlisted)
    holding.release(connection, store_id)
    write_lists(connection, store_id, BEST_SELLERS, {WHOLE_STORE: best_sellers(connection, store_id)})
    _put_by(connection, store_id, test.kept, outcome, head.version, exam)
    return unlisted


def _put_by(
    connection: Connection, store_id: int, kept: Model | None, outcome: Outcome, version: int, exam: Exam
) -> None:
    """Put by what was promoted: to be watched, or to be kept where nothing better is known."""
    last = exams.last_order(connection, store_id)
    unproven = kept is None or kept.last_order is None
    if unproven or outcome is not Outcome.NOT_WORSE:
        kept_lists.forget_watched(connection, store_id)
        kept_lists.put_by(connection, store_id, KEPT, version, last, exam)
    elif kept_lists.find(connection, store_id, WATCHED) is None:
        kept_lists.put_by(connection, store_id, WATCHED, version, last, exam)


def _examine(
    connection: Connection, store_id: int, test: Test, challenger: "Challenger | None"
) -> tuple[Exam, Evidence]:
    """Return what the challenger answered about the newest orders, and how that compares."""
    none = np.zeros(0, np.bool_)
    if challenger is None:
        nothing = compare(none, none)
        return kept_lists.no_exam(), Evidence(nothing, nothing, nothing, nothing)
    ranking = stored_ranking(store_id)
    lists = challenger.lists(scoring.blend_from_json(ranking["blend"]) if ranking else scoring.DEFAULT)
    hits, popular = lists.ask(test.newest), lists.ask_popularity(test.newest)
    new = np.zeros(len(test.newest), np.bool_)
    theirs = none
    if test.kept is not None and test.kept.last_order is not None:
        new[:] = [question.order_id > test.kept.last_order for question in test.newest]
        asked = [question for question, unseen in zip(test.newest, new.tolist(), strict=True) if unseen]
        theirs = kept_lists.lists_of(connection, store_id, KEPT, asked).ask(asked)
    evidence = Evidence(
        newest=compare(hits[new], theirs),
        known=compare(lists.ask(test.known.questions), test.known.hits, promotion.KNOWN_SHARE),
        popularity=compare(hits, popular),
        kept_popularity=compare(theirs, popular[new]),
    )
    return Exam(test.newest, hits), evidence
