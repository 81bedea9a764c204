/** WooCommerce's cart: the Store API, all items in one batch. */
import { type Line, type Outcome, send } from "./cart";
import { quietly, type Read } from "./settings";

declare global {
  interface Window {
    jQuery?: (target: Element) => { trigger(event: string): unknown };
  }
}

/** The shop's REST root with its last slash, `/wp-json/` or `/?rest_route=/`. */
export const restRoot = (read: Read): string => read("wc-root") ?? "/wp-json/";

/** `root`: the shop's REST root; so below. */
export const readWooCommerce = (root: string): Promise<Response> =>
  fetch(`${root}wc/store/v1/cart`, { cache: "no-store" });

export async function addToWooCommerce(root: string, lines: Line[]): Promise<Outcome> {
  // Nonces in a cached page expire; the cart endpoint always hands out a fresh one.
  const cart = await readWooCommerce(root);
  const nonce = cart.headers.get("Nonce");
  if (!nonce) throw cart.status;
  const response = await send(`${root}wc/store/v1/batch`, {
    requests: lines.map(({ itemId }) => ({
      path: "/wc/store/v1/cart/add-item",
      method: "POST",
      headers: { Nonce: nonce },
      body: { id: Number(itemId), quantity: 1 },
    })),
  });
  const { responses } = (await response.json()) as { responses?: { status?: number }[] };
  if (!Array.isArray(responses)) throw response.status;
  const wentIn = (_: Line, index: number) => (responses[index]?.status as number) < 300;
  const added = lines.filter(wentIn);
  if (added.length) announce();
  return { added, refused: lines.filter((line) => !added.includes(line)) };
}

/** Tell the shop's own cart blocks, and the mini cart of a classic theme, to read the cart anew. */
export function announce(): void {
  document.body.dispatchEvent(new Event("wc-blocks_added_to_cart", { bubbles: true }));
  // Another script's listener may fail; the items are in the cart all the same.
  quietly(() => window.jQuery?.(document.body).trigger("wc_fragment_refresh"));
}
