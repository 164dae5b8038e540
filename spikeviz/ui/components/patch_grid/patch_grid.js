// Pictures of an autoencoder side by side. Over one of them lies a grid of buttons, one a patch: pressed is hidden.
// A click or a stroke hides or shows patches at once; the server gets the whole list when the hand lets go.
const HINT = "Click or stroke patches to hide or show them; with the keyboard: arrows, then Enter.";
const PATIENCE = 500;  // ms without a key after which what the keyboard changed is sent

class PatchGrid extends Part {
  constructor(root) {
    super(root, ["row", "where"]);
    this.hidden = new Set(); this.stroke = null;
  }

  take(data) {
    this.data = data;
    if (this.part.row.children.length !== data.pictures.length || this.count !== data.side ** 2) this.build();
    data.pictures.forEach((picture, i) => {
      const [frame, caption] = this.part.row.children[i].children, image = frame.firstChild;
      if (image.src !== picture.src) image.src = picture.src;
      image.alt = picture.alt;
      caption.firstChild.textContent = picture.title; caption.lastChild.textContent = picture.note;
    });
    if (data.seq >= this.seq && this.stroke === null) {  // not the answer to an older list
      this.seq = data.seq;
      this.hidden = new Set(data.hidden);
    }
    this.draw();
    this.part.row.dataset.drawn = `${data.status_text} ${data.hidden.join()}`;
  }

  build() {
    this.count = this.data.side ** 2;
    this.cursor = 0;
    this.part.row.replaceChildren(...this.data.pictures.map((picture) => {
      const figure = document.createElement("figure"), frame = document.createElement("div");
      const caption = document.createElement("figcaption");
      frame.className = "sv-frame";
      frame.append(document.createElement("img"));
      if (picture.grid) frame.append(this.grid());
      caption.append(document.createElement("b"), document.createElement("span"));
      figure.append(frame, caption);
      return figure;
    }));
  }

  grid() {
    const grid = Object.assign(document.createElement("div"), { className: "sv-grid" });
    grid.setAttribute("role", "group"); grid.setAttribute("aria-label", "Patches");
    grid.dataset.testid = "patches";
    grid.style.gridTemplateColumns = `repeat(${this.data.side}, 1fr)`;
    this.buttons = Array.from({ length: this.count }, (_, n) => {
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.dataset.patch = n;
      return button;
    });
    grid.append(...this.buttons);
    const patch = (event) => event.target.dataset.patch === undefined ? -1 : Number(event.target.dataset.patch);
    grid.onpointerdown = (e) => {
      if (patch(e) < 0 || e.button) return;
      if (e.target.hasPointerCapture(e.pointerId)) e.target.releasePointerCapture(e.pointerId);  // a finger's stroke
      this.stroke = !this.hidden.has(patch(e));
      addEventListener("pointerup", () => this.end(), { once: true });  // wherever the hand lets go
      this.paint(patch(e));
    };
    grid.onpointerover = (e) => {
      if (patch(e) < 0) return;
      if (this.stroke !== null && e.buttons) this.paint(patch(e));
      else this.point(patch(e));
    };
    grid.onpointercancel = () => { this.stroke = null; this.hidden = new Set(this.data.hidden); this.draw(); };
    grid.onpointerleave = () => this.point(-1);
    grid.addEventListener("focusin", (e) => { this.cursor = patch(e); this.point(this.cursor); });
    grid.onkeydown = (e) => this.press(e);
    return grid;
  }

  paint(n) {
    this.cursor = n;
    this.hidden[this.stroke ? "add" : "delete"](n);
    this.draw(); this.point(n);
  }

  end() {
    if (this.stroke === null) return;
    this.stroke = null;
    this.tell(0);
  }

  tell(wait) {
    this.seq += 1;
    const hidden = [...this.hidden].sort((a, b) => a - b);
    this.report(() => ({ hidden }), wait);
  }

  press(event) {
    const side = this.data.side, row = Math.floor(this.cursor / side), column = this.cursor % side;
    const step = arrow(event);
    if (step) {
      this.cursor = clamp(row + step[0], 0, side - 1) * side + clamp(column + step[1], 0, side - 1);
      this.draw();
      this.buttons[this.cursor].focus();
    } else if (event.key === "Enter" || event.key === " ") {
      this.stroke = !this.hidden.has(this.cursor);
      this.paint(this.cursor);
      this.stroke = null;
      this.tell(PATIENCE);
    } else return;
    event.preventDefault();
  }

  draw() {
    this.buttons.forEach((button, n) => {
      const hidden = this.hidden.has(n);
      button.setAttribute("aria-pressed", String(hidden));
      button.setAttribute("aria-label", `Patch ${n}, ${hidden ? "hidden" : "visible"}`);
      button.tabIndex = n === this.cursor ? 0 : -1;
    });
    this.point(-1);
  }

  point(n) {
    const side = this.data.side, state = this.hidden.has(n) ? "hidden" : "visible";
    this.part.where.textContent = n < 0 ? `${this.hidden.size} of ${this.count} patches are hidden. ${HINT}`
      : `patch ${n}, row ${Math.floor(n / side)}, column ${n % side}: ${state}`;
  }
}

export default mount(PatchGrid, "view");
