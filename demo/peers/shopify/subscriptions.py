"""Webhook subscriptions over the API: those that the app makes besides its configuration's."""

from typing import Any, Final

from demo.peers.shopify import schema
from demo.peers.shopify.fields import Thing
from demo.peers.shopify.run import Root, Run, number, outermost
from demo.peers.shopify.state import Body, Subscription


def _subscription(subscription: Subscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "topic": subscription.topic,
        "uri": subscription.uri,
        "callback_url": subscription.uri,
        "format": "JSON",
        "include_fields": subscription.include_fields,
        "metafield_namespaces": (),
        "filter": subscription.filter,
        "name": subscription.name,
        "created_at": subscription.created_at,
        "updated_at": subscription.updated_at,
        "api_version": {"handle": schema.VERSION, "display_name": schema.VERSION, "supported": True},
    }


def _subscriptions(run: Run, arguments: Body) -> dict[str, Any]:
    topics, uri = arguments.get("topics"), arguments.get("uri") or arguments.get("callbackUrl")
    chosen = [
        Thing("WebhookSubscription", _subscription(each), run.shop)
        for each in list(run.shop.subscriptions.values())
        if (topics is None or each.topic in topics) and uri in (None, each.uri)
    ]
    return outermost(run, chosen, arguments, lambda thing: (thing.body["id"],))


def _subscribe(run: Run, arguments: Body) -> dict[str, Any]:
    given, topic = arguments["webhookSubscription"], arguments["topic"]
    uri = given.get("uri") or given.get("callbackUrl")
    problem = None
    if not uri:
        problem = "Address can't be blank"
    elif any((each.topic, each.uri) == (topic, uri) for each in list(run.shop.subscriptions.values())):
        problem = "Address for this topic has already been taken"
    if problem is not None:
        errors = [{"field": ["webhookSubscription", "uri"], "message": problem}]
        return {"webhook_subscription": None, "user_errors": errors}
    made = run.shop.subscribe(
        topic,
        uri,
        include_fields=given.get("includeFields") or (),
        name=given.get("name"),
        query=given.get("filter"),
    )
    return {"webhook_subscription": _subscription(made), "user_errors": []}


def _resubscribe(run: Run, arguments: Body) -> dict[str, Any]:
    found = run.shop.subscriptions.get(number(arguments["id"], "WebhookSubscription"))
    if found is None:
        return {"webhook_subscription": None, "user_errors": [_NO_SUBSCRIPTION]}
    given = arguments["webhookSubscription"]
    found.uri = given.get("uri") or given.get("callbackUrl") or found.uri
    found.include_fields = tuple(given.get("includeFields") or found.include_fields)
    found.updated_at = run.shop.now()
    return {"webhook_subscription": _subscription(found), "user_errors": []}


def _unsubscribe(run: Run, arguments: Body) -> dict[str, Any]:
    found = run.shop.subscriptions.pop(number(arguments["id"], "WebhookSubscription"), None)
    if found is None:
        return {"deleted_webhook_subscription_id": None, "user_errors": [_NO_SUBSCRIPTION]}
    return {"deleted_webhook_subscription_id": arguments["id"], "user_errors": []}


_NO_SUBSCRIPTION: Final = {"field": ["id"], "message": "Webhook subscription does not exist"}


ROOTS: Final[dict[str, Root]] = {
    "QueryRoot.webhookSubscriptions": _subscriptions,
    "Mutation.webhookSubscriptionCreate": _subscribe,
    "Mutation.webhookSubscriptionUpdate": _resubscribe,
    "Mutation.webhookSubscriptionDelete": _unsubscribe,
}
