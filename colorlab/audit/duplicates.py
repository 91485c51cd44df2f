"""Near-duplicates among many photos, by perceptual hashes.

Two photos look alike if their 64-bit hashes differ in few bits, and their 256-bit hashes bear it
out: among the 5 billion pairs of 100,000 photos some agree by chance in one, hardly any in both.

Every photo is compared with every photo that is kept, in blocks that fit in the processor's cache.
That is half a nanosecond a pair: seconds for 100,000 photos, 100 times as much for a million. There
is no index to build, the memory is the same for any number, and a set in which everything looks
alike, where the lists of an index would explode, is the quickest of all.
"""

from __future__ import annotations

import numpy as np

BITS = 64  # of the first hash

_ROWS, _COLUMNS = 16, 4096  # a block: half a megabyte of hashes compared
_BLOCK = 1024  # photos that are compared among themselves


class Hashes:
    """Perceptual hashes of n photos, and what counts as near.

    Args:
        coarse: uint64 (n,).
        fine: uint64 (n, 4).
        distance: near are photos whose coarse hashes differ in at most so many of 64 bits, and
            whose fine hashes in at most 24 + 4 x distance of 256. To cut 2 % off two sides changes
            about 4 and 34; other photos of the same place differ in 10 and 82.

    Raises:
        ValueError: the distance is not in 0..20: beyond, any two photos may be near.
    """

    def __init__(self, coarse: np.ndarray, fine: np.ndarray, distance: int) -> None:
        if not 0 <= distance <= 20:
            raise ValueError(
                f"distance={distance}: expected 0 to 20 of {BITS} bits; two unlike photos differ "
                "in about 32, and in 14 at times."
            )
        self.coarse, self.fine, self.distance = coarse, fine, distance

    def bits(self, one: int, other: int) -> int:
        """How many bits of the coarse hashes differ."""
        return int(np.bitwise_count(self.coarse[one] ^ self.coarse[other]))

    def near(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places (i, j) where photos rows[i] and columns[j] are near, sorted by i, then j."""
        differ = np.bitwise_count(self.coarse[rows, None] ^ self.coarse[columns])
        # Of two dimensions, numpy.nonzero would take three times as long as all the rest.
        i, j = np.divmod(np.flatnonzero(differ <= self.distance), len(columns))
        finer = np.bitwise_count(self.fine[rows[i]] ^ self.fine[columns[j]])
        near = finer.sum(axis=1, dtype=np.int64) <= 24 + 4 * self.distance
        return i[near], j[near]

    def first_match(self, photos: np.ndarray, others: np.ndarray) -> np.ndarray:
        """For each of ``photos`` the first of ``others`` that is near it, or -1.

        All are numbers of photos.
        """
        found = np.full(len(photos), -1, np.int64)
        for top in range(0, len(photos), _ROWS):
            waiting = np.arange(top, min(top + _ROWS, len(photos)))
            for left in range(0, len(others), _COLUMNS):
                columns = others[left : left + _COLUMNS]
                i, j = self.near(photos[waiting], columns)
                rows, firsts = np.unique(i, return_index=True)
                found[waiting[rows]] = columns[j[firsts]]
                waiting = np.delete(waiting, rows)
                if not waiting.size:
                    break
        return found

    def copies(self, photos: np.ndarray) -> np.ndarray:
        """For each of ``photos`` the earlier one, itself no copy, that it is near; -1: it has none.

        Keeping those with -1 keeps a near-duplicate of each of the others. (Nearness is not
        transitive: of a row of photos in which each resembles the next, several can stay.)
        """
        found = np.full(len(photos), -1, np.int64)
        kept = np.empty(0, np.int64)
        for start in range(0, len(photos), _BLOCK):
            block = photos[start : start + _BLOCK]
            match = self.first_match(block, kept)
            new = np.flatnonzero(match < 0)
            for i, near in self._earlier(block[new]):
                originals = near[match[new[near]] < 0]
                if originals.size:
                    match[new[i]] = block[new[originals[0]]]
            found[start : start + _BLOCK] = match
            kept = np.concatenate([kept, block[match < 0]])
        return found

    def _earlier(self, photos: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """(i, the places before i of photos near photo i), in order, for those that have one."""
        groups = []
        for top in range(0, len(photos), _ROWS):
            i, j = self.near(photos[top : top + _ROWS], photos)
            i, j = i[j < i + top] + top, j[j < i + top]
            rows, firsts = np.unique(i, return_index=True)
            groups += zip(rows.tolist(), np.split(j, firsts[1:]), strict=True) if rows.size else []
        return groups
