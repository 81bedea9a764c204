// What a shopper does in a shop that uses analytics.js, told to the address it is given.
import { AnalyticsBrowser } from "@segment/analytics-next";

const TEAPOT = { product_id: "201", name: "Teapot, sage green", price: 34, currency: "GBP", quantity: 1 };
const MUG = { product_id: "202", variant: "9202", name: "Mug", price: 12.5, currency: "GBP", quantity: 2 };

window.shop = async ({ key, host, delivery, consent }) => {
  const analytics = AnalyticsBrowser.load(
    {
      writeKey: key,
      cdnSettings: { integrations: { "Segment.io": { apiKey: key, apiHost: host, protocol: "http" } } },
    },
    { integrations: { "Segment.io": { deliveryStrategy: delivery } } },
  );
  const said = { consent: { categoryPreferences: consent } };
  await analytics.page("Product", "Teapot", { path: "/products/teapot" }, said);
  await analytics.track("Products Searched", { query: "tea" }, said);
  await analytics.track("Product List Viewed", { list_id: "tea", products: [TEAPOT, MUG] }, said);
  await analytics.track("Product Clicked", TEAPOT, said);
  await analytics.track("Product Viewed", TEAPOT, said);
  await analytics.track("Product Added", { cart_id: "c1-4f9a", ...TEAPOT }, said);
  await analytics.track("Product Added", { cart_id: "c1-4f9a", ...MUG }, said);
  await analytics.track("Product Removed", { cart_id: "c1-4f9a", ...TEAPOT }, said);
  await analytics.track("Cart Viewed", { cart_id: "c1-4f9a", products: [MUG] }, said);
  await analytics.identify("7001", { email: "ada@example.com", name: "Ada" }, said);
  await analytics.track("Checkout Started", { order_id: "5001", products: [MUG] }, said);
  await analytics.track("Order Completed", { order_id: "5001", total: 25, products: [MUG] }, said);
};
