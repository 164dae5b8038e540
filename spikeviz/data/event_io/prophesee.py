"""Prophesee's DAT, EVT 2.0 and EVT 3.0."""

import re

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from spikeviz.data.event_io.decoded import Decoded, check_count, kept_mask, leading, records, unwrapped
from spikeviz.data.events import RecordingError

CHUNK = 2**20  # words of EVT 3.0 decoded at once


def read_prophesee(content: bytes, ending: str, notes: list[str]) -> Decoded:
    """A header of lines `% key value`, then events. `% end` ends it where it is there."""
    header = leading(rb"(?:% [^\n]*\n)*", content)
    if end := re.search(rb"^% end\r?\n", header, re.MULTILINE):
        header = header[: end.end()]
    encoding = re.search(rb"% (?:evt|format EVT) *([\d.]+)", header)
    if not encoding and (ending == ".dat" or b"Data file containing" in header):
        decoded = read_dat(content, header, notes)
    else:
        encodings = {b"2": read_evt2, b"2.0": read_evt2, b"3": read_evt3, b"3.0": read_evt3}
        if not encoding or encoding[1] not in encodings:
            raise RecordingError("Its header names neither EVT 2.0 nor EVT 3.0: convert the recording to one of them.")
        order = ">" if b"% endianness big" in header else "<"
        decoded = encodings[encoding[1]](content, len(header), order, notes)
    height, width = (re.search(rb"\b%b[ =](\d{1,5})\b" % side, header, re.IGNORECASE) for side in (b"height", b"width"))
    if geometry := re.search(rb"% geometry (\d{1,5})x(\d{1,5})\b", header):
        return decoded._replace(size=(int(geometry[2]), int(geometry[1])))
    return decoded._replace(size=(int(height[1]), int(width[1]))) if height and width else decoded


def read_dat(content: bytes, header: bytes, notes: list[str]) -> Decoded:
    """Two bytes, type and size of an event, then (us, p 4 bits, y 14, x 14) in 8 bytes, little endian."""
    if b"% Version 2" not in header:
        raise RecordingError("The DAT file is not of version 2: convert it with Prophesee's tools.")
    if len(content) < len(header) + 2 or content[len(header)] not in (0, 12) or content[len(header) + 1] != 8:
        raise RecordingError("The DAT file holds no CD events: choose a recording of pixel events.")
    check_count((len(content) - len(header) - 2) // 8)
    raw = records(content, len(header) + 2, [("t", "<u4"), ("xyp", "<u4")], notes)
    t = unwrapped(raw["t"].astype(np.int64), 32, notes)
    return Decoded(t, raw["xyp"] & 0x3FFF, raw["xyp"] >> 14 & 0x3FFF, raw["xyp"] >> 28)


def read_evt2(content: bytes, start: int, order: str, notes: list[str]) -> Decoded:
    """Words of 32 bits. Types 0, 1 = OFF, ON with the lower 6 bits of time; type 8 = the upper 28 of what follows."""
    words = records(content, start, f"{order}u4", notes)
    kinds = (words >> 28).astype(np.uint8)
    places, highs = np.flatnonzero(kinds < 2), np.flatnonzero(kinds == 8)
    check_count(len(places))
    latest = np.searchsorted(highs, places) - 1
    kept = kept_mask(latest >= 0, notes, "events before the first time stamp")
    words, high, p = words[places[kept]], words[highs[latest[kept]]], kinds[places[kept]]
    t = unwrapped(high.astype(np.int64) % 2**28 << 6 | (words >> 22 & 0x3F), 34, notes)
    return Decoded(t, words >> 11 & 0x7FF, words & 0x7FF, p)


def read_evt3(content: bytes, start: int, order: str, notes: list[str]) -> Decoded:
    """Words of 16 bits: 4 of type, 12 of value. A state (time, row, base column) holds until a word changes it.

    Types: 0 = row; 2 = one event's column and polarity; 3 = base column and polarity of the vectors that follow; 4, 5 =
    vector, one bit a pixel for the next 12 or 8 columns; 6, 8 = lower and upper 12 bits of time, which run over.
    Decoded in chunks; the state goes into the next chunk as the words that would set it.
    """
    words = records(content, start, f"{order}u2", notes)
    chunks = [words[first : first + CHUNK].astype(np.uint16) for first in range(0, len(words), CHUNK)]
    check_count(sum(int(np.unpackbits(_pixels(chunk).view(np.uint8)).sum()) for chunk in chunks))
    carried, laps, early, pieces = np.zeros(0, np.uint16), 0, 0, [(np.zeros(0, np.uint8),) * 4]
    for chunk in chunks:
        piece = np.concatenate([carried, chunk])
        kinds, values = piece >> 12, (piece & 0xFFF).astype(np.int64)
        row, base, low, high = (_latest(kinds == kind) for kind in (0, 3, 6, 8))
        width = np.select([kinds == 4, kinds == 5], [12, 8], 0)
        passed = np.cumsum(width) - width  # columns that vectors went through, up to each word
        falls = np.diff(values[kinds == 8], prepend=values[kinds == 8][:1]) < -(2**11)
        lap = laps + np.cumsum(falls)

        bits = _pixels(piece)
        filled = np.flatnonzero(bits)
        place, offset = np.nonzero(bits[filled, None] >> np.arange(12, dtype=np.uint16) & 1)
        place = filled[place]
        origin = np.where(kinds[place] == 2, place, base[place])  # where column and polarity stand
        known = (high[place] >= 0) & (row[place] >= 0) & (origin >= 0)
        early += int((~known).sum())
        place, offset, origin = place[known], offset[known], origin[known]
        upper = lap[np.cumsum(kinds == 8)[place] - 1] << 12 | values[high[place]]
        t = upper << 12 | np.where(low[place] >= 0, values[low[place]], 0)
        x = values[origin] % 2**11 + passed[place] - passed[origin] + offset
        y, p = values[row[place]] % 2**11, values[origin] >> 11
        pieces.append((t, x.astype(np.int32), y.astype(np.int16), p.astype(np.uint8)))

        states = [state[-1] for state in (row, base, low, high)]
        carried = piece[[state for state in states if state >= 0]].copy()
        if base[-1] >= 0:
            column = min(values[base[-1]] % 2**11 + passed[-1] + width[-1] - passed[base[-1]], 2**11 - 1)
            carried[int(row[-1] >= 0)] = 3 << 12 | values[base[-1]] >> 11 << 11 | column
        laps = int(lap[-1]) if len(lap) else laps
    if early:
        notes.append(f"left out events before the first time stamp: {early:,}")
    if laps:
        notes.append(f"the 24-bit time counter ran over {laps:,} time{'s' if laps > 1 else ''}")
    t, x, y, p = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return Decoded(t, x, y, p)


def _pixels(words: UInt16[np.ndarray, "n"]) -> UInt16[np.ndarray, "n"]:
    """One bit for each event in a word of EVT 3.0."""
    kinds = words >> 12
    masks = np.zeros(16, np.uint16)
    masks[4], masks[5] = 0xFFF, 0xFF
    bits = words & masks[kinds]
    bits[kinds == 2] = 1
    return bits


def _latest(mask: Bool[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """The last place up to each one at which the mask is true; -1 before the first."""
    return np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1))
