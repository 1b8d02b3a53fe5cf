"""The commented files that `vfl init` gives a party to start from."""

from __future__ import annotations

from dataclasses import dataclass

_JOB = """\
# What all parties agree on: every party must hold the very same file. Fill it in, let
# `vfl peers add` enter the others, then send it to them.
# Every key and its default: configs/reference.yaml.
vfl: 1
job: our-scorecard
purpose: "Probability of default of common customers, for credit decisions."

parties: # `vfl peers add` enters the others, with the fingerprints of their certificates
  {guest}:
    role: guest
    certificate: "{pin}"

alignment: # how ids are made comparable
  strip: true
  case: keep # keep | lower | upper
  blanks: refuse # refuse | drop
  duplicates: refuse # refuse | drop
  min_intersection: 100

features:
  kind: woe # woe | standard
  bins: 10

model:
  kind: logistic # | trees | linear | poisson | gamma: each has keys of its own
  C: 1.0

scorecard: # 600 points at odds of 50 : 1, 20 points double them
  base_score: 600
  base_odds: 50
  pdo: 20
  bands: [600, 580, 560, 540] # A from 600 points, then B, C, D, and E below 540

encryption:
  bits: 2048

disclosure: # what parties learn on purpose
  woe_to_host: true
  scores: point # point | exact
  metrics: [train, test]
  host_columns: anonymous # anonymous | named

gates: # limits that this job may breach, by name
  allow: []
"""

_HEAD = """\
# {name}'s own file; no other party sees it. Paths start at this folder.
# Every key and its default: configs/reference.yaml.
vfl: 1
party: {name}
"""

_DATA = """
data:
  table: {table} # CSV or Parquet, one row per customer
  id: {id} # read as text
"""

_GUEST_DATA = """\
  label: {label} # 1 = bad, 0 = good
  split: {split} # a column with the values train and test; null trains on every row
"""

_COLUMNS = """\
  drop: [] # columns that take no part
  categorical: [] # columns that are categories although they look like numbers
"""

_LISTEN = """
listen: 0.0.0.0:{port} # where the others reach this party
"""

_REST = """
identity:
  certificate: {name}.crt
  key: {name}.key

compute:
  processes: null # cores to use; null takes all

out: runs # models, scores and reports

# `vfl peers add` enters them.
peers: {{}}
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody says of a party before its file is made; texts as YAML writes them."""

    table: str
    id: str
    label: str
    split: str
    port: int


def job_text(guest: str, pin: str) -> str:
    """Return a guest's job, with its own fingerprint filled in."""
    return _JOB.format(guest=guest, pin=pin)


def party_text(role: str, name: str, said: Answers) -> str:
    """Return the file of a party, which knows no peers yet."""
    parts = [_HEAD.format(name=name)]
    if role != "arbiter":
        own = _DATA + (_GUEST_DATA if role == "guest" else "") + _COLUMNS
        parts.append(own.format(table=said.table, id=said.id, label=said.label, split=said.split))
    if role != "guest":
        parts.append(_LISTEN.format(port=said.port))
    return "".join([*parts, _REST.format(name=name)])
