"""What Shopify is told of the app, and the theme app extension: whole, consistent, and true to the connector."""

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from connectors.shopify import scopes, topics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "widgets" / "shopify"
EXTENSION = FOLDER / "extensions" / "pannier-recommendations"
BLOCKS = sorted((EXTENSION / "blocks").glob("*.liquid"))
LOCALES = EXTENSION / "locales"
PLACE = "https://pannier.example"
COMPLIANCE = {"customers/data_request", "customers/redact", "shop/redact"}
# What Shopify tells the app beside the shop's own affairs.
OF_THE_APP = {"app/scopes_update", "bulk_operations/finish"}

# Shopify's limits, in bytes: theme-check's AssetSizeAppBlockJavaScript and AssetSizeAppBlockCSS.
MAX_SCRIPT = 10_000
MAX_STYLE = 100_000
# https://shopify.dev/docs/apps/build/online-store/theme-app-extensions/configuration: a block's name.
MAX_NAME = 25

by_name = pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path.stem)


@cache
def app() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "shopify.app.toml").read_text(encoding="utf-8"))


def schema_of(path: Path) -> dict[str, Any]:
    """Return a block's settings as the theme editor reads them."""
    (raw,) = re.findall(r"{% schema %}(.*){% endschema %}", path.read_text(encoding="utf-8"), re.DOTALL)
    schema: dict[str, Any] = json.loads(raw)
    return schema


def markup_of(path: Path) -> str:
    """Return what a block prints, without its comment and its schema."""
    text = path.read_text(encoding="utf-8").partition("{% schema %}")[0]
    return re.sub(r"{%- doc -%}.*?{%- enddoc -%}", "", text, flags=re.DOTALL)


def texts(name: str) -> dict[str, str]:
    """Return a locale's texts by their dotted keys."""
    found: dict[str, str] = {}

    def walk(inner: Any, path: tuple[str, ...]) -> None:
        if isinstance(inner, dict):
            for key, value in inner.items():
                walk(value, (*path, key))
        else:
            found[".".join(path)] = inner

    walk(json.loads((LOCALES / name).read_text(encoding="utf-8")), ())
    return found


