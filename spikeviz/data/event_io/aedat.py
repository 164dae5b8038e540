"""AEDAT 2.0, 3 and 4.0, as jAER, cAER and DV write them."""

import os
import re
import struct
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from spikeviz.data.event_io.decoded import (
    CUT_OFF,
    MAX_EVENTS,
    MAX_HEADER,
    Decoded,
    check_count,
    kept_mask,
    leading,
    records,
    unwrapped,
)
from spikeviz.data.events import RecordingError

MAX_PACKETS = 10**6


def read_aedat2(content: bytes, notes: list[str]) -> Decoded:
    """Pairs of big-endian (address, us). jAER counts from the lower right corner, here from the upper left one."""
    header = leading(rb"(?:#[^\n]*\n)*", content)
    if end := re.search(rb"#End Of ASCII Header\r?\n", header, re.IGNORECASE):
        header = header[: end.end()]  # an event may begin with a # too
    check_count((len(content) - len(header)) // 8)
    raw = records(content, len(header), [("address", ">u4"), ("t", ">u4")], notes)
    address = raw["address"].astype(np.int64)
    chip = re.search(rb"AEChip: *(?:\w+\.)*(\w+)", header)
    camera = chip[1].decode() if chip else ""
    if davis := re.match("DAVIS(240|346)", camera):
        height, width = {"240": (180, 240), "346": (260, 346)}[davis[1]]
        events = (address >> 31 == 0) & (address >> 10 & 1 == 0)  # else frames, motion, external triggers
        x, y, p = width - 1 - (address >> 12 & 0x3FF), height - 1 - (address >> 22 & 0x1FF), address >> 11 & 1
    elif camera.startswith("DVS128") or (not camera and (address < 2**16).all()):
        height = width = 128
        events = address < 2**15  # else synchronisation
        x, y, p = 127 - (address >> 1 & 0x7F), 127 - (address >> 8 & 0x7F), 1 - (address & 1)
        if not camera:
            notes.append("its header names no camera, read as DVS128")
    else:
        raise RecordingError(
            "The recording is of a camera other than DVS128, DAVIS240, DAVIS346: convert it to AEDAT 4."
        )
    kept = kept_mask(events, notes, "entries that are no pixel events")
    t = unwrapped(raw["t"].astype(np.int64), 32, notes)
    return Decoded(t[kept], x[kept], y[kept], p[kept], (height, width))


def read_aedat3(content: bytes, notes: list[str]) -> Decoded:
    """Packets of a 28-byte header and events; type 1 are polarity events of 8 bytes. Time has 31 bits and a lap."""
    end = re.search(rb"#!END-HEADER\r?\n", content[:MAX_HEADER])
    if not end:
        raise RecordingError("The header of the AEDAT 3 file has no end: the recording is damaged.")
    header, place = content[: end.end()], end.end()
    if re.search(rb"#Format:[^\n]*Serial", header):
        raise RecordingError("The AEDAT 3 file is compressed (serialised time stamps): save it with the format RAW.")
    packets, data, laps = 0, [], []
    while place + 28 <= len(content) and (packets := packets + 1) <= MAX_PACKETS:
        kind, _, size, _, lap, _, number, _ = struct.unpack_from("<hh6i", content, place)
        if size < 1 or number < 0 or (kind == 1 and size != 8):
            raise RecordingError(f"Packet {packets:,} of the AEDAT 3 file makes no sense: the recording is damaged.")
        place += 28
        whole = min(number, (len(content) - place) // size)
        if kind == 1 and whole:
            data.append(np.frombuffer(content, "<u4", count=2 * whole, offset=place).reshape(-1, 2))
            laps.append(lap)
        place += number * size
    if packets > MAX_PACKETS:
        raise RecordingError(f"The recording is in more than {MAX_PACKETS:,} packets: cut a shorter piece out of it.")
    if place != len(content):
        notes.append(CUT_OFF.format("event"))
    sizes = [len(piece) for piece in data]
    check_count(sum(sizes))
    address, t = np.concatenate([np.zeros((0, 2), np.uint32), *data]).T
    t = t.view(np.int32) + (np.repeat(np.array(laps, np.int64), sizes) << 31)
    kept = kept_mask(address & 1 == 1, notes, "events marked as invalid")
    source = re.search(rb"#Source +\d+: *(DVS128|DAVIS128|DAVIS240|DAVIS346|DAVIS640)", header)
    known = {"128": (128, 128), "240": (180, 240), "346": (260, 346), "640": (480, 640)}
    size = known[source[1].decode()[-3:]] if source else None
    return Decoded(t[kept], (address >> 17)[kept], (address >> 2 & 0x7FFF)[kept], (address >> 1 & 1)[kept], size)


# Runs in a process of its own, which damaged bytes can end. Prints the sensor's size; events go to a file packet by
# packet, so that those before a damaged one are kept. A small packet may unpack to any size: memory is bounded where
# the system can.
AEDAT4_EVENT = [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")]
AEDAT4_PROGRAM = f"""
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass
import aedat, numpy
decoder = aedat.Decoder("recording.aedat4")
streams = decoder.id_to_stream()
chosen = min((key for key in streams if streams[key]["type"] == "events"), default=None)
if chosen is not None:
    print(streams[chosen]["height"], streams[chosen]["width"], flush=True)
count = 0
with open("events", "wb", buffering=0) as file:
    for packet in decoder:
        if packet["stream_id"] == chosen and count <= {MAX_EVENTS}:
            events = numpy.empty(len(packet["events"]), {AEDAT4_EVENT})
            for to, of in zip("txyp", ("t", "x", "y", "on")):
                events[to] = packet["events"][of]
            file.write(events.tobytes())
            count += len(events)
"""


def read_aedat4(content: bytes, notes: list[str]) -> Decoded:
    """The first stream of events, unpacked by the package aedat in a process of its own."""
    if find_spec("aedat") is None:
        raise RecordingError("AEDAT 4 recordings need the package aedat: install it with pip install aedat.")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "recording.aedat4").write_bytes(content)
        try:
            done = subprocess.run(
                [sys.executable, "-c", AEDAT4_PROGRAM],
                cwd=folder,
                env={
                    **os.environ,
                    "OPENBLAS_NUM_THREADS": "1",
                    "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=120,
            )
        except subprocess.TimeoutExpired:
            raise RecordingError("The AEDAT 4 file takes minutes to unpack: cut a shorter piece out of it.") from None
        path = Path(folder) / "events"
        raw = records(path.read_bytes() if path.exists() else b"", 0, AEDAT4_EVENT, [])
    check_count(len(raw))
    if done.returncode and not len(raw):
        raise RecordingError("The AEDAT 4 file is damaged: export it again from the program that recorded it.")
    if done.returncode:
        notes.append(CUT_OFF.format("packet"))
    height, width = (int(side) for side in done.stdout.split() or (0, 0))
    return Decoded(raw["t"], raw["x"], raw["y"], raw["p"], (height, width) if done.stdout.strip() else None)
