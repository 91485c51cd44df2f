"""Checkpoints to disk and back, and every byte that may go wrong."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path

import pytest
import safetensors
import torch
from torch import Tensor

from colorlab.training import checkpoint_files
from colorlab.training.checkpoint_files import (
    FORMAT,
    CheckpointError,
    read_checkpoint,
    read_facts,
    write_checkpoint,
)

FACTS = {"step": 7, "recipe": {"name": "für Tests"}, "scores": [0.1, 1e-300, None], "ok": True}
DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64),
    *(torch.float8_e4m3fn, torch.float8_e5m2, torch.bool),
    *(torch.int64, torch.int32, torch.int16, torch.int8),
    *(torch.uint64, torch.uint32, torch.uint16, torch.uint8),
]


def every_kind() -> dict[str, Tensor]:
    """Each dtype in each shape, of random bits, NaNs with a payload among them."""
    bits = torch.Generator().manual_seed(0)
    tensors = {}
    for dtype in DTYPES:
        for shape in [(3,), (), (2, 0, 3), (2, 1, 5)]:
            size = math.prod(shape) * dtype.itemsize
            top = 2 if dtype == torch.bool else 256
            raw = torch.randint(top, (size,), dtype=torch.uint8, generator=bits)
            tensors[f"{dtype} {shape}"] = raw.view(dtype).reshape(shape)
    return tensors


def raw_bytes(tensor: Tensor) -> bytes:
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist())


def same(got: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert list(got) == list(wanted)
    for name, tensor in wanted.items():
        assert got[name].dtype == tensor.dtype and got[name].shape == tensor.shape, name
        assert raw_bytes(got[name]) == raw_bytes(tensor), name


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "a.ckpt"
    return write_checkpoint(path, every_kind(), FACTS)


def refused(path: Path, says: str | None = None) -> None:
    with pytest.raises(CheckpointError, match=says) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value) and "Start from another" in str(caught.value)


# --- there and back -------------------------------------------------------------------------------


def test_every_dtype_and_shape_comes_back_bit_for_bit(written: Path) -> None:
    tensors, facts = read_checkpoint(str(written))
    same(tensors, every_kind())
    assert facts == FACTS == read_facts(written)
    assert [p.name for p in written.parent.iterdir()] == ["a.ckpt"]


def test_what_comes_back_can_be_trained_on(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a", {"x": torch.zeros(3), "y": torch.ones(2, 2)}, {})
    tensors, _ = read_checkpoint(path)
    path.unlink()
    tensors["x"].add_(1)
    assert tensors["x"].tolist() == [1, 1, 1] and tensors["y"].sum() == 4
    assert all(t.is_contiguous() and not t.is_inference() for t in tensors.values())
    assert tensors["x"].untyped_storage().nbytes() == 12  # its own memory, not a slice of it all


def test_odd_strides_and_shared_memory_are_written_each_by_itself(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(1, 2, 3, 4)
    tensors = {
        "base": base,
        "again": base,
        "part": base[..., 1:3],
        "turned": base.transpose(1, 3),
        "spread": torch.ones(1).expand(5),
        "channels": base.to(memory_format=torch.channels_last),
        "conjugate": torch.tensor([1 + 2j]).conj(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    got, _ = read_checkpoint(write_checkpoint(tmp_path / "a", tensors, {}))
    for name, tensor in tensors.items():
        assert torch.equal(got[name], tensor), name
    got["base"].zero_()
    assert torch.equal(got["again"], base)


def test_no_tensors_and_no_facts(tmp_path: Path) -> None:
    assert read_checkpoint(write_checkpoint(tmp_path / "a", {}, {})) == ({}, {})


def test_nan_and_infinity_in_facts_come_back(tmp_path: Path) -> None:
    facts = {"loss": math.nan, "best": math.inf, "worst": -math.inf}
    path = write_checkpoint(tmp_path / "a", {}, facts)
    got = read_checkpoint(path)[1]
    assert math.isnan(got.pop("loss")) and got == {"best": math.inf, "worst": -math.inf}
    with safetensors.safe_open(path, framework="pt") as file:  # the header itself is strict JSON
        assert "NaN" in file.metadata()["facts"]


def test_the_default_device_does_not_matter(written: Path) -> None:
    with torch.device("meta"):
        tensors, _ = read_checkpoint(written)
    same(tensors, every_kind())


# --- the format -----------------------------------------------------------------------------------


def test_safetensors_opens_the_file(written: Path) -> None:
    wanted = every_kind()
    with safetensors.safe_open(written, framework="pt") as file:
        assert set(file.keys()) == set(wanted)
        for name, tensor in wanted.items():
            assert raw_bytes(file.get_tensor(name)) == raw_bytes(tensor), name
        metadata = file.metadata()
    assert metadata["format"] == FORMAT == "colorlab-checkpoint-1"
    assert json.loads(metadata["facts"]) == FACTS


def test_the_checksum_by_hand(written: Path) -> None:
    raw = written.read_bytes()
    with safetensors.safe_open(written, framework="pt") as file:
        digest = file.metadata()["sha256"]
    assert raw.count(digest.encode()) == 1
    assert hashlib.sha256(raw.replace(digest.encode(), b"0" * 64)).hexdigest() == digest


def test_numbers_stand_at_multiples_of_their_size(written: Path) -> None:
    raw = written.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    assert length % 8 == 0
    header = json.loads(raw[8 : 8 + length])
    del header["__metadata__"]
    for name, entry in header.items():
        assert entry["data_offsets"][0] % every_kind()[name].element_size() == 0, name


# --- damage ---------------------------------------------------------------------------------------


def test_cuts_at_any_length_are_refused(tmp_path: Path, written: Path) -> None:
    raw, path = written.read_bytes(), tmp_path / "cut.ckpt"
    rng = random.Random(0)
    for keep in [0, 1, 7, 8, 9, 100, 200, len(raw) - 1, *rng.sample(range(len(raw)), 20)]:
        path.write_bytes(raw[:keep])
        refused(path)
    path.write_bytes(raw + b"\0")
    refused(path, "its header says")


def test_a_flipped_bit_anywhere_is_refused(tmp_path: Path, written: Path) -> None:
    raw, path = written.read_bytes(), tmp_path / "flipped.ckpt"
    (length,) = struct.unpack("<Q", raw[:8])
    rng = random.Random(0)
    spots = [*range(8), *rng.sample(range(8, 300), 20), *rng.sample(range(300, 8 + length), 20)]
    for spot in [*spots, *rng.sample(range(8 + length, len(raw)), 20), len(raw) - 1]:
        damaged = bytearray(raw)
        damaged[spot] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        refused(path)


def forged(path: Path, header: str, payload: bytes = b"") -> Path:
    """A file with a checksum that fits, so that only the header can be found wrong."""
    start = f'{{"__metadata__":{{"format":"{FORMAT}","sha256":"'
    text = (start + "0" * 64 + '","facts":"{}"}' + header + "}").encode()
    raw = len(text).to_bytes(8, "little") + text + payload
    digest = hashlib.sha256(raw).hexdigest().encode()
    path.write_bytes(raw.replace(b"0" * 64, digest, 1))
    return path


@pytest.mark.parametrize(
    "entry",
    [
        '{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}',
        '{"dtype":"F32","shape":[2],"data_offsets":[0,4]}',
        '{"dtype":"F32","shape":[1],"data_offsets":[4,8]}',
        '{"dtype":"F32","shape":[-1],"data_offsets":[4,0]}',
        '{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}',
        '{"dtype":"OBJECT","shape":[1],"data_offsets":[0,4]}',
        '{"dtype":"F32","shape":[1]}',
        '{"dtype":[],"shape":[1],"data_offsets":[0,4]}',
        "3",
    ],
)
def test_a_header_that_lies_about_sizes_is_refused(tmp_path: Path, entry: str) -> None:
    good = ',"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    assert read_checkpoint(forged(tmp_path / "a", good, bytes(4)))[0]["x"].tolist() == [0.0]
    refused(forged(tmp_path / "a", f',"x":{entry}', bytes(4)))


def test_tensors_that_overlap_or_no_memory_can_hold_are_refused(tmp_path: Path) -> None:
    one = '{"dtype":"U8","shape":[4],"data_offsets":[0,4]}'
    refused(forged(tmp_path / "a", f',"x":{one},"y":{one}', bytes(4)), "place of y")
    gap = '{"dtype":"U8","shape":[4],"data_offsets":[4,8]}'
    refused(forged(tmp_path / "a", f',"x":{gap}', bytes(8)), "place of x")
    for shape in ("[0,4611686018427387904,8]", f"[0,1{'0' * 30}]"):
        huge = f'{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}'
        refused(forged(tmp_path / "a", f',"x":{huge}'), "shape of x")


class Payload:
    """Opened by pickle, this makes a folder."""

    def __init__(self, proof: Path):
        self.proof = proof

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.proof),)


@pytest.mark.parametrize("how", ["pickle", "torch", "torch, old", "zip"])
def test_pickle_and_zip_are_refused_and_not_run(tmp_path: Path, how: str) -> None:
    path, proof, buffer = tmp_path / "a.ckpt", tmp_path / "proof", io.BytesIO()
    if how == "pickle":
        pickle.dump(Payload(proof), buffer)
    elif how == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("data.pkl", pickle.dumps(Payload(proof)))
    else:
        torch.save({"x": Payload(proof)}, buffer, _use_new_zipfile_serialization=how == "torch")
    path.write_bytes(buffer.getvalue())
    for read in (read_checkpoint, read_facts):
        with pytest.raises(CheckpointError, match=r"a\.ckpt can't be used.*not a safetensors"):
            read(path)
    assert not proof.exists()
    if how == "pickle":  # the trap does work
        pickle.loads(buffer.getvalue())
        assert proof.exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(100)}, tmp_path / "other", {"format": FORMAT, "facts": "{}"})
    refused(tmp_path / "other", "not a checkpoint that colorlab wrote")
    refused(tmp_path, "[Dd]irectory")
    refused(tmp_path / "none", "No such file")
    with pytest.raises(CheckpointError, match="No such file"):
        read_facts(tmp_path / "none")


def test_facts_are_read_without_the_rest(tmp_path: Path, written: Path) -> None:
    path = tmp_path / "headless"
    raw = written.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    path.write_bytes(raw[: 8 + length])
    assert read_facts(path) == FACTS
    refused(path)
    path.write_bytes(raw[: 7 + length])
    with pytest.raises(CheckpointError, match="headless can't be used: it was cut short"):
        read_facts(path)


# --- what can't be written ------------------------------------------------------------------------

circle: dict = {}
circle["self"] = circle


@pytest.mark.parametrize(
    ("tensors", "facts", "error", "says"),
    [
        ({}, {"x": torch.ones(1)}, TypeError, r"what JSON can say: .*Tensor.*\.item\(\)"),
        ({}, {"x": {1, 2}}, TypeError, "what JSON can say"),
        ({}, {("a", 1): 2}, TypeError, "what JSON can say"),
        ({}, circle, ValueError, "Circular"),
        ({}, [1], TypeError, "should be a dict, got list"),
        ({"x": torch.ones(1, dtype=torch.complex128)}, {}, TypeError, "x is torch.complex128"),
        ({"x": torch.ones(1, device="meta")}, {}, TypeError, "x should be a dense tensor"),
        ({"x": torch.ones(1).to_sparse()}, {}, TypeError, "x should be a dense tensor"),
        ({"x": [1.0]}, {}, TypeError, "x should be a dense tensor"),
        ({"__metadata__": torch.ones(1)}, {}, ValueError, "can't be a tensor's name"),
        ({3: torch.ones(1)}, {}, ValueError, "can't be a tensor's name"),
    ],
)
def test_mistakes_are_reported_before_anything_is_written(
    tmp_path: Path, tensors, facts, error, says
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")
    with pytest.raises(error, match=says):
        write_checkpoint(path, tensors, facts)
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_a_header_too_long_for_safetensors_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoint_files, "LONGEST_HEADER", 1000)
    with pytest.raises(ValueError, match="too long for a checkpoint"):
        write_checkpoint(tmp_path / "a", {}, {"x": "y" * 1000})
    assert not list(tmp_path.iterdir())
