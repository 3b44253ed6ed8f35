// Live cameras. Each picture is drawn, then said to be shown; only then the next one comes. One that is old
// is covered and says how old: no old picture looks like a live one.
const OLD = 1000; // ms

export class Pictures {
  constructor(place, send, watch) {
    this.place = place;
    this.send = send;
    this.watch = watch;
    this.cameras = new Map(); // name → { figure, canvas, age, text, taken (ms, this page's clock) }
    this.attention = false; // wanted
    this.names = "";
  }

  wanted() {
    return [...this.cameras.keys()];
  }

  offer(names, attention) {
    const key = JSON.stringify([names, attention, this.attention]);
    if (key === this.names) return;
    this.names = key;
    this.offered = [names, attention];
    const shown = attention && this.attention ? [...names, "attention"] : names;
    for (const [name, camera] of this.cameras) if (!shown.includes(name)) { camera.figure.remove(); this.cameras.delete(name); }
    for (const name of shown) if (!this.cameras.has(name)) this.add(name);
    this.button?.remove();
    if (attention) {
      this.button = Object.assign(document.createElement("button"), {
        type: "button", textContent: this.attention ? "Hide where the policy looks" : "Show where the policy looks",
        onclick: () => { this.attention = !this.attention; this.offer(...this.offered); },
      });
      this.button.setAttribute("aria-pressed", this.attention);
      this.place.append(this.button);
    }
    this.watch();
  }

  add(name) {
    const figure = document.createElement("figure"), canvas = document.createElement("canvas");
    figure.className = "camera off";
    const text = Object.assign(document.createElement("div"), { className: "old-text", textContent: "waiting for a picture" });
    const caption = document.createElement("figcaption"), age = document.createElement("span");
    age.className = "age";
    caption.append(name === "attention" ? "where the policy looks" : name, age);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `camera ${name}`);
    figure.append(canvas, text, caption);
    figure.dataset.camera = name;
    this.place.append(figure);
    this.cameras.set(name, { figure, canvas, age, text, taken: -Infinity });
  }

  async accept(data) {
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    const arrived = performance.now(), camera = this.cameras.get(header.camera);
    if (!camera) return;
    try {
      const picture = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
      if (camera.canvas.width !== picture.width || camera.canvas.height !== picture.height) {
        camera.canvas.width = picture.width;
        camera.canvas.height = picture.height;
        camera.canvas.style.aspectRatio = `${picture.width} / ${picture.height}`;
      }
      camera.canvas.getContext("2d").drawImage(picture, 0, 0);
      picture.close();
      camera.figure.classList.remove("off");
      camera.taken = arrived - header.age * 1000;
    } catch {
      camera.text.textContent = "this picture cannot be shown";
    }
    requestAnimationFrame(() => {
      this.send("shown", { camera: header.camera, sequence: header.sequence });
      dispatchEvent(new CustomEvent("shown", { detail: header })); // ./vla bench console listens
    });
  }

  look(stale) {
    for (const { figure, age, text, taken } of this.cameras.values()) {
      const old = performance.now() - taken, seen = Number.isFinite(taken);
      figure.classList.toggle("old", stale || old > OLD);
      text.hidden = !(stale || old > OLD);
      if (!text.hidden) text.textContent = seen ? `OLD PICTURE, ${(old / 1000).toFixed(1)} s` : "waiting for a picture";
      age.textContent = seen ? `${(old / 1000).toFixed(2)} s old` : "";
    }
  }
}
