"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id), stage = byId("stage"), AHEAD = 6;
const CHOICES = {
  match: [["Fail", false, "no", "F", ["f", "arrowleft"]], ["Pass", true, "yes", "J", ["j", "arrowright"]]],
  style: [["Leave", false, "no", "F", ["f", "arrowleft"]], ["Pick", true, "yes", "J", ["j", "arrowright"]]],
  pair: [["1 is better", "left", "", "F", ["f", "1", "arrowleft"]], ["Tie", "tie", "", "T", ["t", "0", "arrowdown"]], ["2 is better", "right", "", "J", ["j", "2", "arrowright"]]],
}[data.question];
const GROUNDS = ["chequered", "light", "dark"];
let rater = "", item = null, busy = false, shown = false, canUndo = false, closed = false;
const images = new Map();  // of what is shown next: kept, so that nothing is asked for twice

const memory = {  // what a reload needs; a browser may forbid it
  get(name) { try { return (data.served ? sessionStorage : localStorage).getItem(name); } catch { return null; } },
  set(name, text) { try { (data.served ? sessionStorage : localStorage).setItem(name, text); return true; } catch { return false; } },
};

function tell(text, bad) {
  byId("state").textContent = text || "";
  byId("state").classList.toggle("bad", Boolean(bad));
}

function image(id) {
  if (!images.has(id)) {
    const element = new Image();
    element.alt = "";
    element.decoding = "async";
    element.ready = new Promise((resolve) => { element.onload = () => resolve(true); element.onerror = () => resolve(false); });
    element.src = data.served ? `${location.pathname}/picture/${id}` : id;
    images.set(id, element);
  }
  return images.get(id);
}

function enable() {
  for (const button of byId("answers").children) button.disabled = busy || closed || !item || !shown;
  byId("skip").disabled = busy || closed || !item;
  byId("undo").disabled = busy || closed || !canUndo;
}

function notice(text, ...parts) {
  const box = document.createElement("div"), line = document.createElement("p");
  box.id = "notice"; line.textContent = text; box.append(line, ...parts);
  stage.replaceChildren(box);
}

function hint() {
  const line = document.createElement("p");
  line.textContent = data.served ? "“Save and close” ends the page, for everybody who rates here." : "“Download the ratings” saves them.";
  return line;
}

async function show(state) {
  canUndo = state.undo; item = state.items[0] || null; shown = false;
  byId("count").textContent = `${state.answered} of ${state.total}`;
  byId("progress").max = state.total; byId("progress").value = state.answered;
  byId("who").textContent = rater; byId("who").hidden = false;
  byId("prompt").textContent = item ? item.text : "";
  const wanted = new Set(state.items.flatMap((one) => one.pictures));
  for (const id of [...images.keys()]) if (!wanted.has(id)) images.delete(id);
  if (!item) {
    notice(`All ${state.total} decided. Thank you, ${rater}.`, hint());
    enable();
    return;
  }
  const current = item, elements = current.pictures.map(image);
  stage.replaceChildren(...elements.map((element, place) => {
    const figure = document.createElement("figure");
    if (elements.length > 1) {
      const caption = document.createElement("figcaption");
      caption.textContent = String(place + 1);
      figure.append(caption);
      figure.addEventListener("click", () => answer(place ? "right" : "left"));
    }
    element.alt = elements.length > 1 ? `picture ${place + 1}` : "the picture";
    figure.append(element);
    return figure;
  }));
  enable();
  const loaded = await Promise.all(elements.map((element) => element.ready));
  if (item !== current) return;
  shown = loaded.every(Boolean);
  if (!shown) tell("this cannot be shown: skip it", true);
  enable();
  for (const id of wanted) image(id);
}

async function ask(message) {
  if (busy || closed) return null;
  busy = true; enable();
  let state = null;
  try {
    state = await backend({ rater, ...message });
  } catch {
    tell("stickerforge does not answer: this was not saved. Start it again, and open the address that it says", true);
  }
  busy = false; enable();
  return state;
}

async function act(message, said) {
  const state = await ask(message);
  if (!state) return;
  tell(state.wrong || said || (state.items[0] && state.items[0].again ? "skipped before" : ""), Boolean(state.wrong));
  if (state.items) await show(state);
}

function answer(value) {
  if (item && shown && !busy) act({ action: "answer", item: item.id, answer: value });
}
function skip() { if (item && !busy) act({ action: "skip", item: item.id }); }
function undo() { if (canUndo && !busy) act({ action: "undo" }, "taken back"); }

async function open(name) {
  const state = await ask({ action: "open", rater: name });
  if (!state) return;
  if (state.wrong) { tell(state.wrong, true); return; }
  rater = state.rater;
  memory.set(`rater ${data.set}`, rater);
  tell("");
  await show(state);
}

async function close() {
  if (!data.served) { download(); return; }
  const state = await ask({ action: "close" });
  if (!state) return;
  closed = true; item = null;
  byId("prompt").textContent = "";
  notice("Saved. This page can be closed.");
  byId("close").disabled = true;
  enable();
}

function askName() {
  item = null; canUndo = false;
  byId("prompt").textContent = "";
  const form = document.createElement("form"), field = document.createElement("input"), button = document.createElement("button");
  field.maxLength = 80; field.required = true; field.autocomplete = "off"; field.setAttribute("aria-label", "Your name"); field.id = "name";
  button.textContent = "Begin"; button.className = "main";
  form.append(field, button);
  form.addEventListener("submit", (event) => { event.preventDefault(); if (field.value.trim()) open(field.value); });
  notice("Your name, please: each rater decides alone.", form);
  enable();
  field.focus();
}

