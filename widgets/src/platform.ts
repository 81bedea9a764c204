/** The cart of the platform that the page runs on. */
import type { Cart } from "./cart";
import type { Read } from "./settings";
import { addToShopify, shopifyCart } from "./shopify";
import { addToWooCommerce, restRoot } from "./woocommerce";

const digits = (id: string | null): string | null => id?.match(/\d+$/)?.[0] ?? null;

export const platformOf = (read: Read): string =>
  read("platform") ?? (window.Shopify ? "shopify" : "woocommerce");

export function cartOf(read: Read): Cart {
  return platformOf(read) === "shopify"
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
