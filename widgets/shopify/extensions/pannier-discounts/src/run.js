// The discount function: what a cart gets of the offers at its products, and of the quotes at its lines.
//
// It has no clock, no network and no memory. Whatever it cannot read gives no discount, and it never fails: a function
// that fails takes every discount of the store with it.

import { digitsOf, toMajor, toMinor } from "./money.js";
import { readOffer, reckon } from "./offers.js";
import { keysOf, quotedPrice } from "./quotes.js";

// Each costs about as much as everything else that a small cart needs. More than that are paid at their list price.
const MOST_QUOTES = 12;
// Shopify takes 20,000 bytes for carts of up to 200 lines, and proportionally more for larger ones.
const MOST_BYTES = 19_500;
const LINES_OF_THAT = 200;
// A candidate's JSON beside its line's id, its amount and its message.
const FRAME_BYTES = 90;
const LONGEST_MESSAGE = 80;

/**
 * Return the discounts of a cart.
 *
 * @param {object} input what run.graphql asks for.
 * @returns {{operations: object[]}} CartLinesDiscountsGenerateRunResult of Shopify's schema 2026-10.
 */
export function cartLinesDiscountsGenerateRun(input) {
  try {
    const candidates = candidatesOf(input);
    if (candidates.length === 0) return { operations: [] };
    return { operations: [{ productDiscountsAdd: { selectionStrategy: "ALL", candidates } }] };
  } catch {
    return { operations: [] };
  }
}

function candidatesOf(input) {
  if (!input.discount.discountClasses.includes("PRODUCT")) return [];
  const lines = linesOf(input.cart.lines);
  if (lines.length === 0) return [];
  grantQuotes(lines, input);
  grantOffers(lines, input.presentmentCurrencyRate);
  return fitting(
    lines.filter((line) => line.discount > 0),
    input.cart.lines.length,
  );
}

/** The lines that have a variant and a price; `free` is how many of its pieces no discount has taken yet. */
function linesOf(given) {
  const lines = [];
  for (const line of given) {
    const { id: variant, product } = line?.merchandise ?? {};
    const money = line?.cost?.amountPerQuantity;
    const { id, quantity } = line ?? {};
    if (typeof variant !== "string" || typeof product?.id !== "string" || typeof id !== "string") continue;
    if (!Number.isSafeInteger(quantity) || quantity < 1 || typeof money?.currencyCode !== "string") continue;
    const digits = digitsOf(money.currencyCode);
    const price = toMinor(money.amount, digits);
    if (price === null) continue;
    lines.push({
      id,
      quantity,
      price,
      digits,
      currency: money.currencyCode,
      variantId: tail(variant),
      productId: tail(product.id),
      offers: product.offers?.jsonValue,
      quote: line.quote?.value,
      free: quantity,
      discount: 0,
      message: "",
    });
  }
  return lines;
}

/** Lower the price of quoted lines to the quote's. What is quoted takes no part in offers. */
function grantQuotes(lines, input) {
  const quoted = lines.filter((line) => typeof line.quote === "string" && line.quote !== "");
  if (quoted.length === 0) return;
  const keys = keysOf(input.discount.settings?.jsonValue, input.shop?.localTime);
  if (keys.size === 0) return;
  const customer = input.cart.buyerIdentity?.customer?.id;
  const customerId = typeof customer === "string" ? tail(customer) : null;
  for (const line of quoted.slice(0, MOST_QUOTES)) {
    const price = quotedPrice(line.quote, keys, line.variantId, line.currency, customerId);
    if (price === null || price >= line.price) continue;
    const saving = (line.price - price) * line.quantity;
    if (!Number.isSafeInteger(saving)) continue;
    line.discount = saving;
    line.free = 0;
  }
}

/** Add what the offers at the products of the cart give. */
function grantOffers(lines, rate) {
  const free = lines.filter((line) => line.free > 0);
  // Sorting keeps the order of equals: of equally dear pieces those further up in the cart go first.
  const dearest = [...free].sort((one, other) => other.price - one.price);
  const byProduct = new Map();
  for (const line of dearest) {
    const others = byProduct.get(line.productId);
    if (others === undefined) byProduct.set(line.productId, [line]);
    else others.push(line);
  }
  const offers = new Map();
  for (const [first] of byProduct.values()) {
    const configs = Array.isArray(first.offers) ? first.offers : [];
    for (const config of configs) {
      const offer = readOffer(config, byProduct, first.currency, rate);
      if (offer !== null && !offers.has(offer.key)) offers.set(offer.key, offer);
    }
  }
  for (const grant of reckon([...offers.values()])) {
    for (const { line, amount } of grant.lines) {
      line.discount += amount;
      line.message ||= grant.title;
    }
  }
}

/**
 * One candidate for each line, since Shopify gives a line one product discount.
 *
 * Where all would be more than a function may say, they go without messages; where that does not do, the smallest
 * discounts stay out. Both is far beyond what people carry.
 */
function fitting(lines, size) {
  const room = MOST_BYTES * Math.max(1, size / LINES_OF_THAT);
  const all = lines.map((line) => {
    const amount = toMajor(line.discount, line.digits);
    const message = shortened(line.message);
    return { line, amount, message, bare: FRAME_BYTES + line.id.length + amount.length };
  });
  const bare = all.reduce((sum, entry) => sum + entry.bare, 0);
  const spoken = bare + all.reduce((sum, entry) => sum + sizeOf(entry.message), 0) <= room;
  return kept(all, bare, room).map(({ line, amount, message }) => {
    const candidate = {
      targets: [{ cartLine: { id: line.id } }],
      value: { fixedAmount: { amount } },
    };
    return spoken && message !== "" ? { ...candidate, message } : candidate;
  });
}

/** Those of the entries that fit, the largest discounts first, in the order of the cart. */
function kept(entries, bare, room) {
  if (bare <= room) return entries;
  const chosen = new Set();
  let left = room;
  for (const entry of [...entries].sort((one, other) => other.line.discount - one.line.discount)) {
    left -= entry.bare;
    if (left < 0) break;
    chosen.add(entry);
  }
  return entries.filter((entry) => chosen.has(entry));
}

function shortened(text) {
  return text.length <= LONGEST_MESSAGE ? text : [...text].slice(0, LONGEST_MESSAGE).join("");
}

/** At most how many bytes a text takes in JSON. */
function sizeOf(text) {
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    bytes += code < 32 || code === 34 || code === 92 ? 6 : code < 128 ? 1 : code < 2048 ? 2 : 3;
  }
  return bytes;
}

/** The number at the end of one of Shopify's global ids. */
function tail(gid) {
  return gid.slice(gid.lastIndexOf("/") + 1);
}
