"""The WordPress plugin: its own tests in PHP, its files, and what it writes into a page, in a browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.commerce.store import Store
from app.core.db import now
from app.events import tokens
from tests.widgets.storefront import Reply, Storefront

_ROOT = Path(__file__).parents[2]
_WORDPRESS = _ROOT / "widgets" / "wordpress"
_PLUGIN = _WORDPRESS / "pannier"
_FILES = sorted(_WORDPRESS.rglob("*.php"))
_KEY = "pk_0123456789abcdefABCD-_"

# As much of jQuery as the shop's script uses; `heard` holds the handlers, `told` what was triggered.
_JQUERY = """<script>
window.heard = {}; window.told = [];
window.jQuery = () => ({
  on: (name, selector, handler = selector) => { heard[name] = handler; },
  trigger: (name) => told.push(name),
});
</script>"""
_FORM = '<form class="variations_form" data-product_id="201"></form>'


def _command(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"the WordPress plugin's tests need {name} on the PATH: run scripts/php")
    return path


def _text(name: str) -> str:
    return (_PLUGIN / name).read_text(encoding="utf-8")


def test_every_file_is_valid_php() -> None:
    lint = (
        "foreach (array_slice($argv, 1) as $file) { passthru(PHP_BINARY.' -l '.escapeshellarg($file), $code);"
    )
    lint += " $worst = max($worst ?? 0, $code); } exit($worst);"

    done = subprocess.run(
        [_command("php"), "-r", lint, *map(str, _FILES)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("No syntax errors") == len(_FILES) >= 20


def test_phpunit_passes() -> None:
    configuration = str(_WORDPRESS / "tests" / "phpunit.xml")

    done = subprocess.run(
        [_command("phpunit"), "--configuration", configuration],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^OK", done.stdout, re.MULTILINE), done.stdout


def test_plugin_without_woocommerce_does_nothing() -> None:
    tests = _WORDPRESS / "tests"
    script = f"""define('ABSPATH', '/'); require '{tests}/World.php'; require '{tests}/wordpress.php';
        require '{_PLUGIN}/pannier.php'; do_action('before_woocommerce_init'); do_action('plugins_loaded');
        echo implode(' ', array_keys(World::$now->hooks));"""

    done = subprocess.run(
        [_command("php"), "-r", script], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    hooks = "before_woocommerce_init plugins_loaded wp_consent_api_registered_pannier/pannier.php"
    assert done.stdout == hooks


@pytest.mark.parametrize("path", _PLUGIN.rglob("*.php"), ids=lambda path: path.name)
def test_file_does_nothing_when_called_by_its_address(path: Path) -> None:
    statements = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL).split(";")
    first = [text.replace("<?php", "").strip() for text in statements]

    guard = "defined( 'ABSPATH' ) || exit"
    allowed = {guard, "defined( 'WP_UNINSTALL_PLUGIN' ) || exit"}
    assert next(text for text in first if not text.startswith("namespace ")) in allowed
    assert guard in first


def test_one_version_and_one_licence_everywhere() -> None:
    main, readme = _text("pannier.php"), _text("readme.txt")
    block, asset = (
        json.loads(_text("blocks/recommendations/block.json")),
        _text("blocks/recommendations/editor.asset.php"),
    )

    versions = [
        *re.findall(r"\* Version: +(\S+)", main),
        *re.findall(r"'PANNIER_VERSION', '(\S+)'", main),
        *re.findall(r"Stable tag: (\S+)", readme),
        *re.findall(r"'version' +=> '(\S+)'", asset),
        block["version"],
    ]
    assert len(versions) == 5
    assert len(set(versions)) == 1
    for name in ("Requires PHP", "License", "License URI"):
        [here], [there] = (re.findall(rf"{name}: +(\S+)", text) for text in (main, readme))
        assert here == there
    assert "GNU GENERAL PUBLIC LICENSE" in _text("LICENSE.txt")


def test_every_setting_on_the_tag_is_one_of_the_widget() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (_ROOT / "widgets" / "src").glob("*.ts"))
    known = set(re.findall(r'\bread\("([a-z-]+)"\)', sources))

    written = set(re.findall(r"'data-([a-z-]+)' +=>", _text("includes/class-widget.php")))

    assert written == {"key", "platform", "api", "wc-root", "cart-url", "product-id", "identity"}
    assert written <= known


def test_service_reads_the_token_that_the_plugin_signs(woocommerce: Store) -> None:
    service, [secret] = "https://pannier.example", woocommerce.webhook_secrets
    delivery_url = f"{service}/webhooks/woocommerce/{woocommerce.webhook_token}"

    done = subprocess.run(
        [_command("php"), str(_WORDPRESS / "tests" / "token.php"), service, delivery_url, secret.decode()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert tokens.read(woocommerce.id, done.stdout, now()) == "7"


def _publish(storefront: Storefront, kind: str = "simple") -> str:
    """Publish a product page as the plugin makes it and return its address."""
    done = subprocess.run(
        [_command("php"), str(_WORDPRESS / "tests" / "page.php"), storefront.api.origin, _KEY, kind],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    assert made["src"] == f"{storefront.api.origin}/v1/widget.js"
    storefront.shop.routes["GET /shop.js"] = Reply(_text("assets/shop.js"), content_type="text/javascript")
    # The stubs' shop lives elsewhere; this one's REST root is on its own origin.
    tag = made["tag"] | {"data-wc-root": "/wp-json/", "data-cart-url": "/cart"}
    return storefront.page(
        tag=tag, head=_JQUERY, body=f'{_FORM}{made["box"]}<script src="/shop.js"></script>'
    )


def test_box_asks_and_adds_to_the_shops_own_cart(
    page: Page, storefront: Storefront, complaints: list[str]
) -> None:
    page.goto(_publish(storefront))
    box = page.get_by_role("region")
    expect(box.get_by_role("listitem")).to_have_count(3)

    box.get_by_role("button").click()
    expect(page.get_by_role("link", name="View cart")).to_have_attribute(
        "href", f"{storefront.shop.origin}/cart"
    )

    [call] = storefront.api.calls_to("GET /v1/recommendations")
    assert (call.query["key"], call.query["product_id"], call.query["slot"]) == (_KEY, "201", "product")
    [batch] = storefront.shop.calls_to("POST /wp-json/wc/store/v1/batch")
    assert [request["body"]["id"] for request in batch.body["requests"]] == [201, 9202, 9203]
    assert complaints == []


def test_chosen_variation_comes_into_the_box_and_leaves_it(page: Page, storefront: Storefront) -> None:
    page.goto(_publish(storefront, "variable"))
    box = page.get_by_role("region")
    expect(box.get_by_role("listitem")).to_have_count(2)

    choose = (
        "(variation) => heard.found_variation("
        "{currentTarget: document.querySelector('.variations_form')}, variation)"
    )
    page.evaluate(
        choose, {"variation_id": 77, "display_price": 34.1, "is_purchasable": True, "is_in_stock": True}
    )
    expect(box.get_by_role("listitem")).to_have_count(3)
    expect(box.get_by_text("£34.10")).to_have_count(1)

    page.evaluate(
        choose, {"variation_id": 78, "display_price": 34.1, "is_purchasable": True, "is_in_stock": False}
    )
    expect(box.get_by_role("listitem")).to_have_count(2)

    page.evaluate("heard.reset_data({currentTarget: document.querySelector('.variations_form')})")
    expect(page.locator("pannier-bundle")).not_to_have_attribute("variant-id", re.compile(".*"))
    assert len(storefront.api.calls_to("GET /v1/recommendations")) == 1


@pytest.mark.parametrize(
    ("cart", "told"),
    [
        pytest.param('<form class="woocommerce-cart-form"></form>', ["wc_update_cart"], id="classic cart"),
        pytest.param("", [], id="no cart on the page"),
    ],
)
def test_classic_cart_reads_itself_anew_after_adding(
    page: Page, storefront: Storefront, cart: str, told: list[str]
) -> None:
    script = _text("assets/shop.js")
    page.set_content(f"{_JQUERY}{cart}<script>{script}</script>")

    page.evaluate("document.dispatchEvent(new CustomEvent('pannier:added'))")

    assert page.evaluate("told") == told


def test_widget_hears_what_the_classic_cart_says(page: Page) -> None:
    page.set_content(f"{_JQUERY}<script>{_text('assets/shop.js')}</script>")
    page.evaluate("window.changes = 0; document.addEventListener('pannier:cart', () => { changes += 1; });")

    page.evaluate("heard['added_to_cart removed_from_cart updated_cart_totals']()")

    assert page.evaluate("changes") == 1


def test_page_without_jquery_is_left_alone(page: Page, complaints: list[str]) -> None:
    page.set_content(f"<script>{_text('assets/shop.js')}</script>")

    page.evaluate("document.dispatchEvent(new CustomEvent('pannier:added'))")

    assert complaints == []


# As much of WooCommerce's blocks as the script for offers uses; `filters` holds what it registers.
_BLOCKS = """<script>
const cart = { extensions: { pannier: { labels: { "pannier-a": "Offer: Set" } } } };
window.wp = { data: { select: (name) => (name === "wc/store/cart" ? { getCartData: () => cart } : undefined) } };
window.wc = { blocksCheckout: { registerCheckoutFilters: (name, filters) => { window.filters = filters; } } };
</script>"""


def test_blocks_show_titles_of_offers_and_codes_of_other_coupons(page: Page, complaints: list[str]) -> None:
    page.set_content(f"{_BLOCKS}<script>{_text('assets/checkout.js')}</script>")

    shown = page.evaluate(
        "filters.coupons([{code: 'pannier-a', label: 'pannier-a'}, {code: 'sale', label: 'sale'}])"
        ".map((coupon) => coupon.label)"
    )
    told = page.evaluate(
        "['pannier-a', 'sale'].map((couponCode) => filters.showRemoveCouponNotice(true, {}, {couponCode}))"
    )

    assert (shown, told) == (["Offer: Set", "sale"], [False, True])
    assert complaints == []


def test_page_without_blocks_is_left_alone(page: Page, complaints: list[str]) -> None:
    page.set_content(f"<script>{_text('assets/checkout.js')}</script>")

    assert complaints == []


# As much of the block editor as the block's script uses; elements are `[type, props, ...children]`.
_EDITOR = """<script>
const control = (name) => ({ [name]: name });
window.wp = {
  element: { createElement: (...parts) => parts, Fragment: "Fragment" },
  i18n: { __: (text, domain) => { if (domain !== "pannier") throw Error(text); return text; } },
  blockEditor: { InspectorControls: "InspectorControls", useBlockProps: () => ({}) },
  components: Object.assign({}, ...["PanelBody", "Placeholder", "RangeControl", "SelectControl", "TextControl"]
    .map(control)),
  blocks: { registerBlockType: (name, settings) => { window.block = { name, ...settings }; } },
};
</script>"""

_CONTROLS = """({ slot, productId }) => {
  const changes = [];
  const attributes = { slot, productId, limit: 3, heading: "" };
  const tree = block.edit({ attributes, setAttributes: (change) => changes.push(change) });
  const labels = tree.flat(9).filter((part) => part?.label).map((part) => part.label);
  const number = tree.flat(9).find((part) => part?.type === "number");
  ["14", "-3", "x"].forEach((typed) => number?.onChange(typed));
  return { labels, changes };
}"""


@pytest.mark.parametrize(
    ("slot", "labels", "changes"),
    [
        pytest.param(
            "product",
            ["Goes with", "Product number", "Products at most", "Heading", "Bought together"],
            [{"productId": 14}, {"productId": 0}, {"productId": 0}],
            id="of a product",
        ),
        pytest.param(
            "cart", ["Goes with", "Products at most", "Heading", "Bought together"], [], id="of the cart"
        ),
    ],
)
def test_block_in_the_editor(
    page: Page, complaints: list[str], slot: str, labels: list[str], changes: list[dict[str, int]]
) -> None:
    page.set_content(f"{_EDITOR}<script>{_text('blocks/recommendations/editor.js')}</script>")

    assert page.evaluate("[block.name, block.save()]") == ["pannier/recommendations", None]
    assert page.evaluate(_CONTROLS, {"slot": slot, "productId": 0}) == {"labels": labels, "changes": changes}
    assert complaints == []
