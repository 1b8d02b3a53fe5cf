"""The work of each phase of a training by its protocol's own formulas.

n rows train; a party p has d_p columns of B_p slots in all; W bytes are a ciphertext.

    start        a run's beginning and end.
    key          a key pair, and the table of powers that each party makes of it.
    alignment    every id is hashed and raised once and raised again at the other side; 74 bytes an id and 8
                 a common one (psi/ecdh.py).  H hosts: each of the H + 1 lists visits all (psi/several.py).
    woe          n encryptions of labels, n d_h additions by bin, B_h packed (vfl/features/woe.py).
    correlation  n encryptions of the guest's columns for each host, of some 15 columns at once; n d_h
                 additions by value; a ciphertext a column of the host's (vfl/features/correlation.py).
    regression   a gradient of degree q: the first host encrypts n q powers, each further one makes its own of
                 them by n q (q + 1) / 2 products (vfl/linear/relay.py), the guest forms n products of q and
                 re-randomises them, each party adds n d_p by bin, or n d_p terms (vfl/linear/residuals.py).
                 Without an arbiter the guest masks each residual and packs it, randomises the ciphertexts in
                 full, and encrypts n masks of its own; the host decrypts the n / 11 and adds n d_h of
                 masks by bin; both decrypt the other's sums (vfl/linear/crossed.py).  The first gradients
                 of many rows are of a tenth of them (vfl/linear/sample.py).
    cross-       the same for each fold and penalty, on the rows outside of the fold; of those inside hosts
    validation   send powers of a larger degree, which the guest sums (vfl/linear/heldout.py).
    errors       the host encrypts n q powers, the guest forms n d_g products of them, d_g with its intercept,
                 and re-randomises them; each party adds n terms for every pair of its columns, the host
                 d_g d_h n more (vfl/linear/inference.py).
    trees        a tree: the guest encrypts n; a host adds n d_h by bin for the root, and about n d_h / 3
                 for every level below it, the smaller children; 2^(depth - 1) nodes of B_h sums are
                 packed, re-randomised, masked and opened (vfl/trees/boosting.py).  Where hosts see
                 no rows, n are encrypted and n d_h added for every level (vfl/trees/hidden.py).

Not counted: what grows with rows and is not under encryption: tables read, bins, fits of the guest alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from parties.cost.phase import NOTHING, Phase
from parties.cost.shape import Columns, CrossValidation, Forest, Regression, Shape
from parties.cost.work import Work
from psi.digests import width
from vfl.features.correlation import Layout
from vfl.linear import sample
from vfl.linear.residuals import blocks_of

OF_GRADIENTS = "regression", "cross-validation"
"""Phases whose work is that of gradients, and guessed as these are."""

POINT = 32
"""Bytes of a group element."""

BATCH = 1024
"""Rows of a batch from which a table of powers pays."""

SLOPE_DEGREE = 10
"""Degree of the sigmoid's slope for standard errors, as credit data with WOE columns."""

SMALLER = 1 / 3
"""Share of a level's rows that are in the smaller children: half at most, a third on credit data."""


ASKED = 2 / 3
"""Share of levels after which hosts are asked for the sides of rows, on credit data."""


def phases(shape: Shape) -> Iterator[Phase]:
    """Yield the phases of a training."""
    yield Phase("start", Work(start=1), tuple(NOTHING for _ in shape.hosts), trips=2)
    yield key(shape)
    yield alignment(shape)
    if isinstance(shape.model, Regression):
        if shape.model.woe:
            yield woe(shape, shape.model)
        if shape.model.joint_correlations:
            yield correlations(shape)
        if shape.model.cv:
            yield cross_validation(shape, shape.model.cv)
        yield fit(shape, shape.model)
        if shape.model.standard_errors:
            yield standard_errors(shape)
    else:
        yield trees(shape, shape.model)


def key(shape: Shape) -> Phase:
    """Return the work of making a key and of what every party prepares from it."""
    table, pair = Work(table=1, turn=1), Work(key=1)
    if isinstance(shape.model, Regression) and shape.model.crossed:
        return Phase("key", table + pair, (table.times(2) + pair,))
    by_guest = isinstance(shape.model, Forest) and shape.model.guest_decrypts
    guest = table + (pair if by_guest else NOTHING)
    return Phase("key", guest, (table,) * len(shape.hosts), NOTHING if by_guest else pair, pipelined=True)


