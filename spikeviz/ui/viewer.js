// The spike viewer. Draws bit-packed spikes on one canvas; layer, step, channel and side change without the server.
// Payload: a 32-bit header length, the header (JSON), then the bytes that the header's offsets point into.
const VIEWERS = new WeakMap();
const GAP = 8, LABEL = 34, MEAN = -1, ALL = -2;

export default function ({ data, parentElement, setStateValue }) {
  let viewer = VIEWERS.get(parentElement);
  if (!viewer) VIEWERS.set(parentElement, (viewer = new Viewer(parentElement)));
  viewer.send = (view) => setStateValue("view", view);
  viewer.take(data);
  return () => viewer.close();
}

class Viewer {
  constructor(root) {
    const find = (name) => root.querySelector(`[data-part="${name}"]`);
    this.part = Object.fromEntries(
      ["layer", "channel", "sides", "play", "step", "when", "where", "legend", "canvas"].map((n) => [n, find(n)]));
    this.seq = 0; this.view = null; this.cursor = null; this.timer = null; this.waiting = null;
    this.layer = ""; this.tiles = []; this.cache = new Map();
    const { layer, channel, play, step, canvas } = this.part;
    layer.onchange = () => this.change({ layer: layer.value, neuron: null });
    channel.onchange = () => this.change({ channel: Number(channel.value) });
    step.oninput = () => this.change({ step: Number(step.value) }, 600);  // the last place is the mean
    play.onclick = () => this.playing ? this.stop() : this.start();
    canvas.onpointermove = (e) => this.point(this.at(e.offsetX, e.offsetY));
    canvas.onpointerleave = () => this.point(null);
    canvas.onclick = (e) => this.pick(this.at(e.offsetX, e.offsetY));
    canvas.onkeydown = (e) => this.press(e);
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(root.querySelector(".sv-viewer"));
    canvas.ontransitionend = () => this.draw();  // light became dark, or dark light
  }

  close() { this.stop(false); clearTimeout(this.waiting); this.watch.disconnect(); }

  // ---- what comes from the server and goes to it

  take(payload) {
    if (!payload || !payload.byteLength) return;
    const bytes = new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
    const length = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
    this.head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    this.body = bytes.subarray(4 + length);
    this.cache.clear();
    if (!this.view || (this.head.seq >= this.seq && !this.playing)) {
      this.view = { ...this.head.view };
      this.seq = this.head.seq;
    }
    this.fit(); this.fill(); this.draw();
    if (!this.part.where.textContent) this.point(null);
  }

  fit() {  // what the new films do not have falls back
    const view = this.view, names = Object.keys(this.head.sides[0].layers);
    if (!names.includes(view.layer)) view.layer = names[0];
    if (this.head.sides.length < 2) view.side = "B";
    const [steps, channels] = this.shape();
    if (view.step > steps) view.step = 0;
    if (view.channel >= channels) view.channel = MEAN;
  }

  fill() {  // the controls say what the view is
    const { layer, channel, sides, step } = this.part, [steps, channels] = this.shape();
    const names = Object.keys(this.head.sides[0].layers);
    if (layer.dataset.names !== names.join()) {
      layer.replaceChildren(...names.map((n) => new Option(n, n)));
      layer.dataset.names = names.join();
    }
    if (channel.options.length !== channels + 2) {
      const each = Array.from({ length: channels }, (_, c) => new Option(`channel ${c}`, c));
      channel.replaceChildren(new Option("mean over channels", MEAN), new Option("all channels", ALL), ...each);
    }
    layer.value = this.view.layer; channel.value = this.view.channel;
    step.min = 1; step.max = steps + 1; step.value = this.step;
    sides.hidden = this.head.sides.length < 2;
    sides.replaceChildren(...["A", "B", "A−B"].map((name) => {
      const button = document.createElement("button");
      button.textContent = name;
      button.setAttribute("aria-pressed", String(this.view.side === name));
      button.title = name === "A−B" ? "The difference" : (this.head.sides.find((s) => s.name === name) || {}).said || "";
      button.onclick = () => this.change({ side: name });
      return button;
    }));
  }

