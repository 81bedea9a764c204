/** When to ask and when to show: near the screen, and never by pushing away what somebody is looking at. */

/** `Node.DOCUMENT_POSITION_FOLLOWING` */
const FOLLOWING = 4;

/**
 * Resolves when the element is on the screen, or within a margin of it; never, once `signal` has aborted.
 *
 * `isDone`: what else to wait for, looked at whenever the element crosses the margin.
 */
export function onScreen(
  host: HTMLElement,
  signal: AbortSignal,
  rootMargin = "0px",
  isDone = (entries: IntersectionObserverEntry[]) => entries.some((entry) => entry.isIntersecting),
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
    (!shrinking && host.offsetHeight > 0) || host.getBoundingClientRect().top >= innerHeight;
  if (isQuiet()) return Promise.resolve();
  const click = new Promise<void>((resolve) => {
    const listen = (event: Event) => {
      if (event.isTrusted && (event.target as Node).compareDocumentPosition(host) === FOLLOWING) resolve();
    };
    document.addEventListener("click", listen, { capture: true, signal });
  });
  // The viewport, extended upwards without end: leaving it means lying below the screen.
  return Promise.race([click, onScreen(host, signal, "9999999px 0px 0px", isQuiet)]);
}
