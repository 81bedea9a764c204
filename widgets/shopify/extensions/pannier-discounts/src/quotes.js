// Signed prices. app/pricing/quotes.py is the reference: `read` there believes and refuses the same quotes.

import { bytesOf, hmacUnder } from "./sha256.js";

const WINDOW_SECONDS = 300;
const LONGEST_TOKEN = 160;
const FEWEST_SECRET_BYTES = 16;
const MOST_SECRET_BYTES = 64;
const SIGNATURE_BYTES = 16;
const CUSTOMER_BYTES = 9;
const GUEST = "-";
// How many blocks of SHA-256 are hashed.
const BLOCKS_OF_KEY = 2;
const BLOCKS_OF_TOKEN = 3;
const BLOCKS_OF_CUSTOMER = 2;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TOKEN =
  /^(pq1\.([1-9a-z][0-9a-z]{0,7})\.([A-Za-z0-9_-]{1,40})\.([1-9][0-9]{0,14})\.([A-Z]{3})\.(-|[A-Za-z0-9_-]{12})\.[A-Za-z0-9_-]{12}\.([1-9][0-9]{0,11}))\.([A-Za-z0-9_-]{22})$/;

/**
 * The keys that count now, by their ids, of the settings that stand at the discount.
 *
 * A function has no clock: Shopify answered for each key whether the shop's local time is before its end.
 */
export function keysOf(settings, localTime) {
  const keys = new Map();
  const listed = Array.isArray(settings?.keys) ? settings.keys : [];
  listed.forEach((key, place) => {
    if (localTime?.[`before${place}`] !== true || typeof key?.id !== "string" || keys.has(key.id)) return;
    keys.set(key.id, { secret: key.secret, hmac: null, marks: new Map() });
  });
  return keys;
}

/**
 * The price of one piece, in minor units, that a quote gives a line; null where it counts for nothing.
 *
 * `customerId` is null where nobody is logged in. `effort.left` is how many blocks may still be hashed: a quote that
 * needs more is not looked at.
 */
export function quotedPrice(token, keys, variantId, currency, customerId, effort) {
  if (typeof token !== "string" || token.length > LONGEST_TOKEN) return null;
  const parts = TOKEN.exec(token);
  if (parts === null) return null;
  const [, signed, keyId, variant, amount, money, customer, expires, signature] = parts;
  if ((Number.parseInt(keyId, 36) + 1) * WINDOW_SECONDS !== Number(expires)) return null;
  const key = keys.get(keyId);
  if (key === undefined || variant !== variantId || money !== currency) return null;
  if (customer !== GUEST && customerId === null) return null;
  const marked = customer === GUEST || key.marks.has(customerId);
  const blocks = BLOCKS_OF_TOKEN + (key.hmac ? 0 : BLOCKS_OF_KEY) + (marked ? 0 : BLOCKS_OF_CUSTOMER);
  if (blocks > effort.left) return null;
  effort.left -= blocks;
  if (key.hmac === null) {
    const secret = decoded(key.secret);
    if (secret === null || secret.length < FEWEST_SECRET_BYTES || secret.length > MOST_SECRET_BYTES)
      return null;
    key.hmac = hmacUnder(secret);
  }
  const own = encoded(bytesOf(key.hmac(signed), SIGNATURE_BYTES));
  if (!same(own, signature)) return null;
  if (customer !== GUEST && !same(markOf(key, customerId), customer)) return null;
  return Number(amount);
}

/** How quotes under a key name a customer. */
function markOf(key, customerId) {
  let mark = key.marks.get(customerId);
  if (mark === undefined) {
    mark = encoded(bytesOf(key.hmac(`customer/${customerId}`), CUSTOMER_BYTES));
    key.marks.set(customerId, mark);
  }
  return mark;
}

/** Whether two texts are equal, in a time that does not tell where they differ. */
function same(one, other) {
  let difference = one.length ^ other.length;
  for (let at = 0; at < one.length; at++) difference |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return difference === 0;
}

/** Bytes as base64url without padding (RFC 4648, section 5). */
function encoded(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const group = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += ALPHABET[group >>> 18] + ALPHABET[(group >>> 12) & 63];
    if (at + 1 < bytes.length) text += ALPHABET[(group >>> 6) & 63];
    if (at + 2 < bytes.length) text += ALPHABET[group & 63];
  }
  return text;
}

/** The bytes of base64url without padding; null where it is none. */
function decoded(text) {
  if (typeof text !== "string" || text.length % 4 === 1) return null;
  const bytes = [];
  let held = 0;
  let bits = 0;
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return null;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >>> bits) & 255);
    }
  }
  return bytes;
}
