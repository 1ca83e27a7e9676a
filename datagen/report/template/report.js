"use strict";
// The player of a report, and its switch of themes. All text of the data goes in as text, never as markup.

const $ = (id) => document.getElementById(id);

function make(tag, name = "", text = null) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== null) node.textContent = text;
  return node;
}

// -- theme ----------------------------------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");

function stored(value) {
  try { // a page opened from a file may be denied its storage
    if (value) localStorage.setItem("datagen-theme", value);
    return localStorage.getItem("datagen-theme");
  } catch { return value; }
}

function showTheme(chosen) {
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  const isDark = (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  $("theme").setAttribute("aria-pressed", isDark);
  return isDark;
}

$("theme").addEventListener("click", () => {
  const next = showTheme() ? "light" : "dark";
  stored(next);
  showTheme(next);
});
dark.addEventListener("change", () => showTheme());
showTheme(stored());

// -- sound ----------------------------------------------------------------------------------------------------------

const RATE_HZ = 24000;
const MP3_DELAY = 1105; // samples that an MP3 begins with, for decoders that do not take them off

class Sound {
  #decoded = new Map(); // at most two: a minute takes 11 MB
  #context = null;
  #source = null;
  #gains = null;
  #startedAt = 0;

  async decode(talk, name) {
    const key = `${talk.number} ${name}`;
    if (!this.#decoded.has(key)) {
      const bytes = Uint8Array.from(atob(talk.sounds[name].mp3), (c) => c.charCodeAt(0));
      if (this.#decoded.size > 1) this.#decoded.delete(this.#decoded.keys().next().value);
      this.#decoded.set(key, new OfflineAudioContext(2, 1, RATE_HZ).decodeAudioData(bytes.buffer));
    }
    return this.#decoded.get(key);
  }

  // Browsers want to be asked for sound while a key or button is down, before anything else is waited for.
  wake() {
    this.#context ??= new AudioContext();
    this.#context.resume();
  }

  // Play from a time on; of one channel alone, both ears hear it.
  start(buffer, talk, ms, channel) {
    this.stop();
    const context = this.#context;
    const splitter = context.createChannelSplitter(2), merger = context.createChannelMerger(2);
    this.#gains = [0, 1].flatMap((from) => [0, 1].map((to) => {
      const gain = context.createGain();
      splitter.connect(gain, from).connect(merger, 0, to);
      return { gain, from, to };
    }));
    this.route(channel);
    this.#source = context.createBufferSource();
    this.#source.buffer = buffer;
    this.#source.connect(splitter);
    merger.connect(context.destination);
    const delay = buffer.length - talk.n_ms * RATE_HZ / 1000 >= MP3_DELAY ? MP3_DELAY / RATE_HZ : 0;
    this.#source.start(0, delay + ms / 1000);
    this.#startedAt = context.currentTime - ms / 1000;
  }

  route(channel) {
    for (const { gain, from, to } of this.#gains ?? []) {
      const alone = { user: 0, assistant: 1 }[channel];
      gain.gain.value = (alone === undefined ? from === to : from === alone) ? 1 : 0;
    }
  }

  // Gains from [user, assistant] to the left and right ear.
  get routing() { return (this.#gains ?? []).map(({ gain }) => gain.gain.value); }

  stop() {
    this.#source?.stop();
    this.#source?.disconnect();
    this.#source = null;
  }

  // What is heard now, in ms.
  now() {
    const late = this.#context.outputLatency || 0;
    return (this.#context.currentTime - this.#startedAt - late) * 1000;
  }
}

// -- player ---------------------------------------------------------------------------------------------------------

const LABEL_GAP_PX = 6, LANE_EVENT_PX = 23, COARSE = 0.06, ZOOMS = [0.03, 0.06, 0.14, 0.24, 0.4];
const TONES = {
  barge_in: "strong", competition: "strong", next_turn: "strong", repeat_request: "strong", wait_request: "strong",
  stop_request: "strong", got_it: "strong", correction: "strong", false_start: "strong", backchannel: "listen",
  failed_barge_in: "strong", overlapping_start: "strong", // of data version 3
};
const OVERLAPS = new Set(["overlapping_end", "overlap"]); // the second is that of data version 3
const UNSHOWN = new Set(["gap", ...OVERLAPS, "competition"]); // drawn between the lanes, or with its barge-in
const SOUND_NAMES = ["recorded", "decoded"];

const talks = [...document.querySelectorAll("script.talk")];
const sound = new Sound();
const state = { talk: null, ms: 0, playing: false, channel: "both", sound: "decoded", zoom: 0.14, lines: [], words: [] };

function clock(ms) {
  const tenths = Math.max(0, Math.round(ms / 100));
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

function place(node, start_ms, end_ms) {
  node.style.left = `${start_ms * state.zoom}px`;
  node.style.width = `${Math.max((end_ms - start_ms) * state.zoom, 1)}px`;
  return node;
}

function wave(text, role) {
  const heights = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", `0 -1 ${Math.max(heights.length, 1)} 2`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("class", `wave ${role}`);
  const height = (h) => Math.max((h / 255) ** 0.6, 0.015); // quiet sound can be seen beside loud
  const side = (sign) => (h, i) => `${i + 0.5},${(sign * height(h)).toFixed(3)}`;
  const up = Array.from(heights, side(-1)), down = Array.from(heights, side(1)).reverse();
  if (up.length) path.setAttribute("d", `M${up.join("L")}L${down.join("L")}Z`);
  svg.append(path);
  return svg;
}

function waves(role) {
  const held = state.talk.sounds[state.sound];
  return held ? [wave(held.waves[role === "user" ? 0 : 1], role)] : [];
}

function lane(role) {
  const node = make("div", `lane ${role}`);
  const own = state.talk.utterances.filter((u) => u.role === role);
  for (const u of own) {
    const tone = (u.kind === "backchannel" ? " backchannel" : "") + (u.unsaid ? " cut" : "");
    node.append(place(make("div", `block${tone}`), u.start_ms, u.end_ms));
  }
  node.append(...waves(role));
  for (const u of own) {
    for (const [index, [text, start_ms, end_ms]] of u.words.entries()) { // in two rows, so that each has room
      const word = place(make("span", index % 2 ? "word low" : "word", text), start_ms, end_ms);
      word.title = text;
      state.words.push({ node: word, start_ms, end_ms });
      node.append(word);
    }
  }
  return node;
}

// Events of a role as labels, in as many rows as keep them from covering each other.
function happenings(role) {
  const node = make("div", "happenings"), ends = [];
  const own = state.talk.events.filter((e) => e.role === role && !UNSHOWN.has(e.kind));
  for (const e of own.sort((a, b) => a.start_ms - b.start_ms)) {
    const label = make("span", `event ${Object.hasOwn(TONES, e.kind) ? TONES[e.kind] : ""}`, e.label.replace(" (assistant)", ""));
    label.title = `${e.meaning}${e.hard_negative ? " (a hard negative: it must change nothing)" : ""}`;
    const left = Math.max(e.start_ms, 0) * state.zoom;
    const right = Math.max(e.end_ms * state.zoom, left + e.label.length * 6.6 + 14);
    let row = ends.findIndex((end) => end + LABEL_GAP_PX <= left);
    if (row < 0) row = ends.length;
    ends[row] = right;
    label.style.left = `${left}px`;
    label.style.minWidth = `${(e.end_ms - Math.max(e.start_ms, 0)) * state.zoom}px`;
    label.style.top = `${row * LANE_EVENT_PX + 2}px`;
    node.append(label);
  }
  node.style.height = `${ends.length * LANE_EVENT_PX + 4}px`;
  return node;
}

// Changes of the floor between the lanes: a gap with its length, or an overlap.
function between() {
  const node = make("div", "between");
  for (const e of state.talk.events) {
    if (e.kind !== "gap" && !OVERLAPS.has(e.kind)) continue;
    const n_ms = e.end_ms - e.start_ms;
    const text = n_ms * state.zoom > 24 ? `${e.kind === "gap" ? "" : "−"}${n_ms}` : "";
    const bar = place(make("span", e.kind === "gap" ? "" : "overlap", text), e.start_ms, e.end_ms);
    bar.title = `${e.label} of ${n_ms} ms`;
    node.append(bar);
  }
  return node;
}

function axis() {
  const node = make("div", "axis");
  const step = [500, 1000, 2000, 5000, 10000, 30000].find((ms) => ms * state.zoom >= 56);
  const { first_ms, n_ms } = state.talk;
  for (let ms = Math.ceil(first_ms / step) * step; ms < first_ms + n_ms; ms += step) {
    const tick = make("span", "", clock(ms).replace(/\.0$/, ""));
    tick.style.left = `${(ms - first_ms) * state.zoom}px`;
    node.append(tick);
  }
  return node;
}

function drawLanes() {
  const track = $("track"), cursor = make("div");
  state.words = [];
  cursor.id = "cursor";
  track.style.width = `${state.talk.n_ms * state.zoom}px`;
  track.classList.toggle("coarse", state.zoom <= COARSE);
  track.replaceChildren(
    axis(), happenings("user"), lane("user"), between(), lane("assistant"), happenings("assistant"), cursor);
  $("overview-waves").replaceChildren(...waves("user"), ...waves("assistant"));
  $("zoom-out").disabled = state.zoom <= smallest();
  $("zoom-in").disabled = state.zoom >= ZOOMS.at(-1);
}

const smallest = () => Math.min($("lanes").clientWidth / state.talk.n_ms, ZOOMS[0]);

function zoomTo(zoom) {
  state.zoom = zoom;
  drawLanes();
  show(state.ms, true);
}

function drawScript() {
  $("script").replaceChildren(...state.talk.utterances.toSorted((a, b) => a.start_ms - b.start_ms).map((u) => {
    const item = make("li", u.role === "user" ? "user" : "assistant"), said = make("div");
    const button = make("button", "", clock(state.talk.first_ms + u.start_ms));
    button.type = "button";
    button.setAttribute("aria-label", `Go to ${button.textContent}`);
    button.addEventListener("click", () => seek(u.start_ms));
    said.append(make("span", "who", u.kind === "turn" ? u.role : `${u.role}, ${u.kind}`), make("bdi", "", u.said));
    if (u.unsaid) said.append(" ", make("del", "", u.unsaid));
    item.append(button, said);
    item.dataset.start = u.start_ms;
    item.dataset.end = u.end_ms;
    return item;
  }));
}

function drawFacts() {
  const t = state.talk, facts = [["split", t.split], ["language", t.language], ["source", t.source], ["record", t.record],
    ["user", t.voices.user.join(", ")], ["assistant", t.voices.assistant.join(", ")], ["user's channel", t.mixing.join("; ") || "clean"]];
  if (t.n_ms < t.total_ms) {
    facts.push(["shown", `${clock(t.first_ms)} to ${clock(t.first_ms + t.n_ms)} of ${clock(t.total_ms)}`]);
  }
  $("talk-title").replaceChildren(make("bdi", "", t.id));
  $("talk-facts").replaceChildren(...facts.map(([name, value]) => {
    const pair = make("div");
    const held = make("dd");
    held.append(make("bdi", "", value));
    pair.append(make("dt", "", name), held);
    return pair;
  }));
}

// -- rows -----------------------------------------------------------------------------------------------------------

function codes(list, role) {
  const cell = make("td", `codes of-${role}`);
  for (const code of list) {
    cell.append(code === null ? make("span", "silent", "·") : make("span", "", String(code)));
  }
  return cell;
}

function drawLine(line) {
  const row = make("tr"), timed = line.start_ms !== undefined;
  row.append(make("td", "at", timed ? clock(state.talk.first_ms + line.start_ms) : ""));
  if (line.user) {
    row.append(codes(line.user, "user"));
    if (state.hasText) row.append(make("td", line.text ? "said" : "said silent", line.text || "·"));
    row.append(codes(line.assistant, "assistant"), make("td", "marks", line.marks));
  } else {
    const role = line.kind.startsWith("user") ? "user" : "assistant";
    row.append(make("td", "", line.kind));
    row.append(line.codes ? codes(line.codes, role) : make("td", "said long", line.text));
    row.append(make("td", "", line.learned ? "learned" : ""));
  }
  if (timed) row.addEventListener("click", () => seek(line.start_ms));
  return row;
}

function drawRow() {
  const row = state.talk.rows[$("row").value], lines = $("lines");
  state.lines = [];
  $("row-facts").textContent = row ? `${row.split}, ${row.n_tokens.toLocaleString("en")} tokens, ${row.n_learned.toLocaleString("en")} of them learned` : "none";
  if (!row) return lines.replaceChildren();
  const table = make("table"), head = make("tr"), body = make("tbody"), top = make("thead");
  const streamed = row.lines.some((line) => line.user);
  state.hasText = row.task === "three_stream";
  const names = streamed ? ["user speech", ...(state.hasText ? ["assistant text"] : []), "assistant speech", "what happens"]
    : ["stream", "tokens", "loss"];
  for (const name of ["time", ...names]) {
    const cell = make("th", "", name);
    cell.scope = "col";
    head.append(cell);
  }
  top.append(head);
  const { first_ms, n_ms, total_ms } = state.talk;
  const end_ms = first_ms + n_ms < total_ms ? n_ms : Infinity; // late text goes on when the conversation has ended
  for (const line of row.lines) {
    if (line.end_ms <= 0 || line.start_ms >= end_ms) continue;
    const node = drawLine(line);
    body.append(node);
    if (line.start_ms !== undefined) state.lines.push({ node, ...line });
  }
  table.append(top, body);
  lines.replaceChildren(table);
  lines.scrollTop = 0;
  return showLine(state.ms);
}

// When time leaves the chosen row, goes on with the row of the same task that has it.
function followRow(ms) {
  const rows = state.talk.rows, chosen = rows[$("row").value];
  const holds = (row) => row.lines.some((line) => ms >= line.start_ms && ms < line.end_ms);
  if (!chosen || holds(chosen)) return;
  const next = rows.findIndex((row) => row.task === chosen.task && holds(row));
  if (next < 0) return;
  $("row").value = next;
  drawRow();
}

function drawRows() {
  $("row").replaceChildren(...state.talk.rows.map((row, index) => {
    const option = make("option", "", row.row_id.startsWith(`${state.talk.id}#`) ? row.row_id.slice(state.talk.id.length + 1).replace("#", ", part ") : row.row_id);
    option.value = index;
    return option;
  }));
  drawRow();
}

// -- time -----------------------------------------------------------------------------------------------------------

function mark(node, isNow) {
  if (node.classList.contains("now") !== isNow) {
    node.classList.toggle("now", isNow);
    return isNow;
  }
  return false;
}

function into(box, node) { // scrolls the box alone, never the page
  const above = node.offsetTop - box.scrollTop, head = 40;
  if (above < head || above + node.offsetHeight > box.clientHeight - 10) box.scrollTop = node.offsetTop - box.clientHeight / 3;
}

function showLine(ms) {
  for (const { node, start_ms, end_ms } of state.lines) {
    const isNow = ms >= start_ms && ms < end_ms;
    if (mark(node, isNow)) into($("lines"), node);
    if (!isNow && !node.querySelector(".now")) continue;
    const frame = isNow ? (ms - start_ms) / (end_ms - start_ms) : -1;
    for (const cell of node.querySelectorAll(".codes")) {
      [...cell.children].forEach((code, k) => mark(code, k === Math.floor(frame * cell.children.length)));
    }
  }
}

function show(ms, follow = state.playing) {
  state.ms = Math.min(Math.max(ms, 0), state.talk.n_ms);
  const at = state.ms, x = at * state.zoom, lanes = $("lanes");
  $("cursor").style.transform = `translateX(${x}px)`;
  $("seek").value = at;
  $("seek").setAttribute("aria-valuetext", `${clock(state.talk.first_ms + at)} of ${clock(state.talk.total_ms)}`);
  $("time-now").textContent = clock(state.talk.first_ms + at);
  if (follow && (x < lanes.scrollLeft + 20 || x > lanes.scrollLeft + lanes.clientWidth * 0.8)) {
    lanes.scrollLeft = x - lanes.clientWidth * 0.25;
  }
  for (const { node, start_ms, end_ms } of state.words) mark(node, at >= start_ms && at < end_ms);
  for (const item of $("script").children) {
    if (mark(item, at >= item.dataset.start && at < item.dataset.end)) into($("script"), item);
  }
  if (state.playing || follow) followRow(at);
  showLine(at);
  showView();
}

function showView() {
  const lanes = $("lanes"), whole = state.talk.n_ms * state.zoom;
  $("view").style.left = `${100 * lanes.scrollLeft / whole}%`;
  $("view").style.width = `${Math.min(100, 100 * lanes.clientWidth / whole)}%`;
}

let frame = 0; // the next one of the one loop that moves the cursor

function tick() {
  const ms = sound.now();
  show(ms);
  if (ms >= state.talk.n_ms) pause();
  else frame = requestAnimationFrame(tick);
}

function showPlaying(playing) {
  state.playing = playing;
  $("play").classList.toggle("playing", playing);
  $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
}

let plays = 0; // a play that was paused, or followed by another, must not start any more

async function play() {
  const { talk, sound: name } = state, number = ++plays;
  if (!talk.sounds[name] || state.playing) return;
  if (state.ms >= talk.n_ms) show(0, true);
  showPlaying(true);
  try {
    sound.wake();
    const buffer = await sound.decode(talk, name);
    if (number !== plays) return;
    sound.start(buffer, talk, state.ms, state.channel);
    tick();
  } catch (error) {
    if (number !== plays) return;
    showPlaying(false);
    $("said").textContent = `This browser cannot play the sound: ${error.message}`;
  }
}

function pause() {
  plays += 1;
  cancelAnimationFrame(frame);
  showPlaying(false);
  sound.stop();
}

function seek(ms) {
  const was = state.playing;
  pause();
  show(ms, true);
  if (was) play();
}

// -- choices --------------------------------------------------------------------------------------------------------

function press(buttons, chosen) {
  for (const button of buttons) button.setAttribute("aria-pressed", chosen(button));
}

function choose(number) {
  pause();
  state.talk = { ...JSON.parse(talks[number].textContent), number };
  state.ms = 0;
  press(document.querySelectorAll(".pick"), (button) => Number(button.dataset.index) === number);
  $("seek").max = state.talk.n_ms;
  $("time-all").textContent = clock(state.talk.total_ms);
  for (const button of document.querySelectorAll("[data-sound]")) button.disabled = !state.talk.sounds[button.dataset.sound];
  $("play").disabled = !SOUND_NAMES.some((name) => state.talk.sounds[name]);
  chooseSound(SOUND_NAMES.find((name) => state.talk.sounds[name]) ?? "decoded");
  drawFacts();
  drawScript();
  drawRows();
  show(0, true);
}

function chooseSound(name) {
  const was = state.playing;
  pause();
  state.sound = name;
  press(document.querySelectorAll("[data-sound]"), (button) => button.dataset.sound === name);
  $("said").textContent = {
    recorded: "The sound as it was mixed and encoded.",
    decoded: "The sound that the speech tokens decode to.",
  }[name];
  drawLanes();
  show(state.ms, true);
  if (was) play();
}

function onKey(event) {
  const step = { ArrowLeft: -1000, ArrowRight: 1000 }[event.key];
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (step) seek(state.ms + step * (event.shiftKey ? 5 : 1));
  else if (event.key === "Home") seek(0);
  else if (event.key === "End") seek(state.talk.n_ms);
  else if (event.key === " ") state.playing ? pause() : play();
  else return;
  event.preventDefault();
}

if (talks.length) {
  $("player").hidden = false;
  for (const button of document.querySelectorAll(".pick")) button.addEventListener("click", () => choose(Number(button.dataset.index)));
  for (const button of document.querySelectorAll("[data-sound]")) button.addEventListener("click", () => chooseSound(button.dataset.sound));
  for (const button of document.querySelectorAll("[data-channel]")) {
    button.addEventListener("click", () => {
      state.channel = button.dataset.channel;
      press(document.querySelectorAll("[data-channel]"), (other) => other === button);
      sound.route(state.channel);
    });
  }
  $("play").addEventListener("click", () => (state.playing ? pause() : play()));
  $("back").addEventListener("click", () => seek(state.ms - 5000));
  $("ahead").addEventListener("click", () => seek(state.ms + 5000));
  $("seek").addEventListener("input", () => seek(Number($("seek").value)));
  $("seek").addEventListener("keydown", onKey);
  $("lanes").addEventListener("keydown", onKey);
  $("lanes").addEventListener("scroll", showView, { passive: true });
  $("track").addEventListener("click", (event) => seek((event.clientX - $("track").getBoundingClientRect().left) / state.zoom));
  $("row").addEventListener("change", () => {
    drawRow();
    const { start_ms } = state.lines.find((line) => line.end_ms > state.ms) ?? state.lines.at(0) ?? {};
    if (start_ms > state.ms || (state.lines.length && state.lines.at(-1).end_ms <= state.ms)) seek(start_ms);
  });
  $("zoom-all").addEventListener("click", () => zoomTo($("lanes").clientWidth / state.talk.n_ms));
  $("zoom-in").addEventListener("click", () => zoomTo(ZOOMS.find((zoom) => zoom > state.zoom * 1.01) ?? ZOOMS.at(-1)));
  $("zoom-out").addEventListener("click", () => zoomTo(ZOOMS.findLast((zoom) => zoom < state.zoom * 0.99) ?? smallest()));
  addEventListener("resize", () => show(state.ms, false));
  choose(0);
}
