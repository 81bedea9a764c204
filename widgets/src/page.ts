/** What the page tells: the product it shows, what was searched for, and what came into the cart or left it. */
import { webAddress } from "./address";
import { send } from "./cart";
import { consent, whenAsked } from "./consent";
import { onShopify, readCart } from "./platform";
import { endpoint, explain, read } from "./settings";
import { shopifyRoot } from "./shopify";
import { keep, kept, tell, track, visitor } from "./tracker";

interface CartItem {
  /** Shopify's number of the product. */
  product_id?: number;
  /** WooCommerce's number of the product, or of its variation; Shopify's of the variant. */
  id: number;
  quantity: number;
}

interface Change extends Event {
  detail?: { decision_id?: string } | null;
  promise?: Promise<unknown>;
}

let begun = false;
let reported = false;
let timer = 0;
/** What the articles that were added last were recommended by. */
let decision_id: string | undefined;

/**
 * SHA-256, in hexadecimal, of what WooCommerce knows the cart by; the token would open the cart.
 *
 * A signed-in customer's session is called by the number of the account, which no hash can hide: undefined.
 */
async function hashOf(token: string | null): Promise<string | undefined> {
  // No character of it falls on one of the two that base64 for addresses writes differently.
  const { user_id: session } = JSON.parse(atob(token?.split(".")[1] as string));
  if (!/^t_/.test(session)) return;
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`pannier:${session}`));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Compare the cart with how it was last seen, and tell what changed. */
async function look(): Promise<void> {
  const response = await readCart(read);
  const { items, token } = (await response.json()) as { items: CartItem[]; token?: string };
  const cart_id = token ?? (await hashOf(response.headers.get("Cart-Token")));
  // The visitor may have changed their mind while the shop answered.
  if (!visitor()) return;
  const cart: Record<string, number> = {};
  for (const { product_id, id, quantity } of items) {
    const product = product_id ?? id;
    cart[product] = (cart[product] ?? 0) + Math.ceil(quantity);
  }
  const { cart: before = cart } = kept();
  for (const product_id in { ...before, ...cart }) {
    const more = (cart[product_id] ?? 0) - (before[product_id] ?? 0);
    // What is gone from an emptied cart may have been bought.
    if (more > 0 || (more && items.length)) {
      const event = more > 0 ? "Product Added" : "Product Removed";
      track(event, { product_id, quantity: Math.abs(more), cart_id, decision_id });
    }
  }
  decision_id = undefined;
  keep({ cart });
  if (onShopify(read) || !cart_id || !(items.length || reported)) return;
  // Shopify's own webhooks tell of carts, WooCommerce tells of none.
  reported = true;
  const lines = Object.entries(cart).map(([product_id, quantity]) => ({ product_id, quantity }));
  await send(endpoint(read, "carts"), { token: cart_id, consent: true, lines: lines.slice(0, 100) });
}

const lookQuietly = (): void => void (visitor() && look().catch(explain));

/** Several announcements of one change are one; Shopify announces a change before it is done. */
async function changed({ detail, promise }: Change): Promise<void> {
  decision_id = detail?.decision_id ?? decision_id;
  await promise?.catch(explain);
  clearTimeout(timer);
  timer = setTimeout(lookQuietly, 300);
}

function begin(): void {
  if (!visitor() || begun) return;
  begun = true;
  const product_id =
    read("product-id") ?? document.querySelector("pannier-bundle:not([cart])")?.getAttribute("product-id");
  if (product_id) track("Product Viewed", { product_id });
  const query = new URLSearchParams(location.search).get(onShopify(read) ? "q" : "s");
  if (query) track("Products Searched", { query });
  const cartPage = webAddress(read("cart-url") ?? `${shopifyRoot()}cart`);
  if (location.href.startsWith(cartPage as string)) track("Cart Viewed", {});
  lookQuietly();
  const identity = read("identity");
  if (identity && consent()?.preferences && kept().identity !== identity) {
    fetch(identity)
      .then((response) => response.json())
      .then(({ customer_token: customerToken }) => {
        if (!customerToken) return;
        tell({ type: "identify", context: { pannier: { customerToken } } });
        keep({ identity });
      })
      .catch(explain);
  }
}

/** Watch the page from when the visitor's word can be heard. */
export function watch(): void {
  whenAsked(begin);
  for (const name of [
    "pannier:added",
    "pannier:cart",
    "wc-blocks_added_to_cart",
    "shopify:cart:lines-update",
  ]) {
    document.addEventListener(name, changed as (event: Event) => void);
  }
}
