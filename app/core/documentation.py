"""``/docs``: the OpenAPI document as a page, and ``/docs/problems``: what each kind of problem means.

Written by this process from what it serves, without scripts and without anything from elsewhere, so that it
cannot be out of date and works where nothing but this service can be reached.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from apispec import APISpec
from flask import Blueprint, Flask, Response, current_app
from markupsafe import Markup

from app.core.errors import PROBLEMS

blueprint = Blueprint("documentation", __name__)

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_SECURITY_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# Rules of a schema, in words.
_RULES: Final = {
    "minimum": Markup("at least {}"),
    "maximum": Markup("at most {}"),
    "minLength": Markup("at least {} characters"),
    "maxLength": Markup("at most {} characters"),
    "minItems": Markup("at least {} items"),
    "maxItems": Markup("at most {} items"),
    "pattern": Markup("matches {}"),
    "default": Markup("else {}"),
}
_STYLE: Final = Markup("""
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6470; --line: #dfe3e8; --paper: #fff; --tint: #f5f7f9;
  --link: #0b57a4 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa5b1; --line: #333b45; --paper: #14181d; --tint: #1c2229; --link: #7db7f5 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 6rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif }
@media (min-width: 62rem) { body { display: grid; grid-template-columns: 15rem minmax(0, 1fr); column-gap: 3rem }
  header { grid-column: 1 / -1 } nav { position: sticky; top: 1.5rem; align-self: start; max-height: 94vh;
  overflow: auto } }
header { margin-bottom: 1.5rem } h1 { margin: 0 }
h2 { margin: 2.5rem 0 .5rem } h3 { margin: 2.25rem 0 .25rem; font-size: 1.05rem }
main > :first-child { margin-top: 0 }
nav { font-size: .9rem } nav ul { list-style: none; margin: .25rem 0 1rem; padding: 0 }
nav li { overflow-wrap: anywhere; padding: .1rem 0 } nav b { font-weight: 600 }
a { color: var(--link); text-decoration: none } a:hover { text-decoration: underline }
code { font: .88em/1.4 ui-monospace, monospace; background: var(--tint); padding: .1em .3em; border-radius: 3px;
  overflow-wrap: anywhere }
h3 code { font-size: 1em; background: none; padding: 0 }
.method { display: inline-block; min-width: 3.6em; color: var(--soft); font-weight: 600 }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-size: .92rem }
th { text-align: left; font-weight: 600; color: var(--soft) } th, td { border-bottom: 1px solid var(--line);
  padding: .4rem .75rem .4rem 0; vertical-align: top } td:first-child { white-space: nowrap; width: 8rem }
td:nth-child(2) { width: 38% }
.soft { color: var(--soft) } p { margin: .4rem 0; max-width: 46rem }
:target { scroll-margin-top: 1rem; background: var(--tint); box-shadow: 0 0 0 .4rem var(--tint); border-radius: 2px }
""")


def init_documentation(app: Flask, spec: APISpec) -> None:
    """Serve the documentation of ``app``, whose operations ``spec`` describes."""
    app.extensions["pannier_openapi"] = spec
    app.register_blueprint(blueprint)


@blueprint.get("/docs")
def docs() -> Response:
    """Show every operation with its parameters, bodies and answers."""
    return _page("documentation", _reference)


@blueprint.get("/docs/problems")
def problems() -> Response:
    """Show what each kind of problem means; the ``type`` of a problem leads here."""
    return _page("problems", _problems)


def _page(name: str, write: Any) -> Response:
    written: dict[str, str] = current_app.extensions.setdefault("pannier_documentation", {})
    if name not in written:
        written[name] = write()
    headers = {"Content-Security-Policy": _SECURITY_POLICY, "Cache-Control": "public, max-age=300"}
    return Response(written[name], mimetype="text/html", headers=headers)


def _reference() -> str:
    document = current_app.extensions["pannier_openapi"].to_dict()
    operations = [
        (method, path, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    others = list(_other_routes(set(document["paths"])))
    schemas = document["components"]["schemas"]
    menu = [
        ("Operations", [(_anchor(m, p), f"{m.upper()} {p}") for m, p, _ in operations]),
        ("Other addresses", [(_anchor(m, p), f"{m.upper()} {p}") for m, p, _ in others]),
        ("Objects", [(f"schema-{name}", name) for name in schemas]),
    ]
    body = [
        _section("operations", "Operations"),
        *(_operation(*operation) for operation in operations),
        _section("other", "Other addresses"),
        *(_heading(m, p) + _prose(text) for m, p, text in others),
        _section("objects", "Objects"),
        *(_schema(name, schema) for name, schema in schemas.items()),
    ]
    intro = Markup(
        "<p>A publishable key (<code>pk_…</code>) goes with calls from a shop's pages, as"
        " <code>X-Pannier-Key</code> or <code>key=</code>; a secret key (<code>sk_…</code>) with calls from servers,"
        " as <code>Authorization: Bearer</code>. Ids are the platform's own, as strings. Money is an integer in minor"
        " units. Times are RFC 3339 UTC. Errors are <a href='/docs/problems'>problems</a>. Machines read"
        " <a href='/openapi.json'>/openapi.json</a>.</p>"
    )
    info = document["info"]
    return _html(f"{info['title']} {info['version']}", intro, menu, body)


def _problems() -> str:
    kinds = sorted(PROBLEMS.values(), key=lambda kind: kind.status)
    body = [
        Markup("<h2 id='{}'>{} <span class=soft>{}</span></h2>").format(kind.slug, kind.title, kind.status)
        + _prose((inspect.getdoc(kind) or "").partition("\n\n")[0])
        for kind in kinds
    ]
    intro = Markup(
        "<p>Errors are <code>application/problem+json</code> (RFC 9457): <code>type</code> leads to this page,"
        " <code>title</code> and <code>status</code> name the kind, <code>detail</code> is about this one. Back to the"
        " <a href='/docs'>operations</a>.</p>"
    )
    return _html("Problems", intro, [("Kinds", [(k.slug, k.title) for k in kinds])], body)


def _other_routes(documented: set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield method, path and docstring of the routes that no OpenAPI operation describes."""
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        if path not in documented:
            for method in sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}):
                yield method.lower(), path, inspect.getdoc(current_app.view_functions[rule.endpoint]) or ""


