/**
 * Tells the service what happens, under an identifier that exists only while the visitor allows it.
 *
 * One key in the browser's local storage holds the identifier, what the service was told of the visitor's choice, and
 * the cart as it was last seen. A no removes it, empties the queue and is told to the service.
 */
import { send } from "./cart";
import { consent } from "./consent";
import { endpoint, explain, quietly, read } from "./settings";

interface Kept {
  id?: string;
  /** The choice that the service knows. */
  told?: string;
  /** Pieces in the cart by product. */
  cart?: Record<string, number>;
  /** Where the shop said who is logged in. */
  identity?: string;
}

const NAME = "pannier";
const MOST_WAITING = 50;

let queue: object[] = [];
let timer = 0;

/** What is kept; throws where the browser keeps nothing. */
export const kept = (): Kept => ({ ...JSON.parse(localStorage.getItem(NAME) as string) });

export const keep = (changes: Kept): void =>
  localStorage.setItem(NAME, JSON.stringify({ ...kept(), ...changes }));

/** The visitor's identifier, made and told once they allow it; undefined, and forgotten, once they do not. */
export const visitor = (): string | undefined =>
  quietly(() => {
    const choice = consent();
    if (!choice) return;
    const told = JSON.stringify(choice);
    const before = kept();
    const id = before.id ?? (choice.analytics ? crypto.randomUUID() : undefined);
    if (id && told !== before.told) {
      void send(endpoint(read, "consent"), { visitor_id: id, ...choice }, "PUT").catch(explain);
      keep({ id, told });
    }
    if (choice.analytics) return id;
    queue = [];
    localStorage.removeItem(NAME);
    return;
  });

/** Queue a message of Segment's specification, where the visitor allows it. */
export function tell(message: object): void {
  const anonymousId = visitor();
  if (!anonymousId || queue[MOST_WAITING]) return;
  queue.push({ ...message, anonymousId, messageId: crypto.randomUUID(), timestamp: new Date() });
  clearTimeout(timer);
  timer = setTimeout(flush, 1000);
}

export const track = (event: string, properties: object): void => tell({ type: "track", event, properties });

/** A beacon outlives the page and needs no preflight. */
function flush(): void {
  if (!queue.length || !visitor()) return;
  const body = JSON.stringify({ batch: queue, sentAt: new Date(), context: { consent: consent() } });
  if (quietly(() => navigator.sendBeacon(endpoint(read, "batch"), body))) queue = [];
}

document.addEventListener("visibilitychange", flush);
