"""Make the committed sample from the original data set: ``python -m demo.extract ONLINE_RETAIL_II.csv``.

The input is the workbook of UCI data set 502 with its sheets saved as one UTF-8 CSV file under the original
column names (``Invoice, StockCode, Description, Quantity, InvoiceDate, Price, Customer ID, Country``). The
output goes to ``demo/data``: per shop one gzip CSV of products and one of orders. ``ATTRIBUTION.md`` beside
them says what is changed on the way. The same input always gives the same bytes.
"""

import csv
import gzip
import io
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median_low

DATA = Path(__file__).parent / "data"
WINDOWS = {  # first day and the day after the last
    "shopify": ("2010-09-16", "2010-11-06"),
    "woocommerce": ("2011-05-03", "2011-07-14"),
}
LARGEST_BASKET = 60  # distinct products; above it the data set holds wholesale orders
CANCELLED_WITHIN = timedelta(days=3)
GOODS = re.compile(r"\d{5}[A-Z]*")

_WORDS = {
    "ASS": "Assorted",
    "ASST": "Assorted",
    "ASSTD": "Assorted",
    "ASSORT": "Assorted",
    "B'FLY": "Butterfly",
    "B'DRAW": "Bedside Drawer",
    "BLK": "Black",
    "C/COVER": "Cushion Cover",
    "CHOC": "Chocolate",
    "COL": "Colour",
    "COLS": "Colours",
    "COLOURSET": "Colour Set",
    "DEC": "Decoration",
    "DES": "Designs",
    "DESGN": "Design",
    "DOILEY": "Doily",
    "F.FAIRY": "Flower Fairy",
    "FUSCHIA": "Fuchsia",
    "L.BLUE": "Light Blue",
    "LT.BLUE": "Light Blue",
    "M.O.P": "Mother of Pearl",
    "M/COLOUR": "Multicolour",
    "MIDN'T": "Midnight",
    "MOP": "Mother of Pearl",
    "NECKL": "Necklace",
    "P'WEIGHT": "Paperweight",
    "P/FRAME": "Photo Frame",
    "POLKADOT": "Polka Dot",
    "POLKADOTS": "Polka Dots",
    "RETROSPOT": "Retro Spot",
    "SIL'T": "Silhouette",
    "SKULLS": "Skulls",
    "SQU": "Square",
    "T-LITE": "T-Light",
    "T-LIGHT": "T-Light",
    "T-LIGHTS": "T-Lights",
    "TASSLE": "Tassel",
    "TLIGHT": "T-Light",
    "TLIGHTS": "T-Lights",
    "TURQ": "Turquoise",
    "TURQUOIS": "Turquoise",
    "W": "with",
    "W/SUCKER": "with Sucker",
    "W/SUCK": "with Sucker",
    "XMAS": "Christmas",
    "&": "and",
    "+": "and",
}
_SMALL = frozenset(
    (
        "a",
        "and",
        "at",
        "de",
        "des",
        "du",
        "for",
        "from",
        "in",
        "la",
        "of",
        "on",
        "or",
        "the",
        "to",
        "with",
        "your",
    )
)
_CAPITALS = frozenset(
    ("3D", "ABC", "BBQ", "DIY", "DVD", "I", "II", "III", "IPOD", "LED", "TV", "UK", "USA", "USB")
)


@dataclass(slots=True)
class Invoice:
    """One invoice or credit note: when, whose, and the pieces of each product."""

    at: datetime
    customer: str
    pieces: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Kept:
    """An order of the sample with the returns that were found for it."""

    invoice: Invoice
    left: Counter[str]
    refunds: list[tuple[datetime, Counter[str]]] = field(default_factory=list)


