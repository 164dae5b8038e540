// A range input that sends its value while it is dragged: one value is under way at a time, and the last one always
// arrives. `settled` says that the hand has let go.
const PATIENCE = 3000;  // ms after which an answer that never came no longer holds the next value back

class LiveSlider extends Part {
  constructor(root) {
    super(root, ["label", "help", "now", "range", "low", "high"]);
    this.group = root.querySelector(".sv-live");
    this.sent = null; this.wanted = null;
    this.part.range.oninput = () => this.want(false);
    this.part.range.onchange = () => this.want(true);
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
    else { this.seq = Math.max(this.seq, data.seq); range.value = data.value; now.textContent = this.text(data.value); }
  }

  want(settled) {
    this.part.now.textContent = this.text(this.part.range.value);
    this.wanted = { value: Number(this.part.range.value), settled };
    clearTimeout(this.soon);  // a key moves and lets go at once: one value, not two
    this.soon = setTimeout(() => {
      if (this.wanted && (!this.sent || Date.now() - this.sent.at > PATIENCE)) this.ship();
    });
  }

  ship() {
    this.seq += 1;
    const { value, settled } = this.wanted;
    this.sent = { seq: this.seq, at: Date.now() }; this.wanted = null;
    this.send({ value, settled, seq: this.seq });
  }
}

export default mount(LiveSlider, "value");
