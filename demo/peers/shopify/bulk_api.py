"""Bulk operations over the API: started, looked at and cancelled."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from graphql import DocumentNode, GraphQLSyntaxError

from demo.peers.shopify import schema
from demo.peers.shopify.bulk import CONCURRENT, RUNNING, BulkOperation, objection, with_ids
from demo.peers.shopify.fields import Thing, utc
from demo.peers.shopify.run import Root, Run, outermost
from demo.peers.shopify.state import Body

_FIRST_OPERATION: Final = 7_000_000_000_001
_PIECE: Final = 100


def _start(run: Run, arguments: Body) -> dict[str, Any]:
    shop = run.shop
    problem, document = _problem(arguments["query"])
    if problem is not None or document is None:
        return _refused(problem or "", "INVALID")
    with shop.lock:
        running = sum(operation.status in RUNNING for operation in shop.bulk_operations.values())
        if running >= CONCURRENT:
            return _refused("Too many bulk operations are running for this app and shop.", "LIMIT_REACHED")
        operation = BulkOperation(
            _FIRST_OPERATION + 2 * len(shop.bulk_operations),
            arguments["query"],
            shop.now(),
            shop.bulk_options,
            arguments.get("groupObjects", False),
            error_code=shop.bulk_options.failures.pop(0) if shop.bulk_options.failures else None,
        )
        shop.bulk_operations[operation.id] = operation
    prepared = with_ids(document)

    def collect() -> Iterator[tuple[Mapping[str, Any] | None, str | None]]:
        for start in itertools.count(0, _PIECE):
            piece = replace(run, bulk=True, objects=0, roots=0, window=slice(start, start + _PIECE))
            result = piece.execute(prepared, piece, {})
            yield result.data, "ACCESS_DENIED" if result.errors else None
            if piece.roots < _PIECE:
                return

    operation.start(collect)
    return {"bulk_operation": _operation(run, operation), "user_errors": []}


def _problem(query: str) -> tuple[str | None, DocumentNode | None]:
    try:
        document, problems = schema.read(query)
    except GraphQLSyntaxError as broken:
        return broken.message, None
    if problems:
        return problems[0].message, None
    return objection(schema.load(), document), document


def _refused(message: str, code: str) -> dict[str, Any]:
    return {
        "bulk_operation": None,
        "user_errors": [{"field": ["query"], "message": message, "code": code}],
    }


def _look(run: Run, arguments: Body) -> Thing | None:
    operation = run.shop.bulk_operations.get(arguments["id"])
    if operation is None:
        return None
    if operation.poll(run.shop.now()):
        body = {
            "admin_graphql_api_id": operation.id,
            "status": operation.status.lower(),
            "type": "query",
            "error_code": operation.error_code.lower() if operation.error_code else None,
            "created_at": utc(operation.created_at),
            "completed_at": utc(run.shop.now()),
        }
        run.shop.emit("bulk_operations/finish", body, resource=operation.id)
    return _operation(run, operation)


def _operations(run: Run, arguments: Body) -> dict[str, Any]:
    operations = [_operation(run, operation) for operation in run.shop.bulk_operations.values()]
    return outermost(run, operations, arguments, lambda thing: (thing.body["id"],))


def _cancel(run: Run, arguments: Body) -> dict[str, Any]:
    operation = run.shop.bulk_operations.get(arguments["id"])
    if operation is None:
        return {
            "bulk_operation": None,
            "user_errors": [{"field": ["id"], "message": "Bulk operation does not exist"}],
        }
    problems = []
    if not operation.cancel():
        message = f"A bulk operation cannot be canceled when it is {operation.status.lower()}"
        problems = [{"field": None, "message": message}]
    return {"bulk_operation": _operation(run, operation), "user_errors": problems}


def _operation(run: Run, operation: BulkOperation) -> Thing:
    # The status first: what comes with the end is there before it.
    status = operation.status
    failed = status == "FAILED"
    url = f"{run.base_url}/bulk/{operation.key}.jsonl" if operation.content else None
    body = {
        "id": operation.id,
        "status": status,
        "error_code": operation.error_code if failed else None,
        "created_at": operation.created_at,
        "completed_at": operation.completed_at,
        "file_size": len(operation.content) if operation.content else None,
        "object_count": operation.object_count,
        "root_object_count": operation.root_object_count,
        "partial_data_url": url if failed else None,
        "url": None if failed else url,
        "query": operation.query,
        "type": "QUERY",
    }
    return Thing("BulkOperation", body, run.shop)


ROOTS: Final[dict[str, Root]] = {
    "QueryRoot.bulkOperation": _look,
    "QueryRoot.bulkOperations": _operations,
    "Mutation.bulkOperationRunQuery": _start,
    "Mutation.bulkOperationCancel": _cancel,
}
