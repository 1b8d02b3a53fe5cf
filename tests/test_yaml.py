"""YAML files: what is no plain mapping is refused at its line, and what is written is read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.config.yaml import dump, load, parse
from vfl.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.yaml:1: must be a mapping"),
        ("- 1\n", "x.yaml:1: must be a mapping"),
        ("a: [1\nb: 2\n", "x.yaml:2: is not YAML"),
        ("a: 1\n--- \nb: 1\n", "x.yaml:2: is not YAML: expected a single document"),
        ("a: &x [1]\nb: *x\n", "x.yaml:2: b: aliases are not used here"),
        ("a: &x [*x]\n", "x.yaml:1: a[0]: aliases are not used here"),
        ("a: !!python/name:os.system x\n", "x.yaml:1: is not YAML: could not determine a constructor"),
        ("a: 2024-13-45\n", "x.yaml:1: a: cannot be read: 2024-13-45"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "x.yaml:4: b.c: duplicate key, first on line 3"),
        ("a: \x07\n", "x.yaml: is not YAML: it holds control characters"),
    ],
)
def test_a_text_that_is_no_plain_mapping_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, Path("x.yaml"))
    assert str(error.value).startswith(said)


def test_a_file_that_is_not_utf8_is_refused_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"x\.yaml:2: is not UTF-8 text"):
        load(tmp_path / "x.yaml")


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126))
)
keys = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)


@given(st.dictionaries(keys, trees, min_size=1, max_size=5))
def test_what_is_dumped_is_loaded_again(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "x.yaml"
    dump(data, path)
    assert load(path).data == data
