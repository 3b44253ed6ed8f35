// One plot for each dimension: what was requested and sent over the last seconds, and the last chunks as
// they were planned, which fade as newer ones come (a worm plot).
const PAST = 4, FUTURE = 0.6; // s
const WORMS = 8;
const DRAW = 66; // ms between two drawings

export class Plots {
  constructor(place, none) {
    this.place = place;
    this.none = none;
    this.dimensions = [];
    this.samples = [];
    this.chunks = [];
    this.offset = null; // robot's time - this page's, s
    this.due = 0;
  }

  describe(dimensions) {
    const key = JSON.stringify(dimensions);
    if (key === this.key) return;
    this.key = key;
    this.dimensions = dimensions;
    this.place.replaceChildren(...dimensions.map(({ name, unit }) => {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${name}${unit ? `, ${unit}` : ""}: requested, sent and planned`);
      return canvas;
    }));
    this.none.hidden = dimensions.length > 0;
  }

  accept({ samples, chunk }) {
    this.samples.push(...samples);
    const last = this.samples.at(-1)?.[0];
    if (last !== undefined) {
      const offset = last - performance.now() / 1000;
      this.offset = this.offset === null || Math.abs(offset - this.offset) > 0.5 ? offset : Math.max(offset, this.offset - 0.002);
      while (this.samples.length && this.samples[0][0] < last - PAST - 0.5) this.samples.shift();
    }
    if (chunk) {
      this.chunks.push(chunk);
      if (this.chunks.length > WORMS) this.chunks.shift();
    }
    const now = performance.now();
    if (now < this.due) return;
    this.due = now + DRAW;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    const style = getComputedStyle(document.documentElement);
    const colour = name => style.getPropertyValue(name).trim();
    const colours = { sent: colour("--accent"), soft: colour("--soft"), plan: colour("--plan"), line: colour("--line"), text: colour("--text") };
    const now = performance.now() / 1000 + (this.offset ?? 0);
    this.dimensions.forEach((dimension, index) => this.drawOne(this.place.children[index], dimension, index, now, colours));
  }

  drawOne(canvas, dimension, index, now, colours) {
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const seen = [...this.samples.flatMap(sample => [sample[1][index], sample[2][index]]),
      ...this.chunks.flatMap(chunk => chunk.rows.map(row => row[index]))].filter(value => value !== null && value !== undefined);
    let low = Math.min(...seen, 0), high = Math.max(...seen, 0);
    const room = Math.max(high - low, ((dimension.high ?? 1) - (dimension.low ?? -1)) * 0.04, 1e-4) * 0.14;
    low -= room; high += room;
    const top = 20, x = t => (t - now + PAST) / (PAST + FUTURE) * width;
    const y = value => top + (high - value) / (high - low) * (height - top - 4);
    pen.lineWidth = 1;
    pen.strokeStyle = colours.line;
    stroke(pen, [[0, y(0)], [width, y(0)]]);
    pen.setLineDash([3, 3]);
    stroke(pen, [[x(now), top], [x(now), height]]);
    pen.setLineDash([]);
    this.chunks.forEach((chunk, age) => {
      pen.strokeStyle = colours.plan;
      pen.globalAlpha = 0.15 + 0.7 * (age + 1) / this.chunks.length;
      pen.lineWidth = age === this.chunks.length - 1 ? 2 : 1;
      stroke(pen, chunk.rows.map((row, i) => [x(chunk.t + i * chunk.period), row[index] === null ? null : y(row[index])]));
    });
    pen.globalAlpha = 1;
    pen.strokeStyle = colours.soft;
    pen.lineWidth = 1.2;
    pen.setLineDash([4, 3]);
    stroke(pen, this.samples.map(([t, requested]) => [x(t), requested[index] == null ? null : y(requested[index])]));
    pen.setLineDash([]);
    pen.strokeStyle = colours.sent;
    pen.lineWidth = 2;
    stroke(pen, this.samples.map(([t, , sent]) => [x(t), sent[index] == null ? null : y(sent[index])]));
    pen.fillStyle = colours.text;
    pen.font = "600 12px system-ui, sans-serif";
    const value = this.samples.at(-1)?.[2][index];
    const unit = dimension.unit && dimension.unit !== "1" ? ` ${dimension.unit}` : "";
    pen.fillText(dimension.name.replaceAll("_", " "), 8, 14);
    const text = value == null ? "–" : `${value >= 0 ? "+" : ""}${value.toFixed(3)}${unit}`;
    pen.fillText(text, width - pen.measureText(text).width - 8, 14);
  }
}

function stroke(pen, points) {
  pen.beginPath();
  let down = false;
  for (const [x, y] of points) {
    if (y === null || Number.isNaN(y)) { down = false; continue; }
    if (down) pen.lineTo(x, y); else pen.moveTo(x, y);
    down = true;
  }
  pen.stroke();
}
