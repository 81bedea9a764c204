"""Who asks: keys over https as Basic or in the query, over http as OAuth 1.0a with one leg.

Rules: WooCommerce 10.5.0, includes/class-wc-rest-authentication.php. Signatures are verified by calculating
them anew from what PHP sees of the query, so a client that signs something else is refused as it would be.
"""

import base64
import hmac
from collections.abc import Iterator
from urllib.parse import quote, unquote

from flask import Request, request

from demo.peers.woocommerce.arguments import Query, query_of
from demo.peers.woocommerce.keys import WINDOW_S, Key
from demo.peers.woocommerce.problems import RestProblem
from demo.peers.woocommerce.state import WooState

_OAUTH = (
    "oauth_consumer_key",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
)
_METHODS = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256"}
_BASIC_HINT = (
    'Basic realm="WooCommerce API. Use a consumer key in the username field and a consumer secret in the '
    'password field."'
)


def authenticate(state: WooState) -> Key | None:
    """Return the key that the current request is signed with, None if it has none that counts.

    A key that is not known counts as none over https, so its owner is told no more than a stranger.

    Raises:
        RestProblem: if a key was given and is refused.
    """
    over_tls = state.site.behind_tls or request.is_secure
    key = _by_secret(state, request) if over_tls else _by_signature(state, request)
    if key is not None and not key.allows(request.method):
        wanted = "read" if request.method in ("GET", "HEAD") else "write"
        raise _refused(f"The API key provided does not have {wanted} permissions.")
    return key


def _by_secret(state: WooState, asked: Request) -> Key | None:
    query = query_of(asked)
    name, secret = query.text("consumer_key"), query.text("consumer_secret")
    if not (name and secret):
        authorization = None if state.site.strips_authorization else asked.authorization
        if authorization is None or authorization.type != "basic":
            return None
        name, secret = authorization.username, authorization.password
    key = state.find_key(name) if name and secret else None
    if key is not None and not key.has_secret(secret or ""):
        raise RestProblem(
            "woocommerce_rest_authentication_error",
            "Consumer secret is invalid.",
            401,
            headers={"WWW-Authenticate": _BASIC_HINT},
        )
    return key


def _by_signature(state: WooState, asked: Request) -> Key | None:
    query = query_of(asked)
    lacking = [name for name in _OAUTH if not query.text(name)]
    if len(lacking) == len(_OAUTH):
        return None
    if lacking:
        plural = "s" if len(lacking) > 1 else ""
        raise RestProblem(
            "woocommerce_rest_authentication_missing_parameter",
            f"Missing OAuth parameter{plural} {', '.join(lacking)}",
            401,
        )
    key = state.find_key(query.text("oauth_consumer_key") or "")
    if key is None:
        raise _refused("Consumer key is invalid.")
    _check_signature(state, asked, query, key)
    _check_once(state, query, key)
    return key


def _check_signature(state: WooState, asked: Request, query: Query, key: Key) -> None:
    algorithm = _METHODS.get(query.text("oauth_signature_method") or "")
    if algorithm is None:
        raise _refused("Invalid signature - signature method is invalid.")
    home = "http://" + state.site.home.partition("://")[2].rstrip("/")
    address = quote(home + asked.path, safe="")
    pairs = "%26".join(quote(pair, safe="") for pair in _pairs(query))
    text = f"{asked.method}&{address}&{pairs}"
    digest = hmac.digest(f"{key.consumer_secret}&".encode(), text.encode(), algorithm)
    given = unquote((query.text("oauth_signature") or "").replace(" ", "+"))
    if not hmac.compare_digest(base64.b64encode(digest), given.encode()):
        raise _refused("Invalid signature - provided signature does not match.")


def _pairs(query: Query) -> Iterator[str]:
    """Yield ``name=value`` encoded once, sorted by name; lists as ``name[0]=value`` in their order."""
    for name in sorted(query.names()):
        if name == "oauth_signature":
            continue
        value = query.value(name)
        if isinstance(value, str):
            yield f"{quote(name, safe='')}={quote(value, safe='')}"
        else:
            for index, part in enumerate(value):
                yield f"{quote(name, safe='')}%5B{index}%5D={quote(part, safe='')}"


def _check_once(state: WooState, query: Query, key: Key) -> None:
    now = int(state.site.now().timestamp())
    try:
        timestamp = int(query.text("oauth_timestamp") or "")
    except ValueError:
        timestamp = 0
    if abs(now - timestamp) > WINDOW_S:
        raise _refused("Invalid timestamp.")
    if not state.keys.use_nonce(key, query.text("oauth_nonce") or "", timestamp, now):
        raise _refused("Invalid nonce - nonce has already been used.")


def _refused(message: str) -> RestProblem:
    return RestProblem("woocommerce_rest_authentication_error", message, 401)
