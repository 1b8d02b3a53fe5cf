"""What a party's journal holds at most at once: what was sent since its receivers' last checkpoints.

n rows train with H hosts; C bytes are a ciphertext; a checkpoint follows every phase, gradient and tree.

    alignment    three fifths of what passes over a link, for each link
    woe          guest: n C for each host
    correlation  guest: the ciphertexts of its columns, n at a time, for each host
    regression   of degree q: a host n q C; the guest n C for each host, and n q C for each but the first, to
                 whom it brings the others' powers.  The same for each fold's, and for held-out losses
    errors       guest: n C for each of its columns; host: n C for each degree of the slope
    trees        guest: n C a tree for each host, and a level where hosts see no rows; a host its histograms

To that comes what is small, and the journal's log, `LOG` bytes at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parties.cost import phases
from parties.cost.shape import Forest, Regression, Shape
from vfl.features.correlation import Layout
from vfl.linear import sample
from vfl.wire.journal import LOG_PAGES, PAGE

LOG = LOG_PAGES * PAGE


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes of messages that the guest keeps at once, that a host does, and that an arbiter does."""

    guest: float
    host: float
    arbiter: float = 0.0

    def with_log(self) -> dict[str, float]:
        """Return the bytes of disk by role."""
        return {role: getattr(self, role) + LOG for role in ("guest", "host", "arbiter")}


def kept(shape: Shape) -> Kept:
    """Return the most of any phase."""
    found = list(_phases(shape))
    return Kept(max(one.guest for one in found), max(one.host for one in found))


def _phases(shape: Shape) -> Iterator[Kept]:
    sent = len(shape.hosts) * phases.alignment(shape).widest
    yield Kept(sent, sent)
    if isinstance(shape.model, Regression):
        yield from _regression(shape, shape.model)
    else:
        yield _trees(shape, shape.model)


def _regression(shape: Shape, model: Regression) -> Iterator[Kept]:
    rows, hosts = shape.rows * shape.ciphertext, len(shape.hosts)
    if model.woe:
        yield Kept(rows * hosts, 0)
    if model.joint_correlations:
        yield Kept(rows * Layout(shape.guest.count, shape.modulus).groups * hosts, 0)
    if model.cv:
        outside = (model.cv.folds - 1) / model.cv.folds
        yield _powers(rows * outside, max(model.cv.degrees, default=0), hosts)
        yield _powers(rows * (1 - outside), max(model.cv.losses, default=0), hosts)
    first, others = model.degrees[: model.sampled], model.degrees[model.sampled :]
    yield _powers(sample.size(shape.rows) * shape.ciphertext, max(first, default=0), hosts)
    yield _powers(rows, max(others, default=0), hosts)
    if model.standard_errors:
        yield Kept(rows * (shape.guest.count + 1), rows * phases.SLOPE_DEGREE)


def _powers(rows: float, degree: int, hosts: int) -> Kept:
    """Return what is kept of a gradient; `rows`: the bytes of a ciphertext of each."""
    return Kept(rows * hosts + rows * degree * (hosts - 1), rows * degree)


def _trees(shape: Shape, model: Forest) -> Kept:
    times = model.depth if model.hides_rows else model.share
    opened = [phases.opened_of(shape, columns, model) for columns in shape.hosts]
    masked = 0 if model.guest_decrypts else sum(opened)
    each = shape.ciphertext
    return Kept(each * (shape.rows * times * len(shape.hosts) + masked), each * max(opened))
