// The shop's own question whether it may remember what one looks at, behind the interface of its platform:
// Shopify's Customer Privacy API, or the WP Consent API. Pannier asks that interface and nothing else.

(() => {
  const STORED = "shop_consent";
  const stored = () => document.cookie.match(`(?:^|; )${STORED}=(yes|no)`)?.[1] ?? "";
  const allowed = () => stored() === "yes";

  if (window.Shopify) {
    const privacy = {
      analyticsProcessingAllowed: allowed,
      marketingAllowed: allowed,
      preferencesProcessingAllowed: allowed,
      saleOfDataAllowed: () => false,
      currentVisitorConsent: () => {
        const said = stored();
        return { analytics: said, marketing: said, preferences: said, sale_of_data: "" };
      },
      getRegion: () => "NZ",
      shouldShowBanner: () => !stored(),
    };
    // The interface is there once somebody has asked for it.
    window.Shopify.loadFeatures = (_features, done) => {
      window.Shopify.customerPrivacy = privacy;
      setTimeout(done, 0, null);
    };
  } else {
    window.wp_consent_type = "optin";
    window.wp_has_consent = (category) => category === "functional" || allowed();
  }

  function choose(answer) {
    const before = stored();
    document.cookie = `${STORED}=${answer}; path=/; max-age=31536000; samesite=lax`;
    show();
    if (before === answer) return;
    const yes = answer === "yes";
    if (window.Shopify) {
      const detail = { analyticsAllowed: yes, marketingAllowed: yes, preferencesAllowed: yes, saleOfDataAllowed: false };
      document.dispatchEvent(new CustomEvent("visitorConsentCollected", { detail }));
      return;
    }
    for (const category of ["statistics", "preferences", "marketing"]) {
      const detail = { [category]: yes ? "allow" : "deny" };
      document.dispatchEvent(new CustomEvent("wp_listen_for_consent_change", { detail }));
    }
  }

  function show() {
    const said = stored();
    document.querySelector("[data-consent-banner]").hidden = said !== "";
    for (const place of document.querySelectorAll("[data-consent-state]")) {
      place.textContent = said === "yes" ? "You allowed it." : said === "no" ? "You declined." : "You have not chosen yet.";
    }
  }

  addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-consent]")) {
      button.addEventListener("click", () => choose(button.dataset.consent));
    }
    show();
  });
})();
