"""Simulated events: a picture seen by an event camera that makes three saccades, the way N-MNIST was made.

Everything that comes out of this module is *simulated*: no camera recorded it. N-MNIST shows pictures on a screen to a
sensor tilted by motors (Orchard, Jayawant, Cohen & Thakor 2015, "Converting static image datasets to spiking
neuromorphic datasets using saccades", Front. Neurosci. 9:437); here the picture moves and the sensor is a model:

    motion      three straight moves around a triangle, back at the start, each a minimum-jerk movement:
                s(tau) = 10 tau^3 - 15 tau^4 + 6 tau^5 (Flash & Hogan 1985, J. Neurosci. 5:1688)
    light       bilinear interpolation, rendered at `places` of the way; between two of them intensity is linear
    a pixel     L = ln(intensity + dark); an event whenever L lies one threshold above (ON) or below (OFF) the
                reference, which then moves by that threshold; several per step where L changes by more
                (Lichtsteiner, Posch & Delbruck 2008, IEEE JSSC 43:566; Rebecq et al. 2018, "ESIM", CoRL)
    mismatch    threshold = contrast * exp(mismatch * normal draw) for ON and for OFF in every pixel; the draws belong
                to the chip and are the same in all recordings
    noise       a Poisson process in every pixel, ON and OFF with equal chance; it leaves the reference where it is
    refractory  an event, noise or not, that comes sooner than `refractory_us` after the last one its pixel sent is lost

Not modelled: finite bandwidth of the pixel, leak, arbitration of the readout, noise that grows in the dark, the lens.
The settings are fitted to event counts and intervals of N-MNIST by eye, to no sensor.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float32, Float64, Int16, Int64, Integer, UInt8

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601; summed, for a matrix product may round otherwise in a larger batch
MAX_DURATION_US = 2**30  # a pixel and its time share one 64-bit key, so that one sort orders both
CHUNK_PIXELS = 16 * 34 * 34  # pixels simulated at once: their state stays in the second cache
SLACK = 1e-6  # candidates are chosen in single precision, generously; whether a pixel sends is decided in double
REACHED = 1e-9  # of a threshold: light that is back where it was sends back what it sent, whatever the rounding
MAX_SIDE = 2**13
TRIANGLE = ((-0.5, 0.5, -0.5, -0.5), (-0.5, 0, 0.5, -0.5))  # down and right, up and right, back: as in N-MNIST
TIME_TABLE = 1024  # places of a move whose time is tabulated
BOUNDS = {  # least and greatest value of every setting of a camera
    "contrast": (0.01, 5.0),
    "mismatch": (0.0, 0.5),
    "dark": (1e-6, 10.0),
    "refractory_us": (0, MAX_DURATION_US),
    "noise_hz": (0.0, 10_000.0),
    "saccade_us": (1, MAX_DURATION_US // 3),
    "sweep_x": (0.0, 128.0),
    "sweep_y": (0.0, 128.0),
    "renders": (1, 1_000),
    "margin": (0, 128),
    "background": (0.0, 1.0),
    "chip": (0, 2**63),
}
Images = Float32[np.ndarray, "N *C H W"]
Indices = Sequence[int] | Integer[np.ndarray, "N"] | None


@dataclass(frozen=True)
class Camera:
    """An event camera in front of a picture: settings with units. ValueError for one that makes no sense.

    `contrast`: change of natural log intensity that makes an event. `mismatch`: standard deviation of the log of the
    threshold over pixels. `dark`: intensity added before the logarithm (a dark current and stray light; white is 1), so
    black is finite and the largest step is ln(1 + 1 / dark). `refractory_us`: microseconds. `noise_hz`: noise events
    per pixel and second, ON and OFF together. `saccade_us`: microseconds of one of the three moves.
    `sweep_x`, `sweep_y`: width and height of the triangle in pixels. `renders`: how often the picture is rendered from
    one pixel to the next; 1 gives 0.3% fewer events than 100, twice as fast as 10. `margin`: pixels around the picture
    on each side. `background`: intensity there; None is the median of the picture's outermost pixels, so that a plain
    picture has no outline. `chip`: which draw of threshold mismatch.

    Saccade and sweeps are those that, undone, line up the events of 60 recordings of N-MNIST best; 28 + 2 * 3 pixels
    are its sensor of 34 x 34.
    """

    contrast: float = 0.37
    mismatch: float = 0.1
    dark: float = 0.1
    refractory_us: int = 1_500
    noise_hz: float = 0.4
    saccade_us: int = 105_000
    sweep_x: float = 5.0
    sweep_y: float = 5.0
    renders: int = 1
    margin: int = 3
    background: float | None = None
    chip: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in BOUNDS.items():
            value, whole = getattr(self, name), isinstance(low, int)
            good = isinstance(value, Integral if whole else Real) and low <= float(value) <= high
            if not good and (name, value) != ("background", None):
                raise ValueError(f"{name} is a {'whole ' * whole}number between {low:g} and {high:g}, not {value!r}")

    @property
    def duration_us(self) -> int:
        """Microseconds of a recording: every event has 0 <= t < duration_us."""
        return 3 * int(self.saccade_us)

    def places(self) -> Float64[np.ndarray, "places"]:
        """Where on its way the camera renders: 0 is the start, 1, 2 and 3 are the ends of the moves.

        These are the places where rows or columns of picture and sensor line up, for there the slope of interpolated
        light changes, and `renders` - 1 between two of them.
        """
        found = [np.arange(4.0)]
        for move, ends in enumerate(pairwise(self.shift_at(found[0]))):
            for a, b in zip(*ends, strict=True):
                whole = np.arange(math.ceil(min(a, b)), math.floor(max(a, b)) + 1)
                found.append(move + (whole - a) / (b - a or 1.0))
        kinks = np.unique(np.concatenate(found).round(9))
        return np.interp(np.arange((len(kinks) - 1) * self.renders + 1) / self.renders, np.arange(len(kinks)), kinks)

    def shift_at(self, place: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n 2"]:
        """Where the picture stands on the sensor at a place, (down, right) in pixels from the middle."""
        down, right = (np.interp(place, np.arange(4), corners) for corners in TRIANGLE)
        return np.stack([down * self.sweep_y, right * self.sweep_x], axis=1)

    def time_at(self, place: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
        """Microseconds at which the camera reaches a place (see `places`)."""
        tau = np.linspace(0, 1, TIME_TABLE + 1)
        moved = tau**3 * (10 - 15 * tau + 6 * tau**2)
        inverse = np.interp(tau, moved, tau)  # evenly spaced in the way, so that a look-up needs no search
        inverse = np.concatenate([inverse[:-1], inverse[:-1] + 1, inverse[:-1] + 2, [3, 3]]) * self.saccade_us
        cell = place * TIME_TABLE
        left = cell.astype(np.int64)
        return inverse[left] + (cell - left) * (inverse[left + 1] - inverse[left])

    def thresholds(self, height: int, width: int) -> Float64[np.ndarray, "2 height width"]:
        """Contrast threshold of every pixel, OFF and ON, in natural log intensity."""
        draw = np.random.default_rng(int(self.chip)).standard_normal((2, height, width))
        return self.contrast * np.exp(self.mismatch * draw)


class SimulatedEvents(NamedTuple):
    """One recording: what pixel (x, y) sent at t microseconds; p = 1 is ON (brighter), 0 is OFF. Sorted by t."""

    t: Int64[np.ndarray, "n"]
    x: Int16[np.ndarray, "n"]
    y: Int16[np.ndarray, "n"]
    p: UInt8[np.ndarray, "n"]
    height: int
    width: int


DEFAULT = Camera()


def events_of(
    images: Images, camera: Camera = DEFAULT, seed: int = 0, indices: Indices = None
) -> list[SimulatedEvents]:
    """Simulated recordings of pictures [N, H, W] or [N, C, H, W] with values in [0, 1], one a picture.

    The sensor has 2 * margin pixels more a side than the picture. C = 3 is turned to grey, C = 1 taken as it is.
    Recording i depends on its picture, the camera, `seed` and `indices[i]` (i where there are none) and on nothing
    else. ValueError for other shapes and values.
    """
    grey, indices = _checked(images, seed, indices)
    height, width = (side + 2 * camera.margin for side in grey.shape[1:])
    bits = (height * width).bit_length()
    recordings = []
    for start, stop, code in _chunks(grey, camera, seed, indices):
        pixel = code >> 32  # (recording, y, x) in one number
        recording = pixel // (height * width)
        pixel -= recording * (height * width)
        # the same in another order: recording, t, pixel, p
        code = recording << (bits + 32) | (code & 0xFFFFFFFE) << bits | pixel << 1 | code & 1
        code.sort()
        t = (code >> (bits + 1)) & (2**31 - 1)
        pixel = ((code & (2 ** (bits + 1) - 1)) >> 1).astype(np.int32)
        y, p = pixel // np.int32(width), (code & 1).astype(np.uint8)
        x, y = (pixel - y * np.int32(width)).astype(np.int16), y.astype(np.int16)
        ends = np.cumsum(np.bincount(recording, minlength=stop - start))
        for a, b in zip(np.concatenate([[0], ends[:-1]]), ends, strict=True):
            recordings.append(
                SimulatedEvents(t[a:b].copy(), x[a:b].copy(), y[a:b].copy(), p[a:b].copy(), height, width)
            )
    return recordings


def frames_of(
    images: Images, camera: Camera = DEFAULT, seed: int = 0, frames: int = 10, indices: Indices = None
) -> Integer[np.ndarray, "N frames 2 height width"]:
    """The simulated events of `events_of` counted in `frames` equal slices of time; channel 0 is OFF, 1 is ON.

    An event at t counts in slice floor(t * frames / duration_us). uint8 where the refractory time keeps every count
    below 256, else uint16. ValueError where 65,535 do not suffice, and as in `events_of`.
    """
    if not isinstance(frames, Integral) or not 1 <= int(frames) <= camera.duration_us:
        raise ValueError(f"frames is a whole number between 1 and {camera.duration_us}, not {frames!r}")
    grey, indices = _checked(images, seed, indices)
    height, width = (side + 2 * camera.margin for side in grey.shape[1:])
    most = math.ceil(camera.duration_us / frames) // max(int(camera.refractory_us), 1) + 1
    dtype = np.uint8 if camera.refractory_us and most < 2**8 else np.uint16
    counts = np.empty((len(grey), frames, 2, height, width), dtype)
    for start, stop, code in _chunks(grey, camera, seed, indices):
        pixel = code >> 32  # (recording, y, x) in one number
        before = pixel // (height * width) * (2 * frames - 1)  # whole maps of pixels that lie before this event's own
        before += ((code & 0xFFFFFFFF) >> 1) * frames // camera.duration_us * 2 + (code & 1)
        cell = pixel + before * (height * width)
        counted = np.bincount(cell, minlength=(stop - start) * frames * 2 * height * width)
        if counted.max() > np.iinfo(dtype).max:
            raise ValueError(f"a pixel sends {counted.max()} events in one frame: raise contrast, refractory or frames")
        counts[start:stop] = counted.reshape(-1, *counts.shape[1:])
    return counts


def _checked(images, seed, indices) -> tuple[Float32[np.ndarray, "N H W"], Int64[np.ndarray, "N"]]:
    shape = (images := np.asarray(images)).shape
    if len(shape) not in (3, 4) or 0 in shape[1:] or not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"images are float [N, H, W] or [N, C, H, W], not {images.dtype} {list(shape)}")
    if shape[1:-2] not in ((), (1,), (3,)) or max(shape[-2:]) > MAX_SIDE:
        raise ValueError(f"images have 1 or 3 channels and at most {MAX_SIDE} pixels a side, not {list(shape)}")
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"images lie in [0, 1], not in [{images.min():g}, {images.max():g}]")
    indices = np.arange(len(images)) if indices is None else np.asarray(indices)
    if indices.shape != shape[:1] or not np.issubdtype(indices.dtype, np.integer) or (indices < 0).any():
        raise ValueError(f"indices are {len(images)} whole numbers from 0, one a picture")
    if not isinstance(seed, Integral) or not 0 <= int(seed) < 2**63:
        raise ValueError(f"seed is a whole number from 0 and below 2**63, not {seed!r}")
    images = images.astype(np.float32, copy=False)
    if len(shape) == 4:
        images = sum(np.float32(w) * images[:, c] for c, w in enumerate(LUMA)) if shape[1] == 3 else images[:, 0]
    return images, indices


def _chunks(
    grey: Float32[np.ndarray, "N H W"], camera: Camera, seed: int, indices: Int64[np.ndarray, "N"]
) -> Iterator[tuple[int, int, Int64[np.ndarray, "n"]]]:
    """Recordings `start` to `stop` and the codes of their events, ordered by pixel and then by time.

    A code is (recording, y, x) | t (31 bits) | p (1 bit), with recordings counted from `start`.
    """
    height, width = (side + 2 * camera.margin for side in grey.shape[1:])
    size = max(1, CHUNK_PIXELS // (height * width))
    thresholds = camera.thresholds(height, width)
    for start in range(0, len(grey), size):
        stop = min(start + size, len(grey))
        codes = [_crossings(grey[start:stop], camera, thresholds)]
        for i, index in enumerate(indices[start:stop]):
            codes.append(_noise(camera, seed, int(index), height * width) + (i * height * width << 32))
        code = np.concatenate(codes)
        code.sort()
        yield start, stop, code[_sent(code >> 1, int(camera.refractory_us))]


def _noise(camera: Camera, seed: int, index: int, pixels: int) -> Int64[np.ndarray, "n"]:
    """Codes of the noise events of one recording: a Poisson number of them, uniform over pixels, time and polarity."""
    draw = np.random.default_rng((int(seed), int(index)))
    number = draw.poisson(camera.noise_hz * pixels * camera.duration_us * 1e-6)
    pixel = draw.integers(0, pixels, number)
    return pixel << 32 | draw.integers(0, 2 * camera.duration_us, number)  # the last bit is the polarity


def _crossings(
    grey: Float32[np.ndarray, "n H W"], camera: Camera, thresholds: Float64[np.ndarray, "2 height width"]
) -> Int64[np.ndarray, "events"]:
    """Codes of all threshold crossings, in no order.

    Pictures lie along the last axis: all of them move alike, so a step is a few operations on long rows. Only pixels
    whose intensity leaves (low, high), the two levels that would make an event, are looked at in double precision.
    """
    number, (_, height, width) = len(grey), thresholds.shape
    signed = (thresholds.reshape(2, -1) * [[-1], [1]]).ravel()  # OFF pixels, then ON pixels
    fall, rise = np.exp(signed).reshape(2, -1) * [[1 + SLACK], [1 - SLACK]]
    views = _views(grey, camera)
    before = next(views).copy()
    reference = before.astype(np.float64)
    low = (reference * np.repeat(fall, number)).astype(np.float32)
    high = (reference * np.repeat(rise, number)).astype(np.float32)
    found = []
    for now in views:
        at = np.flatnonzero((now >= high) | (now <= low))
        level, light, pixel = reference[at], now[at], at // number
        change = np.log(light / level)
        threshold = signed[pixel + (change > 0) * (height * width)]
        times = np.floor(change / threshold + REACHED)
        found.append((at, times, threshold, level, before[at], light))
        level = level * np.exp(times * threshold)
        reference[at], low[at], high[at] = level, level * fall[pixel], level * rise[pixel]
        before[:] = now
    step = np.repeat(np.arange(len(found)), [len(column[0]) for column in found])
    at, times, threshold, level, was, light = (np.concatenate(column) for column in zip(*found, strict=True))
    times = times.astype(np.int64)
    each = np.repeat(np.arange(len(at)), times)
    nth = np.arange(1, len(each) + 1) - (np.cumsum(times) - times)[each]
    moved = (light - was)[each]
    moved[moved == 0] = 1  # rounding may leave a crossing to the next step, where the light need not change
    part = np.clip((level[each] * np.exp(nth * threshold[each]) - was[each]) / moved, 0, 1)
    places = camera.places()
    place = places[step][each] + np.diff(places)[step][each] * part
    t = np.minimum(camera.time_at(place).astype(np.int64), camera.duration_us - 1)
    pixel = at // number
    code = ((at - pixel * number) * (height * width) + pixel) << 32 | (threshold > 0)
    return code[each] | t << 1


def _views(grey: Float32[np.ndarray, "n H W"], camera: Camera) -> Iterator[Float32[np.ndarray, "pixels*n"]]:
    """What the sensor sees at each rendering, intensity + dark. Each view is overwritten by the next one."""
    ring = np.concatenate([grey[:, 0], grey[:, -1], grey[:, 1:-1, 0], grey[:, 1:-1, -1]], axis=1)
    around = np.median(ring, axis=1) if camera.background is None else camera.background
    reach = math.ceil(max(camera.sweep_y, camera.sweep_x) / 2) + 1
    border = camera.margin + reach
    number, rows, columns = grey.shape
    scene = np.empty((rows + 2 * border, columns + 2 * border, number), np.float32)
    scene[:] = around
    scene[border:-border, border:-border] = rearrange(grey, "n h w -> h w n")
    scene += np.float32(camera.dark)
    below = scene[1:] - scene[:-1]
    height, width = rows + 2 * camera.margin, columns + 2 * camera.margin
    line = np.empty((height, width + 1, number), np.float32)
    view = np.empty((height, width, number), np.float32)
    for y, x in reach - camera.shift_at(camera.places()):
        (down, fy), (right, fx) = ((math.floor(v), np.float32(v - math.floor(v))) for v in (y, x))
        np.multiply(below[down : down + height, right : right + width + 1], fy, out=line)
        line += scene[down : down + height, right : right + width + 1]
        np.subtract(line[:, 1:], line[:, :-1], out=view)
        view *= fx
        view += line[:, :-1]
        yield view.reshape(-1)


def _sent(time: Int64[np.ndarray, "n"], refractory_us: int) -> Bool[np.ndarray, "n"]:
    """Which events are sent: those that come `refractory_us` or more after the last one sent. `time` is ascending.

    The pixel is the upper half of `time`, so that two pixels lie further apart than any refractory time.
    """
    sent = np.ones(len(time), bool)
    alive = np.arange(len(time))
    while len(alive) > 1:
        early = np.diff(time[alive], prepend=time[alive[0]] - 2 * MAX_DURATION_US) < refractory_us
        # an event that is not early itself is sent, so an early one just after it is lost
        lost = early & ~np.concatenate([[False], early[:-1]])
        if not lost.any():
            break
        sent[alive[lost]] = False
        alive = alive[(early | np.concatenate([early[1:], [False]])) & ~lost]
    return sent
