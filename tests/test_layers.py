"""Imports point one way. import-linter's contracts hold, and leave no package out."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]
# Nothing is built on these: scripts of their own, beside the house.
BESIDE = {"tests", "migrations", "benchmarks"}


@cache
def linter() -> dict[str, Any]:
    """Return import-linter's part of ``pyproject.toml``."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return found


@cache
def layers() -> list[set[str]]:
    """Return the rooms of the house, from the roof down; rooms of one line do not know each other."""
    (contract,) = (c for c in linter()["contracts"] if c["type"] == "layers")
    return [{room.strip() for room in line.split("|")} for line in contract["layers"]]


@cache
def graph() -> grimp.ImportGraph:
    """Return who imports whom."""
    return grimp.build_graph(*linter()["root_packages"], cache_dir=None)


def imported_by(package: str) -> set[str]:
    """Return every module that ``package`` imports directly."""
    inside = {package, *graph().find_descendants(package)}
    return {found for module in inside for found in graph().find_modules_directly_imported_by(module)}


def within(module: str, *packages: str) -> bool:
    """Return whether ``module`` is one of ``packages`` or lies in one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.fixture(autouse=True)
def _logs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep import-linter from setting up logs: it would silence every logger of this process for good."""
    monkeypatch.setattr("importlinter.cli.logging_config.dictConfig", lambda _: None)


def test_the_contracts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    assert lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True) == 0


def test_a_room_that_looks_up_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upside_down = "\n".join(f'    "{" | ".join(sorted(line))}",' for line in reversed(layers()))
    (tmp_path / "upside-down.toml").write_text(
        f"[tool.importlinter]\nroot_packages = {linter()['root_packages']}\n"
        f'[[tool.importlinter.contracts]]\nname = "x"\ntype = "layers"\nlayers = [\n{upside_down}\n]\n'
    )
    monkeypatch.chdir(ROOT)

    assert lint_imports(config_filename=str(tmp_path / "upside-down.toml"), no_cache=True, no_logo=True) == 1


def test_every_package_of_the_house_is_looked_at() -> None:
    packages = {init.parent.name for init in ROOT.glob("*/__init__.py")} - BESIDE

    assert packages == set(linter()["root_packages"])


def test_every_room_has_its_place() -> None:
    placed = set().union(*layers())
    rooms = {package for package in linter()["root_packages"] if package != "app"}
    rooms |= set(graph().find_children("app"))

    assert placed == rooms


def test_the_platforms_do_not_know_each_other() -> None:
    assert not any(within(m, "connectors.woocommerce") for m in imported_by("connectors.shopify"))
    assert not any(within(m, "connectors.shopify") for m in imported_by("connectors.woocommerce"))


def test_nobody_outside_knows_a_platform() -> None:
    """But for where a store's platform is chosen, and where each platform's way of installing ends."""
    chosen_in = {
        "app.platforms.sources",
        "app.connections.routes",
        "app.connections.installs",
        "app.cli.stores",
    }
    for package in ("app", "webhooks", "demo"):
        knowing = {
            module
            for module in (graph().find_descendants(package) | {package}) - chosen_in
            for found in graph().find_modules_directly_imported_by(module)
            if within(found, "connectors.shopify", "connectors.woocommerce")
        }
        assert knowing == set(), package


def test_the_demo_knows_the_house_by_its_addresses() -> None:
    """But for what starts it, and for what of the synthetic store does the clock's work and is not of today."""
    entry = "demo.run"
    inside = {"demo.synth.run", "demo.synth.crowd", "demo.synth.inside"}
    house = ("app", "webhooks", "connectors")
    known = {
        (module, found)
        for module in graph().find_descendants("demo") - {entry} - inside
        for found in graph().find_modules_directly_imported_by(module)
        if within(found, *house, entry)
    }

    assert known == set()


def test_the_house_knows_the_demo_by_its_commands_only() -> None:
    knowing = {
        module
        for module in graph().modules
        if not within(module, "demo")
        and any(within(found, "demo") for found in graph().find_modules_directly_imported_by(module))
    }

    assert knowing == {"app.cli.installation", "app.cli.synth"}
