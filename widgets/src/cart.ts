/** What every shop's cart has in common; `platform.ts` picks the one that is there. */

/** One piece of one variant, to be put in the cart. */
export interface Line {
  productId: string;
  title: string;
  /** The platform's own number of the variant (or of a product that has none), digits only. */
  itemId: string | null;
  /** The product whose page this is: nobody recommended it. */
  current: boolean;
}

export interface Outcome {
  added: Line[];
  refused: Line[];
  /** The shop's own words for a refusal, where it gave any. */
  reason?: string | null | undefined;
}

export interface Cart {
  /** Returns the number by which the cart knows the item, or null when it takes a choice on its own page. */
  itemId(productId: string, variantId: string | null): string | null;
  /** Throws when the shop cannot be reached or answers nonsense; a refusal is an outcome. */
  add(lines: Line[], decisionId: string | null): Promise<Outcome>;
  /** The cart page, where the shop does not show the cart by itself. */
  page(): string | null;
}

/** Send JSON, also when the page is about to go; to the shop's own origin with the visitor's cookies. */
export function send(address: string, body: unknown, method = "POST"): Promise<Response> {
  return fetch(address, {
    method,
    keepalive: true,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
}
