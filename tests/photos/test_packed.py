"""colorlab.photos.packed: a packed folder against the folder itself."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from made import RECIPE, check_threads_and_workers, same, weights
from PIL import Image

from colorlab.photos import packed
from colorlab.photos.batches import photo_loader
from colorlab.photos.files import PhotoError, open_photo
from colorlab.photos.folder import PhotoFolder
from colorlab.photos.packed import PackedPhotos, ShardError, is_packed, pack
from colorlab.training.feed import data_set, fingerprint
from colorlab.training.run import Run
from colorlab.training.seeds import seed_of

PHOTO = Path(__file__).resolve().parents[2] / "data/photos/val/alpaca.jpg"
TWO = ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2"]
TWO += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
TWO += ["--main_process_port", "0"]


def save(path: Path, pixels: np.ndarray | Image.Image, **options) -> Path:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / width, 255 * y / height, 40 + x % 7], -1).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Fifty small photos of all formats, in subfolders, under names of all kinds."""
    folder = tmp_path_factory.mktemp("all")
    suffixes = ["jpg", "PNG", "webp", "gif", "tif", "bmp"]
    for number in range(50):
        name = f"{'ab'[number % 2]}/{number:02d}.{suffixes[number % 6]}"
        save(folder / name, noise(30 + number % 9, 50 - number % 7, number))
    exif = Image.Exif()
    exif[0x0112] = 6
    save(folder / "an old.one/tür._x.jpg", noise(40, 30), exif=exif)
    return folder


@pytest.fixture(scope="module")
def target(folder: Path, tmp_path_factory) -> Path:
    return pack(folder, tmp_path_factory.mktemp("packed") / "50% off", shard_bytes=50_000)


# --- as the folder --------------------------------------------------------------------------------


def test_every_photo_is_the_folders_bit_for_bit(folder: Path, target: Path) -> None:
    ours, theirs = PackedPhotos(target), PhotoFolder(folder)
    assert len(ours.shards) > 3 and ours.skipped == {} and ours.reduced_to is None
    assert (ours.holds, ours.names, ours.folder_of) == ("rgb", theirs.names, theirs.folder_of)
    settings = [{"size": None}, {"size": 24}, {"size": 24, "augment": True, "scale": (1.0, 1.3)}]
    for setting in settings:
        a, b = ours.at(**setting), theirs.at(**setting)
        for i in range(-1, len(theirs)):
            assert torch.equal(a[i, 7 * i], b[i, 7 * i])
    with pytest.raises(IndexError):
        ours[len(theirs)]


def test_photos_that_are_decoded_reduced_are_the_folders_too(tmp_path: Path) -> None:
    plain = PhotoFolder(PHOTO.parent, size=24, augment=True, scale=(1.0, 1.25))  # 256 px and more
    stored = PackedPhotos(
        pack(PHOTO.parent, tmp_path / "p"), size=24, augment=True, scale=(1, 1.25)
    )
    assert stored.names == plain.names and len(plain) > packed._AT_ONCE
    assert all(torch.equal(stored[i, i], plain[i, i]) for i in range(len(plain)))


@pytest.mark.parametrize("count", [packed._AT_ONCE, packed._AT_ONCE + 1])
def test_none_is_forgotten_at_the_end_of_a_lot(tmp_path: Path, count: int) -> None:
    for number in range(count):
        save(tmp_path / f"all/{number:02d}.png", noise(4, 5, number))
    stored = PackedPhotos(pack(tmp_path / "all", tmp_path / "p"))
    assert len(stored) == count
    assert np.array_equal(stored[count - 1].movedim(0, -1).numpy(), noise(4, 5, count - 1))


def test_a_photo_that_is_small_enough_keeps_its_bytes_and_its_name(tmp_path: Path) -> None:
    just = save(tmp_path / "all/just.jpeg", smooth(32, 40), quality=60)
    save(tmp_path / "all/larger.jpeg", smooth(64, 80), quality=60)
    target = pack(tmp_path / "all", tmp_path / "p", size=32)
    with tarfile.open(PackedPhotos(target).shards[0]) as tar:
        assert tar.getnames() == ["just.jpeg", "larger.jpeg"]
        assert tar.extractfile("just.jpeg").read() == just.read_bytes()
    assert PackedPhotos(target)[1].shape == (3, 32, 40)


