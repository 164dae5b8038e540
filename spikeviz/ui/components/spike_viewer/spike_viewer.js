// The spike viewer. Draws bit-packed spikes on one canvas; layer, step, channel and side change without the server.
// The body of the payload holds colour tables, inputs and spikes, at the offsets that the header says.
const MEAN = -1, ALL = -2;
const PACE = 450, PATIENCE = 600;  // ms a step is played; ms after the last move of a slider

function mean(values, size) {  // of the parts of that size that lie one behind the other
  const sum = new Float32Array(size), share = size / values.length;
  for (let from = 0; from < values.length; from += size) for (let i = 0; i < size; i++) sum[i] += values[from + i] * share;
  return sum;
}

class SpikeViewer extends Playable {
  constructor(root) {
    super(root, ["layer", "layerA", "channel", "sides", "why", "network", "step", "when", "where", "legend"]);
    this.cursor = null; this.tiles = [];
    const { layer, layerA, channel, step, canvas } = this.part;
    layer.onchange = () => this.choose(layer.value, "B");
    layerA.onchange = () => this.choose(layerA.value, "A");
    channel.onchange = () => this.change({ channel: Number(channel.value) });
    step.oninput = () => this.change({ step: Number(step.value) }, PATIENCE);  // the last place is the mean
    canvas.onpointermove = (e) => this.point(this.at(e.offsetX, e.offsetY));
    canvas.onpointerleave = () => this.point(null);
    canvas.onclick = (e) => this.pick(this.at(e.offsetX, e.offsetY));
    canvas.onkeydown = (e) => this.press(e);
  }

  take(payload) {
    const sent = unpack(payload);
    if (!sent) return;
    Object.assign(this, sent);
    this.show();
    if (!this.part.where.textContent) this.point(null);
  }

  fit() {  // what the new spikes do not have falls back
    const view = this.view, names = Object.keys(this.side("B").layers);
    if (!names.includes(view.layer)) view.layer = names[0];
    if (this.head.sides.length < 2 || (view.side === "A−B" && this.apart())) view.side = "B";
    const [steps, channels] = this.shape();
    if (view.step > steps) view.step = 0;
    if (view.channel >= channels) view.channel = MEAN;
  }

  fill() {  // the controls say what the view is
    const { layer, layerA, channel, sides, why, step } = this.part, [steps, channels] = this.shape();
    const a = this.head.sides.length > 1 && this.side("A"), own = a && !(this.view.layer in a.layers);
    const list = (place, { layers, names }) =>
      options(place, Object.keys(layers), Object.keys(layers).map((name) => names[name]), (name) => name);
    list(layer, this.side("B"));
    layerA.parentElement.hidden = !own;
    layer.parentElement.firstChild.textContent = own ? "Layer of B " : "Layer ";
    if (own) { list(layerA, a); layerA.value = layerA.title = this.layer("A"); }
    this.network();
    const each = Array.from({ length: channels }, (_, c) => c);
    options(channel, [MEAN, ALL, ...each], ["mean over channels", "all channels", ...each.map((c) => `channel ${c}`)]);
    layer.value = layer.title = this.view.layer; channel.value = this.view.channel;
    step.min = 1; step.max = steps + 1; step.value = this.step;
    sides.hidden = this.head.sides.length < 2;
    const words = (name) => (this.head.sides.find((s) => s.name === name) || {}).status_text;
    const apart = a ? this.apart() : "";
    why.textContent = apart;
    choices(sides, [["A", "A", words("A")], ["B", "B", words("B")], ["A−B", "A−B", apart || "The difference", apart]],
      this.view.side, (side) => this.change({ side }));
  }

  network() {  // of the side that is shown: of A what B has as well, unless A has a layer of its own
    const side = this.side(this.shown), b = this.side("B"), joint = this.layer(this.shown) === this.view.layer;
    const lacks = (layer) => joint && !(layer in b.layers) ? "B has no such layer" : "";
    const how = { chosen: this.layer(this.shown), names: side.names, marks: side.marks, lacks };
    drawNetwork(this.part.network, side.groups, { ...how, take: (layer) => this.choose(layer, joint ? "B" : "A") });
  }

  choose(layer, side) {  // a layer of a side: where A has that of B it goes along
    this.change(side === "A" ? { layerA: layer, neuronA: null } : { layer, neuron: null, neuronA: null });
  }

  change(what, wait) {
    if ("layer" in what || "layerA" in what || "side" in what) this.cursor = null;
    super.change(what, wait);
  }

  run() {
    const timer = setInterval(() => this.change({ step: (this.view.step % this.shape()[0]) + 1 }), PACE);
    return () => clearInterval(timer);
  }

  rest() { this.tell(0); }

  // ---- numbers

  get step() { return this.view.step || this.shape()[0] + 1; }  // 1 ... S, and S + 1 for the mean, which is 0 in a view

  side(name) { return this.head.sides.find((s) => s.name === name) || this.head.sides[0]; }

  layer(name) {  // that a side shows: A has its own where its network lacks that of B
    const { layer, layerA } = this.view, side = this.side(name);
    return layer in side.layers ? layer : layerA in side.layers ? layerA : side.instead[layer];
  }

