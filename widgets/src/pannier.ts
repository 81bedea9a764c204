/** Entry: defines `<pannier-bundle>` once and mounts one where the script tag asks for it. */
import { BundleBox } from "./bundle";
import { watch } from "./page";
import { quietly, read } from "./settings";

const NAME = "pannier-bundle";

/** Insert a box after the element named by `data-mount`, unless the page already has a box. */
function mount(): void {
  const selector = read("mount");
  if (!selector || !read("product-id") || document.querySelector(NAME)) return;
  // What is no selector leaves the page as it is.
  quietly(() => document.querySelector(selector)?.after(document.createElement(NAME)));
}

if (!customElements.get(NAME)) {
  customElements.define(NAME, BundleBox);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mount);
  else mount();
  watch();
}