function setGround(name) {
  document.body.dataset.ground = name;
  memory.set("ground", name);
  for (const button of byId("grounds").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.name === name));
}
function nextGround() { setGround(GROUNDS[(GROUNDS.indexOf(document.body.dataset.ground) + 1) % GROUNDS.length]); }

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.tagName === "INPUT") return;
  const letter = /^Key([A-Z])$/.exec(event.code);
  // On a keyboard of another script the key at the place of the letter counts.
  const key = event.key.length === 1 && event.key > "\x7f" && letter ? letter[1].toLowerCase() : event.key.toLowerCase();
  const choice = CHOICES.find((one) => one[4].includes(key));
  const effect = choice ? () => answer(choice[1]) : { s: skip, u: undo, backspace: undo, g: nextGround }[key];
  if (!effect) return;
  event.preventDefault();
  effect();
}

// A page that is opened as a file decides by itself, and keeps what was decided in the browser.
function rank(text) {  // FNV-1a, and its bits mixed (murmur3)
  let hash = 0x811c9dc5;
  for (const unit of text) hash = Math.imul(hash ^ unit.codePointAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
function given(name) { return JSON.parse(memory.get(`answers ${data.set} ${name}`) || "[]"); }
function nameOf(text) { return text.normalize("NFC").trim().split(/\s+/).join(" "); }

async function decideHere(message) {
  const name = nameOf(message.rater), rows = given(name);
  const undone = message.action === "undo" ? rows.pop().item : null;
  if (message.action === "skip") rows.push({ item: message.item, skip: true });
  if (message.action === "answer") rows.push({ item: message.item, answer: message.answer, time: new Date().toISOString() });
  if (message.action !== "open" && !memory.set(`answers ${data.set} ${name}`, JSON.stringify(rows))) throw new Error("not kept");
  const answered = new Set(rows.filter((row) => !row.skip).map((row) => row.item));
  const skips = new Map();
  rows.forEach((row, place) => { if (row.skip) skips.set(row.item, place + 1); });
  const swapped = (id) => data.items[id].pictures.length > 1 && (rank(`side ${name} ${id}`) & 1);
  const order = data.items.map((_, id) => id).filter((id) => !answered.has(id));
  order.sort((a, b) => (skips.get(a) || 0) - (skips.get(b) || 0) || rank(`${name} ${a}`) - rank(`${name} ${b}`) || a - b);
  if (undone !== null) order.unshift(...order.splice(order.indexOf(undone), 1));
  const items = order.slice(0, AHEAD).map((id) => ({
    id, text: data.items[id].text, again: skips.has(id),
    pictures: swapped(id) ? [...data.items[id].pictures].reverse() : data.items[id].pictures,
  }));
  return { rater: name, items, answered: answered.size, total: data.items.length, undo: rows.length > 0, wrong: "" };
}

function download() {
  const flip = { left: "right", right: "left", tie: "tie" };
  const lines = given(rater).filter((row) => !row.skip).map((row) => {
    const [picture, other] = data.items[row.item].names;
    const [sha256, other_sha256] = data.items[row.item].digests;
    const swapped = other !== undefined && (rank(`side ${rater} ${row.item}`) & 1);
    const line = { picture, question: data.question, answer: swapped ? flip[row.answer] : row.answer, rater, time: row.time, sha256 };
    return JSON.stringify(other === undefined ? line : { ...line, other, other_sha256 }) + "\n";
  });
  if (!lines.length) { tell("nothing is decided yet"); return; }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = `ratings-${rater.replace(/[^\p{L}\p{N}]+/gu, "-")}.jsonl`;
  link.click();
  tell("saved as a download; give it to stickerforge rate … --ratings FILE");
}

async function askServer(message) {
  const reply = await fetch(location.pathname, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(message) });
  if (!reply.ok) throw new Error(String(reply.status));
  return reply.json();
}

const backend = data.served ? askServer : decideHere;
document.body.classList.toggle("pair", data.question === "pair");
byId("guideline").textContent = data.guideline;
byId("close").textContent = data.served ? "Save and close" : "Download the ratings";
byId("close").addEventListener("click", close);
for (const [label, value, kind, key, keys] of CHOICES) {
  const button = document.createElement("button"), hint = document.createElement("kbd");
  button.className = kind; hint.textContent = key; button.append(label, hint);
  button.title = `keys: ${keys.join(" ")}`;
  button.addEventListener("click", () => { button.blur(); answer(value); });
  byId("answers").append(button);
}
for (const name of GROUNDS) {
  const button = document.createElement("button");
  button.dataset.name = name; button.textContent = name;
  button.addEventListener("click", () => { button.blur(); setGround(name); });
  byId("grounds").append(button);
}
byId("who").disabled = Boolean(data.rater);
byId("who").addEventListener("click", () => { if (!busy && !closed) askName(); });
byId("undo").addEventListener("click", () => { byId("undo").blur(); undo(); });
byId("skip").addEventListener("click", () => { byId("skip").blur(); skip(); });
addEventListener("keydown", press);
setGround(GROUNDS.includes(memory.get("ground")) ? memory.get("ground") : "chequered");
const known = data.rater || memory.get(`rater ${data.set}`);
if (known) open(known); else askName();
