/* Keeps the boxes in step with the variant that the shopper chooses on the page. */
(() => {
  const number = (id) => String(id ?? "").match(/\d+$/)?.[0];

  /* A variant that is sold out, or that the page does not list, takes the page's product out of the box. */
  const choose = (productId, variantId) => {
    for (const box of document.querySelectorAll("pannier-bundle[data-variants]")) {
      const prices = JSON.parse(box.dataset.variants);
      const isMeant = productId ? box.getAttribute("product-id") === productId : variantId in prices;
      if (!isMeant) continue;
      const price = prices[variantId];
      if (Number.isInteger(price)) {
        box.setAttribute("product-price", price);
        box.setAttribute("variant-id", variantId);
      } else {
        box.removeAttribute("variant-id");
      }
    }
  };

  /* Themes that tell it the standard way. */
  document.addEventListener("shopify:product:select", (event) => {
    const productId = number(event.product?.id);
    if (!productId) return;
    Promise.resolve(event.promise)
      .then((result) => choose(productId, number(result?.variant?.id)))
      .catch(() => {});
  });

  /* Others change the number in their product form. */
  document.addEventListener("change", ({ target }) => {
    const { form, name, value } = target;
    if (name !== "id" || !form?.getAttribute("action")?.includes("/cart/add")) return;
    choose(form.elements.namedItem("product-id")?.value, number(value));
  });
})();
