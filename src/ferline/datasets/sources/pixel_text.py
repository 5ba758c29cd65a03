"""Pixels written as numbers ("70 80 82 ...") to bytes: 271 MB of FER2013 in 0.3 s of one core.

A field of one number, one space, one number is read with whole-array operations that also prove that it is one: each
works on uint8, so a register holds 32 characters. Whatever fails the proof is read again word by word, which settles
whether it is only written another way (two spaces, 007) or wrong, and then says how.
"""

from collections.abc import Sequence

import numpy as np

_GROUP = 64  # fields a pass: half a megabyte of FER2013, so that its intermediate arrays stay in a core's cache
_SPACE = ord(" ") ^ ord("0")  # characters are kept as their XOR with "0", which makes a digit its own value
_KEPT = 60  # characters of what is wrong, in a message


class WrongPixels(ValueError):  # noqa: N818 (it reads as what it is)
    """A field that holds no image; the text says why, `index` which of the fields it is."""

    def __init__(self, index: int, text: str) -> None:
        super().__init__(text)
        self.index = index


def pixel_values(fields: Sequence[bytes], count: int) -> np.ndarray:
    """uint8[N, count] from N fields of `count` numbers each; WrongPixels for the first that is anything else."""
    pixels = np.empty((len(fields), count), np.uint8)
    scratch = _Scratch()
    for first in range(0, len(fields), _GROUP):
        group = fields[first : first + _GROUP]
        read = _plain(group, count, scratch)
        pixels[first : first + len(group)] = _words(group, count, first) if read is None else read
    return pixels


def count_of(field: bytes) -> int:
    return len(field.split())


class _Scratch:
    """Arrays for intermediate results; new ones for every group would cost more in page faults than the arithmetic."""

    def __init__(self) -> None:
        self._block = np.empty((6, 0), np.uint8)

    def arrays(self, size: int) -> list[np.ndarray]:
        if self._block.shape[1] < size:
            self._block = np.empty((6, size + size // 8), np.uint8)
        return [row[:size] for row in self._block]


def _plain(fields: Sequence[bytes], count: int, scratch: _Scratch) -> np.ndarray | None:
    """uint8[N, count], or None unless every field is `count` numbers from 0 to 255 with one space between each two."""
    text = np.frombuffer(b" ".join([b"", *fields, b""]), np.uint8)
    value, tens, hundreds, *masks = scratch.arrays(len(text))
    digit, space, follows = (mask.view(bool) for mask in masks)
    np.bitwise_xor(text, ord("0"), out=value)
    np.less(value, 10, out=digit)
    np.equal(value, _SPACE, out=space)
    plain = np.count_nonzero(digit) + np.count_nonzero(space) == len(text)
    plain &= not _repeats(space, 1, follows)
    follows[0] = False
    np.logical_and(digit[1:], digit[:-1], out=follows[1:])  # a digit after a digit
    plain &= not _repeats(follows, 2, tens.view(bool))  # four digits in a row
    ends = np.flatnonzero(space)
    lengths = np.fromiter(map(len, fields), np.int64, len(fields))
    # The space after field k is the (k+1) * count-th after the first: each field has `count` numbers.
    plain &= len(ends) == len(fields) * count + 1
    if not plain or (ends[count::count] != np.cumsum(lengths + 1)).any():
        return None
    np.multiply(value, digit, out=value)
    np.multiply(value[:-2], follows[2:], out=hundreds[2:])
    hundreds[:2] = 0
    plain &= int(hundreds.max()) <= 2
    np.multiply(hundreds, 100, out=hundreds)
    np.multiply(value, 10, out=tens)
    np.add(value[1:], tens[:-1], out=value[1:])
    np.add(value, hundreds, out=value)
    plain &= not np.less(value, hundreds, out=digit).any()  # 256 and more have come round to a small number
    ends -= 1
    # mode="clip" looks at each index once, not twice; all of them are inside
    return value.take(ends[1:], mode="clip").reshape(len(fields), count) if plain else None


def _repeats(mask: np.ndarray, apart: int, out: np.ndarray) -> bool:
    """Whether `mask` holds at two places that are `apart`."""
    return bool(np.logical_and(mask[apart:], mask[:-apart], out=out[apart:]).any())


def _words(fields: Sequence[bytes], count: int, first: int) -> np.ndarray:
    return np.array([_checked(field, count, first + place) for place, field in enumerate(fields)], np.uint8)


def _checked(field: bytes, count: int, index: int) -> list[int]:
    words = field.split()
    for place, word in enumerate(words, start=1):
        if not word.isdigit():
            text = word.decode(errors="replace")
            raise WrongPixels(index, f"pixel {place} is {text[:_KEPT]!r}, it must be a whole number from 0 to 255")
        if len(word) > _KEPT or int(word) > 255:
            raise WrongPixels(index, f"pixel {place} is {word.decode()[:_KEPT]}, it must be from 0 to 255")
    if len(words) != count:
        side = round(count**0.5)
        raise WrongPixels(index, f"{len(words)} pixel values where {side} x {side} = {count} are needed")
    return [int(word) for word in words]
