// Events as points in time, column and row, without perspective; turned here, without the server.
// Payload: a 32-bit header length, the header (JSON), then t (as a share of the duration), x, y and p one after the other.
const CLOUDS = new WeakMap();
const TALL = 380, FRONT = Math.PI / 2;  // looked at along the time
const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => [(n & 1) - 0.5, ((n >> 1) & 1) - 0.5, ((n >> 2) & 1) - 0.5]);

export default function ({ data, parentElement }) {
  let cloud = CLOUDS.get(parentElement);
  if (!cloud) CLOUDS.set(parentElement, (cloud = new Cloud(parentElement)));
  cloud.take(data);
  return () => cloud.watch.disconnect();
}

class Cloud {
  constructor(root) {
    const find = (name) => root.querySelector(`[data-part="${name}"]`);
    const screen = (this.screen = find("canvas"));
    screen.onpointerdown = (e) => screen.setPointerCapture(e.pointerId);
    screen.onpointermove = (e) => e.buttons && this.turn(e.movementX / 150, e.movementY / 150);
    screen.onkeydown = (e) => {
      const by = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[e.key];
      if (by) { this.turn(...by); e.preventDefault(); }
    };
    find("side").onclick = () => this.look(this.head.turn);
    find("time").onclick = () => this.look({ yaw: FRONT, pitch: 0 });
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(root.querySelector(".sv-cloud"));
  }

  take(payload) {
    if (!payload || !payload.byteLength) return;
    const bytes = new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
    const length = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
    this.head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    let at = 4 + length;
    const array = (kind) => new kind(bytes.slice(at, (at += this.head.events * kind.BYTES_PER_ELEMENT)).buffer);
    this.t = array(Uint32Array); this.x = array(Uint16Array); this.y = array(Uint16Array); this.p = array(Uint8Array);
    this.view = this.view || { ...this.head.turn };
    this.draw();
  }

  turn(yaw, pitch) {
    const most = Math.PI / 2;
    this.look({ yaw: this.view.yaw + yaw, pitch: Math.min(Math.max(this.view.pitch + pitch, -most), most) });
  }

  look(view) { this.view = { ...view }; this.draw(); }

  draw() {
    const { screen, head } = this, width = screen.clientWidth, ratio = devicePixelRatio || 1;
    if (!head || width < 50) return;
    const height = Math.min(TALL, width), scale = Math.min(width, height * 1.6) / head.reach;
    screen.width = Math.round(width * ratio); screen.height = Math.round(height * ratio);
    screen.style.height = `${height}px`;
    const pen = screen.getContext("2d"), { yaw, pitch } = this.view;
    const cos = Math.cos(yaw), sin = Math.sin(yaw), flat = Math.cos(pitch), steep = Math.sin(pitch);
    const place = (t, x, y) => {  // each from -0.5 to 0.5
      const depth = x * cos - head.long * t * sin;
      return [width / 2 + scale * (head.long * t * cos + x * sin), height / 2 + scale * (y * flat - depth * steep)];
    };
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, width, height);
    this.box(pen, place);
    const colours = ["OFF", "ON"].map((name) => `rgb(${head.colours[name].map((c) => Math.round(255 * c)).join()})`);
    for (let i = 0; i < this.t.length; i++) {
      const [u, v] = place(this.t[i] / 4294967295 - 0.5, (this.x[i] + 0.5) / head.width - 0.5,
        (this.y[i] + 0.5) / head.height - 0.5);
      pen.fillStyle = colours[this.p[i]];
      pen.fillRect(u, v, 1.6, 1.6);
    }
    screen.setAttribute("aria-label", `${this.t.length} events as points in time, column and row, ` +
      `turned by ${Math.round((yaw * 180) / Math.PI)} and ${Math.round((pitch * 180) / Math.PI)} degrees`);
    screen.dataset.drawn = `${yaw.toFixed(2)} ${pitch.toFixed(2)}`;
  }

  box(pen, place) {  // twelve edges, and what three of them measure
    pen.strokeStyle = "rgba(160,170,180,0.5)"; pen.lineWidth = 1;
    pen.beginPath();
    CORNERS.forEach((a, i) => CORNERS.forEach((b, j) => {
      if (j <= i || ![1, 2, 4].includes(i ^ j)) return;
      pen.moveTo(...place(...a)); pen.lineTo(...place(...b));
    }));
    pen.stroke();
    const { duration, width, height } = this.head, right = this.screen.clientWidth;
    pen.fillStyle = "rgb(200,208,216)"; pen.font = `12px ${getComputedStyle(this.screen).fontFamily}`;
    const words = (text, spots, near, dy) => {  // beside the lowest or the leftmost of some edges, on its outer side
      const [u, v] = spots.map((spot) => place(...spot)).reduce((a, b) => (near(a) > near(b) ? a : b));
      const wide = pen.measureText(text).width, from = u < right / 2 ? u - wide - 6 : u + 6;
      pen.fillText(text, Math.min(Math.max(from, 4), right - wide - 4), v + dy);
    };
    const low = ([, v]) => v, left = ([u]) => -u, both = [-0.5, 0.5];
    words(`time, 0 to ${duration.toFixed(duration < 10 ? 1 : 0)} ms`, both.map((x) => [0, x, 0.5]), low, 18);
    words(`column, 0 to ${width - 1}`, both.map((t) => [t, 0, 0.5]), low, 14);
    words(`row, 0 to ${height - 1}`, both.flatMap((t) => both.map((x) => [t, x, 0])), left, 0);
  }
}
