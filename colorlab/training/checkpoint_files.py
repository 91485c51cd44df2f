"""One training checkpoint, one file: tensors, facts, and a checksum over every byte.

The file is plain safetensors, which any safetensors tool opens and which can't run code. Its
header begins, always at the same place, with::

    {"__metadata__":{"format":"colorlab-checkpoint-1","sha256":"<64 digits>","facts":"<JSON>"},...

The digits are the SHA-256 of the whole file with "0" in place of each of the 64, so a flipped or
missing byte anywhere shows before a tensor is used.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from colorlab.atomic import write_whole

FORMAT = "colorlab-checkpoint-1"
LONGEST_HEADER = 100_000_000  # bytes; safetensors refuses more

_START = f'{{"__metadata__":{{"format":"{FORMAT}","sha256":"'.encode()
_DIGITS = slice(len(_START), len(_START) + 64)  # of the header
_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


class CheckpointError(ValueError):
    """A checkpoint that can't be used: which file, what is wrong with it, what to do."""


def write_checkpoint(
    path: str | os.PathLike[str], tensors: dict[str, Tensor], facts: dict[str, Any]
) -> Path:
    """Write a checkpoint, whole or not at all; the folder must exist.

    Tensors may share memory, lie on any device and have any strides; each is written by itself.

    Args:
        facts: what JSON can say. It comes back as JSON has it: tuples as lists, keys as text. NaN
            and infinity are allowed, because a run that diverged must be saved as it is.

    Raises:
        OSError: the file could not be written; what stood there before is still there.
        TypeError, ValueError: facts that JSON can't say, a tensor that safetensors has no name
            for, or a header that is too long. Nothing was written.
    """
    header, payload = _laid_out(tensors, facts)
    prefix = len(header).to_bytes(8, "little")
    digest = _digest([prefix, header, *payload])
    header = header[: _DIGITS.start] + digest + header[_DIGITS.stop :]
    return write_whole(path, [prefix, header, *payload])


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a checkpoint, on the CPU, in the order they were given in, and its facts.

    Raises:
        CheckpointError: no such file, not a checkpoint, cut short, or changed by even one bit.
    """
    try:
        with open(path, "rb") as file:
            prefix, header, facts = _read_header(file)
            entries = _entries(header, os.fstat(file.fileno()).st_size - len(prefix) - len(header))
            tensors = {
                name: torch.empty(shape, dtype=dtype, device="cpu")
                for name, dtype, shape, _ in entries
            }
            zeroed = header[: _DIGITS.start] + b"0" * 64 + header[_DIGITS.stop :]
            # Straight into the tensors' own memory, hashed on the way: no second copy of it all.
            places = (_bytes_of(tensors[entry[0]]) for entry in sorted(entries, key=_where))
            digest = _digest([prefix, zeroed, *_filled(file, places)])
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error
    if digest != header[_DIGITS]:
        raise _unreadable(path, "its checksum does not fit, so some of its bytes have changed")
    return tensors, facts


def read_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The facts of a checkpoint from its header alone: quick, and **not** checked for damage.

    Raises:
        CheckpointError: no such file, or its header can't be read.
    """
    try:
        with open(path, "rb") as file:
            return _read_header(file)[2]
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: str | os.PathLike[str], why: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint {os.fspath(path)} can't be used: {why}. Start from another one, or get "
        f"this one again from where it was copied from."
    )


# --- writing --------------------------------------------------------------------------------------


