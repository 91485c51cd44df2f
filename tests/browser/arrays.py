"""Arrays and files on their way to a page of the browser and back."""

from __future__ import annotations

import base64

import numpy as np

# So that arrays go to the page and come back as they are.
ARRAYS = """() => {
    window.bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
    window.array = ({ kind, data }) => new globalThis[kind](bytesOf(data).buffer)
    window.text = (array) => {
        const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
        let said = ""
        for (let i = 0; i < bytes.length; i += 32768)
            said += String.fromCharCode(...bytes.subarray(i, i + 32768))
        return btoa(said)
    }
}"""
KINDS = {"uint8": "Uint8ClampedArray", "float32": "Float32Array", "float64": "Float64Array"}


def sent(array: np.ndarray) -> dict[str, str]:
    """For the page's ``array``."""
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"kind": KINDS[str(array.dtype)], "data": data}


def got(text: str, kind: type) -> np.ndarray:
    """From the page's ``text``."""
    return np.frombuffer(base64.b64decode(text), kind)


def rgba(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (H, W, 4), opaque."""
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