  apart() {  // why there is no A−B; "" where there is
    const [a, b] = this.head.sides.map((s) => s.layers[this.layer(s.name)].shape.slice(1).join(" x "));
    return a === b ? "" : `A−B needs layers of one shape: A has ${a}, B ${b}`;
  }

  get shown() { return this.view.side === "A" ? "A" : "B"; }  // whose neurons and input are shown; of A−B those of B

  get neuron() { return this.shown === "A" && !this.joint() ? "neuronA" : "neuron"; }  // where its neuron is in the view

  joint() { return this.head.sides.every((s) => s.checkpoint === this.head.sides[0].checkpoint); }  // one network

  shape() {  // of the layer that is shown: the steps of the longer side
    const all = this.head.sides.map((s) => s.layers[this.layer(s.name)].shape);
    return [Math.max(...all.map((s) => s[0])), ...this.side(this.shown).layers[this.layer(this.shown)].shape.slice(1)];
  }

  spikes(name) {  // 0 or 1 for each step, channel, row and column of the layer
    return this.keep(`${this.layer(name)} spikes ${name}`, () => {
      const layer = this.side(name).layers[this.layer(name)];
      const count = layer.shape.reduce((a, b) => a * b), values = new Uint8Array(count);
      for (let i = 0; i < count; i++) values[i] = (this.body[layer.at + (i >> 3)] >> (i & 7)) & 1;
      return { shape: layer.shape, values };
    });
  }

  rates(name, step) {  // [C, H, W] at a step, or the mean over the steps; null where that side has no such step
    if (name === "A−B") {
      const a = this.rates("A", step), b = this.rates("B", step);
      return a && b && a.length === b.length ? a.map((v, i) => v - b[i]) : null;
    }
    return this.keep(`${this.layer(name)} rates ${name} ${step} ${this.shape()[0]}`, () => {
      const packed = this.spikes(name), [steps] = packed.shape, size = packed.values.length / steps, longest = this.shape()[0];
      if (step > steps && step <= longest) return null;
      if (step <= longest) return Float32Array.from(packed.values.subarray((step - 1) * size, step * size));
      return mean(packed.values, size);
    });
  }

  map(step) {  // what one picture shows: {values, height, width}; gaps of the sheet of all channels are NaN
    const rates = this.rates(this.view.side, step), [, channels, height, width] = this.shape();
    if (!rates) return null;
    const size = height * width, chosen = this.view.channel;
    if (chosen >= 0) return { values: rates.subarray(chosen * size, (chosen + 1) * size), height, width };
    if (chosen === MEAN) return { values: mean(rates, size), height, width };
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
    const { side, channel } = this.view, layers = this.head.sides.map((s) => this.layer(s.name));
    return this.keep(`${layers} image ${side} ${channel} ${step}`, () => {
      const map = this.map(step);
      if (!map) return null;
      let sum = 0, count = 0;
      const signed = side === "A−B", at = this.colours();
      const picture = painted(map.width, map.height, (pixels) => map.values.forEach((v, i) => {
        if (Number.isNaN(v)) return;
        sum += v; count += 1;
        const root = Math.sqrt(Math.min(Math.abs(v), 1)), share = signed ? (Math.sign(v) * root + 1) / 2 : root;
        const from = at + 3 * Math.round(share * 255);
        for (let c = 0; c < 3; c++) pixels[4 * i + c] = this.body[from + c];
        pixels[4 * i + 3] = 255;
      }));
      return { picture, map, mean: sum / count };
    });
  }

  colours() { return this.head.colours[this.view.side === "A−B" ? "difference" : "rate"]; }  // where their table is

  input() {  // that of the side; beside A−B that of B
    const image = this.side(this.shown).image;
    const [channels, height, width] = image.shape, size = height * width;
    return painted(width, height, (pixels) => {
      for (let i = 0; i < size; i++) {
        for (let c = 0; c < 3; c++) pixels[4 * i + c] = this.body[image.at + Math.min(c, channels - 1) * size + i];
        pixels[4 * i + 3] = 255;
      }
    });
  }

  mean() {  // what the mean over all steps is a mean over, of both sides where it is the same
    const side = this.view.side, sides = side === "A−B" ? this.head.sides : [this.side(side)];
    return sides.every((s) => s.mean === sides[0].mean) ? sides[0].mean || "the only step" : "means over all steps";
  }

  when(step) {
    const [steps] = this.shape(), side = this.view.side;
    const depths = (side === "A−B" ? this.head.sides : [this.side(side)]).map((s) => s.depth), depth = depths[0];
    if (step > steps) return this.mean();
    if (depths.some((d) => d !== depth)) return `step ${step}`;
    return depth > 1 ? `t = ${Math.ceil(step / depth)}, d = ${((step - 1) % depth) + 1}` : `t = ${step}`;
  }

