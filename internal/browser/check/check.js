// Looks at the page and returns what is wrong with it, a sentence each. It is
// called with the width the window is to have.
(width) => {
  const wrong = [];
  const say = (text) => { if (!wrong.includes(text)) wrong.push(text); };
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const name = (e) => {
    const text = (e.getAttribute("alt") || e.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
    return e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (text ? ` "${text}"` : "");
  };
  const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
  // What only screen readers see is clipped to a point, on purpose.
  const hidden = (e) => {
    for (; e; e = e.parentElement) {
      const s = getComputedStyle(e);
      if (s.position === "absolute" && s.overflow !== "visible" && e.offsetWidth <= 1 && e.offsetHeight <= 1) return true;
    }
    return false;
  };
  const root = document.documentElement;

  // What the browser leaves out as long as nobody looks is looked at, too.
  for (const e of all("body *")) if (getComputedStyle(e).contentVisibility === "auto") e.style.contentVisibility = "visible";

  // Where a telephone zooms out to show a page that is too wide, the window
  // grows with the page.
  const edge = Math.min(innerWidth, width);
  if (root.scrollWidth > edge) {
    let widest = root, right = 0;
    for (const e of all("body *")) {
      const r = e.getBoundingClientRect().right;
      if (r > right) { widest = e; right = r; }
    }
    say(`the page scrolls sideways: it is ${root.scrollWidth} px wide, because of ${name(widest)}`);
  }

  for (const img of all("img")) {
    if (!img.complete || img.naturalWidth === 0) say(`${name(img)} did not load`);
    if (!img.hasAttribute("alt")) say(`${name(img)} has no alt text`);
    else if (!img.alt.trim() && img.closest("a") && !img.closest("a").textContent.trim()) say("a link has a picture without a name");
  }

  const ids = new Map();
  for (const e of all("[id]")) ids.set(e.id, (ids.get(e.id) || 0) + 1);
  for (const [id, n] of ids) if (n > 1) say(`the id ${JSON.stringify(id)} is there ${n} times`);
  for (const a of all("a[href^='#']")) {
    if (!ids.has(decodeURIComponent(a.hash.slice(1)))) say(`${name(a)} leads nowhere: ${a.getAttribute("href")}`);
  }
  for (const e of all("[aria-labelledby]")) {
    for (const id of e.getAttribute("aria-labelledby").split(/\s+/)) if (!ids.has(id)) say(`${name(e)} is labelled by ${id}, which is not there`);
  }

  let level = 0;
  for (const h of all("h1, h2, h3, h4, h5, h6")) {
    const n = Number(h.tagName[1]);
    if (n > level + 1) say(`${name(h)} comes after ${level ? "h" + level : "no heading"}`);
    if (n === 1 && level > 0) say(`${name(h)} is a second h1`);
    if (!h.textContent.trim()) say(`an ${h.tagName.toLowerCase()} is empty`);
    level = n;
  }
  if (level === 0) say("there is no heading");
  if (!document.title.trim()) say("there is no title");
  if (!root.lang) say("the language is not set");
  if (all("main").length !== 1) say("there is not exactly one main");

  // Entries are figures.
  const figures = all("figure").filter(seen).map((e) => ({ e, r: e.getBoundingClientRect() }));
  for (let i = 0; i < figures.length; i++) {
    for (let j = i + 1; j < figures.length; j++) {
      const a = figures[i].r, b = figures[j].r;
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1) {
        say(`${name(figures[i].e)} and ${name(figures[j].e)} overlap`);
      }
    }
  }
  for (const s of all("section")) {
    const tops = all("figure", s).filter(seen).map((e) => Math.round(e.getBoundingClientRect().top));
    const columns = Math.max(0, ...tops.map((t) => tops.filter((u) => Math.abs(u - t) <= 1).length));
    if (width >= 1000 && tops.length >= 2 && columns < 2) say(`${name(s)} has its ${tops.length} entries in one column`);
    if (width <= 400 && columns > 1) say(`${name(s)} has ${columns} columns`);
  }

  // Text: all of it to be seen, and with enough contrast.
  const rgb = (css) => {
    const c = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    c.fillStyle = css;
    c.fillRect(0, 0, 1, 1);
    return [...c.getImageData(0, 0, 1, 1).data];
  };
  const cache = new Map();
  const colour = (css) => { if (!cache.has(css)) cache.set(css, rgb(css)); return cache.get(css); };
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c[3] === 255) return c;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches && getComputedStyle(root).colorScheme.includes("dark") ? [18, 18, 18, 255] : [255, 255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const e = n.parentElement;
    if (!n.data.trim() || !seen(e) || hidden(e)) continue;
    const range = document.createRange();
    range.selectNodeContents(n);
    const rects = [...range.getClientRects()].filter((r) => r.width > 0 && r.height > 0);
    for (let p = e; p; p = p.parentElement) {
      const s = getComputedStyle(p);
      const clipX = /hidden|clip/.test(s.overflowX), clipY = /hidden|clip/.test(s.overflowY);
      if (p === root || p === document.body || !clipX && !clipY) continue;
      const box = p.getBoundingClientRect();
      for (const r of rects) {
        // Glyphs may reach a little beyond a tight line.
        if (clipX && (r.left < box.left - 2 || r.right > box.right + 2) || clipY && (r.top < box.top - 4 || r.bottom > box.bottom + 4)) {
          say(`the text of ${name(e)} is cut off`);
        }
      }
    }
    for (const r of rects) if (r.left < -1 || r.right > edge + 1) say(`the text of ${name(e)} reaches out of the window`);
    const s = getComputedStyle(e), size = parseFloat(s.fontSize);
    const need = size >= 24 || size >= 18.66 && Number(s.fontWeight) >= 700 ? 3 : 4.5;
    const a = light(colour(s.color)), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < need) say(`the text of ${name(e)} has a contrast of ${ratio.toFixed(2)}, and ${need} is needed`);
  }
  return wrong;
}