def alignment(shape: Shape) -> Phase:
    """Return the work of finding the common customers."""
    n, hosts = shape.ids, len(shape.hosts)
    each = POINT * 2 * n + (width(n, n) * n + n / 8 + 8 * shape.common)
    party = Work(map_id=n, raise_id=hosts * n, turn=3)
    sent = each * hosts * (hosts + 1) / 2
    per_link = sent / hosts
    guest = party + Work(byte=sent)
    return Phase(
        "alignment",
        guest,
        tuple(party + Work(byte=per_link) for _ in shape.hosts),
        sent=sent,
        widest=0.6 * per_link,
        trips=3 if hosts == 1 else 4 + 2 * hosts,
        pipelined=True,
    )


def woe(shape: Shape, model: Regression) -> Phase:
    """Return the work of the hosts' weights of evidence, host after host."""
    n = shape.rows
    guest, hosts, opened = NOTHING, [], 0
    for columns in shape.hosts:
        plaintexts = shape.counts(columns)
        sent = float((n + plaintexts) * shape.ciphertext)
        guest += _encrypted(n, n) + Work(check=plaintexts, byte=sent, turn=4)
        guest += Work(decrypt=plaintexts) if model.crossed else Work(encrypt=plaintexts)
        hidden = Work(refresh=plaintexts) if model.crossed else Work(rerandomise=plaintexts)
        sums = Work(check=n, sum=n * columns.binned, pack=columns.slots)
        hosts.append(sums + hidden + Work(byte=sent, turn=3))
        opened += plaintexts
    ciphertexts = n * len(hosts) + (1 if model.crossed else 2) * opened
    return Phase(
        "woe",
        guest,
        tuple(hosts),
        NOTHING if model.crossed else _opening(opened, len(hosts)),
        sent=float(ciphertexts * shape.ciphertext),
        widest=n * shape.ciphertext,
        trips=(1 if model.crossed else 2) * len(hosts),
        ciphertexts=ciphertexts,
        pipelined=True,
    )


def correlations(shape: Shape) -> Phase:
    """Return the work of the guest's correlations with the hosts' columns, host after host."""
    groups = Layout(shape.guest.count, shape.modulus).groups
    encrypted, guest, hosts, opened = shape.rows * groups, NOTHING, [], 0
    for columns in shape.hosts:
        sums = shape.correlations(columns)
        sent = float((encrypted + sums) * shape.ciphertext)
        lifted = Work(few=encrypted) if encrypted < BATCH else Work(lift=encrypted)
        guest += lifted + Work(few=sums, check=sums, byte=sent, turn=3)
        work = Work(check=encrypted, sum=encrypted * columns.count, term=groups * columns.slots, few=sums)
        hosts.append(work + Work(byte=sent, turn=3))
        opened += sums
    ciphertexts = encrypted * len(hosts) + 2 * opened
    return Phase(
        "correlation",
        guest,
        tuple(hosts),
        _opening(opened, len(hosts)),
        sent=float(ciphertexts * shape.ciphertext),
        widest=encrypted * shape.ciphertext,
        trips=4 * len(hosts),
        ciphertexts=ciphertexts,
        pipelined=True,
    )


def fit(shape: Shape, model: Regression) -> Phase:
    """Return the work of all gradients, of which the first may be of a sample of the rows."""
    make = crossed if model.crossed else regression
    if not model.sampled:
        return make(shape, model)
    first, others = model.degrees[: model.sampled], model.degrees[model.sampled :]
    part = replace(shape, rows=sample.size(shape.rows))
    return make(part, replace(model, degrees=first)) + make(shape, replace(model, degrees=others))


def regression(shape: Shape, model: Regression) -> Phase:
    """Return the work of all gradients with an arbiter."""
    n, total, gradients, hosts = shape.rows, sum(model.degrees), len(model.degrees), len(shape.hosts)
    powers, residuals = n * total, n * gradients
    # Every host sends its powers, every host but the first is brought those before; all get the residuals.
    moved = (2 * hosts - 1) * powers + hosts * residuals
    hidden = Work(few=residuals) if n < BATCH else Work(rerandomise=residuals)
    guest = hidden + Work(check=hosts * powers, power=powers, add=residuals, byte=moved * shape.ciphertext)
    opened = [shape.gradient(side) for side in (shape.guest, *shape.hosts)]
    own = _own_gradient(shape, shape.guest, opened[0]).times(gradients)
    sums = gradients * 2 * sum(opened)
    return Phase(
        "regression",
        guest + own,
        tuple(_fitting(shape, model, place) for place in range(hosts)),
        _opening(sum(opened), 1 + hosts).times(gradients),
        sent=float((moved + sums) * shape.ciphertext),
        widest=float(powers * shape.ciphertext),
        trips=1 + (4 + hosts) * gradients,
        waits=hosts * _waits(shape) * gradients,
        ciphertexts=moved + sums,
        pipelined=True,
    )


