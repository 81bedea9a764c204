// Checks the Shopify theme app extension with Shopify's own theme-check. Called by `npm run check`.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { themeCheckRun } from "@shopify/theme-check-node";

const extension = join(
  dirname(fileURLToPath(import.meta.url)),
  "../widgets/shopify/extensions/pannier-recommendations",
);
const { offenses } = await themeCheckRun(extension, "theme-check:theme-app-extension");
for (const offense of offenses) {
  console.error(`${offense.uri}:${offense.start.line + 1}: ${offense.check}: ${offense.message}`);
}
console.log(`theme-check: ${offenses.length} offenses`);
process.exitCode = offenses.length ? 1 : 0;
