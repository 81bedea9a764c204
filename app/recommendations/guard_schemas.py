"""The words of what never makes an answer personal, over HTTP."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.core.fields import Shape, Strict

MOST_WORDS: Final = 200
# What is no letter or digit is told by ASCII alone, so that the pattern means the same to every machine.
_LETTER: Final = r"[^\x00-/:-@\[-`{-\x7f]"
# A word of two letters or more, or several words; one asterisk may end it.
WORD: Final = Shape(
    rf"^(?:{_LETTER}{{2,}}|{_LETTER}+(?:[ '-]{_LETTER}+)+)\*?$",
    error="Not a word of 2 letters or more, or a phrase; only its end may be an asterisk.",
)


class GuardFields(Strict):
    """The merchant's own words."""

    words = fields.List(
        fields.String(validate=[WORD, validate.Length(max=60)]),
        required=True,
        validate=validate.Length(max=MOST_WORDS),
        metadata={
            "description": "Words and phrases beside the built-in ones, in any case of letters; with an asterisk at the"
            " end also what begins so."
        },
    )


class GuardState(Schema):
    """What never makes an answer personal."""

    words = fields.List(
        fields.String(), required=True, metadata={"description": "The merchant's own, in their order."}
    )
    built_in = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        required=True,
        metadata={"description": "What always counts, by subject."},
    )
    updated_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "When the merchant last changed them."}
    )
