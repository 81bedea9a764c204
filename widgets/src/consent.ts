/**
 * What the visitor allows, by the word of the platform's own consent interface.
 *
 * Shopify's Customer Privacy API (https://shopify.dev/docs/api/customer-privacy) or the WP Consent API
 * (https://wordpress.org/plugins/wp-consent-api/). Global Privacy Control (https://www.w3.org/TR/gpc/) is a no to
 * everything, and so is whatever is not a clear yes.
 */
import { onShopify } from "./platform";
import { quietly, read } from "./settings";

type Purpose = "analyticsProcessing" | "preferencesProcessing" | "marketing" | "saleOfData";

type CustomerPrivacy = { [purpose in `${Purpose}Allowed`]?: () => unknown } & {
  /** `yes`, `no`, or nothing where the visitor has not chosen. */
  currentVisitorConsent?: () => { analytics?: string };
  getRegion?: () => string;
};

declare global {
  interface Window {
    wp_has_consent?: (category: string) => unknown;
    wp_consent_type?: string;
  }
  interface Navigator {
    globalPrivacyControl?: boolean;
  }
}

/** Purposes and evidence, by the service's names. */
export interface Consent {
  analytics: boolean;
  preferences: boolean;
  marketing: boolean;
  sale_of_data: boolean;
  source: string;
  basis: string;
  region: string | undefined;
}

/** What `window.Shopify` knows of consent. */
export interface Privacy {
  customerPrivacy?: CustomerPrivacy;
  loadFeatures?: (features: { name: string; version: string }[], then: () => void) => void;
}

/** What the visitor says; undefined where there is no interface to ask. */
export function consent(): Consent | undefined {
  const shopify = onShopify(read);
  const privacy = window.Shopify?.customerPrivacy;
  if (!(shopify ? privacy : window.wp_has_consent)) return;
  // Nobody chose, the platform goes by the visitor's region: that counts only where the shop says so.
  const byRegion = privacy?.currentVisitorConsent?.().analytics === "" || window.wp_consent_type === "optout";
  const silent = navigator.globalPrivacyControl || (byRegion && read("consent") !== "region");
  const allows = (name: Purpose, category: string): boolean =>
    !silent && (shopify ? privacy?.[`${name}Allowed`]?.() : window.wp_has_consent?.(category)) === true;
  return {
    analytics: allows("analyticsProcessing", "statistics"),
    preferences: allows("preferencesProcessing", "preferences"),
    marketing: allows("marketing", "marketing"),
    sale_of_data: shopify && allows("saleOfData", ""),
    source: shopify ? "shopify" : "wp_consent_api",
    basis: byRegion ? "default" : "choice",
    region: privacy?.getRegion?.() || undefined,
  };
}

/** Call `then` now and whenever the visitor can be asked, or has chosen anew. */
export function whenAsked(then: () => void): void {
  then();
  addEventListener("load", then);
  document.addEventListener("visitorConsentCollected", then);
  document.addEventListener("wp_listen_for_consent_change", then);
  quietly(() => window.Shopify?.loadFeatures?.([{ name: "consent-tracking-api", version: "0.1" }], then));
}
