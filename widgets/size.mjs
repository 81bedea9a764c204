// Prints the size of the built widget and fails when it is over budget.
//
//   node widgets/size.mjs     exit 0: within the budget; 1: over it; 2: not built yet
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const BUDGET = 8000; // bytes, gzipped

const built = await readFile(new URL("dist/pannier.js", import.meta.url)).catch(() => null);
if (built === null) {
  process.stderr.write("widgets/dist/pannier.js is missing: run `npm run build` first\n");
  process.exit(2);
}
const gzipped = gzipSync(built, { level: 9 }).length;
process.stdout.write(`pannier.js: ${built.length} bytes, ${gzipped} gzipped of ${BUDGET} allowed\n`);
process.exit(gzipped > BUDGET ? 1 : 0);
