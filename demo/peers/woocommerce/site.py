"""What is true of the whole site: its address, its versions, its money and its clock."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from demo.woocommerce_format import SYMBOLS, VERSION, WORDPRESS, gmt, price_html

_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")
# WordPress's rest_parse_date: a time zone is optional, fractions of a second are thrown away.
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z|z|[+-]\d{2}(?::?\d{2})?)?", re.ASCII
)


def _present() -> datetime:
    return datetime.now(UTC)


@dataclass
class Site:
    """Settings of a WordPress site with WooCommerce; all may be changed while it is served.

    Attributes:
        url: where it can be reached, without trailing slash.
        name: the site's title.
        currency: ISO 4217.
        timezone: an IANA name, or an offset such as ``+01:00`` as WordPress also allows.
        woocommerce: WooCommerce's version.
        wordpress: WordPress's version.
        php: PHP's version.
        hpos: whether orders are in tables of their own.
        behind_tls: whether PHP takes a plain request for https, as it does behind a proxy that says so. Then
            keys are read as Basic or from the query, otherwise as OAuth 1.0a.
        strips_authorization: whether the host keeps the Authorization header from PHP, as some do.
        pretty_permalinks: whether ``/wp-json/`` exists; with plain permalinks it does not.
        allow_http_callback: whether wc-auth accepts a callback without TLS. A real store does not.
        coupons_enabled: whether carts take coupons at all.
        clock: returns the present, timezone-aware.
    """

    url: str = "http://127.0.0.1:8002"
    name: str = "Teacup Lane"
    currency: str = "GBP"
    timezone: str = "Europe/Berlin"
    woocommerce: str = VERSION
    wordpress: str = WORDPRESS
    php: str = "8.3.14"
    hpos: bool = True
    behind_tls: bool = False
    strips_authorization: bool = False
    pretty_permalinks: bool = True
    allow_http_callback: bool = False
    coupons_enabled: bool = True
    clock: Callable[[], datetime] = field(default=_present, repr=False)

    @property
    def home(self) -> str:
        """WordPress's ``home_url('/')``: the address with a trailing slash."""
        return f"{self.url.rstrip('/')}/"

    def rest(self, path: str) -> str:
        """Return the address of ``path`` in the WooCommerce REST interface."""
        return f"{self.home}wp-json/wc/v3/{path}"

    @property
    def symbol(self) -> str:
        """The currency's sign as HTML."""
        return SYMBOLS[self.currency][1] if self.currency in SYMBOLS else self.currency

    def price_html(self, price: str) -> str:
        """Return a single price as a page shows it; nothing where there is no price."""
        if not price:
            return ""
        return price_html(price, self.symbol)

    @property
    def zone(self) -> tzinfo:
        """The time zone that local fields are in."""
        offset = _OFFSET.fullmatch(self.timezone)
        if offset is None:
            return ZoneInfo(self.timezone)
        sign, hours, minutes = offset.groups()
        distance = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-distance if sign == "-" else distance)

    @property
    def zone_name(self) -> str:
        """WordPress's ``timezone_string``: empty when the merchant chose an offset instead of a city."""
        return "" if _OFFSET.fullmatch(self.timezone) else self.timezone

    @property
    def gmt_offset(self) -> float:
        """Hours that the site's clock is ahead of UTC now."""
        offset = self.now().astimezone(self.zone).utcoffset() or timedelta()
        return offset.total_seconds() / 3600

    def now(self) -> datetime:
        """Return the present in UTC."""
        return self.clock().astimezone(UTC)

    def stamp(self) -> str:
        """Return the present as ``date_…_gmt`` fields write it: UTC, to the second, without a zone."""
        return gmt(self.now())

    def local(self, moment: str) -> str:
        """Return a ``date_…_gmt`` value as its local twin."""
        there = datetime.fromisoformat(moment).replace(tzinfo=UTC).astimezone(self.zone)
        return there.replace(tzinfo=None).isoformat(timespec="seconds")

    def bound(self, text: str) -> str:
        """Return a date filter's value as it is compared with the column, whichever column that is.

        A value with a zone is turned into the site's time, one without is taken as it is. So ``…Z`` together
        with ``dates_are_gmt`` is off by the site's offset, without any error.

        Raises:
            ValueError: if WordPress does not take ``text`` for a date.
        """
        match = _MOMENT.fullmatch(text)
        if match is None:
            raise ValueError("Invalid date.")
        day, time, zone = match.groups()
        moment = datetime.fromisoformat(f"{day}T{time}")
        if zone:
            aware = datetime.fromisoformat(f"{day}T{time}{zone.upper()}")
            moment = aware.astimezone(self.zone).replace(tzinfo=None)
        return moment.isoformat(timespec="seconds")
