// The page: one WebSocket; what comes is shown, what is clicked is asked for. It decides nothing: whether
// something may be done is the server's and the safety node's matter.
import { Pictures } from "./pictures.js";
import { Plots } from "./plots.js";
import { Hand } from "./hand.js";

const STALE = 1500; // ms without a word from the robot after which nothing on the page counts as live
const RECONNECT = 1000; // ms
const MESSAGE = 6000; // ms that what became of a click is shown
const $ = id => document.getElementById(id);

const page = {
  socket: null, number: 0, heard: -Infinity, role: "", mine: false, driving: false, state: null, offered: null,
  waiting: new Map(), paired: true,
};
const pictures = new Pictures($("cameras"), send, watch);
const plots = new Plots($("plots"), $("no-plot"));
const hand = new Hand($("jog-axes"), $("jog-speed"), $("jog-speed-now"), send);

// --- The connection ---

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws`);
  socket.binaryType = "arraybuffer";
  page.socket = socket;
  socket.onmessage = event => {
    if (event.data instanceof ArrayBuffer) pictures.accept(event.data);
    else accept(JSON.parse(event.data));
  };
  socket.onclose = () => {
    if (page.socket !== socket) return;
    page.heard = -Infinity;
    page.mine = page.driving = false;
    hand.release();
    for (const { reject } of page.waiting.values()) reject("the connection is lost");
    page.waiting.clear();
    look();
    probe().finally(() => setTimeout(connect, RECONNECT));
  };
}

async function probe() { // whether it is the pairing that lacks: a WebSocket does not tell
  try {
    const answer = await fetch("/recordings/none");
    page.paired = answer.status !== 401;
  } catch { /* nobody is there: the banner says so */ }
  $("pairing").hidden = page.paired;
}

function send(kind, fields = {}, number = 0) {
  if (page.socket?.readyState !== WebSocket.OPEN) return false;
  page.socket.send(JSON.stringify({ kind, number, ...fields }));
  return true;
}

let numbers = 0;
function ask(kind, fields = {}) { // what became of it is shown
  const number = ++numbers;
  const done = new Promise((resolve, reject) => page.waiting.set(number, { resolve, reject }));
  if (!send(kind, fields, number)) {
    page.waiting.delete(number);
    tell(false, `${kind} could not be sent: there is no connection to the robot`);
    return Promise.resolve(false);
  }
  return done.then(text => { if (text) tell(true, sentence(text)); return true; })
    .catch(text => { tell(false, sentence(`${kind} refused: ${text}`)); return false; });
}

function watch() {
  const cameras = document.hidden ? [] : pictures.wanted();
  send("watch", { cameras, plot: !document.hidden });
}

function accept(message) {
  page.heard = performance.now();
  switch (message.kind) {
    case "hello":
      page.role = message.role;
      page.number = message.page;
      $("robot").textContent = `Robot ${message.namespace}`;
      document.title = `${message.namespace} – console`;
      hand.greatest = message.greatest;
      $("pairing").hidden = true;
      page.paired = true;
      $("pair-others").hidden = location.protocol !== "https:" || message.role !== "operator";
      watch();
      break;
    case "offered": offer(message); break;
    case "control": showControl(message); break;
    case "state": page.state = message; showState(message); break;
    case "trace": plots.accept(message); break;
    case "code": $("new-code").textContent = message.code; break;
    case "answer": {
      const waiting = page.waiting.get(message.number);
      page.waiting.delete(message.number);
      if (waiting) (message.done ? waiting.resolve : waiting.reject)(message.message);
      else tell(message.done, message.message);
      break;
    }
  }
  look();
}

// --- Whether what is shown is live ---

function look() {
  const silent = performance.now() - page.heard;
  const stale = silent > STALE;
  document.body.classList.toggle("stale", stale);
  const banner = $("stale-banner");
  banner.hidden = !stale || !page.paired;
  if (stale) {
    const since = Number.isFinite(silent) ? ` for ${(silent / 1000).toFixed(1)} s` : "";
    $("link-text").textContent = page.paired ? `no word from the robot${since}` : "not paired";
    banner.textContent = "Not connected: everything below is old. Use the robot's own emergency stop.";
    if (page.driving) hand.release();
  } else {
    $("link-text").textContent = page.state?.safety_silent ? "connected, but safety is silent" : "live";
  }
  $("stop").classList.toggle("unsent", stale);
  pictures.look(stale);
  enable(stale);
}

function enable(stale) {
  const may = !stale && page.mine, safety = page.state?.safety, episode = page.state?.episode;
  $("control").disabled = stale || page.role !== "operator";
  for (const id of ["send", "shadow", "speed", "speed-set"]) $(id).disabled = !may;
  $("arm").disabled = stale || !safety || (!may && !safety.armed);
  $("reset").disabled = !may || safety?.state !== "stopped";
  $("takeover").disabled = !may || Boolean(page.offered?.drive.why_not) || safety?.state === "stopped";
  for (const button of $("answers").children) button.disabled = !may;
  $("episode-start").disabled = !may || !episode || episode.recording || episode.full;
  for (const id of ["episode-success", "episode-failure", "episode-discard"])
    $(id).disabled = !may || !episode?.recording;
}

// --- What comes ---

function offer(message) {
  page.offered = message;
  pictures.offer(message.cameras, message.attention);
  plots.describe(message.dimensions);
  hand.offer(message.drive.axes, message.dimensions);
  $("takeover-text").textContent = message.drive.why_not ? `Not here: ${message.drive.why_not}` :
    "A person's hand goes before the policy, within the same limits.";
  const wordings = Object.values(message.commands);
  fill($("wordings"), wordings.flat().map(text => element("option", { value: text })));
  fill($("suggestions"), wordings.map(([first]) => element("button", {
    type: "button", textContent: first, onclick: () => { $("command-text").value = first; $("command-text").focus(); },
  })));
  $("known").hidden = wordings.length === 0;
}

function showControl(message) {
  page.mine = message.mine;
  page.driving = message.driving && message.mine;
  $("holder").textContent = message.mine ? "You hold control" :
    message.holder ? `${message.holder} holds control` : "Nobody holds control";
  $("control").textContent = message.mine ? "Give up control" : "Take control";
  $("control").setAttribute("aria-pressed", message.mine);
  $("takeover").textContent = page.driving ? "Give back" : "Take over";
  $("takeover").setAttribute("aria-pressed", page.driving);
  $("jog").hidden = !page.driving;
  document.body.classList.toggle("driving", page.driving);
  if (page.driving) hand.start(); else hand.release();
}

function showState(message) {
  const safety = message.safety, section = document.querySelector(".state");
  if (!safety || message.safety_silent) {
    section.dataset.state = "silent";
    $("state").textContent = "unknown";
    const age = message.safety_age === null ? "yet" : `for ${message.safety_age.toFixed(0)} s`;
    $("cause").textContent = `The safety node has not told its state ${age}.`;
    $("clears").textContent = "Clears when the safety node runs and is reached.";
    for (const id of ["outputs", "driver"]) $(id).textContent = "";
    $("more").hidden = true;
    $("limits").textContent = "unknown";
  } else {
    section.dataset.state = safety.state;
    $("state").textContent = safety.state;
    $("outputs").textContent = { armed: "outputs armed", shadow: "shadow: outputs off", disarmed: "disarmed" }[safety.outputs];
    $("outputs").className = safety.outputs === "armed" ? "tag live" : "tag";
    const person = safety.input && safety.input !== "policy";
    $("driver").textContent = person ? `driven by hand (${safety.input})` : safety.input ? "driven by the policy" : "";
    $("driver").className = person ? "tag person" : "tag";
    $("cause").textContent = safety.cause ? sentence(safety.cause) : safety.state === "nominal" ? "Nothing is wrong." : "";
    const left = safety.recovery_left > 0 ? ` (${safety.recovery_left.toFixed(1)} s more)` : "";
    $("clears").textContent = safety.clears_when ? `Goes on when: ${safety.clears_when}${left}` : "";
    fill($("causes"), safety.other_causes.map(text => element("li", { textContent: `also: ${text}` })));
    fill($("faults"), safety.faults.map(fault => element("li", {
      textContent: fault.text, className: fault.level === "error" ? "error" : "warn" })));
    const counts = [[safety.faults.length, "fault"], [safety.other_causes.length, "more cause"]];
    $("more-count").textContent = counts.filter(([n]) => n).map(([n, what]) => `${n} ${what}${n > 1 ? "s" : ""}`).join(", ");
    $("more-count").className = safety.faults.length ? "error" : "";
    $("more").hidden = !$("more-count").textContent;
    const limits = [...safety.limits, ...safety.warnings.map(text => `near: ${text}`)];
    $("limits").textContent = limits.join("; ") || "none";
    $("limits-box").classList.toggle("acting", safety.limits.length > 0);
    $("arm").textContent = safety.armed ? "Disarm" : "Arm";
    $("shadow").textContent = safety.shadow ? "Shadow off" : "Shadow on";
    $("shadow").setAttribute("aria-pressed", safety.shadow);
    $("speed-now").textContent = `now ${Math.round(safety.speed_scale * 100)} %`;
    if (document.activeElement !== $("speed") && !page.speedTouched) $("speed").value = Math.round(safety.speed_scale * 100);
  }
  $("in-force").textContent = safety?.command || "none";
  showQuestion(message.question);
  showEpisode(message.episode);
  showFigures(message);
  showRecordings(message.recordings);
}

function showQuestion(question) {
  $("question").hidden = !question.text;
  if ($("question-text").textContent === question.text) return;
  $("question-text").textContent = question.text;
  fill($("answers"), question.answers.map(text => element("button", {
    type: "button", textContent: text,
    onclick: async () => { if (await confirmed(`“${text}”: the robot does it as soon as it has understood.`)) ask("command", { text }); },
  })));
}

function showEpisode(episode) {
  if (!episode) return;
  const text = $("episode-text");
  fill(text, episode.recording
    ? [element("span", { className: "recording-dot" }), `Recording ${episode.name}, ${(episode.seconds ?? 0).toFixed(0)} s`]
    : [episode.problem || "Not recording."]);
  $("disk").textContent = `${bytes(episode.free)} of disk space left` +
    (episode.full ? ": too little to record" : episode.low ? ": nearly full" : "");
  $("disk").classList.toggle("full", episode.low || episode.full);
}

function showFigures(message) {
  const safety = message.safety, rows = [];
  if (safety) {
    rows.push(["in this state for", duration(safety.since)]);
    rows.push(["observation acted on", milliseconds(safety.observation_age)]);
    rows.push(["control loop", safety.loop.rate ? `${safety.loop.rate.toFixed(0)} Hz, jitter ${milliseconds(safety.loop.jitter_p99)}, work ${milliseconds(safety.loop.duration_p99)} (p99), ${safety.loop.overruns} missed` : "not running"]);
  }
  rows.push(["model", milliseconds(message.inference_time)]);
  rows.push(["last word of safety", milliseconds(message.safety_age)]);
  if (message.task) rows.push(["task", `${message.task.task}, seed ${message.task.seed}: ${message.task.success ? "success" : "running"}`]);
  fill($("figures"), rows.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]));
  const marks = ["✔", "▲", "✖", "?"];
  fill($("nodes"), message.nodes.map(node => {
    const row = document.createElement("tr");
    row.append(element("th", { scope: "row", textContent: `${marks[node.level] ?? "?"} ${node.name}` }), element("td", { textContent: node.message }));
    return row;
  }));
}

let listed = "";
function showRecordings(recordings) {
  const key = JSON.stringify(recordings);
  if (key === listed) return; // a link that is being clicked stays where it is
  listed = key;
  $("no-recordings").hidden = recordings.length > 0;
  fill($("recordings"), recordings.map(each => {
    const when = new Date(each.when).toLocaleString();
    const link = element("a", { href: `/recordings/${encodeURIComponent(each.name)}`, textContent: `${when}, ${bytes(each.size)}` });
    link.setAttribute("download", "");
    return element("li", {}, [link, ` ${each.state}: ${each.cause}`]);
  }));
}

// --- What a person does ---

function stop() {
  hand.release();
  closeConfirm(false);
  ask("stop");
}

function isOn(id) { return $(id).getAttribute("aria-pressed") === "true"; }

$("stop").onclick = stop;
addEventListener("keydown", event => {
  if (event.key === "Escape") { event.preventDefault(); if (!event.repeat) stop(); }
}, true);
$("control").onclick = () => ask("control", { take: !page.mine });
$("command-form").onsubmit = event => {
  event.preventDefault();
  const text = $("command-text").value.trim();
  if (text && page.mine) ask("command", { text });
};
$("arm").onclick = async () => {
  const on = !page.state.safety.armed;
  if (!on || await confirmed("Arming connects the robot's outputs. It moves for the next command.")) ask("arm", { on });
};
$("shadow").onclick = async () => {
  const on = !isOn("shadow");
  if (on || await confirmed("Without shadow what is sent reaches the robot, where it is armed.")) ask("shadow", { on });
};
$("reset").onclick = () => ask("reset");
$("speed").oninput = () => { page.speedTouched = true; $("speed-now").textContent = `${$("speed").value} %, not set yet`; };
$("speed-form").onsubmit = async event => {
  event.preventDefault();
  const scale = Number($("speed").value) / 100, now = page.state.safety.speed_scale;
  if (scale <= now || await confirmed(`Every speed limit becomes ${Math.round(scale * 100)} % instead of ${Math.round(now * 100)} %. What moves now moves faster.`))
    await ask("speed", { scale });
  page.speedTouched = false;
};
$("takeover").onclick = () => ask("takeover", { on: !page.driving });
$("episode-start").onclick = () => ask("episode", { action: "start", note: "" });
for (const action of ["success", "failure"])
  $(`episode-${action}`).onclick = async () => { if (await ask("episode", { action, note: $("note").value.trim() })) $("note").value = ""; };
$("episode-discard").onclick = async () => {
  if (await confirmed("The recording of this episode is deleted.", "Delete it")) ask("episode", { action: "discard", note: "" });
};
for (const button of document.querySelectorAll("[data-role]"))
  button.onclick = () => ask("pair", { role: button.dataset.role });
$("pairing-form").onsubmit = event => { event.preventDefault(); pair($("pairing-code").value); };
addEventListener("visibilitychange", () => {
  if (document.hidden && page.driving) ask("takeover", { on: false }); // a hidden page's clocks stand still
  watch();
});

async function pair(code) {
  try {
    const answer = await fetch("/pair", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ code }) });
    const told = await answer.json();
    $("pairing-message").textContent = answer.ok ? "" : told.message;
    if (answer.ok) { page.paired = true; $("pairing").hidden = true; }
  } catch { $("pairing-message").textContent = "The robot's console does not answer."; }
}

// --- Asking back. Not modal: the stop stays in reach. ---

let decide = null;
function confirmed(text, yes = "Go on") {
  closeConfirm(false);
  $("confirm-text").textContent = text;
  $("confirm-title").textContent = yes === "Go on" ? "The robot may move" : "Are you sure?";
  $("confirm-yes").textContent = yes;
  $("confirm").show();
  $("confirm-yes").focus();
  return new Promise(resolve => { decide = resolve; });
}
function closeConfirm(answer) {
  if ($("confirm").open) $("confirm").close();
  decide?.(answer);
  decide = null;
}
$("confirm-yes").onclick = () => closeConfirm(true);
$("confirm-no").onclick = () => closeConfirm(false);

// --- Words and elements ---

function tell(done, text) {
  const line = element("p", { className: done ? "" : "no", textContent: text });
  $("messages").append(line);
  while ($("messages").children.length > 4) $("messages").firstChild.remove();
  setTimeout(() => line.remove(), MESSAGE);
}
function element(name, properties = {}, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
function fill(parent, children) { // only where something changes: what has the focus keeps it
  const same = parent.childNodes.length === children.length && children.every((child, i) => {
    const there = parent.childNodes[i];
    const text = typeof child === "string" ? child : child.outerHTML;
    return (there.outerHTML ?? there.textContent) === text && !child.onclick;
  });
  if (!same) parent.replaceChildren(...children);
}
function sentence(text) { return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : "."); }
function milliseconds(seconds) { return seconds === null || seconds === undefined ? "–" : seconds < 10 ? `${(seconds * 1000).toFixed(seconds < 0.01 ? 2 : 0)} ms` : `${seconds.toFixed(0)} s`; }
function duration(seconds) {
  if (seconds === null) return "–";
  return seconds < 120 ? `${seconds.toFixed(0)} s` : seconds < 7200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
function bytes(count) { return count < 1e6 ? `${Math.ceil(count / 1e3)} kB` : count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(1)} GB`; }

setInterval(look, 100);
const code = location.hash.slice(1);
if (code) {
  history.replaceState(null, "", location.pathname); // a code in the address would stay in the history
  pair(code).finally(connect);
} else connect();
