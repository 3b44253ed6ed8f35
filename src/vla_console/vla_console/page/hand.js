// Driving by hand: while a takeover lasts, a twist goes out twenty times a second, zero where no button is
// held. When this page dies, is hidden or loses its connection, they end, and the safety node brakes.
const PERIOD = 50; // ms

export class Hand {
  constructor(place, speed, speedNow, send) {
    this.place = place;
    this.speed = speed;
    this.send = send;
    this.held = new Map(); // button → [index in the twist, sign]
    this.timer = null;
    this.greatest = [0, 0];
    speed.oninput = () => { speedNow.textContent = `${speed.value} %`; };
    addEventListener("blur", () => this.letGo());
  }

  offer(axes) {
    const key = JSON.stringify(axes);
    if (key === this.key) return;
    this.key = key;
    this.letGo();
    this.place.replaceChildren(...axes.map(({ name, unit, index }) => {
      const row = document.createElement("div");
      row.className = "axis";
      const label = Object.assign(document.createElement("span"), { textContent: name.replaceAll("_", " ") });
      const greatest = document.createElement("span");
      greatest.className = "small";
      greatest.textContent = ` ${this.greatest[index < 3 ? 0 : 1]} ${unit} at most`;
      label.append(document.createElement("br"), greatest);
      row.append(this.button(name, index, -1), label, this.button(name, index, 1));
      return row;
    }));
  }

  button(name, index, sign) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: sign > 0 ? "+" : "−" });
    button.setAttribute("aria-label", `${name} ${sign > 0 ? "plus" : "minus"}, while held`);
    button.dataset.axis = name;
    button.dataset.sign = sign;
    const hold = () => { this.held.set(button, [index, sign]); button.classList.add("held"); this.tell(); };
    const release = () => { if (this.held.delete(button)) { button.classList.remove("held"); this.tell(); } };
    button.onpointerdown = event => { button.setPointerCapture(event.pointerId); hold(); };
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(kind, release);
    button.onkeydown = event => { if ([" ", "Enter"].includes(event.key)) { event.preventDefault(); if (!event.repeat) hold(); } };
    button.onkeyup = event => { if ([" ", "Enter"].includes(event.key)) release(); };
    button.oncontextmenu = event => event.preventDefault(); // a long touch
    return button;
  }

  start() {
    if (this.timer === null) this.timer = setInterval(() => this.tell(), PERIOD);
  }

  letGo() {
    for (const button of this.held.keys()) button.classList.remove("held");
    this.held.clear();
  }

  release() { // the end of a takeover
    this.letGo();
    clearInterval(this.timer);
    this.timer = null;
  }

  tell() {
    if (this.timer === null) return;
    const twist = [0, 0, 0, 0, 0, 0];
    for (const [index, sign] of this.held.values()) twist[index] += sign * this.speed.value / 100;
    this.send("drive", { twist, at: performance.now() / 1000 });
  }
}
