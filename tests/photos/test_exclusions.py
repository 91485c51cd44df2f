"""colorlab.photos.exclusions: any name comes back as it was, and nothing a person wrote is lost."""

from __future__ import annotations

import os
import unicodedata
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorlab.photos.exclusions import ExcludeList, excluded, merged, quoted, read_list, write_list

ODD = [
    "plain.jpg",
    "with space.jpg",
    " leading.jpg",
    "trailing.jpg ",
    "a\tb.jpg",
    "a\nb.jpg",
    "a\r.jpg",
    "#1.jpg",
    "a # b.jpg",
    '"quoted".jpg',
    "back\\slash.jpg",
    "été/ß/日本.jpg",
    "no\udcff-utf8.jpg",
    "line\u2028sep\x85.jpg",
    "\ufeffbom.jpg",
    "pets/a.jpg",
]


def test_odd_names_survive(tmp_path) -> None:
    entries = {name: f"gray: {number}" for number, name in enumerate(ODD)}
    path = write_list(tmp_path / "x.txt", ExcludeList(entries, ["# one", "# two"]))
    assert read_list(path) == ExcludeList(entries, ["# one", "# two"])
    assert len(path.read_text(encoding="utf-8").split("\n")) == len(ODD) + 3
    assert "été/ß/日本.jpg\tgray: 11\n" in path.read_text(encoding="utf-8")


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0"), min_size=1).filter(
            lambda name: name not in (".", "..")
        ),
        unique=True,
    )
)
def test_any_names_survive(tmp_path_factory, names) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    write_list(path, ExcludeList(dict.fromkeys(names, "why")))
    assert list(read_list(path).entries) == names


def test_a_reason_is_one_line_whatever_is_in_it(tmp_path) -> None:
    path = write_list(tmp_path / "x.txt", ExcludeList({"a.jpg": "two\nlines\tand \udcff"}))
    assert read_list(path).entries == {"a.jpg": "two lines and \\udcff"}


def test_a_list_by_hand(tmp_path) -> None:
    text = '\ufeff# mine\r\n\r\na.jpg\r\n  b.jpg  \tblurred\r\n"c\\td.jpg"\n'
    (tmp_path / "x.txt").write_bytes(text.encode())
    found = read_list(tmp_path / "x.txt")
    assert found.entries == {"a.jpg": "", "b.jpg": "blurred", "c\td.jpg": ""}
    assert found.comments == ["# mine"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a.jpg\n\xff\xfe\n", "x.txt is not a list.*UTF-8"),
        (b'a.jpg\n"b.jpg\n', "x.txt, line 2: .*JSON"),
        (b'"a.jpg" b.jpg\n', "line 1: .*only a tab"),
        (b"/home/me/a.jpg\n", "line 1: .*relative"),
        (b"../a.jpg\n", "line 1: .*relative"),
        (b"\treason\n", "line 1: .*no name"),
    ],
)
def test_a_broken_list_is_reported(tmp_path, content, message) -> None:
    (tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_list(tmp_path / "x.txt")


@pytest.mark.parametrize("make", [getattr(os, "mkfifo", os.mkdir), os.mkdir])
def test_a_list_is_a_regular_file(tmp_path, make) -> None:
    make(tmp_path / "exclude.txt")
    with pytest.raises(ValueError, match="exclude.txt is a folder, pipe or device"):
        excluded(tmp_path, ["a.jpg"])


def test_lists_in_subfolders_count_for_their_photos(tmp_path) -> None:
    names = ["a.jpg", "x/a.jpg", "x/y/a.jpg", "x/y/b.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    write_list(tmp_path / "exclude.txt", ExcludeList({"x/a.jpg": "top"}))
    write_list(tmp_path / "x/exclude.txt", ExcludeList({"a.jpg": "second", "y/b.jpg": "mid"}))
    write_list(tmp_path / "x/y/exclude.txt", ExcludeList({"a.jpg": "deep"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = excluded(tmp_path, names)
    assert found == {"x/a.jpg": "top", "x/y/b.jpg": "mid", "x/y/a.jpg": "deep"}


def test_a_list_from_elsewhere_counts_alone(tmp_path) -> None:
    write_list(tmp_path / "exclude.txt", ExcludeList({"a.jpg": "here"}))
    other = write_list(tmp_path / "other.txt", ExcludeList({"b.jpg": "there"}))
    assert excluded(tmp_path, ["a.jpg", "b.jpg"], other) == {"b.jpg": "there"}
    with pytest.raises(FileNotFoundError):
        excluded(tmp_path, ["a.jpg"], tmp_path / "gone.txt")


def test_names_that_are_not_there_are_reported(tmp_path) -> None:
    entries = {f"gone{n}.jpg": "" for n in range(7)} | {"a.jpg": ""}
    write_list(tmp_path / "exclude.txt", ExcludeList(entries))
    with pytest.warns(UserWarning, match="names 7 photo.*gone0.jpg.*gone4.jpg, and 2 more$"):
        assert excluded(tmp_path, ["a.jpg", "b.jpg"]) == {"a.jpg": ""}


def test_accents_may_be_spelled_either_way(tmp_path) -> None:
    name = "é.jpg"
    apart = unicodedata.normalize("NFD", name)
    assert apart != name
    write_list(tmp_path / "exclude.txt", ExcludeList({apart: "why"}))
    assert excluded(tmp_path, [name]) == {name: "why"}


def test_merging_renews_the_audits_own_lines_alone() -> None:
    old = ExcludeList(
        {
            "mine.jpg": "gray: ugly, I say",
            "bare.jpg": "",
            "was.jpg": "audit: gray, 3",
            "not looked at.jpg": "audit: gray, 2",
        },
        ["# a comment"],
    )
    new = {"now.jpg": "tiny: 1", "mine.jpg": "gray: 1"}
    looked_at = ["mine.jpg", "bare.jpg", "was.jpg", "now.jpg"]
    both = merged(old, new, looked_at)
    assert both.entries == {
        "now.jpg": "tiny: 1",
        "mine.jpg": "gray: ugly, I say",
        "bare.jpg": "",
        "not looked at.jpg": "audit: gray, 2",
    }
    assert both.comments == ["# a comment"]


def test_names_are_quoted_only_where_they_must() -> None:
    assert quoted("pets/my cat.jpg") == "pets/my cat.jpg"
    assert quoted("a\nb") == '"a\\nb"' and quoted("\udcff") == '"\\udcff"'
