"""Why a decision came out as it did, in OpenFeature's words, and where the answer was held.

https://openfeature.dev/specification/types#resolution-reason
"""

from typing import Final

STATIC: Final = "STATIC"  # nothing was to be decided: the merchant's fixed list, and no condition to it
DEFAULT: Final = "DEFAULT"  # the learned model, without a rule or an experiment
TARGETING_MATCH: Final = "TARGETING_MATCH"  # a rule of the merchant's fired
SPLIT: Final = "SPLIT"  # an arm of an experiment, the hold-out or a control group
CACHED: Final = "CACHED"  # the bytes of an answer that was made before
DISABLED: Final = "DISABLED"  # the slot is paused
STALE: Final = "STALE"  # a model that was kept because the newer one was worse
UNKNOWN: Final = "UNKNOWN"  # by a caller that does not say
ERROR: Final = "ERROR"  # something failed, and the shopper got less than there is

REASONS: Final = (STATIC, DEFAULT, TARGETING_MATCH, SPLIT, CACHED, DISABLED, STALE, UNKNOWN, ERROR)

MADE: Final = "made"  # for this request
READY: Final = "ready"  # held as bytes
CACHES: Final = (MADE, READY)
