// What a program that serves the page has to say, and the first look of all.

for (const entry of entries) near.observe(entry);
for (const key of kept.marks.keys()) show(byKey.get(key));
for (const prompt of document.querySelectorAll("section > .prompt")) addCopy(prompt, "prompt");
// The browser may have kept what was ticked, which is of another sheet then.
for (const box of document.querySelectorAll(".pick input")) box.checked = markOf(box.closest(".entry")).star;
counted();
if (kept.blind?.on) blinded();
say("");
if (/^#p\d+-\d+$/.test(location.hash)) look([byID(location.hash.slice(1))?.closest(".entry")].filter(Boolean)); // it may be of the page as it was

// fill puts what has come, as a page that was fetched has it, in the place of what is
// waited for.
function fill(fresh) {
  for (const selector of [".top .note", ".counts"]) {
    const text = document.querySelector(selector), now = fresh.querySelector(selector);
    if (text && now) text.textContent = now.textContent;
  }
  for (const entry of entries) {
    const now = fresh.getElementById(entry.id);
    if (!entry.querySelector(".waiting") || !now || now.querySelector(".waiting")) continue;
    const called = entry.querySelector(".number span:last-child").textContent;
    entry.className = now.className;
    Object.assign(entry.dataset, now.dataset);
    entry.replaceChildren(...document.adoptNode(now).childNodes);
    if (called !== entry.dataset.key) conceal(entry, called);
    near.observe(entry);
    show(entry);
  }
  counted();
}

// more fetches the page, and once more if it is asked to meanwhile, but not all the time.
let fetching = null, again = false;
function more() {
  again = fetching !== null;
  if (again) return;
  const started = Date.now();
  fetching = new XMLHttpRequest();
  fetching.responseType = "document"; // no script of it is run
  fetching.open("GET", location.pathname);
  fetching.addEventListener("loadend", () => {
    const fresh = fetching.response;
    if (fresh) fill(fresh);
    setTimeout(() => {
      fetching = null;
      if (again) more();
    }, Math.max(200, 4 * (Date.now() - started)));
  });
  fetching.send();
}

if (byID("desk").dataset.events) {
  const events = new EventSource(byID("desk").dataset.events);
  events.addEventListener("progress", (event) => {
    const { key, text } = JSON.parse(event.data), place = byKey.get(key)?.querySelector(".waiting span");
    if (place) place.textContent = text;
  });
  events.addEventListener("more", more);
  events.addEventListener("reload", (event) => {
    events.close();
    const open = event.data === "later" && document.querySelector("dialog[open]");
    if (!open) location.reload();
    else open.addEventListener("close", () => location.reload());
  });
  events.addEventListener("error", () => say("The program that made this page has ended, or cannot be reached."));
}

root.dataset.ready = "true"; // for who drives the page
