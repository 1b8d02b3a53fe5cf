"""A scorecard as CSV: what each bin of each of a party's columns is worth.

    column,bin,low,high,level,logit,points
    (base),,,,,-2.1,540.7
    age,"<= 25",,25.0,,0.41,-11.8
    age,blank,,,,0.0,-0.0
    region,north,,,north,-0.2,5.8
    income,each unit beyond 2100,2100.0,,,0.0001,-0.003

A row holds where low < value <= high, or value = level; `each unit` counts from low, where no other row
of its column holds.  Points are -logit / (ln 2 / pdo); the
base of the guest's card also holds base_score - ln(base_odds) / (ln 2 / pdo), so that the points of all
parties' cards together are the customer's.  Numbers are written in full.
"""

from __future__ import annotations

import csv
import io
from math import isfinite
from typing import Any

from parties.exports.card import Card, Case, Code, Interval, Level, Unit
from vfl.stats.scorecard import Scorecard

HEAD = ("column", "bin", "low", "high", "level", "logit", "points")
BASE = "(base)"


def scorecard_csv(card: Card, scale: Scorecard) -> str:
    """Return the card's file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    writer.writerow((BASE, "", "", "", "", repr(card.base), repr(base_points(card, scale))))
    for term in card.terms:
        writer.writerows((term.column, *_row(case, scale)) for case in term.cases)
    return text.getvalue()


def base_points(card: Card, scale: Scorecard) -> float:
    """Return what every customer has before any bin counts; the guest's card carries the scale's offset."""
    return scale.base(card.base) if card.is_guests else scale.added(card.base)


def points_by_bin(card: Card, scale: Scorecard) -> dict[str, list[dict[str, Any]]]:
    """Return each column's bins with their points: {"bin": label, "points": exact}."""
    return {
        term.column: [{"bin": case.when.label, "points": scale.added(case.logit)} for case in term.cases]
        for term in card.terms
    }


def _row(case: Case, scale: Scorecard) -> tuple[str, ...]:
    low = high = level = ""
    match case.when:
        case Interval(a, b):
            low, high = (repr(end) if isfinite(end) else "" for end in (a, b))
        case Code(value):
            low = high = repr(value)
        case Level(text):
            level = text
        case Unit(around):
            low = repr(around)
    return case.when.label, low, high, level, repr(case.logit), repr(scale.added(case.logit))
