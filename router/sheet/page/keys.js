// The keyboard.

let typed = "", typedAt = 0; // the number that is being typed, and when

// current is the entry that has the focus, or had it last.
let current = null;
document.querySelector("main").addEventListener("focusin", (event) => {
  current = event.target.closest(".entry") ?? current;
});

function focusOn(entry) {
  current = entry;
  equip(entry);
  const target = entry.querySelector(".open") ?? entry;
  if (target === entry) entry.tabIndex = -1;
  target.focus({ preventScroll: true });
  entry.scrollIntoView({ block: "nearest" });
}

// beside returns the entry in the row before or after, the one that is nearest.
function beside(entry, down) {
  const list = visible(), from = entry.getBoundingClientRect();
  let best = null, least = Infinity;
  for (const other of down ? list.slice(list.indexOf(entry) + 1) : list.slice(0, list.indexOf(entry)).reverse()) {
    const to = other.getBoundingClientRect(), rows = Math.abs(to.top - from.top), columns = Math.abs(to.left - from.left);
    if (rows < 2) continue;
    if (best && rows > Math.abs(best.getBoundingClientRect().top - from.top) + 2) break;
    if (columns < least) [best, least] = [other, columns];
  }
  return best;
}

// number goes to the entry whose number was typed, digit by digit.
function number(digit) {
  const now = Date.now();
  typed = now - typedAt < 1000 ? typed + digit : digit;
  typedAt = now;
  const entry = byKey.get(typed);
  if (entry && !entry.hidden) focusOn(entry);
  say(entry && !entry.hidden ? nameOf(entry) : `There is no picture ${typed}.`);
}

const grid = {
  s: toggleStar, x: toggleReject, c: toggleMarked, n: write,
  ArrowLeft: (entry) => move(visible()[visible().indexOf(entry) - 1]),
  ArrowRight: (entry) => move(visible()[visible().indexOf(entry) + 1]),
  ArrowUp: (entry) => move(beside(entry, false)),
  ArrowDown: (entry) => move(beside(entry, true)),
};
const move = (entry) => entry && focusOn(entry);
const desk = { v: () => look(marked), b: toggleBlind, e: exporting, "?": () => byID("helping").showModal() };

const close = {
  "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(1 / 1.25),
  f: () => zoomTo(0), 0: () => zoomTo(0), 1: () => zoomTo(1),
  s: () => { toggleStar(active().entry); judged(); },
  x: () => { toggleReject(active().entry); judged(); },
  ArrowLeft: (shift) => shift ? pan(80, 0) : step(-1),
  ArrowRight: (shift) => shift ? pan(-80, 0) : step(1),
  ArrowUp: (shift) => shift && pan(0, 80),
  ArrowDown: (shift) => shift && pan(0, -80),
};

document.addEventListener("keydown", (event) => {
  const { key, target } = event, lower = key.length === 1 ? key.toLowerCase() : key;
  if (event.ctrlKey || event.metaKey || event.altKey || !kept.keys && key.length === 1) return;
  if (target.closest("textarea, select, input:not([type=checkbox])")) return;
  let act = null;
  if (viewer.open) {
    act = close[lower] && (() => close[lower](event.shiftKey));
  } else if (!document.querySelector("dialog[open]")) {
    if (/^\d$/.test(key)) act = () => number(key);
    else if (desk[lower]) act = desk[lower];
    else if (grid[lower]) {
      const entry = current && !current.hidden ? current : null;
      act = () => entry ? grid[lower](entry) : move(visible()[0]);
    }
  }
  if (!/^\d$/.test(key)) typed = "";
  if (!act) return;
  event.preventDefault();
  act();
});

byID("keys-on").checked = kept.keys;
byID("keys-on").addEventListener("change", () => {
  kept.keys = byID("keys-on").checked;
  keep();
});
