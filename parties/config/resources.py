"""What a party's file says of machines and waits: where work is done, and how long a peer may take."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from parties.config.place import Place
from parties.config.schema import Section
from parties.config.yaml import Document

FORMS = {
    "dask": r"(?P<scheme>tls|tcp)://(?P<machine>[^/]+):\d+",
    "ray": r"((?P<scheme>ray)://)?(?P<machine>[^/]+):\d+",
}
"""Addresses."""

EXAMPLES = {"dask": "tls://scheduler.example.org:8786", "ray": "head.example.org:6379"}

THIS_MACHINE = r"localhost|127\.[\d.]+|\[::1\]"


class Compute(Section):
    """Where the party's work is done, and how much of this machine it may take."""

    processes: int | None = Field(
        default=None, ge=1, description="Cores of this machine to use; empty means all of them."
    )
    backend: Literal["threads", "dask", "ray"] = Field(
        default="threads",
        description="Who encrypts, sums, decrypts and raises ids to powers: threads of this machine, or the "
        "workers of a Dask or Ray cluster of the party's own, with `pip install 'vfl[dask]'` or "
        "`pip install 'vfl[ray]'` on all of its machines. Secrets of the party go there: hashes of ids, what "
        "is to be encrypted, labels too, random numbers, and the arbiter's private key.",
    )
    address: str | None = Field(
        default=None,
        description="Where the cluster is reached: tls://HOST:PORT of a Dask scheduler, HOST:PORT of Ray's "
        "head or ray://HOST:PORT of its client server. tcp:// for a Dask scheduler on this machine.",
    )
    authority: Place | None = Field(
        default=None,
        description="Certificate (PEM) of who signs the cluster's. With it, `certificate` and `key`, what is "
        "sent is encrypted, which only a cluster on this machine may do without.",
    )
    certificate: Place | None = Field(
        default=None, description="What the party shows to the cluster (PEM): none that a job pins."
    )
    key: Place | None = Field(default=None, description="Its private key (PEM).")

    @property
    def encrypted(self) -> bool:
        """Whether there are certificates."""
        return self.authority is not None


class Timeouts(Section):
    """How long to wait, in seconds."""

    connect: float = Field(default=60.0, gt=0, description="Seconds until a peer must have been reached.")
    message: float = Field(
        default=3600.0, gt=0, description="Seconds until a peer's next message must have come."
    )
    optional: float = Field(
        default=60.0,
        gt=0,
        description="Seconds for which the guest waits, before it begins a training, for hosts that the job "
        "calls optional, all of them together.",
    )
    resume: float = Field(
        default=600.0,
        gt=0,
        description="Seconds for which a training waits for a peer that was lost; then it is paused, to be "
        "resumed with `vfl resume`.",
    )


def check_compute(compute: Compute, document: Document) -> None:
    """Refuse a cluster that cannot be reached as it is said, or only in the clear."""
    given = [name for name in ("address", *_FILES) if getattr(compute, name) is not None]
    if compute.backend == "threads":
        if given:
            hint = "choose backend: dask or backend: ray, or remove the key"
            raise document.error(("compute", given[0]), "is for a cluster", hint)
        return
    example = EXAMPLES[compute.backend]
    if compute.address is None:
        raise document.error(("compute", "address"), "missing", f"where the cluster is, such as {example}")
    found = re.fullmatch(FORMS[compute.backend], compute.address)
    if not found:
        what = f'"{compute.address[:60]}" is no address of {compute.backend.capitalize()}\'s'
        raise document.error(("compute", "address"), what, f"such as {example}")
    _check_files(compute, document, found)


def _check_files(compute: Compute, document: Document, found: re.Match[str]) -> None:
    lacking = [name for name in _FILES if getattr(compute, name) is None]
    scheme, machine = found["scheme"], found["machine"]
    if lacking and (len(lacking) < len(_FILES) or scheme == "tls" or not re.fullmatch(THIS_MACHINE, machine)):
        what = "missing: secrets of this party would cross the network in the clear"
        raise document.error(("compute", lacking[0]), what, f"name {', '.join(_FILES)}")
    if not lacking and scheme == "tcp":
        raise document.error(("compute", "address"), "tcp:// encrypts nothing", "write tls://")


_FILES = ("authority", "certificate", "key")
