"""Which party brings which columns of one X."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

GUEST, HOST, ARBITER = "guest", "host", "arbiter"

MOST_HOSTS = 8

Parties = Mapping[str, Sequence[str | int]]
"""The columns of each host, by name or position; the guest has all others."""


def columns_by_party(parties: Parties | None, names: Sequence[str], width: int) -> dict[str, list[int]]:
    """Return the positions of each party's columns, the guest's first.

    `names`: the columns' names, empty where X has none.  Without a map the guest has the first half and
    one host the rest.  Raises ValueError.
    """
    if parties is None:
        return {GUEST: list(range(width // 2)), HOST: list(range(width // 2, width))}
    if ARBITER in parties:
        raise ValueError("parties: the arbiter has no columns")
    found = {name: [_position(c, names, width) for c in columns] for name, columns in parties.items()}
    placed = [j for columns in found.values() for j in columns]
    if twice := sorted({j for j in placed if placed.count(j) > 1}):
        raise ValueError(f"parties: more than once: {_shown(twice, names)}")
    left = [j for j in range(width) if j not in set(placed)]
    if GUEST in found and left:
        raise ValueError(
            f"parties: the guest's columns are listed, and these are nobody's: {_shown(left, names)}"
        )
    hosts = {name: columns for name, columns in found.items() if name != GUEST}
    if not hosts or not all(hosts.values()):
        raise ValueError("parties: a joint model needs a host, and each host a column")
    if len(hosts) > MOST_HOSTS:
        raise ValueError(f"parties: {len(hosts)} hosts, a run takes {MOST_HOSTS}")
    return {GUEST: found.get(GUEST, left)} | hosts


def _position(column: str | int, names: Sequence[str], width: int) -> int:
    if isinstance(column, str):
        if column in names:
            return list(names).index(column)
        known = f"of {', '.join(map(str, names))}" if len(names) else "and X has no names: give positions"
        raise ValueError(f"parties: {column!r} is no column {known}")
    if not 0 <= column < width:
        raise ValueError(f"parties: there is no column {column}: X has {width}, from 0 on")
    return int(column)


def _shown(columns: Sequence[int], names: Sequence[str]) -> str:
    return ", ".join(str(names[j]) if len(names) else str(j) for j in columns)
