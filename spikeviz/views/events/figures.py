"""The figures of a recording of events: played, as frames, cut into slices, as a rate, in x, y and t."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from spikeviz.display import plural
from spikeviz.views import player_data, runs, spikes
from spikeviz.views.events import slicing
from spikeviz.views.inputs import data_of, event_recording
from spikeviz.views.player_data import PlayerData
from spikeviz.views.view import Component, Figure, Item, Markup, Note, Row

if TYPE_CHECKING:
    import pandas as pd

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.data.events import EventRecording
    from spikeviz.figures.events import Frames
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SIDE = 160  # pixels of a small picture: a larger sensor is drawn coarser
STILLS = 8
DRAWN = 24  # slices
RATE = "events per second"
COLOURS = "ON is orange, OFF blue; the pictures share one scale of brightness."


def sees_events(card: CheckpointCard) -> bool:
    """Whether a network was trained on events."""
    from spikeviz.data.catalog import CATALOG

    return card.data in CATALOG and CATALOG[card.data].kind == "events"


def recording_of(run: Run) -> EventRecording:
    """The recording behind the frames of a run; one of a test set is read once for everybody.

    Raises:
        ValueError: with a sentence, where it cannot be read.
    """
    shown, card, index = run.shown, run.card, run.experiment.index
    try:
        if shown.events is not None:
            return shown.events
        key = ("events", card.data, index)
        return runs.DATA.get(key, lambda: event_recording(run.experiment, shown, card))
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(f"{shown.title[0].upper()}{shown.title[1:]} cannot be read: {error}") from error


def coarse(events: EventRecording) -> tuple[EventRecording, int]:
    """On at most `SIDE` pixels a side, each of k x k pixels of the sensor; and k."""
    from spikeviz.data.events import EventRecording

    k = -(-max(events.height, events.width) // SIDE)
    height, width = -(-events.height // k), -(-events.width // k)
    small = EventRecording(events.t, events.x // k, events.y // k, events.p, height, width) if k > 1 else events
    return small, k


def player(scene: Scene) -> Iterator[Item]:
    """The recording, played, beside what the network takes it for and what is known of it."""
    try:
        events = recording_of(scene.now)
    except ValueError as error:
        yield Note(str(error), "error")
        return
    yield Row([_played(scene.now, events)], _words(scene, events), widths=(2.9, 1), gap="medium")


def _played(run: Run, events: EventRecording) -> Component:
    from spikeviz.data.events import by_number
    from spikeviz.figures.events import Frames

    small, k = coarse(events)
    pictures = by_number(small, STILLS)
    stills = Frames(f"Recording · {run.shown.title}", pictures, slicing.times(slicing.equal(events, STILLS)))
    sent = player_data.SENT
    part = f"The player has {sent:,} of the {len(events):,} events, evenly thinned. " if len(events) > sent else ""
    notice = (
        f"{part}What to notice: a moving edge gives ON events on one side and OFF events on the other; what does not "
        f"move stays black. Exported: {STILLS} slices of equal time{_coarser(k)}."
    )
    figure = Figure(stills, notice, term="event")
    return Component("event_player", PlayerData(events, run.shown.title), figure, partial(_strip, stills, k))


def _words(scene: Scene, events: EventRecording) -> Iterator[Item]:
    for name, run in scene.runs:
        yield from spikes.prediction(run.packed, name if scene.compared else "")
    yield from _facts(scene.now, events)


def _facts(run: Run, events: EventRecording) -> Iterator[Item]:
    """What is known of a recording: how much it holds, and who made it."""
    from spikeviz.figures.tables import table

    seconds = events.duration / 1e6
    rows = [
        ("events", f"{len(events):,}"),
        ("ON", f"{events.p.mean():.0%}"),
        ("duration", f"{seconds * 1000:,.1f} ms"),
        ("events per second", f"{len(events) / seconds:,.0f}" if seconds else "–"),
        ("sensor", f"{events.width} x {events.height}"),
    ]
    yield Markup(table("Recording", ("Recording", ""), rows))
    yield Note(_origin(run, events))


def _origin(run: Run, events: EventRecording) -> str:
    """Who made a recording; of one that was not brought, whose input says so, also what was done to it on its way."""
    from spikeviz.data.event_camera import DEFAULT
    from spikeviz.data.event_sets import NO_CAMERA

    if NO_CAMERA in events.notes:
        return (
            "**Simulated events**: a still picture, moved in front of a model of a camera in three saccades of "
            f"{DEFAULT.saccade_us / 1000:g} ms. Contrast threshold {DEFAULT.contrast:g} (natural log, ± "
            f"{DEFAULT.mismatch:.0%} from pixel to pixel), refractory time {DEFAULT.refractory_us / 1000:g} ms, noise "
            f"{DEFAULT.noise_hz:g} events per pixel and second."
        )
    if run.shown.events is not None:
        return "**Recorded events**: the file you brought."
    data, notes = data_of(run.card), f" {'; '.join(events.notes)}." if events.notes else ""
    return f"**Recorded events**: {data.title}. {data.licence}.{notes}"


def everything(scene: Scene) -> Iterator[Item]:
    """Below the player: frames, slices, rate and cloud. Where the recording cannot be read, the player's place says
    so, and nothing is shown here."""
    try:
        events = recording_of(scene.now)
    except ValueError:
        return
    yield from frames(scene.now)
    yield from slicing.choose(scene)
    yield from slices(scene, events)
    yield Row(rate(scene, events), cloud(events))


def frames(run: Run) -> Iterator[Item]:
    """What the network is shown."""
    from spikeviz.figures.events import Frames

    counts, steps = run.shown.pixels.numpy(), len(run.recording.logits_per_step)
    in_turn = getattr(run.model, "frames_are_steps", True)
    steps = steps if in_turn else len(counts)
    when = "one a time step" if in_turn else "all of them as channels at every time step"
    seen = Frames("Frames as the network sees them", counts[:steps], [f"frame {k}" for k in range(1, steps + 1)])
    left = "" if steps == len(counts) else f" At T = {steps} the last {len(counts) - steps} are not shown to it."
    side, events = data_of(run.card).size, int(counts.sum())
    yield Figure(
        seen,
        f"{len(counts)} frames of equal time on {side} x {side} pixels, {when}, hold {events:,} events; the network "
        f"gets their counts, not their times within a frame.{left} {COLOURS}",
        term="frame",
        html=partial(_strip, seen),
    )


def slices(scene: Scene, events: EventRecording) -> Iterator[Item]:
    """The recording, cut: each slice as a picture."""
    from spikeviz.figures.events import Frames

    cut, size = slicing.chosen(scene.state)
    count = slicing.how_many(events, cut, size)
    if count > slicing.COUNTED:
        yield Note(
            f"These would be {count:,} slices, more than the {slicing.COUNTED:,} that are counted here: make them "
            "longer.",
            "info",
        )
        return
    small, k = coarse(events)
    pictures, edges = slicing.sliced(small, cut, size)
    titles, which = slicing.times(edges), np.unique(np.linspace(0, count - 1, min(count, DRAWN)).astype(int))
    drawn = Frames("Slices", pictures[which], [titles[i] for i in which])
    part = "" if count <= DRAWN else f", of which {len(which)} are drawn, evenly spread"
    each = pictures.sum((1, 2, 3), dtype=np.int64)
    each, rest = slicing.whole_slices(each, edges, cut, size)
    yield Figure(
        drawn,
        f"{plural(count, 'slice')}{part}; a slice holds {each.min():,} to {each.max():,} events{rest}{_coarser(k)}. "
        "What to notice: slices of equal time differ in events, slices of equal count in length: short where much "
        f"moves. {COLOURS}",
        term="slice",
        html=partial(_strip, drawn, k),
    )


def rate(scene: Scene, events: EventRecording) -> Iterator[Item]:
    """Events per second in windows as long as a slice, of both settings."""
    import pandas as pd

    from spikeviz.figures.chart import Chart, Line
    from spikeviz.figures.theme import QUIET

    cut, size = slicing.chosen(scene.state)
    length, lines = slicing.window(events, cut, size), list[Line]()
    now = windows(events, length)
    sources = [("B", events)]
    if scene.compared and sees_events(scene.compared.card):
        try:
            sources.insert(0, ("A", recording_of(scene.compared)))
        except ValueError as error:
            yield Note(f"A: {error}", "warning")
    tables = []
    for name, source in sources:
        each = max(length, source.duration // (10 * slicing.COUNTED))  # A may be far longer
        table = windows(source, each)
        middle, points = (table["from (ms)"] + table["to (ms)"]) / 2, len(table) <= 60
        tables.append(table.assign(setting=name))
        if name == "A":
            lines.append(Line(middle, table[RATE], name, QUIET, points=points, dash=True))
        else:
            lines.append(Line(middle, table[RATE], name if len(sources) > 1 else "", points=points))
    rates = now[RATE]
    most, least = now.loc[rates.idxmax()], now.loc[rates.idxmin()]
    last = float(now["to (ms)"].iloc[-1] - now["from (ms)"].iloc[-1])
    odd = "" if abs(last - length / 1000) < 0.001 else f", the last of {last:,.4g} ms, where the recording ends"
    why = "mean length of a slice" if cut == "count" else "length of a slice"
    yield Figure(
        Chart(
            "Event rate",
            "time (ms)",
            RATE,
            lines,
            y_range=(0, max(float(rates.max()) * 1.1, 1.0)),
            numbers=pd.concat(tables) if len(tables) > 1 else now,
        ),
        f"Windows of {length / 1000:,.4g} ms, the {why}{odd}. What to notice: a pixel sends events only while its "
        f"brightness changes, so the rate follows the motion: most from {_span(most)} ({most[RATE]:,.0f} a second), "
        f"least from {_span(least)} ({least[RATE]:,.0f}).",
        alt=f"Events per second in {plural(len(now), 'window')} of {length / 1000:,.4g} ms: {rates.min():,.0f} to "
        f"{rates.max():,.0f}",
        term="event rate",
    )


def windows(events: EventRecording, length: int) -> pd.DataFrame:
    """Of windows of so many microseconds: from, to (ms), events, events per second; the last ends with the
    recording."""
    import pandas as pd

    edges = events.windows(length)
    counts = events.counts(edges)
    rates = counts / (np.diff(edges) / 1e6)
    return pd.DataFrame({"from (ms)": edges[:-1] / 1000, "to (ms)": edges[1:] / 1000, "events": counts, RATE: rates})


def _span(window: pd.Series) -> str:
    """When a window is: `280 to 300.2 ms`."""
    return f"{window['from (ms)']:,.4g} to {window['to (ms)']:,.4g} ms"


def cloud(events: EventRecording) -> Iterator[Item]:
    """The events as points in column, row and time."""
    from spikeviz.figures.events import Cloud
    from spikeviz.figures.render_html import data_uri

    which = player_data.thinned(events, player_data.POINTS)
    t, x, y, p = ((events.t - events.t[0])[which] / 1000, events.x[which], events.y[which], events.p[which])
    points = Cloud("Events in x, y and t", t, x, y, p, events.height, events.width)
    part = "All" if len(which) == len(events) else f"{len(which):,}, evenly thinned, of"
    notice = (
        f"{part} {len(events):,} events. What to notice: a moving edge draws a surface, noise gives isolated points; "
        "seen along the time axis, the events make a picture."
    )
    alt = f"{len(which):,} events as points in time, column and row, {p.mean():.0%} of them ON"

    def still() -> str:
        return f'<img src="{data_uri(points.pixels())}" alt="{alt}" style="width:100%;border-radius:3px">'

    yield Component("event_cloud", points, Figure(points, notice, alt=alt, term="event"), still)


def _coarser(k: int) -> str:
    return f"; a pixel of the small pictures is {k} x {k} pixels of the sensor" if k > 1 else ""


def _strip(drawn: Frames, k: int = 1) -> str:
    """Frames as pictures with their event counts, a row of eight."""
    from spikeviz.figures.render_html import strip, tile

    tiles = []
    for pixels, title, count in zip(drawn.pixels(), drawn.titles, drawn.events, strict=True):
        note = plural(count, "event")
        height, width = pixels.shape[:2]
        alt = f"{drawn.title}, {title}: {note} on {width * k} x {height * k} pixels, ON orange, OFF blue"
        tiles.append(tile(_square(pixels), title, note, alt))
    return strip(tiles, STILLS, largest=130)


def _square(pixels: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """A picture in the middle of a black square."""
    high, wide = (max(pixels.shape[:2]) - side for side in pixels.shape[:2])
    return np.pad(pixels, ((high // 2, high - high // 2), (wide // 2, wide - wide // 2), (0, 0)))
