"use strict";
// Keeps the progress on the app's home page fresh, with a new session token for every look; where the page itself came
// with a token that was too old, opens it again with a new one.
(() => {
  const rows = document.getElementById("walks");
  const problem = document.getElementById("problem");
  const known = document.getElementById("known");
  const NAMES = { products: "Products", orders: "Past orders" };
  const EVERY_MS = 3000;

  function row(walk) {
    const line = document.createElement("tr");
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = NAMES[walk.resource];
    const state = document.createElement("td");
    if (walk.total) {
      const bar = document.createElement("progress");
      bar.ariaLabel = NAMES[walk.resource];
      bar.max = walk.total;
      bar.value = Math.min(walk.done, walk.total);
      state.append(bar);
    }
    const of = walk.total ? ` of ${walk.total}` : "";
    state.append(`${walk.done}${of}${walk.finished_at ? ", complete" : ""}`);
    for (const [text, kind] of [[walk.problem, "problem"], ...walk.notes.map((note) => [note, "soft"])]) {
      if (!text) continue;
      const said = document.createElement("span");
      said.className = kind;
      said.textContent = text;
      state.append(document.createElement("br"), said);
    }
    line.append(name, state);
    return line;
  }

  async function look() {
    let finished = false;
    try {
      const token = await window.shopify.idToken();
      const answer = await fetch("/install/shopify/session", {
        method: "POST",
        headers: { Authorization: `Bearer ${token}` },
      });
      if (answer.ok) {
        const status = await answer.json();
        const walks = status.walks.filter((walk) => walk.kind === "backfill");
        if (walks.length) rows.replaceChildren(...walks.map(row));
        const { products, orders } = status.stored;
        known.textContent = `${products} products and ${orders} orders are known so far.`;
        problem.textContent = status.problem || "";
        problem.hidden = !status.problem;
        finished = walks.length > 0 && walks.every((walk) => walk.finished_at);
      }
    } catch {
      // Shopify's script is not there, or the network is away: what the server rendered stands.
    }
    if (!finished) setTimeout(look, EVERY_MS);
  }

  // What the merchant may allow besides, shown while some of it is missing.
  async function offerPermissions(section) {
    const wanted = section.dataset.scopes.split(",");
    const { granted } = await window.shopify.scopes.query();
    section.hidden = wanted.every((scope) => granted.includes(scope));
    document.getElementById("allow").addEventListener("click", async () => {
      const { result } = await window.shopify.scopes.request(wanted);
      section.hidden = result === "granted-all";
    });
  }

  async function reopen() {
    const address = new URL(location.href);
    // Once a minute at most: a new token that is refused too would be refused for ever.
    if (Date.now() - Number(address.searchParams.get("reopened")) < 60_000) return;
    address.searchParams.set("id_token", await window.shopify.idToken());
    address.searchParams.set("reopened", Date.now());
    location.replace(address);
  }

  if (window.shopify) {
    if (document.getElementById("reopen")) reopen();
    else {
      setTimeout(look, EVERY_MS);
      // Without an answer of Shopify's the section stays hidden.
      offerPermissions(document.getElementById("permissions")).catch(() => {});
    }
  }
})();
