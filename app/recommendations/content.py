"""How alike products are by what the shop says of them: title, category, vendor, tags, price.

This needs no orders, so it has something to say of a product on its first day. It says that products are
*similar*, never that they are bought together. Pure calculation; scikit-learn is imported in jobs only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Matrix = Any  # a scipy.sparse.csr_matrix: SciPy has no types, and is imported in jobs only

# Shares of a product's likeness, before each product's are scaled to a sum of one: the squares of its parts' lengths.
TITLE_SHARE: Final = 0.65
CATEGORY_SHARE: Final = 0.15
TAGS_SHARE: Final = 0.15
VENDOR_SHARE: Final = 0.05
# How much of the likeness a price that is wholly different takes away.
PRICE_SHARE: Final = 0.5
# Below this, what two products share says nothing.
MIN_SIMILARITY: Final = 0.1
# A word of more than this share of the products, but never one of so few products, is a stop word; so is whatever more
# than so many products share. The last bounds the work: it grows with the sum of the squares of these numbers.
_STOP_SHARE: Final = 0.2
_STOP_LEAST: Final = 20
_STOP_MOST: Final = 2_000
# Multiplications of one block of the product of the matrix with itself: at most 16 bytes each.
_BLOCK_WORK: Final = 4_000_000

# Scripts that put no space between words: each letter is a word, and pairs of letters do the work.
# Thai, Lao, Burmese, Khmer; kana, CJK ideographs and their compatibility forms.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
# Vowel signs of the Indic scripts are no letters to Python, but belong to their words.
_INDIC: Final = "\u0900-\u0dff"
WORD_PATTERN: Final = rf"(?:[^\W_{_UNSPACED}]|[{_INDIC}])+|[{_UNSPACED}]"


@dataclass(frozen=True, slots=True)
class Description:
    """What a shop says of a product. ``price`` is in minor units of ``currency``; None where unknown."""

    title: str
    category: str | None = None
    vendor: str | None = None
    tags: tuple[str, ...] = ()
    price: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Similar:
    """The most similar products of some products, as a ragged array.

    Attributes:
        rows: int64[r], the products asked about, as their places in the list of descriptions.
        indptr: int64[r + 1], where each row's part of the following begins and ends.
        others: int64[m], places of the similar products, the most similar first.
        similarity: float64[m], within [0, 1], rounded to four digits.
    """

    rows: Ints
    indptr: Ints
    others: Ints
    similarity: Floats


class Catalogue:
    """A catalogue of products, ready to be compared.

    The weight of a word is its tf-idf over the whole catalogue (Salton and Buckley, Information Processing &
    Management 24(5), 1988, as scikit-learn's ``TfidfVectorizer`` smooths it), of single words and of pairs of
    neighbours. Likeness is the cosine of the weighted parts, times a factor for the price:
    ``1 - PRICE_SHARE (1 - exp(-|ln(p / q)|))``, which is 1 for equal prices and where either is unknown or free.
    """

    def __init__(self, descriptions: Sequence[Description]) -> None:
        """Weigh the words of ``descriptions``, n of them; takes memory in the order of their length."""
        self.size = len(descriptions)
        self._vectors = _vectors(descriptions) if descriptions else None
        self._log_prices, self._currencies = _prices(descriptions)

    def similar(self, rows: npt.ArrayLike, candidates: npt.ArrayLike, limit: int) -> Iterator[Similar]:
        """Yield what is most similar to each of ``rows``, in blocks of rows, all rows in their order.

        Only ``candidates`` are given, never the product itself, at most ``limit`` and none below ``MIN_SIMILARITY``.
        Equal similarities go to the product that stands first in the catalogue. Memory is that of one block,
        whatever the number of rows, and never a dense matrix.

        Args:
            rows: int[r], places of products.
            candidates: bool[n], which products may be given.
            limit: at least 1.
        """
        wanted = np.asarray(rows, np.int64)
        allowed = np.flatnonzero(np.asarray(candidates, bool)).astype(np.int64)
        if self._vectors is None or not len(wanted):
            return
        columns: Matrix = self._vectors[allowed].T.tocsr()
        for block in _blocks(self._vectors[wanted], columns):
            asked = wanted[block]
            likeness = (self._vectors[asked] @ columns).tocoo()
            found = np.flatnonzero(likeness.data >= MIN_SIMILARITY)
            row = likeness.row[found].astype(np.int64)
            other = allowed[likeness.col[found]]
            values = likeness.data[found] * self._price_factor(asked[row], other)
            yield _best(asked, row, other, np.minimum(np.round(values, 4), 1.0), limit)

    def _price_factor(self, some: Ints, others: Ints) -> Floats:
        distance = np.abs(self._log_prices[some] - self._log_prices[others])
        known = np.isfinite(distance) & (self._currencies[some] == self._currencies[others])
        nearness = np.exp(-np.where(known, distance, 0.0))
        factor: Floats = 1.0 - PRICE_SHARE * (1.0 - nearness)
        return factor


def _best(asked: Ints, row: Ints, other: Ints, values: Floats, limit: int) -> Similar:
    """Return the ``limit`` best of each row."""
    kept = np.flatnonzero((values >= MIN_SIMILARITY) & (asked[row] != other))
    row, other, values = row[kept], other[kept], values[kept]
    order = np.lexsort((other, -values, row))
    row, other, values = row[order], other[order], values[order]
    starts = np.searchsorted(row, np.arange(len(asked) + 1))
    first = np.arange(len(row)) - starts[row] < limit
    counts = np.bincount(row[first], minlength=len(asked))
    return Similar(
        asked, np.concatenate(([0], np.cumsum(counts))).astype(np.int64), other[first], values[first]
    )


def _blocks(vectors: Matrix, columns: Matrix) -> Iterator[slice]:
    """Yield runs of rows whose products with ``columns`` take about ``_BLOCK_WORK`` multiplications each."""
    lengths = np.diff(columns.indptr).astype(np.int64)
    work = np.concatenate(([0], np.cumsum(lengths[vectors.indices])))[vectors.indptr]
    start = 0
    while start < vectors.shape[0]:
        end = int(np.searchsorted(work, work[start] + _BLOCK_WORK, side="right")) - 1
        end = min(max(end, start + 1), vectors.shape[0])
        yield slice(start, end)
        start = end


def _prices(descriptions: Sequence[Description]) -> tuple[Floats, npt.NDArray[Any]]:
    """Return the logarithms of prices, NaN where there is none, and the numbers of their currencies."""
    prices = np.array([d.price or np.nan for d in descriptions], np.float64)
    prices[~(prices > 0)] = np.nan
    currencies = np.unique([d.currency or "" for d in descriptions], return_inverse=True)[1]
    return np.log(prices), currencies


def _vectors(descriptions: Sequence[Description]) -> Matrix | None:
    """Return one row a product, of length 1, or 0 where nothing tells it apart; None where nothing tells any apart."""
    from scipy import sparse
    from sklearn.preprocessing import normalize

    most = min(_STOP_MOST, max(_STOP_LEAST, int(_STOP_SHARE * len(descriptions))))
    parts = [
        (TITLE_SHARE, _weigh([d.title for d in descriptions], most)),
        (CATEGORY_SHARE, _weigh([_labels([d.category]) for d in descriptions], most)),
        (TAGS_SHARE, _weigh([_labels(d.tags) for d in descriptions], most)),
        (VENDOR_SHARE, _weigh([_labels([d.vendor]) for d in descriptions], most)),
    ]
    scaled = [np.sqrt(share) * matrix for share, matrix in parts if matrix is not None]
    if not scaled:
        return None
    stack: Any = sparse.hstack
    return normalize(stack(scaled, format="csr"))


def _labels(names: Sequence[str | None]) -> list[str]:
    """Return names as they are compared: without regard to case and surrounding space."""
    return sorted({folded for name in names if (folded := (name or "").strip().casefold())})


def _weigh(texts: Sequence[str] | Sequence[list[str]], most: int) -> Matrix | None:
    """Return the tf-idf of titles, or of lists of labels; None where no word is left.

    Words of more than ``most`` products are left out.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    shape: dict[str, Any] = (
        {
            "strip_accents": "unicode",
            "token_pattern": WORD_PATTERN,
            "ngram_range": (1, 2),
            "sublinear_tf": True,
        }
        if isinstance(texts[0], str)
        else {"analyzer": list}
    )
    try:
        return TfidfVectorizer(max_df=most, **shape).fit_transform(texts)
    except ValueError:  # what scikit-learn raises where no text has a word, or every word is left out
        return None
