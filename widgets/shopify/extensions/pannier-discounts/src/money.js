// Money in whole minor units; no amount is ever a fraction of one. app/core/money.py is the reference.

// ISO 4217 currencies whose minor unit is not 1/100.
const DIGITS = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  UYI: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
};
const MOST_EXACT = Number.MAX_SAFE_INTEGER;
const WHOLE_NUMBER = /^[0-9]{1,30}$/;

/** The number of decimal digits of a currency's minor unit. */
export function digitsOf(currency) {
  return DIGITS[currency] ?? 2;
}

/**
 * An amount in major units, as Shopify writes it ("12.5"), in minor ones: half a unit rounds up.
 *
 * null where it is no amount, or too large to be counted exactly.
 */
export function toMinor(text, digits) {
  if (typeof text !== "string") return null;
  const point = text.indexOf(".");
  const places = point < 0 ? 0 : text.length - point - 1;
  const all = point < 0 ? text : text.slice(0, point) + text.slice(point + 1);
  if (point === 0 || places === all.length || !WHOLE_NUMBER.test(all)) return null;
  let minor = Number(places > digits ? all.slice(0, digits - places) : all);
  for (let place = places; place < digits; place++) minor *= 10;
  if (places > digits && all[all.length - places + digits] >= "5") minor++;
  return minor <= MOST_EXACT ? minor : null;
}

/** Minor units as Shopify wants them: a decimal number in major units. */
export function toMajor(minor, digits) {
  const text = String(minor).padStart(digits + 1, "0");
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** Whole part and remainder of `factor * other / divisor`, exact for all safe integers. */
export function divided(factor, other, divisor) {
  const product = factor * other;
  if (product <= MOST_EXACT) {
    const rest = product % divisor;
    return [(product - rest) / divisor, rest];
  }
  const exact = BigInt(factor) * BigInt(other);
  const large = BigInt(divisor);
  return [Number(exact / large), Number(exact % large)];
}

/** `total * share / whole`, where half a unit rounds up. */
export function shareOf(total, share, whole) {
  const product = total * share;
  if (product <= MOST_EXACT) {
    const rest = product % whole;
    return (product - rest) / whole + (rest * 2 >= whole ? 1 : 0);
  }
  const [parts, rest] = divided(total, share, whole);
  return rest * 2 >= whole ? parts + 1 : parts;
}

/**
 * An amount of one currency in another, by a rate that is a decimal number as text: half a unit rounds up.
 *
 * null where the rate is no positive number, or the result too large.
 */
export function exchanged(minor, from, to, rate) {
  const parts = typeof rate === "string" ? /^([0-9]{1,15})(?:\.([0-9]{1,30}))?$/.exec(rate) : null;
  if (parts === null) return null;
  const behind = parts[2] ?? "";
  const above = BigInt(minor) * BigInt(parts[1] + behind) * 10n ** BigInt(digitsOf(to));
  const below = 10n ** BigInt(behind.length + digitsOf(from));
  const result = Number((above * 2n + below) / (below * 2n));
  return result > 0 && Number.isSafeInteger(result) ? result : null;
}
