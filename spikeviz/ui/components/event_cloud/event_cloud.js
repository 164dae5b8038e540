// Events as points in time, column and row, without perspective; turned here, without the server.
// The body of the payload holds t (as a share of the duration), x, y and p one after the other.
const TALL = 380, FRONT = Math.PI / 2;  // looked at along the time
const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => [(n & 1) - 0.5, ((n >> 1) & 1) - 0.5, ((n >> 2) & 1) - 0.5]);

class EventCloud extends Drawing {
  constructor(root) {
    super(root, ["side", "time"]);
    const { canvas: screen, side, time } = this.part;
    screen.onpointerdown = (e) => screen.setPointerCapture(e.pointerId);
    screen.onpointermove = (e) => e.buttons && this.turn(e.movementX / 150, e.movementY / 150);
    screen.onkeydown = (e) => {
      const step = arrow(e);
      if (step) { this.turn(0.1 * step[1], 0.1 * step[0]); e.preventDefault(); }
    };
    side.onclick = () => this.look(this.head.turn);
    time.onclick = () => this.look({ yaw: FRONT, pitch: 0 });
  }

  take(payload) {
    const sent = unpack(payload);
    if (!sent) return;
    Object.assign(this, unpackEvents(sent), { head: sent.head });
    this.look(this.view || this.head.turn);
  }

  turn(yaw, pitch) {
    this.look({ yaw: this.view.yaw + yaw, pitch: clamp(this.view.pitch + pitch, -Math.PI / 2, Math.PI / 2) });
  }

  look(view) { this.view = { ...view }; this.draw(); }

  draw() {
    const { head } = this, width = this.part.canvas.clientWidth;
    if (!head || width < 50) return;
    const height = Math.min(TALL, width), scale = Math.min(width, height * 1.6) / head.reach;
    const pen = this.pen(width, height), { yaw, pitch } = this.view;
    const cos = Math.cos(yaw), sin = Math.sin(yaw), flat = Math.cos(pitch), steep = Math.sin(pitch);
    const place = (t, x, y) => {  // each from -0.5 to 0.5
      const depth = x * cos - head.long * t * sin;
      return [width / 2 + scale * (head.long * t * cos + x * sin), height / 2 + scale * (y * flat - depth * steep)];
    };
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, width, height);
    this.box(pen, place);
    const colours = ["OFF", "ON"].map((name) => rgb(head.colours[name]));
    for (let i = 0; i < this.t.length; i++) {
      const [u, v] = place(this.t[i] / 4294967295 - 0.5, (this.x[i] + 0.5) / head.width - 0.5,
        (this.y[i] + 0.5) / head.height - 0.5);
      pen.fillStyle = colours[this.p[i]];
      pen.fillRect(u, v, 1.6, 1.6);
    }
    const [across, down] = [yaw, pitch].map((angle) => Math.round((angle * 180) / Math.PI));
    this.drawn(`${yaw.toFixed(2)} ${pitch.toFixed(2)}`,
      `${this.t.length} events as points in time, column and row, turned by ${across} and ${down} degrees`);
  }

  box(pen, place) {  // twelve edges, and what three of them measure
    pen.strokeStyle = "rgba(160,170,180,0.5)"; pen.lineWidth = 1;
    pen.beginPath();
    CORNERS.forEach((a, i) => CORNERS.forEach((b, j) => {
      if (j <= i || ![1, 2, 4].includes(i ^ j)) return;
      pen.moveTo(...place(...a)); pen.lineTo(...place(...b));
    }));
    pen.stroke();
    const { duration, width, height } = this.head, right = this.part.canvas.clientWidth;
    pen.fillStyle = "rgb(200,208,216)"; pen.font = `12px ${getComputedStyle(this.part.canvas).fontFamily}`;
    const words = (text, spots, near, dy) => {  // beside the lowest or the leftmost of some edges, on its outer side
      const [u, v] = spots.map((spot) => place(...spot)).reduce((a, b) => (near(a) > near(b) ? a : b));
      const wide = pen.measureText(text).width, from = u < right / 2 ? u - wide - 6 : u + 6;
      pen.fillText(text, clamp(from, 4, right - wide - 4), v + dy);
    };
    const low = ([, v]) => v, left = ([u]) => -u, both = [-0.5, 0.5];
    words(`time, 0 to ${duration.toFixed(duration < 10 ? 1 : 0)} ms`, both.map((x) => [0, x, 0.5]), low, 18);
    words(`column, 0 to ${width - 1}`, both.map((t) => [t, 0, 0.5]), low, 14);
    words(`row, 0 to ${height - 1}`, both.flatMap((t) => both.map((x) => [t, x, 0])), left, 0);
  }
}

export default mount(EventCloud, "view");
