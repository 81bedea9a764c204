"""The script of the app's home page asks for the permissions that are missing, and for no others."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "app" / "connections" / "templates" / "home.js"

# A page with nothing on it but the permissions, and an App Bridge that answers as it is told.
_PAGE = """
const [script, granted, result] = JSON.parse(process.argv[1]);
const asked = [];
let press;
const section = { hidden: true, dataset: { scopes: "write_discounts,write_products" } };
const elements = { permissions: section, allow: { addEventListener: (_, listener) => { press = listener; } } };
globalThis.document = { getElementById: (id) => elements[id] ?? null };
globalThis.setTimeout = () => {};
globalThis.window = { shopify: { scopes: {
  query: async () => { if (granted === null) throw new Error("no answer"); return { granted }; },
  request: async (scopes) => { asked.push(scopes); return { result }; },
} } };
await import(script);
await new Promise((done) => setImmediate(done));
const shown = !section.hidden;
if (shown) await press();
console.log(JSON.stringify([shown, asked, !section.hidden]));
"""
WANTED = ["write_discounts", "write_products"]


@pytest.mark.parametrize(
    ("granted", "result", "expected"),
    [
        pytest.param(
            [], "granted-all", [True, [WANTED], False], id="nothing yet, and the merchant allows it"
        ),
        pytest.param(
            ["write_products"], "declined-all", [True, [WANTED], True], id="half, and the merchant declines"
        ),
        pytest.param([*WANTED, "read_orders"], "granted-all", [False, [], False], id="everything"),
        pytest.param(None, "granted-all", [False, [], False], id="no answer"),
    ],
)
def test_the_home_asks_for_what_is_missing(granted, result, expected):
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    assert node, "the script's test needs Node: install the development dependencies"

    done = subprocess.run(
        [node, "--input-type=module", "--eval", _PAGE, json.dumps([SCRIPT.as_uri(), granted, result])],
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    )

    assert json.loads(done.stdout) == expected
