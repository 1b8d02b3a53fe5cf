"""The job and the party's file: what they accept, what they refuse, and where they point."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from parties.config.job import Job, JobParty
from parties.config.party import Party
from vfl.errors import ConfigError, ContractError

CONFIGS = Path(__file__).parents[1] / "configs"
PIN = "sha256:" + "0123456789abcdef" * 4

JOB = """\
vfl: 1
job: small
purpose: a test
parties:
  bank: {role: guest}
  insurer: {role: host}
  trustee: {role: arbiter}
"""

BANK = """\
vfl: 1
party: bank
data: {table: tables/bank.csv, label: label}
identity: {certificate: bank.crt, key: /keys/bank.key}
peers:
  insurer: {dial: "insurer.example.org:7443", certificate: insurer.crt}
  trustee: {dial: "[::1]:7443", certificate: trustee.crt}
"""

INSURER = """\
vfl: 1
party: insurer
data: {table: insurer.csv}
listen: 0.0.0.0:7443
identity: {certificate: insurer.crt, key: insurer.key}
peers:
  bank: {certificate: bank.crt}
  trustee: {certificate: trustee.crt}
"""


def job(text: str, folder: Path) -> Job:
    """Load a job from a text."""
    (folder / "job.yaml").write_text(text, encoding="utf-8")
    return Job.load(folder / "job.yaml")


def party(text: str, folder: Path) -> Party:
    """Load a party of the small job from a text."""
    (folder / "party.yaml").write_text(text, encoding="utf-8")
    return Party.load(folder / "party.yaml", job(JOB, folder))


def complaint(error: ConfigError, folder: Path) -> str:
    """Return what an error says, without its folder."""
    return str(error).removeprefix(f"{folder}/")


def test_a_job_fills_in_its_defaults(tmp_path: Path) -> None:
    small = job(JOB, tmp_path)
    assert (small.guest, small.hosts, small.arbiter) == ("bank", ("insurer",), "trustee")
    assert (small.features.bins, small.model.max_iter, small.encryption.bits) == (10, 40, 2048)
    assert small.disclosure.metrics == ("train", "test")
    assert small.gates.allow == ()


def test_the_contract_hash_counts_meaning_and_not_layout(tmp_path: Path) -> None:
    small = job(JOB, tmp_path)
    same = job(f"# a comment\nmodel: {{C: 1, max_iter: 40}}\n{JOB}gates: {{allow: []}}\n", tmp_path)
    assert same.contract_hash() == small.contract_hash()
    for other in ("model: {C: 2}", "alignment: {case: lower}", "disclosure: {metrics: [test]}"):
        assert job(f"{JOB}{other}\n", tmp_path).contract_hash() != small.contract_hash()
    one, two = (
        f"{JOB}gates: {{allow: [{names}]}}\n" for names in ("few_rows, small_bins", "small_bins, few_rows")
    )
    assert job(one, tmp_path).contract_hash() == job(two, tmp_path).contract_hash()


def test_the_contract_hash_is_that_of_canonical_json(tmp_path: Path) -> None:
    # A change of this vector changes what parties have signed: it needs a new format version.
    small = job(JOB.replace("a test", "Prüfung"), tmp_path)
    text = json.dumps(small.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    assert text.startswith('{"alignment":{"blanks":"refuse","case":"keep","duplicates":"refuse"')
    assert '"purpose":"Pr\\u00fcfung"' in text
    assert '"tolerance":3e-05' in text
    assert small.contract_hash() == hashlib.sha256(text.encode()).hexdigest()
    assert small.contract_hash() == "20ae015be931c111624f7efe3974d0ba05b84a41ce8c865f26b184b543753966"


def test_a_dumped_job_loads_to_an_equal_one(tmp_path: Path) -> None:
    original = job(JOB.replace("{role: guest}", f'{{role: guest, certificate: "{PIN}"}}'), tmp_path)
    original.dump(tmp_path / "copy.yaml")
    copy = Job.load(tmp_path / "copy.yaml")
    assert copy == original
    assert copy.contract_hash() == original.contract_hash()


def test_a_job_without_all_pins_cannot_run_between_institutions(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no certificate is pinned for insurer, trustee"):
        _ = job(JOB.replace("{role: guest}", f'{{role: guest, certificate: "{PIN}"}}'), tmp_path).pins
    pinned = JOB
    for role in ("guest", "host", "arbiter"):
        pinned = pinned.replace(f"role: {role}", f'role: {role}, certificate: "{PIN}"')
    assert job(pinned, tmp_path).pins == {"bank": PIN, "insurer": PIN, "trustee": PIN}


def test_many_iterations_need_their_gate(tmp_path: Path) -> None:
    many = f"{JOB}model: {{max_iter: 41}}\n"
    with pytest.raises(ContractError) as refusal:
        job(many, tmp_path).open_gates()
    assert refusal.value.hint.endswith("gates.allow: [many_iterations]")
    allowed = job(f"{many}gates: {{allow: [many_iterations]}}\n", tmp_path).open_gates()
    assert allowed.overridden == ["many_iterations: model.max_iter: 41 iterations asked for"]
    assert job(JOB, tmp_path).open_gates().overridden == []


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("features: {bins: 1}", "features.bins: must be at least 2, is 1"),
        ("features: {bins: 65}", "features.bins: must be at most 64, is 65"),
        ("features: {bins: true}", "features.bins: must be a whole number, is true"),
        ("features: {bins: 10.0}", "features.bins: must be a whole number, is 10.0"),
        ("model: {C: 0}", "model.C: must be greater than 0, is 0"),
        ("model: {C: .inf}", "model.C: must be a finite number, is inf"),
        ("model: {C: null}", "model.C: must be a number, is empty"),
        ("model: 3", "model: must be a mapping: lines of `key: value`, is 3"),
        ("encryption: {bits: 1792}", "encryption.bits: must be at least 2048, is 1792"),
        ("encryption: {bits: 2100}", "encryption.bits: must be a multiple of 256, is 2100"),
        (
            "encryption: {randomiser_bits: 256}",
            "encryption.randomiser_bits: must be half, 448 or 320, is 256",
        ),
        ("alignment: {strip: yes}", 'alignment.strip: must be true or false, is the text "yes"'),
        ("disclosure: {metrics: [dev]}", 'disclosure.metrics[0]: must be train or test, is the text "dev"'),
        ("scorecard: {pdo: -20}", "scorecard.pdo: must be greater than 0, is -20"),
        (
            "scorecard: {bands: [600, 640]}",
            "scorecard.bands: must fall: the best band comes first",
        ),
        ("purpose: again", "purpose: duplicate key, first on line 3"),
    ],
)
def test_a_bad_value_is_told_in_plain_words_with_its_line(tmp_path: Path, extra: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        job(f"{JOB}{extra}\n", tmp_path)
    assert complaint(error.value, tmp_path) == f"job.yaml:8: {said}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("vfl: 1", "vfl: 2", "job.yaml:1: vfl: must be 1, is 2"),
        ("small", "Small", 'job.yaml:2: job: "Small" is no job name: a-z, 0-9 and -, up to 64 of them'),
        ("a test", '" "', "job.yaml:3: purpose: must not be blank"),
        ("purpose: a test\n", "", "job.yaml:1: purpose: missing"),
        ("{role: host}", "{}", "job.yaml:6: parties.insurer.role: missing"),
        (
            "role: arbiter",
            "role: host",
            "job.yaml:1: model: kind logistic of 2 hosts needs an arbiter, and the job has none",
        ),
        ("role: host", "role: arbiter", "job.yaml:4: parties: needs 1 to 8 hosts, not 0"),
        ("role: host", "role: guest", "job.yaml:4: parties: needs exactly one guest, not 2: bank, insurer"),
        (
            "  trustee",
            "".join(f"  h{k}: {{role: host}}\n" for k in range(8)) + "  trustee",
            "job.yaml:4: parties: needs 1 to 8 hosts, not 9: h0, h1, h2, h3, h4, h5, h6, h7, insurer",
        ),
        (
            "  trustee",
            "  other: {role: arbiter}\n  trustee",
            "job.yaml:4: parties: needs one arbiter at most, not 2: other, trustee",
        ),
        (
            "{role: host}",
            "{role: host, certificate: abc}",
            "job.yaml:6: parties.insurer.certificate: must be sha256:",
        ),
        (
            "a test\n",
            "a test\nmodel: {sigmoid: taylor}\ndisclosure: {metrics: [test]}\n",
            "job.yaml:5: disclosure: metrics must hold train: model.sigmoid taylor is calibrated",
        ),
        (
            "insurer",
            "arbiter",
            "job.yaml:4: parties: a party named arbiter that is the host would be mistaken",
        ),
    ],
)
def test_a_bad_job_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        job(JOB.replace(old, new), tmp_path)
    assert complaint(error.value, tmp_path).startswith(said)


def test_a_model_of_trees_has_its_own_keys_and_defaults(tmp_path: Path) -> None:
    trees = job(f"{JOB}model: {{kind: trees, max_depth: 5, learning_rate: 1}}\n", tmp_path)
    assert (trees.trees.n_estimators, trees.trees.max_depth, trees.trees.max_bin) == (50, 5, 32)
    trees.dump(tmp_path / "copy.yaml")
    assert Job.load(tmp_path / "copy.yaml") == trees
    assert trees.contract_hash() != job(JOB, tmp_path).contract_hash()
    assert job(f"{JOB}model: {{kind: logistic}}\n", tmp_path) == job(JOB, tmp_path)


@pytest.mark.parametrize(
    ("model", "said", "hint"),
    [
        ("{kind: tree}", ".kind: must be logistic, trees, linear, poisson or", "did you mean trees?"),
        ("{kind: trees, C: 1.0}", ".C: unknown key", "it belongs to kind: logistic"),
        ("{n_estimators: 3}", ".n_estimators: unknown key", "it belongs to kind: trees"),
        ("{kind: trees, max_dept: 3}", ".max_dept: unknown key", "did you mean max_depth?"),
        ("{kind: trees, max_depth: 9}", ".max_depth: must be at most 8, is 9", "Levels of splits at most"),
        ("{kind: trees, subsample: 0}", ".subsample: must be greater than 0, is 0", "Share of the train"),
        ("{kind: trees, top_rate: 0.2}", ".other_rate: GOSS needs both top_rate and other_rate", ""),
        ("{kind: trees, top_rate: 0.9, other_rate: 0.2}", ".other_rate: top_rate and other_rate are tog", ""),
        (
            "{kind: trees, subsample: 0.5, top_rate: 0.2, other_rate: 0.1}",
            ".other_rate: a tree is grown from a subsample or by GOSS, not both",
            "",
        ),
        (
            "{kind: trees, early_stopping_rounds: 3}",
            ".early_stopping_rounds: stopping early needs held-back rows: validation_share",
            "",
        ),
        (
            "{kind: trees}\nfeatures: {bins: 3}",
            ": trees are binned by model.max_bin: remove the section `features`",
            "",
        ),
    ],
)
def test_keys_of_another_kind_of_model_are_refused(tmp_path: Path, model: str, said: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        job(f"{JOB}model: {model}\n", tmp_path)
    assert complaint(error.value, tmp_path).startswith(f"job.yaml:8: model{said}")
    assert error.value.hint.startswith(hint)


def test_the_first_of_several_mistakes_in_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        job(f"{JOB}zeal: 1\nmodel: {{C: x}}\nalignment: {{strip: 3}}\n", tmp_path)
    assert complaint(error.value, tmp_path) == "job.yaml:8: zeal: unknown key"


def test_paths_of_a_party_start_at_its_folder(tmp_path: Path) -> None:
    bank = party(BANK, tmp_path)
    assert bank.data is not None
    assert bank.data.table == tmp_path / "tables" / "bank.csv"
    assert bank.identity.key == Path("/keys/bank.key")
    assert bank.peers["insurer"].certificate == tmp_path / "insurer.crt"
    assert bank.out == tmp_path / "runs"


def test_a_dumped_party_says_the_same_from_anywhere(tmp_path: Path) -> None:
    bank = party(BANK, tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    bank.dump(elsewhere / "party.yaml")
    again = Party.load(elsewhere / "party.yaml", job(JOB, tmp_path))
    assert again.model_dump(mode="json") == bank.model_dump(mode="json")


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (BANK, "party: bank", "party: bnk", 'party.yaml:2: party: the job small has no party "bnk"'),
        (BANK, "party: bank", "party: trustee", "party.yaml:3: data: an arbiter holds no data"),
        (BANK, ", label: label", "", "party.yaml:3: data.label: missing"),
        (INSURER, "data: {table: insurer.csv}\n", "", "party.yaml:1: data: missing"),
        (
            INSURER,
            "insurer.csv",
            "insurer.csv, label: bad",
            "party.yaml:3: data.label: only the guest has a label",
        ),
        (
            INSURER,
            "insurer.csv",
            "insurer.csv, split: part",
            "party.yaml:3: data.split: only the guest has a split",
        ),
        (
            INSURER,
            "peers:",
            "report: {cutoff: 0.1}\npeers:",
            "party.yaml:6: report: only the guest has a report",
        ),
        (INSURER, "listen: 0.0.0.0:7443\n", "", "party.yaml:6: peers.bank: bank cannot be reached"),
        (INSURER, "0.0.0.0:7443", "7443", "party.yaml:4: listen: must be text, is 7443"),
        (
            INSURER,
            "0.0.0.0:7443",
            "localhost:x",
            'party.yaml:4: listen: "localhost:x" is no address: host:port',
        ),
        (
            BANK,
            "org:7443",
            "org:70000",
            'party.yaml:6: peers.insurer.dial: "insurer.example.org:70000" is no',
        ),
        (
            BANK.replace("identity:", "listen: 0.0.0.0:7443\nidentity:"),
            'dial: "insurer.example.org:7443", ',
            "",
            "party.yaml:7: peers.insurer: the guest begins every run, so it dials",
        ),
        (
            re.sub(r"(  \w+: )\{", r'\1{dial: "x.example.org:7443", ', INSURER),
            "listen: 0.0.0.0:7443\n",
            "",
            "party.yaml:1: listen: missing: the guest dials this party",
        ),
        (BANK, "  insurer:", "  insurers:", "party.yaml:6: peers.insurers: is no party of the job small"),
        (BANK, "  insurer:", "  bank:", "party.yaml:6: peers.bank: is this party itself"),
        (INSURER, "  bank: {certificate: bank.crt}\n", "", "party.yaml:6: peers: bank is missing"),
        (
            BANK,
            "identity: {certificate: bank.crt, ",
            "identity: {",
            "party.yaml:4: identity.certificate: missing",
        ),
        (BANK, "tables/bank.csv", "[]", "party.yaml:3: data.table: must be a path, is a list"),
    ],
)
def test_a_bad_party_is_refused(tmp_path: Path, text: str, old: str, new: str, said: str) -> None:
    assert old in text
    with pytest.raises(ConfigError) as error:
        party(text.replace(old, new), tmp_path)
    assert complaint(error.value, tmp_path).startswith(said)


def two_hosts(folder: Path) -> Job:
    """Return the small job with a lender as a second host."""
    small = job(JOB, folder)
    return small.model_copy(update={"parties": small.parties | {"lender": JobParty(role="host")}})


def test_everybody_meets_but_hosts_each_other(tmp_path: Path) -> None:
    agreed = two_hosts(tmp_path)
    assert agreed.hosts == ("insurer", "lender")
    assert {name: agreed.peers_of(name) for name in agreed.parties} == {
        "bank": ("trustee", "insurer", "lender"),
        "insurer": ("bank", "trustee"),
        "trustee": ("bank", "insurer", "lender"),
        "lender": ("bank", "trustee"),
    }
    none = agreed.model_copy(update={"parties": {n: p for n, p in agreed.parties.items() if n != "trustee"}})
    assert none.arbiter is None
    assert none.peers_of("bank") == ("insurer", "lender")


def test_a_host_says_how_it_meets_everybody_but_other_hosts(tmp_path: Path) -> None:
    agreed, path = two_hosts(tmp_path), tmp_path / "party.yaml"
    path.write_text(INSURER, encoding="utf-8")
    assert set(Party.load(path, agreed).peers) == {"bank", "trustee"}
    path.write_text(f"{INSURER}  lender: {{certificate: lender.crt}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        Party.load(path, agreed)
    assert complaint(error.value, tmp_path) == "party.yaml:9: peers.lender: is a host too: hosts do not meet"
    path.write_text(BANK, encoding="utf-8")
    with pytest.raises(ConfigError, match="peers: lender is missing"):
        Party.load(path, agreed)


SHIPPED = [path for path in sorted(CONFIGS.glob("*/*.yaml")) if "\njob:" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_configurations_that_come_with_the_project_are_valid(path: Path) -> None:
    shipped = Job.load(path)
    for name in shipped.parties:
        assert Party.load(path.parent / f"{name}.yaml", shipped).party == name
