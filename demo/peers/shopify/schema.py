"""Shopify's own Admin GraphQL schema of version 2026-10.

The file is the introspection that npm ``@shopify/dev-mcp`` 1.16.0 carries (ISC licence, beside it).
"""

import gzip
import json
from functools import lru_cache
from pathlib import Path
from typing import Final

from graphql import DocumentNode, GraphQLError, GraphQLSchema, build_client_schema, parse, validate

VERSION: Final = "2026-10"
_FILE: Final = Path(__file__).parent / "schema" / f"admin_{VERSION}.json.gz"


@lru_cache(maxsize=1)
def load() -> GraphQLSchema:
    """Return the schema, read once a process (one to two seconds).

    Its validity is assumed: Shopify deprecates required input fields, which graphql-core refuses.
    """
    with gzip.open(_FILE, "rb") as file:
        introspection = json.load(file)
    return build_client_schema(introspection["data"], assume_valid=True)


@lru_cache(maxsize=256)
def read(query: str) -> tuple[DocumentNode, list[GraphQLError]]:
    """Return a document and what is wrong with it.

    Raises:
        graphql.GraphQLSyntaxError: if it is none.
    """
    document = parse(query)
    return document, validate(load(), document)
