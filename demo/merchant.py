"""What a merchant does to install Pannier: follow links in a browser, and press the platform's button.

Only HTTP, as a browser speaks it; nothing here knows either side's insides.
"""

import html
import re
from typing import Final
from urllib.parse import urljoin

import requests

_TIMEOUT_S: Final = 120.0
_APPROVE: Final = re.compile(r'href="([^"]+)"[^>]*\bwc-auth-approve\b')
_FORM: Final = re.compile(r'<form method="post" action="([^"]*)"')
_KEY: Final = re.compile(r"\bpk_[A-Za-z0-9_-]+")


class InstallError(Exception):
    """The merchant stands before a page that does not say what was hoped for. One sentence."""


def install_woocommerce(pannier_url: str, shop_url: str) -> str:
    """Connect the shop at ``shop_url`` by way of its own page, and return the key that Pannier shows at the end.

    The shop's server posts its keys to Pannier meanwhile.

    Raises:
        InstallError: if a page on the way says no.
    """
    with _browser() as browser:
        page = _open(browser, "GET", f"{pannier_url}/install/woocommerce", params={"store_url": shop_url})
        button = _APPROVE.search(page.text)
        if button is None:
            raise InstallError(f"The shop at {shop_url} shows no Approve button: {_said(page)}")
        return _key(_open(browser, "GET", html.unescape(button[1])))


def install_shopify(app_page: str) -> str:
    """Install the app that the admin shows at ``app_page``, and return the key that Pannier's home shows.

    The admin sends the browser there with a session token, which Pannier exchanges for an access token.

    Raises:
        InstallError: if a page on the way says no.
    """
    with _browser() as browser:
        page = _open(browser, "GET", app_page)
        form = _FORM.search(page.text)
        if form is not None:
            page = _open(browser, "POST", urljoin(page.url, html.unescape(form[1])))
        return _key(page)


def _browser() -> requests.Session:
    browser = requests.Session()
    browser.trust_env = False
    return browser


def _open(
    browser: requests.Session, method: str, url: str, params: dict[str, str] | None = None
) -> requests.Response:
    try:
        page = browser.request(method, url, params=params, timeout=_TIMEOUT_S)
    except requests.RequestException as error:
        raise InstallError(f"Nobody answers at {url.partition('?')[0]}.") from error
    if page.status_code != 200:
        raise InstallError(f"{page.url.partition('?')[0]} answers {page.status_code}: {_said(page)}")
    return page


def _key(page: requests.Response) -> str:
    key = _KEY.search(page.text)
    if key is None:
        raise InstallError(f"Pannier shows no key at the end: {_said(page)}")
    return key[0]


def _said(page: requests.Response) -> str:
    """Return the words of a page, without its style and tags."""
    words = re.sub(r"<style.*?</style>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return " ".join(html.unescape(words).split())[:300]
