// What several components need. It stands in front of a component's own script: nothing is imported from file to file.
// A component is an object that outlives the runs of the page; `take` gets what every run sends, `send` answers.
const MOUNTED = new WeakMap();

// What Streamlit calls after each run: `Kind` is made once for a place in the page, and answers under `name`.
function mount(Kind, name, once = false) {
  return ({ data, parentElement, setStateValue, setTriggerValue }) => {
    let part = MOUNTED.get(parentElement);
    if (!part) MOUNTED.set(parentElement, (part = new Kind(parentElement)));
    part.send = (value) => (once ? setTriggerValue : setStateValue)(name, value);
    part.take(data);
    // of two runs in quick succession Streamlit cleans up after the first, while the component is still shown
    return () => { if (!parentElement.isConnected) part.close(); };
  };
}

class Part {
  constructor(root, names) {
    this.part = Object.fromEntries(names.map((name) => [name, root.querySelector(`[data-part="${name}"]`)]));
    this.seq = 0;  // of the last change made here: the server sends it back with its answer
    this.waiting = null;
  }

  report(what, wait) {  // once no further change came for `wait` ms
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.send({ ...what(), seq: this.seq }), wait);
  }

  close() { clearTimeout(this.waiting); }
}

// A part that draws on its canvas, and does so again at another width, and when light becomes dark.
class Drawing extends Part {
  constructor(root, names) {
    super(root, [...names, "canvas"]);
    this.cache = new Map();
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(root.querySelector(".sv"));
    this.part.canvas.ontransitionend = () => this.draw();
  }

  pen(width, height) {  // for a cleared canvas of that size, on every pixel of the screen
    const screen = this.part.canvas, ratio = devicePixelRatio || 1;
    const [wide, high] = [width, height].map((side) => Math.round(side * ratio)), pen = screen.getContext("2d");
    if (screen.width !== wide || screen.height !== high) {
      screen.width = wide; screen.height = high;
      screen.style.height = `${height}px`;
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.imageSmoothingEnabled = false;
    return pen;
  }

  drawn(what, words) {  // says so: what can be seen, for tests, and in words
    const screen = this.part.canvas;
    screen.setAttribute("aria-label", words);
    screen.dataset.drawn = what;
    screen.dispatchEvent(new Event("drawn", { bubbles: true }));
  }

  keep(key, make) {
    if (!this.cache.has(key)) this.cache.set(key, make());
    return this.cache.get(key);
  }

  close() { super.close(); this.watch.disconnect(); }
}

// A drawing with a `view`, what is looked at, and a button that plays. What extends it has `fit` (what there is none of
// falls back), `fill` (the controls say what the view is), `run` (plays, and returns what halts it) and `rest`.
class Playable extends Drawing {
  constructor(root, names) {
    super(root, [...names, "play"]);
    this.view = null; this.playing = false;
    this.title = this.part.play.getAttribute("aria-label");
    this.part.play.onclick = () => this.playing ? this.stop() : this.start();
  }

  show() {  // what has come: the view of the server, unless it answers an older one of ours
    this.cache.clear();
    if (!this.view || (this.head.seq >= this.seq && !this.playing)) {
      this.view = { ...this.head.view };
      this.seq = this.head.seq;
    }
    this.refresh();
  }

  refresh() { this.fit(); this.fill(); this.draw(); }

  change(what, wait = 0) {
    Object.assign(this.view, what);
    this.seq += 1;
    this.refresh();
    if (!this.playing) this.tell(wait);
  }

  tell(wait) { this.report(() => this.view, wait); }

  start() {
    this.playing = true;
    this.halt = this.run();
    this.button("❚❚", "Pause");
  }

  stop() {
    this.halt();
    this.playing = false;
    this.button("▶", this.title);
    this.rest();
  }

  button(sign, words) { this.part.play.textContent = sign; this.part.play.setAttribute("aria-label", words); }

  close() { if (this.playing) this.halt(); this.playing = false; super.close(); }
}

function unpack(payload) {  // a 32-bit length, a header as JSON, a body; null of an empty one
  if (!payload || !payload.byteLength) return null;
  const bytes = new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  const length = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  return { head: JSON.parse(text), body: bytes.subarray(4 + length) };
}

function unpackEvents({ head, body }) {  // copies, which begin where numbers of their width may
  let at = 0;
  const array = (kind) => new kind(body.slice(at, (at += head.events * kind.BYTES_PER_ELEMENT)).buffer);
  return { t: array(Uint32Array), x: array(Uint16Array), y: array(Uint16Array), p: array(Uint8Array) };
}

// A small canvas; `fill` sets red, green, blue and opacity of each pixel, 0 to 255.
function painted(width, height, fill) {
  const picture = Object.assign(document.createElement("canvas"), { width, height });
  const pixels = new ImageData(width, height);
  fill(pixels.data);
  picture.getContext("2d").putImageData(pixels, 0, 0);
  return picture;
}

function rgb(colour) { return `rgb(${colour.map((part) => Math.round(255 * part)).join()})`; }

function clamp(value, low, high) { return Math.min(Math.max(value, low), high); }

function arrow(event) {  // rows and columns that a key moves by; undefined for another one
  return { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
}

function options(list, names, labels = names, title = () => "") {  // of a <select>, made again where they are others
  if (list.dataset.names === names.join()) return;
  list.replaceChildren(...names.map((name, i) => Object.assign(new Option(labels[i], name), { title: title(name) })));
  list.dataset.names = names.join();
}

function choices(place, entries, chosen, take) {  // buttons of which one is pressed; entries: value, words, title, and why it cannot be pressed
  if (place.children.length !== entries.length) place.replaceChildren(...entries.map(([value, textContent]) => {
    const button = Object.assign(document.createElement("button"), { type: "button", value, textContent });
    button.onclick = () => take(value);
    return button;
  }));
  entries.forEach(([value, , title = "", without = ""], i) => {
    if (title) place.children[i].title = title;
    place.children[i].disabled = Boolean(without);
    place.children[i].setAttribute("aria-pressed", String(value === chosen));
  });
}
