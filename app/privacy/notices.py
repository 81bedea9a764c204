"""What people are to be told: where what is kept of them comes from, what for, and what they may ask.

New Zealand's Privacy Act 2020 wants it for what is collected from somebody else than the person (information privacy
principle 3A, in force since 1 May 2026; Privacy Amendment Act 2025): the fact of collection, the purpose, the intended
recipients, name and address of the agency that collects and of the one that holds it, the law where one authorises it,
and the rights of access and correction. GDPR, Art. 14, asks for much the same.

The shop is the agency, Pannier's operator works for it; what only they know stands in the text as a blank in brackets.
"""

from typing import Any, Final

from sqlalchemy import Connection, select

from app.commerce.store import SHOPIFY, Store

_PURPOSE: Final = (
    "To recommend products: to learn which ones are bought together, what somebody may need next, and what they have "
    "already; and to measure whether that helps."
)
_RIGHTS: Final = (
    "You may ask the shop for a copy of what is kept of you, have it corrected, and have it erased: [contact of the "
    "shop]. You may complain to the Privacy Commissioner, or to the authority of your country."
)
_LAW: Final = (
    "No law requires it. It is collected under the Privacy Act 2020 (and, where it applies, the GDPR)."
)
_BLANK: Final = "[name and address of the {who}]"

_PLATFORM: Final = {
    "classes": ["customer id", "keyed hash of the e-mail address", "orders", "refunds", "carts"],
    "collected": "indirectly",
    "consent": "none needed: records of your purchases with this shop",
}


def notice_of(connection: Connection, store_id: int) -> list[dict[str, Any]]:
    """Return, for each source that the store has, what it gives, from whom, and the text of the notice.

    A source is the shop's platform, the shop's own pages, and each collector of imported orders.
    """
    platform, name, domain = connection.execute(
        select(Store.platform, Store.name, Store.domain).where(Store.id == store_id)
    ).one()
    shop = f"{name} ({domain})"
    by = "Shopify" if platform == SHOPIFY else "WooCommerce"
    sources = [
        {"source": "platform", "from": f"{by}, which keeps the shop's records", **_PLATFORM},
        {
            "source": "pages",
            "from": "your browser, on the shop's pages",
            "classes": [
                "keyed digest of a random visitor id", "views, searches, carts and purchases",
                "choices of consent",
            ],
            "collected": "directly",
            "consent": "analytics; preferences and marketing for what is meant for you alone",
        },
        *_imports(connection, store_id),
    ]  # fmt: skip
    return [source | {"notice": _text(source, shop)} for source in sources]


def as_text(notices: list[dict[str, Any]]) -> str:
    """Return notices as they are printed: Markdown, a section for each source."""
    return "\n".join(f"## {notice['source']}\n\n{notice['notice']}\n" for notice in notices)


def _imports(connection: Connection, store_id: int) -> list[dict[str, Any]]:
    rows = connection.exec_driver_sql(
        "SELECT channel, collected_by, min(started_at)::date, max(started_at)::date, sum(orders)"
        " FROM order_import WHERE store_id = %(store)s GROUP BY 1, 2 ORDER BY 1, 2",
        {"store": store_id},
    )
    return [
        {
            "source": f"import ({channel})",
            "from": collected_by or "[who collected the imported orders]",
            "classes": ["orders", "keyed hash of the e-mail address, where you agreed to it"],
            "collected": "indirectly",
            "consent": "to join the orders to you; without it they are kept without a buyer",
            "first": first.isoformat(),
            "last": last.isoformat(),
            "orders": int(orders),
        }
        for channel, collected_by, first, last, orders in rows
    ]


def _text(source: dict[str, Any], shop: str) -> str:
    directly = source["collected"] == "directly"
    lines = [
        f"{shop} has collected information about you{'' if directly else ' from somebody else than you'}.",
        f"What: {', '.join(source['classes'])}. No name, postal address, telephone number or e-mail address in clear.",
        f"From whom: {source['from']}.",
        f"What for: {_PURPOSE}",
        f"By whose leave: {source['consent']}.",
        "Who receives it: the shop, and Pannier's operator, who holds it for the shop: "
        f"{_BLANK.format(who='operator')}. Nobody else; it is not sold.",
        f"Who collects it: {shop}, {_BLANK.format(who='shop')}.",
        f"Law: {_LAW}",
        f"Your rights: {_RIGHTS}",
    ]
    return "\n".join(f"- {line}" for line in lines)
