// The event player. Draws packed events on one canvas: the picture of a window of time, columns against time, and how
// many events there are; time, window and polarity change without the server.
// The body of the payload holds the arrays t, x, y and p one after the other.
const GAP = 16, AXIS = 18, LABEL = 18, WHOLE = 0;
const SPEEDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10], SECONDS = 4;  // how long a recording plays at first
const PATIENCE = 600;  // ms after the last move of a slider

class EventPlayer extends Playable {
  constructor(root) {
    super(root, ["time", "when", "speed", "window", "length", "sides", "where", "legend"]);
    const { time, window: length, canvas } = this.part;
    time.oninput = () => this.change({ at: Number(time.value) }, PATIENCE);
    length.oninput = () => this.change({ window: this.head.windows[Number(length.value)] }, PATIENCE);
    canvas.onpointerdown = (e) => { if (this.seek(e)) canvas.setPointerCapture(e.pointerId); };
    canvas.onpointermove = (e) => e.buttons ? this.seek(e) : this.point(e.offsetX, e.offsetY);
    canvas.onpointerleave = () => this.point(-1, -1);
    canvas.onkeydown = (e) => this.press(e);
  }

  take(payload) {
    const sent = unpack(payload);
    if (!sent) return;
    Object.assign(this, unpackEvents(sent), { head: sent.head });
    this.show();
    this.point(-1, -1);
  }

  fit() {  // what the new recording does not have falls back
    const view = this.view;
    if (!this.head.windows.includes(view.window)) view.window = WHOLE;
    view.at = clamp(view.at, 0, this.end);
  }

  fill() {  // the controls say what the view is
    const { time, speed, window: length, sides } = this.part, { windows, shows } = this.head;
    time.max = this.end; time.value = Math.round(this.view.at);
    length.max = windows.length - 1; length.value = windows.indexOf(this.view.window);
    options(speed, SPEEDS, SPEEDS.map((s) => `${s} ×`));
    if (speed.dataset.end !== String(this.end)) {  // another recording
      const off = (s) => Math.abs(Math.log(this.end / 1000 / s / SECONDS));
      speed.value = SPEEDS.reduce((best, s) => (off(s) < off(best) ? s : best));
      speed.dataset.end = this.end;
    }
    choices(sides, Object.entries(shows), this.view.show, (show) => this.change({ show }));
  }

  run() {
    let last = performance.now(), frame = null;
    const next = (now) => {
      const at = this.view.at + Math.max(now - last, 0) * Number(this.part.speed.value);
      last = now;
      this.change({ at: at > this.end ? 0 : at });
      frame = requestAnimationFrame(next);
    };
    frame = requestAnimationFrame(next);
    return () => cancelAnimationFrame(frame);
  }

  rest() { this.change({ at: Math.round(this.view.at) }); }

  // ---- numbers

  get end() { return Math.max(Math.ceil(this.head.duration), 1); }  // ms

