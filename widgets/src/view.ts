/** Draws the bundle box, or a plain row of what nobody is said to buy together. Only text nodes and properties are written, never markup. */
import type { Product } from "./recommendations";
import { headingOf, type Strings, TOGETHER } from "./strings";

export interface Item extends Product {
  /** How the cart knows it; null: it needs a choice on its own page and cannot be added from here. */
  itemId: string | null;
  /** The product whose page this is. */
  current: boolean;
  /** The price as text. */
  cost: string | null;
  chosen: boolean;
}

export interface Words {
  strings: Strings;
  /** What may be claimed of the products. */
  claim: string | null;
  /** The shop's own heading. */
  heading: string | null;
  /** Language of `strings`, where it differs from the page's. */
  language: string | null;
}

export interface State {
  /** Number of items that the button adds. */
  count: number;
  everything: boolean;
  total: string | null;
  phase: "ready" | "adding" | "added";
  message: string;
  cartPage: string | null;
}

export interface View {
  section: HTMLElement;
  update(state: State): void;
}

export interface Actions {
  choose(productId: string, chosen: boolean): void;
  add(): void;
}

type Child = Node | string | null | false;

function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  part: string,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (part) node.setAttribute("part", part);
  node.append(...children.filter((child): child is Node | string => !!child));
  return node;
}

export function drawBundle(items: Item[], words: Words, actions: Actions): View {
  const { strings, language } = words;
  const together = words.claim === TOGETHER;
  const spoken = <E extends HTMLElement>(node: E): E => {
    if (language) node.lang = language;
    return node;
  };

  const heading = element("h2", "heading", words.heading ?? headingOf(strings, words.claim));
  heading.id = "heading";
  if (words.heading === null) spoken(heading);

  const list = element("ul", "items", ...items.map((item, index) => drawItem(item, index, words, actions)));
  list.setAttribute("role", "list"); // Safari drops the role of a list without bullets.

  const sum = element("strong", "sum");
  const total = spoken(element("p", "total", strings.total, " ", sum));
  total.setAttribute("aria-live", "polite");
  total.setAttribute("aria-atomic", "true");
  total.id = "total";
  const button = spoken(element("button", "button"));
  button.type = "button";
  button.addEventListener("click", actions.add);
  const status = spoken(element("p", "status"));
  status.setAttribute("role", "status");
  const footer = element("div", "footer", total, button, status);

  const box = element("div", "box", heading, list, together && items.some((item) => item.itemId) && footer);
  const section = element("section", "bundle", box);
  section.setAttribute("aria-labelledby", heading.id);

  return {
    section,
    update(state) {
      const { count, phase } = state;
      sum.textContent = state.total;
      total.hidden = state.total === null;
      button.textContent =
        phase === "adding"
          ? strings.adding
          : phase === "added"
            ? strings.added
            : count < 2
              ? strings.addOne
              : (state.everything ? strings.addAll : strings.addSome)(count);
      // Not `disabled`: that would throw the keyboard's focus back to the start of the page.
      button.setAttribute("aria-disabled", String(phase !== "ready" || count === 0));
      button.setAttribute("aria-busy", String(phase === "adding"));
      section.dataset.phase = phase;
      if (state.total === null) button.removeAttribute("aria-describedby");
      else button.setAttribute("aria-describedby", total.id);
      // Saying the same again would make a screen reader repeat it.
      if (status.firstChild?.textContent === state.message) return;
      status.replaceChildren(element("span", "message", state.message));
      if (!state.cartPage) return;
      const link = element("a", "cart-link", strings.viewCart);
      link.href = state.cartPage;
      status.append(" ", link);
    },
  };
}

function drawItem(
  item: Item,
  index: number,
  { strings, claim, language }: Words,
  actions: Actions,
): HTMLElement {
  const link = (part: string, ...children: Child[]): HTMLElement => {
    if (!item.url || item.current) return element("span", part, ...children);
    const anchor = element("a", part, ...children);
    anchor.href = item.url;
    return anchor;
  };
  const small = (part: string, text: string): HTMLElement => {
    const note = element("span", part, text);
    if (language) note.lang = language;
    return note;
  };

  // The title is the link that counts; the picture repeats it for the pointer only.
  const picture = link("picture", drawPicture(item.image));
  picture.setAttribute("aria-hidden", "true");
  picture.tabIndex = -1;

  const title = link("title", item.title);
  title.id = `title-${index}`;
  const text = element(
    "div",
    "text",
    item.current && small("badge", strings.thisItem),
    title,
    item.cost && element("span", "price", item.cost),
  );
  const row = element("li", "item", picture, text);

  if (claim !== TOGETHER) return row;
  if (!item.itemId) {
    const options = link("options", strings.choose);
    options.id = `options-${index}`;
    if (language) options.lang = language;
    options.setAttribute("aria-labelledby", `${options.id} ${title.id}`);
    text.append(options);
  } else if (!item.current) {
    const box = element("input", "checkbox");
    box.type = "checkbox";
    box.checked = item.chosen;
    box.setAttribute("aria-labelledby", title.id);
    row.dataset.chosen = String(item.chosen);
    box.addEventListener("change", () => {
      row.dataset.chosen = String(box.checked);
      actions.choose(item.productId, box.checked);
    });
    picture.after(box);
  }
  return row;
}

/** A square picture; a drawn one where the shop has none or it does not load. */
function drawPicture(address: string | null): Element {
  if (!address) return drawPlaceholder();
  const image = element("img", "image");
  image.alt = "";
  image.loading = "lazy";
  image.decoding = "async";
  image.addEventListener("error", () => image.replaceWith(drawPlaceholder()), { once: true });
  image.src = address;
  return image;
}

function drawPlaceholder(): SVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("part", "placeholder");
  const basket = document.createElementNS(space, "path");
  basket.setAttribute("d", "M4 10h16l-1.5 9h-13zM8.5 10 12 5l3.5 5M9.5 13v3m5-3v3");
  svg.append(basket);
  return svg;
}
