"""From draft to verdict: ``draft``, ``running``, ``stopped``, ``decided``, and never back.

An experiment that has started cannot become another one: who was assigned by one definition would be counted under
the other. It can be stopped, and copied into a new draft, whose own key assigns everybody anew.

All functions take the store first, write through ``db.session`` and commit.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Select, func, select

from app.core.db import db, lock_store, now
from app.core.errors import Conflict, InvalidParameters, NotFound
from app.experiments import running
from app.experiments.assignment import clashes
from app.experiments.definition import (
    DECIDED,
    DRAFT,
    RUNNING,
    STOPPED,
    UNIT,
    VISITOR,
    running_of,
    shares,
    unit_of,
)
from app.experiments.models import Experiment
from app.experiments.schemas import KEY, NO_SUCH_ARM

# Each running one costs a part of every visitor's answer.
MOST_RUNNING: Final = 20
MOST: Final = 500
_LOCK: Final = 51


def listed(store_id: int, status: str | None = None) -> list[Experiment]:
    """Return the store's experiments, newest first; those in ``status`` if it is given."""
    query = select(Experiment).where(Experiment.store_id == store_id)
    if status is not None:
        query = query.where(Experiment.status == status)
    return list(db.session.scalars(query.order_by(Experiment.id.desc())))


def find(store_id: int, key: str) -> Experiment:
    """Return one experiment.

    Raises:
        NotFound: if the store has none of this key.
    """
    return _one(store_id, key, _of(store_id, key))


def create(store_id: int, key: str, name: str, definition: Mapping[str, Any]) -> Experiment:
    """Return a new draft.

    Raises:
        Conflict: if the key is taken, or the store has ``MOST`` experiments.
    """
    lock_store(db.session.connection(), store_id, _LOCK)
    if db.session.scalar(_of(store_id, key)) is not None:
        raise Conflict("There is an experiment of this key already.")
    if _count(store_id) >= MOST:
        raise Conflict(f"A store has {MOST} experiments at most; delete drafts.")
    made = Experiment(store_id=store_id, key=key, name=name, status=DRAFT, definition=dict(definition))
    db.session.add(made)
    db.session.commit()
    return made


def change(store_id: int, key: str, name: str, definition: Mapping[str, Any]) -> Experiment:
    """Change a draft, or the name of any experiment.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it has started and ``definition`` is another one than it started with.
    """
    found = _locked(store_id, key)
    if found.status == DRAFT:
        found.definition = dict(definition)
    elif others := sorted(
        name for name, value in definition.items() if _completed(found.definition).get(name) != value
    ):
        raise Conflict(
            f"It is {found.status}: only its name can change, not {', '.join(others)}."
            " Copy it, and start the copy."
        )
    found.name = name
    return _saved(found)


def start(store_id: int, key: str) -> Experiment:
    """Start a draft: visitors are assigned from now on.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it is no draft, too many run, or it and a running one could not be told apart.
    """
    connection = db.session.connection()
    lock_store(connection, store_id, _LOCK)
    found = _locked(store_id, key)
    _require(found, DRAFT, "started")
    if unit_of(found.definition) != VISITOR:
        _require_alone(store_id)
        found.status, found.started_at = RUNNING, now()
        return _saved(found)
    others = running.stored(connection, store_id)
    if len(others) >= MOST_RUNNING:
        raise Conflict(f"{MOST_RUNNING} experiments run, which is the most; stop one first.")
    mine = running_of(key, found.definition)
    if reasons := [reason for other in others for reason in clashes(mine, other)]:
        raise Conflict(f"It cannot run beside what runs: {'; '.join(reasons)}.")
    found.status, found.started_at = RUNNING, now()
    return _saved(found)


def stop(store_id: int, key: str) -> Experiment:
    """Stop a running experiment: nobody is assigned any more, and everybody is answered as if it were not there.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it does not run.
    """
    found = _locked(store_id, key)
    _require(found, RUNNING, "stopped")
    found.status, found.stopped_at = STOPPED, now()
    return _saved(found)


def decide(store_id: int, key: str, arm: str, note: str) -> Experiment:
    """Note which arm is kept of a stopped experiment, and why.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it was not stopped, or is decided.
        InvalidParameters: if it has no such arm.
    """
    found = _locked(store_id, key)
    _require(found, STOPPED, "decided")
    if arm not in {each["key"] for each in found.definition["arms"]}:
        raise InvalidParameters({"arm": NO_SUCH_ARM})
    found.status, found.decided_at, found.verdict = DECIDED, now(), {"arm": arm, "note": note}
    return _saved(found)


def copy(store_id: int, key: str, new_key: str, name: str | None) -> Experiment:
    """Return a new draft with the definition of another experiment, whatever has become of that.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if ``new_key`` is taken, or there are too many.
    """
    found = find(store_id, key)
    return create(store_id, new_key, name or found.name, found.definition)


def delete(store_id: int, key: str) -> None:
    """Delete a draft.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it has started: what visitors saw stays on record.
    """
    found = _locked(store_id, key)
    _require(found, DRAFT, "deleted")
    db.session.delete(found)
    db.session.commit()


def _completed(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition with what those from before units existed lack."""
    return {UNIT: VISITOR, "slice_hours": None, **definition}


def _require_alone(store_id: int) -> None:
    """Raise Conflict where a price experiment runs: a second one would move the prices that it measures."""
    running_now = db.session.scalars(
        select(Experiment).where(Experiment.store_id == store_id, Experiment.status == RUNNING)
    )
    for other in running_now:
        if unit_of(other.definition) != VISITOR:
            raise Conflict(f"{other.key} runs on prices already, and only one can: stop it first.")


def state(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as it is told: the definition with the shares of its arms, and its times."""
    of_arms = shares(experiment.definition)
    return {
        **_completed(experiment.definition),
        "arms": [{**arm, "share": of_arms[arm["key"]]} for arm in experiment.definition["arms"]],
        "key": experiment.key,
        "name": experiment.name,
        "status": experiment.status,
        "created_at": experiment.created_at,
        "updated_at": experiment.updated_at,
        "started_at": experiment.started_at,
        "stopped_at": experiment.stopped_at,
        "decided_at": experiment.decided_at,
        "verdict": experiment.verdict,
    }


def _of(store_id: int, key: str) -> Select[Experiment]:
    return select(Experiment).where(Experiment.store_id == store_id, Experiment.key == key)


def _locked(store_id: int, key: str) -> Experiment:
    """Return one experiment, which nobody else changes until the transaction ends."""
    return _one(store_id, key, _of(store_id, key).with_for_update())


def _one(store_id: int, key: str, query: Select[Experiment]) -> Experiment:
    # PostgreSQL would not even take some of what is no key.
    found = db.session.scalar(query.where(Experiment.store_id == store_id)) if KEY.fits(key) else None
    if found is None:
        raise NotFound(f"This store has no experiment {key[:50]!r}.")
    return found


def _require(experiment: Experiment, status: str, what: str) -> None:
    if experiment.status != status:
        raise Conflict(f"It is {experiment.status}, and only what is {_said(status)} can be {what}.")


def _said(status: str) -> str:
    return "a draft" if status == DRAFT else status


def _count(store_id: int) -> int:
    query = select(func.count()).where(Experiment.store_id == store_id)
    return int(db.session.execute(query).scalar_one())


def _saved(experiment: Experiment) -> Experiment:
    experiment.updated_at = now()
    db.session.commit()
    running.forget(experiment.store_id)
    return experiment
