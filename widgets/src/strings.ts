/** What the widget says, in the languages it speaks. */

export interface Strings {
  heading: string;
  thisItem: string;
  choose: string;
  total: string;
  addOne: string;
  addSome: (count: number) => string;
  addAll: (count: number) => string;
  adding: string;
  added: string;
  viewCart: string;
  /** Some went in, the named ones did not. */
  except: (titles: string) => string;
  /** `what`: the names of the products, or the shop's own sentence. */
  refused: (what: string) => string;
  failed: string;
}

const LANGUAGES: Record<string, Strings> = {
  en: {
    heading: "Often bought together",
    thisItem: "This item",
    choose: "Choose options",
    total: "Total",
    addOne: "Add to cart",
    addSome: (count) => `Add ${count} to cart`,
    addAll: (count) => `Add all ${count} to cart`,
    adding: "Adding…",
    added: "Added to cart",
    viewCart: "View cart",
    except: (titles) => `Added to cart, except: ${titles}`,
    refused: (what) => `Sorry, this could not be added: ${what}`,
    failed: "Sorry, that did not work. Please check your cart and try again.",
  },
  de: {
    heading: "Oft zusammen gekauft",
    thisItem: "Dieser Artikel",
    choose: "Ausführung wählen",
    total: "Gesamt",
    addOne: "In den Warenkorb",
    addSome: (count) => `${count} in den Warenkorb`,
    addAll: (count) => `Alle ${count} in den Warenkorb`,
    adding: "Wird hinzugefügt …",
    added: "Liegt im Warenkorb",
    viewCart: "Zum Warenkorb",
    except: (titles) => `Liegt im Warenkorb, außer: ${titles}`,
    refused: (what) => `Das ließ sich leider nicht hinzufügen: ${what}`,
    failed: "Das hat leider nicht geklappt. Bitte prüfen Sie den Warenkorb und versuchen Sie es erneut.",
  },
  fr: {
    heading: "Souvent achetés ensemble",
    thisItem: "Cet article",
    choose: "Choisir les options",
    total: "Total",
    addOne: "Ajouter au panier",
    addSome: (count) => `Ajouter ${count} articles au panier`,
    addAll: (count) => `Ajouter les ${count} au panier`,
    adding: "Ajout en cours…",
    added: "Ajouté au panier",
    viewCart: "Voir le panier",
    except: (titles) => `Ajouté au panier, sauf : ${titles}`,
    refused: (what) => `Désolé, impossible d’ajouter : ${what}`,
    failed: "Désolé, cela n’a pas fonctionné. Vérifiez votre panier et réessayez.",
  },
};

/** Returns the language spoken for a tag such as `de-AT`, and its strings; English for every other tag. */
export function stringsFor(locale: string): { language: string; strings: Strings } {
  const wanted = locale.toLowerCase().split(/[-_]/)[0] ?? "";
  const strings = LANGUAGES[wanted];
  return strings ? { language: wanted, strings } : { language: "en", strings: LANGUAGES.en as Strings };
}
