"""``/wp-json/…``: the REST interface of WordPress 6.9 with WooCommerce 10.5, as far as a backend asks it."""

from flask import Blueprint, Response, g, request

from demo.peers.woocommerce import batches, coupons, plugin_api, resources, status, subscriptions
from demo.peers.woocommerce.answers import acting, answer, store
from demo.peers.woocommerce.authentication import authenticate
from demo.peers.woocommerce.problems import RestProblem, no_route
from demo.woocommerce_format import encode

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_NOT_FOUND_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body>Page not found</body></html>\n"
)

blueprint = Blueprint("woocommerce_rest", __name__, url_prefix="/wp-json")
for _part in (resources, coupons, batches, subscriptions):
    blueprint.register_blueprint(_part.blueprint, url_prefix="/wc/v3")
blueprint.register_blueprint(plugin_api.blueprint, url_prefix=f"/{plugin_api.NAMESPACE}")


@blueprint.before_request
def _admit() -> Response | None:
    state = store()
    if not state.site.pretty_permalinks:
        return Response(_NOT_FOUND_PAGE, 404, mimetype="text/html")
    g.woocommerce_key = None
    # Keys count only under wp-json/wc/ and wp-json/wc-…
    if request.path.startswith(("/wp-json/wc/", "/wp-json/wc-")):
        g.woocommerce_key = authenticate(state)
    return None


@blueprint.errorhandler(RestProblem)
def _problem(problem: RestProblem) -> Response:
    response = Response(encode(problem.body), problem.status, content_type="application/json; charset=UTF-8")
    response.headers.extend(problem.headers)
    return response


@blueprint.get("/")
def _index() -> Response:
    state = store()
    return answer(status.site_index(state.site, [plugin_api.NAMESPACE] if state.plugin else []))


@blueprint.get("/wc/v3", strict_slashes=False)
def _namespace() -> Response:
    paths = ["coupons", "customers", "orders", "products", "refunds", "settings", "system_status", "webhooks"]
    return answer(status.namespace_index(store().site, paths))


@blueprint.get("/wc/v3/system_status", strict_slashes=False)
@acting("list")
def _system_status() -> Response:
    return answer(status.system_status(store().site))


@blueprint.get("/wc/v3/settings/general", strict_slashes=False)
@acting("list")
def _general() -> Response:
    return answer(status.general_settings(store().site))


@blueprint.get("/wc/v3/settings/general/<name>", strict_slashes=False)
@acting("view")
def _setting(name: str) -> Response:
    for setting in status.general_settings(store().site):
        if setting["id"] == name:
            return answer(setting)
    raise RestProblem("rest_setting_setting_invalid", "Invalid setting.", 404)


@blueprint.route("/<path:unknown>", methods=_METHODS)
def _no_route(unknown: str) -> Response:
    del unknown
    raise no_route()
