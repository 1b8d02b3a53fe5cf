"""The commented files that `vfl init` gives a party to start from."""

from __future__ import annotations

_JOB = """\
# What all parties agree on. Send this file to the others once it is filled in: every party
# must hold the very same one. Every key and its default: configs/reference.yaml.
vfl: 1
job: our-scorecard
purpose: "Probability of default of common customers, for credit decisions."

parties: # fingerprints as `vfl init` prints them; null until you have the others'
  {guest}:
    role: guest
    certificate: "{pin}"
  host:
    role: host
    certificate: null
  arbiter:
    role: arbiter
    certificate: null

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
  kind: logistic # logistic | trees, which have keys of their own
  C: 1.0

scorecard: # 600 points at odds of 50 : 1, 20 points double them
  base_score: 600
  base_odds: 50
  pdo: 20

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
  table: {name}.csv # CSV or Parquet, one row per customer
  id: id # read as text
"""

_GUEST_DATA = """\
  label: label # 1 = bad, 0 = good
  split: null # a column with the values train and test; null trains on every row
"""

_COLUMNS = """\
  drop: [] # columns that take no part
  categorical: [] # columns that are categories although they look like numbers
"""

_LISTEN = """
listen: 0.0.0.0:7443 # where the others reach this party
"""

_IDENTITY = """
identity:
  certificate: {name}.crt
  key: {name}.key

peers: # the names are those of the job
"""

_PEER = """\
  {name}:
    dial: {dial}
    certificate: {name}.crt
"""

_REST = """
compute:
  processes: null # cores to use; null takes all

out: runs # models, scores and reports
"""


def job_text(guest: str, pin: str) -> str:
    """Return a guest's job, with its own fingerprint filled in."""
    return _JOB.format(guest=guest, pin=pin)


def party_text(role: str, name: str) -> str:
    """Return the file of a party: the guest dials the host and the arbiter, the host the arbiter."""
    dialled = {"guest": ("host", "arbiter"), "host": ("arbiter",), "arbiter": ()}[role]
    parts = [_HEAD.format(name=name)]
    if role != "arbiter":
        parts += [_DATA.format(name=name), _GUEST_DATA if role == "guest" else "", _COLUMNS]
    if role != "guest":
        parts.append(_LISTEN)
    parts.append(_IDENTITY.format(name=name))
    for peer in ("guest", "host", "arbiter"):
        if peer != role:
            dial = f"{peer}.example.org:7443" if peer in dialled else "null # it dials us"
            parts.append(_PEER.format(name=peer, dial=dial))
    return "".join([*parts, _REST])