def _laid_out(tensors: dict[str, Tensor], facts: dict[str, Any]) -> tuple[bytes, list[memoryview]]:
    """The header, with "0" for each digit of the checksum, and the payload in its order."""
    if not isinstance(facts, dict):
        raise TypeError(f"the facts of a checkpoint should be a dict, got {type(facts).__name__}")
    try:
        text = json.dumps(facts)
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"the facts of a checkpoint must be what JSON can say: {error}. Use numbers, text, "
            f"lists and dicts; .item() or .tolist() turn tensors and arrays into them."
        ) from error
    names = {getattr(torch, name): code for code, name in _TYPES.items() if hasattr(torch, name)}
    for name, tensor in tensors.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise ValueError(f"{name!r} can't be a tensor's name in a checkpoint: use other text")
        if not isinstance(tensor, Tensor) or tensor.is_meta or tensor.layout != torch.strided:
            raise TypeError(f"{name} should be a dense tensor with data, got {type(tensor)}")
        if tensor.dtype not in names:
            raise TypeError(f"{name} is {tensor.dtype}; a checkpoint holds: {', '.join(_TYPES)}")
    # The widest first: then every number stands at a multiple of its own size, as readers like.
    order = sorted(tensors, key=lambda name: -tensors[name].element_size())
    payload, offsets, end = [], {}, 0
    for name in order:
        payload.append(_bytes_of(tensors[name].detach().cpu().resolve_conj().resolve_neg()))
        offsets[name] = [end, end + payload[-1].nbytes]
        end = offsets[name][1]
    metadata = {"format": FORMAT, "sha256": "0" * 64, "facts": text}
    entries = {
        name: {"dtype": names[t.dtype], "shape": list(t.shape), "data_offsets": offsets[name]}
        for name, t in tensors.items()
    }
    whole = {"__metadata__": metadata, **entries}
    header = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > LONGEST_HEADER:
        raise ValueError(f"facts and names of {len(header):,} bytes are too long for a checkpoint")
    return header, payload


def _bytes_of(tensor: Tensor) -> memoryview:
    """The memory of a tensor on the CPU, of any dtype; of a copy where it isn't contiguous."""
    return memoryview(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())


def _digest(chunks: Iterable[bytes | memoryview]) -> bytes:
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest().encode()


# --- reading: every ValueError below becomes a CheckpointError that names the file ----------------


def _read_header(file: BinaryIO) -> tuple[bytes, bytes, dict[str, Any]]:
    prefix = file.read(8)
    length = int.from_bytes(prefix, "little")
    if not _DIGITS.stop < length <= LONGEST_HEADER:
        raise ValueError("it is empty, cut short, or not a safetensors file")
    header = file.read(length)
    if len(header) < length:
        raise ValueError("it was cut short, or it is not a safetensors file")
    if not header.startswith(_START):
        raise ValueError("it is damaged, or not a checkpoint that colorlab wrote")
    try:
        facts = json.loads(json.loads(header)["__metadata__"]["facts"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"its header is damaged ({error})") from error
    if not isinstance(facts, dict):
        raise ValueError("its header is damaged (the facts are no dict)")
    return prefix, header, facts


def _entries(header: bytes, size: int) -> list[tuple[str, torch.dtype, list[int], list[int]]]:
    """Name, dtype, shape and offsets of each tensor, and sure to fill ``size`` bytes exactly.

    Checked before memory is asked for: a damaged header must not ask for a terabyte.
    """
    entries = []
    try:
        for name, entry in json.loads(header).items():
            if name != "__metadata__":
                dtype = getattr(torch, _TYPES[entry["dtype"]])
                shape, offsets = entry["shape"], entry["data_offsets"]
                if not all(type(n) is int and n >= 0 for n in [*shape, *offsets]):
                    raise ValueError(f"sizes of {name}")
                if math.prod(n or 1 for n in shape) >= 2**60:  # beyond what torch can count
                    raise ValueError(f"shape of {name}")
                if offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
                    raise ValueError(f"size of {name}")
                entries.append((name, dtype, shape, offsets))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"its header is damaged ({error!r})") from error
    end = 0
    for name, _, _, offsets in sorted(entries, key=_where):
        if offsets[0] != end:
            raise ValueError(f"its header is damaged (place of {name})")
        end = offsets[1]
    if end != size:
        raise ValueError(f"it holds {size:,} bytes of tensors where its header says {end:,}")
    return entries


def _where(entry: tuple[str, torch.dtype, list[int], list[int]]) -> list[int]:
    return entry[3]


def _filled(file: BinaryIO, places: Iterable[memoryview]) -> Iterator[memoryview]:
    for place in places:
        if file.readinto(place) != place.nbytes:
            raise ValueError("it was cut short while it was read")
        yield place
