"""The app's discount function as Shopify runs it: its input query is answered, its code runs, its answer is read.

The code runs in one process of Node for all carts. Shopify compiles it to WebAssembly; what that costs is not counted
here. Limits on what it is handed are Shopify's: no metafield above 10,000 bytes, no input above 64,000
(https://shopify.dev/changelog/shopify-functions-input-limit-updates); a function that gets too much fails, which
gives no discount.
"""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from zoneinfo import ZoneInfo

from graphql import (
    FieldNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    value_from_ast_untyped,
)

EXTENSION: Final = (
    Path(__file__).parents[3] / "widgets" / "shopify" / "extensions" / "pannier-discounts" / "src"
)
MOST_METAFIELD_BYTES: Final = 10_000
MOST_INPUT_BYTES: Final = 64_000
# A line of JSON in, a line of JSON out.
_RUNNER: Final = """
import { createInterface } from "node:readline";
const { cartLinesDiscountsGenerateRun } = await import(process.argv[1]);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(cartLinesDiscountsGenerateRun(JSON.parse(line))) + "\\n");
}
"""

Tree = Mapping[str, Any]
"""An object of the function's schema: its fields by name. One that is callable is asked with its arguments, by name."""


class FunctionFailed(Exception):
    """The function was not run, or gave no answer: the cart gets nothing of it."""


class DiscountFunction:
    """The function's code in a process of its own; a context manager that ends it."""

    def __init__(self, folder: Path = EXTENSION) -> None:
        """Start the code that is in ``folder``, with its input query.

        Raises:
            FileNotFoundError: if there is no Node.
        """
        node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
        if node is None:
            raise FileNotFoundError("Node is needed to run the discount function.")
        (operation,) = parse((folder / "run.graphql").read_text(encoding="utf-8")).definitions
        assert isinstance(operation, OperationDefinitionNode)
        self._query = operation
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [node, "--input-type=module", "--eval", _RUNNER, (folder / "run.js").as_uri()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> "DiscountFunction":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, tree: Tree) -> dict[str, Any]:
        """Return the function's output for a cart, given as the root of its schema.

        Raises:
            FunctionFailed: if the input is larger than Shopify allows, or the function gives no answer.
        """
        given = json.dumps(self.input_of(tree), separators=(",", ":"))
        if len(given.encode()) > MOST_INPUT_BYTES:
            raise FunctionFailed("The input is too large.")
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock:
            stdin.write(given + "\n")
            stdin.flush()
            line = stdout.readline()
        if not line:
            raise FunctionFailed("The function ended.")
        output: dict[str, Any] = json.loads(line)
        return output

    def input_of(self, tree: Tree) -> dict[str, Any]:
        """Return what the input query reads of ``tree``.

        The query's variables have the values of the same names in the discount's ``settings`` metafield, as the
        extension's configuration says; one that it lacks is null.
        """
        settings = tree["discount"]["metafields"].get("settings")
        names = [entry.variable.name.value for entry in self._query.variable_definitions or ()]
        variables = {name: (settings or {}).get(name) for name in names}
        return _select(self._query.selection_set, tree, variables)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


def metafield(value: Any) -> dict[str, Any] | None:
    """Return a metafield of JSON as a function sees it, None where it is too large for that."""
    if value is None or len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > (
        MOST_METAFIELD_BYTES
    ):
        return None
    return {"jsonValue": value}


def local_time(now: datetime, timezone: str) -> Tree:
    """Return the shop's clock as a function may ask it."""
    here = now.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    return {"dateTimeBefore": lambda asked: here < datetime.fromisoformat(asked["dateTime"])}


def _select(selected: SelectionSetNode, source: Tree, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of ``source`` that were selected, under their aliases."""
    answer: dict[str, Any] = {}
    for node in selected.selections:
        if isinstance(node, InlineFragmentNode):
            kind = node.type_condition
            if kind is None or source.get("__typename") == kind.name.value:
                answer.update(_select(node.selection_set, source, variables))
        elif isinstance(node, FieldNode):
            value = source[node.name.value]
            if callable(value):
                given = {each.name.value: each.value for each in node.arguments or ()}
                value = value(
                    {name: value_from_ast_untyped(ast, dict(variables)) for name, ast in given.items()}
                )
            answer[node.alias.value if node.alias else node.name.value] = _read(node, value, variables)
    return answer


def _read(node: FieldNode, value: Any, variables: Mapping[str, Any]) -> Any:
    if node.selection_set is None or value is None:
        return value
    if isinstance(value, list):
        return [_select(node.selection_set, each, variables) for each in value]
    return _select(node.selection_set, value, variables)
