"""colorlab.photos.arrays: sets of Lab arrays against NumPy slices, Pillow, scikit-image and
OpenCV."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made import check_threads_and_workers
from PIL import Image
from skimage.color import rgb2lab
from torch.utils.data import DataLoader

from colorlab.color import lab8_to_lab, lab_to_lab8
from colorlab.photos.arrays import LabArrays, write_lab_arrays
from colorlab.photos.files import open_photo

PHOTOS = Path(__file__).resolve().parents[2] / "data/photos/val"
COUNTS = {1: 4, 2: 3, 10: 2}  # ab10 belongs after ab2; by spelling it would come before


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


@pytest.fixture
def data() -> np.ndarray:
    """Nine photos of 12 x 16, uint8 (9, 3, 12, 16), noise."""
    return np.random.default_rng(0).integers(0, 256, (9, 3, 12, 16), np.uint8)


@pytest.fixture
def folder(tmp_path, data) -> Path:
    """The same as a set of Lab arrays."""
    root = tmp_path / "set"
    save(root / "l/gray_scale.npy", data[:, 0])
    first = 0
    for number, count in COUNTS.items():
        ab = data[first : first + count, 1:].transpose(0, 2, 3, 1)
        save(root / f"ab/ab{number}.npy", np.ascontiguousarray(ab))
        first += count
    return root


def test_items_are_the_arrays(folder, data):
    photos = LabArrays(folder, part="all")
    assert len(photos) == 9 and photos.holds == "lab8" and photos.size is None
    for index in range(9):
        item = photos[index]
        assert item.dtype == torch.uint8 and item.is_contiguous()
        assert np.array_equal(item.numpy(), data[index])
        assert torch.equal(photos[index, 5], item)
    assert np.array_equal(photos[-1].numpy(), data[8])
    with pytest.raises(IndexError):
        photos[9]


def test_items_are_copies(folder, data):
    for size in (None, 12, 9):
        photos = LabArrays(folder, part="all", size=size)
        photos[0].fill_(7)
        assert not (photos[0] == 7).all()
    assert np.array_equal(np.load(folder / "l/gray_scale.npy"), data[:, 0])


def test_parts(folder, data):
    parts = {part: LabArrays(folder, part=part, train=6) for part in ("train", "test", "all")}
    assert [len(part) for part in parts.values()] == [6, 3, 9]
    assert np.array_equal(parts["test"][0].numpy(), data[6])
    assert np.array_equal(parts["test"][-1].numpy(), data[8])
    assert np.array_equal(parts["train"][-1].numpy(), data[5])
    with pytest.raises(IndexError):
        parts["train"][6]
    assert parts["train"].names + parts["test"].names == parts["all"].names
    assert parts["test"].names == ["000006", "000007", "000008"]
    assert len(LabArrays(folder)) == 9  # fewer than 20,000: all train
    for train in (9, 20_000):
        with pytest.raises(ValueError, match=rf"9 photos and train={train} .*train=7"):
            LabArrays(folder, part="test", train=train)
    assert len(LabArrays(folder, part="test", train=8)) == 1


def test_middle_cut_without_resampling(folder, data):
    photos = LabArrays(folder, part="all", size=12)
    assert np.array_equal(photos[3].numpy(), data[3, :, :, 2:14])


def test_random_cuts_are_slices_and_mirrors(folder, data):
    photos = LabArrays(folder, part="all", size=12, augment=True)
    slices = [data[3, :, :, left : left + 12] for left in range(5)]
    choices = [turned for cut in slices for turned in (cut, cut[..., ::-1])]
    seen = set()
    for seed in range(200):
        item = photos[3, seed].numpy()
        assert np.array_equal(item, photos[3, seed].numpy())
        seen |= {i for i, choice in enumerate(choices) if np.array_equal(choice, item)}
    assert seen == set(range(10))  # every place, both ways round


def test_random_cuts_are_drawn_as_documented(tmp_path):
    """L grows to the right and a grows downward, so an item tells where it was cut out."""
    y, x = np.mgrid[0:120, 0:160]
    save(tmp_path / "l/gray_scale.npy", (60 + x)[None].astype(np.uint8))
    save(tmp_path / "ab/ab1.npy", np.stack([60 + y, y], -1)[None].astype(np.uint8))
    photos = LabArrays(tmp_path, size=60, augment=True, scale=(1.0, 1.6))
    drawn = []
    for seed in range(300):
        L, a = photos[0, seed][:2].double()
        across, down = L.mean(0).diff().mean(), a.mean(1).diff().mean()  # source pixels a pixel
        assert abs(across.abs() - down) < 0.06
        u = 120 / 60 / down
        left, top = L.mean(0).min() - 60, a.mean(1).min() - 60
        drawn.append([u, left / (160 - 60 * down), top / (120 - 60 * down + 1e-9), across < 0])
    u, left, top, mirror = np.array(drawn).T
    assert 0.98 < u.min() < 1.03 and 1.57 < u.max() < 1.62 and abs(u.mean() - 1.3) < 0.04
    inside = u > 1.2  # else there is hardly any room at the top
    for place in (left, top[inside]):
        assert place.min() < 0.1 and place.max() > 0.9 and abs(place.mean() - 0.5) < 0.06
    assert abs(mirror.mean() - 0.5) < 0.1


def test_resampled_as_pillow_does(folder, data):
    item = LabArrays(folder, part="all", size=9)[2]
    for channel in range(3):
        whole = Image.fromarray(data[2, channel]).resize((12, 9), Image.Resampling.BICUBIC)
        expected = np.asarray(whole)[:, 1:10].astype(int)
        assert np.abs(item[channel].numpy() - expected).max() <= 2
    assert item.is_contiguous()


def test_at(folder):
    photos = LabArrays(folder, part="test", train=6)
    other = photos.at(8, augment=True, scale=(1.0, 1.2), threads=3, keep=10**6)
    assert (other.size, other.augment, other.scale) == (8, True, (1.0, 1.2))
    assert photos.size is None and other.names == photos.names
    expected = LabArrays(folder, part="test", train=6, size=8, augment=True, scale=(1.0, 1.2))
    assert torch.equal(other[1, 3], expected[1, 3])
    assert other.kept == (0, 0)  # the system keeps what was read, and may forget it
    assert other.at(12).augment and not other.at(12, augment=False).augment
    with pytest.raises(ValueError, match="size"):
        photos.at(None, augment=True)


@pytest.mark.parametrize("layout", ["plain", "nested ab", "flat", "subfolder", "l", "ab", "ab/ab"])
def test_layouts(folder, data, layout):
    asked = folder
    if layout in ("nested ab", "ab/ab"):
        (folder / "ab").rename(folder / "other")
        (folder / "ab").mkdir()
        (folder / "other").rename(folder / "ab/ab")
    if layout == "flat":
        for path in list(folder.glob("*/*.npy")):
            path.rename(folder / path.name)
    if layout == "subfolder":
        asked = folder.parent
    if layout in ("l", "ab", "ab/ab"):
        asked = folder / layout
    assert np.array_equal(LabArrays(asked, part="all")[8].numpy(), data[8])


def test_threads_and_workers_see_the_same(folder, data):
    photos = LabArrays(folder, part="all", size=10, augment=True, scale=(1.0, 1.3))
    items = [(index % 9, index) for index in range(400)]
    assert check_threads_and_workers(photos, items, 3).shape == (9, 3, 10, 10)


def test_spawned_worker(folder, data):
    """Windows and macOS hand the data set to workers by pickling it."""
    photos = LabArrays(folder, part="all")
    loader = DataLoader(photos, 9, num_workers=1, multiprocessing_context="spawn")
    assert np.array_equal(next(iter(loader)).numpy(), data)


# ---------------------------------------------------------------------------- bad sets


def test_bad_arguments(folder):
    for options, words in [
        ({"part": "val"}, '"train", "test", "all"'),
        ({"train": 0}, "train=0"),
        ({"size": 0}, "size=0"),
        ({"augment": True}, "augment=True.*size"),
        ({"size": 8, "scale": (0.5, 1.0)}, "scale"),
    ]:
        with pytest.raises(ValueError, match=words):
            LabArrays(folder, **options)


def test_missing_files(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        LabArrays(tmp_path / "nowhere")
    (folder / "ab/ab2.npy").unlink()
    with pytest.raises(
        ValueError, match=r"gray_scale.npy .* 9 photos.* of 6: ab1.npy 4, ab10.npy 2"
    ):
        LabArrays(folder)
    for path in (folder / "ab").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"expected .*ab1\.npy"):
        LabArrays(folder)
    (folder / "l/gray_scale.npy").rename(folder / "l/other.npy")
    with pytest.raises(FileNotFoundError, match=r"no .*gray_scale\.npy.* holds ab, l"):
        LabArrays(folder)


def test_a_partial_file_is_no_ab_file(folder):
    (folder / "ab/ab3.npy.partial").write_bytes(b"half")
    (folder / "ab/ab_notes.npy").write_bytes(b"none")
    assert len(LabArrays(folder)) == 9


class Trap:
    """An object whose unpickling would be noticed."""

    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def bad_objects(path: Path) -> None:
    np.save(path, np.array([Trap(), None], dtype=object), allow_pickle=True)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


BAD_FILES = {
    "page": (lambda path: path.write_text("<!doctype html>"), "not a .npy array.*Fetch"),
    "empty": (lambda path: path.write_bytes(b""), "not a .npy array"),
    "archive": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(200)), "not a .npy array"),
    "cut header": (lambda path: path.write_bytes(path.read_bytes()[:40]), "not a .npy array"),
    "odd version": (
        lambda path: path.write_bytes(b"\x93NUMPY\x09\x00" + path.read_bytes()[8:]),
        "not a .npy array",
    ),
    "truncated": (cut_off, "truncated: it has .* promises"),
    "pickled": (bad_objects, "pickled Python objects"),
    "float": (lambda path: np.save(path, np.load(path) / 255), "holds float64.*Expected.*uint8"),
    "signed": (lambda path: np.save(path, np.load(path).view(np.int8)), "holds int8"),
    "rank": (lambda path: np.save(path, np.load(path)[0]), r"holds shape .*Expected.*\(photos"),
    "no photo": (lambda path: np.save(path, np.load(path)[:0]), r"holds shape \(0,"),
    "Fortran": (lambda path: np.save(path, np.asfortranarray(np.load(path))), "Fortran order"),
}


@pytest.mark.parametrize("name", ["l/gray_scale.npy", "ab/ab2.npy"])
@pytest.mark.parametrize("bad", BAD_FILES)
def test_bad_files(folder, name, bad):
    spoil, words = BAD_FILES[bad]
    spoil(folder / name)
    with pytest.raises(ValueError, match=f"(?s){Path(name).name} .*{words}|{words}") as error:
        LabArrays(folder)
    assert str(folder / name) in str(error.value)


def test_sizes_must_agree(folder, data):
    np.save(folder / "ab/ab2.npy", np.zeros((3, 12, 15, 2), np.uint8))
    with pytest.raises(ValueError, match=r"ab2.npy .*\(12, 15, 2\), expected \(12, 16, 2\)"):
        LabArrays(folder)
    np.save(folder / "ab/ab2.npy", np.zeros((3, 12, 16, 3), np.uint8))
    with pytest.raises(ValueError, match=r"ab2.npy .*\(12, 16, 3\), expected \(12, 16, 2\)"):
        LabArrays(folder)


def test_a_file_that_shrinks_later(folder):
    photos = LabArrays(folder, part="all")
    cut_off(folder / "ab/ab10.npy")
    photos[7]
    with pytest.raises(ValueError, match=r"ab10.npy has become shorter"):
        photos[8]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python's, on odd escapes in a header
def test_random_headers_raise_value_error(folder):
    """Whatever stands in the header: a message, never another kind of error."""
    path = folder / "l/gray_scale.npy"
    good = path.read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(300):
        bad = bytearray(good)
        for place in rng.integers(0, 128, 3):
            bad[place] = rng.integers(0, 256)
        path.write_bytes(bad)
        try:
            LabArrays(folder)
        except ValueError as error:
            refused += 1
            assert "npy" in str(error)
    assert refused > 100


MEMORY = """
import sys, psutil, numpy as np
from pathlib import Path
from colorlab.photos.arrays import LabArrays
root = Path(sys.argv[1])
for name, shape in [("l/gray_scale.npy", (2000, 224, 224)), ("ab/ab1.npy", (2000, 224, 224, 2))]:
    (root / name).parent.mkdir()
    with (root / name).open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + np.prod(shape))
