// The viewer: one to four pictures, which are enlarged and moved together.

const viewer = byID("viewer");
let panes = [];                  // {entry, stage, img}
let zoom = 0;                    // dots of the screen for each of the picture; 0 fits it in
let centre = { x: 0.5, y: 0.5 }; // the point of the pictures in the middle, from 0 to 1
const largest = 16;

// look opens the viewer.
function look(list) {
  list = list.filter(picture);
  if (list.length === 0) return;
  if (!viewer.open) {
    zoom = 0;
    centre = { x: 0.5, y: 0.5 };
  }
  panes = list.map((entry) => {
    const pane = document.createElement("figure"), stage = document.createElement("div");
    const img = document.createElement("img"), caption = document.createElement("figcaption"), name = document.createElement("bdi");
    const source = picture(entry);
    const secret = isBlind(sectionOf(entry));
    img.src = source.src;
    img.alt = source.alt;
    img.className = source.className;
    img.draggable = false;
    img.addEventListener("load", place);
    stage.className = "stage";
    stage.tabIndex = 0;
    stage.setAttribute("role", "group");
    stage.setAttribute("aria-label", nameOf(entry));
    stage.append(img);
    name.textContent = secret ? "" : titleOf(entry);
    const facts = secret ? [] : [...entry.querySelectorAll(".facts dd")].map((dd) => dd.textContent);
    const number = document.createElement("b"), rest = document.createElement("span");
    number.textContent = entry.querySelector(".number span:last-child").textContent;
    rest.textContent = facts.join(" · ");
    const words = document.createElement("p");
    words.append(number, " ", name, " ", rest);
    caption.append(words);
    for (const [kind, text, act] of [["star", "Star", toggleStar], ["reject", "Reject", toggleReject]]) {
      const button = byID("tools").content.querySelector("." + kind).cloneNode(true);
      button.addEventListener("click", () => { act(entry); judged(); });
      button.setAttribute("aria-label", `${text} ${nameOf(entry)}`);
      caption.append(button);
    }
    pane.append(stage, caption);
    return { entry, stage, img, caption };
  });
  viewer.querySelector(".panes").replaceChildren(...panes.map(({ stage }) => stage.parentElement));
  viewer.dataset.panes = panes.length;
  for (const id of ["previous", "next"]) byID(id).hidden = panes.length > 1;
  if (!viewer.open) viewer.showModal();
  judged();
  place();
  panes[0].stage.focus();
}

// judged shows the marks of the pictures that are open.
function judged() {
  for (const { entry, caption } of panes) {
    caption.querySelector(".star").setAttribute("aria-pressed", markOf(entry).star);
    caption.querySelector(".reject").setAttribute("aria-pressed", markOf(entry).reject);
  }
}

// scaleOf is how many CSS pixels a pixel of a picture takes.
function scaleOf({ stage, img }) {
  if (zoom > 0) return zoom / devicePixelRatio;
  return Math.min(stage.clientWidth / img.naturalWidth, stage.clientHeight / img.naturalHeight, 1);
}

// place puts every picture where zoom and centre say.
function place() {
  for (const pane of panes) {
    const { stage, img } = pane;
    if (!img.naturalWidth) continue;
    const scale = scaleOf(pane), width = img.naturalWidth * scale, height = img.naturalHeight * scale;
    const at = (room, size, middle) => size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, room / 2 - middle * size));
    img.style.width = width + "px";
    img.style.height = height + "px";
    img.style.transform = `translate(${at(stage.clientWidth, width, centre.x)}px, ${at(stage.clientHeight, height, centre.y)}px)`;
    img.classList.toggle("dots", scale * devicePixelRatio >= 3);
  }
  const first = panes[0];
  if (!first?.img.naturalWidth) return;
  byID("scale").textContent = Math.round(scaleOf(first) * devicePixelRatio * 100) + " %";
  viewer.classList.toggle("zoomed", zoom > 0);
}

