"""Product pictures: flat drawings made from what a product's name says; nothing comes from elsewhere.

The kind of thing decides the drawing, colour words decide the palette, and words such as "polka dot" or
"gingham" the pattern on its surface. The same product always gets the same picture.
"""

import re
import zlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

from demo.catalogue import Product

SIZE = 400


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one picture: thing, shade, highlight, contrast, background and thin lines."""

    main: str
    dark: str
    light: str
    accent: str
    backdrop: str
    line: str = "#5b4a42"


_PALETTES: dict[str, Palette] = {
    "red": Palette("#c8423f", "#8f2b2c", "#fbe9e2", "#f1c25b", "#f8e6df"),
    "pink": Palette("#e38aa4", "#b85a78", "#fdeef2", "#8fb9a8", "#fbeaef"),
    "blue": Palette("#5b8fb9", "#35608a", "#e9f2f8", "#f0b86e", "#e4eef5"),
    "green": Palette("#7fa77c", "#4f7a54", "#eef5ea", "#e0916c", "#e8f0e3"),
    "white": Palette("#f4efe6", "#b9a995", "#fffdf8", "#c98b7b", "#e3e4dc", "#8a7766"),
    "cream": Palette("#efe0c2", "#b99f73", "#fffaf0", "#a4685c", "#f3ecdf"),
    "black": Palette("#4a4a52", "#26262c", "#f0eeea", "#c9a86a", "#e7e4e0", "#26262c"),
    "silver": Palette("#b9c1c9", "#7c8791", "#f4f7f9", "#8fa8c9", "#e9edf0"),
    "gold": Palette("#d8b25a", "#9c7829", "#fdf5dc", "#a65d57", "#f7efdb"),
    "purple": Palette("#9a80b8", "#674f88", "#f2ecf8", "#e6b566", "#eee8f4"),
    "yellow": Palette("#efc75e", "#bb8f2b", "#fff7dd", "#6f9fb5", "#fbf3d9"),
    "orange": Palette("#e59a5c", "#b0662d", "#fdf0e3", "#6f9b93", "#faecdd"),
    "brown": Palette("#a77b5a", "#6f4d36", "#f6ebe0", "#d9a05b", "#f1e7dc"),
    "teal": Palette("#62a5a4", "#38706f", "#e6f3f2", "#eb9c7d", "#e1efee"),
}
_COLOURS = (
    ("red", "red|retro spot|cherry|strawberry|ruby|holly|santa|union jack|toadstool|cerise"),
    ("pink", "pink|rose|roses|sweetheart|blossom|raspberry|fuchsia|babushka"),
    ("green", "green|apple|apples|mint|pistachio|olive|botanical|herb|leaf|woodland|tree"),
    ("blue", "blue|turquoise|aqua|seaside|denim|spaceboy|union|midnight"),
    ("purple", "purple|lavender|lilac|amethyst|violet"),
    ("yellow", "yellow|lemon|sunflower|daisy|honey|chick"),
    ("orange", "orange|amber|vintage|retro"),
    ("brown", "chocolate|brown|wicker|wood|wooden|rattan|bamboo|coffee"),
    ("gold", "gold|copper|brass|antique"),
    ("silver", "silver|zinc|metal|crystal|slate|grey"),
    ("black", "black|skull|skulls|jet|gothic"),
    ("cream", "cream|ivory|vanilla|natural|paper"),
    ("white", "white|pearl|porcelain|lace|doily"),
)
_COLOUR_PATTERNS = tuple((name, re.compile(rf"\b(?:{words})\b", re.I)) for name, words in _COLOURS)
_FREE_COLOURS = ("teal", "pink", "blue", "orange", "green", "purple", "yellow", "red")

_PATTERNS: tuple[tuple[str, str, str], ...] = (
    (
        "dots",
        "spot|spots|spotty|polka|dot|dots|toadstool",
        '<circle cx="12" cy="12" r="6"/><circle cx="36" cy="36" r="6"/>',
    ),
    (
        "hearts",
        "heart|hearts|sweetheart|love|lovebird",
        '<path d="M24 36C12 28 9 22 12 17c3-4 9-3 12 3 3-6 9-7 12-3 3 5 0 11-12 19z"/>',
    ),
    (
        "stars",
        "star|stars|christmas|spaceboy|magic",
        '<path d="M24 10l4 9 10 1-8 7 3 10-9-5-9 5 3-10-8-7 10-1z"/>',
    ),
    ("stripes", "stripe|stripes|stripey|candy|circus|diner|50s", '<path d="M0 0h12v48H0zM24 0h12v48H24z"/>'),
    ("checks", "gingham|check|tartan|patchwork|kitchen", '<path d="M0 0h24v24H0zM24 24h24v24H24z"/>'),
    (
        "flowers",
        "flower|flowers|floral|rose|roses|daisy|botanical|blossom|regency|garden|cottage|morris|peony|spring",
        '<circle cx="24" cy="15" r="6"/><circle cx="33" cy="24" r="6"/>'
        '<circle cx="24" cy="33" r="6"/><circle cx="15" cy="24" r="6"/>',
    ),
    (
        "rings",
        "paisley|doily|doilies|lace|baroque|damask|filigree|suki|kashmiri|vintage",
        '<g fill="none" stroke-width="3"><circle cx="24" cy="24" r="13"/><circle cx="24" cy="24" r="5"/></g>',
    ),
    (
        "leaves",
        "leaf|leaves|woodland|apple|apples|pears|strawberry|cherry|fruit|folkart|scandinavian",
        '<path d="M12 34C10 20 20 10 36 12c2 14-8 24-24 22z"/>',
    ),
)
_PATTERN_WORDS = tuple((name, re.compile(rf"\b(?:{words})\b", re.I), tile) for name, words, tile in _PATTERNS)


@lru_cache(maxsize=4096)
def picture(product: Product) -> str:
    """Return the product's picture as an SVG document, 400 by 400."""
    palette = _palette(product)
    tile = next((tile for _, words, tile in _PATTERN_WORDS if words.search(product.name)), None)
    colours = {
        "fill": "url(#p)" if tile else "none",
        "main": palette.main,
        "dark": palette.dark,
        "light": palette.light,
        "accent": palette.accent,
        "line": palette.line,
    }
    pattern = _pattern(tile, palette) if tile else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}">'
        f"<title>{escape(product.name)}</title>{pattern}"
        f'<rect width="{SIZE}" height="{SIZE}" fill="{palette.backdrop}"/>'
        f'<circle cx="200" cy="196" r="158" fill="#fff" opacity=".55"/>'
        f'<ellipse cx="200" cy="330" rx="112" ry="12" fill="{palette.dark}" opacity=".16"/>'
        f"{Template(motifs()[product.motif]).substitute(colours)}</svg>"
    )


@cache
def motifs() -> dict[str, str]:
    """Return the drawings of ``demo/motifs.svg`` by name, with their placeholders."""
    sprite = (Path(__file__).parent / "motifs.svg").read_text(encoding="utf-8")
    return {
        name: body.strip()
        for name, body in re.findall(r'<symbol id="(\w+)">(.*?)</symbol>', sprite, re.DOTALL)
    }


def _palette(product: Product) -> Palette:
    named = [
        (match.start(), name) for name, words in _COLOUR_PATTERNS if (match := words.search(product.name))
    ]
    plain = [found for found in named if re.search(rf"\b{found[1]}\b", product.name, re.I)]
    if plain or named:
        return _PALETTES[min(plain or named)[1]]
    return _PALETTES[_FREE_COLOURS[zlib.crc32(product.code.encode()) % len(_FREE_COLOURS)]]


def _pattern(tile: str, palette: Palette) -> str:
    colour = palette.dark if palette.main in {"#f4efe6", "#efe0c2"} else "#ffffff"
    return (
        '<pattern id="p" width="48" height="48" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(8) scale(.8)">'
        f'<g fill="{colour}" stroke="{colour}" stroke-width="0" opacity=".5">{tile}</g></pattern>'
    )
