/** The cart of the platform that the page runs on. */
import type { Cart } from "./cart";
import type { Read } from "./settings";
import { addToShopify, shopifyCart } from "./shopify";
import { addToWooCommerce } from "./woocommerce";

const digits = (id: string | null): string | null => id?.match(/\d+$/)?.[0] ?? null;

export function cartOf(read: Read): Cart {
  const platform = read("platform") ?? (window.Shopify ? "shopify" : "woocommerce");
  return platform === "shopify"
    ? {
        itemId: (_, variantId) => digits(variantId),
        add: addToShopify,
        page: () => read("cart-url") ?? shopifyCart(),
      }
    : {
        itemId: (productId, variantId) => digits(variantId ?? productId),
        add: (lines) => addToWooCommerce(read("wc-root") ?? "/wp-json/", lines),
        page: () => read("cart-url"),
      };
}
