// Blind: the models are hidden, and the pictures of each section shuffled, until
// one of them got a vote. A star is a vote.

const sections = [...document.querySelectorAll("main section")].map((section) => {
  const list = [...section.querySelectorAll(".entry")];
  // More pictures may come.
  return { section, list, id: section.getAttribute("aria-labelledby"), get contest() { return section.querySelectorAll(".open").length > 1; } };
});
const sectionOf = (entry) => sections.find(({ list }) => list.includes(entry));

// random is a generator of numbers that a seed determines, so that the order is
// the same when the page is loaded again.
function random(seed) {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
}

function shuffled(list, next) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

const letters = (n) => (n >= 26 ? letters(Math.floor(n / 26) - 1) : "") + String.fromCharCode(65 + n % 26);
const isBlind = ({ id, contest }) => kept.blind?.on === true && contest && !kept.blind.votes.has(id);

// conceal gives an entry another name than its key, and takes the model out of what
// its picture is called.
function conceal(entry, name) {
  const img = picture(entry);
  entry.querySelector(".number span:last-child").textContent = name;
  entry.querySelector(".tools").setAttribute("aria-label", nameOf(entry));
  if (!img) return;
  img.dataset.alt ??= img.alt;
  img.alt = name === entry.dataset.key ? img.dataset.alt : nameOf(entry);
}

// veil hides the models of a section, or shows them.
function veil(part, index) {
  const hide = isBlind(part), order = hide ? shuffled(part.list, random(kept.blind.seed + index)) : part.list;
  if (part.section.classList.contains("blind") === hide) return;
  part.section.classList.toggle("blind", hide);
  part.section.querySelector(".grid").append(...order);
  order.forEach((entry, i) => conceal(entry, hide ? letters(i) : entry.dataset.key));
}

function blinded() {
  const focus = document.activeElement; // it is lost where the order changes
  sections.forEach(veil);
  if (focus !== document.activeElement) focus.focus();
  const on = kept.blind?.on === true;
  byID("blind").setAttribute("aria-pressed", on);
  for (const id of ["by-model", "by-price"]) byID(id).disabled = on;
  const tally = byID("tally");
  tally.replaceChildren();
  tally.hidden = !on;
  if (!on) return;
  const left = sections.filter(isBlind).length, list = document.createElement("ul");
  for (const [title, votes] of tallied()) {
    const item = document.createElement("li"), name = document.createElement("bdi");
    name.textContent = title;
    item.append(name, ` ${votes}`);
    list.append(item);
  }
  const words = document.createElement("p"), again = document.createElement("button");
  words.textContent = left ? `Star the best of each section to see who made it: ${left} to go.` : "All votes are in.";
  again.type = "button";
  again.textContent = "Vote anew";
  again.addEventListener("click", () => {
    kept.blind = null;
    toggleBlind();
  });
  tally.append(words, list, again);
}

function toggleBlind() {
  if (kept.blind?.on) {
    kept.blind.on = false;
    say("The models are shown.");
  } else if (!sections.some(({ contest }) => contest)) {
    say("No section has two pictures to choose from.");
    return;
  } else {
    for (const id of ["by-model", "by-price"]) byID(id).value = "";
    filter();
    kept.blind ??= { seed: 1 + Math.floor(Math.random() * 1e9), votes: new Map() };
    kept.blind.on = true;
    say("The models are hidden until there is a vote.");
  }
  keep();
  blinded();
}

// vote takes a star as a vote, if the models of its section are hidden.
function vote(entry) {
  const part = sectionOf(entry);
  if (!isBlind(part)) return;
  kept.blind.votes.set(part.id, entry.dataset.key);
  keep();
  blinded();
  say(`A vote for ${titleOf(entry)}.`);
}

// tallied returns how many votes each model has, those with none included.
function tallied() {
  const out = new Map();
  for (const { id, list } of sections.filter(({ contest }) => contest)) {
    for (const entry of list) {
      if (!kept.blind.votes.has(id)) continue;
      const won = kept.blind.votes.get(id) === entry.dataset.key;
      out.set(titleOf(entry), (out.get(titleOf(entry)) ?? 0) + Number(won));
    }
  }
  return [...out].sort((a, b) => b[1] - a[1]);
}
byID("blind").addEventListener("click", toggleBlind);
