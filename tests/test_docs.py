"""The documentation is complete, true where a machine can tell, and its links lead somewhere.

What stands in the code is asked of the code itself (the click commands, the address map, the migrated database,
the settings that ``load_settings`` looks up), so that nothing new can be forgotten and nothing old be left over.
"""

import ast
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from sqlalchemy import Inspector, create_engine, inspect
from sqlalchemy.dialects import postgresql

from app.cli import cli
from app.commerce.store import SETTINGS
from app.core import metrics
from app.core.config import Settings, load_settings
from app.core.errors import PROBLEMS
from app.recommendations import schemas
from app.recommendations.strategies import MAX_CART, MAX_LIMIT, SLOTS, STRATEGIES
from webhooks.intake import Outcome

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("app", "connectors", "webhooks", "demo", "benchmarks", "migrations")

_FENCE = re.compile(r"^( *)(```+|~~~+)(.*?)^\1\2\s*?$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#{1,6}) (.+?)\s*$", re.MULTILINE)


# --- reading Markdown -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Section:
    """A heading with everything below it, deeper headings included."""

    title: str
    body: str


def read(name: str) -> str:
    """Return a file of the repository."""
    return (ROOT / name).read_text()


def without_fences(text: str) -> str:
    """Return ``text`` without fenced blocks."""
    return _FENCE.sub("", text)


def fences(text: str, *languages: str) -> list[str]:
    """Return the fenced blocks of these languages."""
    return [
        body.partition("\n")[2] for _, _, body in _FENCE.findall(text) if body.split("\n")[0] in languages
    ]


def section(text: str, title: str) -> Section:
    """Return the one section of this title."""
    found = [s for s in sections(text) if s.title == title]
    assert len(found) == 1, f"{len(found)} sections are called {title!r}"
    return found[0]


def sections(text: str) -> Iterator[Section]:
    """Yield every section."""
    masked = _FENCE.sub(lambda fence: re.sub(r"[^\n]", " ", fence.group()), text)
    headings = list(_HEADING.finditer(masked))
    for place, heading in enumerate(headings):
        depth = len(heading[1])
        later = (h.start() for h in headings[place + 1 :] if len(h[1]) <= depth)
        yield Section(heading[2], text[heading.end() : next(later, len(text))])


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row, heads included, without marks of code."""
    lines = [line for line in without_fences(text).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if not set("".join(row)) <= set(":- ")]


def bare(cell: str) -> str:
    """Return a cell without marks of code."""
    return cell.replace("`", "")


def keyed_rows(text: str) -> dict[str, list[str]]:
    """Return the rows whose first cell is one word of code, by that word; no two may be the same."""
    found: dict[str, list[str]] = {}
    for row in rows(text):
        if match := re.fullmatch(r"`([^`]+)`", row[0]):
            assert match[1] not in found, f"{match[1]} stands twice"
            found[match[1]] = row[1:]
    return found


def code_words(text: str) -> set[str]:
    """Return everything that is marked as code outside fenced blocks."""
    return set(_CODE.findall(without_fences(text)))


# --- the files ------------------------------------------------------------------------------------------


@cache
def files() -> list[Path]:
    """Return the files of the repository: what git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:  # an unpacked archive
        found = list(ROOT.rglob("*"))
    foreign = {".venv", "node_modules", "var", "dist", "__pycache__", ".git"}
    return sorted(f for f in found if f.is_file() and not foreign & set(f.relative_to(ROOT).parts))


def markdown_files() -> list[Path]:
    """Return our own Markdown files: recorded payloads keep the notes that came with them."""
    return [f for f in files() if f.suffix == ".md" and "payloads" not in f.parts]


def modules(*packages: str) -> list[Path]:
    """Return the Python modules of ``packages``."""
    return [f for f in files() if f.suffix == ".py" and f.relative_to(ROOT).parts[0] in packages]


def named(path: Path) -> str:
    """Return a path for the name of a test."""
    return str(path.relative_to(ROOT))


