"""The GraphQL documents about discounts, metafields and prices, written for version 2026-10 of the Admin API.

``$app:pannier`` is a namespace that Shopify keeps for the app: no other app and no merchant writes there
(https://shopify.dev/docs/apps/build/custom-data/ownership).
"""

from typing import Final

NAMESPACE: Final = "$app:pannier"
OFFERS: Final = "offers"
SETTINGS: Final = "settings"
OWNERS: Final = "owners"
# Every automatic discount that the app creates carries it.
TAG: Final = "pannier"

_ERRORS: Final = "userErrors { field code message }"
_STANDING: Final = f"""
    id
    settings: metafield(namespace: "{NAMESPACE}", key: "{SETTINGS}") {{ jsonValue }}
    owners: metafield(namespace: "{NAMESPACE}", key: "{OWNERS}") {{ jsonValue }}
    automaticDiscount {{
      __typename
      ... on DiscountAutomaticBxgy {{ status tags }}
      ... on DiscountAutomaticApp {{ status tags }}
    }}
"""

# The search for what is active follows a change by seconds; the newest are read without it.
AUTOMATIC_DISCOUNTS: Final = f"""
query AutomaticDiscounts {{
  active: automaticDiscountNodes(first: 100, query: "status:active") {{ nodes {{ {_STANDING} }} }}
  newest: automaticDiscountNodes(first: 30, sortKey: CREATED_AT, reverse: true) {{ nodes {{ {_STANDING} }} }}
}}
"""
DISCOUNT_STATES: Final = """
query DiscountStates($ids: [ID!]!) {
  nodes(ids: $ids) {
    id
    ... on DiscountAutomaticNode {
      automaticDiscount { ... on DiscountAutomaticBxgy { status } ... on DiscountAutomaticApp { status } }
    }
  }
}
"""
OFFERS_OF_PRODUCTS: Final = f"""
query OffersOfProducts($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    id
    ... on Product {{ metafield(namespace: "{NAMESPACE}", key: "{OFFERS}") {{ jsonValue }} }}
  }}
}}
"""
PRODUCTS_FOR_OFFERS: Final = """
query ProductsForOffers($ids: [ID!]!) {
  nodes(ids: $ids) {
    id
    ... on Product { priceRangeV2 { minVariantPrice { amount } maxVariantPrice { amount } } }
  }
}
"""
CREATE_NATIVE: Final = f"""
mutation CreateNative($discount: DiscountAutomaticBxgyInput!) {{
  discountAutomaticBxgyCreate(automaticBxgyDiscount: $discount) {{ automaticDiscountNode {{ id }} {_ERRORS} }}
}}
"""
UPDATE_NATIVE: Final = f"""
mutation UpdateNative($id: ID!, $discount: DiscountAutomaticBxgyInput!) {{
  discountAutomaticBxgyUpdate(id: $id, automaticBxgyDiscount: $discount) {{
    automaticDiscountNode {{ id }} {_ERRORS}
  }}
}}
"""
DELETE_AUTOMATIC: Final = f"""
mutation DeleteAutomatic($id: ID!) {{
  discountAutomaticDelete(id: $id) {{ deletedAutomaticDiscountId {_ERRORS} }}
}}
"""
CREATE_FUNCTION: Final = f"""
mutation CreateFunction($discount: DiscountAutomaticAppInput!) {{
  discountAutomaticAppCreate(automaticAppDiscount: $discount) {{
    automaticAppDiscount {{ discountId }} {_ERRORS}
  }}
}}
"""
SET_METAFIELDS: Final = """
mutation SetMetafields($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) { userErrors { field code message elementIndex } }
}
"""
DELETE_METAFIELDS: Final = """
mutation DeleteMetafields($metafields: [MetafieldIdentifierInput!]!) {
  metafieldsDelete(metafields: $metafields) { userErrors { field message } }
}
"""

_PRICE: Final = "id legacyResourceId price compareAtPrice"
PRICES_OF_PRODUCT: Final = f"""
query PricesOfProduct($id: ID!, $after: String) {{
  product(id: $id) {{
    id
    variants(first: 250, after: $after) {{ nodes {{ {_PRICE} }} pageInfo {{ hasNextPage endCursor }} }}
  }}
}}
"""
WRITE_PRICES: Final = f"""
mutation WritePrices($product: ID!, $variants: [ProductVariantsBulkInput!]!) {{
  productVariantsBulkUpdate(productId: $product, variants: $variants, allowPartialUpdates: true) {{
    productVariants {{ {_PRICE} }} {_ERRORS}
  }}
}}
"""
