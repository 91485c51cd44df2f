"""Photo files made byte by byte, so that a test knows every number in them: ICC, TIFF, PNG."""

from __future__ import annotations

import struct
import zlib

import numpy as np

# Columns XYZ relative to D50, of red, green and blue (Bradford): published with the spaces.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def curve(gamma: float | None = None, points: np.ndarray | None = None) -> bytes:
    """A "curv" tag; with neither, the curve of sRGB as a "para" tag (ICC.1:2022, 10.6, 10.18)."""
    if points is not None:
        values = np.rint(np.asarray(points) * 65535).astype(">u2").tobytes()
        return b"curv\0\0\0\0" + struct.pack(">I", len(points)) + values
    if gamma is not None:
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para\0\0\0\0\0\3\0\0" + struct.pack(">5i", *(round(n * 65536) for n in numbers))


def profile(space: str, tone: bytes, columns=SRGB, text: bytes = b"made") -> bytes:
    """An ICC profile, version 2 or 4, of the space "RGB " or "GRAY"."""

    def xyz(values) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

    describing = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + bytes(79)
    tags = [(b"desc", describing), (b"cprt", b"text\0\0\0\0none\0")]
    tags += [(b"wtpt", xyz((0.9642, 1.0, 0.8249)))]
    if space == "GRAY":
        tags += [(b"kTRC", tone)]
    else:
        tags += [(n, xyz(c)) for n, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)]
        tags += [(n, tone) for n in (b"rTRC", b"gTRC", b"bTRC")]
    table, data, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, value in tags:
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    version = 0x04200000 if tone.startswith(b"para") else 0x02400000
    kind = b"mntr" + space.encode().ljust(4) + b"XYZ "
    head = struct.pack(">I4sI", 132 + len(table) - 4 + len(data), b"test", version) + kind
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1.0, 0.8249)))
    return head.ljust(128, b"\0") + table + data


def packed(values: np.ndarray, bits: int, order: str = ">") -> bytes:
    """Numbers (rows, n) of so many bits, each row from a whole byte on; 16 bits in byte `order`."""
    if bits == 16:
        return values.astype(f"{order}u2").tobytes()
    shifts = np.arange(bits)[::-1]
    ones = (values.astype(np.int64)[..., None] >> shifts & 1).reshape(len(values), -1)
    return np.packbits(ones.astype(np.uint8), axis=1).tobytes()


def tiff(
    values: np.ndarray,
    bits: int,
    colors: int,
    *,
    order: str = "<",
    apart: bool = False,
    deflated: bool = False,
    orientation: int | None = None,
    icc: bytes | None = None,
    extra: int | None = None,
    kind: int = 1,
    rows: int = 5,
) -> bytes:
    """A TIFF of numbers (H, W, samples), with `rows` rows a strip (TIFF 6.0)."""
    height, width, samples = values.shape
    planes = [values[..., i : i + 1] for i in range(samples)] if apart else [values]
    strips = [
        packed(plane[top : top + rows].reshape(len(plane[top : top + rows]), -1), bits, order)
        for plane in planes
        for top in range(0, height, rows)
    ]
    if deflated:
        strips = [zlib.compress(strip) for strip in strips]
    data, offsets = b"", []
    for strip in strips:
        offsets.append(8 + len(data))
        data += strip + bytes(len(strip) % 2)
    tags = {
        256: ("H", [width]),
        257: ("H", [height]),
        258: ("H", [bits] * samples),
        259: ("H", [8 if deflated else 1]),
        262: ("H", [colors]),
        273: ("I", offsets),
        277: ("H", [samples]),
        278: ("H", [rows]),
        279: ("I", [len(strip) for strip in strips]),
        284: ("H", [2 if apart else 1]),
    }
    if orientation is not None:
        tags[274] = ("H", [orientation])
    if extra is not None:
        tags[338] = ("H", [extra])
    if kind != 1:
        tags[339] = ("H", [kind] * samples)
    if icc is not None:
        tags[34675] = ("B", list(icc))
    start = 8 + len(data)
    table, long, behind = struct.pack(f"{order}H", len(tags)), b"", start + 6 + 12 * len(tags)
    for tag, (letter, numbers) in sorted(tags.items()):
        value = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(value) > 4:
            place = struct.pack(f"{order}I", behind + len(long))
            long += value + bytes(len(value) % 2)
        else:
            place = value.ljust(4, b"\0")
        code = {"B": 7, "H": 3, "I": 4}[letter]
        table += struct.pack(f"{order}HHI", tag, code, len(numbers)) + place
    magic = b"II" if order == "<" else b"MM"
    head = magic + struct.pack(f"{order}HI", 42, start)
    return head + data + table + bytes(4) + long


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    values: np.ndarray, bits: int, color: int, before: bytes = b"", after: bytes = b""
) -> bytes:
    """A PNG of numbers (H, W, samples); chunks before and after the pixels (PNG, section 11)."""
    height, width = values.shape[:2]
    lines = packed(values.reshape(height, -1), bits)
    stride = len(lines) // height
    rows = b"".join(b"\0" + lines[i * stride : (i + 1) * stride] for i in range(height))
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    body = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(rows)) + after
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def iccp(icc: bytes) -> bytes:
    return chunk(b"iCCP", b"made\0\0" + zlib.compress(icc))


def gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100000)))


def chrm(*xy: float) -> bytes:
    """White, red, green, blue."""
    return chunk(b"cHRM", struct.pack(">8I", *(round(v * 100000) for v in xy)))


def exif(orientation: int) -> bytes:
    """EXIF with an orientation alone, as it stands in eXIf."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
