/** Asks the service what to show, and believes nothing in the answer unseen. */
import { pictureAddress, webAddress } from "./address";
import { type Money, parseMoney } from "./money";

export interface Product {
  productId: string;
  variantId: string | null;
  title: string;
  url: string | null;
  image: string | null;
  price: Money | null;
  similar?: boolean;
  /** What it saves together with others, as it was decoded: `offers.ts` reads it. */
  offer?: unknown;
}

export interface Answer {
  decisionId: string | null;
  /** The strategy that answered, or the reason of all products where that says more: what the heading claims. */
  claim: string | null;
  products: Product[];
}

type Fields = Record<string, unknown>;

const fieldsOf = (value: unknown): Fields => (value ?? {}) as Fields;
export const textOf = (value: unknown): string | null => (typeof value === "string" && value ? value : null);

function parseProduct(value: unknown): Product | null {
  const fields = fieldsOf(value);
  const price = fieldsOf(fields.price);
  const productId = textOf(fields.product_id);
  const title = textOf(fields.title);
  if (!productId || !title || fields.available === false) return null;
  return {
    productId,
    variantId: textOf(fields.variant_id),
    title,
    url: webAddress(fields.url),
    image: pictureAddress(fields.image_url),
    price: parseMoney(price.amount, price.currency),
    similar: fields.reason === "similar",
    offer: fields.offer,
  };
}

/** Returns what can be shown of a decoded answer: known shape, available, no product twice. */
export function parseAnswer(body: unknown): Answer {
  const fields = fieldsOf(body);
  const list = Array.isArray(fields.recommendations) ? fields.recommendations : [];
  const products: Product[] = [];
  for (const product of list.map(parseProduct)) {
    if (product && products.every(({ productId }) => productId !== product.productId)) products.push(product);
  }
  return {
    decisionId: textOf(fields.decision_id),
    claim: products.every(({ similar }) => similar) ? "similar" : textOf(fields.strategy),
    products,
  };
}

/**
 * Fetch an answer.
 *
 * No cookies, and without `headers` of our own the browser needs no preflight and may use its cache.
 * Throws when the service is slower than `deadline` milliseconds, unreachable, answers anything but 200
 * or no JSON, and when `signal` aborts.
 */
export async function fetchRecommendations(
  address: string,
  headers: HeadersInit,
  deadline: number,
  signal: AbortSignal,
): Promise<Answer> {
  const attempt = new AbortController();
  const giveUp = () => attempt.abort();
  setTimeout(giveUp, deadline);
  signal.addEventListener("abort", giveUp);
  const response = await fetch(address, { headers, signal: attempt.signal });
  if (!response.ok) throw response.status;
  return parseAnswer(await response.json());
}
