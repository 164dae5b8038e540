"""The figures of a recording of events: played, as frames, cut into slices, as a rate, in x, y and t."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.ui import cards, cuts, inputs, player
from spikeviz.ui.experiment import Networks

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.data.events import EventRecording
    from spikeviz.figures.events import Frames
    from spikeviz.ui.lab import Lab, Run

SIDE = 160  # pixels of a small picture: a larger sensor is drawn coarser
STILLS = 8
DRAWN = 24  # slices
STRIP = "ON orange, OFF blue; one brightness for all."


def sees_events(card: CheckpointCard) -> bool:
    """Whether a network was trained on events."""
    from spikeviz.data.catalog import CATALOG

    return card.data in CATALOG and CATALOG[card.data].kind == "events"


NETWORKS = Networks(sees_events, "sees images and no events", "sdmformer-fashion-dvs")


def behind(run: Run) -> EventRecording:
    """The recording behind the frames of a run; where it cannot be read, a sentence, and the run of the page ends."""
    try:
        return inputs.recording(run.experiment, run.shown, run.card)
    except (ValueError, FileNotFoundError) as error:
        st.error(f"{run.shown.title[0].upper()}{run.shown.title[1:]} cannot be read: {error}")
        st.stop()


def coarse(events: EventRecording) -> tuple[EventRecording, int]:
    """On at most `SIDE` pixels a side, each of k x k pixels of the sensor; and k."""
    from spikeviz.data.events import EventRecording

    k = -(-max(events.height, events.width) // SIDE)
    height, width = -(-events.height // k), -(-events.width // k)
    small = EventRecording(events.t, events.x // k, events.y // k, events.p, height, width) if k > 1 else events
    return small, k


def recording(lab: Lab, events: EventRecording) -> None:
    """The recording, played, beside what the network takes it for and what is known of it."""
    from spikeviz.data.events import by_number
    from spikeviz.figures.events import Frames

    small, k = coarse(events)
    stills = Frames(
        f"Recording · {lab.now.shown.title}", by_number(small, STILLS), cuts.times(cuts.equal(events, STILLS))
    )
    part = (
        ""
        if len(events) <= player.SENT
        else f"The player has {player.SENT:,} of the {len(events):,} events, evenly thinned. "
    )
    picture, words = st.columns([2.9, 1], gap="medium")
    with picture:
        cards.title(stills, lab.page, "event")
        player.player(events, lab.now.shown.title, f"{lab.page}_player")
        with st.container(key="viewer_still"):
            _strip(stills, k)
        notice = "What to notice: what moves draws its edges, ON on one side and OFF on the other; what rests is black."
        st.caption(f"{part}{notice} Exported: {STILLS} slices of equal time.{_coarser(k)}")
    with words:
        from spikeviz.ui import spikes

        for name, run in lab.runs:
            spikes.prediction(run.film, name if lab.held else "")
        _facts(lab.now, events)
    lab.exhibits.append((stills, notice))


def _facts(run: Run, events: EventRecording) -> None:
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
    st.html(table("Recording", ("Recording", ""), rows))
    st.caption(_origin(run, events))


def _origin(run: Run, events: EventRecording) -> str:
    """Who made a recording; of one that was not brought, whose input says so, also what was done to it on its way."""
    from spikeviz.data.catalog import find_data
    from spikeviz.data.event_camera import DEFAULT
    from spikeviz.data.event_sets import NO_CAMERA

    if NO_CAMERA in events.notes:
        return (
            "**Simulated events**: a still picture, moved in front of a model of a camera in three saccades of "
            f"{DEFAULT.saccade_us / 1000:g} ms. Contrast threshold {DEFAULT.contrast:g} (natural log, ± "
            f"{DEFAULT.mismatch:.0%} from pixel to pixel), refractory time {DEFAULT.refractory_us / 1000:g} ms, noise "
            f"{DEFAULT.noise_hz:g} events per pixel and second."
        )
    data = find_data(run.card.data)
    if run.shown.events is not None:
        return "**Recorded events**: the file you brought."
    notes = f" {'; '.join(events.notes)}." if events.notes else ""
    return f"**Recorded events**: {data.title}. {data.licence}.{notes}"


def frames(lab: Lab) -> None:
    """What the network is shown."""
    from spikeviz.data.catalog import find_data
    from spikeviz.figures.events import Frames

    run = lab.now
    counts, steps = run.shown.pixels.numpy(), len(run.recording.logits_per_step)
    seen = Frames("Frames as the network sees them", counts[:steps], [f"frame {k}" for k in range(1, steps + 1)])
    left = "" if steps == len(counts) else f" The last {len(counts) - steps} are not shown to it: T = {steps}."
    side, events = find_data(run.card.data).size, int(counts.sum())
    cards.title(seen, lab.page, "frame")
    _strip(seen, columns=8)
    notice = (
        f"{len(counts)} frames of equal time on {side} x {side} pixels, one a time step, hold {events:,} events; "
        f"the network is told how many there are, not when in a frame they came.{left}"
    )
    st.caption(f"{notice} {STRIP}")
    lab.exhibits.append((seen, notice))


def slices(lab: Lab, events: EventRecording) -> None:
    """The recording, cut: each slice as a picture, and the event rate in windows of a slice."""
    from spikeviz.figures.events import Frames

    cut, size = cuts.chosen()
    count = cuts.how_many(events, cut, size)
    if count > cuts.COUNTED:
        st.info(
            f"These would be {count:,} slices, more than the {cuts.COUNTED:,} that are counted here: make them longer."
        )
        return
    small, k = coarse(events)
    pictures, edges = cuts.sliced(small, cut, size)
    titles, which = cuts.times(edges), np.unique(np.linspace(0, count - 1, min(count, DRAWN)).astype(int))
    drawn = Frames("Slices", pictures[which], [titles[i] for i in which])
    part = "" if count <= DRAWN else f", of which {len(which)} are drawn, evenly spread"
    held = pictures.sum((1, 2, 3), dtype=np.int64)
    notice = f"{count:,} slices{part}; a slice holds {held.min():,} to {held.max():,} events."
    cards.title(drawn, lab.page, "slice")
    _strip(drawn, k, columns=8)
    st.caption(
        f"{notice} What to notice: equal time puts many events into one slice and few into another, an equal count "
        f"lets the length of a slice follow the motion. {STRIP}{_coarser(k)}"
    )
    lab.exhibits.append((drawn, notice))


def rate(lab: Lab, events: EventRecording) -> None:
    """Events per second in windows as long as a slice, of both settings."""
    from spikeviz.figures.chart import Chart, Line
    from spikeviz.figures.theme import QUIET

    cut, size = cuts.chosen()
    length, lines = cuts.window(events, cut, size), []
    sources = [(name, behind(run)) for name, run in lab.runs if sees_events(run.card)]
    for name, source in sources:
        each = max(length, source.duration // (10 * cuts.COUNTED))  # A may be far longer
        values = source.rate(each)
        middle = (np.arange(len(values)) + 0.5) * each / 1000
        held = {"colour": QUIET, "dash": True} if name == "A" else {}
        lines.append(Line(middle, values, name if len(sources) > 1 else "", points=len(values) <= 60, **held))
    now = lines[-1]
    most, least = int(now.y.argmax()), int(now.y.argmin())
    why = "mean length of a slice" if cut == "count" else "length of a slice"
    lab.figure(
        Chart("Event rate", "time (ms)", "events per second", lines, y_range=(0, max(float(now.y.max()) * 1.1, 1.0))),
        f"Windows of {length / 1000:,.4g} ms, the {why}. What to notice: a pixel speaks only when its light changes, "
        f"so the rate follows the motion: most at {now.x[most]:,.0f} ms ({now.y[most]:,.0f} a second), least at "
        f"{now.x[least]:,.0f} ms ({now.y[least]:,.0f}).",
        alt=f"Events per second in {len(now.y)} windows of {length / 1000:,.4g} ms: {now.y.min():,.0f} to "
        f"{now.y.max():,.0f}",
        term="event rate",
    )


def cloud(lab: Lab, events: EventRecording) -> None:
    """The events as points in column, row and time."""
    from spikeviz.figures.events import Cloud
    from spikeviz.figures.render_html import data_uri

    which = player.thinned(events, player.POINTS)
    t, x, y, p = ((events.t - events.t[0])[which] / 1000, events.x[which], events.y[which], events.p[which])
    points = Cloud("Events in x, y and t", t, x, y, p, events.height, events.width)
    part = "All" if len(which) == len(events) else f"{len(which):,}, evenly thinned, of"
    notice = (
        f"{part} {len(events):,} events. What to notice: an edge that moves draws a surface, noise stands alone, and "
        "looked at along the time it is a picture again."
    )
    cards.title(points, lab.page, "event")
    player.cloud(points, f"{lab.page}_cloud")
    with st.container(key="cloud_still"):
        alt = f"{len(which):,} events as points in time, column and row, {p.mean():.0%} of them ON"
        st.html(f'<img src="{data_uri(points.pixels())}" alt="{alt}" style="width:100%;border-radius:3px">')
    st.caption(notice)
    lab.exhibits.append((points, notice))


def _coarser(k: int) -> str:
    return f" In small pictures a pixel is {k} x {k} pixels of the sensor." if k > 1 else ""


def _strip(drawn: Frames, k: int = 1, columns: int = STILLS) -> None:
    """Frames as pictures with their event counts."""
    from spikeviz.figures.render_html import strip, tile

    tiles = []
    for pixels, title, count in zip(drawn.pixels(), drawn.titles, drawn.events, strict=True):
        note = f"{count:,} events" if count != 1 else "1 event"
        height, width = pixels.shape[:2]
        alt = f"{drawn.title}, {title}: {note} on {width * k} x {height * k} pixels, ON orange, OFF blue"
        tiles.append(tile(_square(pixels), title, note, alt))
    st.html(strip(tiles, columns, largest=130))


def _square(pixels: np.ndarray) -> np.ndarray:
    """A picture in the middle of a black square."""
    high, wide = (max(pixels.shape[:2]) - side for side in pixels.shape[:2])
    return np.pad(pixels, ((high // 2, high - high // 2), (wide // 2, wide - wide // 2), (0, 0)))
