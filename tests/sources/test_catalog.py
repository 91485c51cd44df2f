"""colorlab.sources.catalog: sizes as they are read, and names."""

from __future__ import annotations

import pytest

from colorlab.sources.catalog import SOURCES, find, size_in_words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "unknown, see the page"),
        (0, "nothing"),
        (650_000_000, "650 MB"),
        (3_763_200_000, "3.8 GB"),
        (20_000_000_000, "20 GB"),
    ],
)
def test_sizes_in_words(count, words):
    assert size_in_words(count) == words


def test_find():
    assert find("faces") is SOURCES["faces"]
    assert (
        find("faces").page == "https://www.kaggle.com/datasets/arnaud58/flickrfaceshq-dataset-ffhq"
    )
    with pytest.raises(ValueError, match="no source 'Faces'. Choose from bundled, .*, lab-arrays"):
        find("Faces")
