/** Tells the widget what only the shop's own scripts know, and the classic cart what the widget did. */
(() => {
  const jQuery = window.jQuery;
  // Classic WooCommerce speaks in jQuery events; a page without jQuery has nobody to listen to or to tell.
  if (!jQuery) return;

  const boxOf = (form) =>
    document.querySelector(`pannier-bundle[data-decimals][product-id="${Number(form.dataset.product_id)}"]`);

  jQuery(document).on("found_variation", ".variations_form", (event, variation) => {
    const box = boxOf(event.currentTarget);
    if (!box) return;
    const canBeBought = variation.is_purchasable && variation.is_in_stock;
    const price = Math.round(Number(variation.display_price) * 10 ** Number(box.dataset.decimals));
    box.setAttribute("product-price", Number.isSafeInteger(price) ? String(price) : "");
    box.setAttribute("variant-id", canBeBought ? String(variation.variation_id) : "");
  });

  jQuery(document).on("reset_data", ".variations_form", (event) => {
    const box = boxOf(event.currentTarget);
    box?.removeAttribute("variant-id");
    box?.removeAttribute("product-price");
  });

  // The classic cart's own words for a change, in the widget's.
  jQuery(document).on("added_to_cart removed_from_cart updated_cart_totals", () => {
    document.dispatchEvent(new Event("pannier:cart"));
  });

  document.addEventListener("pannier:added", () => {
    if (document.querySelector(".woocommerce-cart-form")) jQuery(document.body).trigger("wc_update_cart");
  });
})();
