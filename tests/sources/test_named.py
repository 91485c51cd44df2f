"""colorlab.sources.named: sets as they are asked for, folders of one's own, training on them."""

import dataclasses
import os
import warnings
from pathlib import Path

import made_sets
import pytest
from kaggle_server import serving
from leak_guard import FAKE_TOKEN, leaks, leaks_in_files
from made import with_

from colorlab import recipes, sources
from colorlab.__main__ import main
from colorlab.photos.arrays import LabArrays
from colorlab.photos.folder import PhotoFolder
from colorlab.photos.packed import PackedPhotos, pack
from colorlab.photos.pairs import PairedFolder
from colorlab.sources import bundled, catalog
from colorlab.weights import load_weights

CHECKOUT = Path(__file__).resolve().parents[2]


# Each set with the recipe that its people trained on it.
PRESETS = {
    "landscapes": "lab-pix2pix",
    "faces": "lab-pix2pix",
    "everyday-pairs": "unet-perceptual",
    "everyday": "lab-pix2pix",
    "lab-arrays": "ab-npy",
}


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(bundled.VARIABLE, raising=False)


@pytest.fixture
def home(tmp_path, monkeypatch, capfd):
    """A learner's home, with a token; the catalog as it would be for sets as small as ours."""
    for name in [name for name in os.environ if name.startswith(("KAGGLE", "XDG"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_API_TOKEN", FAKE_TOKEN)
    monkeypatch.setenv("VERBOSE", "1")
    monkeypatch.delenv("COLORLAB_DOWNLOADS", raising=False)
    small = {
        name: dataclasses.replace(source, images=15 if source.layout == "pairs" else 12)
        for name, source in catalog.SOURCES.items()
    }
    monkeypatch.setattr(catalog, "SOURCES", small)
    yield tmp_path
    printed = capfd.readouterr()
    assert leaks(printed.out + printed.err) == [] == leaks_in_files([tmp_path])


@pytest.fixture
def server():
    with serving() as server:
        yield server


def test_the_names_in_their_order():
    assert list(sources.SOURCES) == ["bundled", *PRESETS, "imagenette-160", "imagenette-320"]
    for name, source in sources.SOURCES.items():
        assert source.name == name and source.layout in ("photos", "split", "pairs", "arrays")
        assert (source.page is None) == (name == "bundled")
        assert [source.slug, source.file].count(None) == (2 if name == "bundled" else 1)
    assert sources.SOURCES["faces"].limit == 20_000
    with pytest.raises(ValueError, match="no source 'beaches'. Choose from bundled, landscapes, "):
        sources.get("beaches")
    with pytest.raises(TypeError):
        sources.SOURCES["own"] = None


def test_the_catalog_counts_the_bundled_photos():
    photos = sources.get("bundled")
    assert len(photos) == sources.SOURCES["bundled"].images, "tell catalog.py the new number"
    assert photos.paths == sources.bundled_photos("train")
    assert sources.fetch("bundled") == sources.data_dir() / "photos" / "train"


def test_the_table_shows_every_source_and_admits_what_is_unknown():
    table = sources.table()
    for name, source in sources.SOURCES.items():
        assert f"{name}: {source.title}\n" in table and f"{source.images:,}" in table
        assert source.shows in table and (source.page or "comes with the course") in table
        account = "at Kaggle, free" if name in PRESETS else "none needed"
        assert f"  account   {account}\n" in table.split(f"{name}: ")[1].split("\n\n")[0]
    faces = table.split("\n\n")[2]
    assert "about 52,000, of which 20,000 at random (photos)" in faces
    assert "about 20 GB" in faces and "CC BY-NC-SA 4.0" in faces
    arrays = table.split("\n\n")[5]
    assert "download  unknown, see the page (unpacked 3.8 GB)" in arrays
    assert "license   unknown, see the page" in arrays
    assert max(map(len, table.splitlines())) <= 110


@pytest.mark.parametrize("name", PRESETS)
def test_get_gives_a_set_that_is_ready_to_train_on(home, server, name):
    server.data = made_sets.archive(name)
    photos = sources.get(name)
    kinds = {"photos": PhotoFolder, "pairs": PairedFolder, "arrays": LabArrays}
    assert type(photos) is kinds[sources.SOURCES[name].layout] and len(photos) == 12
    parts = photos.at(16, augment=True).split({"train": 0.5, "val": 0.5})
    assert len(parts["train"]) + len(parts["val"]) == 12
    assert parts["train"][0].shape[1:] == (16, 16)
    assert sources.get(name).names == photos.names and len(server.asked) == 1
    folder = sources.fetch(name, limit=5, seed=1, into=home / "mine")
    assert folder == home / "mine" / f"{name}-5-seed-1"
    assert len(sources.folder(folder)) == 5 == len(sources.get(name, limit=5, seed=1))


def test_the_default_limit_is_that_of_the_source(home, server):
    server.data = made_sets.archive("faces")
    assert sources.fetch("faces") == home / ".cache/colorlab/faces-20000-seed-0"


def test_a_folder_of_the_learners_own(home, photos, capfd):
    found = sources.folder(photos)
    assert isinstance(found, PhotoFolder) and len(found) == 6
    assert capfd.readouterr().out == f"{photos}: 6 color photos\n"
    with pytest.raises(FileNotFoundError, match="no folder .*absent"):
        sources.folder(home / "absent")
    with pytest.raises(ValueError, match="an empty name"):
        sources.folder("")
    found = sources.folder(pack(photos, home / "packed"))
    assert isinstance(found, PackedPhotos) and len(found) == 6
    assert capfd.readouterr().out == f"{home}/packed: 6 packed color photos\n"


@pytest.mark.parametrize("limit", ["3", 3.0, True])
def test_a_limit_that_is_no_number_of_photos(home, limit):
    with pytest.raises(TypeError, match=f"limit={limit!r}: expected a whole number of photos"):
        sources.get("bundled", limit=limit)


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--list"], ["faces", "--list"]])
def test_the_list(home, capfd, arguments):
    assert main(["download", *arguments]) == 0
    assert capfd.readouterr().out == sources.table() + "\n"


def test_the_command_downloads_and_says_what_and_where(home, server, capfd):
    server.data = made_sets.archive("landscapes")
    command = ["download", "landscapes", "--limit", "7", "--seed", "3", "--to", str(home / "x")]
    for _ in range(2):
        assert main(command) == 0
        printed = capfd.readouterr()
        assert printed.out == f"{home / 'x/landscapes-7-seed-3'}: 7 color photos\n"
    assert len(server.asked) == 1 and printed.err == ""
    assert main(["download", "beaches"]) == 2
    assert "colorlab: There is no source 'beaches'" in capfd.readouterr().err
    server.refusal = 403
    assert main(["download", "everyday"]) == 2
    error = capfd.readouterr().err
    assert error.startswith("colorlab: Kaggle does not give mariomatos/image-colorization")
    assert error.count("\n") == 1


# --- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_each_set_trains_through_its_recipe(home, server, monkeypatch, capfd, name):
    """The networks are narrow, everything else of the preset is as it stands."""
    monkeypatch.chdir(home)
    server.data = made_sets.archive(name, 40)
    recipe = with_(
        recipes.get(PRESETS[name]).with_size(32),
        generator={"base": 4, "cap": 16},
        discriminator={"base": 4},
    )
    Path("small.json").write_text(recipe.to_json())
    command = ["train", "--recipe", "small.json", "--source", name, "--batch-size", "2"]
    command += ["--steps", "20", "--device", "cpu", "--compile", "off", "-o", "run"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* were expected: the set has changed")
        assert main(command) == 0, capfd.readouterr().err
    trained = load_weights("run/weights.safetensors")[1:]
    assert (trained[0].name, trained[1]["steps_trained"]) == (PRESETS[name], "20")
    rows = Path("run/history.csv").read_text().splitlines()
    held_out = [row.rpartition(",")[2] for row in rows[1:]]
    assert rows[0].endswith("held_out") and float(held_out[-1]) > 0


def test_several_sets_of_photos_train_together(home, server, monkeypatch, capfd):
    monkeypatch.chdir(home)
    for name in ("landscapes", "faces"):
        server.data = made_sets.archive(name)
        sources.fetch(name)
    command = ["train", "--recipe", "tiny", "--steps", "2", "--device", "cpu", "-o", "run"]
    command += ["--image-size", "32", "--batch-size", "2"]
    assert main([*command, "--source", "landscapes", "faces", "landscapes"]) == 0
    for others, words in [
        (["landscapes", "lab-arrays"], "lab-arrays holds arrays and can't be mixed"),
        (["everyday-pairs", "faces"], "everyday-pairs holds pairs and can't be mixed"),
        (["landscapes", "beaches"], "no source 'beaches'"),
        (["landscapes", "--validation", "x"], "leave out --validation"),
    ]:
        assert main([*command, "-o", "no", "--source", *others]) == 2
        assert words in capfd.readouterr().err
    assert len(server.asked) == 2 and not Path("no").exists()
    with pytest.raises(SystemExit):
        main([*command, "--source", "landscapes", "--data", "x"])
    assert "not allowed with argument" in capfd.readouterr().err


def test_the_bundled_photos_by_their_name(home, monkeypatch):
    from colorlab.__main__ import _parser
    from colorlab.commands.train import _photos

    words = ["train", "--recipe", "tiny", "--source", "bundled"]
    options = _parser(words).parse_args(words)
    training, validation = _photos(options)
    assert training.paths == sources.bundled_photos("train")
    assert validation.paths == sources.bundled_photos("val")
