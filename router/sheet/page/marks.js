"use strict";
// What the reader thinks of the pictures: stars, rejections and notes. It is kept
// in the browser under the id of the sheet, and goes nowhere else.

const byID = (id) => document.getElementById(id);
const root = document.documentElement;
const entries = [...document.querySelectorAll(".entry")];
const byKey = new Map(entries.map((entry) => [entry.dataset.key, entry]));
const placeOf = new Map(entries.map((entry, i) => [entry, i]));
const store = "sheet:" + root.dataset.sheet;

// marks has {star, reject, note} by key. blind is {on, seed, votes} or null.
const kept = { marks: new Map(), blind: null, keys: true };

// recall reads what is kept. Where there is nothing, it is of another kind, or
// this browser keeps nothing, all is as it was.
function recall() {
  try {
    const old = JSON.parse(localStorage.getItem(store));
    const marks = new Map();
    for (const [key, mark] of old.marks) {
      if (byKey.has(key)) marks.set(key, { star: mark.star === true, reject: mark.reject === true, note: String(mark.note ?? "") });
    }
    const blind = old.blind && { on: old.blind.on === true, seed: Number(old.blind.seed) || 1, votes: new Map(old.blind.votes) };
    Object.assign(kept, { marks, blind, keys: old.keys !== false });
  } catch {
    return;
  }
}
recall();

// The same sheet may be open in another window.
function refresh() {
  const before = [...kept.marks.keys()];
  recall();
  for (const key of [...before, ...kept.marks.keys()]) show(byKey.get(key));
  counted();
  blinded();
}
addEventListener("storage", refresh);
addEventListener("focus", refresh);

function keep() {
  const blind = kept.blind && { ...kept.blind, votes: [...kept.blind.votes] };
  try {
    localStorage.setItem(store, JSON.stringify({ marks: [...kept.marks], blind, keys: kept.keys }));
  } catch {
    say("This browser keeps nothing: export before the page is closed.");
  }
}

// say tells what happened, to who sees it and to who hears it.
function say(text) {
  byID("status").textContent = text;
}

function markOf(entry) {
  return kept.marks.get(entry.dataset.key) ?? { star: false, reject: false, note: "" };
}

// change changes the mark of an entry. A starred picture is not rejected.
function change(entry, what) {
  recall();
  const mark = { ...markOf(entry), ...what };
  if (what.star) mark.reject = false;
  if (what.reject) mark.star = false;
  if (mark.star || mark.reject || mark.note) kept.marks.set(entry.dataset.key, mark);
  else kept.marks.delete(entry.dataset.key);
  keep();
  show(entry);
  counted();
}

// withMark returns the entries that have a mark of a kind, in their order.
const withMark = (kind) => [...kept.marks].filter(([, mark]) => mark[kind]).map(([key]) => byKey.get(key)).sort((a, b) => placeOf.get(a) - placeOf.get(b));
// Where something is to be picked, only what can be counts.
const starred = () => withMark("star").filter((entry) => !byID("pick") || entry.querySelector(".pick input"));

function toggleStar(entry) {
  const star = !markOf(entry).star, most = Number(byID("desk").dataset.most) || Infinity;
  const box = entry.querySelector(".pick input");
  if (star && byID("pick") && !box) {
    say(`${nameOf(entry)} cannot be picked.`);
  } else if (star && entry.querySelector(".waiting")) {
    say(`${nameOf(entry)} is not there yet.`);
  } else if (star && starred().length >= most) {
    if (box) box.checked = false;
    say(most === 1 ? "One can be picked: take back the other first." : `${most} can be picked: take back another first.`);
  } else {
    change(entry, { star });
    say(`${nameOf(entry)}: ${star ? "starred" : "no star"}.`);
    if (star) vote(entry);
  }
}

function toggleReject(entry) {
  const reject = !markOf(entry).reject;
  change(entry, { reject });
  say(`${nameOf(entry)}: ${reject ? "rejected" : "not rejected"}.`);
}

// show shows the mark of an entry on the page.
function show(entry) {
  const mark = markOf(entry);
  entry.classList.toggle("starred", mark.star);
  entry.classList.toggle("rejected", mark.reject);
  const box = entry.querySelector(".pick input");
  if (box) box.checked = mark.star;
  for (const [kind, on] of [["star", mark.star], ["reject", mark.reject], ["mark", marked.includes(entry)], ["write", mark.note !== ""]]) {
    entry.querySelector(".tools ." + kind)?.setAttribute("aria-pressed", on);
  }
  let note = entry.querySelector(".mine");
  if (mark.note && !note) {
    note = document.createElement("p");
    note.className = "mine";
    note.dir = "auto";
    entry.querySelector("figcaption").append(note);
  }
  if (note) {
    note.textContent = mark.note;
    note.hidden = !mark.note;
  }
}

function write(entry) {
  const dialog = byID("noting"), text = byID("note-text");
  byID("noting-title").textContent = "Note on " + nameOf(entry);
  text.value = markOf(entry).note;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue === "keep") change(entry, { note: text.value.trim() });
    focusOn(entry);
  };
  dialog.showModal();
}
