// Shopify CLI looks for the function here.
export { cartLinesDiscountsGenerateRun } from "./run.js";
