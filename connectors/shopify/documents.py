"""Every GraphQL document that is sent to Shopify, written for version 2026-10 of its Admin API.

None asks for a name, an address or a text about a person: with a customer's id alone the data stay at level 1
of https://shopify.dev/docs/apps/launch/protected-customer-data. Customers need the scope ``read_customers``,
without which a bulk operation fails as a whole; so the id is asked for only where the scope is there.

``ProductVariant.image`` is deprecated in favour of ``media``, which is a connection: a third level of them is
more than a bulk operation allows.
"""

from typing import Final

from connectors.source import Resource

_MONEY: Final = "{ shopMoney { amount currencyCode } }"
_PAGE: Final = "pageInfo { hasNextPage endCursor }"
_OPERATION: Final = "id status errorCode rootObjectCount url partialDataUrl"

# Where Shopify's own app Search & Discovery keeps what the merchant chose: lists of references to products.
_CHOSEN: Final = (
    'metafield(namespace: "shopify--discovery--product_recommendation", key: "{key}") {{ id jsonValue }}'
)
_PRODUCT: Final = f"""
    id legacyResourceId title handle status vendor productType tags publishedAt updatedAt createdAt isGiftCard
    category {{ fullName }} featuredMedia {{ preview {{ image {{ url }} }} }} variantsCount {{ count }}
    complementary: {_CHOSEN.format(key="complementary_products")}
    related: {_CHOSEN.format(key="related_products")}
"""
_VARIANT: Final = """
    id legacyResourceId title sku price compareAtPrice position inventoryQuantity inventoryPolicy
    image { url } inventoryItem { legacyResourceId tracked unitCost { amount } }
"""
_ORDER: Final = f"""
    id legacyResourceId createdAt updatedAt processedAt cancelledAt test sourceName cartToken currencyCode
    displayFinancialStatus displayFulfillmentStatus subtotalLineItemsQuantity taxesIncluded
    totalPriceSet {_MONEY} refunds {{ id legacyResourceId }}
"""
_LINE: Final = f"""
    id quantity currentQuantity isGiftCard product {{ legacyResourceId }} variant {{ legacyResourceId }}
    originalUnitPriceSet {_MONEY} totalDiscountSet {_MONEY}
    discountAllocations {{ allocatedAmountSet {_MONEY} }} taxLines {{ priceSet {_MONEY} }}
    lineItemGroup {{ id productId variantId }}
"""
_CUSTOMER: Final = "customer { id legacyResourceId }"
_CUSTOMER_IF: Final = "customer @include(if: $customers) { id legacyResourceId }"
_VARIANTS: Final = f"variants(first: $children) {{ nodes {{ {_VARIANT} }} {_PAGE} }}"
_LINES: Final = f"lineItems(first: $children) {{ nodes {{ {_LINE} }} {_PAGE} }}"

SHOP_FACTS: Final = """
query ShopFacts {
  shop { name currencyCode ianaTimezone myshopifyDomain primaryDomain { url } }
  currentAppInstallation { accessScopes { handle } }
}
"""
ACCESS_SCOPES: Final = "query AccessScopes { currentAppInstallation { accessScopes { handle } } }"

PRODUCTS_PAGE: Final = f"""
query ProductsPage($first: Int!, $after: String, $query: String, $children: Int!) {{
  products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ {_PRODUCT} {_VARIANTS} }} {_PAGE}
  }}
}}
"""
ORDERS_PAGE: Final = f"""
query OrdersPage($first: Int!, $after: String, $query: String, $children: Int!, $customers: Boolean!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ {_ORDER} {_CUSTOMER_IF} {_LINES} }} {_PAGE}
  }}
}}
"""
PRODUCT: Final = f"""
query Product($id: ID!, $children: Int!) {{ product(id: $id) {{ {_PRODUCT} {_VARIANTS} }} }}
"""
ORDER: Final = f"""
query Order($id: ID!, $children: Int!, $customers: Boolean!) {{
  order(id: $id) {{ {_ORDER} {_CUSTOMER_IF} {_LINES} }}
}}
"""
MORE_VARIANTS: Final = f"""
query MoreVariants($id: ID!, $after: String, $children: Int!) {{
  product(id: $id) {{ variants(first: $children, after: $after) {{ nodes {{ {_VARIANT} }} {_PAGE} }} }}
}}
"""
MORE_LINES: Final = f"""
query MoreLines($id: ID!, $after: String, $children: Int!) {{
  order(id: $id) {{ lineItems(first: $children, after: $after) {{ nodes {{ {_LINE} }} {_PAGE} }} }}
}}
"""
PRODUCT_IDS: Final = """
query ProductIds($first: Int!, $query: String) {
  products(first: $first, query: $query, sortKey: ID) {
    nodes { legacyResourceId status updatedAt } pageInfo { hasNextPage }
  }
}
"""
ORDER_IDS: Final = """
query OrderIds($first: Int!, $query: String) {
  orders(first: $first, query: $query, sortKey: ID) {
    nodes { legacyResourceId displayFinancialStatus cancelledAt updatedAt } pageInfo { hasNextPage }
  }
}
"""
PRODUCTS_COUNT: Final = "query ProductsCount { productsCount(limit: null) { count precision } }"
ORDERS_COUNT: Final = "query OrdersCount { ordersCount(limit: null) { count precision } }"

RUN_BULK_QUERY: Final = """
mutation RunBulkQuery($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { id status } userErrors { field code message }
  }
}
"""
BULK_OPERATION: Final = f"query BulkOperation($id: ID!) {{ bulkOperation(id: $id) {{ {_OPERATION} }} }}"
CANCEL_BULK_OPERATION: Final = """
mutation CancelBulkOperation($id: ID!) {
  bulkOperationCancel(id: $id) { bulkOperation { id status } userErrors { field message } }
}
"""
WEBHOOK_SUBSCRIPTIONS: Final = f"""
query WebhookSubscriptions($after: String) {{
  webhookSubscriptions(first: 100, after: $after) {{ nodes {{ id topic uri }} {_PAGE} }}
}}
"""
DELETE_WEBHOOK_SUBSCRIPTION: Final = """
mutation DeleteWebhookSubscription($id: ID!) {
  webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { field message } }
}
"""


def bulk_query(resource: Resource, *, customers: bool, created_from: str | None = None) -> str:
    """Return the query of a bulk operation over all of ``resource``, oldest first.

    Bulk operations know neither variables nor pages, so everything stands in the text.

    Args:
        resource: what to export.
        customers: whether the ids of the orders' customers belong to it.
        created_from: only what was created at this time (RFC 3339) or later.
    """
    since = f"query: \"created_at:>='{created_from}'\", " if created_from else ""
    if resource == "products":
        children = f"variants {{ edges {{ node {{ {_VARIANT} }} }} }}"
        node = f"{_PRODUCT} {children}"
    else:
        children = f"lineItems {{ edges {{ node {{ {_LINE} }} }} }}"
        node = f"{_ORDER} {_CUSTOMER if customers else ''} {children}"
    return f"{{ {resource}({since}sortKey: CREATED_AT) {{ edges {{ node {{ {node} }} }} }} }}"