def test_split_deals_as_the_folder_does(folder: Path, target: Path) -> None:
    ours, theirs = PackedPhotos(target, size=16).split(), PhotoFolder(folder, size=16).split()
    assert {p: s.names for p, s in ours.items()} == {p: s.names for p, s in theirs.items()}
    assert len(ours["val"]) > 1
    for part in ours:
        assert len(ours[part]) == len(theirs[part])
        for i in range(len(theirs[part])):
            assert torch.equal(ours[part][i], theirs[part][i])


def test_batches_are_the_folders_with_any_threads_and_workers(folder: Path, target: Path) -> None:
    settings = {"size": 16, "augment": True, "scale": (1.0, 1.5)}
    items = [(i % 51, 3 * i) for i in range(80)]
    epoch = check_threads_and_workers(PackedPhotos(target, **settings), items, 5)
    for threads in (1, 3):
        for photos in (PackedPhotos(target, threads=threads, **settings),) * 2:
            loader = photo_loader(photos, 5, generator=torch.Generator().manual_seed(4))
            assert torch.equal(torch.cat(list(loader)), epoch)
    loader = photo_loader(
        PhotoFolder(folder, **settings), 5, generator=torch.Generator().manual_seed(4)
    )
    assert torch.equal(torch.cat(list(loader)), epoch)


def test_several_folders_keep_their_names_and_their_weights(tmp_path: Path) -> None:
    for name, count in (("x/a", 1), ("y/a", 3)):
        for number in range(count):
            save(tmp_path / name / f"{number}.png", noise(9, 9, number + 10 * count))
    folders = [tmp_path / "x/a", tmp_path / "y/a"]
    ours, theirs = PackedPhotos(pack(folders, tmp_path / "out")), PhotoFolder(folders)
    assert ours.names == theirs.names == ["0.png", "0.png", "1.png", "2.png"]
    for i in range(4):
        assert torch.equal(ours[i], theirs[i])
    assert ours._members == ["0-a/0.png", "1-a/0.png", "1-a/1.png", "1-a/2.png"]
    for balance in (0.0, 0.5, 1.0):
        assert torch.equal(ours.weights(balance), theirs.weights(balance))
    (tmp_path / "x/a/0.png").rename(tmp_path / "x/a/3.png")
    ours, theirs = PackedPhotos(pack(folders, tmp_path / "other")), PhotoFolder(folders)
    ours, theirs = (set_.split({"a": 0.5, "b": 0.5}) for set_ in (ours, theirs))
    for part in "ab":
        assert ours[part].folder_of == theirs[part].folder_of
        assert torch.equal(ours[part].weights(0.0), theirs[part].weights(0.0))
    assert [part.folder_of for part in ours.values()] == [[1, 1, 1], [0]]


def test_a_pickle_reads_on(folder: Path, target: Path) -> None:
    photos = PackedPhotos(target, size=16, keep=10**6)
    first = photos[3]
    assert torch.equal(pickle.loads(pickle.dumps(photos))[3], first)


def test_a_packed_folder_is_recognized(folder: Path, target: Path) -> None:
    assert is_packed(target) and not is_packed(folder) and not is_packed(folder / "none")
    for photos in (target, str(target), [target]):
        assert isinstance(data_set(photos), PackedPhotos)
    assert isinstance(data_set([folder]), PhotoFolder)
    with pytest.raises(ValueError, match="can't be read together with others; pack them all"):
        data_set([folder, target])