  change(what, wait = 0) {
    const layer = this.view.layer;
    Object.assign(this.view, what);
    this.seq += 1;
    if (this.view.layer !== layer) this.cursor = null;
    this.fit(); this.fill(); this.draw();
    if (!this.playing) this.report(wait);
  }

  report(wait) {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.send({ ...this.view, seq: this.seq }), wait);
  }

  start() {
    this.playing = true;
    this.timer = setInterval(() => this.change({ step: (this.view.step % this.shape()[0]) + 1 }), 450);
    this.part.play.textContent = "❚❚"; this.part.play.setAttribute("aria-label", "Pause");
  }

  stop(tell = true) {
    clearInterval(this.timer);
    if (this.playing && tell) this.report(0);
    this.playing = false;
    this.part.play.textContent = "▶"; this.part.play.setAttribute("aria-label", "Play the time steps");
  }

  // ---- numbers

  get step() { return this.view.step || this.shape()[0] + 1; }  // 1 ... S, and S + 1 for the mean, which is 0 in a view

  side(name) { return this.head.sides.find((s) => s.name === name) || this.head.sides[0]; }

  shape() {  // of the layer: the steps of the longer side
    const all = this.head.sides.map((s) => s.layers[this.view.layer]).filter(Boolean).map((l) => l.shape);
    return [Math.max(...all.map((s) => s[0])), ...all[0].slice(1)];
  }

  spikes(name) {  // 0 or 1 for each step, channel, row and column of the layer
    return this.keep(`spikes ${name}`, () => {
      const layer = this.side(name).layers[this.view.layer];
      if (!layer) return null;
      const count = layer.shape.reduce((a, b) => a * b), values = new Uint8Array(count);
      for (let i = 0; i < count; i++) values[i] = (this.body[layer.at + (i >> 3)] >> (i & 7)) & 1;
      return { shape: layer.shape, values };
    });
  }

  keep(key, make) {
    key = `${this.view.layer} ${key}`;
    if (!this.cache.has(key)) this.cache.set(key, make());
    return this.cache.get(key);
  }

  rates(name, step) {  // [C, H, W] at a step, or the mean over the steps; null where that side has no such step
    if (name === "A−B") {
      const a = this.rates("A", step), b = this.rates("B", step);
      return a && b && a.length === b.length ? a.map((v, i) => v - b[i]) : null;
    }
    return this.keep(`rates ${name} ${step}`, () => {
      const film = this.spikes(name);
      if (!film) return null;
      const [steps] = film.shape, size = film.values.length / steps, longest = this.shape()[0];
      if (step <= longest) return step <= steps ? Float32Array.from(film.values.subarray((step - 1) * size, step * size)) : null;
      const mean = new Float32Array(size);
      for (let i = 0; i < film.values.length; i++) mean[i % size] += film.values[i] / steps;
      return mean;
    });
  }

  map(step) {  // what one picture shows: {values, height, width}; gaps of the sheet of all channels are NaN
    const rates = this.rates(this.view.side, step), [, channels, height, width] = this.shape();
    if (!rates) return null;
    const size = height * width, chosen = this.view.channel;
    if (chosen >= 0) return { values: rates.subarray(chosen * size, (chosen + 1) * size), height, width };
    if (chosen === MEAN) {
      const values = new Float32Array(size);
      rates.forEach((v, i) => (values[i % size] += v / channels));
      return { values, height, width };
    }
    const columns = Math.ceil(Math.sqrt(channels)), rows = Math.ceil(channels / columns);
    const sheet = { columns, height: rows * (height + 1) - 1, width: columns * (width + 1) - 1 };
    sheet.values = new Float32Array(sheet.height * sheet.width).fill(NaN);
    for (let c = 0; c < channels; c++) for (let r = 0; r < height; r++) {
      const to = (Math.floor(c / columns) * (height + 1) + r) * sheet.width + (c % columns) * (width + 1);
      sheet.values.set(rates.subarray(c * size + r * width, c * size + (r + 1) * width), to);
    }
    return sheet;
  }

  // ---- pictures

  image(step) {  // a map as a small canvas of one pixel a neuron
    return this.keep(`image ${this.view.side} ${this.view.channel} ${step}`, () => {
      const map = this.map(step);
      if (!map) return null;
      const picture = canvas(map.width, map.height), pixels = new ImageData(map.width, map.height);
      const signed = this.view.side === "A−B", at = this.head.colours[signed ? "difference" : "rate"];
      let sum = 0, count = 0;
      map.values.forEach((v, i) => {
        if (Number.isNaN(v)) return;
        sum += v; count += 1;
        const root = Math.sqrt(Math.min(Math.abs(v), 1)), share = signed ? (Math.sign(v) * root + 1) / 2 : root;
        const from = at + 3 * Math.round(share * 255);
        pixels.data.set([this.body[from], this.body[from + 1], this.body[from + 2], 255], 4 * i);
      });
      picture.getContext("2d").putImageData(pixels, 0, 0);
      return { picture, map, mean: sum / count };
    });
  }

  input() {  // that of the side; beside A−B that of B
    const image = this.side(this.view.side === "A" ? "A" : "B").image;
    const [channels, height, width] = image.shape, size = height * width;
    const picture = canvas(width, height), pixels = new ImageData(width, height);
    for (let i = 0; i < size; i++) {
      const level = (c) => this.body[image.at + Math.min(c, channels - 1) * size + i];
      pixels.data.set([level(0), level(1), level(2), 255], 4 * i);
    }
    picture.getContext("2d").putImageData(pixels, 0, 0);
    return picture;
  }

  when(step) {
    const [steps] = this.shape(), side = this.view.side;
    const depths = (side === "A−B" ? this.head.sides : [this.side(side)]).map((s) => s.depth), depth = depths[0];
    if (step > steps) return "mean over t";
    if (depths.some((d) => d !== depth)) return `step ${step}`;
    return depth > 1 ? `t = ${Math.ceil(step / depth)}, d = ${((step - 1) % depth) + 1}` : `t = ${step}`;
  }

  layout(width, count) {  // the large picture and the small ones beside it, or below it where there is little room
    const beside = width >= 560, big = beside ? Math.min(320, width * 0.42) : Math.min(width, 300);
    const left = beside ? big + 2 * GAP : 0, top = beside ? 0 : big + LABEL + GAP, room = width - left;
    let size = 54;
    for (let columns = 1; columns <= count; columns++) {
      const each = Math.min(148, (room - GAP * (columns - 1)) / columns), rows = Math.ceil(count / columns);
      if (rows * (each + LABEL) <= big + LABEL + 2 && each > size) size = each;
    }
    const columns = Math.max(1, Math.floor((room + GAP) / (size + GAP)));
    const small = Array.from({ length: count }, (_, i) => ({
      x: left + (i % columns) * (size + GAP), y: top + Math.floor(i / columns) * (size + LABEL), size }));
    const last = small[count - 1];
    return { big, small, height: Math.max(beside ? big + LABEL : 0, last.y + size + LABEL) };
  }

  draw() {
    const { canvas: screen, when } = this.part, width = screen.parentElement.clientWidth;
    if (!this.head || width < 50) return;
    const [steps] = this.shape(), plan = this.layout(width, steps + 2), ratio = devicePixelRatio || 1;
    if (screen.width !== Math.round(width * ratio) || screen.height !== Math.round(plan.height * ratio)) {
      screen.width = Math.round(width * ratio); screen.height = Math.round(plan.height * ratio);
      screen.style.height = `${plan.height}px`;
    }
    const pen = screen.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, plan.height);
    pen.imageSmoothingEnabled = false;
    const style = getComputedStyle(screen);
    this.ink = style.color; this.font = style.fontFamily;
    this.tiles = [{ x: 0, y: 0, size: plan.big, step: this.step, big: true }];
    plan.small.forEach((place, i) => this.tiles.push({ ...place, step: i }));
    for (const tile of this.tiles) this.tile(pen, tile);
    this.mark(pen);
    when.textContent = this.when(this.step) + (this.step <= steps ? ` of ${steps}` : "");
    this.legend();
    this.describe();
    screen.dataset.drawn = `${this.view.layer} ${this.step} ${this.view.channel} ${this.view.side} ${this.head.said}`;
    screen.dispatchEvent(new Event("drawn", { bubbles: true }));
  }

  tile(pen, tile) {
    const { x, y, size, step, big } = tile, first = !big && step === 0;
    const shown = first ? null : this.image(step);
    pen.fillStyle = "rgba(136,148,160,0.16)";
    pen.fillRect(x, y, size, size);
    if (first) pen.drawImage(this.input(), x, y, size, size);
    else if (shown) {
      const scale = size / Math.max(shown.map.width, shown.map.height);
      tile.scale = scale; tile.map = shown.map;
      pen.drawImage(shown.picture, x, y, shown.map.width * scale, shown.map.height * scale);
    }
    if (!big && step === this.step) {
      pen.strokeStyle = this.head.accent; pen.lineWidth = 2;
      pen.strokeRect(x + 1, y + 1, size - 2, size - 2);
    }
    pen.fillStyle = this.ink;
    const title = first ? (this.head.sides.length < 2 ? "input" : `input of ${this.view.side === "A" ? "A" : "B"}`) : this.when(step), note = first ? "" : shown ? shown.mean.toFixed(3) : "no such step";
    pen.font = `600 ${big ? 13 : 11.5}px ${this.font}`; pen.fillText(title, x, y + size + 13, size);
    pen.font = `${big ? 13 : 11.5}px ${this.font}`;
    pen.fillText(big ? `${this.view.side === "B" && this.head.sides.length < 2 ? "" : this.view.side + " · "}mean ${note}` : note,
      x, y + size + 26, size);
  }

  mark(pen) {  // frames around the chosen neuron and the one under the cursor
    const frame = (neuron, colour) => {
      const tile = this.tiles[0], place = neuron && this.place(tile, neuron);
      if (!place) return;
      pen.strokeStyle = colour; pen.lineWidth = 2;
      pen.strokeRect(tile.x + place[1] * tile.scale, tile.y + place[0] * tile.scale, tile.scale, tile.scale);
    };
    frame(this.view.neuron, this.head.spike);
    frame(this.cursor, this.ink);
  }

  place(tile, [c, r, k]) {  // row and column of a neuron in a picture
    if (!tile.map || (this.view.channel >= 0 && this.view.channel !== c)) return null;
    const [, , height, width] = this.shape(), columns = tile.map.columns;
    return columns ? [Math.floor(c / columns) * (height + 1) + r, (c % columns) * (width + 1) + k] : [r, k];
  }

  legend() {
    const signed = this.view.side === "A−B", at = this.head.colours[signed ? "difference" : "rate"];
    const stops = Array.from({ length: 18 }, (_, i) => `rgb(${this.body.subarray(at + 45 * i, at + 45 * i + 3).join()})`);
    const ticks = signed ? ["−1", "−0.25", "0", "0.25", "1"] : ["0", "0.06", "0.25", "0.56", "1"];
    const [scale, words] = this.part.legend.children, [bar, marks] = scale.children, [, channels] = this.shape();
    bar.style.background = `linear-gradient(90deg,${stops.join()})`;
    marks.replaceChildren(...ticks.map((t) => Object.assign(document.createElement("span"), { textContent: t })));
    const what = this.view.channel === MEAN ? `share of the ${channels} channels that fire at a place`
      : "spikes: 1 fires, 0 does not; over t, the share of steps";
    words.textContent = `${signed ? "difference of the " : ""}${what}; fixed range, square-root scale`;
  }

  describe() {
    const shown = this.image(this.step), chosen = this.part.channel.selectedOptions[0];
    this.part.canvas.setAttribute("aria-label", `Spike map of ${this.view.layer}, ${this.when(this.step)}, ` +
      `${chosen ? chosen.textContent : ""}, ${this.view.side}: mean ${shown ? shown.mean.toFixed(3) : "none"}`);
  }

  // ---- pointer and keys

  at(x, y) {  // the tile, and in it channel (null in a mean), row and column
    const tile = this.tiles.find((t) => x >= t.x && x < t.x + t.size && y >= t.y && y < t.y + t.size);
    if (!tile || !tile.map) return tile ? { tile } : null;
    let row = Math.floor((y - tile.y) / tile.scale), column = Math.floor((x - tile.x) / tile.scale);
    if (row >= tile.map.height || column >= tile.map.width) return { tile };
    const value = tile.map.values[row * tile.map.width + column];
    if (Number.isNaN(value)) return { tile };
    let channel = this.view.channel >= 0 ? this.view.channel : null;
    if (tile.map.columns) {
      const [, , height, width] = this.shape();
      channel = Math.floor(row / (height + 1)) * tile.map.columns + Math.floor(column / (width + 1));
      row %= height + 1; column %= width + 1;
    }
    return { tile, channel, row, column, value };
  }

  point(spot) {
    this.part.where.textContent = !spot ? this.head.hint : !spot.tile.map ? "the input, as the network gets it"
      : spot.row === undefined ? " "
      : `${this.when(spot.tile.step)} · ${spot.channel === null ? "" : `channel ${spot.channel}, `}row ${spot.row}, ` +
        `column ${spot.column}: ${spot.value.toFixed(3)}`;
  }

  pick(spot) {
    if (!spot) return;
    if (!spot.tile.big) { if (spot.tile.step >= 1) this.change({ step: spot.tile.step }); return; }
    if (spot.row === undefined) return;
    const channel = spot.channel === null ? this.telling(spot.row, spot.column) : spot.channel;
    this.cursor = null;
    this.change({ neuron: [channel, spot.row, spot.column] });
  }

  telling(row, column) {  // of a place: the channel that fires most often, but not always
    const film = this.spikes(this.view.side === "A" ? "A" : "B"), [steps, channels, height, width] = film.shape;
    const fired = Array(channels).fill(0);
    for (let t = 0; t < steps; t++) for (let c = 0; c < channels; c++)
      fired[c] += film.values[((t * channels + c) * height + row) * width + column];
    const score = fired.map((n) => (n < steps || steps === 1 ? n : 0.5));
    return score.indexOf(Math.max(...score));
  }

  press(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const [, , height, width] = this.shape();
    const from = this.cursor || this.view.neuron || [Math.max(this.view.channel, 0), height >> 1, width >> 1];
    if (step) {
      const inside = (v, n) => Math.min(Math.max(v, 0), n - 1);
      this.cursor = [from[0], inside(from[1] + step[0], height), inside(from[2] + step[1], width)];
      const place = this.tiles[0].map && this.place(this.tiles[0], this.cursor), tile = this.tiles[0];
      if (place) this.point(this.at(tile.x + (place[1] + 0.5) * tile.scale, tile.y + (place[0] + 0.5) * tile.scale));
      this.draw();
    } else if (event.key === "Enter" && this.cursor) {
      const [, row, column] = this.cursor, meaned = this.view.channel === MEAN;
      this.change({ neuron: [meaned ? this.telling(row, column) : this.cursor[0], row, column] });
    } else if (event.key === " ") this.part.play.click();
    else return;
    event.preventDefault();
  }
}

function canvas(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}