photos = LabArrays(root, part="all")
photos[0]
before = psutil.Process().memory_info().rss
for index in range(len(photos)):
    photos[index]
print((psutil.Process().memory_info().rss - before) / 1e6)
"""


def test_an_epoch_leaves_memory_alone(tmp_path):
    pytest.importorskip("psutil")
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert float(run.stdout) < 30  # MB; the set has 301


# ---------------------------------------------------------------------------- 8-bit Lab


def test_known_colors():
    """What cv2.cvtColor(..., cv2.COLOR_RGB2LAB) gives for these, by OpenCV's formula."""
    known = {
        (255, 0, 0): (136, 208, 195),
        (0, 255, 0): (224, 42, 211),
        (0, 0, 255): (82, 207, 20),
        (255, 255, 255): (255, 128, 128),
        (0, 0, 0): (0, 128, 128),
    }
    rgb = np.array(list(known), np.uint8)[None]  # (1, 5, 3)
    lab = torch.from_numpy(rgb2lab(rgb)).movedim(-1, 0)
    assert torch.equal(lab_to_lab8(lab)[:, 0].T, torch.tensor(list(known.values())).byte())


def test_formula_by_hand():
    lab8 = torch.tensor([[0, 51, 255], [128, 0, 255], [255, 127, 128]]).byte()  # L, a, b rows
    lab = lab8_to_lab(lab8[None, :, None])
    assert lab.shape == (1, 3, 1, 3) and lab.dtype == torch.float32
    expected = torch.tensor([[0.0, 20, 100], [0, -128, 127], [127, -1, 0]])
    torch.testing.assert_close(lab[0, :, 0], expected, atol=1e-5, rtol=0)


