"""Chunks of work on the workers of a cluster.

A worker needs this library in the party's own version, which goes with every chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from parties.config.resources import Compute
from vfl import __version__
from vfl.errors import ConfigError, PausedError

T = TypeVar("T")

Chunk = tuple[Callable[..., Any], tuple[Any, ...]]

Call = tuple[str, Chunk]
"""What `computed` is called with."""

Pool = Callable[[Iterable[Call]], Iterable[tuple[str, Any]]]
"""Has workers do `computed` for every call, and returns the answers in their order."""


def mapped(pool: Pool, work: Callable[..., T], chunks: Iterable[tuple[Any, ...]]) -> list[T]:
    """Return work(*chunk) of every chunk, in their order.

    Raises ConfigError where a worker has no such library, or another version of it.
    """
    try:
        answers = list(pool((__version__, (work, chunk)) for chunk in chunks))
    except ModuleNotFoundError as error:
        what = f"a worker lacks {error.name}"
        raise ConfigError("compute.backend", what, f"install vfl {__version__} there") from None
    for version, _ in answers:
        if version != __version__:
            what = f"a worker has vfl {version}, this party {__version__}"
            raise ConfigError("compute.backend", what, "install the same version on both")
    return [answer for _, answer in answers]


@contextmanager
def lost(compute: Compute, *errors: type[BaseException]) -> Iterator[None]:
    """Turn errors that mean a lost cluster into a pause: nothing that was computed before is lost with it."""
    try:
        yield
    except errors as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        hint = "a training goes on once it is back, or with compute.backend threads: vfl resume"
        raise PausedError(f"cluster at {compute.address}", f"was lost: {said}", hint) from None


def computed(version: str, chunk: Chunk) -> tuple[str, Any]:
    """Return, at a worker, its version, and the result unless the party's is another."""
    work, arguments = chunk
    return __version__, work(*arguments) if version == __version__ else None


def there() -> None:
    """What every worker can do that has this library."""