def crossed(shape: Shape, model: Regression) -> Phase:
    """Return the work of all gradients without an arbiter."""
    n, (host,), gradients = shape.rows, shape.hosts, len(model.degrees)
    powers, residuals, shares = n * sum(model.degrees), n * gradients, gradients * shape.shares
    opened = shape.gradient(shape.guest), shape.shared_gradient(host)
    sums = gradients * 2 * sum(opened)
    sent = float((powers + residuals + shares + sums) * shape.ciphertext)
    masks = Work(few=residuals) if n < BATCH else Work(lift=residuals)
    guest = masks + Work(check=powers, power=powers, add=residuals, pack=residuals, refresh=shares, byte=sent)
    guest += _crossed_sums(shape, shape.guest, *opened).times(gradients)
    theirs = _encrypted(powers, powers / gradients) + Work(check=residuals, decrypt=shares, byte=sent)
    theirs += _crossed_sums(shape, host, *reversed(opened)).times(gradients)
    return Phase(
        "regression",
        guest,
        (theirs,),
        sent=sent,
        widest=float(max(powers, residuals + shares) * shape.ciphertext),
        trips=1 + 5 * gradients,
        waits=_waits(shape) * gradients,
        ciphertexts=powers + residuals + shares + sums,
        pipelined=True,
    )


def cross_validation(shape: Shape, cv: CrossValidation) -> Phase:
    """Return the work of the fits of all folds and penalties, and of their held-out losses."""
    outside = replace(shape, rows=round(shape.rows * (cv.folds - 1) / cv.folds))
    fits = regression(outside, Regression(cv.degrees))
    n, hosts, count = shape.rows / cv.folds, len(shape.hosts), len(cv.losses)
    powers = n * sum(cv.losses)
    moved = (2 * hosts - 1) * powers + 2 * count
    guest = Work(check=hosts * powers, term=powers, encrypt=count, byte=moved * shape.ciphertext)
    first = _encrypted(powers, powers / max(count, 1)) + Work(byte=powers * shape.ciphertext, turn=3 * count)
    products = n * sum(q * (q + 1) / 2 for q in cv.losses)
    further = Work(check=powers, power=products, add=powers, rerandomise=powers)
    own = (first, *(further + Work(byte=2 * powers * shape.ciphertext) for _ in shape.hosts[1:]))
    return Phase(
        "cross-validation",
        fits.guest + guest,
        tuple(fit + more for fit, more in zip(fits.hosts, own, strict=True)),
        fits.arbiter + _opening(1, 1).times(count),
        sent=fits.sent + moved * shape.ciphertext,
        widest=fits.widest + powers * shape.ciphertext,
        trips=fits.trips + 5 * count,
        ciphertexts=fits.ciphertexts + moved,
        pipelined=True,
    )


def _crossed_sums(shape: Shape, columns: Columns, asked: int, answered: int) -> Work:
    """Return a party's work on sums of a gradient: its own are randomised in full, the other's decrypted."""
    n = shape.rows
    sums = Work(sum=n * columns.binned, term=n * columns.numeric + columns.slots, pack=columns.count)
    return sums + Work(refresh=asked, check=answered, decrypt=answered, turn=6)


