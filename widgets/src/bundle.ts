/** `<pannier-bundle>`: what is bought together with the product on the page, or what else there is to show. */
import { pictureAddress, webAddress } from "./address";
import type { Line, Outcome } from "./cart";
import { formatMoney, parseMoney, total } from "./money";
import { nearViewport, quietMoment } from "./placement";
import { cartOf } from "./platform";
import { type Answer, fetchRecommendations } from "./recommendations";
import { explain, type Read, serviceAddress, settingsOf, styleNonce, wholeNumber } from "./settings";
import { stringsFor, TOGETHER } from "./strings";
import css from "./style.css";
import { drawBundle, type Item, type State, type View } from "./view";

const ANOTHER_ANSWER = ["product-id", "cart", "limit"];
const ANOTHER_LOOK = [
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

export class BundleBox extends HTMLElement {
  static readonly observedAttributes = [...ANOTHER_ANSWER, ...ANOTHER_LOOK];

  readonly #root = this.attachShadow({ mode: "open" });
  readonly #read: Read = settingsOf(this);
  #run: AbortController | null = null;
  #answer: Answer | null = null;
  #items: Item[] = [];
  #unticked = new Set<string>();
  #view: View | null = null;
  #phase: State["phase"] = "ready";
  #message = "";
  #cartPage: string | null = null;

  connectedCallback(): void {
    if (!this.#answer) void this.#load();
  }

  disconnectedCallback(): void {
    this.#run?.abort();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.isConnected || before === now) return;
    if (ANOTHER_LOOK.includes(name)) this.#draw();
    else if (this.#run) this.#reload();
  }

  /** Ask again, in the room the box has already taken. */
  #reload(): void {
    this.style.display = "";
    if (this.offsetHeight) this.style.minHeight = `${this.offsetHeight}px`;
    this.#root.replaceChildren();
    this.#answer = this.#view = null;
    void this.#load();
  }

  /** From being on the page to being drawn. Whatever goes wrong, the page stays as it is. */
  async #load(): Promise<void> {
    this.#run?.abort();
    const run = new AbortController();
    this.#run = run;
    try {
      await nearViewport(this, run.signal);
      const answer = await this.#ask(run.signal);
      if (!answer.products.length) throw new Error("nothing to show");
      await quietMoment(this, run.signal);
      this.#answer = answer;
      const unticked = this.#read("ticked") === "none" ? answer.products : [];
      this.#unticked = new Set(unticked.map(({ productId }) => productId));
      this.#draw();
    } catch (reason) {
      if (run.signal.aborted) return;
      explain(reason);
      if (!this.offsetHeight) return;
      await quietMoment(this, run.signal, true);
      this.style.display = "none";
    }
  }

  async #ask(signal: AbortSignal): Promise<Answer> {
    const read = this.#read;
    const service = serviceAddress(read);
    const product = read("product-id");
    const key = read("key");
    if (!service || !product || !key) throw new Error("key or product-id is missing");
    const limit = wholeNumber(read("limit"), 3, 1, 10);
    const query: Record<string, string> = { slot: "product", product_id: product, limit: String(limit), key };
    const cart = read("cart");
    if (cart) query.cart = cart;
    const deadline = wholeNumber(read("timeout"), 1500, 100, 60_000);
    const answer = await fetchRecommendations(service, query, deadline, signal);
    const products = answer.products.filter(({ productId }) => productId !== product).slice(0, limit);
    return { ...answer, products };
  }

  #draw(): void {
    if (!this.#answer) return;
    const { strings, language } = stringsFor(this.#locale());
    const { claim } = this.#answer;
    const pageLanguage = document.documentElement.lang.toLowerCase().split("-")[0];
    this.#items = this.#collect(this.#answer);
    this.#view = drawBundle(
      this.#items,
      {
        strings,
        claim,
        heading: claim === TOGETHER ? this.#read("heading") : null,
        language: language === pageLanguage ? null : language,
      },
      {
        choose: (productId, chosen) => {
          this.#unticked[chosen ? "delete" : "add"](productId);
          for (const item of this.#items) if (item.productId === productId) item.chosen = chosen;
          if (this.#phase === "adding") this.#update();
          else this.#say("ready");
        },
        add: () => void this.#add(),
      },
    );
    this.#update();
    this.#root.replaceChildren(this.#view.section);
    this.#dress();
  }

  /** Style without inline attributes, so that a strict Content-Security-Policy has nothing to refuse. */
  #dress(): void {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      this.#root.adoptedStyleSheets = [sheet];
    } catch {
      const style = document.createElement("style");
      style.nonce = styleNonce();
      style.textContent = css;
      this.#root.prepend(style);
    }
  }

  #locale(): string {
    return this.#read("locale") || document.documentElement.lang || navigator.language;
  }

  /** The page's own product, where the page says which variant is chosen, and then the recommended ones. */
  #collect({ claim, products }: Answer): Item[] {
    const read = this.#read;
    const cart = cartOf(read);
    const productId = read("product-id") as string;
    const variantId = read("variant-id");
    const own = {
      productId,
      variantId,
      title: read("product-title") ?? document.title,
      url: webAddress(location.href),
      image: pictureAddress(read("product-image")),
      price: parseMoney(Number(read("product-price") ?? Number.NaN), read("currency")),
      similar: false,
    };
    return [...(variantId && claim === TOGETHER ? [own] : []), ...products].map((product) => ({
      ...product,
      itemId: cart.itemId(product.productId, product.variantId),
      current: product === own,
      cost: product.price && this.#money(product.price),
      chosen: !this.#unticked.has(product.productId),
    }));
  }

  #money(price: Parameters<typeof formatMoney>[0]): string {
    try {
      return formatMoney(price, this.#locale());
    } catch {
      return formatMoney(price, undefined); // The page names a language that does not exist.
    }
  }

  #chosen(): Item[] {
    return this.#items.filter((item) => item.itemId && item.chosen);
  }

  #say(phase: State["phase"], message = "", cartPage: string | null = null): void {
    this.#phase = phase;
    this.#message = message;
    this.#cartPage = webAddress(cartPage);
    this.#update();
  }

  #update(): void {
    const chosen = this.#chosen();
    const sum = total(chosen.map((item) => item.price));
    this.#view?.update({
      count: chosen.length,
      everything: chosen.length === this.#items.length,
      total: sum && this.#money(sum),
      phase: this.#phase,
      message: this.#message,
      cartPage: this.#cartPage,
    });
  }

  async #add(): Promise<void> {
    const chosen = this.#chosen();
    if (this.#phase !== "ready" || !chosen.length || !this.#answer) return;
    const { decisionId } = this.#answer;
    const { strings } = stringsFor(this.#locale());
    const cart = cartOf(this.#read);
    const lines = chosen.map(({ productId, title, itemId, current }) => ({
      productId,
      title,
      itemId: itemId as string,
      recommended: !current,
    }));
    this.#say("adding");
    let outcome: Outcome;
    try {
      outcome = await cart.add(lines, decisionId);
    } catch (reason) {
      explain(reason);
      this.#say("ready", strings.failed);
      return;
    }
    const { added, refused, reason } = outcome;
    const names = refused.map((line) => line.title).join(", ");
    if (!refused.length) this.#say("added", strings.added, cart.page());
    else if (added.length) this.#say("ready", strings.except(names), cart.page());
    else this.#say("ready", strings.refused(reason || names));
    if (added.length) this.#report(decisionId, added);
    if (!refused.length) setTimeout(() => this.#rearm(), AFTERGLOW);
  }

  /** The button can be pressed again; what was said about the last time stays. */
  #rearm(): void {
    if (this.#phase === "added") this.#phase = "ready";
    this.#update();
  }

  #report(decisionId: string | null, added: Line[]): void {
    const detail = { decision_id: decisionId, product_ids: added.map((line) => line.productId) };
    this.dispatchEvent(new CustomEvent("pannier:added", { bubbles: true, composed: true, detail }));
  }
}
