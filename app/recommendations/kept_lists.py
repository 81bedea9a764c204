"""Whole models put by: the *kept* one, which a store returns to, and the *watched* one, which may take its place.

A model is the lists that a rebuild publishes, how scores are blended, and what it was tested on. Both stand in
``kept_list``, the watched one under names with a prefix. Trends, habits and likeness are no part of it: they have no
version and are worked out anew every night.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import orjson
from sqlalchemy import Connection

from app.core.db import now
from app.recommendations import scoring
from app.recommendations.cache import Candidate
from app.recommendations.promotion import Hits, Lists, Question
from app.recommendations.publishing import forget_lists
from app.recommendations.ready_lists import BEST_SELLERS, CART_ROWS, PAIRS, WHOLE_STORE
from app.recommendations.row_lists import Row
from app.recommendations.scoring import Blend

KEPT: Final = ""
WATCHED: Final = "watched/"

# What is published of every product, and is replaced as a whole.
KINDS: Final = (PAIRS, CART_ROWS)
_MODEL: Final = "model"
# Of what is published, the lists of a model.
_LISTS_SQL: Final = (
    f"(strategy IN ('{PAIRS}', '{CART_ROWS}') OR (strategy = '{BEST_SELLERS}' AND subject = '{WHOLE_STORE}'))"
)


@dataclass(frozen=True, slots=True)
class Exam:
    """What a model was tested on, and which of it was answered rightly.

    Attributes:
        questions: the orders.
        hits: bool[q], the answers of the model without these orders.
    """

    questions: tuple[Question, ...]
    hits: Hits

    def to_json(self) -> list[list[Any]]:
        """Return what is stored of it."""
        return [
            [q.order_id, list(q.cart), q.hidden, bool(hit)]
            for q, hit in zip(self.questions, self.hits.tolist(), strict=True)
        ]


def no_exam() -> Exam:
    """Return the exam of a model that was tested on nothing."""
    return Exam((), np.zeros(0, np.bool_))


def exam_from_json(stored: Sequence[Sequence[Any]]) -> Exam:
    """Return what ``Exam.to_json`` wrote."""
    questions = tuple(Question(order, tuple(cart), hidden) for order, cart, hidden, _ in stored)
    return Exam(questions, np.array([hit for *_, hit in stored], np.bool_))


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was put by.

    Attributes:
        version: of the rebuild that made it.
        taken_at: when it was put by.
        last_order: the highest internal id of an order that it may have learned; None where it cannot be told which
            orders it has learned.
        exam: what it was tested on.
    """

    version: int
    taken_at: datetime
    last_order: int | None
    exam: Exam


def put_by(
    connection: Connection, store_id: int, prefix: str, version: int, last_order: int | None, exam: Exam
) -> None:
    """Put by what is published, in place of what stood under the prefix. The caller commits."""
    _drop(connection, store_id, prefix)
    connection.exec_driver_sql(
        "INSERT INTO kept_list (store_id, strategy, subject, items)"
        " SELECT store_id, %(prefix)s || strategy, subject, items FROM published_list"
        f" WHERE store_id = %(store)s AND {_LISTS_SQL}",
        {"store": store_id, "prefix": prefix},
    )
    about = {**asdict(Model(version, now(), last_order, no_exam())), "exam": exam.to_json()}
    connection.exec_driver_sql(
        "INSERT INTO kept_list (store_id, strategy, subject, items)"
        " SELECT store_id, %(strategy)s, '', jsonb_build_array(%(about)s::jsonb, ranking) FROM learned_model"
        " WHERE store_id = %(store)s",
        {"store": store_id, "strategy": prefix + _MODEL, "about": orjson.dumps(about).decode()},
    )


def find(connection: Connection, store_id: int, prefix: str) -> Model | None:
    """Return the model that was put by under a prefix; None if there is none."""
    about = connection.exec_driver_sql(
        "SELECT items -> 0 FROM kept_list WHERE store_id = %(store)s AND strategy = %(strategy)s",
        {"store": store_id, "strategy": prefix + _MODEL},
    ).scalar_one_or_none()
    if about is None:
        return None
    return Model(
        version=about["version"],
        taken_at=datetime.fromisoformat(about["taken_at"]),
        last_order=about["last_order"],
        exam=exam_from_json(about["exam"]),
    )


