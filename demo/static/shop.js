// The little that the demo shops' themes do by script; pages work without it.

const cart = document.body.dataset;

async function refreshCount() {
  const answer = await fetch(cart.cart, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) return;
  const count = (await answer.json())[cart.count];
  for (const place of document.querySelectorAll("[data-cart-count]")) place.textContent = String(count);
}

// Shopify themes hear of additions by their own ways, WooCommerce themes by this event of its blocks.
document.addEventListener("pannier:added", refreshCount);
document.body.addEventListener("wc-blocks_added_to_cart", refreshCount);
window.addEventListener("pageshow", (event) => {
  if (event.persisted) refreshCount();
});

for (const field of document.querySelectorAll("[data-submit]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

const sent = document.querySelector("[data-watch]");
if (sent) {
  const places = [...sent.querySelectorAll("[data-state]")];
  const look = async () => {
    const answer = await fetch(sent.dataset.watch, { cache: "no-store" });
    if (!answer.ok) return;
    const { webhooks } = await answer.json();
    webhooks.forEach(({ state }, index) => {
      places[index].textContent = state === "200" ? "200 OK" : state;
    });
    if (webhooks.some(({ state }) => state === "on its way")) setTimeout(look, 500);
  };
  look();
}