def calls(packages: tuple[str, ...], *methods: str) -> Iterator[ast.Call]:
    """Yield every call of a method with one of these names."""
    for module in modules(*packages):
        for node in ast.walk(ast.parse(module.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in methods
            ):
                yield node


# --- settings -------------------------------------------------------------------------------------------


class Asked(Mapping[str, str]):
    """An environment without any variable, which remembers what was looked up."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def settings_of(environment: Mapping[str, str], directory: Path) -> Settings:
    """Return the settings of a process with this environment that starts in ``directory``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setattr(os, "environ", environment)
        return load_settings()


def env_example() -> dict[str, str]:
    """Return the settings of ``.env.example`` with their values."""
    lines = [line.partition("=") for line in read(".env.example").splitlines() if line and line[0] != "#"]
    assert len({name for name, _, _ in lines}) == len(lines)
    return {name: value for name, _, value in lines}


def test_env_example_holds_exactly_the_settings_that_are_read(tmp_path: Path) -> None:
    asked = Asked()

    settings_of(asked, tmp_path)

    assert asked.names == set(env_example())


def test_env_example_states_the_true_defaults(tmp_path: Path) -> None:
    assert settings_of(env_example(), tmp_path) == settings_of({}, tmp_path)


def test_settings_are_documented_with_their_defaults() -> None:
    documented = keyed_rows(section(read("docs/settings.md"), "Environment").body)

    assert {name: bare(row[0]) for name, row in documented.items()} == {
        name: value or "empty" for name, value in env_example().items()
    }
    assert all(row[1] for row in documented.values())


@pytest.mark.parametrize("name", env_example())
def test_a_dot_env_file_sets_everything(name: str, tmp_path: Path) -> None:
    defaults = settings_of({}, tmp_path)
    default = env_example()[name]
    others = {
        "PANNIER_LOG_LEVEL": "debug",
        "PANNIER_LOG_FORMAT": "json",
        "PANNIER_SHOPIFY_ADDRESS": "http://127.0.0.1:9/{shop}",
        "PANNIER_ALLOW_LOOPBACK_STORES": "true",
    }
    other = str(int(default) + 1) if default.isdecimal() else others.get(name, "something")

    (tmp_path / ".env").write_text(f"{name}={other}\n")

    assert settings_of({}, tmp_path) != defaults


def test_nothing_else_reads_a_variable_of_the_environment() -> None:
    def variable(node: ast.AST) -> str | None:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            target, key = node.value, node.slice
        elif isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute | ast.Name):
            is_get = isinstance(node.func, ast.Attribute) and node.func.attr == "get"
            target, key = node.func.value if is_get else node.func, node.args[0]
        else:
            return None
        read_from = ast.unparse(target) in ("os.environ", "os.getenv")
        return key.value if read_from and isinstance(key, ast.Constant) else None

    found = {
        (named(module), name)
        for module in modules("app", "connectors", "webhooks", "demo", "migrations")
        for node in ast.walk(ast.parse(module.read_text()))
        if (name := variable(node)) is not None
    }

    # Spark's own script takes its Java from there, and so must the check whether there is one.
    assert found == {("app/recommendations/spark.py", "JAVA_HOME")}
    assert "JAVA_HOME" in keyed_rows(section(read("docs/settings.md"), "Set by other programs").body)


def test_variables_of_the_procfile_are_documented_with_their_defaults() -> None:
    variables = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", read("Procfile")))
    set_by_others = keyed_rows(section(read("docs/settings.md"), "Set by other programs").body)

    assert variables.pop("PORT") == "8000"
    assert "8000" in " ".join(set_by_others["PORT"])
    assert variables == {name: env_example()[name] for name in variables}


def test_no_document_names_a_setting_that_is_none() -> None:
    known = set(env_example())
    for file in markdown_files():
        assert set(re.findall(r"PANNIER_[A-Z_]*[A-Z]", file.read_text())) <= known, named(file)


def test_store_settings_are_documented_with_default_and_range() -> None:
    documented = keyed_rows(section(read("docs/settings.md"), "Store settings").body)

    assert {name: row[:2] for name, row in documented.items()} == {
        name: [f"{default:g}", f"{low:g} to {high:g}"] for name, (default, low, high) in SETTINGS.items()
    }


# --- commands -------------------------------------------------------------------------------------------


