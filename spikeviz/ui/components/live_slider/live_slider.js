// A range input that sends its value while it is dragged: one value is under way at a time, and the last one always
// arrives. `settled` says that the hand has let go; once it has, a value is sent that says so.
const PATIENCE = 3000;  // ms after which an answer that never came no longer holds the next value back

class LiveSlider extends Part {
  constructor(root) {
    super(root, ["label", "help", "now", "range", "low", "high"]);
    this.group = root.querySelector(".sv-live");
    this.sent = null; this.wanted = null;
    this.settled = true;  // what was sent last
    this.held = false;  // by a pointer
    const { range } = this.part, free = () => this.release();
    range.oninput = () => this.want(false);
    range.onchange = () => this.want(!this.held);
    range.onpointerdown = () => {
      this.held = true;
      for (const end of ["pointerup", "pointercancel", "blur"]) window.addEventListener(end, free, { once: true });
    };
  }

  take(data) {
    const { label, help, now, range, low, high } = this.part;
    this.text = (v) => Number(v).toFixed(data.decimals);
    this.group.setAttribute("aria-label", data.label);
    label.textContent = data.label; help.title = data.help; help.setAttribute("aria-label", data.help);
    range.setAttribute("aria-label", data.label); range.setAttribute("aria-description", data.help);
    range.min = data.low; range.max = data.high; range.step = data.step;
    low.textContent = this.text(data.low); high.textContent = this.text(data.high);
    if (this.sent && data.seq >= this.sent.seq) this.sent = null;
    if (this.sent) return;  // the answer to an older value
    if (this.wanted) this.ship();
    else if (!this.settled && !this.held) this.want(true);
    else if (!this.held) {
      this.seq = Math.max(this.seq, data.seq); range.value = data.value; now.textContent = this.text(data.value);
    }
  }

  release() {
    this.held = false;
    if (!this.settled || this.wanted) this.want(true);
  }

  want(settled) {
    this.part.now.textContent = this.text(this.part.range.value);
    this.wanted = { value: Number(this.part.range.value), settled };
    clearTimeout(this.soon);  // a key moves and lets go at once: one value, not two
    this.soon = setTimeout(() => { if (this.wanted && !this.sent) this.ship(); });
  }

  ship() {
    this.seq += 1;
    const { value, settled } = this.wanted, sent = { seq: this.seq };
    this.sent = sent; this.wanted = null; this.settled = settled;
    this.send({ value, settled, seq: this.seq });
    clearTimeout(this.late);
    this.late = setTimeout(() => {
      if (this.sent !== sent) return;
      this.sent = null;
      if (this.wanted) this.ship();
      else if (!settled && !this.held) this.want(true);
    }, PATIENCE);
  }

  close() { super.close(); clearTimeout(this.soon); clearTimeout(this.late); }
}

export default mount(LiveSlider, "value");
