"""One training checkpoint, one file: tensors, facts, and a checksum over every byte.

The file is plain safetensors, which any safetensors tool opens and which can't run code. Its
header begins with::

    {"__metadata__":{"format":"colorlab-checkpoint-1","sha256":"<64 digits>","facts":"<JSON>"},...

The digits are the SHA-256 of the whole file with "0" in place of each of the 64, so a flipped or
missing byte anywhere shows before a tensor is used.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from colorlab.atomic import write_whole

FORMAT = "colorlab-checkpoint-1"
LONGEST_HEADER = 100_000_000  # bytes; safetensors refuses to read more
_BLANK = b"0" * 64


class CheckpointError(ValueError):
    """A checkpoint that can't be used: which file, what is wrong with it, what to do."""


def write_checkpoint(
    path: str | os.PathLike[str], tensors: dict[str, Tensor], facts: dict[str, Any]
) -> Path:
    """Write a checkpoint, whole or not at all; the folder must exist.

    Tensors may share memory, lie on any device and have any strides; each is written by itself.
    Until it is written, the file stands in memory as well, for a moment twice.

    Args:
        facts: what JSON can say. It comes back as JSON has it: tuples as lists, keys as text. NaN
            and infinity are allowed, because a run that diverged must be saved as it is.

    Raises:
        OSError: the file could not be written; what stood there before is still there.
        TypeError, ValueError: facts that JSON can't say, a tensor that safetensors has no name
            for, or a header that is too long. Nothing was written.
    """
    text = _as_json(facts)
    whole = memoryview(save(_plain(tensors)))
    end = 8 + int.from_bytes(whole[:8], "little")
    entries = json.loads(bytes(whole[8:end]))
    # A header in our order: safetensors' own changes from call to call, and sorts the tensors.
    metadata = {"format": FORMAT, "sha256": _BLANK.decode(), "facts": text}
    header = {"__metadata__": metadata, **{name: entries[name] for name in tensors}}
    start = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    start += b" " * (-len(start) % 8)  # the tensors begin at a multiple of 8, as the format asks
    if len(start) > LONGEST_HEADER:
        raise ValueError(f"facts and names of {len(start):,} bytes are too long for a checkpoint")
    start = len(start).to_bytes(8, "little") + start
    digest = _digest(start, whole[end:])
    return write_whole(path, [start.replace(_BLANK, digest.encode(), 1), whole[end:]])


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a checkpoint, on the CPU, in the order they were given in, and its facts.

    Raises:
        CheckpointError: no such file, not a checkpoint, cut short, or changed by even one bit.
    """
    with _named(path):
        whole = Path(path).read_bytes()  # not mapped: a drive that fails then would end the process
        start, header, facts = _read_header(io.BytesIO(whole))
        digest = header.pop("__metadata__")["sha256"]
        try:
            size = len(whole) - len(start)
            says = max((entry["data_offsets"][1] for entry in header.values()), default=0)
            if size != says:
                raise ValueError(f"it holds {size:,} bytes of tensors; its header says {says:,}")
            zeroed = start.replace(digest.encode(), _BLANK, 1)
            if _digest(zeroed, memoryview(whole)[len(start) :]) != digest:
                raise ValueError("its checksum does not fit, so some of its bytes have changed")
            tensors = _load(whole)
            return {name: tensors[name] for name in header}, facts
        except (SafetensorError, RuntimeError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"its header is damaged ({error})") from error


def read_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The facts of a checkpoint from its header alone: quick, and **not** checked for damage.

    Raises:
        CheckpointError: no such file, or its header can't be read.
    """
    with _named(path), open(path, "rb") as file:
        return _read_header(file)[2]


@contextlib.contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Inside, what goes wrong becomes a CheckpointError that names the file."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint {os.fspath(path)} can't be used: "
            f"{getattr(error, 'strerror', None) or error}. Start from another one, or get this one "
            f"again from where it was copied from."
        ) from error


def _read_header(file: BinaryIO) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """The bytes before the tensors, what they say of the tensors, and the facts among it."""
    prefix = file.read(8)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < 8 or not 0 < length <= LONGEST_HEADER:
        raise ValueError("it is empty, cut short, or not a safetensors file")
    text = file.read(length)
    if len(text) < length:
        raise ValueError("it was cut short, or it is not a safetensors file")
    try:
        header = json.loads(text)
        known = header["__metadata__"]["format"] == FORMAT and "sha256" in header["__metadata__"]
        facts = json.loads(header["__metadata__"]["facts"]) if known else {}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"its header is damaged ({error})") from error
    if not known:
        raise ValueError("it is damaged, or not a checkpoint that colorlab wrote")
    if not isinstance(facts, dict):
        raise ValueError("its header is damaged (the facts are no dict)")
    return prefix + text, header, facts


def _digest(start: bytes, rest: memoryview) -> str:
    total = hashlib.sha256(start)
    total.update(rest)
    return total.hexdigest()


def _as_json(facts: dict[str, Any]) -> str:
    if not isinstance(facts, dict):
        raise TypeError(f"the facts of a checkpoint should be a dict, got {type(facts).__name__}")
    try:
        return json.dumps(facts)
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"the facts of a checkpoint must be what JSON can say: {error}. Use numbers, text, "
            f"lists and dicts; .item() or .tolist() turn tensors and arrays into them."
        ) from error


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as safetensors wants them: contiguous, and none in the memory of another."""
    plain, taken = {}, set()
    for name, tensor in tensors.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise ValueError(f"{name!r} can't be a tensor's name in a checkpoint: use other text")
        if not isinstance(tensor, Tensor) or tensor.is_meta or tensor.layout != torch.strided:
            raise TypeError(f"{name} should be a dense tensor with data, got {type(tensor)}")
        if not _has_name(tensor.dtype):
            raise TypeError(f"{name} is {tensor.dtype}, which safetensors has no name for")
        plain[name] = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        if plain[name].untyped_storage().data_ptr() in taken:
            plain[name] = plain[name].clone()
        taken.add(plain[name].untyped_storage().data_ptr())
    return plain


@functools.cache
def _has_name(dtype: torch.dtype) -> bool:
    probe = torch.empty(1, dtype=dtype, device="cpu")
    try:
        return _load(save({"": probe}))[""].dtype == dtype
    except (SafetensorError, KeyError, ValueError, TypeError):
        return False


def _load(whole: bytes) -> dict[str, Tensor]:
    with torch.device("cpu"):  # whatever the default device is
        return load(whole)