def main(arguments: list[str]) -> int:
    """Write the sample of both shops from the CSV file named in ``arguments``; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m demo.extract ONLINE_RETAIL_II.csv", file=sys.stderr)
        return 2
    rows = [row for row in _rows(Path(arguments[0])) if GOODS.match(row["StockCode"])]
    for shop, (start, end) in WINDOWS.items():
        part = [row for row in rows if start <= row["InvoiceDate"] < end]
        products, orders = _sample(part)
        _write(DATA / f"{shop}-products.csv.gz", ("code", "name", "price"), products)
        _write(
            DATA / f"{shop}-orders.csv.gz",
            ("placed_at", "customer", "lines", "refunds", "cancelled_at"),
            orders,
        )
        print(f"{shop}: {len(products)} products, {len(orders)} orders")
    return 0


def readable(name: str) -> str:
    """Return a stock keeper's product name as a shop would print it.

    >>> readable("WHITE HANGING HEART T-LIGHT HOLDER")
    'White Hanging Heart T-Light Holder'
    >>> readable("S/4 ASSTD. SPOTTY MUGS,LARGE 15CM")
    'Set of 4 Assorted Spotty Mugs, Large 15 cm'
    """
    text = name.upper().replace("\\", " ").replace('"', " ").lstrip("* ")
    text = re.sub(r"\bDOTCOMGIFTSHOP\.COM\b", "", text)
    text = re.sub(r"\b(SET|PACK|BOX|BASKET)\s*(?:/|OF)\s*(\d+)\b", r"\1 OF \2", text)
    text = re.sub(r"\b(?:S/|SET ?)(\d+)\b(?!\s*(?:X|CM))", r"SET OF \1", text)
    text = re.sub(r"(?<=[A-Z])\+(?=[A-Z0-9])", " AND ", text)
    text = re.sub(r"\s*,\s*", ", ", text).strip(" ,.")
    text = re.sub(r"(\d)(\d)'S\b", r"\1\2S", text)
    text = re.sub(
        r"(?<![A-Z.])(\d+(?:\.\d+)?) ?(CM|MM|M|G|KG|L|ML|W)\b", lambda m: f"{m[1]} {m[2].lower()}", text
    )
    text = re.sub(r"(?<=\d)(?:CM)?X(?=\d[\dX]*(?:\.\d+)? cm)", " x ", text)
    words = [_word(word) for word in text.split()]
    if words:
        words[0] = words[0][:1].upper() + words[0][1:]
    return " ".join(words)


def _word(word: str) -> str:
    bare = word.rstrip(".,")
    tail = "," if word.endswith(",") else ""
    if bare in _WORDS:
        return _WORDS[bare] + tail
    if bare.lower() in _SMALL:
        return bare.lower() + tail
    if bare in _CAPITALS or bare.islower():
        return bare + tail
    if re.fullmatch(r"\d+S", bare):
        return bare.lower() + tail
    return re.sub(r"(?<![A-Za-z'])[a-z]", lambda m: m[0].upper(), bare.lower()) + tail


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            row["StockCode"] = row["StockCode"].strip().upper()
            yield row


def _sample(rows: list[dict[str, str]]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return the product rows and the order rows of one shop."""
    priced = [row for row in rows if row["Description"].strip() and float(row["Price"]) > 0]
    sold = [row for row in priced if int(row["Quantity"]) > 0 and not row["Invoice"].startswith("C")]
    back = [row for row in priced if int(row["Quantity"]) < 0 and row["Invoice"].startswith("C")]
    invoices = [i for i in _invoices(sold).values() if len(i.pieces) <= LARGEST_BASKET]
    invoices.sort(key=lambda invoice: (invoice.at, sorted(invoice.pieces)))
    kept = [Kept(invoice, invoice.pieces.copy()) for invoice in invoices]
    _attach_returns(kept, _invoices(back).values())
    codes = {code for order in kept for code in order.invoice.pieces}
    customers: dict[str, int] = {}
    return _products(row for row in sold if row["StockCode"] in codes), [_order(k, customers) for k in kept]


def _invoices(rows: Iterable[dict[str, str]]) -> dict[str, Invoice]:
    found: dict[str, Invoice] = {}
    for row in rows:
        at = datetime.fromisoformat(row["InvoiceDate"])
        invoice = found.setdefault(row["Invoice"], Invoice(at, row["Customer ID"].strip()))
        invoice.pieces[row["StockCode"]] += abs(int(row["Quantity"]))
    return found


def _attach_returns(orders: list[Kept], notes: Iterable[Invoice]) -> None:
    """Give each credited piece to the customer's latest earlier order that still holds so many of it.

    Credit notes do not name their invoice in the data set, so this is the likeliest one.
    """
    by_customer: defaultdict[str, list[Kept]] = defaultdict(list)
    for order in orders:
        by_customer[order.invoice.customer].append(order)
    for credit in sorted(notes, key=lambda c: (c.at, sorted(c.pieces))):
        if not credit.customer:
            continue
        earlier = [o for o in reversed(by_customer[credit.customer]) if o.invoice.at < credit.at]
        for code, pieces in sorted(credit.pieces.items()):
            source = next((o for o in earlier if o.left[code] >= pieces), None)
            if source is None:
                continue
            source.left[code] -= pieces
            if not source.refunds or source.refunds[-1][0] != credit.at:
                source.refunds.append((credit.at, Counter()))
            source.refunds[-1][1][code] += pieces


def _order(order: Kept, customers: dict[str, int]) -> tuple[str, ...]:
    invoice = order.invoice
    customer = ""
    if invoice.customer:
        customer = str(customers.setdefault(invoice.customer, len(customers) + 1))
    cancelled = ""
    refunds = order.refunds
    if refunds and not any(order.left.values()) and refunds[-1][0] - invoice.at <= CANCELLED_WITHIN:
        cancelled, refunds = _minute(refunds[-1][0]), []
    returned = ";".join(f"{_minute(at)} {_pieces(pieces)}" for at, pieces in refunds)
    return (_minute(invoice.at), customer, _pieces(invoice.pieces), returned, cancelled)


def _products(rows: Iterable[dict[str, str]]) -> list[tuple[str, ...]]:
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    prices: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        names[row["StockCode"]][row["Description"].strip()] += 1
        prices[row["StockCode"]].append(max(1, round(float(row["Price"]) * 100)))
    return [
        (code, readable(min(names[code], key=lambda n: (-names[code][n], n))), str(median_low(prices[code])))
        for code in sorted(names)
    ]


def _pieces(pieces: Counter[str]) -> str:
    return " ".join(f"{code}:{count}" for code, count in sorted(pieces.items()))


def _minute(at: datetime) -> str:
    return at.isoformat(timespec="minutes")


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
