// Prints the sizes of the built widget's files and fails when one is over its budget.
//
//   node widgets/size.mjs     exit 0: within the budget; 1: over it; 2: not built yet
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

// Bytes, gzipped. The second file is fetched only where there is an offer.
const BUDGETS = { "pannier.js": 8000, "pannier-offers.js": 2500 };

let within = true;
for (const [name, budget] of Object.entries(BUDGETS)) {
  const built = await readFile(new URL(`dist/${name}`, import.meta.url)).catch(() => null);
  if (built === null) {
    process.stderr.write(`widgets/dist/${name} is missing: run \`npm run build\` first\n`);
    process.exit(2);
  }
  const gzipped = gzipSync(built, { level: 9 }).length;
  process.stdout.write(`${name}: ${built.length} bytes, ${gzipped} gzipped of ${budget} allowed\n`);
  within &&= gzipped <= budget;
}
process.exit(within ? 0 : 1);