def leaf_commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with its whole name."""
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaf_commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


COMMANDS = dict(leaf_commands(cli, "pannier"))


def test_the_commands_are_documented() -> None:
    documented = re.findall(r"^### `(pannier .+)`$", read("docs/commands.md"), re.MULTILINE)

    assert sorted(documented) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command_are_documented_with_their_defaults(name: str) -> None:
    body = section(read("docs/commands.md"), f"`{name}`").body
    documented = keyed_rows(body)
    options = {o.opts[0]: o for o in COMMANDS[name].params if isinstance(o, click.Option)}
    arguments = [a for a in COMMANDS[name].params if isinstance(a, click.Argument)]

    assert set(documented) == set(options)
    for option, described in options.items():
        default = bare(documented[option][0])
        if described.required:
            assert default == "required"
        elif described.is_flag:
            assert default == "off"
        elif isinstance(described.default, int | str):
            assert default == str(described.default)
    for argument in arguments:
        assert (argument.name or "").upper() in body


def examples(file: Path) -> Iterator[str]:
    """Yield the command lines of a document's console examples, joined where they are continued."""
    for block in fences(file.read_text(), "console"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield line[2:].split("  #")[0].strip()


def test_the_commands_in_examples_exist() -> None:
    checked = 0
    for file in markdown_files():
        for line in examples(file):
            words = shlex.split(line)
            if not words or Path(words[0]).name != "pannier":
                continue
            command: click.Command = cli
            place = 1
            while isinstance(command, click.Group):
                assert words[place] in command.commands, (named(file), line)
                command = command.commands[words[place]]
                place += 1
            try:
                # With the group's names of the help option: a command remembers the first that it is asked with.
                command.make_context(line, words[place:], **cli.context_settings)
            except click.UsageError as error:
                pytest.fail(f"{named(file)}: {line}: {error.format_message()}")
            checked += 1
    assert checked > 10


def make_targets() -> dict[str, str]:
    """Return the targets of the Makefile with what ``make help`` says of them."""
    return {
        name: text or ""
        for name, text in re.findall(r"^([a-z]+):(?:[^#\n]*## (.*))?", read("Makefile"), re.MULTILINE)
    }


def test_the_make_targets_are_documented() -> None:
    explained = {name for name, text in make_targets().items() if text}

    for name, title in (("docs/commands.md", "make"), ("CONTRIBUTING.md", "What to type")):
        documented = keyed_rows(section(read(name), title).body)
        assert {word.removeprefix("make ") for word in documented} == explained, name


def test_the_make_targets_that_are_named_exist() -> None:
    for file in markdown_files():
        code = [*code_words(file.read_text()), *examples(file)]
        named_targets = {match for text in code for match in re.findall(r"\bmake ([a-z]+)", text)}
        assert named_targets <= set(make_targets()), named(file)


# --- routes ---------------------------------------------------------------------------------------------


def routes(app: Flask) -> set[str]:
    """Return every method and address of the service."""
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_the_routes_are_documented(shared_app: Flask) -> None:
    text = read("docs/http-api.md")
    headings = re.findall(r"^### `([A-Z]+ /.*)`$", text, re.MULTILINE)
    overview = [_CODE.findall(row[0]) for row in rows(text.partition("## Conventions")[0])][1:]

    assert sorted(headings) == sorted(routes(shared_app))
    assert sorted(word for words in overview for word in words) == sorted(headings)


def parameters(document: Mapping[str, Any], operation: Mapping[str, Any]) -> set[str]:
    """Return the names of an operation's parameters and of its body's fields, nested ones too."""

    seen: set[str] = set()

    def fields(schema: Mapping[str, Any]) -> Iterator[str]:
        for inner in schema.get("allOf", ()):
            yield from fields(inner)
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            if name in seen:  # what stands within itself
                return
            seen.add(name)
            schema = document["components"]["schemas"][name]
        for name, inner in schema.get("properties", {}).items():
            yield name
            yield from fields(inner)
        if "items" in schema:
            yield from fields(schema["items"])

    found = {parameter["name"] for parameter in operation.get("parameters", ())}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        found |= set(fields(content["schema"]))
    return found


def test_the_parameters_of_routes_are_documented(shared_app: Flask) -> None:
    document = shared_app.test_client().get("/openapi.json").get_json()
    text = read("docs/http-api.md")
    operations = {
        f"{method.upper()} {path.replace('{', '<').replace('}', '>')}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if isinstance(operation, dict)
    }

    assert operations
    for route, operation in operations.items():
        documented = {row[0] for row in rows(section(text, f"`{route}`").body)}
        assert {f"`{name}`" for name in parameters(document, operation)} <= documented, route


def test_the_addresses_in_examples_exist(shared_app: Flask) -> None:
    addresses = shared_app.url_map.bind("127.0.0.1")
    called = [
        (named(file), line)
        for file in markdown_files()
        for line in examples(file)
        if line.startswith("curl ")
    ]

    assert called
    for file, line in called:
        path = re.search(r"http://127\.0\.0\.1:\d+(/[^\s'?]*)", line)
        assert path is not None, (file, line)
        stated = re.search(r" -X ([A-Z]+) ", line)
        method = stated[1] if stated else "POST" if " -d " in line else "GET"
        assert method in addresses.allowed_methods(path[1]), (file, line)


def test_the_problems_are_documented() -> None:
    documented = keyed_rows(section(read("docs/http-api.md"), "Problems").body)

    assert {slug: row[0] for slug, row in documented.items()} == {
        kind.slug: str(status) for status, kind in PROBLEMS.items()
    }


# --- strategies -----------------------------------------------------------------------------------------


def test_the_strategies_are_documented() -> None:
    text = read("docs/strategies.md")

    assert keyed_rows(section(text, "Overview").body) == {
        s.name: [
            s.needs or "nothing",
            ", ".join(f"`{reason}`" for reason in s.reasons),
            ", ".join(f"`{name}`" for name in s.fallback) or "none",
            "yes" if s.tops_up else "no",
            f"{s.ttl_s} s" if s.ttl_s else "no list",
            s.minimum,
        ]
        for s in STRATEGIES.values()
    }
    reasons = {reason for s in STRATEGIES.values() for reason in s.reasons}
    assert set(keyed_rows(section(text, "Reasons").body)) == reasons
    for name in STRATEGIES:
        described = {row[0] for row in rows(section(text, f"`{name}`").body)}
        assert {"Needs", "Learned from", "Gates", "Evidence", "Empty when"} <= described


def test_the_slots_are_documented() -> None:
    body = section(read("docs/strategies.md"), "Slots").body

    assert keyed_rows(body) == {
        s.name: [", ".join(f"`{name}`" for name in s.chain), str(s.limit)] for s in SLOTS.values()
    }
    assert f"At most {MAX_LIMIT} products" in body
    assert f"at most {MAX_CART} products of a cart" in body


def test_the_evidence_is_documented() -> None:
    documented = keyed_rows(section(read("docs/strategies.md"), "Evidence").body)

    assert set(documented) == {field.data_key or name for name, field in schemas.Evidence().fields.items()}


# --- operations -----------------------------------------------------------------------------------------


def test_the_metrics_are_documented() -> None:
    ours = [m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)]
    found = {
        (f"{family.name}_total" if family.type == "counter" else family.name): [
            family.type,
            ", ".join(f"`{label}`" for label in metric._labelnames),
        ]
        for metric in ours
        for family in metric.describe()
    }
    registered = {family.name for family in REGISTRY.collect() if family.name.startswith("pannier_")}
    documented = keyed_rows(section(read("docs/operations.md"), "Metrics").body)

    assert {name.removesuffix("_total") for name in found} == registered
    assert {name: row[:2] for name, row in documented.items() if name.startswith("pannier_")} == found


