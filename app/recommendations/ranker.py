"""The learned ranker: LambdaMART over what speaks for the best candidates.

LightGBM (Ke et al., NeurIPS 2017) with the ``lambdarank`` objective (Burges, *From RankNet to LambdaRank to
LambdaMART*, 2010). Learned in jobs; what is served is its trees as flat arrays.
"""

from typing import Any, Final

import lightgbm
import numpy as np
import numpy.typing as npt

from app.recommendations.compiled import Floats
from app.recommendations.cooccurrence import Integers
from app.recommendations.scoring import FEATURES, Trees

TREES: Final = 200
_SETTINGS: Final = {
    "objective": "lambdarank",
    "learning_rate": 0.04,
    "num_leaves": 24,
    "max_depth": 6,
    "min_data_in_leaf": 150,
    "lambdarank_truncation_level": 15,
    "lambda_l2": 5.0,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    # More threads wait for each other busily where a worker shares its processor.
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


def learn(made: Floats, answers: npt.NDArray[np.bool_], lengths: Integers, seed: int) -> Trees | None:
    """Return trees that sort candidates, best first; None where there is nothing to learn from.

    Args:
        made: float64[n, f], features of the candidates of all requests, one request behind the other.
        answers: bool[n], which were bought.
        lengths: int64[q], how many candidates each request has.
        seed: of what is drawn.
    """
    if not len(lengths):
        return None
    data = lightgbm.Dataset(made, answers.astype(np.int64), group=lengths, feature_name=list(FEATURES))
    settings = {**_SETTINGS, "seed": seed}
    return trees_of(lightgbm.train(settings, data, TREES).dump_model())


def trees_of(dumped: dict[str, Any]) -> Trees:
    """Return LightGBM's dump as flat arrays."""
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    value: list[float] = []
    deepest = 0

    def add(node: dict[str, Any], depth: int) -> int:
        nonlocal deepest
        deepest = max(deepest, depth)
        place = len(feature)
        leaf = "leaf_value" in node
        feature.append(0 if leaf else int(node["split_feature"]))
        threshold.append(0.0 if leaf else float(node["threshold"]))
        value.append(float(node["leaf_value"]) if leaf else 0.0)
        left.append(place)
        right.append(place)
        if not leaf:
            left[place] = add(node["left_child"], depth + 1)
            right[place] = add(node["right_child"], depth + 1)
        return place

    roots = [add(tree["tree_structure"], 0) for tree in dumped["tree_info"]]
    return Trees(
        np.array(roots, np.int64),
        np.array(feature, np.int64),
        np.array(threshold),
        np.array(left, np.int64),
        np.array(right, np.int64),
        np.array(value),
        deepest,
    )
