/** What the articles that are ticked get of the shop's offers: the same sums as `app/commerce/offers.py`. */

export interface Offer {
  id: string;
  /** All of these must go in together. */
  products: string[];
  /** Those of them that cost less then. */
  discounted: string[];
  kind: "percent" | "amount";
  /** Hundredths of a percent, or minor units. */
  value: number;
  currency: string;
  /** What the cart must be told, where the shop does not grant the offer by itself. */
  code: string | null;
  /** Whether the prices without the offer are proven to have been asked. */
  proven: boolean;
}

export interface Grant {
  offer: Offer;
  /** Minor units. */
  amount: number;
}

const WHOLE = 10_000n;

const isName = (value: unknown): value is string => typeof value === "string" && value !== "";

/** Returns the offer that a decoded answer names, or null where it is none that could be understood. */
export function parseOffer(raw: unknown): Offer | null {
  const {
    id,
    products,
    discounted,
    discount,
    currency,
    code,
    was_proven: proven,
  } = (raw ?? {}) as Record<string, unknown>;
  const { kind, value } = (discount ?? {}) as Record<string, unknown>;
  const understood =
    isName(id) &&
    isName(currency) &&
    [products, discounted].every((list) => Array.isArray(list) && list[0] && list.every(isName)) &&
    (discounted as string[]).every((product) => (products as string[]).includes(product)) &&
    (kind === "amount" || (kind === "percent" && (value as number) <= WHOLE)) &&
    Number.isSafeInteger(value) &&
    (value as number) > 0;
  return understood
    ? {
        id,
        products: products as string[],
        discounted: discounted as string[],
        kind,
        value: value as number,
        currency,
        code: isName(code) ? code : null,
        proven: proven === true,
      }
    : null;
}

/**
 * What an offer takes off: half a minor unit rounds up, never more than everything.
 *
 * `prices`: of one piece of each product, in minor units of the offer's currency; 0 where one is missing.
 */
function amountOf(offer: Offer, prices: ReadonlyMap<string, number>): number {
  if (!offer.products.every((product) => prices.has(product))) return 0;
  const total = offer.discounted.reduce((sum, product) => sum + (prices.get(product) as number), 0);
  // The product may have more digits than a float holds.
  const off =
    offer.kind === "percent"
      ? Number((BigInt(total) * BigInt(offer.value) + WHOLE / 2n) / WHOLE)
      : offer.value;
  return Math.min(off, total);
}

/** What each offer would give by itself: the largest first, of equal ones by their ids; none that gives nothing. */
export const bestOf = (prices: ReadonlyMap<string, number>, offers: Offer[]): Grant[] =>
  offers
    .map((offer) => ({ offer, amount: amountOf(offer, prices) }))
    .filter(({ amount }) => amount > 0)
    .sort((one, two) => two.amount - one.amount || (one.offer.id < two.offer.id ? -1 : 1));

/** The offers that one piece of each product gets: the largest first, of equal ones by their ids, no piece twice. */
export function reckon(prices: ReadonlyMap<string, number>, offers: Offer[]): Grant[] {
  const free = new Map(prices);
  const grants: Grant[] = [];
  for (;;) {
    const [best] = bestOf(free, offers);
    if (!best) return grants;
    grants.push(best);
    for (const product of best.offer.products) free.delete(product);
  }
}
