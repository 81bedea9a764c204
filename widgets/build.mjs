// Bundles the storefront widget into one minified file, and what shows offers into a second one beside it.
//
//   node widgets/build.mjs [--outfile PATH]     (default: widgets/dist/pannier.js; the other: pannier-offers.js)
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, transform } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const TARGET = ["es2022", "chrome111", "firefox113", "safari16.4"];

// A stylesheet is imported as a minified string, because a shadow root wants text, not a file.
const stylesheetAsText = {
  name: "stylesheet-as-text",
  setup(bundler) {
    bundler.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const { code } = await transform(source, {
        loader: "css",
        minify: true,
        charset: "utf8",
        target: TARGET,
      });
      // What esbuild keeps around the values of custom properties.
      return { contents: code.trim().replace(/([:,]) /g, "$1"), loader: "text" };
    });
  },
};

// Names that stand in our own objects alone, never in JSON, in the DOM or in a data attribute: shortened.
const OURS =
  /^(productId|variantId|itemId|decisionId|cartPage|everything|refused|similar|cost|strings|claim|current|count|choose|section|update|page|heading|phase|added|add|spoken|chosen|open|load|stop|change)$/;

// Those that the two files share, which may be of different ages: their short forms never change.
const SHARED = { productId: "p", itemId: "i", chosen: "o" };

const { values } = parseArgs({ options: { outfile: { type: "string" } } });

const outfile = values.outfile ?? here("dist/pannier.js");
const common = {
  bundle: true,
  minify: true,
  target: TARGET,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  mangleProps: OURS,
  tsconfigRaw: {}, // No "use strict": nothing here depends on it.
  plugins: [stylesheetAsText],
};

await Promise.all([
  build({
    ...common,
    entryPoints: [here("src/pannier.ts")],
    outfile,
    format: "iife",
    mangleCache: { ...SHARED },
  }),
  build({
    ...common,
    entryPoints: [here("src/offers.ts")],
    outfile: outfile.replace(/\.js$/, "-offers.js"),
    format: "esm",
    mangleCache: { ...SHARED },
  }),
]);
