/** What the widget says, in the languages it speaks. */

/** The one strategy of which it may be said that people buy these products together. */
export const TOGETHER = "frequently_bought_together";

/** Sentences by their place in a language's text. */
export enum Say {
  // What may be claimed, in the order of CLAIMS, after what can always be said.
  mayLike,
  together,
  alike,
  bestSellers,
  thisItem,
  options,
  total,
  addOne,
  /** `#`: how many; so in the next. */
  addSome,
  addAll,
  adding,
  done,
  viewCart,
  /** Some went in; the names of those that did not follow. */
  except,
  /** The names of the products, or the shop's own sentence, follow. */
  notAdded,
  failed,
}

// Of what the slot of a product page may answer with; whatever else answers claims nothing.
const CLAIMS = [TOGETHER, "similar", "best_sellers"];

const LANGUAGES: Record<string, string> = {
  en: "You may also like|Often bought together|Similar products|Best sellers|This item|Choose options|Total|Add to cart|Add # to cart|Add all # to cart|Adding…|Added to cart|View cart|Added to cart, except: |Sorry, this could not be added: |Sorry, that did not work. Please check your cart.",
  de: "Auch interessant|Oft zusammen gekauft|Ähnliche Artikel|Meistgekauft|Dieser Artikel|Ausführung wählen|Gesamt|In den Warenkorb|# in den Warenkorb|Alle # in den Warenkorb|Wird hinzugefügt …|Liegt im Warenkorb|Zum Warenkorb|Liegt im Warenkorb, außer: |Das ließ sich leider nicht hinzufügen: |Das hat leider nicht geklappt. Bitte prüfen Sie den Warenkorb.",
  fr: "Vous aimerez aussi|Souvent achetés ensemble|Articles similaires|Meilleures ventes|Cet article|Choisir les options|Total|Ajouter au panier|Ajouter # articles au panier|Ajouter les # au panier|Ajout en cours…|Ajouté au panier|Voir le panier|Ajouté au panier, sauf : |Désolé, impossible d’ajouter : |Désolé, cela n’a pas fonctionné. Vérifiez votre panier.",
};

export type Strings = (what: Say) => string;

/** Returns the heading of what may be claimed; a name that is not known claims nothing. */
export const headingOf = (strings: Strings, claim: string | null): string =>
  strings(CLAIMS.indexOf(claim as string) + 1);

/** `de` of `de-AT`. */
export const languageOf = (tag: string): string => tag.toLowerCase().split(/[-_]/)[0] as string;

/** Returns the language spoken for a tag such as `de-AT`, and its strings; English for every other tag. */
export function stringsFor(locale: string): { spoken: string; strings: Strings } {
  const wanted = languageOf(locale);
  const language = LANGUAGES[wanted] ? wanted : "en";
  const texts = (LANGUAGES[language] as string).split("|");
  return { spoken: language, strings: (what) => texts[what] as string };
}
