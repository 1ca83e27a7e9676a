// What the player shows: lanes, transcript, facts and rows of a conversation.

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
const state = { talk: null, ms: 0, playing: false, channel: "both", sound: "decoded", zoom: 0.14, lines: [], words: [], labels: [] };

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
  if (!held) return [];
  const svg = wave(held.waves[role === "user" ? 0 : 1], role); // the sound may be a part of what is shown
  svg.style.left = `${100 * held.first_ms / state.talk.n_ms}%`;
  svg.style.width = `${100 * held.n_ms / state.talk.n_ms}%`;
  return [svg];
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

const shownEvents = () => state.talk.events.filter((e) => !UNSHOWN.has(e.kind)).sort((a, b) => a.start_ms - b.start_ms);

// Events of a role as labels, in as many rows as keep them from covering each other.
function happenings(role) {
  const node = make("div", "happenings"), ends = [];
  for (const e of shownEvents().filter((event) => event.role === role)) {
    const label = make("span", `event ${Object.hasOwn(TONES, e.kind) ? TONES[e.kind] : ""}`, e.label.replace(" (assistant)", ""));
    label.title = `${e.meaning}${e.hard_negative ? " (a hard negative: it must change nothing)" : ""}`;
    const left = Math.max(e.start_ms, 0) * state.zoom;
    const end_ms = Math.min(e.end_ms, state.talk.n_ms); // nothing is drawn beyond the end
    const right = Math.max(end_ms * state.zoom, left + e.label.length * 6.6 + 14);
    let row = ends.findIndex((end) => end + LABEL_GAP_PX <= left);
    if (row < 0) row = ends.length;
    ends[row] = right;
    label.style.left = `${left}px`;
    label.style.minWidth = `${(end_ms - Math.max(e.start_ms, 0)) * state.zoom}px`;
    label.style.top = `${row * LANE_EVENT_PX + 2}px`;
    state.labels.push({ node: label, start_ms: e.start_ms, end_ms: Math.max(e.end_ms, e.start_ms + 400) });
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
    const wide = n_ms * state.zoom, unit = wide > 48 ? " ms" : "";
    const text = wide > 24 ? `${e.kind === "gap" ? "" : "−"}${n_ms}${unit}` : "";
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
  state.labels = [];
  cursor.id = "cursor";
  track.style.width = `${state.talk.n_ms * state.zoom}px`;
  track.classList.toggle("coarse", state.zoom <= COARSE);
  track.replaceChildren(
    axis(), happenings("user"), lane("user"), between(), lane("assistant"), happenings("assistant"), cursor);
  $("overview-waves").replaceChildren(...waves("user"), ...waves("assistant"));
  $("zoom-out").disabled = state.zoom <= smallest();
  $("zoom-in").disabled = state.zoom >= ZOOMS.at(-1);
}

// The zoom that shows the whole conversation; a smaller one would leave a part of the lanes empty.
const smallest = () => $("lanes").clientWidth / state.talk.n_ms;

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
    const shown = `${clock(t.first_ms)} to ${clock(t.first_ms + t.n_ms)}`;
    facts.push(["excerpt", `this page holds ${shown} of a conversation that lasts ${clock(t.total_ms)}`]);
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
  state.hasText = row.task !== "two_stream"; // of `parallel` too
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
