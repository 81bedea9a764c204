/** When to ask and when to show: near the screen, and never by pushing away what somebody is looking at. */

/** Resolves when the element is within 400 px of the viewport; never, once `signal` has aborted. */
export function nearViewport(host: HTMLElement, signal: AbortSignal): Promise<void> {
  return observe(host, signal, "400px", (entries) => entries.some((entry) => entry.isIntersecting));
}

/**
 * Resolves at the first moment at which the element may change its height without moving anything visible.
 *
 * That is: at once, when the page has reserved room for it (it has a height already) or when it still lies
 * below the viewport; else when it has come to lie below the viewport; or right after a click on something
 * that stands before it in the page, for what was clicked stays where it is.
 *
 * `shrinking`: the room itself is to be given back, so having a height is no permission.
 */
export function quietMoment(host: HTMLElement, signal: AbortSignal, shrinking = false): Promise<void> {
  const isQuiet = () =>
    (!shrinking && host.offsetHeight > 0) || host.getBoundingClientRect().top >= window.innerHeight;
  if (isQuiet()) return Promise.resolve();
  const settled = new AbortController();
  signal.addEventListener("abort", () => settled.abort());
  const click = new Promise<void>((resolve) => {
    const listen = (event: Event) => {
      const following = Node.DOCUMENT_POSITION_FOLLOWING;
      if (event.isTrusted && (event.target as Node).compareDocumentPosition(host) === following) resolve();
    };
    document.addEventListener("click", listen, { capture: true, signal: settled.signal });
  });
  // The viewport, extended upwards without end: leaving it means lying below the screen.
  const below = observe(host, settled.signal, "9999999px 0px 0px", isQuiet);
  return Promise.race([click, below]).finally(() => settled.abort());
}

function observe(
  host: HTMLElement,
  signal: AbortSignal,
  rootMargin: string,
  isDone: (entries: IntersectionObserverEntry[]) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const observer = new IntersectionObserver(
      (entries) => {
        if (!isDone(entries)) return;
        observer.disconnect();
        resolve();
      },
      { rootMargin },
    );
    observer.observe(host);
    signal.addEventListener("abort", () => observer.disconnect());
  });
}
