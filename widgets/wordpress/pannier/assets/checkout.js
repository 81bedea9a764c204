/** Calls offers by their titles in WooCommerce's cart and checkout blocks; offers come and go with their products. */
(() => {
  const checkout = window.wc?.blocksCheckout;
  const data = window.wp?.data;
  if (!checkout?.registerCheckoutFilters || !data) return;

  const labels = () => data.select("wc/store/cart")?.getCartData()?.extensions?.pannier?.labels ?? {};

  checkout.registerCheckoutFilters("pannier", {
    coupons: (coupons) =>
      coupons.map((coupon) => ({ ...coupon, label: labels()[coupon.code] ?? coupon.label })),
    // It would say that the coupon is gone, while the offer is still in the cart.
    showRemoveCouponNotice: (shown, _extensions, args) => shown && !(args?.couponCode in labels()),
  });
})();
