/** Entry: defines `<pannier-bundle>` once and mounts one where the script tag asks for it. */
import { BundleBox } from "./bundle";
import { reportCart } from "./report";
import { settingsOf } from "./settings";

const NAME = "pannier-bundle";

/** Insert a box after the element named by `data-mount`, unless the page already has a box. */
function mount(): void {
  const read = settingsOf(null);
  const selector = read("mount");
  if (!selector || !read("product-id") || document.querySelector(NAME)) return;
  try {
    document.querySelector(selector)?.after(document.createElement(NAME));
  } catch {
    // Not a selector: the page stays as it is.
  }
}

if (!customElements.get(NAME)) {
  customElements.define(NAME, BundleBox);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mount);
  else mount();
  reportCart();
}
