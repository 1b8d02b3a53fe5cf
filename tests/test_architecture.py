"""The house keeps its floors: imports go down, messages confess, nothing reaches outside unseen."""

from __future__ import annotations

import re
from dataclasses import is_dataclass

import pytest
from source import ROOT, Source, messages, protocols, sources

from vfl.wire.message import Message, field_types, formula, reveals

FLOORS: tuple[set[str], ...] = (
    {"vfl", "vfl.errors"},
    {"vfl.cluster", "vfl.gates", "vfl.steps"},
    {"vfl.crypto", "vfl.wire", "vfl.table"},
    {"vfl.stats", "vfl.arbitration"},
    {"vfl.features", "vfl.linear", "vfl.trees", "psi"},
    {"parties", "vfl.estimators"},
)
"""What stands on a floor may use itself and all floors below it, and not its neighbours."""

SHOWN = "vfl.estimators"
"""What the front door, vfl/__init__.py, shows to who asks for it, and imports no sooner."""

LIBRARY = sources("vfl", "psi")
PRODUCT = sources("vfl", "psi", "parties")
EVERYTHING = sources("vfl", "psi", "parties", "tests", "scripts")

MESSAGES = [kind for protocol in protocols() for kind in messages(protocol)]

OUTSIDE = {
    "a clock": {"time", "datetime"},
    "randomness": {"random", "secrets", "uuid", "os.urandom", "np.random", "numpy.random"},
    "the environment": {"os.environ", "os.getenv", "os.putenv"},
}
"""What no module below `parties` may touch, but for those named with their reason."""

ALLOWED = {
    "vfl/crypto/randomness.py": {"randomness"},  # the one source of it
    "vfl/wire/channel.py": {"the environment"},  # gRPC reads its TLS settings there and nowhere else
    "vfl/wire/certificates.py": {"a clock"},  # certificates begin and expire
    "vfl/wire/dialling.py": {"a clock"},  # time-outs of the network driver, as in the next three
    "vfl/wire/greeting.py": {"a clock"},  # what is told and compared
    "vfl/wire/lasting.py": {"a clock"},
    "vfl/wire/link.py": {"a clock"},
    "vfl/wire/listener.py": {"a clock"},
    "vfl/wire/session.py": {"a clock"},
}


def part_of(name: str) -> str | None:
    """Return the part of the house that a dotted name belongs to, None if it is not of the house."""
    top, _, rest = name.partition(".")
    if top != "vfl":
        return top if top in ("psi", "parties") else None
    below = rest.partition(".")[0]
    places = (ROOT / "vfl" / below, ROOT / "vfl" / f"{below}.py")
    return f"vfl.{below}" if below and any(place.exists() for place in places) else "vfl"


def floor_of(part: str) -> int:
    """Return the floor on which a part stands."""
    return next(i for i, floor in enumerate(FLOORS) if part in floor)


def reached_from(source: Source) -> set[str]:
    """Return what of the outside a module touches."""
    used = {*source.imports(), *source.attributes()}
    return {
        thing
        for thing, names in OUTSIDE.items()
        if any(u == name or u.startswith(f"{name}.") for u in used for name in names)
    }


@pytest.mark.parametrize("source", PRODUCT, ids=str)
def test_imports_go_down_only(source: Source) -> None:
    here = part_of(source.module)
    assert here is not None
    for name in source.imports():
        there = part_of(name)
        if there is not None and there != here and (here, there) != ("vfl", SHOWN):
            assert floor_of(there) < floor_of(here), f"{source.module} imports {name}"


def test_every_part_stands_on_one_floor() -> None:
    parts = {part_of(source.module) for source in PRODUCT}
    placed = [part for floor in FLOORS for part in floor]
    assert parts <= set(placed)
    assert len(placed) == len(set(placed))


def test_the_library_never_imports_psi_or_the_programs() -> None:
    for source in sources("vfl"):
        assert not [n for n in source.imports() if part_of(n) in ("psi", "parties")], source


def test_grpc_is_imported_in_one_place() -> None:
    users = {str(s) for s in PRODUCT if any(n.partition(".")[0] == "grpc" for n in s.imports())}
    assert users == {"vfl/wire/channel.py"}


def test_nothing_unpickles() -> None:
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
    for source in EVERYTHING:
        used = {*source.imports(), *source.attributes()}
        assert not {n.partition(".")[0] for n in used} & forbidden, source
        assert not {"joblib.load", "joblib.dump", "pd.read_pickle", "np.load"} & used, source


def test_below_the_programs_nothing_reaches_outside_unseen() -> None:
    touched = {str(source): reached for source in LIBRARY if (reached := reached_from(source))}
    assert touched == ALLOWED


def test_protocols_await_messages_and_know_no_event_loop() -> None:
    for source in LIBRARY:
        assert "asyncio" not in {n.partition(".")[0] for n in source.imports()}, source


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_message_is_frozen_and_says_its_formula_and_what_it_reveals(kind: type[Message]) -> None:
    assert is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert not hasattr(object.__new__(kind), "__dict__")
    assert formula(kind).endswith(".")
    assert reveals(kind).endswith(".")
    # The ledger and the report give this sentence without the formula.
    assert not re.match(r"(that|it|them|they|both|these|those|the same)\b", reveals(kind))
    assert field_types(kind)


def test_every_message_there_is_was_looked_at() -> None:
    ours = {k for k in _descendants(Message) if k.__module__.partition(".")[0] in ("vfl", "psi", "parties")}
    assert ours == set(MESSAGES)


def _descendants(kind: type[Message]) -> set[type[Message]]:
    # dataclass(slots=True) makes a class anew: what it was made from lives until it is collected.
    direct = {k for k in kind.__subclasses__() if "__slots__" in vars(k)}
    return direct | {d for k in direct for d in _descendants(k)}


def test_no_file_is_longer_than_400_lines() -> None:
    long = {str(s): lines for s in EVERYTHING if (lines := s.text.count("\n")) > 400}
    assert long == {}


def test_every_file_is_named_after_what_it_holds() -> None:
    empty_names = {"util", "utils", "common", "helper", "helpers", "misc"}
    assert not [str(s) for s in EVERYTHING if set(s.module.split(".")) & empty_names]


def test_nothing_is_left_to_be_done_in_a_comment() -> None:
    unfinished = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    assert not [str(s) for s in EVERYTHING if unfinished.search(s.text)]


def test_every_module_says_what_it_is() -> None:
    silent = [str(s) for s in PRODUCT if s.text.strip() and not re.match(r'r?"""\S', s.text)]
    assert silent == []
