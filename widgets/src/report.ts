/**
 * Tells the service what is in a WooCommerce cart, where the visitor agreed to statistics.
 *
 * Without the WP Consent API nobody has agreed to anything, and nothing is read or sent.
 */
import { platformOf } from "./platform";
import { endpoint, explain, settingsOf } from "./settings";
import { restRoot } from "./woocommerce";

declare global {
  interface Window {
    wp_has_consent?: (category: string) => unknown;
  }
  interface Navigator {
    globalPrivacyControl?: boolean;
  }
}

const read = settingsOf(null);
let reported = false;

const agreed = (): boolean =>
  navigator.globalPrivacyControl !== true && window.wp_has_consent?.("statistics") === true;

/**
 * The hash that stands for the cart; `Cart-Token` itself would open it.
 *
 * A signed-in customer's session is called by the number of the account, which no hash can hide: null.
 */
async function hashOf(token: string): Promise<string | null> {
  const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
  const session: unknown = JSON.parse(atob(payload)).user_id;
  if (typeof session !== "string" || !/\D/.test(session)) return null;
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`pannier:${session}`));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function report(): Promise<void> {
  if (!agreed()) return;
  try {
    const cart = await fetch(`${restRoot(read)}wc/store/v1/cart`, {
      credentials: "same-origin",
      cache: "no-store",
    });
    const { items } = (await cart.json()) as { items: { id: number; quantity: number }[] };
    const token = await hashOf(cart.headers.get("Cart-Token") ?? "");
    // The visitor may have changed their mind while the shop answered.
    if (!token || !(items.length || reported) || !agreed()) return;
    await fetch(endpoint(read, "carts"), {
      method: "POST",
      credentials: "omit",
      keepalive: true,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        token,
        consent: true,
        lines: items.slice(0, 100).map(({ id, quantity }) => ({
          product_id: String(id),
          variant_id: null,
          quantity: Math.ceil(quantity),
        })),
      }),
    });
    reported = true;
  } catch (reason) {
    explain(reason);
  }
}

/** Report the cart when the page has loaded, after each addition of ours, and once the visitor agrees. */
export function reportCart(): void {
  if (platformOf(read) !== "woocommerce") return;
  const now = () => void report();
  if (document.readyState === "complete") now();
  else addEventListener("load", now);
  document.addEventListener("pannier:added", now);
  document.addEventListener("wp_listen_for_consent_change", now);
}