def test_round_trip_of_all_bytes():
    values = torch.arange(256).byte().expand(3, 1, 256)
    assert torch.equal(lab_to_lab8(lab8_to_lab(values)), values)


def test_rounded_and_clamped():
    lab = torch.tensor([[-1.0, 101, 50.3], [-129, 128, 0.6], [-0.6, 127.4, 300]])[:, None]
    expected = [[0, 255, 128], [0, 255, 129], [127, 255, 255]]
    assert lab_to_lab8(lab)[:, 0].tolist() == expected


def test_conversions_refuse_other_input():
    with pytest.raises(TypeError, match="uint8.*float32"):
        lab8_to_lab(torch.zeros(3, 2, 2))
    with pytest.raises(TypeError, match="float.*uint8"):
        lab_to_lab8(torch.zeros(3, 2, 2, dtype=torch.uint8))
    for shape in [(2, 2), (2, 2, 2), (2, 2, 3)]:
        with pytest.raises(ValueError, match=r"\(\.\.\., 3, H, W\)"):
            lab_to_lab8(torch.zeros(shape))


# ---------------------------------------------------------------------------- writing


def test_written_set_holds_the_photos(tmp_path):
    paths = sorted(PHOTOS.glob("*.jpg"))[:3]
    count = write_lab_arrays(tmp_path, map(open_photo, paths), side=64, per_file=2)
    assert count == 3
    assert np.load(tmp_path / "l/gray_scale.npy").shape == (3, 64, 64)
    shapes = [np.load(tmp_path / f"ab/ab{number}.npy").shape for number in (1, 2)]
    assert shapes == [(2, 64, 64, 2), (1, 64, 64, 2)]
    assert len(list(tmp_path.rglob("*.*"))) == 3  # no partial file stays behind
    photos = LabArrays(tmp_path)
    for index, path in enumerate(paths):
        image = open_photo(path)
        short, left, top = min(image.size), *((side - min(image.size)) / 2 for side in image.size)
        box = left, top, left + short, top + short
        cut = np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC, box=box))
        L, a, b = np.moveaxis(rgb2lab(cut), -1, 0)
        expected = np.stack([L * 2.55, a + 128, b + 128])
        gap = np.abs(photos[index].numpy() - expected)
        assert gap.mean() < 0.6 and np.quantile(gap, 0.98) < 3


