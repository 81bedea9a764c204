"""The compiled loop behind :mod:`app.recommendations.questions`. Imported in jobs only."""

import numpy as np
import numpy.typing as npt

from app.recommendations.compiled import Floats, compiled
from app.recommendations.cooccurrence import Integers


@compiled
def reciprocal_ranks(total: Floats, starts: Integers, answers: npt.NDArray[np.bool_]) -> Floats:
    """Return float64[q]: the sum of 1 / rank over each request's answers; of equal scores the first is above.

    Args:
        total: float64[n], the scores of the candidates of all requests, one request behind the other.
        starts: int64[q + 1], where each request begins.
        answers: bool[n], which candidates are answers.
    """
    sums = np.zeros(len(starts) - 1)
    for request in range(len(sums)):
        first, last = starts[request], starts[request + 1]
        for answer in range(first, last):
            if answers[answer]:
                score, rank = total[answer], 1
                for other in range(first, last):
                    if total[other] > score or (total[other] == score and other < answer):
                        rank += 1
                sums[request] += 1.0 / rank
    return sums
