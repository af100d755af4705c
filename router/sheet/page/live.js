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

if (byID("desk").dataset.events) {
  const events = new EventSource(byID("desk").dataset.events);
  events.addEventListener("progress", (event) => {
    const { key, text } = JSON.parse(event.data), place = byKey.get(key)?.querySelector(".waiting span");
    if (place) place.textContent = text;
  });
  events.addEventListener("reload", () => {
    events.close();
    location.reload();
  });
  events.addEventListener("error", () => say("The program that made this page has ended, or cannot be reached."));
}

root.dataset.ready = "true"; // for who drives the page
