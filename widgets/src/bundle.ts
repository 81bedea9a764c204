/** `<pannier-bundle>`: what is bought together with the product on the page, or what else there is to show. */
import { pictureAddress, webAddress } from "./address";
import { formatMoney, type Money, parseMoney, total } from "./money";
import type { ShowOffers } from "./offers";
import { onScreen, quietMoment } from "./placement";
import { cartOf } from "./platform";
import { type Answer, fetchRecommendations } from "./recommendations";
import { endpoint, explain, quietly, settingsOf, wholeNumber } from "./settings";
import { languageOf, Say, stringsFor, TOGETHER } from "./strings";
import css from "./style.css";
import { track, visitor } from "./tracker";
import { drawBundle, type Item, type State, type View } from "./view";

/** What makes another answer, and after `limit` what only makes another look. */
const OBSERVED = [
  "product-id",
  "cart",
  "limit",
  "variant-id",
  "product-title",
  "product-image",
  "product-price",
  "currency",
  "heading",
  "locale",
];
/** How long the button says "Added to cart" before it can be pressed again, in milliseconds. */
const AFTERGLOW = 4000;
/** How long the file that shows offers is waited for, in milliseconds. */
const PATIENCE = 1500;

/** What a box does; the element tells it what happens to the page. */
interface Box {
  /** Ask and draw; what was asked before is void. */
  load(): void;
  stop(): void;
  /** An attribute has changed. */
  change(name: string): void;
}