  draw() {
    const { canvas: screen, when } = this.part, width = screen.parentElement.clientWidth;
    if (!this.head || width < 50) return;
    const [steps] = this.shape(), plan = layout(width, steps + 2), pen = this.pen(width, plan.height);
    const style = getComputedStyle(screen);
    this.ink = style.color; this.font = style.fontFamily;
    this.tiles = [{ x: 0, y: 0, size: plan.big, step: this.step, big: true }];
    plan.small.forEach((place, i) => this.tiles.push({ ...place, step: i }));
    for (const tile of this.tiles) this.tile(pen, tile);
    this.mark(pen);
    when.textContent = this.when(this.step) + (this.step <= steps ? ` of ${steps}` : "");
    this.legend();
    this.drawn(`${this.layer(this.shown)} ${this.step} ${this.view.channel} ${this.view.side} ${this.head.status_text}`,
      this.words());
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
    const alone = this.head.sides.length < 2, side = this.view.side;
    const title = !first ? this.when(step) : alone ? "input" : `input of ${this.shown}`;
    const note = first ? "" : shown ? shown.mean.toFixed(3) : "no such step";
    pen.font = `600 ${big ? 13 : 11.5}px ${this.font}`; pen.fillText(title, x, y + size + 13, size);
    pen.font = `${big ? 13 : 11.5}px ${this.font}`;
    const whose = side === "B" && alone ? "" : `${side} · `;
    pen.fillText(big ? `${whose}mean ${note}` : note, x, y + size + 26, size);
  }

  mark(pen) {  // frames around the chosen neuron and the one under the cursor
    const frame = (neuron, colour) => {
      const tile = this.tiles[0], place = neuron && this.place(tile, neuron);
      if (!place) return;
      pen.strokeStyle = colour; pen.lineWidth = 2;
      pen.strokeRect(tile.x + place[1] * tile.scale, tile.y + place[0] * tile.scale, tile.scale, tile.scale);
    };
    frame(this.view[this.neuron], this.head.spike);
    frame(this.cursor, this.ink);
  }

  place(tile, [c, r, k]) {  // row and column of a neuron in a picture
    if (!tile.map || (this.view.channel >= 0 && this.view.channel !== c)) return null;
    const [, , height, width] = this.shape(), columns = tile.map.columns;
    return columns ? [Math.floor(c / columns) * (height + 1) + r, (c % columns) * (width + 1) + k] : [r, k];
  }

  legend() {
    const signed = this.view.side === "A−B", at = this.colours();
    const colour = (i) => `rgb(${this.body.subarray(at + 3 * i, at + 3 * i + 3).join()})`;
    const stops = Array.from({ length: 18 }, (_, i) => colour(15 * i));
    const ticks = signed ? ["−1", "−0.25", "0", "0.25", "1"] : ["0", "0.06", "0.25", "0.56", "1"];
    const [scale, words] = this.part.legend.children, [bar, marks] = scale.children, [, channels] = this.shape();
    bar.style.background = `linear-gradient(90deg,${stops.join()})`;
    marks.replaceChildren(...ticks.map((t) => Object.assign(document.createElement("span"), { textContent: t })));
    const what = this.view.channel === MEAN ? `share of the ${channels} channels that fire at a place`
      : "spikes: 1 fires, 0 does not; in a mean, the share of steps";
    words.textContent = `${signed ? "difference of the " : ""}${what}; fixed range, square-root scale`;
  }

  words() {
    const shown = this.image(this.step), chosen = this.part.channel.selectedOptions[0];
    return `Spike map of ${this.side(this.shown).names[this.layer(this.shown)]}, ${this.when(this.step)}, ${chosen ? chosen.textContent : ""}, ` +
      `${this.view.side}: mean ${shown ? shown.mean.toFixed(3) : "none"}`;
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
    this.change({ [this.neuron]: [channel, spot.row, spot.column] });
  }

  telling(row, column) {  // of a place: the channel that fires most often, but not always
    const packed = this.spikes(this.shown), [steps, channels, height, width] = packed.shape;
    const fired = Array(channels).fill(0);
    for (let t = 0; t < steps; t++) for (let c = 0; c < channels; c++)
      fired[c] += packed.values[((t * channels + c) * height + row) * width + column];
    const score = fired.map((n) => (n < steps || steps === 1 ? n : 0.5));
    return score.indexOf(Math.max(...score));
  }

  press(event) {
    const step = arrow(event), [, , height, width] = this.shape();
    const from = this.cursor || this.view[this.neuron] || [Math.max(this.view.channel, 0), height >> 1, width >> 1];
    if (step) {
      this.cursor = [from[0], clamp(from[1] + step[0], 0, height - 1), clamp(from[2] + step[1], 0, width - 1)];
      const place = this.tiles[0].map && this.place(this.tiles[0], this.cursor), tile = this.tiles[0];
      if (place) this.point(this.at(tile.x + (place[1] + 0.5) * tile.scale, tile.y + (place[0] + 0.5) * tile.scale));
      this.draw();
    } else if (event.key === "Enter" && this.cursor) {
      const [, row, column] = this.cursor, meaned = this.view.channel === MEAN;
      this.change({ [this.neuron]: [meaned ? this.telling(row, column) : this.cursor[0], row, column] });
    } else if (event.key === " ") this.part.play.click();
    else return;
    event.preventDefault();
  }
}

export default mount(SpikeViewer, "view");