def test_a_run_on_the_folder_goes_on_with_the_pack(tmp_path: Path, photos: Path) -> None:
    target, settings = pack(photos, tmp_path / "pack"), {"device": "cpu", "progress": False}
    whole = Run(RECIPE, photos, output=tmp_path / "a", **settings)
    whole.train()
    first = Run(RECIPE, photos, output=tmp_path / "b", **settings)
    first.listeners.append(lambda event: event.step == 3 and first.stop())
    first.train()
    assert first.step == 3
    rest = Run(RECIPE, target, output=tmp_path / "b", resume=True, **settings)
    assert isinstance(rest.photos, PackedPhotos) and rest.step == 3
    rest.train()
    assert same(weights(whole.trainer.generator), weights(rest.trainer.generator))
    reduced = data_set(pack(photos, tmp_path / "reduced", size=16))
    assert fingerprint(data_set(photos)) == fingerprint(data_set(target))
    assert fingerprint(reduced) == fingerprint(data_set(target)) + " reduced to 16"


# --- reduced --------------------------------------------------------------------------------------


def test_a_reduced_picture_is_the_working_picture(tmp_path: Path) -> None:
    """What is no JPEG is kept without loss, so cuts of the very size are those of the folder."""
    exif = Image.Exif()
    exif[0x0112] = 8
    save(tmp_path / "in/a.png", noise(70, 90), exif=exif)
    save(tmp_path / "in/b.tif", noise(400, 70))  # longer than 4 : 1
    save(tmp_path / "in/c.webp", noise(40, 41), lossless=True)
    save(tmp_path / "in/d.bmp", noise(31, 80))
    target = pack(tmp_path / "in", tmp_path / "out", size=32)
    assert PackedPhotos(target)._members == ["a.png", "b.tif.png", "c.webp.png", "d.bmp"]
    assert [tuple(photo.shape[1:]) for photo in PackedPhotos(target)] == [
        (41, 32),
        (128, 32),
        (32, 33),
        (31, 80),  # no larger than that: the file's own bytes
    ]
    for augment in (False, True):
        ours = PackedPhotos(target, size=32, augment=augment)
        theirs = PhotoFolder(tmp_path / "in", size=32, augment=augment)
        assert ours.names == theirs.names
        for i in range(4):
            # Of a strip's middle square Pillow resamples no more than it needs, and rounds anew.
            most = 2 if i == 1 and not augment else 0
            assert (ours[i, i].int() - theirs[i, i].int()).abs().max() <= most, (augment, i)


def test_a_reduced_jpeg_keeps_its_colors(tmp_path: Path) -> None:
    save(tmp_path / "in/a.JPG", smooth(300, 400), quality=98, subsampling=0)
    stripes = np.zeros((400, 300, 3), np.uint8)
    stripes[:, 0::8, 0] = stripes[:, 4::8, 2] = 255  # red and blue
    stripes = np.maximum.accumulate(stripes.reshape(400, -1, 4, 3), 2).reshape(stripes.shape)
    save(tmp_path / "in/b.png", stripes)
    (tmp_path / "in/b.png").rename(tmp_path / "in/b.jpg")  # the content decides
    save(tmp_path / "in/c.jpg", stripes, quality=98, subsampling=0)
    small = save(tmp_path / "in/d.jpg", smooth(90, 100))
    target = pack(tmp_path / "in", tmp_path / "out", size=100)
    ours, theirs = PackedPhotos(target), PhotoFolder(tmp_path / "in")
    assert ours._members == ["a.JPG", "b.jpg.png", "c.jpg", "d.jpg"]
    assert torch.equal(ours[3], theirs[3])
    assert ours._places["length"][3] == small.stat().st_size
    for i in (0, 2):
        size = ours[i].shape[:0:-1]
        expected = open_photo(theirs.paths[i]).resize(size, Image.Resampling.BICUBIC)
        error = np.abs(np.asarray(expected, int) - ours[i].permute(1, 2, 0).numpy())
        assert error.mean() < 2.5, (i, error.mean())


# --- what can't be packed -------------------------------------------------------------------------


