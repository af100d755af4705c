// The desk: what is shown, what is compared, and what goes out of the page.

let marked = []; // entries to be compared, in the order in which they were marked

const picture = (entry) => entry.querySelector(".open img");
const titleOf = (entry) => entry.dataset.model;
const priceOf = (entry) => {
  const found = entry.dataset.price?.replaceAll(",", "").match(/\d+(\.\d+)?/);
  return found ? Number(found[0]) : null;
};
// textOf is the text of a part, without the button that may stand beside it.
const textOf = (entry, selector) => entry.querySelector(selector)?.firstChild?.data ?? "";
const visible = () => [...document.querySelectorAll(".entry:not([hidden])")];

// nameOf is what an entry is called now: blind, its letter.
const nameOf = (entry) => "Picture " + entry.querySelector(".number span:last-child").textContent;

function options(select, values) {
  for (const [value, text] of values) select.append(new Option(text, value));
  select.closest("label").hidden = values.length < 2;
}
options(byID("by-model"), [...new Set(entries.map(titleOf))].sort().map((title) => [title, title]));
options(byID("by-price"), [...new Set(entries.map(priceOf))].filter((price) => price !== null).sort((a, b) => a - b).map((price) => [price, "up to $" + price]));

const shown = {
  "": () => true,
  starred: (entry) => markOf(entry).star,
  kept: (entry) => !markOf(entry).reject,
  open: (entry) => !markOf(entry).star && !markOf(entry).reject,
  rejected: (entry) => markOf(entry).reject,
  picked: (entry) => entry.classList.contains("picked"),
};

function filter() {
  const model = byID("by-model").value, price = byID("by-price").value, by = shown[byID("by-mark").value];
  for (const entry of entries) {
    const cost = price === "" ? null : priceOf(entry);
    entry.hidden = model !== "" && titleOf(entry) !== model || price !== "" && (cost === null || cost > Number(price)) || !by(entry);
  }
  for (const section of document.querySelectorAll("main section")) {
    section.hidden = section.querySelector(".entry") !== null && !section.querySelector(".entry:not([hidden])");
  }
  counted();
  say(`${visible().length} of ${entries.length} shown.`);
}
for (const id of ["by-model", "by-price", "by-mark"]) byID(id).addEventListener("change", filter);

// counted puts the numbers on the buttons.
function counted() {
  const stars = starred().length;
  byID("export").textContent = stars ? `Export (${stars})` : "Export";
  byID("compare").textContent = marked.length ? `Compare (${marked.length})` : "Compare";
  byID("compare").disabled = marked.length < 2;
  const pick = byID("pick");
  if (pick) {
    pick.dataset.label ??= pick.textContent;
    pick.textContent = stars ? `${pick.dataset.label} (${stars})` : pick.dataset.label;
    pick.disabled = stars === 0;
  }
}

function toggleMarked(entry) {
  if (!picture(entry)) {
    say(`${nameOf(entry)} is not there to be compared.`);
    return;
  }
  if (marked.includes(entry)) {
    marked = marked.filter((other) => other !== entry);
  } else if (marked.length === 4) {
    say("Four are marked already: that is as many as can be compared.");
    return;
  } else {
    marked.push(entry);
  }
  show(entry);
  counted();
  say(marked.length < 2 ? `${marked.length} marked: mark another to compare.` : `${marked.length} marked: V shows them side by side.`);
}

// Each entry gets its buttons when it comes near the window: ten thousand of
// them at once would be slow.
const near = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) if (isIntersecting) equip(target);
}, { rootMargin: "800px" });

function equip(entry) {
  near.unobserve(entry);
  const tools = entry.querySelector(".tools"), pick = entry.querySelector(".pick");
  if (tools.firstChild) return;
  tools.append(byID("tools").content.cloneNode(true));
  if (!picture(entry)) tools.querySelector(".mark").remove();
  if (byID("pick")) tools.querySelector(".star").remove();
  if (pick) tools.prepend(pick);
  for (const [selector, what] of [[".seed", "seed"], [".id", "request id"], [".prompt", "prompt"], [".request", "request"]]) {
    addCopy(entry.querySelector(selector), what);
  }
  show(entry);
}

function addCopy(element, what) {
  if (!element) return;
  const text = element.firstChild.data, button = byID("copy").content.cloneNode(true).firstElementChild;
  button.title = "Copy the " + what;
  button.querySelector(".hide").textContent = "Copy the " + what;
  button.addEventListener("click", () => copy(text, `The ${what} is copied.`));
  element.append(" ", button);
}

async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where there is no clipboard for pages, a selection can be copied.
    const area = document.createElement("textarea");
    area.value = text;
    (document.querySelector("dialog[open] form") ?? document.body).append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) done = "This browser does not let pages copy.";
  }
  say(done);
}

const actions = { star: toggleStar, reject: toggleReject, mark: toggleMarked, write };
document.querySelector("main").addEventListener("click", (event) => {
  const entry = event.target.closest(".entry"), button = event.target.closest(".tools button");
  if (button) actions[button.className](entry);
  if (event.target.closest(".open") && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    look([entry]);
  }
});
document.querySelector("main").addEventListener("change", (event) => {
  if (event.target.name === "pick") toggleStar(event.target.closest(".entry"));
});
byID("compare").addEventListener("click", () => look(marked));
byID("help").addEventListener("click", () => byID("helping").showModal());
byID("export").addEventListener("click", exporting);
byID("desk").addEventListener("submit", (event) => {
  if (!byID("pick")) event.preventDefault();
});

// quoted makes a text one word of a command line.
const quoted = (text) => /^[\w./:=@%+-]+(,[\w./:=@%+-]+)*$/.test(text) ? text : "'" + text.replaceAll("'", `'\\''`) + "'";

function exported() {
  const out = { sheet: root.dataset.sheet, title: document.title, time: new Date().toISOString() };
  out.starred = starred().map((entry) => entry.dataset.key);
  out.rejected = withMark("reject").map((entry) => entry.dataset.key);
  out.entries = entries.filter((entry) => kept.marks.has(entry.dataset.key)).map((entry) => ({
    key: entry.dataset.key, ...markOf(entry), title: titleOf(entry), endpoint: textOf(entry, ".endpoint") || titleOf(entry),
    price: entry.dataset.price ?? "", seed: textOf(entry, ".seed"), request: textOf(entry, ".id"),
  }));
  if (kept.blind?.votes.size) out.votes = Object.fromEntries(tallied());
  return out;
}

function exporting() {
  const out = exported(), keys = out.starred.join(","), command = byID("desk").dataset.command;
  byID("export-keys").value = keys === "" ? "" : command ? `${command} ${quoted(keys)}` : keys;
  byID("export-keys").placeholder = "nothing is starred yet";
  byID("copy-keys").disabled = keys === "";
  byID("export-json").value = JSON.stringify(out, null, 2);
  byID("exporting").showModal();
}
byID("copy-keys").addEventListener("click", () => copy(byID("export-keys").value, "Copied."));
byID("copy-json").addEventListener("click", () => copy(byID("export-json").value, "Copied."));
byID("save-json").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([byID("export-json").value + "\n"], { type: "application/json" }));
  link.download = "picks.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});
