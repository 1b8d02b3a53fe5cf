"""The rows that a party has trained on before, so that no two trainings differ by few people.

    STATE/PARTY/rows/key     32 random bytes of this party's, made with the first record
    STATE/PARTY/rows/RUN     nonce (12 bytes), then AES-256-GCM of a msgpack map, bound to the run's name:
        version    1
        rows       digests of the training rows, ascending, 8 bytes each, little-endian
        columns    {host: {mark: model columns}}, at the guest: what each host brought
        folds      how many folds the run had, 1 without model.cv
        fold       of each row its fold, a byte each
        weight     of each row what it counts, 8 bytes each (float64); none where all count once
        uncounted  digests of training rows of weight 0, as `rows`, which has none of these
        sampled    of each row whether first gradients were of it, a byte each; none without a sample
        bins       {column: its bins as `vfl.stats.binning` writes them}, at a host

A digest is BLAKE2b of the row's id, and of its label where there is one, under a key that is derived
from the file `key` (HKDF-SHA256, "vfl row"; the records' key is "vfl rows").  Digests say nothing
without it, never leave the party, and compare with this party's alone.  Folders are of mode 0700,
files of mode 0600.

What sums over the rows of two trainings say together is their difference, a sum over the rows by which
they differ, or which count differently: the difference of one and c times the other, for any c.  Three
trainings have more differences than are asked for here: each pair is compared, and no other combination.
With model.cv there are sums over the rows of each fold, so that two trainings are compared fold by fold; of
k and l folds in the gcd(k, l) that both can be joined to.  Where a fit began on a sample there are sums
over it too: it and the rows outside of it are each compared with all that another training has sums over.
Bins count every training row once, whatever its weight, so all rows are compared besides those that count.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from math import gcd
from pathlib import Path
from typing import Any, Self

import msgpack
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from parties.config.party import Party
from parties.contract.tally import private_folder, state_folder
from vfl.crypto.fixed_point import encode
from vfl.errors import ConfigError
from vfl.gates import RARE_ROWS, ROWS_PER_COLUMN, Gates
from vfl.stats.folds import folds_of
from vfl.table.texts import Ids
from vfl.wire.flow import Peer

VERSION = 1
NONCE = 12
WIDTH = 8
KEY = "key"

Digests = NDArray[np.uint64]
Folds = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Vector = NDArray[np.float64]
Part = tuple[Digests, Vector]
"""Rows, ascending, and what each counts."""
Columns = dict[str, dict[str, int]]
Descriptions = dict[str, dict[str, Any]]
Labels = NDArray[np.int8] | NDArray[np.float64]
"""What is known of rows: a class, or an amount."""


@dataclass(frozen=True, slots=True)
class Record:
    """One training: its rows and, at the guest, how many model columns each host brought, by their mark.

    `fold`: each row's, 0 to `folds` - 1.  `weight`: what each counts, `sampled`: whether it is in the sample.
    `uncounted`: training rows that count nothing, in bins alone.  `bins`: of a host's columns, by name.
    """

    run: str
    rows: Digests
    columns: Columns
    folds: int
    fold: Folds
    weight: Vector
    sampled: Mask
    uncounted: Digests
    bins: Descriptions = field(default_factory=dict)

    @property
    def weighted(self) -> bool:
        """Whether rows count differently."""
        return bool(len(self.uncounted) or (self.weight != 1).any())

    def apart(self, other: Record) -> int:
        """Return by how many rows sums of two trainings differ: of two such sums that differ by fewest.

        0 where all are over the same rows.  A row whose label changed is two: one left, another came.
        """
        shared = gcd(self.folds, other.folds)
        parts = list(product(self._summed(), other._summed()))
        if shared > 1:
            parts += [(self._fold(k, shared), other._fold(k, shared)) for k in range(shared)]
        if self.weighted or other.weighted:
            parts.append((self._binned(), other._binned()))
        return min(filter(None, (_apart(mine, theirs) for mine, theirs in parts)), default=0)

    def _fold(self, k: int, folds: int) -> Part:
        return self._part(self.fold % folds == k)

    def _summed(self) -> list[Part]:
        """Return all rows that count and, of a training with a sample, both parts that it makes of them."""
        parts = [(self.rows, self.weight)]
        if self.sampled.any():
            parts += [self._part(self.sampled), self._part(~self.sampled)]
        return parts

    def _binned(self) -> Part:
        rows = np.union1d(self.rows, self.uncounted)
        return rows, np.ones(len(rows))

    def _part(self, rows: Mask) -> Part:
        return self.rows[rows], self.weight[rows]

    def shares(self, other: Record) -> bool:
        """Tell whether two trainings are on the same rows: half of the smaller one's at least."""
        common = len(np.intersect1d(self.rows, other.rows, assume_unique=True))
        return 2 * common >= min(len(self.rows), len(other.rows))


