"""What must hold before the figures of an experiment mean anything.

**Sample ratio.** Visitors are dealt out to arms in stated shares. Where the counts differ from the shares by more than
chance allows (Pearson's chi-square, p < 0.001), some visitors of one arm were lost or counted twice, those are seldom
visitors like the others, and no figure can be trusted: it blocks the verdict (Fabijan et al., "Diagnosing sample ratio
mismatch in online controlled experiments", KDD 2019).

**Multiple exposure.** Visitors who came upon two arms are left out and counted. More than one in a hundred means that
who is who is not known well enough, and warns.

**Pre-exposure bias.** What visitors spent before their first exposure cannot depend on the arm. Where it does (Welch,
p < 0.001 divided by the number of arms compared), the arms were unlike from the beginning: by chance, in one experiment
of a thousand, or by a fault. It warns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.experiments.uplift import BEFORE, Metric, Totals, compare, computable, estimates

LEAST_P: Final = 0.001
MOST_MULTIPLE: Final = 0.01
# Pearson's chi-square is an approximation that asks for this many expected in each cell (Cochran, Biometrics 10, 1954).
FEWEST_EXPECTED: Final = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found.

    Attributes:
        name: ``sample_ratio``, ``multiple_exposure`` or ``pre_exposure``.
        passed: whether what was looked at is as it must be.
        blocks: whether there is no verdict unless it passes.
        p_value: of its being chance, where there is one.
        sentence: says it plainly.
        found: the figures looked at, by arm or by name.
    """

    name: str
    passed: bool
    blocks: bool
    p_value: float | None
    sentence: str
    found: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "passed": self.passed,
            "blocks": self.blocks,
            "p_value": self.p_value,
            "sentence": self.sentence,
            "found": dict(self.found),
        }


NO_PAST: Final = Check("pre_exposure", True, False, None, "Nothing is known of the time before.", {})


def sample_ratio(visitors: Mapping[str, int], shares: Mapping[str, float]) -> Check:
    """Check the numbers of visitors against the shares in which they were dealt out.

    Args:
        visitors: exposed visitors by arm.
        shares: by arm, in any unit: only their proportions count. Arms with a share of 0 have no visitors.

    Raises:
        ValueError: there are visitors in an arm that has no share.
    """
    from scipy.special import chdtrc

    shares = {arm: share for arm, share in shares.items() if share > 0.0}
    if strangers := sorted(arm for arm, count in visitors.items() if count and arm not in shares):
        raise ValueError(f"no share of visitors was planned for {', '.join(strangers)}")
    total, whole = sum(visitors.values()), sum(shares.values())
    counted = {arm: visitors.get(arm, 0) for arm in shares}
    expected = {arm: total * share / whole for arm, share in shares.items()}
    found = {arm: float(count) for arm, count in counted.items()}
    if len(shares) < 2 or min(expected.values()) < FEWEST_EXPECTED:
        return Check("sample_ratio", True, True, None, "Too few visitors to check how they are split.", found)
    statistic = sum((counted[arm] - expected[arm]) ** 2 / expected[arm] for arm in shares)
    p_value = float(chdtrc(len(shares) - 1, statistic))
    counts = ", ".join(f"{count:,} in {arm}" for arm, count in counted.items())
    if p_value >= LEAST_P:
        return Check("sample_ratio", True, True, p_value, f"Visitors are split as planned: {counts}.", found)
    planned = ", ".join(f"{round(count):,} in {arm}" for arm, count in expected.items())
    return Check(
        "sample_ratio", False, True, p_value,
        f"Visitors are not split as planned: {counts}, where {planned} were expected (p = {p_value:.1g})."
        " Some are lost or counted twice, and the figures cannot be trusted until it is known why.",
        found,
    )  # fmt: skip


def multiple_exposure(visitors: int, multiple: int) -> Check:
    """Check how many came upon more than one arm.

    Args:
        visitors: who came upon exactly one.
        multiple: who came upon several, and are left out.
    """
    share = multiple / (visitors + multiple) if visitors + multiple else 0.0
    found = {"multiple": float(multiple), "share": share}
    text = f"{multiple:,} visitors ({100.0 * share:.1f} %) came upon more than one arm and are left out"
    if share <= MOST_MULTIPLE:
        return Check("multiple_exposure", True, False, None, f"{text}.", found)
    return Check("multiple_exposure", False, False, None, f"{text}: more than the 1 % that is usual.", found)


def pre_exposure(arms: Mapping[str, Totals], control: str) -> Check:
    """Check that visitors of the arms had spent alike before.

    Args:
        arms: totals by arm, with the column ``before``.
        control: the arm that the others are compared with.
    """
    metric = Metric("before", BEFORE)
    if len(arms) < 2 or not computable(metric, arms):
        return NO_PAST
    spent = estimates(metric, arms)
    p_values = {arm: compare(spent[arm], spent[control]).p_value for arm in arms if arm != control}
    found = {arm: estimate.value for arm, estimate in spent.items()}
    worst = min(p_values, key=lambda arm: p_values[arm])
    if p_values[worst] >= LEAST_P / len(p_values):
        return Check(
            "pre_exposure", True, False, p_values[worst], "The arms' visitors had spent alike before.", found
        )
    return Check(
        "pre_exposure", False, False, p_values[worst],
        f"Visitors of {worst} had spent differently from those of {control} before they saw anything"
        f" (p = {p_values[worst]:.1g}): the arms were unlike from the beginning.",
        found,
    )  # fmt: skip
