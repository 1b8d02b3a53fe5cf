"""The reference file is generated, complete, and valid itself."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from parties.config.job import Job
from parties.config.party import Party
from parties.config.reference import OTHERWISE, reference
from parties.config.schema import Section, dotted_keys
from parties.config.yaml import parse

COMMITTED = Path(__file__).parents[1] / "configs" / "reference.yaml"


def documents() -> list[str]:
    """Return the two documents of the reference: the job, and the guest's file."""
    return reference().split("---\n")[1:]


def alternatives(text: str) -> list[tuple[str | int, ...]]:
    """Return the keys of the model's commented section."""
    _, _, rest = text.partition(f"  # {OTHERWISE}\n")
    section = [line.removeprefix("  # ") for line in itertools.takewhile(str.strip, rest.splitlines())]
    return [("model", *key) for key in parse("\n".join(section) or "none: 0", Path("section")).lines]


def absent(text: str) -> list[tuple[str | int, ...]]:
    """Return the keys of the model's sections that are null by default, and stand below as comments."""
    lines = text.splitlines()
    heads = [k for k, line in enumerate(lines) if re.fullmatch(r"  # \w+:", line)]
    blocks = [itertools.takewhile(lambda line: line.startswith("  #"), lines[k:]) for k in heads]
    shown = ["\n".join(line[4:] for line in block) for block in blocks]
    return [("model", *key) for section in shown for key in parse(section, Path("section")).lines]


def test_the_committed_reference_is_the_generated_one() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -m parties.config.reference configs/reference.yaml"
    )


def test_the_reference_is_a_valid_job_and_a_valid_party_of_it(tmp_path: Path) -> None:
    job, party = (tmp_path / name for name in ("job.yaml", "bank.yaml"))
    for path, text in zip((job, party), documents(), strict=True):
        path.write_text(text, encoding="utf-8")
    assert Party.load(party, Job.load(job)).party == "bank"


@pytest.mark.parametrize(("section", "index"), [(Job, 0), (Party, 1)])
def test_every_key_is_in_the_reference_with_its_default(section: type[Section], index: int) -> None:
    text = documents()[index]
    document = parse(text, Path("reference.yaml"))
    written = {
        ".".join(map(str, key)) for key in [*document.lines, *alternatives(text), *absent(text)] if key
    }
    for key in dotted_keys(section):
        named = key.replace("parties.NAME", "parties.bank").replace("peers.NAME", "peers.insurer")
        named = named.replace("data.bins.NAME", "data.bins.income")
        assert named in written
    for name, info in section.model_fields.items():
        if isinstance(info.default, Section):
            assert type(info.default).model_validate(document.data[name]) == info.default


@pytest.mark.parametrize("section", [Job, Party])
def test_every_key_is_described(section: type[Section]) -> None:
    assert all(info.description for info in section.model_fields.values())