def test_bad_photos_are_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(23):
        (tmp_path / f"in/bad{number:02d}.jpg").write_bytes(PHOTO.read_bytes()[: 900 + 99 * number])
    save(tmp_path / "in/good.png", noise(9, 9))
    with pytest.warns(UserWarning, match="23 unreadable") as caught:
        target = pack(tmp_path / "in", tmp_path / "out")
    (message,) = [str(warning.message) for warning in caught]
    assert "bad19.jpg: corrupt" in message and "bad20" not in message and "3 more" in message
    photos = PackedPhotos(target)
    assert photos.names == ["good.png"]
    assert list(photos.skipped) == [f"bad{number:02d}.jpg" for number in range(23)]
    assert "corrupt or truncated" in photos.skipped["bad22.jpg"]
    (tmp_path / "in/good.png").unlink()
    with pytest.raises(PhotoError, match=r"None of the 23 photos can be read; .*bad00.jpg"):
        pack(tmp_path / "in", tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_what_stands_there_is_left_alone(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "file").write_text("mine")
    for name in ("out", "file"):
        with pytest.raises(FileExistsError, match=f"{name} exists already; name another"):
            pack(photos, tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine" and not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("crash", "kind", "said"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (OSError(errno.ENOSPC, "No space left on device"), OSError, "not packed.*No space.*room"),
    ],
)
@pytest.mark.parametrize("after", [0, 4])
def test_a_pack_that_breaks_off_leaves_nothing(
    tmp_path: Path, photos: Path, monkeypatch, crash, kind, said, after: int
) -> None:
    from webdataset import TarWriter

    write, written = TarWriter.write, []

    def breaks(self, sample):
        written.append(sample)
        if len(written) > after:
            raise crash
        return write(self, sample)

    monkeypatch.setattr(TarWriter, "write", breaks)
    with pytest.raises(kind, match=said):
        pack(photos, tmp_path / "deep/out", shard_bytes=1000)
    assert list((tmp_path / "deep").iterdir()) == []
    monkeypatch.undo()
    assert len(PackedPhotos(pack(photos, tmp_path / "deep/out"))) == 6