function boxOf(host: HTMLElement): Box {
  const root = host.attachShadow({ mode: "open" });
  // A constructed sheet: a strict Content-Security-Policy has nothing to refuse.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  const read = settingsOf(host);
  let run: AbortController | null = null;
  let answer: Answer | null = null;
  let items: Item[] = [];
  let unticked: string[] = [];
  let view: View | null = null;
  let phase: State["phase"] = "ready";
  let message = "";
  let cartPage: string | null = null;
  let deals: { default: ShowOffers } | undefined;

  /** From being on the page to being drawn. Whatever goes wrong, the page stays as it is. */
  async function load(): Promise<void> {
    run?.abort();
    run = new AbortController();
    const { signal } = run;
    try {
      await onScreen(host, signal, "400px");
      const found = await ask(signal);
      const ids = found.products.map(({ productId }) => productId);
      if (!ids[0]) giveUp("no products", signal);
      await quietMoment(host, signal);
      answer = found;
      unticked = read("ticked") === "none" ? ids : [];
      if (ids[0]) draw();
      await onScreen(host, signal);
      // Nothing is told of at the same moment: who was to be shown nothing is compared with who was shown something.
      track("Product List Viewed", {
        ...list(),
        products: ids.map((product_id, position) => ({ position, product_id })),
      });
    } catch (reason) {
      if (!signal.aborted) giveUp(reason, signal);
    }
  }

  /** Give the room back that the theme reserved, out of sight. */
  function giveUp(reason: unknown, signal: AbortSignal): void {
    explain(reason);
    void quietMoment(host, signal, true).then(() => {
      host.style.minHeight = "0";
    });
  }

  const list = () => ({ list_id: "pannier", decision_id: answer?.decisionId });

  async function ask(signal: AbortSignal): Promise<Answer> {
    const product = read("product-id");
    const cart = read("cart");
    const limit = wholeNumber(read("limit"), 3, 1, 10);
    const id = visitor();
    if (!product) throw "no product";
    const found = await fetchRecommendations(
      endpoint(read, "recommendations", {
        slot: "product",
        product_id: product,
        limit: `${limit}`,
        ...(cart && { cart }),
      }),
      // Addresses stand in logs, headers do not; without one the browser asks no leave beforehand.
      id ? { "X-Pannier-Visitor": id } : {},
      wholeNumber(read("timeout"), 1500, 100, 60_000),
      signal,
    );
    const products = found.products.filter(({ productId }) => productId !== product).slice(0, limit);
    // A second file shows offers: fetched where there are some, and not waited for long.
    if (products.find(({ offer }) => offer)) {
      deals = await Promise.race([
        import(endpoint(read, "widget-offers.js")),
        new Promise((resolve) => setTimeout(resolve, PATIENCE)),
      ]).catch(explain);
    }
    signal.throwIfAborted();
    return { ...found, products };
  }

  function draw(): void {
    const { claim, products } = answer as Answer;
    const { spoken, strings } = stringsFor(locale());
    const cart = cartOf(read);
    const variantId = read("variant-id");
    // The page's own product, where the page says which variant is chosen, comes before the recommended ones.
    const own = {
      productId: read("product-id") as string,
      variantId,
      title: read("product-title") ?? document.title,
      url: null,
      image: pictureAddress(read("product-image")),
      price: parseMoney(Number(read("product-price") ?? "-"), read("currency")),
    };
    items = [...(variantId && claim === TOGETHER ? [own] : []), ...products].map((product) => ({
      ...product,
      itemId: cart.itemId(product.productId, product.variantId),
      current: product === own,
      cost: product.price && money(product.price),
      chosen: !unticked.includes(product.productId),
    }));
    view = drawBundle(
      items,
      strings,
      claim,
      claim === TOGETHER ? read("heading") : null,
      spoken === languageOf(document.documentElement.lang) ? null : spoken,
      () => {
        unticked = items.filter((item) => !item.chosen).map(({ productId }) => productId);
        if (phase === "adding") update();
        else say("ready");
      },
      add,
      ({ productId }) => track("Product Clicked", { ...list(), product_id: productId }),
    );
    update();
    root.replaceChildren(view.section);
  }

  const locale = (): string => read("locale") || document.documentElement.lang || navigator.language;

  // A page may name a language that does not exist.
  const money = (price: Money): string => quietly(() => formatMoney(price, locale())) ?? formatMoney(price);

  const chosen = (): Item[] => items.filter((item) => item.itemId && item.chosen);

  function say(next: State["phase"], words = "", page: string | null = null): void {
    phase = next;
    message = words;
    cartPage = webAddress(page);
    update();
  }

  function update(): void {
    const lines = chosen();
    const sum = total(lines.map((item) => item.price));
    view?.update({
      count: lines.length,
      total: sum && money(sum),
      phase,
      message,
      cartPage,
    });
    if (view) deals?.default(host, view.section, items);
  }

  async function add(): Promise<void> {
    const lines = chosen();
    if (phase !== "ready" || !lines.length || !answer) return;
    const { decisionId } = answer;
    const cart = cartOf(read);
    const { strings } = stringsFor(locale());
    say("adding");
    const outcome = await cart.add(lines, decisionId).catch(explain);
    if (!outcome) return say("ready", strings(Say.failed));
    const { added, refused, reason } = outcome;
    const names = refused.map((line) => line.title).join(", ");
    if (!added.length) return say("ready", strings(Say.notAdded) + (reason || names));
    if (refused.length) say("ready", strings(Say.except) + names, cart.page());
    else {
      say("added", strings(Say.done), cart.page());
      // The button can be pressed again; what was said about the last time stays.
      setTimeout(() => {
        if (phase === "added") phase = "ready";
        update();
      }, AFTERGLOW);
    }
    host.dispatchEvent(
      new CustomEvent("pannier:added", {
        bubbles: true,
        composed: true,
        detail: { decision_id: decisionId, product_ids: added.map((line) => line.productId) },
      }),
    );
  }

  return {
    load() {
      if (!answer) void load();
    },
    stop() {
      run?.abort();
    },
    change(name) {
      if (OBSERVED.indexOf(name) > 2) {
        if (view) draw();
      } else if (run) {
        // Ask again, in the room the box has already taken.
        if (host.offsetHeight) host.style.minHeight = `${host.offsetHeight}px`;
        root.replaceChildren();
        answer = view = null;
        void load();
      }
    },
  };
}

export class BundleBox extends HTMLElement {
  static readonly observedAttributes = OBSERVED;

  readonly #box = boxOf(this);

  connectedCallback(): void {
    this.#box.load();
  }

  disconnectedCallback(): void {
    this.#box.stop();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (this.isConnected && before !== now) this.#box.change(name);
  }
}
