/**
 * Shows what the ticked articles save, as a second file that is fetched where an answer carries offers.
 *
 * The two files may be of different ages in a browser's cache: what they share stands in `ShowOffers`, and its
 * names in `build.mjs`, under SHARED.
 */
import { formatMoney } from "./money";
import css from "./offers.css";
import { bestOf, type Grant, type Offer, parseOffer, reckon } from "./reckoning";
import { explain, quietly, settingsOf } from "./settings";
import { languageOf } from "./strings";
import type { Item } from "./view";
import { announce, readWooCommerce, restRoot } from "./woocommerce";

/** The default export: write into a box that has just been drawn what its ticked articles save. */
export type ShowOffers = (host: HTMLElement, section: HTMLElement, items: Item[]) => void;

type Words = [string, string, string];
const ENGLISH: Words = ["You save #", "Add @ and save #", "instead of "];
/** `#`: an amount, `@`: the names of products. Saved now, to be saved, and what is said before the struck-out total. */
const LANGUAGES: Record<string, Words> = {
  de: ["Sie sparen #", "Mit @ sparen Sie #", "statt "],
  fr: ["Vous économisez #", "Ajoutez @ et économisez #", "au lieu de "],
};

/** What was shown last to be saved, by box. */
const shown = new WeakMap<HTMLElement, Grant[]>();

/** Once for each box: give it the style, and have coupons entered when its articles are in the cart. */
function prepare(host: HTMLElement): void {
  if (shown.has(host)) return;
  shown.set(host, []);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  host.shadowRoot?.adoptedStyleSheets.push(sheet);
  host.addEventListener("pannier:added", (event) => {
    const { product_ids: added } = (event as CustomEvent<{ product_ids: string[] }>).detail;
    const codes = (shown.get(host) as Grant[])
      .filter(({ offer }) => offer.products.every((product) => added.includes(product)))
      .flatMap(({ offer }) => offer.code ?? []);
    if (codes.length) redeem(restRoot(settingsOf(host)), codes).catch(explain);
  });
}

const showOffers: ShowOffers = (host, section, items) => {
  prepare(host);
  const total = section.querySelector("[part=total]");
  const sum = total?.querySelector("[part=sum]");
  if (!total || !sum) return;
  const locale = settingsOf(host)("locale") || document.documentElement.lang || navigator.language;
  const [saved, toSave, insteadOf] = LANGUAGES[languageOf(locale)] ?? ENGLISH;
  const ticked = items.filter(({ itemId, chosen }) => itemId && chosen);
  const prices = pricesOf(ticked);
  const currency = ticked[0]?.price?.currency as string;
  const money = (amount: number): string =>
    quietly(() => formatMoney({ amount, currency }, locale)) ?? formatMoney({ amount, currency });
  // The box says no total where a price is unknown or two currencies meet: then nothing is said to be saved either.
  const offers = sum.textContent ? offersIn(currency, items) : [];
  const grants = reckon(prices, offers);
  shown.set(host, grants);

  const amount = grants.reduce((all, grant) => all + grant.amount, 0);
  const was = part(total, "was", "del");
  const saving = part(total, "saving", "span");
  was.replaceChildren();
  saving.textContent = "";
  if (amount) {
    const whole = [...prices.values()].reduce((all, price) => all + price, 0);
    sum.textContent = money(whole - amount);
    saving.textContent = saved.replace("#", () => money(amount));
    if (grants.every(({ offer }) => offer.proven)) {
      part(was, "was-words", "span").textContent = insteadOf;
      was.append(money(whole));
    }
    return;
  }
  const next = nextOf(items, currency, offers);
  if (next)
    saving.textContent = toSave
      .replace("#", () => money(next.amount))
      .replace("@", () => next.missing.map(({ title }) => title).join(", "));
};

export default showOffers;

/** The offers that could be understood, each once, in this currency. */
function offersIn(currency: string, items: Item[]): Offer[] {
  const offers = new Map<string, Offer>();
  for (const item of items) {
    const offer = parseOffer(item.offer);
    if (offer?.currency === currency) offers.set(offer.id, offer);
  }
  return [...offers.values()];
}

/** Prices of articles by product, in minor units; without those whose price is unknown. */
const pricesOf = (items: Item[]): Map<string, number> =>
  new Map(items.flatMap(({ productId, price }) => (price ? [[productId, price.amount] as const] : [])));

/** What would save most, if some more were ticked, and which. */
function nextOf(
  items: Item[],
  currency: string,
  offers: Offer[],
): { missing: Item[]; amount: number } | undefined {
  const addable = items.filter(({ itemId, price }) => itemId && price?.currency === currency);
  const [best] = bestOf(pricesOf(addable), offers);
  return (
    best && {
      missing: addable.filter(({ productId, chosen }) => !chosen && best.offer.products.includes(productId)),
      amount: best.amount,
    }
  );
}

/** A part of the box, made where it is not there yet. */
function part(parent: Element, name: string, tag: string): Element {
  const found = parent.querySelector(`[part=${name}]`);
  if (found) return found;
  const made = document.createElement(tag);
  made.setAttribute("part", name);
  parent.append(made);
  return made;
}

/** Enter coupons into WooCommerce's cart, one after the other; one that is there already is refused and stays. */
async function redeem(root: string, codes: string[]): Promise<void> {
  for (const code of codes) {
    const cart = await readWooCommerce(root);
    await fetch(`${root}wc/store/v1/cart/apply-coupon`, {
      method: "POST",
      keepalive: true,
      headers: { "content-type": "application/json", Nonce: cart.headers.get("Nonce") as string },
      body: JSON.stringify({ code }),
    });
  }
  announce();
}
