"""What a GraphQL document costs, and the leaky bucket that pays for it.

Source: shopify.dev, GraphQL Admin API rate limits: scalars and enums cost nothing, an object 1, a connection
what it may return, a mutation 10; one query may ask for 1000 points.
"""

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    value_from_ast_untyped,
)

MUTATION: Final = 10
HIGHEST: Final = 1000
STANDARD_RESTORE: Final = 100.0


class Bucket:
    """Points of one app in one shop: ``restore_rate`` a second flow in, up to ``size``."""

    def __init__(self, size: float = 2000, restore_rate: float = STANDARD_RESTORE) -> None:
        self.size = size
        self.restore_rate = restore_rate
        self._lock = threading.Lock()
        self._level = size
        self._at: datetime | None = None

    def take(self, points: float, now: datetime) -> bool:
        """Take ``points`` if there are as many, and tell whether there were."""
        with self._lock:
            self._flow(now)
            if points > self._level:
                return False
            self._level -= points
            return True

    def give_back(self, points: float) -> None:
        """Return what a query asked for and did not need."""
        with self._lock:
            self._level = min(self.size, self._level + points)

    def drain(self, now: datetime) -> None:
        """Leave nothing, as another busy app process would."""
        with self._lock:
            self._flow(now)
            self._level = 0

    def status(self, now: datetime) -> dict[str, float]:
        """Return the bucket as ``throttleStatus`` describes it."""
        with self._lock:
            self._flow(now)
            return {
                "maximumAvailable": float(self.size),
                "currentlyAvailable": int(self._level),
                "restoreRate": float(self.restore_rate),
            }

    def _flow(self, now: datetime) -> None:
        if self._at is not None:
            passed = max(0.0, (now - self._at).total_seconds())
            self._level = min(self.size, self._level + passed * self.restore_rate)
        self._at = now


class Estimate:
    """Computes the requested cost of one operation before it runs."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }

    def operation(self, operation: OperationDefinitionNode) -> int:
        """Return the points that ``operation`` asks for."""
        root = self._schema.get_root_type(operation.operation)
        assert root is not None
        cost = self._selections(operation.selection_set, root)
        if operation.operation is OperationType.MUTATION:
            cost += (MUTATION - 1) * len(operation.selection_set.selections)
        return cost

    def _selections(self, selections: SelectionSetNode | None, parent: GraphQLNamedType) -> int:
        total = 0
        for node in selections.selections if selections else ():
            if self._left_out(node):
                continue
            if isinstance(node, FieldNode):
                total += self._field(node, parent)
            elif isinstance(node, InlineFragmentNode):
                total += self._selections(node.selection_set, self._condition(node, parent))
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                total += self._selections(fragment.selection_set, self._condition(fragment, parent))
        return total

    def _left_out(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            wanted = {"include": True, "skip": False}.get(directive.name.value)
            if wanted is not None and self._value((directive.arguments or ())[0].value) is not wanted:
                return True
        return False

    def _value(self, node: ValueNode) -> Any:
        if isinstance(node, VariableNode):
            return self._variables.get(node.name.value)
        return value_from_ast_untyped(node)

    def _condition(
        self, node: InlineFragmentNode | FragmentDefinitionNode, parent: GraphQLNamedType
    ) -> GraphQLNamedType:
        named = node.type_condition
        return self._schema.type_map[named.name.value] if named else parent

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> int:
        field = getattr(parent, "fields", {}).get(node.name.value)
        if field is None:
            return 0
        returned = get_named_type(field.type)
        if is_leaf_type(returned):
            return 0
        inside = self._selections(node.selection_set, returned)
        if is_connection(returned):
            return self._size(node) * max(1, inside)
        # A connection's own frame is free: its nodes are what counts.
        frame = returned.name == "PageInfo" or (
            returned.name.endswith("Edge") and "node" in _fields(returned)
        )
        return inside if frame else 1 + inside

    def _size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                return int(self._value(argument.value) or 0)
        return 0


def is_connection(named: GraphQLNamedType) -> bool:
    """Tell whether a type is a connection, which has pages."""
    return named.name.endswith("Connection") and "pageInfo" in _fields(named)


def _fields(named: GraphQLNamedType) -> Mapping[str, Any]:
    return named.fields if isinstance(named, GraphQLObjectType) else {}