def strings(value: Any) -> list[str]:
    """Return every text anywhere inside ``value``."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


# --- the app --------------------------------------------------------------------------------------------


def subscribed(field: str) -> list[str]:
    return [topic for entry in app()["webhooks"]["subscriptions"] for topic in entry.get(field, [])]


def test_every_topic_is_subscribed_once_and_every_subscribed_topic_is_understood():
    told = subscribed("topics") + subscribed("compliance_topics")

    assert len(told) == len(set(told))
    assert set(told) == set(topics.READ) | OF_THE_APP
    assert set(topics.READ) | set(topics.SET_ASIDE) >= OF_THE_APP


def test_compliance_topics_are_subscribed_as_such():
    assert set(subscribed("compliance_topics")) == COMPLIANCE
    assert COMPLIANCE.isdisjoint(subscribed("topics"))


def test_all_webhooks_go_to_the_one_address_in_the_present_version():
    webhooks = app()["webhooks"]

    assert webhooks["api_version"] == "2026-10"
    assert {entry["uri"] for entry in webhooks["subscriptions"]} == {f"{PLACE}/webhooks/shopify"}


def test_permissions_asked_for_are_those_the_connector_needs():
    assert app()["access_scopes"] == {
        "scopes": ",".join(scopes.REQUIRED),
        "optional_scopes": list(scopes.OPTIONAL),
    }


def test_app_is_embedded_and_every_address_is_below_the_same_place():
    addresses = [text for text in strings(app()) if "://" in text]

    assert app()["embedded"] is True
    assert app()["application_url"] == f"{PLACE}/install/shopify"
    assert app()["auth"]["redirect_urls"] == [f"{PLACE}/install/shopify/callback"]
    assert len(addresses) >= 4
    assert {address for address in addresses if not address.startswith(f"{PLACE}/")} == set()


def test_app_proxy_has_a_prefix_and_a_path_that_shopify_allows():
    proxy = app()["app_proxy"]

    assert proxy["prefix"] in {"apps", "a", "community", "tools"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,30}", proxy["subpath"])
    assert proxy["subpath"] not in {"admin", "services", "password", "login"}


def test_no_secret_and_no_client_id_is_in_the_repository():
    assert app()["client_id"] == ""
    for path in FOLDER.rglob("*"):
        if path.is_file():
            assert not re.search(r"shp(ss|at|rt)_[0-9a-f]{8}", path.read_text(encoding="utf-8")), path


# --- the extension --------------------------------------------------------------------------------------


def test_extension_is_a_theme_extension():
    extension = tomllib.loads((EXTENSION / "shopify.extension.toml").read_text(encoding="utf-8"))

    assert (extension["type"], extension["handle"]) == ("theme", EXTENSION.name)


def test_extension_has_an_embed_and_a_block():
    assert {path.stem: schema_of(path)["target"] for path in BLOCKS} == {
        "embed": "body",
        "recommendations": "section",
    }


@by_name
def test_every_setting_is_used_and_every_used_setting_exists(path):
    settings = [setting["id"] for setting in schema_of(path)["settings"]]

    assert len(settings) == len(set(settings))
    assert set(re.findall(r"block\.settings\.([a-z_]+)", markup_of(path))) == set(settings)


@by_name
def test_defaults_fit_their_settings(path):
    for setting in schema_of(path)["settings"]:
        default = setting.get("default")
        if setting["type"] == "range":
            assert setting["min"] <= default <= setting["max"]
            assert (default - setting["min"]) % setting["step"] == 0
        elif setting["type"] == "checkbox":
            assert isinstance(default, bool)
        elif setting["type"] == "text":
            assert default is None or default  # Shopify refuses an empty default
        else:
            assert (setting["type"], default) == ("product", None)


@by_name
def test_assets_that_a_block_names_exist(path):
    schema = schema_of(path)

    for kind in ("javascript", "stylesheet"):
        if kind in schema:
            assert (EXTENSION / "assets" / schema[kind]).is_file()


def test_every_asset_is_used_and_small():
    named = {schema_of(path).get(kind) for path in BLOCKS for kind in ("javascript", "stylesheet")} - {None}
    assets = sorted((EXTENSION / "assets").iterdir())

    assert {path.name for path in assets} == named
    for path in assets:
        assert path.stat().st_size < {".js": MAX_SCRIPT, ".css": MAX_STYLE}[path.suffix]


@pytest.mark.parametrize("ending", ["json", "schema.json"])
def test_languages_say_the_same_things(ending):
    english, german = texts(f"en.default.{ending}"), texts(f"de.{ending}")

    assert english.keys() == german.keys()
    assert all(english.values())
    assert all(german.values())


def test_every_text_of_the_editor_exists_and_is_used():
    keys = [text for path in BLOCKS for text in strings(schema_of(path)) if text.startswith("t:")]

    assert {key.removeprefix("t:") for key in keys} == texts("en.default.schema.json").keys()


@by_name
def test_labels_are_translated(path):
    schema = schema_of(path)
    labels = [schema["name"]] + [s[k] for s in schema["settings"] for k in ("label", "info") if k in s]

    assert [label for label in labels if not label.startswith("t:")] == []


@pytest.mark.parametrize("name", ["en.default.schema.json", "de.schema.json"])
def test_names_fit_into_the_editor(name):
    for path in BLOCKS:
        key = schema_of(path)["name"].removeprefix("t:")
        assert 0 < len(texts(name)[key]) <= MAX_NAME


def test_every_text_of_the_page_exists_and_is_used():
    used = {key for path in BLOCKS for key in re.findall(r"'([a-z_.]+)' \| t\b", markup_of(path))}

    assert used == texts("en.default.json").keys()


def test_embed_loads_the_widget_without_holding_up_the_page():
    markup = markup_of(EXTENSION / "blocks" / "embed.liquid")
    (tag,) = re.findall(r"<script(.*?)>", markup, re.DOTALL)
    default = {
        s["id"]: s.get("default") for s in schema_of(EXTENSION / "blocks" / "embed.liquid")["settings"]
    }

    assert 'src="{{ address | escape }}/v1/widget.js"' in tag
    assert re.search(r"\bdefer\b", tag)
    assert re.findall(r"{%- if customer %}(.*?){%- endif %}", tag, re.DOTALL) == [
        '\n    data-identity="/apps/pannier?of={{ customer.id | sha256 }}"\n    '
    ]
    assert re.findall(r"{%- if product %}(.*?){%- endif %}", tag, re.DOTALL) == [
        '\n    data-product-id="{{ product.id }}"\n    '
    ]
    proxy = app()["app_proxy"]
    assert f"/{proxy['prefix']}/{proxy['subpath']}?" in tag
    assert default == {"key": None, "address": PLACE}


def test_block_sets_only_attributes_that_the_widget_reads():
    markup = markup_of(EXTENSION / "blocks" / "recommendations.liquid")
    (element,) = re.findall(r"<pannier-bundle(.*?)></pannier-bundle>", markup, re.DOTALL)
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "widgets" / "src").glob("*.ts"))
    known = set(re.findall(r'[rR]ead\("([a-z-]+)"\)', sources))

    found = set(re.findall(r'^\s*([a-z-]+)="', element, re.MULTILINE))
    assert found - {"class", "data-variants"} <= known
    assert {"product-id", "variant-id", "product-price", "currency", "limit", "heading", "ticked"} <= found


@by_name
def test_what_merchants_and_products_are_called_is_escaped(path):
    markup = markup_of(path)
    free_text = r"{{[^}]*(?:settings\.(?:heading|key|address)|\.title|\baddress\b|\bkey\b)[^}]*}}"

    printed = re.findall(free_text, markup)
    assert printed
    assert [output for output in printed if "| escape" not in output] == []


# --- the chosen variant ---------------------------------------------------------------------------------

PRODUCT_PAGE = """
<form action="/cart/add" id="usual"><input name="id" value="1"><input name="product-id" value="201"></form>
<form action="/de/cart/add" id="plain"><input name="id" value="1"></form>
<form action="/contact" id="contact"><input name="id" value="1"></form>
<pannier-bundle product-id="201" variant-id="1" product-price="3400"
  data-variants='{"1":3400,"2":3600,"3":null}'></pannier-bundle>