def _html(
    title: str, intro: Markup, menu: list[tuple[str, list[tuple[str, str]]]], body: list[Markup]
) -> str:
    links = Markup("").join(
        Markup("<b>{}</b><ul>{}</ul>").format(
            name, _join(Markup("<li><a href='#{}'>{}</a></li>").format(*entry) for entry in entries)
        )
        for name, entries in menu
    )
    page = Markup(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        "<meta name=viewport content='width=device-width'><style>{style}</style>"
        "<header><h1>{title}</h1>{intro}</header><nav>{links}</nav><main>{body}</main></html>\n"
    )
    return str(page.format(title=title, style=_STYLE, intro=intro, links=links, body=_join(body)))


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Markup:
    keys = [next(iter(scheme)) for scheme in operation.get("security", [])]
    needs = "secret key" if keys == ["secretKey"] else "publishable or secret key" if keys else "no key"
    parts = [
        _heading(method, path),
        _prose(operation.get("summary", "")),
        _prose(operation.get("description", "")),
        Markup("<p class=soft>Needs: {}.</p>").format(needs),
    ]
    parameters = [
        (p["name"], _type(p["schema"]), _details(p["schema"] | {"description": p.get("description", "")}))
        for p in operation.get("parameters", [])
    ]
    parts.append(_table(("Parameter", "Type", ""), parameters))
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        parts.append(Markup("<p>Body: {}</p>").format(_type(content["schema"])))
    parts.append(_table(("Answer", "", ""), _answers(operation["responses"])))
    return _join(parts)


def _answers(responses: Mapping[str, Any]) -> list[tuple[Any, Any, Any]]:
    """Return a row per status; problems are links to what they mean."""
    rows: list[tuple[Any, Any, Any]] = []
    for status, response in sorted(responses.items()):
        kind = PROBLEMS.get(int(status)) if status.isdecimal() else None
        if kind is not None:
            rows.append(
                (status, Markup("<a href='/docs/problems#{}'>{}</a>").format(kind.slug, kind.title), "")
            )
        elif status.isdecimal():
            content = response.get("content", {}).get("application/json")
            rows.append((status, _type(content["schema"]) if content else "", response["description"]))
    return rows


def _schema(name: str, schema: Mapping[str, Any]) -> Markup:
    required = set(schema.get("required", ()))
    rows = [
        (field, _type(inner), _details(inner, required=field in required))
        for field, inner in schema.get("properties", {}).items()
    ]
    title = Markup("<h3 id='schema-{0}'>{0}</h3>").format(name)
    return title + _table(("Field", "Type", ""), rows)


def _type(schema: Mapping[str, Any]) -> Markup:
    """Return what a value is, in words, with links to objects."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup("<a href='#schema-{0}'>{0}</a>").format(name)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return Markup(" or ").join(_type(inner) for inner in schema[choice])
    if "enum" in schema:
        return Markup(" or ").join(Markup("<code>{}</code>").format(value) for value in schema["enum"])
    kinds = schema.get("type", "anything")
    if kinds == "array":
        return Markup("list of {}").format(_type(schema["items"]))
    return Markup(" or ").join(dict.fromkeys([kinds] if isinstance(kinds, str) else kinds))


def _details(schema: Mapping[str, Any], *, required: bool = False) -> Markup:
    rules = [
        words.format(Markup("<code>{}</code>").format(schema[rule]))
        for rule, words in _RULES.items()
        if schema.get(rule) is not None
    ]
    if required:
        rules.insert(0, Markup("required"))
    said = _inline(schema.get("description", ""))
    limits = Markup("<span class=soft>{}</span>").format(Markup(", ").join(rules)) if rules else Markup("")
    return Markup(" ").join(part for part in (said, limits) if part)


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Markup:
    lines = [
        Markup("<tr>{}</tr>").format(_join(Markup("<td>{}</td>").format(c) for c in row)) for row in rows
    ]
    if not lines:
        return Markup("")
    titles = _join(Markup("<th>{}</th>").format(title) for title in head)
    return Markup("<table><tr>{}</tr>{}</table>").format(titles, _join(lines))


def _section(anchor: str, title: str) -> Markup:
    return Markup("<h2 id='{}'>{}</h2>").format(anchor, title)


def _heading(method: str, path: str) -> Markup:
    return Markup("<h3 id='{}'><span class=method>{}</span><code>{}</code></h3>").format(
        _anchor(method, path), method.upper(), path
    )


def _anchor(method: str, path: str) -> str:
    return f"{method}{re.sub(r'[^a-z0-9]+', '-', path.lower())}".strip("-")


def _prose(text: str) -> Markup:
    """Return a docstring's paragraphs."""
    return _join(Markup("<p>{}</p>").format(_inline(part)) for part in text.split("\n\n") if part.strip())


def _inline(text: str) -> Markup:
    """Return a line of a docstring, with its ``literals`` as code."""
    pieces = text.split("``")
    return _join(
        Markup("<code>{}</code>").format(p) if i % 2 else Markup("{}").format(p) for i, p in enumerate(pieces)
    )


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
