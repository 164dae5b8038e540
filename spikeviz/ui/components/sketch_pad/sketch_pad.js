// A drawing on as many pixels as the network sees, light on black. It is sent as a PNG when the person says so.
class SketchPad extends Part {
  constructor(root) {
    super(root, ["paper", "tint", "colour", "width", "clear", "use"]);
    const { paper, clear, use } = this.part;
    this.pen = paper.getContext("2d");
    clear.onclick = () => this.clear();
    use.onclick = () => this.send(paper.toDataURL("image/png"));
    paper.onpointerdown = (e) => {
      paper.setPointerCapture(e.pointerId);
      this.from = this.at(e);
      this.line(this.from);
    };
    paper.onpointermove = (e) => { if (e.buttons) this.line(this.at(e)); };
    paper.onkeydown = (e) => this.press(e);
  }

  take({ size, channels }) {
    this.part.tint.hidden = channels < 3;
    if (this.size === size) return;
    this.size = size;
    this.part.paper.width = this.part.paper.height = size;
    this.clear();
  }

  clear() {
    this.from = [this.size / 2, this.size / 2];
    this.pen.fillStyle = "#000";
    this.pen.fillRect(0, 0, this.size, this.size);
  }

  at(event) {
    const { width, height } = this.part.paper.getBoundingClientRect();
    return [(event.offsetX / width) * this.size, (event.offsetY / height) * this.size];
  }

  line(to) {
    const { pen, part: { colour, width, tint } } = this;
    pen.strokeStyle = tint.hidden ? "#fff" : colour.value;
    pen.lineWidth = Number(width.value); pen.lineCap = pen.lineJoin = "round";
    pen.beginPath(); pen.moveTo(...this.from); pen.lineTo(...to); pen.stroke();
    this.from = to;
  }

  press(event) {  // arrows move the pen, with Shift they draw; space sets a dot
    const step = arrow(event), [x, y] = this.from;
    const to = step && [clamp(x + step[1], 0, this.size), clamp(y + step[0], 0, this.size)];
    if (to && event.shiftKey) this.line(to);
    else if (to) this.from = to;
    else if (event.key === " ") this.line(this.from);
    else return;
    const [column, row] = this.from.map(Math.floor);
    this.part.paper.setAttribute("aria-label", `A drawing, pen at row ${row}, column ${column}: arrows move it, with ` +
      "Shift they draw, space sets a dot");
    event.preventDefault();
  }
}

export default mount(SketchPad, "picture", true);