"""
CHOSEN = ("variant-id", "product-price")


@pytest.fixture
def product_page(page: Page, complaints: list[str]) -> Page:
    """A product page with a box and the block's script."""
    page.set_content(PRODUCT_PAGE)
    page.add_script_tag(path=EXTENSION / "assets" / "pannier-variant.js")
    return page


def shown(page: Page) -> list[str | None]:
    """Return the box's variant and price."""
    box = page.locator("pannier-bundle")
    return [box.get_attribute(name) for name in CHOSEN]


def tell(page: Page, product_id: int, result: str) -> None:
    """Dispatch the storefront's standard event; ``result`` is the expression of its promise."""
    page.evaluate(
        "([id, result]) => { const event = new Event('shopify:product:select', {bubbles: true});"
        "event.product = {id: `gid://shopify/Product/${id}`}; event.promise = eval(result);"
        "document.body.dispatchEvent(event); return Promise.resolve(event.promise).catch(() => {}); }",
        [product_id, result],
    )


def put(page: Page, form: str, value: str) -> None:
    """Change the variant's number in a form, as themes do it by script."""
    page.evaluate(
        "([form, value]) => { const input = document.forms[form].elements.id; input.value = value;"
        "input.dispatchEvent(new Event('change', {bubbles: true})); }",
        [form, value],
    )


@pytest.mark.parametrize(
    ("product_id", "result", "expected"),
    [
        (201, "Promise.resolve({variant: {id: 'gid://shopify/ProductVariant/2'}})", ["2", "3600"]),
        (201, "Promise.resolve({variant: {id: 'gid://shopify/ProductVariant/3'}})", [None, "3400"]),
        (201, "Promise.resolve({variant: {id: 'gid://shopify/ProductVariant/99'}})", [None, "3400"]),
        (201, "Promise.resolve({variant: null})", [None, "3400"]),
        (201, "Promise.reject(new Error('offline'))", ["1", "3400"]),
        (202, "Promise.resolve({variant: {id: 'gid://shopify/ProductVariant/2'}})", ["1", "3400"]),
    ],
    ids=["another", "sold-out", "not-listed", "none", "failed", "other-product"],
)
def test_box_follows_the_standard_event(product_page, complaints, product_id, result, expected):
    tell(product_page, product_id, result)

    assert shown(product_page) == expected
    assert complaints == []


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("usual", "2", ["2", "3600"]),
        ("usual", "3", [None, "3400"]),
        ("usual", "99", [None, "3400"]),
        ("plain", "2", ["2", "3600"]),
        ("plain", "99", ["1", "3400"]),
        ("contact", "2", ["1", "3400"]),
    ],
    ids=["another", "sold-out", "not-listed", "no-product", "no-product-not-ours", "other-form"],
)
def test_box_follows_the_product_form(product_page, complaints, form, value, expected):
    put(product_page, form, value)

    assert shown(product_page) == expected
    assert complaints == []


def test_variant_comes_back_when_it_can_be_bought(product_page):
    put(product_page, "usual", "3")
    put(product_page, "usual", "1")

    assert shown(product_page) == ["1", "3400"]
