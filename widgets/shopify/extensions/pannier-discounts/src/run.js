// The discount function: what a cart gets of the offers at its products, and of the quotes at its lines.
//
// It has no clock, no network and no memory. Whatever it cannot read gives no discount, and it never fails: a function
// that fails takes every discount of the store with it.

import { digitsOf, toMajor, toMinor } from "./money.js";
import { readOffer, reckon } from "./offers.js";
import { keysOf, quotedPrice } from "./quotes.js";

// Shopify stops a function after 11 million instructions, for carts of up to 200 lines; larger ones get proportionally
// more. A unit of effort is 0.75 million, which is what a block of SHA-256 takes. Lines and offers take some for being
// read at all, an offer more if all of its components are there. Quotes and offers for which nothing is left are not
// looked at: a function that is stopped gives nothing at all. ../README.md has the measurements.
const MOST_EFFORT = 13;
const EFFORT_OF_LINE = 0.13;
const EFFORT_OF_READING = 0.1;
const EFFORT_OF_OFFER = 0.5;
// Shopify takes 20,000 bytes of output, again for carts of up to 200 lines.
const MOST_BYTES = 19_500;
const LINES_OF_THAT = 200;
// A candidate's JSON beside its line's id, its amount and its message.
const FRAME_BYTES = 90;
const LONGEST_MESSAGE = 80;

/**
 * Return the discounts of a cart.
 *
 * @param {object} input what run.graphql asks for.
 * @param {number} most how much effort it may take; Shopify names none.
 * @returns {{operations: object[]}} CartLinesDiscountsGenerateRunResult of Shopify's schema 2026-10.
 */
export function cartLinesDiscountsGenerateRun(input, most = MOST_EFFORT) {
  try {
    const candidates = candidatesOf(input, most);
    if (candidates.length === 0) return { operations: [] };
    return { operations: [{ productDiscountsAdd: { selectionStrategy: "ALL", candidates } }] };
  } catch {
    return { operations: [] };
  }
}

function candidatesOf(input, most) {
  if (!input.discount.discountClasses.includes("PRODUCT")) return [];
  const lines = linesOf(input.cart.lines);
  const effort = { left: most * scaleOf(input.cart.lines.length) - effortOfReading(lines) };
  grantQuotes(lines, input, effort);
  grantOffers(lines, input.presentmentCurrencyRate, effort);
  return fitting(
    lines.filter((line) => line.discount > 0),
    input.cart.lines.length,
  );
}

/**
 * The lines with a product. The rest of a line is read (`known`) once it is needed, since most lines get nothing.
 *
 * `free` is how many of a line's pieces no discount has taken yet, `price` that of one piece in minor units.
 */
function linesOf(given) {
  const lines = [];
  for (const line of given) {
    const product = line?.merchandise?.product?.id;
    if (typeof product !== "string") continue;
    lines.push({
      given: line,
      productId: tail(product),
      known: false,
      free: 0,
      price: 0,
      discount: 0,
      message: "",
    });
  }
  return lines;
}

/** What it took to read the lines, and the offers at each. */
function effortOfReading(lines) {
  let offers = 0;
  for (const { given } of lines) {
    const configs = given.merchandise.product.offers?.jsonValue;
    if (Array.isArray(configs)) offers += configs.length;
  }
  return lines.length * EFFORT_OF_LINE + offers * EFFORT_OF_READING;
}

/** How many times its usual limits Shopify allows for a cart of so many lines. */
function scaleOf(size) {
  return Math.max(1, size / LINES_OF_THAT);
}

/** Read the rest of a line; what cannot be read has no piece that is free. */
function know(line) {
  if (line.known) return;
  line.known = true;
  const { id, quantity, merchandise, cost } = line.given;
  const { amount, currencyCode: currency } = cost?.amountPerQuantity ?? {};
  if (typeof id !== "string" || typeof merchandise.id !== "string" || typeof currency !== "string") return;
  if (!Number.isSafeInteger(quantity) || quantity < 1) return;
  line.digits = digitsOf(currency);
  const price = toMinor(amount, line.digits);
  if (price === null) return;
  line.currency = currency;
  line.variantId = tail(merchandise.id);
  line.price = price;
  line.free = quantity;
}

