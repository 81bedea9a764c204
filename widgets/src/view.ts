/** Draws the bundle box, or a plain row of what nobody is said to buy together. Only text nodes and properties are written, never markup. */
import type { Product } from "./recommendations";
import { headingOf, Say, type Strings, TOGETHER } from "./strings";

export interface Item extends Product {
  /** How the cart knows it; null: it needs a choice on its own page and cannot be added from here. */
  itemId: string | null;
  /** The product whose page this is. */
  current: boolean;
  /** The price as text. */
  cost: string | null;
  chosen: boolean;
}

export interface State {
  /** Number of items that the button adds. */
  count: number;
  total: string | null;
  phase: "ready" | "adding" | "added";
  message: string;
  cartPage: string | null;
}

export interface View {
  section: HTMLElement;
  update(state: State): void;
}

type Child = Node | string | null | false;
type Attributes = Record<string, string | boolean | null>;

/** Set attributes; null takes one away. */
function set(node: Element, attributes: Attributes): void {
  for (const name in attributes) {
    const value = attributes[name];
    if (value === null) node.removeAttribute(name);
    else node.setAttribute(name, value as string);
  }
}

function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  set(node, attributes);
  node.append(...children.filter((child): child is Node | string => !!child));
  return node;
}

/**
 * Draw a box.
 *
 * `claim`: what may be claimed of the products. `heading`: the shop's own. `lang`: of `strings`, where it differs from
 * the page's. `choose`: an item was ticked or unticked, as its `chosen` says. `open`: a link to an item's own page was
 * followed.
 */
export function drawBundle(
  items: Item[],
  strings: Strings,
  claim: string | null,
  heading: string | null,
  lang: string | null,
  choose: () => void,
  add: () => void,
  open: (item: Item) => void,
): View {
  const together = claim === TOGETHER;

  const sum = element("strong", { part: "sum" });
  const total = element(
    "p",
    { part: "total", id: "total", "aria-live": "polite", "aria-atomic": "true", lang },
    strings(Say.total),
    " ",
    sum,
  );
  const button = element("button", { part: "button", lang });
  button.onclick = add;
  const status = element("p", { part: "status", role: "status", lang });

  const section = element(
    "section",
    { part: "bundle", "aria-labelledby": "heading" },
    element(
      "div",
      { part: "box" },
      element(
        "h2",
        { part: "heading", id: "heading", lang: heading ? null : lang },
        heading || headingOf(strings, claim),
      ),
      // Safari drops the role of a list without bullets.
      element("ul", { part: "items", role: "list" }, ...items.map(drawItem)),
      together &&
        items.some((item) => item.itemId) &&
        element("div", { part: "footer" }, total, button, status),
    ),
  );

  function drawItem(item: Item, index: number): HTMLElement {
    const { url: href, current, itemId } = item;
    const id = `title-${index}`;
    const link = (attributes: Attributes, ...children: Child[]): HTMLElement => {
      if (!href) return element("span", attributes, ...children);
      const anchor = element("a", { ...attributes, href }, ...children);
      anchor.onclick = () => open(item);
      return anchor;
    };
    const row = element(
      "li",
      { part: "item" },
      // The title is the link that counts; the picture repeats it for the pointer only.
      link({ part: "picture", "aria-hidden": "true", tabindex: "-1" }, drawPicture(item.image)),
    );

    if (together && itemId && !current) {
      const box = element("input", { part: "checkbox", type: "checkbox", "aria-labelledby": id });
      const mark = () => set(row, { "data-chosen": item.chosen });
      box.checked = item.chosen;
      box.onchange = () => {
        item.chosen = box.checked;
        mark();
        choose();
      };
      mark();
      row.append(box);
    }
    row.append(
      element(
        "div",
        { part: "text" },
        current && element("span", { part: "badge", lang }, strings(Say.thisItem)),
        link({ part: "title", id }, item.title),
        item.cost && element("span", { part: "price" }, item.cost),
        together &&
          !itemId &&
          link(
            { part: "options", id: `options-${index}`, "aria-labelledby": `options-${index} ${id}`, lang },
            strings(Say.options),
          ),
      ),
    );
    return row;
  }

  return {
    section,
    update({ count, phase, message, cartPage: href, total: amount }) {
      sum.textContent = amount;
      total.hidden = amount === null;
      button.textContent =
        phase === "ready"
          ? count < 2
            ? strings(Say.addOne)
            : strings(count === items.length ? Say.addAll : Say.addSome).replace("#", String(count))
          : strings(phase === "adding" ? Say.adding : Say.done);
      set(button, {
        // Not `disabled`: that would throw the keyboard's focus back to the start of the page.
        "aria-disabled": phase !== "ready" || !count,
        "aria-busy": phase === "adding",
        "aria-describedby": amount && "total",
      });
      set(section, { "data-phase": phase });
      // Saying the same again would make a screen reader repeat it.
      if (status.firstChild?.textContent === message) return;
      status.replaceChildren(element("span", { part: "message" }, message));
      if (href) status.append(" ", element("a", { part: "cart-link", href }, strings(Say.viewCart)));
    },
  };
}

/** A square picture; a drawn one where the shop has none or it does not load. */
function drawPicture(src: string | null): Element {
  const placeholder = element("span", { part: "placeholder" });
  if (!src) return placeholder;
  const image = element("img", { part: "image", alt: "", loading: "lazy", src });
  image.onerror = () => image.replaceWith(placeholder);
  return image;
}