def lists_of(connection: Connection, store_id: int, prefix: str, questions: Sequence[Question]) -> Lists:
    """Return what a model that was put by answers these questions from."""
    subjects = sorted({id_ for question in questions for id_ in question.cart})
    rows: dict[str, Row] = {
        subject: items[0]
        for subject, items in connection.exec_driver_sql(
            "SELECT subject, items FROM kept_list WHERE store_id = %(store)s AND strategy = %(strategy)s"
            " AND subject = ANY(%(subjects)s::text[]) AND items <> '[]'",
            {"store": store_id, "strategy": prefix + CART_ROWS, "subjects": subjects},
        )
    }
    return Lists(rows, _best_sellers(connection, store_id, prefix), _blend(connection, store_id, prefix))


def _best_sellers(connection: Connection, store_id: int, prefix: str) -> list[Candidate]:
    found: list[Candidate] | None = connection.exec_driver_sql(
        "SELECT items FROM kept_list WHERE store_id = %(store)s AND strategy = %(strategy)s AND subject = ''",
        {"store": store_id, "strategy": prefix + BEST_SELLERS},
    ).scalar_one_or_none()
    return found or []


def _blend(connection: Connection, store_id: int, prefix: str) -> Blend:
    ranking = connection.exec_driver_sql(
        "SELECT items -> 1 FROM kept_list WHERE store_id = %(store)s AND strategy = %(strategy)s",
        {"store": store_id, "strategy": prefix + _MODEL},
    ).scalar_one_or_none()
    return scoring.blend_from_json(ranking["blend"]) if ranking else scoring.DEFAULT


def keep_watched(connection: Connection, store_id: int) -> None:
    """Let the watched model take the kept one's place. The caller commits."""
    _drop(connection, store_id, KEPT)
    connection.exec_driver_sql(
        "UPDATE kept_list SET strategy = substr(strategy, length(%(prefix)s::text) + 1)"
        " WHERE store_id = %(store)s AND strategy LIKE %(prefix)s || '%%'",
        {"store": store_id, "prefix": WATCHED},
    )


def forget_watched(connection: Connection, store_id: int) -> None:
    """Delete the watched model. The caller commits."""
    _drop(connection, store_id, WATCHED)


def restore(connection: Connection, store_id: int, unlisted: Collection[str] = ()) -> set[str]:
    """Publish the kept model; return the subjects that have no list any more, ``unlisted`` had none before.

    Only in PostgreSQL: the caller commits, and hands the lists to Redis then.
    """
    gone = set(unlisted).union(*(forget_lists(connection, store_id, kind) for kind in KINDS))
    connection.exec_driver_sql(
        "INSERT INTO published_list AS l (store_id, strategy, subject, items, published_at)"
        f" SELECT store_id, strategy, subject, items, now() FROM kept_list WHERE store_id = %(store)s AND {_LISTS_SQL}"
        " ON CONFLICT (store_id, strategy, subject) DO UPDATE"
        " SET items = excluded.items, published_at = excluded.published_at",
        {"store": store_id},
    )
    connection.exec_driver_sql(
        "UPDATE learned_model m SET ranking = NULLIF(k.items -> 1, 'null'::jsonb) FROM kept_list k"
        " WHERE m.store_id = %(store)s AND k.store_id = m.store_id AND k.strategy = %(strategy)s",
        {"store": store_id, "strategy": _MODEL},
    )
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT subject FROM published_list WHERE store_id = %(store)s"
        " AND strategy = ANY(%(kinds)s::text[])",
        {"store": store_id, "kinds": list(KINDS)},
    )
    return gone - {row[0] for row in rows}


def _drop(connection: Connection, store_id: int, prefix: str) -> None:
    names = [prefix + name for name in (*KINDS, BEST_SELLERS, _MODEL)]
    connection.exec_driver_sql(
        "DELETE FROM kept_list WHERE store_id = %(store)s AND strategy = ANY(%(names)s::text[])",
        {"store": store_id, "names": names},
    )
