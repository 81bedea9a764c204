/** Addresses that come from outside. */

/** Returns the absolute http(s) address, or null for anything else (`javascript:`, `data:`, nonsense). */
export function webAddress(raw: unknown): string | null {
  if (typeof raw !== "string" || !raw) return null;
  try {
    const url = new URL(raw, document.baseURI);
    return /^https?:$/.test(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** A picture's address; Shopify's picture server is asked for the size that is shown, not the original. */
export function pictureAddress(raw: unknown): string | null {
  const address = webAddress(raw);
  if (address === null) return null;
  const url = new URL(address);
  if (/(^|\.)cdn\.shopify\.com$/.test(url.hostname) || url.pathname.startsWith("/cdn/shop/")) {
    url.searchParams.set("width", "480");
  }
  return url.href;
}