def test_a_file_that_can_not_be_read_stops_the_packing(tmp_path: Path, monkeypatch) -> None:
    """It is no bad photo: on a drive that is gone, all that follow would be left out."""
    for number in range(3):
        save(tmp_path / f"in/{number}.png", noise(9, 9))
    listed = PhotoFolder(tmp_path / "in")
    monkeypatch.setattr(packed, "PhotoFolder", lambda _: listed)
    (tmp_path / "in/1.png").unlink()
    with pytest.raises(OSError, match=r"out was not packed.*in/1.png"):
        pack(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_a_link_or_a_pipe_stops_the_packing_unless_a_list_names_it(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", noise(9, 9))
    (tmp_path / "in/link.png").symlink_to("nowhere.png")
    with pytest.raises(OSError, match=r"in/link.png can't be read .*broken link.*exclude.txt"):
        pack(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in/link.png").unlink()
    os.mkfifo(tmp_path / "in/pipe.png")
    with pytest.raises(OSError, match=r"in/pipe.png can't be read \(it is no regular file\)"):
        pack(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in/exclude.txt").write_text("pipe.png\n")
    with pytest.warns(UserWarning, match="left out, as exclude.txt says"):
        assert PackedPhotos(pack(tmp_path / "in", tmp_path / "out")).names == ["a.png"]


@pytest.mark.skipif(os.name == "nt", reason="there, only the age of what is left tells")
def test_a_killed_pack_never_looks_whole_and_the_next_begins_anew(
    tmp_path: Path, photos: Path
) -> None:
    code = (
        "import sys, time; from colorlab.photos import packed; file = packed._file\n"
        "packed._AT_ONCE = 2\n"
        "packed._file = lambda p, c: time.sleep(60 * (p.name > '4')) or file(p, c)\n"
        "packed.pack(sys.argv[1], sys.argv[2], shard_bytes=1000)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, photos, tmp_path / "out"])
    end = time.monotonic() + 60
    while len(list(tmp_path.glob("out.*.partial/*.tar"))) < 3:
        assert child.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    with pytest.raises(FileNotFoundError):
        PackedPhotos(tmp_path / "out")
    pack(photos, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_arguments_out_of_range(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(ValueError, match="shard_bytes=0"):
        pack(photos, tmp_path / "out", shard_bytes=0)
    with pytest.raises(ValueError, match="size=0"):
        pack(photos, tmp_path / "out", size=0)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        pack(tmp_path / "none", tmp_path / "out")


def test_a_damaged_photo_is_named_with_its_shard(tmp_path: Path, photos: Path) -> None:
    target = pack(photos, tmp_path / "out")
    opened = PackedPhotos(target)
    shard, place = target / "photos-00000.tar", opened._places[2]
    data = bytearray(shard.read_bytes())
    data[int(place["offset"]) + 60] ^= 4
    shard.write_bytes(data)
    part = opened.split({"a": 1.0})["a"]
    for photo in (opened, part):
        with pytest.raises(ShardError, match=r"out/photos-00000.tar/2.png: .*checksum"):
            photo[2]
    assert torch.equal(opened[3], PhotoFolder(photos)[3])


# --- several processes ----------------------------------------------------------------------------

SCRIPT = """
import os, signal, sys
import torch
from accelerate import Accelerator
from made import RECIPE
from colorlab.training import processes
from colorlab.training.feed import Feed, data_set
from colorlab.recipes.recipe import Recipe, Stage
from colorlab.training.run import Run

target, output, what = sys.argv[1:]
settings = {"device": "cpu", "progress": False}

def killed(event):
    if event.kind == "step" and event.step == 4:
        os.kill(os.getpid(), signal.SIGKILL)

if what == "begin":
    photos, recipe = data_set(target), Recipe("fed", stages=(Stage("pretrain", 12, 8, 4),))
    accelerator = Accelerator(cpu=True)
    batches = list(Feed(recipe, photos).batches(0, recipe.stages[0], 0, accelerator))
    torch.save(torch.stack(batches), f"{output}/share{accelerator.process_index}.pt")
    Run(RECIPE, target, output=f"{output}/whole", **settings).train()
    Run(
        RECIPE, target, output=f"{output}/cut", checkpoint_every=1, listeners=[killed], **settings
    ).train()
run = Run(RECIPE, target, output=f"{output}/cut", resume=True, **settings)
assert run.step in (3, 4), run.step
run.train()
processes.leave()
"""


def test_two_processes_share_a_packed_set_and_go_on_after_a_kill(tmp_path: Path) -> None:
    for number in range(24):  # each of one color, by which it is known again
        save(tmp_path / f"in/{number:02d}.png", np.full((9, 9, 3), 10 * number, np.uint8))
    target = pack(tmp_path / "in", tmp_path / "out", shard_bytes=300)
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    ends = []
    for what in ("begin", "go on"):
        command = [sys.executable, *TWO, script, target, tmp_path, what]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        ends.append(subprocess.run(command, env=environment, capture_output=True, text=True))
    assert ends[0].returncode != 0 and "SIGKILL" in ends[0].stderr, ends[0].stderr
    assert ends[1].returncode == 0, ends[1].stderr

    shares = [torch.load(tmp_path / f"share{rank}.pt") for rank in (0, 1)]  # 12 x 2 photos each
    assert shares[0].shape == shares[1].shape == (12, 2, 3, 8, 8)
    seen = torch.cat(shares, 1)[:, :, 0, 0, 0]  # (12, 4)
    for epoch in seen.reshape(2, 24):
        assert sorted(epoch.tolist()) == [10 * number for number in range(24)]
    photos = PackedPhotos(target, size=8, augment=True)
    order = torch.Generator().manual_seed(seed_of(0, "order", 0))
    batches = list(photo_loader(photos, 4, generator=order, samples=48))
    assert torch.equal(torch.stack(batches)[:, :, 0, 0, 0], seen)

    whole, cut = (tmp_path / name / "weights.safetensors" for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()


def test_photos_reduced_by_an_earlier_decoding_are_told(folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(packed, "_DECODING", 1)
    pack(folder, tmp_path / "reduced", size=20)
    pack(folder, tmp_path / "whole")
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="reduced holds photos reduced by an earlier colorlab"):
        PackedPhotos(tmp_path / "reduced")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # these are files still, decoded anew
        PackedPhotos(tmp_path / "whole")
