// Time, choices, keys and links of the player.

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
  for (const { node, start_ms, end_ms } of [...state.words, ...state.labels]) mark(node, at >= start_ms && at < end_ms);
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
  const { first_ms, n_ms } = state.talk.sounds[state.sound];
  if (ms >= first_ms + n_ms) pause();
  else frame = requestAnimationFrame(tick);
}

function showPlaying(playing) {
  state.playing = playing;
  $("play").classList.toggle("playing", playing);
  $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
}

let plays = 0; // a play that was paused, or followed by another, must not start any more

async function play() {
  const { talk, sound: name } = state, number = ++plays, held = talk.sounds[name];
  if (!held || state.playing) return;
  if (state.ms < held.first_ms || state.ms >= held.first_ms + held.n_ms) show(held.first_ms, true);
  showPlaying(true);
  try {
    sound.wake();
    const buffer = await sound.decode(talk, name);
    if (number !== plays) return;
    sound.start(buffer, held, state.ms, state.channel);
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
  remember();
  if (was) play();
}

const LEAD_MS = 2000; // heard before an event

// Goes to shortly before the next event, or with -1 to the one before.
function step(direction) {
  const events = shownEvents().map((e) => ({ ...e, at: Math.max(e.start_ms - LEAD_MS, 0) }));
  const found = direction > 0 ? events.find((e) => e.at > state.ms + 50) : events.findLast((e) => e.at < state.ms - 500);
  if (!found) return;
  seek(found.at);
  $("event").textContent = `${found.label} at ${clock(state.talk.first_ms + found.start_ms)}`;
}

// -- links ----------------------------------------------------------------------------------------------------------

// The address of the page leads to the conversation and time that are shown.
function remember() {
  const t = ((state.talk.first_ms + state.ms) / 1000).toFixed(1);
  try { // a page within another has no address of its own
    history.replaceState(null, "", `#${new URLSearchParams({ conversation: state.talk.id, t })}`);
  } catch {}
}

const named = (hash) => new URLSearchParams(hash.slice(1));

// Shows the conversation and time that the address names; false if it names none.
function follow() {
  const wanted = named(location.hash), picks = [...document.querySelectorAll(".pick")];
  const pick = picks.find((each) => named(each.hash).get("conversation") === wanted.get("conversation"));
  if (!wanted.has("conversation") || !pick) return false;
  choose(Number(pick.dataset.index));
  const ms = Number.parseFloat(wanted.get("t")) * 1000 - state.talk.first_ms;
  if (Number.isFinite(ms)) show(ms, true);
  $("listen").scrollIntoView();
  return true;
}

async function copyLink() {
  remember();
  try {
    await navigator.clipboard.writeText(location.href);
    $("event").textContent = "The link is copied.";
  } catch {
    $("event").textContent = "The address of this page is now the link.";
  }
}

// -- choices --------------------------------------------------------------------------------------------------------

function press(buttons, chosen) {
  for (const button of buttons) button.setAttribute("aria-pressed", chosen(button));
}

function choose(number) {
  pause();
  state.talk = { ...JSON.parse(talks[number].textContent), number };
  state.ms = state.talk.opens_ms;
  state.zoom = Math.max(Math.min(state.zoom, ZOOMS.at(-1)), smallest());
  $("event").textContent = "";
  for (const pick of document.querySelectorAll(".pick")) pick.setAttribute("aria-current", Number(pick.dataset.index) === number);
  $("seek").max = state.talk.n_ms;
  $("time-all").textContent = clock(state.talk.total_ms);
  for (const button of document.querySelectorAll("[data-sound]")) button.disabled = !state.talk.sounds[button.dataset.sound];
  $("play").disabled = !SOUND_NAMES.some((name) => state.talk.sounds[name]);
  chooseSound(SOUND_NAMES.find((name) => state.talk.sounds[name]) ?? "decoded");
  drawFacts();
  drawScript();
  drawRows();
  show(state.ms, true);
}

function chooseSound(name) {
  const was = state.playing;
  pause();
  state.sound = name;
  press(document.querySelectorAll("[data-sound]"), (button) => button.dataset.sound === name);
  $("said").textContent = { recorded: "The sound as it was mixed and encoded", decoded: "The sound that the speech tokens decode to" }[name] + extent(name);
  drawLanes();
  show(state.ms, true);
  if (was) play();
}

// Times of a sound that is only a part of what is shown, or a full stop.
function extent(name) {
  const held = state.talk.sounds[name], { first_ms, n_ms } = state.talk;
  if (!held || held.n_ms >= n_ms) return ".";
  return `, from ${clock(first_ms + held.first_ms)} to ${clock(first_ms + held.first_ms + held.n_ms)}.`;
}

const ACTIONS = {
  " ": () => (state.playing ? pause() : play()),
  ArrowLeft: (n) => seek(state.ms - 1000 * n),
  ArrowRight: (n) => seek(state.ms + 1000 * n),
  n: () => step(1),
  p: () => step(-1),
  Home: () => seek(0),
  End: () => seek(state.talk.n_ms),
};

// True if a key pressed at a node steers the player: not where it has another meaning, or the player is out of sight.
function steers(node, key) {
  if (node.matches("#lanes, #seek")) return true;
  if (key === "Home" || key === "End" || node.matches("select, summary")) return false;
  const { top, bottom } = $("player").getBoundingClientRect();
  if (node === document.body) return bottom > 0 && top < innerHeight;
  if (!$("player").contains(node)) return false;
  if (key === " ") return !node.matches("button, a, .script, .lines");
  return !(key.startsWith("Arrow") && node.matches(".script, .lines"));
}

function onKey(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.altKey || event.metaKey || !Object.hasOwn(ACTIONS, key) || !steers(event.target, key)) return;
  ACTIONS[key](event.shiftKey ? 5 : 1);
  event.preventDefault();
}

if (talks.length) {
  $("player").hidden = false;
  for (const pick of document.querySelectorAll(".pick")) {
    pick.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab or window
      event.preventDefault();
      choose(Number(pick.dataset.index));
      remember();
    });
  }
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
  $("event-before").addEventListener("click", () => step(-1));
  $("event-next").addEventListener("click", () => step(1));
  $("copy-link").addEventListener("click", copyLink);
  addEventListener("keydown", onKey);
  $("lanes").addEventListener("scroll", showView, { passive: true });
  $("track").addEventListener("click", (event) => seek((event.clientX - $("track").getBoundingClientRect().left) / state.zoom));
  $("row").addEventListener("change", () => {
    drawRow();
    const { start_ms } = state.lines.find((line) => line.end_ms > state.ms) ?? state.lines.at(0) ?? {};
    if (start_ms > state.ms || (state.lines.length && state.lines.at(-1).end_ms <= state.ms)) seek(start_ms);
  });
  $("zoom-all").addEventListener("click", () => zoomTo(smallest()));
  $("zoom-in").addEventListener("click", () => zoomTo(ZOOMS.find((zoom) => zoom > state.zoom * 1.01) ?? ZOOMS.at(-1)));
  $("zoom-out").addEventListener("click", () => zoomTo(Math.max(ZOOMS.findLast((zoom) => zoom < state.zoom * 0.99) ?? 0, smallest())));
  addEventListener("resize", () => show(state.ms, false));
  addEventListener("hashchange", () => follow() || unfold(location.hash.slice(1)));
  if (!follow()) choose(0);
}
if (location.hash) unfold(location.hash.slice(1));
