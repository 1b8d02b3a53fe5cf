"""Cards taken into a party's files: the pin into the job, the address and certificate into its own.

Both files keep their comments and everything else that stands in them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from parties.config.job import named_like
from parties.config.yaml import load
from parties.meeting.card import Card
from vfl.errors import ConfigError, SecurityError

ROLES = ("guest", "host", "arbiter")

CALLS = {"guest": ("host", "arbiter"), "host": ("arbiter",), "arbiter": ()}
"""Whom a party of a role calls, so whose address it needs; all others call it."""


@dataclass(slots=True)
class Files:
    """The job and a party's own file, as they stand and as they are to be."""

    job_path: Path
    own_path: Path
    job: dict[str, Any]
    own: dict[str, Any]

    @classmethod
    def load(cls, job_path: Path, own_path: Path | None) -> Files:
        """Return both; without a name, the own file is the one beside the job that names a party."""
        load(job_path)  # what is no YAML is told with its line
        own_path = own_path or _own_file(job_path)
        load(own_path)
        return cls(job_path, own_path, _kept(job_path), _kept(own_path))

    @property
    def name(self) -> str:
        """The own party's name."""
        return str(self.own.get("party"))

    def role_of(self, name: str) -> str | None:
        """Return the role that the job gives a party, None if it names none of that name."""
        party = (self.job.get("parties") or {}).get(name)
        return None if party is None else str(party.get("role"))

    def pin(self, card: Card, role: str | None, *, replace: bool) -> bool:
        """Enter a party and its fingerprint into the job; return whether that changed it.

        Raises SecurityError where the job pins another certificate already.
        """
        where, named = str(self.job_path), self.role_of(card.name)
        role = role or named or card.role
        if role not in ROLES:
            raise ConfigError(where, f"nothing says what {card.name} does", f"--role {' | '.join(ROLES)}")
        if named not in (None, role):
            raise ConfigError(where, f"{card.name} is its {named}, not its {role}", "change it in the job")
        try:
            named_like(card.name, role)
        except ValueError as error:
            raise ConfigError(where, str(error)) from None
        parties = self.job.setdefault("parties", {})
        known = parties.get(card.name, {}).get("certificate")
        if known not in (None, card.fingerprint) and not replace:
            raise SecurityError(
                card.name,
                f"{self.job_path} pins another certificate, {known}",
                f"ask {card.name} which one is right; --replace takes the new one",
            )
        if known == card.fingerprint:
            return False
        if card.name not in parties:
            _append(parties, card.name, {"role": role})
        parties[card.name]["certificate"] = DoubleQuotedScalarString(card.fingerprint)
        return True

    def know(self, card: Card, address: str | None) -> Path | None:
        """Enter a peer into the own file and keep its certificate beside it; return where.

        None for a party that this one does not meet: itself, and for a host another host.
        """
        own, theirs = self.role_of(self.name), self.role_of(card.name)
        if card.name == self.name or own == theirs:
            return None
        peers = self.own.get("peers") or {}
        dial = address or card.address or (peers.get(card.name) or {}).get("dial")
        if theirs in CALLS[str(own)] and dial is None:
            what = f"{card.name} is called by a {own}, and its card says no address"
            raise ConfigError(str(self.own_path), what, f"--dial HOST:PORT, where {card.name} listens")
        path = self.own_path.parent / f"{card.name}.crt"
        link = {"dial": dial if theirs in CALLS[str(own)] else None, "certificate": path.name}
        if not peers:
            self.own["peers"] = {}  # an empty mapping is written {}, and what is added to it within braces
        self.own["peers"][card.name] = link
        return path

    def certificates(self) -> list[Path]:
        """Return the files that every other party needs, the own certificate first."""
        peers = self.own.get("peers") or {}
        names = [self.own["identity"]["certificate"], *(link["certificate"] for link in peers.values())]
        return [self.own_path.parent / name for name in names]

    def missing(self) -> list[str]:
        """Return the parties of the job that it does not pin, or that the own file does not know."""
        peers, parties = self.own.get("peers") or {}, self.job.get("parties") or {}
        own = self.role_of(self.name)
        unknown = [n for n, p in parties.items() if n != self.name and p["role"] != own and n not in peers]
        unpinned = [n for n, p in parties.items() if p.get("certificate") is None]
        lacking = [f"a {role}" for role in ("guest", "host") if not self._named(role)]
        return [*lacking, *sorted({*unknown, *unpinned})]

    def _named(self, role: str) -> bool:
        return any(party["role"] == role for party in (self.job.get("parties") or {}).values())

    def save(self) -> None:
        """Write both files."""
        for path, data in ((self.job_path, self.job), (self.own_path, self.own)):
            text = io.StringIO()
            _round_trip().dump(data, text)
            path.write_text(text.getvalue(), encoding="utf-8")


def _own_file(job_path: Path) -> Path:
    others = (path for path in sorted(job_path.parent.glob("*.yaml")) if path != job_path)
    found = [path for path in others if load(path).data.get("party") == path.stem]
    if len(found) != 1:
        what = f"{len(found) or 'none'} of the parties' files lie beside {job_path}"
        raise ConfigError("--party", what, "name the own one: --party NAME.yaml")
    return found[0]


def _append(parties: Any, name: str, party: dict[str, Any]) -> None:
    """Add a party after the last, and the blank line that followed the last after it."""
    last = list(parties.values())[-1] if parties else None
    parties[name] = CommentedMap(party)
    if isinstance(last, CommentedMap) and (after := last.ca.items.pop("certificate", None)):
        parties[name].ca.items["certificate"] = after


def _round_trip() -> Any:
    from ruamel.yaml import YAML

    editor = YAML()
    editor.width = 1000
    editor.preserve_quotes = True
    editor.indent(mapping=2, sequence=4, offset=2)
    editor.representer.add_representer(type(None), _null)
    return editor


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _kept(path: Path) -> dict[str, Any]:
    """Return a file's values with all that makes its text: comments, order and quotes."""
    data: dict[str, Any] = _round_trip().load(path.read_text(encoding="utf-8-sig"))
    return data
