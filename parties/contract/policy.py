"""A job against a party's own policy: the stricter of the two holds."""

from __future__ import annotations

from collections.abc import Iterator

from parties.config.job import Job
from parties.config.models import TreeRules
from parties.config.policy import PolicyRules
from vfl.errors import ContractError


def check_policy(job: Job, policy: PolicyRules) -> None:
    """Raise ContractError, naming both keys, for the first thing in a job that goes beyond a policy."""
    for broken, key, allowed, asked, said in _limits(job, policy):
        if broken:
            what = f"allows {allowed}, and the job's {key} is {said}"
            raise ContractError(f"policy.{asked}", what, f"agree on another job, or change policy.{asked}")


def _limits(job: Job, policy: PolicyRules) -> Iterator[tuple[bool, str, str, str, str]]:
    """Yield whether a limit is broken, the job's key, what is allowed, the policy's key, what is asked."""
    purposes, purpose = policy.purposes, _plain(job.purpose)
    allowed = "; ".join(purposes or ())
    wrong = purposes is not None and purpose not in map(_plain, purposes)
    yield wrong, "purpose", f'"{allowed}"' if allowed else "none", "purposes", f'"{job.purpose}"'
    kind = job.model.kind
    yield kind not in policy.models, "model.kind", ", ".join(policy.models) or "none", "models", kind
    for key, least, found, name in (
        (
            "alignment.min_intersection",
            policy.min_intersection,
            job.alignment.min_intersection,
            "min_intersection",
        ),
        ("encryption.bits", policy.min_key_bits, job.encryption.bits, "min_key_bits"),
    ):
        yield found < least, key, f"no fewer than {least}", name, str(found)
    if not isinstance(job.model, TreeRules):
        most, found = policy.max_iter, job.model.max_iter
        yield found > most, "model.max_iter", f"no more than {most}", "max_iter", str(found)
    yield from _disclosed(job, policy)
    if not isinstance(job.model, TreeRules) and (bits := policy.max_disclosure.gradient_bits) is not None:
        asked = job.disclosure.gradient_bits
        key, said = "disclosure.gradient_bits", "empty: all of them" if asked is None else str(asked)
        beyond = asked is None or asked > bits
        yield beyond, key, f"no more than {bits}", "max_disclosure.gradient_bits", said
    lifted = sorted(set(job.gates.allow) & set(policy.gates.refuse))
    shown = f"[{', '.join(job.gates.allow)}]"
    yield bool(lifted), "gates.allow", f"none of {', '.join(policy.gates.refuse)}", "gates.refuse", shown


def _disclosed(job: Job, policy: PolicyRules) -> Iterator[tuple[bool, str, str, str, str]]:
    most, asked = policy.max_disclosure, job.disclosure
    for key, least in (("scores", "point"), ("host_columns", "anonymous")):
        limit, found = getattr(most, key), getattr(asked, key)
        beyond = limit == least and found != least
        yield beyond, f"disclosure.{key}", f"{least} alone", f"max_disclosure.{key}", found
    of_regressions = () if isinstance(job.model, TreeRules) else ("woe_to_host",)
    for key in (*of_regressions, "joined_coefficients", "standard_errors", "online"):
        beyond = getattr(asked, key) and not getattr(most, key)
        yield beyond, f"disclosure.{key}", "false alone", f"max_disclosure.{key}", "true"


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
