/** Settings: the element's own attributes first, the script tag's `data-*` attributes second. */

/** Returns the value of a setting such as `product-id`; null where nobody set it or it is empty. */
export type Read = (name: string) => string | null;

// `currentScript` is only there while the script runs, and not at all in a module.
const tag: Element | null =
  document.currentScript?.closest("[data-key]") ?? document.querySelector("script[data-key^=pk_]");

export function settingsOf(host: Element | null): Read {
  return (name) => host?.getAttribute(name) || tag?.getAttribute(`data-${name}`) || null;
}

/** The script tag's settings alone. */
export const read = settingsOf(null);

/**
 * The address of one of the service's public endpoints, with the key.
 *
 * Throws where the page does not name a key, or an address that is none.
 */
export function endpoint(read: Read, path: string, query: Record<string, string> = {}): string {
  const key = read("key");
  const service = read("api") ?? tag?.getAttribute("src");
  if (!key || !service) throw "no key";
  return `${new URL(path, new URL(service, document.baseURI))}?${new URLSearchParams({ ...query, key })}`;
}

/** A whole number within bounds, or the default. */
export function wholeNumber(raw: string | null, fallback: number, least: number, most: number): number {
  return Number.isInteger(Number(raw ?? "-")) ? Math.min(Math.max(Number(raw), least), most) : fallback;
}

/** One line in the browser's console for a merchant who set `data-debug`; silence for everybody else. */
export function explain(reason: unknown): void {
  // biome-ignore lint/suspicious/noConsole: the setting asks for it.
  if (tag?.hasAttribute("data-debug")) console.debug("pannier:", String(reason));
}

/** Returns what `attempt` does; undefined, with a line for that merchant, where it throws. */
export function quietly<T>(attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch (reason) {
    explain(reason);
    return;
  }
}