@dataclass(frozen=True, slots=True)
class Earlier:
    """A party's records of its trainings."""

    folder: Path

    @classmethod
    def of(cls, party: Party) -> Self:
        """Return those in the party's state."""
        return cls(state_folder(party) / "rows")

    def record(
        self,
        run: str,
        ids: Ids,
        label: Labels | None,
        folds: int = 1,
        *,
        weight: Vector | None = None,
        sample: int = 0,
    ) -> Record:
        """Return the record of a training on rows with these normalised ids, not kept yet.

        `sample`: of how many of them, from the first, there are sums besides.
        """
        key = self._key(b"vfl row")
        labels = [b""] * len(ids) if label is None else [b"\0" + _written(value) for value in label.tolist()]
        digests = b"".join(
            hashlib.blake2b(id.encode() + value, key=key, digest_size=WIDTH).digest()
            for id, value in zip(ids, labels, strict=True)
        )
        rows, first = np.unique(np.frombuffer(digests, "<u8"), return_index=True)
        fold = folds_of(map(str, ids), folds)[first] if folds > 1 else np.zeros(len(rows), np.int64)
        weight = np.ones(len(rows)) if weight is None else weight[first]
        counts, sampled = weight > 0, first < sample
        of = (fold.astype(np.uint8)[counts], weight[counts], sampled[counts])
        return Record(run, rows[counts], {}, folds, *of, rows[~counts])

    def mark(self, ids: Ids, x: NDArray[np.float64]) -> int:
        """Return a number that the same columns on the same rows have again, and nobody else can make."""
        texts = np.asarray(ids)
        order = np.argsort(texts)
        digest = hashlib.blake2b(key=self._key(b"vfl columns"), digest_size=WIDTH)
        for part in ("\n".join(texts[order]).encode(), encode(x)[order].tobytes()):
            digest.update(part)
        return int.from_bytes(digest.digest(), "big") >> 1

    def check_rows(self, new: Record, gates: Gates) -> None:
        """Ask nearly_same_rows of a training and each earlier one."""
        for old in self._others(new):
            if 0 < (apart := new.apart(old)) < RARE_ROWS:
                where = " in a fold of model.cv" if gcd(new.folds, old.folds) > 1 else ""
                what = f"they differ from an earlier run's by fewer than {RARE_ROWS}{where}"
                mend = f"by {apart} from run {old.run}: train on the same rows, or on {RARE_ROWS} others;"
                gates.refuse("nearly_same_rows", "training rows", what, mend)

    def check_columns(self, new: Record, host: str, gates: Gates) -> None:
        """Ask few_rows of all columns that a host has ever brought against these labels.

        A column counts once for each fold: whoever learns its sums over all folds but one learns those too.
        """
        brought = dict(new.columns[host])
        for old in self._others(new):
            if new.shares(old):
                brought |= old.columns.get(host, {})
        check_rank(
            gates, Peer(host), len(new.rows), sum(brought.values()), f"{host}, in this and earlier runs"
        )

    def binned(self, new: Record) -> Iterator[Record]:
        """Yield the trainings on the same rows whose bins are known."""
        return (old for old in self._others(new) if old.bins and not new.apart(old))

    def keep(self, new: Record) -> None:
        """Put a record in its place, for good."""
        path = self.folder / new.run
        content = {"version": VERSION, "rows": new.rows.tobytes(), "columns": new.columns, "bins": new.bins}
        content |= {"folds": new.folds, "fold": new.fold.tobytes(), "uncounted": new.uncounted.tobytes()}
        content["weight"] = new.weight.tobytes() if (new.weight != 1).any() else b""
        content["sampled"] = new.sampled.tobytes() if new.sampled.any() else b""
        nonce = secrets.token_bytes(NONCE)
        sealed = self._cipher().encrypt(nonce, msgpack.packb(content), new.run.encode())
        _write(path, nonce + sealed)

    def kept(self, run: str) -> Record:
        """Return a record; raise ConfigError where it was changed."""
        path = self.folder / run
        data = path.read_bytes()
        try:
            content = msgpack.unpackb(self._cipher().decrypt(data[:NONCE], data[NONCE:], run.encode()))
        except (InvalidTag, ValueError):
            hint = "it is this party's memory of an earlier run: restore it, or move it away"
            raise ConfigError(str(path), "was changed, or belongs to another key", hint) from None
        rows, folds = np.frombuffer(content["rows"], "<u8"), content.get("folds", 1)
        # Records from before model.cv have no folds, and those of runs without weights or a sample none.
        fold = np.frombuffer(content.get("fold", bytes(len(rows))), np.uint8)
        weight = np.frombuffer(content.get("weight") or np.ones(len(rows)).tobytes(), np.float64)
        sampled = np.frombuffer(content.get("sampled") or bytes(len(rows)), np.bool_)
        uncounted = np.frombuffer(content.get("uncounted", b""), "<u8")
        bins = content.get("bins", {})
        return Record(run, rows, content["columns"], folds, fold, weight, sampled, uncounted, bins)

    def _others(self, new: Record) -> Iterator[Record]:
        names = sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []
        return (self.kept(name) for name in names if name not in (KEY, new.run) and "." not in name)

    def _cipher(self) -> AESGCM:
        return AESGCM(self._key(b"vfl rows"))

    def _key(self, purpose: bytes) -> bytes:
        path = self.folder / KEY
        if not path.exists():
            _write(path, secrets.token_bytes(32))
        return HKDF(SHA256(), 32, None, purpose).derive(path.read_bytes())


def _apart(mine: Part, theirs: Part) -> int:
    """Return by how many rows a sum over one part and c times that over the other differ, c being the one
    of the fewest; of parts of which one is longer by `RARE_ROWS`, at least that many."""
    longer = abs(len(mine[0]) - len(theirs[0]))
    if longer >= RARE_ROWS:
        return longer
    _, i, j = np.intersect1d(mine[0], theirs[0], assume_unique=True, return_indices=True)
    ratios = np.round(np.log(mine[1][i]) - np.log(theirs[1][j]), 7)
    alike = int(np.unique(ratios, return_counts=True)[1].max(initial=0))
    return len(mine[0]) + len(theirs[0]) - len(i) - alike


def check_rank(gates: Gates, peer: Peer, rows: int, columns: int, where: str) -> None:
    """Ask few_rows of the model columns that a peer brings."""
    if rows < ROWS_PER_COLUMN * columns:
        what = f"{rows} training rows for {columns} model columns of {where}"
        gates.refuse("few_rows", peer.name, what)


def _written(value: float) -> bytes:
    return b"%d" % value if isinstance(value, int) else value.hex().encode()


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, for its owner alone."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        private_folder(path.parent)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be written: {error.strerror}", "see `state`") from None
