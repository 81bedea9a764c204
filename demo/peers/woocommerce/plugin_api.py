"""``/wp-json/wc-pannier/v1/…``: the routes of Pannier's plugin, there while it is active."""

from flask import Blueprint, Response, g

from demo.peers.woocommerce.answers import answer, store
from demo.peers.woocommerce.arguments import body_of_request
from demo.peers.woocommerce.plugin import PannierPlugin
from demo.peers.woocommerce.problems import RestProblem, no_route

NAMESPACE = "wc-pannier/v1"

blueprint = Blueprint("woocommerce_pannier", __name__)


def _plugin() -> PannierPlugin:
    """Return the plugin, for a request that is signed with a key.

    Raises:
        RestProblem: if there is no plugin, no key, or the merchant has disconnected the shop.
    """
    plugin = store().plugin
    if plugin is None:
        raise no_route()
    if g.woocommerce_key is None:
        raise RestProblem("rest_forbidden", "Sorry, you are not allowed to do that.", 401)
    if not plugin.connected:
        raise RestProblem(
            "pannier_disconnected", "The merchant has disconnected the shop under WooCommerce → Pannier.", 403
        )
    return plugin


@blueprint.get("/status", strict_slashes=False)
def _status() -> Response:
    return answer(_plugin().status())


@blueprint.put("/keys", strict_slashes=False)
def _keys() -> Response:
    plugin = _plugin()
    plugin.put_keys(body_of_request().get("keys"))
    return answer({"keys": plugin.status()["keys"]})


@blueprint.put("/configuration", strict_slashes=False)
def _configuration() -> Response:
    plugin, body = _plugin(), body_of_request()
    taken = plugin.put_configuration(body.get("payload"), body.get("signature"))
    return answer({"serial": taken.serial, "offers": len(taken.offers)})
