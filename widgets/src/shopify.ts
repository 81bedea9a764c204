/** Shopify's cart: the standard storefront action, or the Ajax API on storefronts without it. */
import { type Line, type Outcome, send } from "./cart";
import type { Privacy } from "./consent";
import { textOf } from "./recommendations";
import { explain } from "./settings";

interface Notice {
  code?: string;
  message?: string;
}

interface StorefrontActions {
  updateCart?: (payload: {
    lines: { merchandiseId: string; quantity: number; attributes: { key: string; value: string }[] }[];
  }) => Promise<{ userErrors?: Notice[]; warnings?: Notice[] } | undefined>;
  openCart?: () => unknown;
}

declare global {
  interface Window {
    Shopify?: { routes?: { root?: string }; actions?: StorefrontActions } & Privacy;
  }
}

/** A property whose name starts with an underscore is hidden from the shopper and stays on the order line. */
const PROPERTY = "_pannier";

export const shopifyRoot = (): string => window.Shopify?.routes?.root ?? "/";

/** The cart page, for storefronts that cannot open their cart on request. */
export function shopifyCart(): string | null {
  return window.Shopify?.actions?.openCart ? null : `${shopifyRoot()}cart`;
}

export async function addToShopify(lines: Line[], decisionId: string | null): Promise<Outcome> {
  const actions = window.Shopify?.actions;
  if (!actions?.updateCart) return addByAjax(lines, decisionId);
  const result = await actions.updateCart({
    lines: lines.map(({ itemId, current }) => ({
      merchandiseId: `gid://shopify/ProductVariant/${itemId}`,
      quantity: 1,
      attributes: decisionId && !current ? [{ key: PROPERTY, value: decisionId }] : [],
    })),
  });
  // A change that the shop declines resolves all the same, with the reason in one of two lists.
  const notice =
    result?.userErrors?.[0] ?? result?.warnings?.find(({ code }) => /_STOCK$/.test(code as string));
  if (notice) return { added: [], refused: lines, reason: notice.message };
  // The items are in the cart; a theme that cannot open its drawer is no failure of ours.
  (async () => actions.openCart?.())().catch(explain);
  return { added: lines, refused: [] };
}

/** Shopify's numbers are numbers, but one beyond 2^53 would lose its last digits. */
const numberOf = (id: string | null): number | string | null =>
  Number.isSafeInteger(Number(id)) ? Number(id) : id;

async function addByAjax(lines: Line[], decisionId: string | null): Promise<Outcome> {
  const response = await send(`${shopifyRoot()}cart/add.js`, {
    items: lines.map(({ itemId, current }) => ({
      id: numberOf(itemId),
      quantity: 1,
      ...(decisionId && !current && { properties: { [PROPERTY]: decisionId } }),
    })),
  });
  if (response.ok) return { added: lines, refused: [] };
  if (response.status !== 422) throw response.status;
  const { description } = (await response.json()) as { description?: unknown };
  return { added: [], refused: lines, reason: textOf(description) };
}
