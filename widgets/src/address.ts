/** Addresses that come from outside. */
import { quietly } from "./settings";

/** Returns the absolute http(s) address, or null for anything else (`javascript:`, `data:`, nonsense). */
export function webAddress(raw: unknown): string | null {
  if (typeof raw !== "string" || !raw) return null;
  const url = quietly(() => new URL(raw, document.baseURI));
  return url && /^https?:$/.test(url.protocol) ? url.href : null;
}

/** A picture's address; Shopify's picture server is asked for the size that is shown, not the original. */
export function pictureAddress(raw: unknown): string | null {
  const address = webAddress(raw);
  if (!address || !/^https:..cdn\.shopify\.com|\/cdn\/shop\//.test(address)) return address;
  const url = new URL(address);
  url.searchParams.set("width", "480");
  return url.href;
}
