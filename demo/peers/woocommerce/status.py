"""What the store says of itself: the index, the system status and the general settings."""

from collections.abc import Sequence
from typing import Any

from demo.peers.woocommerce.site import Site

NAMESPACES = (
    "oembed/1.0",
    "wc/store",
    "wc/store/v1",
    "wc/v1",
    "wc/v2",
    "wc/v3",
    "wc-analytics",
    "wp/v2",
    "wp-site-health/v1",
    "wp-block-editor/v1",
)


def site_index(site: Site, more: Sequence[str] = ()) -> dict[str, Any]:
    """Return the answer of ``/wp-json/``, which needs no key; ``more`` are the namespaces of plugins."""
    namespaces = [*NAMESPACES, *more]
    return {
        "name": site.name,
        "description": "",
        "url": site.url,
        "home": site.url,
        "gmt_offset": site.gmt_offset,
        "timezone_string": site.zone_name,
        "page_for_posts": 0,
        "page_on_front": 0,
        "show_on_front": "posts",
        "namespaces": namespaces,
        "authentication": {},
        "routes": {f"/{name}": {"namespace": name, "methods": ["GET"]} for name in namespaces},
        "site_logo": 0,
        "site_icon": 0,
        "site_icon_url": "",
        "_links": {"help": [{"href": "https://developer.wordpress.org/rest-api/"}]},
    }


def namespace_index(site: Site, paths: list[str]) -> dict[str, Any]:
    """Return the answer of ``/wp-json/wc/v3``, which needs no key either."""
    return {
        "namespace": "wc/v3",
        "routes": {
            f"/wc/v3/{path}": {"namespace": "wc/v3", "_links": {"self": [{"href": site.rest(path)}]}}
            for path in paths
        },
        "_links": {"up": [{"href": f"{site.home}wp-json/"}]},
    }


def system_status(site: Site) -> dict[str, Any]:
    """Return the answer of ``system_status``, in the parts a client can use."""
    return {
        "environment": {
            "home_url": site.url,
            "site_url": site.url,
            "version": site.woocommerce,
            "wp_version": site.wordpress,
            "wp_multisite": False,
            "wp_memory_limit": 268435456,
            "wp_debug_mode": False,
            "wp_cron": True,
            "language": "en_GB",
            "server_info": "nginx",
            "php_version": site.php,
            "default_timezone": "UTC",
            "remote_post_successful": True,
            "remote_get_successful": True,
        },
        "database": {"wc_database_version": site.woocommerce, "database_prefix": "wp_"},
        "active_plugins": [
            {
                "plugin": "woocommerce/woocommerce.php",
                "name": "WooCommerce",
                "version": site.woocommerce,
                "version_latest": site.woocommerce,
                "url": "https://woocommerce.com/",
                "author_name": "Automattic",
                "author_url": "https://woocommerce.com",
                "network_activated": False,
            }
        ],
        "theme": {"name": "Twenty Twenty-Five", "is_block_theme": True, "has_woocommerce_support": True},
        "settings": {
            "api_enabled": False,
            "force_ssl": False,
            "currency": site.currency,
            "currency_symbol": site.symbol,
            "currency_position": "left",
            "thousand_separator": ",",
            "decimal_separator": ".",
            "number_of_decimals": 2,
            "HPOS_enabled": site.hpos,
            "order_datastore": (
                "Automattic\\WooCommerce\\Internal\\DataStores\\Orders\\OrdersTableDataStore"
                if site.hpos
                else "WC_Order_Data_Store_CPT"
            ),
            "HPOS_sync_enabled": False,
        },
        "security": {
            "secure_connection": site.behind_tls or site.url.startswith("https://"),
            "hide_errors": True,
        },
    }


def general_settings(site: Site) -> list[dict[str, Any]]:
    """Return the answer of ``settings/general``."""
    values = {
        "woocommerce_store_address": ("Address line 1", "text", ""),
        "woocommerce_store_city": ("City", "text", ""),
        "woocommerce_default_country": ("Country / State", "select", "GB"),
        "woocommerce_calc_taxes": ("Enable taxes", "checkbox", "yes"),
        "woocommerce_enable_coupons": ("Enable coupons", "checkbox", "yes" if site.coupons_enabled else "no"),
        "woocommerce_currency": ("Currency", "select", site.currency),
        "woocommerce_currency_pos": ("Currency position", "select", "left"),
        "woocommerce_price_thousand_sep": ("Thousand separator", "text", ","),
        "woocommerce_price_decimal_sep": ("Decimal separator", "text", "."),
        "woocommerce_price_num_decimals": ("Number of decimals", "number", "2"),
    }
    return [
        {
            "id": name,
            "label": label,
            "description": "",
            "type": form,
            "default": value,
            "tip": "",
            "value": value,
            "group_id": "general",
            "_links": {
                "self": [{"href": site.rest(f"settings/general/{name}")}],
                "collection": [{"href": site.rest("settings/general")}],
            },
        }
        for name, (label, form, value) in values.items()
    ]