// zoomTo changes the scale and keeps the point of a picture that is at x, y of
// its stage where it is.
function zoomTo(value, pane = panes[0], x = pane.stage.clientWidth / 2, y = pane.stage.clientHeight / 2) {
  const box = pane.img.getBoundingClientRect(), stage = pane.stage.getBoundingClientRect();
  const point = { x: (x - (box.left - stage.left)) / box.width, y: (y - (box.top - stage.top)) / box.height };
  zoom = value && Math.min(Math.max(value, 0.02), largest);
  const scale = scaleOf(pane);
  centre.x = point.x + (pane.stage.clientWidth / 2 - x) / (pane.img.naturalWidth * scale);
  centre.y = point.y + (pane.stage.clientHeight / 2 - y) / (pane.img.naturalHeight * scale);
  bound();
  place();
}

const zoomBy = (factor, ...at) => zoomTo(scaleOf(at[0] ?? panes[0]) * devicePixelRatio * factor, ...at);

// bound keeps the middle within the picture, so that no way back is lost.
function bound() {
  const { stage, img } = panes[0], scale = scaleOf(panes[0]);
  for (const [axis, room, size] of [["x", stage.clientWidth, img.naturalWidth * scale], ["y", stage.clientHeight, img.naturalHeight * scale]]) {
    const half = Math.min(room / 2 / size, 0.5);
    centre[axis] = Math.min(Math.max(centre[axis], half), 1 - half) || 0.5;
  }
}

// pan moves the pictures by pixels of the window.
function pan(dx, dy, pane = panes[0]) {
  const scale = scaleOf(pane);
  centre.x -= dx / (pane.img.naturalWidth * scale);
  centre.y -= dy / (pane.img.naturalHeight * scale);
  bound();
  place();
}

// step goes to another picture at the same scale and place.
function step(by) {
  if (panes.length !== 1) return;
  const list = visible().filter(picture), next = list[list.indexOf(panes[0].entry) + by];
  if (next) look([next]);
}

const active = () => panes.find(({ stage }) => stage.parentElement.contains(document.activeElement)) ?? panes[0];

const pointers = new Map();
const paneAt = (event) => panes.find(({ stage }) => stage.contains(event.target));
viewer.addEventListener("pointerdown", (event) => {
  if (!paneAt(event)) return;
  pointers.set(event.pointerId, event);
  event.target.setPointerCapture(event.pointerId);
});
viewer.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId), pane = paneAt(event);
  if (!before || !pane) return;
  const other = [...pointers.values()].find((p) => p.pointerId !== event.pointerId);
  pointers.set(event.pointerId, event);
  if (other) {
    const span = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY), box = pane.stage.getBoundingClientRect();
    if (span(before) > 0) zoomBy(span(event) / span(before), pane, (event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top);
  } else {
    pan(event.clientX - before.clientX, event.clientY - before.clientY, pane);
  }
});
for (const kind of ["pointerup", "pointercancel"]) viewer.addEventListener(kind, (event) => pointers.delete(event.pointerId));
viewer.addEventListener("wheel", (event) => {
  const pane = paneAt(event);
  if (!pane) return;
  event.preventDefault();
  const box = pane.stage.getBoundingClientRect();
  zoomBy(Math.exp(-event.deltaY / 400), pane, event.clientX - box.left, event.clientY - box.top);
}, { passive: false });
viewer.addEventListener("dblclick", (event) => {
  const pane = paneAt(event);
  if (!pane) return;
  const box = pane.stage.getBoundingClientRect();
  zoomTo(zoom ? 0 : 1, pane, event.clientX - box.left, event.clientY - box.top);
});
new ResizeObserver(place).observe(viewer);

byID("previous").addEventListener("click", () => step(-1));
byID("next").addEventListener("click", () => step(1));
byID("smaller").addEventListener("click", () => zoomBy(1 / 1.25));
byID("larger").addEventListener("click", () => zoomBy(1.25));
byID("fit").addEventListener("click", () => zoomTo(0));
byID("whole").addEventListener("click", () => zoomTo(1));
byID("leave").addEventListener("click", () => viewer.close());
viewer.addEventListener("close", () => {
  if (viewer.open) return; // anew, before this was told
  pointers.clear();
  const last = panes[0]?.entry;
  panes = [];
  viewer.querySelector(".panes").replaceChildren();
  if (last) focusOn(last);
});