def test_tensors_of_the_right_size_stay_as_they_are(tmp_path):
    rgb = torch.randint(0, 256, (2, 3, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    write_lab_arrays(tmp_path, iter(rgb), side=8)
    for item, photo in zip(LabArrays(tmp_path), rgb, strict=True):
        lab = rgb2lab(photo.permute(1, 2, 0).numpy())
        expected = np.moveaxis(lab * [2.55, 1, 1] + [0, 128, 128], -1, 0)
        assert np.abs(item.numpy() - expected).max() < 0.51


@pytest.mark.parametrize(
    "bad, words",
    [
        (torch.zeros(3, 8, 8), "torch.float32 tensor"),
        (torch.zeros(8, 8, 3).byte(), r"\(8, 8, 3\)"),
        (Image.new("CMYK", (8, 8)), 'mode "CMYK"'),
        ("a.jpg", "a str"),
    ],
)
def test_an_error_leaves_nothing(tmp_path, bad, words):
    good = torch.zeros(3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match=rf"Photo 2 is .*{words}.*open_photo"):
        write_lab_arrays(tmp_path, [good, good, bad], side=8, per_file=1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_full_disk_leaves_nothing(tmp_path):
    """Also what is still to be written when the files are closed finds no room."""
    code = f"""
import resource, signal, torch
from colorlab.photos.arrays import write_lab_arrays
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
write_lab_arrays({str(tmp_path)!r}, [torch.zeros(3, 64, 64).byte()] * 99, side=64, per_file=12)
"""
    pytest.importorskip("resource", reason="Windows has no such limit")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "OSError" in done.stderr and "File too large" in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_lightness_is_named_last(tmp_path, monkeypatch):
    """A run killed between two renames leaves what cannot be taken for a set."""
    rename, done = Path.rename, []

    def once(path, target):
        if done:
            raise KeyboardInterrupt
        done.append(target)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", once)
    photos = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(KeyboardInterrupt):
        write_lab_arrays(tmp_path, photos, side=8, per_file=2)
    assert not (tmp_path / "l/gray_scale.npy").exists()
    with pytest.raises(FileNotFoundError, match="no .*gray_scale.npy"):
        LabArrays(tmp_path)


def test_no_photo_and_an_existing_set(tmp_path, folder):
    with pytest.raises(ValueError, match="no photo"):
        write_lab_arrays(tmp_path / "new", [])
    assert not [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    photo = torch.zeros(3, 8, 8, dtype=torch.uint8)
    with pytest.raises(FileExistsError, match="gray_scale.npy"):
        write_lab_arrays(folder, [photo], side=8)
    (folder / "l/gray_scale.npy").unlink()
    with pytest.raises(FileExistsError, match="ab1.npy"):  # its colors would be mixed in
        write_lab_arrays(folder, [photo], side=8)