  first(milliseconds) {  // the number of the first event after that time
    let low = 0, high = this.t.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.t[middle] * this.head.tick <= milliseconds * 1000) low = middle + 1; else high = middle;
    }
    return low;
  }

  shown(i) { return this.view.show === "both" || (this.view.show === "on") === (this.p[i] === 1); }

  counts() {  // what the picture shows: OFF, then ON, row by row
    const { width, height } = this.head, { at, window: length } = this.view, size = width * height;
    const counts = new Float32Array(2 * size), stop = this.first(at);
    const start = length === WHOLE || at <= length ? 0 : this.first(at - length);
    let number = 0;
    for (let i = start; i < stop; i++) if (this.shown(i)) {
      counts[this.p[i] * size + this.y[i] * width + this.x[i]] += 1;
      number += 1;
    }
    return { counts, number };
  }

  full() {  // the count at full brightness: one for all windows of this length, so that pictures can be compared
    return this.keep(`full ${this.view.window}`, () => {
      const { width, height, tick } = this.head, counts = new Uint32Array(2 * width * height), often = new Map();
      const length = (this.view.window || Infinity) * 1000;
      let from = 0, window = 0;
      const place = (i) => (this.p[i] * height + this.y[i]) * width + this.x[i];
      const note = (stop) => {
        for (; from < stop; from++) {
          const count = counts[place(from)];
          if (count) often.set(count, (often.get(count) || 0) + 1);
          counts[place(from)] = 0;
        }
      };
      for (let i = 0; i < this.t.length; i++) {
        const here = Math.floor((this.t[i] * tick) / length);
        if (here !== window) { note(i); window = here; }
        counts[place(i)] += 1;
      }
      note(this.t.length);
      return Math.max(quantile(often, this.head.full), 1);
    });
  }

  // ---- pictures

  image(counts, width, height, full) {  // a small canvas of one pixel a place, in the colours of a still picture
    const size = width * height, { OFF, ON } = this.head.colours;
    return painted(width, height, (pixels) => {
      for (let i = 0; i < size; i++) {
        const off = Math.sqrt(Math.min(counts[i] / full, 1)), on = Math.sqrt(Math.min(counts[size + i] / full, 1));
        for (let c = 0; c < 3; c++) pixels[4 * i + c] = 255 * Math.min(off * OFF[c] + on * ON[c], 1);
        pixels[4 * i + 3] = 255;
      }
    });
  }

  columns(width, height) {  // events by time, to the right, and column, downwards
    return this.keep(`columns ${this.view.show} ${width} ${height}`, () => {
      const rows = Math.min(height, this.head.width), counts = new Float32Array(2 * rows * width), often = new Map();
      for (let i = 0; i < this.t.length; i++) if (this.shown(i)) {
        const row = Math.floor((this.x[i] * rows) / this.head.width);
        counts[(this.p[i] * rows + row) * width + this.bin(i, width)] += 1;
      }
      counts.forEach((c) => c && often.set(c, (often.get(c) || 0) + 1));
      return this.image(counts, width, rows, Math.max(quantile(often, this.head.full), 1));
    });
  }

  bars(bins) {  // events in equal parts of the time: OFF, then ON
    return this.keep(`bars ${bins}`, () => {
      const bars = new Float32Array(2 * bins);
      for (let i = 0; i < this.t.length; i++) bars[this.p[i] * bins + this.bin(i, bins)] += 1;
      return bars;
    });
  }

  bin(i, bins) { return Math.min(Math.floor((this.t[i] * this.head.tick * bins) / (this.end * 1000)), bins - 1); }

  layout(width) {  // the picture, and beside it, or below it where there is little room, what goes along the time
    const wide = width >= 560, size = wide ? Math.min(300, width * 0.4) : Math.min(width, 280);
    const scale = size / Math.max(this.head.width, this.head.height);
    const picture = { x: 0, y: 0, width: this.head.width * scale, height: this.head.height * scale, scale };
    const x = wide ? size + GAP : 0, top = (wide ? 0 : picture.height + LABEL) + LABEL;
    const room = wide ? size - AXIS - 2 * LABEL : 190, upper = Math.round(room * 0.68);
    const along = { x, y: top, width: Math.floor(width - x), height: upper };
    const rate = { x, y: top + upper + LABEL, width: along.width, height: room - upper };
    const bottom = rate.y + rate.height + AXIS;
    return { picture, along, rate, height: wide ? Math.max(bottom, size + LABEL) : bottom };
  }

  draw() {
    const { canvas: screen, when, length } = this.part, width = screen.parentElement.clientWidth;
    if (!this.head || width < 50) return;
    const plan = (this.plan = this.layout(width)), pen = this.pen(width, plan.height), style = getComputedStyle(screen);
    pen.fillStyle = style.color; pen.font = `12px ${style.fontFamily}`;
    this.now = this.counts();
    const { picture, along, rate } = plan, { at, window: part, show } = this.view;
    pen.drawImage(this.image(this.now.counts, this.head.width, this.head.height, this.full()),
      0, 0, picture.width, picture.height);
    pen.fillText(`${this.span()}: ${this.now.number.toLocaleString("en")} events`, 0, picture.height + 13);
    pen.drawImage(this.columns(Math.ceil(along.width / 2), along.height), along.x, along.y, along.width, along.height);
    pen.fillText("column (downwards) against time", along.x, along.y - 5, along.width);
    this.rates(pen, rate);
    pen.fillText("events against time, ON upwards, OFF downwards", rate.x, rate.y - 5, rate.width);
    this.axis(pen, rate, style.color);
    this.mark(pen, along, rate, style.color);
    when.textContent = `${Math.round(at)} of ${this.end} ms`;
    length.textContent = part === WHOLE ? "all before" : `${part} ms`;
    this.legend();
    this.drawn(`${Math.round(at)} ${part || "all"} ${show} ${this.head.status_text}`,
      `Events of ${this.span()}, ${this.head.shows[show]}: ${this.now.number} events`);
  }

  span() {
    const { at, window: length } = this.view, start = length === WHOLE ? 0 : Math.max(at - length, 0);
    return `${start.toFixed(0)} to ${at.toFixed(0)} ms`;
  }

  rates(pen, { x, y, width, height }) {
    const bins = Math.max(Math.min(Math.floor(width / 3), 200), 1), bars = this.bars(bins), each = width / bins;
    const most = bars.reduce((a, b) => Math.max(a, b), 1), middle = y + height / 2, colour = pen.fillStyle;
    bars.forEach((count, i) => {
      const on = i >= bins, tall = (count / most) * (height / 2);
      if (this.view.show !== "both" && (this.view.show === "on") !== on) return;
      pen.fillStyle = rgb(this.head.colours[on ? "ON" : "OFF"]);
      pen.fillRect(x + (i % bins) * each, on ? middle - tall : middle, Math.max(each - 0.5, 0.5), tall);
    });
    pen.fillStyle = colour;
  }

  axis(pen, { x, y, width, height }) {
    const least = this.end / Math.max(width / 70, 1), power = 10 ** Math.floor(Math.log10(least));
    const step = Math.max([1, 2, 5, 10].map((n) => n * power).find((s) => s >= least), 1);
    for (let ms = 0; ms <= this.end; ms += step) {
      const words = ms ? String(ms) : "0 ms", wide = pen.measureText(words).width;
      pen.fillText(words, Math.min(x + (ms / this.end) * width, x + width - wide), y + height + 13);
    }
  }

  mark(pen, along, rate, colour) {  // the window, over all that goes along the time
    const { at, window: length } = this.view, place = (ms) => along.x + (Math.max(ms, 0) / this.end) * along.width;
    const left = length === WHOLE ? along.x : place(at - length), right = place(at);
    for (const { y, height } of [along, rate]) {
      pen.fillStyle = "rgba(136,148,160,0.3)";
      pen.fillRect(left, y, right - left, height);
      pen.fillStyle = this.head.accent;
      pen.fillRect(right - 1, y, 2, height);
    }
    pen.fillStyle = colour;
  }

  legend() {
    const { colours } = this.head, swatch = (name, words) => {
      const square = Object.assign(document.createElement("span"), { textContent: "■ " });
      square.style.color = rgb(colours[name]);
      return [square, `${words} · `];
    };
    this.part.legend.replaceChildren(...swatch("ON", "ON, brighter"), ...swatch("OFF", "OFF, darker"),
      `Full brightness from ${this.full().toLocaleString("en")} events of a pixel in a window on, square-root scale.`);
  }

  // ---- pointer and keys

  seek(event) {  // to the time that is pointed at, if it is
    const { along, rate } = this.plan, x = event.offsetX - along.x;
    if (!event.buttons || event.offsetY < along.y || event.offsetY > rate.y + rate.height || x < 0) return false;
    this.change({ at: Math.round((Math.min(x, along.width) / along.width) * this.end) }, PATIENCE);
    return true;
  }

  point(x, y) {
    const { picture } = this.plan || {}, { width, height } = this.head;
    const column = picture ? Math.floor(x / picture.scale) : -1, row = picture ? Math.floor(y / picture.scale) : -1;
    const inside = column >= 0 && row >= 0 && column < width && row < height, at = row * width + column;
    const count = (polarity) => this.now.counts[polarity * width * height + at];
    const words = inside && `row ${row}, column ${column}: ${count(1)} ON, ${count(0)} OFF`;
    this.part.where.textContent = words || this.head.hint;
  }

  press(event) {  // left and right move the time by a quarter of a window, up and down choose another window
    const { at, window: length } = this.view, { windows } = this.head, step = arrow(event);
    const by = Math.max(Math.round((length || this.end / 12) / 4), 1);
    if (step && step[1]) this.change({ at: at + step[1] * by }, PATIENCE);
    else if (step) {
      const place = clamp(windows.indexOf(length) - step[0], 0, windows.length - 1);
      this.change({ window: windows[place] }, PATIENCE);
    } else if (event.key === " ") this.part.play.click();
    else return;
    event.preventDefault();
  }
}

function quantile(often, share) {  // of numbers by how often they occur, between two of them on a straight line
  const sorted = [...often].sort((a, b) => a[0] - b[0]), total = sorted.reduce((sum, [, n]) => sum + n, 0);
  const value = (rank) => (sorted.find(([, n]) => (rank -= n) < 0) || [0])[0];
  const place = (total - 1) * share, low = Math.floor(place);
  return total ? value(low) + (place - low) * (value(Math.min(low + 1, total - 1)) - value(low)) : 0;
}

export default mount(EventPlayer, "view");
