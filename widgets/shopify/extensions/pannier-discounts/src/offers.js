// What a cart gets of offers, in minor units. app/commerce/offers.py is the reference: `reckon` there gives the same.

import { divided, exchanged, shareOf } from "./money.js";

const FEWEST = 2;
const MOST = 4;
// A percentage is in hundredths of a percent.
const WHOLE = 10_000;
const CURRENCY = /^[A-Z]{3}$/;

/**
 * An offer as app/commerce/checkout.py writes it, tied to the lines that can fulfil it.
 *
 * null where the cart lacks a component (which is why that is looked at first: most offers end here), or where it is
 * no offer at all.
 */
export function readOffer(config, byProduct, currency, rate) {
  const components = config?.c;
  if (!Array.isArray(components) || components.length < FEWEST || components.length > MOST) return null;
  for (const component of components) {
    if (!Array.isArray(component) || !byProduct.has(component[0])) return null;
  }
  const products = components.map((component) => component[0]);
  const discounted = config.d;
  if (!distinct(products) || !isList(discounted) || discounted.length === 0 || !distinct(discounted))
    return null;
  if (!discounted.every((product) => products.includes(product))) return null;
  if (typeof config.k !== "string" || config.k === "" || typeof config.t !== "string") return null;
  const discount = readDiscount(config, currency, rate);
  if (discount === null) return null;
  const parts = [];
  for (const [product, quantity, variants] of components) {
    if (!Number.isSafeInteger(quantity) || quantity < 1) return null;
    if (variants !== null && !isList(variants)) return null;
    const lines = byProduct.get(product);
    parts.push({
      quantity,
      paying: discounted.includes(product),
      lines: variants === null ? lines : lines.filter((line) => variants.includes(line.variantId)),
    });
  }
  return { key: config.k, title: config.t, parts, discount, amount: 0, taken: null };
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
    if (!reckonOne(offer)) {
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
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total <= 0) return weights.map(() => 0);
  const parts = [];
  const rests = [];
  let left = amount;
  for (const weight of weights) {
    const [part, rest] = divided(amount, weight, total);
    parts.push(part);
    rests.push(rest);
    left -= part;
  }
  const places = [...rests.keys()].sort((one, other) => rests[other] - rests[one] || one - other);
  for (const place of places.slice(0, left)) parts[place]++;
  return parts;
}

/** Note in `offer` which pieces it takes of the free ones, and what it gives; false where that is nothing. */
function reckonOne(offer) {
  const taken = [];
  let worth = 0;
  for (const part of offer.parts) {
    let missing = part.quantity;
    for (const line of part.lines) {
      const count = Math.min(missing, line.free);
      if (count <= 0) continue;
      taken.push({ line, count, paying: part.paying });
      if (part.paying) worth += line.price * count;
      missing -= count;
      if (missing === 0) break;
    }
    if (missing > 0) return false;
  }
  if (!Number.isSafeInteger(worth)) return false;
  const { percent, value } = offer.discount;
  offer.taken = taken;
  offer.amount = percent ? shareOf(worth, value, WHOLE) : Math.min(value, worth);
  return offer.amount > 0;
}

/** Use up what an offer takes. */
function grant(offer) {
  for (const { line, count } of offer.taken) line.free -= count;
  const paying = offer.taken.filter((piece) => piece.paying);
  const shares = shareOut(
    offer.amount,
    paying.map(({ line, count }) => line.price * count),
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
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function distinct(values) {
  return values.every((value, place) => values.indexOf(value) === place);
}
