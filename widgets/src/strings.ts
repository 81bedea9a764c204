/** What the widget says, in the languages it speaks. */

/** The one strategy of which it may be said that people buy these products together. */
export const TOGETHER = "frequently_bought_together";

export interface Strings {
  /** What may be claimed, in the order of `CLAIMS`, after what can always be said. */
  headings: string[];
  thisItem: string;
  choose: string;
  total: string;
  addOne: string;
  /** `#`: how many; so in `addAll`. */
  addSome: string;
  addAll: string;
  adding: string;
  added: string;
  viewCart: string;
  /** Some went in; the names of those that did not follow. */
  except: string;
  /** The names of the products, or the shop's own sentence, follow. */
  refused: string;
  failed: string;
}

// Of what the slot of a product page may answer with; whatever else answers claims nothing.
const CLAIMS = [TOGETHER, "similar", "best_sellers"];

const LANGUAGES: Record<string, Strings> = {
  en: {
    headings: ["You may also like", "Often bought together", "Similar products", "Best sellers"],
    thisItem: "This item",
    choose: "Choose options",
    total: "Total",
    addOne: "Add to cart",
    addSome: "Add # to cart",
    addAll: "Add all # to cart",
    adding: "Adding…",
    added: "Added to cart",
    viewCart: "View cart",
    except: "Added to cart, except: ",
    refused: "Sorry, this could not be added: ",
    failed: "Sorry, that did not work. Please check your cart and try again.",
  },
  de: {
    headings: ["Auch interessant", "Oft zusammen gekauft", "Ähnliche Artikel", "Meistgekauft"],
    thisItem: "Dieser Artikel",
    choose: "Ausführung wählen",
    total: "Gesamt",
    addOne: "In den Warenkorb",
    addSome: "# in den Warenkorb",
    addAll: "Alle # in den Warenkorb",
    adding: "Wird hinzugefügt …",
    added: "Liegt im Warenkorb",
    viewCart: "Zum Warenkorb",
    except: "Liegt im Warenkorb, außer: ",
    refused: "Das ließ sich leider nicht hinzufügen: ",
    failed: "Das hat leider nicht geklappt. Bitte prüfen Sie den Warenkorb und versuchen Sie es erneut.",
  },
  fr: {
    headings: ["Vous aimerez aussi", "Souvent achetés ensemble", "Articles similaires", "Meilleures ventes"],
    thisItem: "Cet article",
    choose: "Choisir les options",
    total: "Total",
    addOne: "Ajouter au panier",
    addSome: "Ajouter # articles au panier",
    addAll: "Ajouter les # au panier",
    adding: "Ajout en cours…",
    added: "Ajouté au panier",
    viewCart: "Voir le panier",
    except: "Ajouté au panier, sauf : ",
    refused: "Désolé, impossible d’ajouter : ",
    failed: "Désolé, cela n’a pas fonctionné. Vérifiez votre panier et réessayez.",
  },
};

/** Returns the heading of what may be claimed; a name that is not known claims nothing. */
export const headingOf = ({ headings }: Strings, claim: string | null): string =>
  headings[CLAIMS.indexOf(claim as string) + 1] as string;

/** Returns the language spoken for a tag such as `de-AT`, and its strings; English for every other tag. */
export function stringsFor(locale: string): { language: string; strings: Strings } {
  const wanted = languageOf(locale);
  const language = wanted in LANGUAGES ? wanted : "en";
  return { language, strings: LANGUAGES[language] as Strings };
}

/** `de` of `de-AT`. */
export const languageOf = (tag: string): string => tag.toLowerCase().split(/[-_]/)[0] as string;
