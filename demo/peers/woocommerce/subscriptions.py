"""``/wp-json/wc/v3/webhooks``: making, changing, listing and deleting webhooks."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, request

from demo.peers.woocommerce.answers import WRITES, acting, answer, forced, store
from demo.peers.woocommerce.arguments import Arguments, body_of_request, query_of
from demo.peers.woocommerce.deliveries import ping
from demo.peers.woocommerce.hooks import STATUSES, Webhook, is_topic
from demo.peers.woocommerce.listing import page_of, paging_headers, read_wish
from demo.peers.woocommerce.problems import Fault, RestProblem, invalid_arguments, missing, missing_arguments

blueprint = Blueprint("woocommerce_webhooks", __name__)


@blueprint.get("/webhooks", strict_slashes=False)
@acting("list")
def _webhooks() -> Response:
    state, query = store(), query_of(request)
    given = Arguments(query)
    wanted = given.choice("status", "all", ("all", *STATUSES))
    given.check()
    wish = read_wish("webhook", query, state.site)
    found = [hook for hook in state.hooks.all() if wanted in ("all", hook.status)]
    found = [hook for hook in found if not wish.include or hook.id in wish.include]
    found = [hook for hook in found if hook.id not in wish.exclude]
    by_name = wish.orderby == "title"
    found.sort(key=lambda hook: (hook.name if by_name else "", hook.id), reverse=not wish.ascending)
    headers = paging_headers(len(found), wish, state.site.rest("webhooks"), query, forgetful=False)
    return answer([_shown(hook) for hook in page_of(found, wish)], headers=headers)


@blueprint.post("/webhooks", strict_slashes=False)
@acting("create")
def _create_webhook() -> Response:
    state, given = store(), body_of_request()
    lacking = [name for name in ("topic", "delivery_url") if name not in given]
    if lacking:
        raise missing_arguments(lacking)
    fields = _checked_webhook(given)
    made = state.site.now().astimezone(state.site.zone).strftime("%b %d, %Y @ %I:%M %p")
    webhook = state.hooks.create(
        topic=fields["topic"],
        delivery_url=fields["delivery_url"],
        secret=fields.get("secret") or state.keys.random_secret(),
        name=fields.get("name") or f"Webhook created on {made}",
        status=fields.get("status", "active"),
        user_id=g.woocommerce_key.user_id,
    )
    ping(state, webhook)
    return answer(_shown(webhook), 201, {"Location": state.site.rest(f"webhooks/{webhook.id}")})


@blueprint.get("/webhooks/<int:identifier>", strict_slashes=False)
@acting("view")
def _webhook(identifier: int) -> Response:
    return answer(_shown(_found(identifier)))


@blueprint.route("/webhooks/<int:identifier>", methods=WRITES, strict_slashes=False)
@acting("edit")
def _edit_webhook(identifier: int) -> Response:
    webhook = _found(identifier)
    if store().hooks.update(identifier, **_checked_webhook(body_of_request())):
        ping(store(), webhook)
    return answer(_shown(webhook))


@blueprint.delete("/webhooks/<int:identifier>", strict_slashes=False)
@acting("delete")
def _delete_webhook(identifier: int) -> Response:
    if not forced():
        raise RestProblem("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501)
    webhook = _found(identifier)
    store().hooks.delete(identifier)
    return answer(_shown(webhook))


def _found(identifier: int) -> Webhook:
    webhook = store().hooks.find(identifier)
    if webhook is None:
        raise missing("webhook")
    return webhook


def _shown(webhook: Webhook) -> dict[str, Any]:
    state = store()
    return {**webhook.shown(state.site), "_links": state.links("webhooks", webhook.id)}


def _checked_webhook(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a webhook that were given.

    Raises:
        RestProblem: if one of them is not acceptable.
    """
    fields = {
        name: str(given[name])
        for name in ("name", "status", "topic", "delivery_url", "secret")
        if name in given
    }
    if "status" in fields and fields["status"] not in STATUSES:
        fault = Fault("rest_not_in_enum", "status is not one of active, paused, and disabled.")
        raise invalid_arguments({"status": fault})
    if "topic" in fields:
        fields["topic"] = fields["topic"].lower()
        if not is_topic(fields["topic"]):
            raise RestProblem(
                "woocommerce_rest_shop_webhook_invalid_topic",
                "Webhook topic is required and must be valid.",
                400,
            )
    if "delivery_url" in fields:
        parts = urlsplit(fields["delivery_url"])
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RestProblem(
                "woocommerce_rest_shop_webhook_invalid_delivery_url",
                "Webhook delivery URL must be a valid URL starting with http:// or https://.",
                400,
            )
    return fields
