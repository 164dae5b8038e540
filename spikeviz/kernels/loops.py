"""Loops over numbers in memory. They are compiled when they are first called, once for each installation, and kept
beside this file or in numba's cache.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

BLOCK = 1024  # numbers of one sample and step that are worked on at once: all a block needs fits a core's first cache
F = np.float32
ZERO, ONE, HALF, BIG = F(0), F(1), F(0.5), F(1 << 23)  # adding and taking away BIG rounds half to even
INTEGRATE, LEAK_BY_FACTOR, LEAK_BY_QUOTIENT = range(3)
HALF_EVEN, HALF_UP, QUANTISE = range(3)

_POINTED = {"F": types.float32, "B": types.uint8, "I": types.int32}
_KINDS = {"f": types.float32, "i": types.int64} | {kind: types.CPointer(of) for kind, of in _POINTED.items()}
_C = {"f": ctypes.c_float, "i": ctypes.c_int64} | dict.fromkeys(_POINTED, ctypes.c_void_p)

_COMPILING = Lock()


class Kernel:
    """A loop over numbers in memory, as machine code that lets other threads run meanwhile.

    Args:
        body: what numba compiles; its arguments are addresses (F of float32, B of bytes, I of int32; 0 is none) and
            numbers (f, i).
        kinds: a letter for each of them.
    """

    def __init__(self, body: Callable[..., Any], kinds: str):
        self.body, self.kinds = body, kinds
        self._call: Callable[..., int] | None = None

    def __call__(self, *arguments: Any) -> int:
        if self._call is None:
            with _COMPILING:  # two sessions may come first: the code of one must not be freed while it runs
                self._call = self._call or self._compiled()
        return self._call(*arguments)

    def _compiled(self) -> Callable[..., int]:
        kinds: list[Any] = [_C[kind] for kind in self.kinds]
        from_address: Any = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)
        signature = types.int64(*(_KINDS[kind] for kind in self.kinds))
        try:
            found = cfunc(signature, cache=True)(self.body)
        except RuntimeError:  # no folder that numba could keep it in
            found = cfunc(signature)(self.body)
        self._found = found  # the code lives as long as this
        return from_address(found.address)


def kernel(kinds: str) -> Callable[[Callable[..., Any]], Kernel]:
    return lambda body: Kernel(body, kinds)


def _fused(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""
    return a(a, b, c), lambda context, builder, signature, arguments: builder.fma(*arguments)


fma: Any = intrinsic(_fused)


@njit(inline="always")
def fill(slopes, offsets, start, size, plane, weight, bias, mean, variance, eps, gate, normal, gated):
    """Slope and offset of every number of a block. A channel that is closed gets a current of minus infinity."""
    done = 0
    while done < size:
        channel = (start + done) // plane
        end = min(size, (channel + 1) * plane - start)
        a, b = ONE, -ZERO  # a number times one less zero is that number
        if normal:
            a = ONE / np.sqrt(variance[channel] + eps) * weight[channel]
            b = fma(-mean[channel], a, bias[channel])
        if gated and gate[channel] == 0:
            a, b = ZERO, F(-np.inf)
        some, others = slopes[done:end], offsets[done:end]
        for j in range(end - done):
            some[j] = a
        for j in range(end - done):
            others[j] = b
        done = end


@kernel("FiiiiiiiFFFFfBfffiiffFBFii")
def fire(
    x, still, steps, samples, channels, plane, low, high, weight, bias, mean, variance, eps, gate,
    divisor, threshold, tau, leak, hard, rest, worth, spikes, counts, before, counted, watched,
):  # fmt: skip
    neurons = channels * plane
    xs = carray(x, neurons * samples * (1 if still else steps))
    ss, gs = carray(spikes, neurons * samples * steps), carray(gate, channels)
    bs = carray(before, neurons * samples * steps) if watched else np.empty(BLOCK, F)
    cs = carray(counts, neurons * samples * steps) if counted else np.empty(BLOCK, np.uint8)
    w, b, m, v = carray(weight, channels), carray(bias, channels), carray(mean, channels), carray(variance, channels)
    slopes, offsets = np.empty(BLOCK, F), np.empty(BLOCK, F)
    left = np.empty(BLOCK, F)
    rate = ONE / tau
    for start in range(low, high, BLOCK):
        size = min(BLOCK, high - start)
        fill(slopes, offsets, start, size, plane, w, b, m, v, eps, gs, w.ctypes.data != 0, gs.ctypes.data != 0)
        for sample in range(samples):
            for j in range(size):
                left[j] = rest
            for t in range(steps):
                at = (t * samples + sample) * neurons + start
                given = sample * neurons + start if still else at
                current, spike = xs[given : given + size], ss[at : at + size]
                count = cs[at * counted : at * counted + size]
                charged = bs[at * watched : at * watched + size]
                for j in range(size):
                    y = fma(current[j], slopes[j], offsets[j])
                    if divisor != ONE:
                        y = y / divisor
                    if leak == INTEGRATE:
                        h = left[j] + y
                    elif leak == LEAK_BY_FACTOR:
                        h = left[j] + (y - left[j]) * rate
                    else:
                        h = left[j] + (y - left[j]) / tau
                    fired = h >= threshold
                    s = ONE if fired else ZERO
                    charged[j] = h
                    spike[j] = s * worth
                    count[j] = fired
                    left[j] = h - (h if hard else threshold) * s
    return 0


@kernel("FiiiiiiiFFFFfBfifiFBFii")
def fire_integers(
    x, still, steps, samples, channels, plane, low, high, weight, bias, mean, variance, eps, gate,
    divisor, levels, worth, rounding, spikes, counts, before, counted, watched,
):  # fmt: skip
    """Integers: up to `levels`, half to even or half up; or QCFS's levels, which leave nothing behind.

    A function beside `fire`, with the same frame: in one for both the compiler no longer takes eight neurons of `fire`
    at a time, and it is seven times slower.
    """
    neurons = channels * plane
    xs = carray(x, neurons * samples * (1 if still else steps))
    ss, gs = carray(spikes, neurons * samples * steps), carray(gate, channels)
    bs = carray(before, neurons * samples * steps) if watched else np.empty(BLOCK, F)
    cs = carray(counts, neurons * samples * steps) if counted else np.empty(BLOCK, np.uint8)
    w, b, m, v = carray(weight, channels), carray(bias, channels), carray(mean, channels), carray(variance, channels)
    slopes, offsets = np.empty(BLOCK, F), np.empty(BLOCK, F)
    left = np.empty(BLOCK, F)
    most = F(levels)
    for start in range(low, high, BLOCK):
        size = min(BLOCK, high - start)
        fill(slopes, offsets, start, size, plane, w, b, m, v, eps, gs, w.ctypes.data != 0, gs.ctypes.data != 0)
        for sample in range(samples):
            for j in range(size):
                left[j] = ZERO
            for t in range(steps):
                at = (t * samples + sample) * neurons + start
                given = sample * neurons + start if still else at
                current, spike = xs[given : given + size], ss[at : at + size]
                count = cs[at * counted : at * counted + size]
                charged = bs[at * watched : at * watched + size]
                for j in range(size):
                    h = left[j] + fma(current[j], slopes[j], offsets[j])
                    charged[j] = h
                    if rounding == QUANTISE:
                        h = np.floor(h / divisor * most + HALF)
                    c = ZERO if h < ZERO else h
                    c = most if c > most else c
                    if rounding == HALF_EVEN:
                        c = c + BIG - BIG
                    elif rounding == HALF_UP:
                        c = np.floor(c + HALF)
                    spike[j] = c * worth
                    count[j] = np.int32(c)
                    left[j] = ZERO if rounding == QUANTISE else h - c
    return 0


@kernel("FiiiiiFFFFf")
def normalise(x, samples, channels, plane, low, high, weight, bias, mean, variance, eps):
    """In place."""
    neurons = channels * plane
    xs, nothing = carray(x, samples * neurons), np.empty(0, np.uint8)
    w, b, m, v = carray(weight, channels), carray(bias, channels), carray(mean, channels), carray(variance, channels)
    slopes, offsets = np.empty(BLOCK, F), np.empty(BLOCK, F)
    for start in range(low, high, BLOCK):
        size = min(BLOCK, high - start)
        fill(slopes, offsets, start, size, plane, w, b, m, v, eps, nothing, True, False)
        for sample in range(samples):
            own = xs[sample * neurons + start : sample * neurons + start + size]
            for j in range(size):
                own[j] = fma(own[j], slopes[j], offsets[j])
    return 0


@kernel("FFFiiiiffffi")
def fire_back(before, slope, gradient, steps, neurons, low, high, alpha, threshold, tau, leaky, hard):
    """Gradient of `fire`; `slope` holds sigmoid(alpha (H - threshold)) and becomes what is found."""
    hs, ss, gs = carray(before, steps * neurons), carray(slope, steps * neurons), carray(gradient, steps * neurons)
    carried = np.empty(BLOCK, F)
    for start in range(low, high, BLOCK):
        size = min(BLOCK, high - start)
        for j in range(size):
            carried[j] = ZERO
        for t in range(steps - 1, -1, -1):
            at = t * neurons + start
            charged, own, given = hs[at : at + size], ss[at : at + size], gs[at : at + size]
            for j in range(size):
                s = own[j]
                g = (-s + ONE) * s * alpha * given[j]
                past = carried[j]
                if hard:
                    past = past * (ONE if charged[j] < threshold else ZERO)
                g = g + past
                if leaky:
                    own[j] = g / tau
                    carried[j] = g - own[j]
                else:
                    own[j] = g
                    carried[j] = g
    return 0


@kernel("FFFiiiiffi")
def fire_integers_back(charged, gradient, found, steps, neurons, low, high, levels, worth, rounding):
    """Gradient of `fire_integers`: 1 in their window; what is reset does not count."""
    hs, gs, out = carray(charged, steps * neurons), carray(gradient, steps * neurons), carray(found, steps * neurons)
    carried = np.empty(BLOCK, F)
    for start in range(low, high, BLOCK):
        size = min(BLOCK, high - start)
        for j in range(size):
            carried[j] = ZERO
        for t in range(steps - 1, -1, -1):
            at = t * neurons + start
            h, given, own = hs[at : at + size], gs[at : at + size], out[at : at + size]
            for j in range(size):
                inside = h[j] > ZERO and h[j] < levels
                if rounding == HALF_EVEN:
                    inside = h[j] >= ZERO and h[j] <= levels
                carried[j] = carried[j] + given[j] * worth * (ONE if inside else ZERO)
                own[j] = carried[j]
    return 0


@kernel("FFFFiff")
def quantise_back(x, gradient, found, sums, count, threshold, levels):
    """Gradient of QCFS; `sums[0]` is that of its threshold."""
    xs, gs, out, total = carray(x, count), carray(gradient, count), carray(found, count), carray(sums, 1)
    worth = threshold / levels
    parts = np.zeros(BLOCK, np.float64)  # side by side: a processor adds eight columns as fast as one number
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        given, came, own = xs[start : start + size], gs[start : start + size], out[start : start + size]
        for j in range(size):
            c = np.floor(given[j] / threshold * levels + HALF)
            g = came[j] * (ONE if c > ZERO and c < levels else ZERO)
            c = ZERO if c < ZERO else c
            c = levels if c > levels else c
            own[j] = g
            parts[j] += came[j] * (c * worth) - g * given[j]
    total[0] = F(parts.sum() / threshold)
    return 0


@kernel("FiiiFii")
def halve(x, maps, height, width, out, low, high):
    """The largest of 3 x 3 neighbours, in steps of 2."""
    down, across = (height + 1) // 2, (width + 1) // 2
    xs, ys = carray(x, maps * height * width), carray(out, maps * down * across)
    rows = np.empty(width + 2, F)
    rows[0] = rows[width + 1] = F(-np.inf)
    middle = rows[1 : width + 1]
    for plane in range(low, high):
        for y in range(down):
            at = (plane * height + 2 * y) * width
            above = xs[at - width : at] if y > 0 else xs[at : at + width]
            here = xs[at : at + width]
            below = xs[at + width : at + 2 * width] if 2 * y + 1 < height else here
            for j in range(width):
                most = here[j] if here[j] > above[j] else above[j]
                middle[j] = most if most > below[j] else below[j]
            own = ys[(plane * down + y) * across : (plane * down + y + 1) * across]
            for j in range(across):
                most = rows[2 * j] if rows[2 * j] > rows[2 * j + 1] else rows[2 * j + 1]
                own[j] = most if most > rows[2 * j + 2] else rows[2 * j + 2]
    return 0


@kernel("FFFBiif")
def thin(x, drawn, out, kept, low, high, ratio):
    """What was drawn below `ratio` becomes 0."""
    given, came = carray(x, high)[low:], carray(drawn, high)[low:]
    own, flags = carray(out, high)[low:], carray(kept, high)[low:]
    for j in range(high - low):
        stays = came[j] >= ratio
        own[j] = given[j] if stays else ZERO
        flags[j] = stays
    return 0


@kernel("FFFIIiiiii")
def quantiles(counts, drawn, table, first, out, width, low, high, place, base):
    """Of the digit of every count at a place, how many are kept: as many entries of its row as are not above what was
    drawn, from the row's least number on."""
    given, came, own = carray(counts, high)[low:], carray(drawn, high)[low:], carray(out, high)[low:]
    rows, least = carray(table, base * width), carray(first, base)
    for j in range(high - low):
        digit = np.int64(given[j]) // place % base
        start = digit * width
        bottom, top = np.int64(0), width
        while bottom < top:
            middle = (bottom + top) // 2
            if came[j] < rows[start + middle]:
                top = middle
            else:
                bottom = middle + 1
        own[j] = least[digit] + np.int32(bottom)
    return 0


@kernel("FBif")
def pack(x, out, count, scale):
    """How many times `scale` each number is; 0 where one of them is no whole number of times, up to 255."""
    xs, ys = carray(x, count), carray(out, count)
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        given, own = xs[start : start + size], ys[start : start + size]
        wrong = np.int32(0)
        for j in range(size):
            c = given[j] / scale
            c = ZERO if not c > ZERO else c
            c = (F(255) if c > F(255) else c) + BIG - BIG
            own[j] = np.int32(c)
            wrong += np.int32(c * scale != given[j])
        if wrong:
            return 0
    return 1
