"""Ids by the contract's rules: what is equal, what is refused, what is kept."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared

from vfl.errors import DataError
from vfl.table.ids import ASCII_SPACE, IdRules, normalised
from vfl.table.read import read_table
from vfl.table.texts import PART

DROP = IdRules(blanks="drop", duplicates="drop")
rules = st.builds(
    IdRules, strip=st.booleans(), case=st.sampled_from(["keep", "lower", "upper"]), nfkc=st.booleans()
)


def column(*texts):
    values = np.empty(len(texts), dtype=object)
    values[:] = texts
    return values


@given(rules, st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs", "Cn"])))
def test_normalising_twice_is_normalising_once(rule, text):
    assert rule.apply(rule.apply(text)) == rule.apply(text)


@given(st.lists(st.none() | st.text("aA1 \t", max_size=3)))
def test_kept_ids_are_distinct_and_every_row_is_accounted_for(texts):
    clean = normalised(column(*texts), DROP, "bank.csv")
    assert len(set(clean.ids)) == len(clean)
    assert len(clean) + clean.blanks + clean.duplicates == len(texts)
    assert [DROP.apply(texts[row]) for row in clean.rows] == list(clean.ids)


ASCII, OTHERS = st.text(f"aA1{ASCII_SPACE}\0", max_size=3), st.text("a\u00c9\uff21", max_size=2)


@given(rules, st.lists(ASCII | OTHERS) | st.lists(ASCII))
def test_ids_are_what_the_rules_make_of_each(rule, texts):
    clean = normalised(column(*texts), replace(rule, blanks="drop", duplicates="drop"), "bank.csv")
    assert list(clean.ids) == [key for key in dict.fromkeys(map(rule.apply, texts)) if key]


def test_ids_of_a_long_list_are_those_of_its_parts():
    texts = [f"c{k % (PART + 7)}" if k % 1000 else f"\u00e9{k}" for k in range(3 * PART)]
    clean = normalised(column(*texts), DROP, "bank.csv")
    first = {text: row for row, text in reversed(list(enumerate(texts)))}
    assert clean.ids.tolist() == [texts[row] for row in sorted(first.values())]
    assert clean.rows.tolist() == sorted(first.values())


def test_the_first_of_equal_ids_is_kept():
    clean = normalised(column("b", " a", None, "a", "a ", ""), DROP, "bank.csv")
    assert (list(clean.ids), list(clean.rows)) == (["b", "a"], [0, 1])
    assert (clean.blanks, clean.duplicates) == (2, 2)


@pytest.mark.parametrize(
    ("rule", "one", "other"),
    [
        (IdRules(), " 0123 ", "0123"),
        (IdRules(), "\u00a001\u3000", "01"),
        (IdRules(), "１２Ａ", "12A"),
        (IdRules(), "e\u0301", "\u00e9"),
        (IdRules(case="lower"), "Ann@Example.ORG", "ann@example.org"),
        (IdRules(case="upper"), "11010519491231002x", "11010519491231002X"),
    ],
)
def test_rules_make_ids_equal(rule, one, other):
    assert rule.apply(one) == rule.apply(other)


def test_rules_not_asked_for_change_nothing():
    plain = IdRules(strip=False, nfkc=False)
    assert plain.apply(" Ａnn ") == " Ａnn "
    assert IdRules().apply("007x") == "007x"


def test_repeated_ids_are_refused_with_their_lines_and_the_mend():
    with pytest.raises(DataError) as caught:
        normalised(column("a", "b", "a", "b", "a", "a"), IdRules(), "bank.csv")
    assert str(caught.value) == (
        "bank.csv: 4 ids are repeated: line 4 (as line 2), line 5 (as line 3), line 6 (as line 2), ..."
    )
    assert "alignment.duplicates: drop" in caught.value.hint


def test_blank_ids_are_refused_with_their_lines_and_the_mend():
    with pytest.raises(DataError, match=r"bank.parquet: one id is blank: row 2$") as caught:
        normalised(column("a", "  ", "c"), IdRules(), "bank.parquet")
    assert "alignment.blanks: drop" in caught.value.hint


def test_messages_and_reprs_show_no_id():
    with pytest.raises(DataError) as caught:
        normalised(column("secret", "secret"), IdRules(), "bank.csv")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(normalised(column("secret"), IdRules(), "bank.csv"))


@pytest.mark.parametrize(("file", "common"), [("insurer.csv", 890), ("insurer_dirty.csv", 888)])
def test_the_dirty_file_matches_after_cleaning(file, common):
    rule = IdRules(case="lower", blanks="drop", duplicates="drop")
    both = [read_table(shared(f"german/{name}"), id="id").ids for name in ("bank.csv", file)]
    bank, insurer = (set(normalised(ids, rule, file).ids) for ids in both)
    assert len(bank & insurer) == common
