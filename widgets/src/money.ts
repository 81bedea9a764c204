/** Money as the service sends it: an integer in minor units and an ISO 4217 currency. */

export interface Money {
  amount: number;
  currency: string;
}

// ISO 4217 currencies whose minor unit is not 1/100, one after the other: no other code stands in there by chance. The browser's own table cannot be asked: it follows
// CLDR's habits of display, where forint, rupiah and Iraqi dinar have no decimals at all.
const NO_DECIMALS = "BIFCLPDJFGNFISKJPYKMFKRWPYGRWFUGXUYIVNDVUVXAFXOFXPF";
const THREE_DECIMALS = "BHDIQDJODKWDLYDOMRTND";

function exponent(currency: string): number {
  return NO_DECIMALS.includes(currency) ? 0 : THREE_DECIMALS.includes(currency) ? 3 : 2;
}

/** Returns the money in `raw`, or null where it is not `{amount: integer ≥ 0, currency: "EUR"}`. */
export function parseMoney(amount: unknown, currency: unknown): Money | null {
  return Number.isSafeInteger(amount) && (amount as number) >= 0 && /^[A-Z]{3}$/.test(currency as string)
    ? { amount: amount as number, currency: currency as string }
    : null;
}

/** The sum, or null where a price is unknown or two currencies meet: a wrong total is worse than none. */
export function total(prices: (Money | null)[]): Money | null {
  const [first] = prices;
  return first && prices.every((price) => price?.currency === first.currency)
    ? { ...first, amount: prices.reduce((sum, price) => sum + (price as Money).amount, 0) }
    : null;
}

/** Writes the amount the way `locale` writes prices; every digit that is not zero is shown. */
export function formatMoney({ amount, currency }: Money, locale?: string): string {
  const digits = exponent(currency);
  const unit = 10 ** digits;
  return new Intl.NumberFormat(locale, {
    style: "currency",
    currency,
    minimumFractionDigits: amount % unit ? digits : undefined,
  }).format(amount / unit);
}
