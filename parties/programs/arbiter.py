"""The arbiter: a fresh key for each run, and decryptions of masked sums within the quota."""

from __future__ import annotations

from collections.abc import Awaitable
from itertools import product
from pathlib import Path
from typing import Protocol

from parties.config.job import Job
from parties.config.party import Party
from parties.programs.consent import publish_results
from parties.programs.effort import Effort
from parties.programs.keys import new_key, quota_of
from parties.programs.run import Run, as_it_is
from parties.programs.serving import Service
from parties.programs.serving import serve as serve_runs
from parties.progress import Progress
from vfl.arbitration import Quota, Shape
from vfl.crypto.paillier import PrivateKey
from vfl.features import correlation, woe
from vfl.linear import allowance, inference, logistic, signs
from vfl.stats.folds import name_of
from vfl.steps import Part
from vfl.trees import opening
from vfl.wire.flow import Peer
from vfl.wire.network import Session


class Answers(Protocol):
    """An arbiter's role that answers the guest once, for sums that a host made."""

    def __call__(self, private: PrivateKey, quota: Quota, *, guest: Peer, host: Peer) -> Awaitable[None]: ...


def serve(job: Job, party: Party, out: Path, progress: Progress, service: Service) -> None:
    """Take part in trainings until told to stop."""

    def take_part(run: Run, session: Session) -> None:
        effort = Effort()
        progress.phase("decrypting masked sums")
        session.run(training(run))
        books = run.books(session, effort)
        publish_results(session, out, {"ledger.json": run.ledger(session), "run.json": books})

    serve_runs(job, party, out, progress, service, others={"train": job.hosts}, take_part=take_part)


async def training(run: Run) -> None:
    """Give out a key, and decrypt what its users may have decrypted."""
    rules = run.job.encryption
    private = await new_key(run, (run.guest, *run.hosts))
    quota = Quota(rules.decryptions)
    if run.job.model.kind == "trees":
        await opening.arbiter(private, quota, guest=run.guest, hosts=run.hosts, steps=run.steps)
        return
    if run.job.features.kind == "woe":
        for host in run.hosts:
            await _answer(run, f"woe of {host.name}", private, quota, woe.arbiter, host)
    if run.job.features.selection.max_joint_correlation is not None:
        for host in run.hosts:
            await _answer(run, f"correlation with {host.name}", private, quota, correlation.arbiter, host)
    shapes = await run.step(
        "allowance",
        lambda: allowance.arbiter(guest=run.guest, hosts=run.hosts),
        lambda shapes: [[s.sums, s.bits] for s in shapes],
        lambda kept: [Shape(*pair) for pair in kept],
    )
    quotas = [quota_of(run, shape, private.public.n) for shape in shapes]
    quotas[0].left = min(quotas[0].left, quota.left)
    if run.job.cv:
        await _path(run, private, quotas, shapes[0])
    await _fits(run, private, quotas)
    if run.job.disclosure.standard_errors:
        own, theirs = (Quota.of_requests(1, shape, private.public.n) for shape in inference.shapes(*shapes))
        await inference.arbiter(private, (own, theirs), guest=run.guest, host=run.host)


async def _answer(run: Run, name: str, private: PrivateKey, quota: Quota, role: Answers, host: Peer) -> None:
    """Answer the guest once, of what it has left; `name`: the step's."""

    async def answer() -> int:
        await role(private, quota, guest=run.guest, host=host)
        return quota.left

    quota.left = await run.step(name, answer, as_it_is, as_it_is)


async def _path(run: Run, private: PrivateKey, quotas: list[Quota], guests: Shape) -> None:
    """Decrypt for the fit of each fold and penalty, and then one number for the guest."""
    cv = run.job.cv
    assert cv is not None
    losses = Quota.of_requests(cv.fits, Shape(1, guests.bits), private.public.n)

    async def loss() -> int:
        await losses.answer(private, party=run.guest)
        return losses.left

    for fold, strength in product(range(cv.folds), cv.Cs):
        name = name_of(fold, strength)
        steps = Part(run.steps, name)
        await logistic.arbiter(private, quotas, guest=run.guest, hosts=run.hosts, steps=steps)
        losses.left = await run.step(f"loss of {name}", loss, as_it_is, as_it_is)


async def _fits(run: Run, private: PrivateKey, quotas: list[Quota]) -> None:
    """Decrypt for one fit, or for as many as it takes until all signs are right."""
    drops, number = run.job.features.selection.drops, 0
    rough = drops
    while True:
        number += 1
        steps = Part(run.steps, f"fit {number}")
        await logistic.arbiter(private, quotas, guest=run.guest, hosts=run.hosts, steps=steps)
        if not drops:
            return
        again = await run.step(
            f"signs {number}", lambda: signs.arbiter(guest=run.guest, hosts=run.hosts), as_it_is, as_it_is
        )
        if not again and not rough:
            return
        rough = again