/** Lower the price of quoted lines to the quote's. What is quoted takes no part in offers. */
function grantQuotes(lines, input, effort) {
  const quoted = lines.filter(
    ({ given }) => typeof given.quote?.value === "string" && given.quote.value !== "",
  );
  if (quoted.length === 0) return;
  const keys = keysOf(input.discount.settings?.jsonValue, input.shop?.localTime);
  if (keys.size === 0) return;
  const customer = input.cart.buyerIdentity?.customer?.id;
  const customerId = typeof customer === "string" ? tail(customer) : null;
  for (const line of quoted) {
    know(line);
    if (line.free === 0) continue;
    const price = quotedPrice(
      line.given.quote.value,
      keys,
      line.variantId,
      line.currency,
      customerId,
      effort,
    );
    if (price === null || price >= line.price) continue;
    const saving = (line.price - price) * line.free;
    if (!Number.isSafeInteger(saving)) continue;
    line.discount = saving;
    line.free = 0;
  }
}

/** Add what the offers at the products of the cart give. */
function grantOffers(lines, rate, effort) {
  const byProduct = new Map();
  for (const line of lines) {
    if (line.discount > 0) continue;
    const others = byProduct.get(line.productId);
    if (others === undefined) byProduct.set(line.productId, [line]);
    else others.push(line);
  }
  const offers = new Map();
  const ready = new Set();
  for (const config of possible(byProduct).slice(0, Math.max(Math.floor(effort.left / EFFORT_OF_OFFER), 0))) {
    for (const [product] of config.c) {
      if (ready.has(product)) continue;
      ready.add(product);
      prepare(byProduct.get(product));
    }
    const offer = readOffer(config, byProduct, rate);
    if (offer !== null && !offers.has(offer.key)) offers.set(offer.key, offer);
  }
  if (offers.size === 0) return;
  for (const grant of reckon([...offers.values()])) {
    for (const { line, amount } of grant.lines) {
      line.discount += amount;
      line.message ||= grant.title;
    }
  }
}

/** The configurations at the products of the cart of which every component is there. Most are not. */
function possible(byProduct) {
  const found = [];
  for (const lines of byProduct.values()) {
    const configs = lines[0].given.merchandise.product.offers?.jsonValue;
    if (!Array.isArray(configs)) continue;
    for (let at = 0; at < configs.length; at++) {
      if (isThere(configs[at]?.c, byProduct)) found.push(configs[at]);
    }
  }
  return found;
}

function isThere(components, byProduct) {
  if (!Array.isArray(components)) return false;
  for (let at = 0; at < components.length; at++) {
    const component = components[at];
    if (!Array.isArray(component) || !byProduct.has(component[0])) return false;
  }
  return true;
}

/** Read the lines of a product, and put the dearest first; of equally dear ones those further up in the cart. */
function prepare(lines) {
  for (const line of lines) know(line);
  if (lines.length > 1) lines.sort((one, other) => other.price - one.price);
}

/**
 * One candidate for each line, since Shopify gives a line one product discount.
 *
 * Where all would be more than a function may say, they go without messages; where that does not do, the smallest
 * discounts stay out. Both is far beyond what people carry.
 */
function fitting(lines, size) {
  const room = MOST_BYTES * scaleOf(size);
  const all = lines.map((line) => {
    const amount = toMajor(line.discount, line.digits);
    const message = shortened(line.message);
    return { line, amount, message, bare: FRAME_BYTES + line.given.id.length + amount.length };
  });
  const bare = all.reduce((sum, entry) => sum + entry.bare, 0);
  const spoken = bare + all.reduce((sum, entry) => sum + sizeOf(entry.message), 0) <= room;
  return kept(all, bare, room).map(({ line, amount, message }) => {
    const candidate = {
      targets: [{ cartLine: { id: line.given.id } }],
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
