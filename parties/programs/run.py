"""One run as one party sees it: what was agreed, who carries it out, and what it writes down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, TypeVar

from parties.clusters import choice
from parties.config.job import Job
from parties.config.models import LogisticRules
from parties.config.party import Party
from parties.programs.earlier import Earlier
from parties.programs.effort import Effort
from parties.programs.memory import peak_memory
from parties.progress import Progress
from psi.group import Group
from vfl import __version__
from vfl.arbitration import receive_key
from vfl.crypto.modular import Modular
from vfl.crypto.paillier import RANDOMISER_BITS, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.errors import ContractError
from vfl.gates import Gates
from vfl.linear import generalised, logistic, residuals
from vfl.linear.family import FAMILIES, Family
from vfl.stats.scorecard import Scorecard
from vfl.steps import FORGOTTEN, Steps
from vfl.trees import grow
from vfl.trees.histogram import Limits
from vfl.trees.sampling import Goss, Subsample
from vfl.wire.flow import Peer
from vfl.wire.network import Session

T = TypeVar("T")

NOT_THERE = {"train": "the model is fitted without", "score": "the model was fitted without"}
"""What is said of hosts that stayed away."""


@dataclass(frozen=True, slots=True)
class Run:
    """A training or scoring under way."""

    job: Job
    party: Party
    id: str
    task: str
    progress: Progress
    gates: Gates
    rng: Randomness = field(default_factory=Randomness)
    steps: Steps = FORGOTTEN
    warnings: list[str] = field(default_factory=list)
    earlier: Earlier | None = None
    """The party's trainings before this one, None where nothing of them is kept."""
    absent: tuple[str, ...] = ()
    """Optional hosts without which the run is."""

    @classmethod
    def begin(
        cls,
        job: Job,
        party: Party,
        id: str,
        task: str,
        progress: Progress,
        *,
        rng: Randomness | None = None,
        steps: Steps = FORGOTTEN,
        earlier: Earlier | None = None,
        absent: tuple[str, ...] = (),
    ) -> Run:
        """Return a run with its gates as the job leaves them, and its notes as they were kept."""
        gates, rng = job.open_gates(), rng or Randomness()
        run = cls(job, party, id, task, progress, gates, rng, steps, earlier=earlier, absent=absent)
        notes = steps.remember("notes", lambda: {"gates": run.gates.overridden, "warnings": run.warnings})
        if notes:
            run.gates.overridden.extend(notes["gates"])
            run.warnings.extend(notes["warnings"])
        elif absent:
            run.warn(f"{', '.join(absent)} stayed away: {NOT_THERE[task]}")
        return run

    async def step(
        self, name: str, make: Callable[[], Awaitable[T]], keep: Callable[[T], Any], back: Callable[[Any], T]
    ) -> T:
        """Return what a step yields: made now, or as it was kept before the run was cut off.

        Every call that exchanges messages before the last checkpoint must be a step.
        """
        kept = self.steps.state(name)
        if kept is not None:
            return back(kept["result"])
        result = await make()
        self.steps.checkpoint(name, {"result": keep(result)})
        return result

    @property
    def guest(self) -> Peer:
        """The party with the labels."""
        return Peer(self.job.guest)

    @property
    def hosts(self) -> tuple[Peer, ...]:
        """The parties with columns alone that take part, in the order of their names."""
        return tuple(Peer(name) for name in self.job.hosts if name not in self.absent)

    @property
    def host(self) -> Peer:
        """The only party with columns alone."""
        (host,) = self.hosts
        return host

    @property
    def place(self) -> residuals.Place:
        """Where this host stands among the hosts."""
        before = self.hosts.index(Peer(self.party.party))
        return residuals.Place(before, len(self.hosts) - before - 1)

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names of the hosts that take part."""
        return tuple(host.name for host in self.hosts)

    def check_fitted_without(self, absent: Collection[str]) -> None:
        """Raise ContractError where a host is left out of the scores of a model that it has a half of.

        The guest would learn the others' parts less mixed; `absent`: who stayed away from the training.
        """
        if missing := [name for name in self.absent if name not in absent]:
            what = f"scores without {', '.join(missing)}, which took part in the model's training"
            raise ContractError(self.guest.name, what, "every host of a model takes part in its scores")

    @property
    def arbiter(self) -> Peer:
        """The party with the private key, in a job that has one."""
        assert self.job.arbiter is not None
        return Peer(self.job.arbiter)

    @property
    def arithmetic(self) -> Modular:
        """Modular arithmetic where this party's file says."""
        return choice.arithmetic(self.party.compute)

    @property
    def group(self) -> Group:
        """The group in which ids are compared, where this party's file says."""
        return choice.group(self.party.compute)

    @property
    def domain(self) -> bytes:
        """What separates this run's group elements from every other run's."""
        return f"{self.job.contract_hash()}/{self.id}".encode()

    @property
    def scorecard(self) -> Scorecard:
        """The scale of the points."""
        return Scorecard(**self.job.scorecard.scale)

    @property
    def fit_rules(self) -> logistic.Rules:
        """When the fit is good enough, and how long it may take."""
        rules = self.job.regression
        taylor = isinstance(rules, LogisticRules) and rules.sigmoid == "taylor"
        return logistic.Rules(tolerance=rules.tolerance, max_iter=rules.max_iter, taylor=taylor)

    @property
    def family(self) -> Family | None:
        """What is regressed on, None for labels."""
        return FAMILIES.get(self.job.model.kind)

    @property
    def grow_rules(self) -> grow.Rules:
        """How trees are grown."""
        agreed = self.job.trees
        sampling: Subsample | Goss = Subsample(agreed.subsample)
        if agreed.top_rate is not None and agreed.other_rate is not None:
            sampling = Goss(agreed.top_rate, agreed.other_rate)
        return grow.Rules(
            n_estimators=agreed.n_estimators,
            max_depth=agreed.max_depth,
            learning_rate=agreed.learning_rate,
            limits=Limits(agreed.reg_lambda, agreed.gamma, agreed.min_child_weight),
            sampling=sampling,
            validation_share=agreed.validation_share,
            early_stopping_rounds=agreed.early_stopping_rounds,
            # Trees to go on from leave other gradients than the labels.
            guest_grows_first=agreed.first_tree == "guest" and not agreed.warm_start,
            hides_rows=agreed.node_rows == "hidden",
        )

    @property
    def exact(self) -> bool:
        """Whether the guest learns the host's logits in full, and not to one point."""
        return self.job.disclosure.scores == "exact"

    @property
    def fraction(self) -> int:
        """Fractional bits of a regression's residuals."""
        hosts = len(self.hosts)
        return generalised.fraction(hosts) if self.family else residuals.fraction(hosts)

    @property
    def gradient_bits(self) -> int | None:
        """Bits of each number of a gradient that its party learns, None for all of them."""
        return self.job.disclosure.gradient_bits

    async def receive_key(self, name: str = "key", of: Peer | None = None) -> PublicKey:
        """Return the key of the agreed length: the arbiter's, or the guest's where there is no arbiter.

        `of`: another party that makes one; `name`: the step's.
        """
        holder = of or (self.arbiter if self.job.arbiter else self.guest)
        bits = self.job.encryption.bits
        modulus = await self.step(
            name, lambda: receive_key(bits, arbiter=holder), hex, lambda text: int(text, 16)
        )
        return self.public_key(modulus, holder)

    def public_key(self, modulus: int, holder: Peer) -> PublicKey:
        """Return a key with this party's cores behind it, and the agreed length of randomisers."""
        randomiser_bits = RANDOMISER_BITS[str(self.job.encryption.randomiser_bits)]
        return PublicKey(modulus, self.arithmetic, randomiser_bits, source=holder.name)

    def warn(self, *texts: str) -> None:
        """Tell the operator, and keep it for the run's books."""
        for text in texts:
            self.warnings.append(text)
            self.progress.warn(text)

    def books(self, session: Session, effort: Effort) -> dict[str, Any]:
        """Return what every party's run.json begins with."""
        return {
            "vfl": __version__,
            "job": self.job.job,
            "purpose": self.job.purpose,
            "contract": self.job.contract_hash(),
            "run": self.id,
            "task": self.task,
            "parties": {n: party.role for n, party in self.job.parties.items() if n not in self.absent},
            **({"absent": list(self.absent)} if self.absent else {}),
            **effort.as_json(),
            "phases": {
                name: {
                    "seconds": round(cost.seconds, 3),
                    "cpu_seconds": round(cost.cpu_seconds, 3),
                    "sent": cost.sent,
                    "received": cost.received,
                }
                for name, cost in session.phases.items()
            },
            **peak_memory(),
            "gates_overridden": self.gates.overridden,
            "warnings": self.warnings,
        }

    def ledger(self, session: Session) -> list[dict[str, Any]]:
        """Return the ledger, in which whoever stayed away learns nothing."""
        nothing = {"messages": 0, "plain_numbers": 0, "plain_bits": 0, "sealed_values": 0, "bytes": 0}
        away = {"phase": "meeting", "message": "none", "reveals": "nothing: it stayed away", **nothing}
        return [*session.ledger.as_json(), *({"to": name, **away} for name in self.absent)]


def as_it_is(result: T) -> T:
    """Return a step's result, which can be kept as it is."""
    return result


def load_kernels(party: Party, *, ids: bool) -> None:
    """Load what this party computes with, for `ids` too if it has any: no run waits for it then.

    Raises ConfigError where a backend is asked for that cannot run, or a cluster that does not answer.
    """
    if ids:  # first: where nothing is compiled yet the arbiter compiles the other kernels meanwhile
        choice.group(party.compute)
    choice.arithmetic(party.compute)
