"""A half as one SQL query: a CASE expression for each column, in words that every database knows.

Numbers are approximate literals (1.5E0), so that databases add doubles and not decimals.  A blank
is NULL; texts that are blank but for spaces count as blanks too, as they do in files.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from parties.exports.card import Blank, Card, Code, Interval, Level, Other, Term, Unit


def sql_query(card: Card, table: str, id: str) -> str:
    """Return a query that gives each row's `id` and this party's part of its logit."""
    who = "the guest's" if card.is_guests else "a host's"
    parts = [_number(card.base), *map(_expression, card.terms)]
    return (
        f"-- {who} half of the model of run {card.run}: its part of {card.said};\n"
        f"-- the sum of all parties' parts is the joint model's {card.output}\n"
        f"SELECT {_name(id)},\n  " + "\n  + ".join(parts) + f'\n  AS "{card.output}"\nFROM {_name(table)};\n'
    )


def _expression(term: Term) -> str:
    return f"CASE {' '.join(_branches(term))} END"


def _branches(term: Term) -> Iterator[str]:
    column, otherwise = _name(term.column), term.worth(Other)
    blank = f"{column} IS NULL" if term.numeric else f"{column} IS NULL OR TRIM({column}) = ''"
    yield f"WHEN {blank} THEN {_number(term.worth(Blank))}"
    last = _number(otherwise)
    is_unit = any(isinstance(case.when, Unit) for case in term.cases)
    for case in term.cases:
        match case.when:
            case Code(value):
                yield f"WHEN {column} = {_number(value)} THEN {_number(case.logit)}"
            case Interval(_, high) if high < inf:
                yield f"WHEN {column} <= {_number(high)} THEN {_number(case.logit)}"
            case Interval(low, _) if is_unit:
                yield f"WHEN {column} > {_number(low)} THEN {_number(case.logit)}"
            case Interval():
                last = _number(case.logit)
            case Level(text):
                yield f"WHEN {column} = {_text(text)} THEN {_number(case.logit)}"
            case Unit(around):
                last = f"{_number(case.logit)} * ({column} - {_number(around)})"
    yield f"ELSE {last}"


def _number(value: float) -> str:
    digits, _, exponent = f"{value!r}".partition("e")
    number = f"{digits}E{int(exponent or 0)}"
    return f"({number})" if value < 0 else number


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