def test_the_values_of_labels_are_documented() -> None:
    values = {
        argument.value
        for call in calls(("app", "webhooks"), "labels")
        for argument in call.args
        if isinstance(argument, ast.Constant)
    } | {outcome.value for outcome in Outcome}

    assert "foreign_source" in values
    assert values <= code_words(section(read("docs/operations.md"), "Metrics").body)


def test_the_log_events_are_documented() -> None:
    levels = ("debug", "info", "warning", "error", "exception", "critical")
    events: dict[str, set[str]] = {}
    for call in calls(("app", "connectors", "webhooks", "demo"), *levels):
        assert isinstance(call.func, ast.Attribute)
        if ast.unparse(call.func.value) == "log":
            assert isinstance(call.args[0], ast.Constant), "an event's name is fixed"
            events.setdefault(call.args[0].value, set()).add(call.func.attr)
    documented = keyed_rows(section(read("docs/operations.md"), "Logs").body)

    assert {event: set(row[0].split(", ")) for event, row in documented.items()} == events


def test_the_clocks_schedule_is_documented() -> None:
    times = []
    for call in calls(("app",), "register"):
        when = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
        if "cron" in when:
            minute, hour, *_ = str(when["cron"]).split()
            times.append(f"{int(hour):02}:{int(minute):02}")
        elif "interval" in when:
            times.append(f"every {when['interval']} s")
    documented = [row[0] for row in rows(section(read("docs/architecture.md"), "Three processes").body)]

    assert times
    assert sorted(documented[documented.index("When") + 1 :]) == sorted(times)


# --- data model -----------------------------------------------------------------------------------------


