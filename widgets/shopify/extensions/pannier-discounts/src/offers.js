// What a cart gets of offers, in minor units. app/commerce/offers.py is the reference: `reckon` there gives the same.

import { divided, exchanged, shareOf } from "./money.js";

const FEWEST = 2;
const MOST = 4;
// A percentage is in hundredths of a percent.
const WHOLE = 10_000;
const CURRENCY = /^[A-Z]{3}$/;

/**
 * An offer as app/commerce/checkout.py writes it, tied to the lines that can fulfil it; null where it is none.
 *
 * `byProduct` has the lines of each of its components, the dearest first.
 */
export function readOffer(config, byProduct, rate) {
  const { k: key, t: title, c: components, d: discounted } = config;
  if (components.length < FEWEST || components.length > MOST) return null;
  if (typeof key !== "string" || key === "" || typeof title !== "string") return null;
  if (!isList(discounted) || discounted.length === 0) return null;
  const parts = [];
  const products = [];
  let paying = 0;
  for (let at = 0; at < components.length; at++) {
    const product = components[at][0];
    const quantity = components[at][1];
    const variants = components[at][2];
    if (products.includes(product) || !Number.isSafeInteger(quantity) || quantity < 1) return null;
    if (variants !== null && !isList(variants)) return null;
    products.push(product);
    const pays = discounted.includes(product);
    if (pays) paying++;
    const all = byProduct.get(product);
    const lines = variants === null ? all : all.filter((line) => variants.includes(line.variantId));
    parts.push({ quantity, pays, lines });
  }
  // Every discounted product is a component, and none stands there twice.
  if (paying !== discounted.length) return null;
  const discount = readDiscount(config, parts[0].lines[0]?.currency, rate);
  return discount === null ? null : { key, title, parts, discount, amount: 0, taken: null };
}

/**
 * What a cart gets of offers: every offer once, every piece for one offer, the largest discount first.
 *
 * `offers` are of `readOffer`. What an offer gives can only become less while pieces are used up. So the offer that
 * promised most, and still gives that much, is the next: the others need not be looked at again.
 */
export function reckon(offers) {
  const waiting = [];
  for (const offer of offers) {
    if (reckonOne(offer)) waiting.push(offer);
  }
  waiting.sort(order);
  const grants = [];
  for (let first = 0; first < waiting.length; ) {
    const offer = waiting[first];
    const promised = offer.amount;
    if (!stillThere(offer) && !reckonOne(offer)) {
      first++;
    } else if (offer.amount < promised) {
      sink(waiting, first);
    } else {
      grants.push(grant(offer));
      first++;
    }
  }
  return grants;
}

/** An amount in whole parts, in proportion to weights: what is left over goes to the largest remainders. */
export function shareOut(amount, weights) {
  if (weights.length === 1) return [amount];
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const parts = [];
  const rests = [];
  let left = amount;
  for (let place = 0; place < weights.length; place++) {
    const [part, rest] = divided(amount, weights[place], total);
    parts.push(part);
    rests.push(rest);
    left -= part;
  }
  if (left === 0) return parts;
  const places = [...rests.keys()].sort((one, other) => rests[other] - rests[one] || one - other);
  for (const place of places.slice(0, left)) parts[place]++;
  return parts;
}

/** Note in `offer` which pieces it takes of the free ones, and what it gives; false where that is nothing. */
function reckonOne(offer) {
  const { parts, discount } = offer;
  const taken = [];
  let worth = 0;
  for (let at = 0; at < parts.length; at++) {
    const { lines, quantity, pays } = parts[at];
    let missing = quantity;
    for (let place = 0; missing > 0 && place < lines.length; place++) {
      const line = lines[place];
      const count = missing < line.free ? missing : line.free;
      if (count === 0) continue;
      missing -= count;
      const weight = pays ? line.price * count : 0;
      taken.push({ line, count, weight, free: line.free });
      worth += weight;
    }
    if (missing > 0) return false;
  }
  if (!Number.isSafeInteger(worth)) return false;
  offer.taken = taken;
  offer.amount = discount.percent ? shareOf(worth, discount.value, WHOLE) : Math.min(discount.value, worth);
  return offer.amount > 0;
}

/** Whether all lines of which an offer takes pieces are as they were when it was reckoned. */
function stillThere(offer) {
  const { taken } = offer;
  for (let at = 0; at < taken.length; at++) {
    if (taken[at].line.free !== taken[at].free) return false;
  }
  return true;
}

/** Use up what an offer takes, and return what it gives to which lines. */
function grant(offer) {
  const paying = [];
  for (const piece of offer.taken) {
    piece.line.free -= piece.count;
    if (piece.weight > 0) paying.push(piece);
  }
  const shares = shareOut(
    offer.amount,
    paying.map((piece) => piece.weight),
  );
  return { title: offer.title, lines: paying.map(({ line }, place) => ({ line, amount: shares[place] })) };
}

/** Move the offer at `place`, which gives less than it did, down to where it belongs. */
function sink(offers, place) {
  const offer = offers[place];
  let at = place;
  while (at + 1 < offers.length && order(offers[at + 1], offer) < 0) {
    offers[at] = offers[at + 1];
    at++;
  }
  offers[at] = offer;
}

function order(one, other) {
  return other.amount - one.amount || (one.key < other.key ? -1 : 1);
}

function readDiscount(config, currency, rate) {
  const { p: percent, a: amount, u: of } = config;
  if ((percent === undefined) === (amount === undefined)) return null;
  const value = percent ?? amount;
  if (!Number.isSafeInteger(value) || value < 1) return null;
  if (percent !== undefined) return percent <= WHOLE ? { percent: true, value } : null;
  if (typeof of !== "string" || !CURRENCY.test(of)) return null;
  const here = of === currency ? value : exchanged(value, of, currency, rate);
  return here === null ? null : { percent: false, value: here };
}

function isList(value) {
  if (!Array.isArray(value)) return false;
  for (let at = 0; at < value.length; at++) {
    if (typeof value[at] !== "string") return false;
  }
  return true;
}
