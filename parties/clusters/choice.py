"""What a party computes with, as its file says: this machine, or a cluster for what is worth sending."""

from __future__ import annotations

import functools
import importlib.util
import os

from parties.clusters.mapped import there
from parties.config.resources import Compute
from psi.group import Group
from psi.group import Spread as SpreadGroup
from psi.group import best as best_group
from vfl import __version__
from vfl.cluster import Cluster
from vfl.crypto.modular import Modular, Spread, best
from vfl.errors import ConfigError, VflError

LIBRARIES = {"dask": "distributed", "ray": "ray"}


def arithmetic(compute: Compute) -> Modular:
    """Return modular arithmetic; raises ConfigError where it cannot be had as wanted."""
    wanted = os.environ.get("VFL_ARITHMETIC")
    here = best(cores(compute), wanted)
    found = cluster(compute)
    return Spread(found, here, "gmp" if wanted == "gmp" else None) if found else here


def group(compute: Compute) -> Group:
    """Return the group in which ids are compared; raises ConfigError where it cannot be had as wanted."""
    wanted = os.environ.get("VFL_GROUP")
    here = best_group(cores(compute), wanted)
    found = cluster(compute)
    return SpreadGroup(found, here, "sodium" if wanted == "sodium" else None) if found else here


def cores(compute: Compute) -> int:
    """Return how many cores of this machine may be used."""
    return compute.processes or os.cpu_count() or 1


@functools.cache
def cluster(compute: Compute) -> Cluster | None:
    """Return the party's cluster, None where it has none; it stays reached until this process ends.

    Raises ConfigError where its library is not installed, or where it does not answer.
    """
    if compute.backend == "threads":
        return None
    extra = compute.backend
    if importlib.util.find_spec(LIBRARIES[extra]) is None:
        what = f"needs {extra.capitalize()}, which is not installed"
        raise ConfigError("compute.backend", what, f"pip install 'vfl[{extra}]'")
    try:
        reached = _reached(compute)
        reached.map(there, [()])
    except VflError:
        raise
    except Exception as error:  # libraries of many authors are behind it
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        what = f"no cluster at {compute.address}: {said}"
        hint = f"start it, with vfl {__version__} on every worker; or see its address and certificates"
        raise ConfigError("compute.address", what, hint) from None
    return reached


def _reached(compute: Compute) -> Cluster:
    if compute.backend == "dask":
        from parties.clusters.dask import Dask

        return Dask(compute)
    from parties.clusters.ray import Ray

    return Ray(compute)