def standard_errors(shape: Shape) -> Phase:
    """Return the work of standard errors, with one host."""
    n, (host,) = shape.rows, shape.hosts
    own, theirs = shape.guest.count + 1, host.count
    powers, weighted = n * SLOPE_DEGREE, n * own
    moved = float((powers + weighted) * shape.ciphertext)
    pairs = [d * (d + 1) // 2 for d in (own, theirs)]
    guest = Work(check=powers, power=powers + weighted, add=n, rerandomise=weighted, term=n * pairs[0])
    sums = Work(check=weighted, term=n * (pairs[1] + own * theirs), rerandomise=own * theirs)
    opened = [shape.products(pairs[0] + own * theirs), shape.products(pairs[1])]
    return Phase(
        "errors",
        guest + Work(encrypt=opened[0], byte=moved, turn=6),
        (_encrypted(powers, powers) + sums + Work(encrypt=opened[1], byte=moved, turn=6),),
        _opening(sum(opened), 2),
        sent=moved + (own * theirs + 2 * sum(opened)) * shape.ciphertext,
        widest=float(max(powers, weighted) * shape.ciphertext),
        trips=8,
        ciphertexts=powers + weighted + own * theirs + 2 * sum(opened),
        pipelined=True,
    )


def _fitting(shape: Shape, model: Regression, place: int) -> Work:
    """Return a host's work in all gradients: the first encrypts powers, others put their own into them."""
    n, total, gradients = shape.rows, sum(model.degrees), len(model.degrees)
    powers, residuals, columns = n * total, n * gradients, shape.hosts[place]
    received = (powers if place else 0) + residuals
    work = Work(check=received, byte=(powers + received) * shape.ciphertext)
    if place:
        products = n * sum(q * (q + 1) / 2 for q in model.degrees)
        work += Work(power=products, add=powers, rerandomise=powers)
    else:
        work += _encrypted(powers, powers / gradients)
    return work + _own_gradient(shape, columns, shape.gradient(columns)).times(gradients)


def _waits(shape: Shape) -> int:
    """Return the round trips of a gradient beyond the first: two blocks of rows are on the way at a time."""
    return (len(blocks_of(shape.rows)) + 1) // 2 - 1


def _encrypted(count: float, batch: float) -> Work:
    return Work(few=count) if batch < BATCH else Work(encrypt=count)


def _own_gradient(shape: Shape, columns: Columns, opened: int) -> Work:
    n = shape.rows
    sums = Work(sum=n * columns.binned, term=n * columns.numeric + columns.slots)
    return sums + Work(pack=columns.count, encrypt=opened, turn=6)


def trees(shape: Shape, model: Forest) -> Phase:
    """Return the work of all trees."""
    opened = [opened_of(shape, columns, model) for columns in shape.hosts]
    # Where hosts see no rows all of them are encrypted, and summed, for every level.
    n = shape.rows * model.depth if model.hides_rows else model.share * shape.rows
    arbiter = NOTHING if model.guest_decrypts else _opening(sum(opened), model.depth)
    copies = n * len(shape.hosts) + (1 if model.guest_decrypts else 3) * sum(opened)
    sent = copies * shape.ciphertext + len(shape.hosts) * model.depth * shape.rows * (1 + SMALLER / 4)
    lifted = Work(few=n) if shape.rows < BATCH else Work(lift=n)
    guest = lifted + Work(check=sum(opened), byte=sent, turn=5 * model.depth)
    guest += Work(decrypt=sum(opened)) if model.guest_decrypts else Work(encrypt=sum(opened))
    hosts = [_growing(shape, c, model, n, k) for c, k in zip(shape.hosts, opened, strict=True)]
    return Phase(
        "trees",
        guest.times(model.trees),
        tuple(work.times(model.trees) for work in hosts),
        arbiter.times(model.trees),
        sent=model.trees * sent,
        widest=model.trees * n * shape.ciphertext,
        trips=1 + model.trees * model.depth * ((1 if model.guest_decrypts else 2) + ASKED),
        ciphertexts=model.trees * copies,
    )


def _growing(shape: Shape, columns: Columns, model: Forest, n: float, opened: int) -> Work:
    """Return a host's work in a tree of which it is sent n ciphertexts."""
    levels = 1 if model.hides_rows else 1 + SMALLER * (model.depth - 1)
    sums = Work(check=n, sum=n * columns.binned * levels, pack=2 ** (model.depth - 1) * columns.slots)
    hidden = Work(refresh=opened) if model.guest_decrypts else Work(rerandomise=opened)
    return sums + hidden + Work(byte=n * shape.ciphertext, turn=3 * model.depth)


def opened_of(shape: Shape, columns: Columns, model: Forest) -> int:
    """Return the plaintexts of a host's histograms in a tree, level by level: 1, 1, 2, 4, ... nodes."""
    return sum(shape.histograms(columns, max(1, 1 << level >> 1)) for level in range(model.depth))


def _opening(ciphertexts: int, requests: int) -> Work:
    return Work(check=ciphertexts, decrypt=ciphertexts, turn=2 * requests)