def tables_of(database: Inspector) -> set[str]:
    """Return the tables; partitions are one table, and Alembic's own is none of ours."""
    found = set(database.get_table_names()) - {"alembic_version"}
    return {table for table in found if not re.fullmatch(r"(event|decision)_(default|\d{8})", table)}


def test_the_tables_are_documented_with_every_column(database_url: str) -> None:
    engine = create_engine(database_url)
    database = inspect(engine)
    expected = {
        table: {column["name"]: _type_of(column) for column in database.get_columns(table)}
        for table in tables_of(database)
    }
    engine.dispose()
    text = read("docs/data-model.md")
    headings = re.findall(r"^### `(.+)`$", text, re.MULTILINE)

    assert sorted(headings) == sorted(expected)
    for table, columns in expected.items():
        documented = keyed_rows(section(text, f"`{table}`").body)
        assert {name: row[0] for name, row in documented.items()} == columns, table


def _type_of(column: Any) -> str:
    """Return a column's type as the documentation writes it."""
    name = column["type"].compile(postgresql.dialect()).lower()
    short = name.replace("timestamp with time zone", "timestamptz")
    return f"{short}, null" if column["nullable"] else short


def test_the_diagram_shows_every_table_and_every_reference(database_url: str) -> None:
    engine = create_engine(database_url)
    database = inspect(engine)
    tables = tables_of(database)
    references = {
        (key["referred_table"], table) for table in tables for key in database.get_foreign_keys(table)
    }
    engine.dispose()
    (diagram,) = fences(read("docs/data-model.md"), "mermaid")
    drawn = set(re.findall(r"^ +(\w+) [|o}{-]+ (\w+) :", diagram, re.MULTILINE))

    assert {table for pair in drawn for table in pair} == tables
    assert references <= drawn


# --- decisions, links, house rules ----------------------------------------------------------------------


def records() -> list[Path]:
    """Return the records of decisions."""
    return sorted((DOCS / "adr").glob("*.md"))


def test_the_decisions_are_listed_by_their_titles() -> None:
    expected = []
    for file in records():
        title = re.match(r"# (\d+)\. (.+)\n", file.read_text())
        assert title is not None, f"{named(file)} does not begin with its number and title"
        assert file.name.startswith(f"{int(title[1]):04}-")
        expected.append((title[1], title[2], f"adr/{file.name}"))
    listed = re.findall(
        r"^(\d+)\. \[(.+)\]\((.+)\)$", section(read("docs/index.md"), "Decisions").body, re.MULTILINE
    )

    assert listed == expected
    assert [int(number) for number, _, _ in expected] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("file", records(), ids=lambda file: file.stem[:4])
def test_a_decision_says_why_what_and_what_follows(file: Path) -> None:
    parts = re.findall(r"^\*\*(\w+)\.\*\*", file.read_text(), re.MULTILINE)

    assert parts == ["Context", "Decision", "Consequences"]


def test_the_index_lists_every_document() -> None:
    linked = set(_LINK.findall(read("docs/index.md")))

    assert {file.name for file in DOCS.glob("*.md")} - {"index.md"} <= linked


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    found: dict[str, int] = {}
    names = set()
    for heading in sections(text):
        shown = _LINK.sub(lambda link: link[0][1:].partition("]")[0], heading.title).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        names.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return names


@pytest.mark.parametrize("file", markdown_files(), ids=named)
def test_relative_links_lead_somewhere(file: Path) -> None:
    text = _CODE.sub("", without_fences(file.read_text()))
    for link in _LINK.findall(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), f"{link}: there is no such file"
        assert target.is_relative_to(ROOT), f"{link}: leads out of the repository"
        if anchor:
            assert anchor in anchors(target.read_text()), f"{link}: there is no such heading"


def test_lists_of_contents_are_complete() -> None:
    checked = 0
    for file in markdown_files():
        text = without_fences(file.read_text())
        contents = re.findall(r"^- \[(.+)\]\(#.+\)$", text, re.MULTILINE)
        if contents:
            checked += 1
            assert contents == re.findall(r"^## (.+)$", text, re.MULTILINE), named(file)
    assert checked > 5


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is(package: str) -> None:
    found = modules(package)

    assert found
    assert [named(m) for m in found if not ast.get_docstring(ast.parse(m.read_text()))] == []


def test_no_file_names_a_place_of_somebodys_machine() -> None:
    places = re.compile("|".join(f"/{top}/" for top in ("work", "root", "home", "Users")))
    found = []
    for file in files():
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{named(file)}: {line.strip()[:80]}" for line in text.splitlines() if places.search(line)]

    assert found == []
