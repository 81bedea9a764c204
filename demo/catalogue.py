"""The products of a demo shop: what they are called, what they cost, where they stand in the shop."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

DATA = Path(__file__).parent / "data"
CATEGORIES = (
    "Kitchen & Dining",
    "Candles & Lights",
    "Bags & Travel",
    "Party & Paper",
    "Christmas",
    "Garden & Outdoors",
    "Toys & Games",
    "Cards & Stationery",
    "Jewellery",
    "Home & Decor",
)

# The first kind whose word occurs in a product's name is the product's kind: (motif, category, words).
_KINDS: tuple[tuple[str, int, str], ...] = (
    ("hotwater", 9, "hot water bottle|hottie"),
    ("heart", 9, "heart of wicker|wicker heart|heart wicker"),
    ("star", 9, "wicker star|star wicker"),
    ("box", 0, "recipe box"),
    ("tin", 9, "plasters in tin|popcorn|pot pourri"),
    ("sewing", 6, "sewing kit|sewing box|craft trinket box"),
    ("cabinet", 4, "advent calendar"),
    ("card", 3, "toast its"),
    ("handwarmer", 9, "hand warmer"),
    ("lunchbag", 2, "lunch bag|lunch box|lunchbox|snack box"),
    ("cakestand", 0, "cakestand|cake stand|cake plate|pedestal"),
    ("cupcake", 0, "cake cases|cupcake|cake tin|cake decoration|cake tins|pudding|fairy cake|cakes"),
    ("chain", 3, "paper chain"),
    ("bunting", 3, "bunting|garland|flag|streamer"),
    ("gift", 3, "gift bag|gift box|gift boxes|gift set|treasure chest|boxes christmas"),
    ("wrap", 3, "wrap|gift tape|tape"),
    ("ribbon", 3, "ribbon|ribbons|bows|rosette"),
    ("napkins", 3, "napkin|tissue"),
    ("doily", 3, "doily|doilies|coaster|coasters|placemat|placemats|place setting"),
    ("balloons", 3, "balloon|balloons|party invites|invites|party cones|straws|confetti|candles, birthday"),
    ("umbrella", 2, "umbrella|parasol|rain mac"),
    ("necklace", 8, "necklace|necklaces|pendant|pearls|beads|lariat|choker"),
    ("earrings", 8, "earrings|earring"),
    ("bracelet", 8, "bracelet|bangle|ring|brooch|hair|hairclip|hairband|charm|anklet|watch|diamante"),
    ("key", 9, "key ring|keyring|key fob|key-ring|key chain|phone charm"),
    ("tag", 2, "luggage tag|passport|card holder|gift tag|tag|tags|labels"),
    ("suitcase", 2, "suitcase|airline bag|trolley|travel"),
    ("purse", 2, "purse|wallet|handbag|washbag|wash bag|make up|pouch|case|cosmetic|mini case"),
    ("candles", 1, "candles|taper|pillar"),
    ("lights", 1, "lights|light garland|fairy light|night light|string light"),
    ("lantern", 1, "lantern|candlestick|hurricane|chandelier|tealight house|incense"),
    ("candle", 1, "candle|t-light|t-lights|candleholder|votive|wick|oil burner|tea light"),
    ("lamp", 1, "lamp|lampshade|light shade|bulb|light"),
    ("teapot", 0, "teapot|tea pot|coffee pot|cafetiere|jug|tea set|milk pan|kettle|tea for one"),
    ("teacup", 0, "teacup|saucer|tea cup|cup and saucer|teatime"),
    ("mug", 0, "mug|mugs|beaker|cup|cups|tankard|egg cup"),
    ("cutlery", 0, "cutlery|spoon|spoons|fork|knife|chopsticks|tongs|kings choice"),
    (
        "whisk",
        0,
        "whisk|spatula|rolling pin|baking|measuring|cookie|biscuit|cutter|cutters|recipe|mould|grater|masher",
    ),
    ("scales", 0, "scales|scale|timer|thermometer"),
    ("apron", 0, "apron|oven glove|tea cosy|cosy|mitt|pot holder"),
    ("towel", 0, "tea towel|towel|towels|tablecloth|table run|flannel"),
    ("notebook", 7, "notebook|journal|sketchbook|book|diary|calendar|address|memo|album|planner|filofax"),
    (
        "pencils",
        7,
        "pencil|pencils|pen|pens|crayon|crayons|rubber|eraser|chalk|chalks|paint|ruler|stationery|sharpener",
    ),
    ("sticker", 7, "sticker|stickers|stamp|badges|patches|tattoo|tattoos"),
    ("card", 7, "card|cards|postcard|envelope|origami|writing set|letter set|decoupage"),
    ("jigsaw", 6, "jigsaw|puzzle|dominoes|domino|game|games|snap|playing|skittles|ludo|chess|bingo|snakes"),
    (
        "sewing",
        6,
        "sewing|knitting|craft|feltcraft|crochet|button|cotton reel|needle|patchwork|thread|embroidery|felt",
    ),
    ("dinosaur", 6, "dinosaur|dinosaurs"),
    ("doll", 6, "doll|dolls|babushka|dolly girl|fairy|soldier|ballerina|princess|playhouse|russian"),
    ("teddy", 6, "teddy|bear|soft toy|monkey|elephant|sock puppet|giraffe"),
    (
        "blocks",
        6,
        "toy|blocks|block|alphabet|spaceboy|spinning|yo-yo|marbles|kids|childrens|childs|baby|magic|circus|robot",
    ),
    (
        "watering",
        5,
        "watering can|trowel|garden fork|seed|garden glove|gardening|gardeners|kneeling|hose|spray",
    ),
    ("birdhouse", 5, "birdhouse|bird house|bird feeder|bird table|nesting|bird box|bath house"),
    ("plant", 5, "plant|planter|herb|pot|pots|cress|grow|grass|potting|hanging basket|flowerpot|cachepot"),
    ("stocking", 4, "stocking|stockings|socks|sock"),
    ("wreath", 4, "wreath|mistletoe|holly"),
    ("tree", 4, "christmas tree|tree|advent|nativity"),
    ("bauble", 4, "bauble|baubles|santa|reindeer|snowflake|snowman|snow|jingle|angel|icicle"),
    ("basket", 9, "basket|baskets|wicker|hamper|picnic|trug"),
    ("doormat", 9, "doormat|door mat|rug|bath mat|floor mat"),
    (
        "cushion",
        9,
        "cushion|pillow|filler pad|quilt|throw|blanket|seat pad|curtain|bean bag|hammock|deck ?chair",
    ),
    ("bag", 2, "bag|bags|shopper|tote|backpack|rucksack|satchel|carrier|shopping"),
    ("bowl", 0, "bowl|bowls|dish|pudding bowl|colander|sieve|ramekin|basin|mortar"),
    ("plate", 0, "plate|plates|platter|tray|trays|cheese board|chopping|board|cake slice|trivet"),
    ("jar", 0, "jar|jars|jam|pantry|cookie jar|sugar|preserve|honey|spice"),
    ("tin", 0, "tin|tins|canister|storage|bread bin|bin|container|caddy|food container|lunch"),
    ("bottle", 0, "bottle|bottles|decanter|carafe|flask|vinegar"),
    ("glass", 0, "tumbler|goblet|glasses|vase|champagne|wine glass|glass"),
    ("clock", 9, "clock|alarm|stopwatch"),
    ("mirror", 9, "mirror|mirrors"),
    ("frame", 9, "frame|frames|photo|picture|canvas|wall art|print|collage"),
    ("sign", 9, "sign|chalkboard|blackboard|plaque|slate|board|letters|billboard|noticeboard|message"),
    ("knob", 9, "knob|handle|bell|bells|paperweight|door stop|doorstop|bookend"),
    ("hook", 9, "hook|hooks|hanger|hangers|coat rack|rack|peg|pegs|holder"),
    (
        "cabinet",
        9,
        "cabinet|drawer|drawers|chest|shelf|shelves|table|chair|stool|cupboard|bench|trolley|stand",
    ),
    ("tile", 9, "tile|tiles|number|letter"),
    ("magnets", 9, "magnet|magnets"),
    ("star", 4, "tinsel|disco ball|hanging decoration|tree decoration|tree decorations|christmas decoration"),
    (
        "plant",
        5,
        "garden|gnome|windmill|toadstool|mushroom|frog|cactus|wind chime|windchime|beach|seaside|shell",
    ),
    ("doily", 3, "fan|honeycomb paper|paper ball|lei"),
    ("handwarmer", 9, "ear muff|hat|glove|scarf|slipper"),
    ("whisk", 0, "salad servers|washing up|food cover|scissor|opener|peeler|funnel|corkscrew|mill|shaker"),
    ("blocks", 6, "space cadet|monster|inflatable|mobile|boys|girls|spaceman|pirate|cowboy|rocket"),
    ("pencils", 7, "hole punch|stapler|desk|office|telephone|paper clips"),
    ("box", 9, "box|boxes|trinket|money bank|bank|coffer|pill"),
    (
        "soap",
        9,
        "soap|sponge|bath|toilet|bathroom|tissue box|plasters|balm|hand cream|scent|fragrance|room spray",
    ),
    ("butterfly", 9, "butterfly|butterflies|dragonfly|bee|ladybird"),
    ("rabbit", 9, "rabbit|bunny|bunnies|hare"),
    ("cat", 9, "cat|cats|kitten|dog|dogs|puppy|fox"),
    ("bird", 9, "bird|birds|owl|hen|dove|chick|chicks|chicken|duck|ducks|robin|cockerel|lovebird"),
    ("flower", 9, "flower|flowers|rose|roses|daisy|lily|peony|bouquet|posy|blossom|tulip|foliage|leaf"),
    ("heart", 9, "heart|hearts|love|valentine"),
    ("star", 9, "star|stars"),
    ("ornament", 9, ""),
)
_CHRISTMAS = re.compile(
    r"\b(christmas|santa|reindeer|snowflakes?|snowman|advent|baubles?|nativity|mistletoe|holly|jingle|noel|rudolph)\b",
    re.I,
)
_KIND_PATTERNS = tuple(
    (motif, category, re.compile(rf"\b(?:{words})s?\b", re.I)) for motif, category, words in _KINDS
)
_THEMES = re.compile(
    r"\b(vintage|retro spot|polka dot|paisley|union jack|regency|doily|apple|strawberry|cherry"
    r"|skulls?|woodland|spaceboy"
    r"|dolly girl|suki|botanical|babushka|gingham|scandinavian|victorian|edwardian|folkart|cottage"
    r"|zinc|enamel|ceramic"
    r"|wooden|glass|metal|felt|red|pink|blue|green|white|ivory|cream|black|silver|gold|purple)\b",
    re.I,
)


@dataclass(frozen=True)
class Product:
    """One product of a demo shop. ``price`` is in pence; ``number`` counts from 0 in the order of the codes.

    ``rank`` is its place by the number of orders that hold it, the best seller being 0. Where its price was written
    anew, ``written`` holds what that is compared with, or None.
    """

    number: int
    code: str
    name: str
    price: int
    rank: int
    written: tuple[int | None] | None = None

    @cached_property
    def handle(self) -> str:
        """The product's part of its page's address, unique in the shop."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.name.lower().replace("'", "")).strip("-")
        return f"{slug}-{self.code.lower()}"

    @cached_property
    def motif(self) -> str:
        """The kind of thing it is: the name of its drawing."""
        return _kind(self.name)[0]

    @cached_property
    def category(self) -> str:
        """One of ``CATEGORIES``, by what the name says."""
        return CATEGORIES[4] if _CHRISTMAS.search(self.name) else CATEGORIES[_kind(self.name)[1]]

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """Themes, materials and colours that the name mentions, each once, in order."""
        return tuple(dict.fromkeys(match.lower() for match in _THEMES.findall(self.name)))

    @cached_property
    def first_stock(self) -> int:
        """How many pieces the shop starts with: invented, the same on every run."""
        return 12 + _draw(self.code, "stock") % 220

    @cached_property
    def compare_at_price(self) -> int | None:
        """The struck-out price of the few products on sale, in pence: invented, unless it was written."""
        if self.written is not None:
            return self.written[0]
        if _draw(self.code, "sale") % 16:
            return None
        return -(-self.price * 5 // 4 // 5) * 5 + 5

    def at_price(self, price: int, was: int | None) -> "Product":
        """Return the product at another price, with what that is compared with (None: with nothing)."""
        return replace(self, price=price, written=(was,))


@dataclass(frozen=True, slots=True)
class Listing:
    """Where a product stands in the shop at one moment: ``status`` is active, draft or archived.

    ``visible`` is False for an active product that the merchant took out of the catalogue.
    """

    product: Product
    stock: int
    status: Literal["active", "draft", "archived"]
    visible: bool
    added_at: datetime
    updated_at: datetime

    @property
    def on_show(self) -> bool:
        """Whether shoppers can find it."""
        return self.status == "active" and self.visible

    @property
    def buyable(self) -> bool:
        """Whether shoppers can put it into a cart."""
        return self.status == "active" and self.stock > 0


def opening_listing(product: Product, at: datetime) -> Listing:
    """Return how the shop first lists ``product``: on show and in stock."""
    return Listing(product, product.first_stock, "active", True, at, at)


def present_listing(opening: Listing, at: datetime) -> Listing:
    """Return where the product stands today: a few sold out, drafts, hidden or archived, on purpose.

    The choice goes by rank, so that well-selling products are among them: what Pannier learned about them
    must not bring them back. Most products stand where they stood on the opening day.
    """
    rank = opening.product.rank
    if rank % 90 == 12:
        return replace(opening, stock=0, updated_at=at)
    match rank % 400:
        case 33:
            return replace(opening, status="draft", updated_at=at)
        case 77:
            return replace(opening, visible=False, updated_at=at)
        case 111:
            return replace(opening, status="archived", updated_at=at)
    return opening


@cache
def _kind(name: str) -> tuple[str, int]:
    return next((motif, category) for motif, category, words in _KIND_PATTERNS if words.search(name))


def _draw(code: str, what: str) -> int:
    """Return a number that is always the same for the same product and purpose."""
    return zlib.crc32(f"{what}:{code}".encode())


def read_products(platform: str, popularity: dict[str, int]) -> tuple[Product, ...]:
    """Return the shop's products in the order of their codes.

    Args:
        platform: ``shopify`` or ``woocommerce``.
        popularity: in how many orders each product code occurs.
    """
    rows = list(read_rows(platform, "products"))
    by_popularity = sorted((row["code"] for row in rows), key=lambda code: (-popularity.get(code, 0), code))
    rank = {code: place for place, code in enumerate(by_popularity)}
    return tuple(
        Product(number, row["code"], row["name"], int(row["price"]), rank[row["code"]])
        for number, row in enumerate(rows)
    )


def read_rows(platform: str, table: str) -> Iterator[dict[str, str]]:
    """Yield the rows of ``demo/data/<platform>-<table>.csv.gz`` as dictionaries of text."""
    with gzip.open(DATA / f"{platform}-{table}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def slug(name: str) -> str:
    """Return a category's name as it stands in addresses."""
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
