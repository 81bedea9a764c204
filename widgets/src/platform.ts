/** The cart of the platform that the page runs on. */
import type { Cart } from "./cart";
import type { Read } from "./settings";
import { addToShopify, shopifyCart, shopifyRoot } from "./shopify";
import { addToWooCommerce, readWooCommerce, restRoot } from "./woocommerce";

const digits = (id: string | null): string | null => id?.match(/\d+$/)?.[0] ?? null;

export const onShopify = (read: Read): boolean =>
  (read("platform") ?? (window.Shopify ? "shopify" : "")) === "shopify";

export function cartOf(read: Read): Cart {
  return onShopify(read)
    ? {
        itemId: (_, variantId) => digits(variantId),
        add: addToShopify,
        page: () => read("cart-url") ?? shopifyCart(),
      }
    : {
        itemId: (productId, variantId) => digits(variantId ?? productId),
        add: (lines) => addToWooCommerce(restRoot(read), lines),
        page: () => read("cart-url"),
      };
}

/** The shop's answer to what is in the cart: JSON with `items`. */
export const readCart = (read: Read): Promise<Response> =>
  onShopify(read) ? fetch(`${shopifyRoot()}cart.js`, { cache: "no-store" }) : readWooCommerce(restRoot(read));
