"use strict";
// Everything can be read without this: it enlarges pictures, shows those of the map, and keeps tags.
(() => {
  const root = document.documentElement, $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent) || {};
  root.classList.add("scripted");

  // Pictures, enlarged: click or Enter opens, arrow keys go on, Escape closes.
  const viewer = $("viewer"), large = viewer.querySelector("img"), caption = $("viewer-caption");
  const file = viewer.querySelector("a"), zooms = [...document.querySelectorAll(".zoom")];
  let current = 0;
  const show = (number) => {
    current = (number + zooms.length) % zooms.length;
    const zoom = zooms[current], small = zoom.querySelector("img");
    large.src = small.src;
    large.alt = small.alt;
    const said = [...zoom.parentElement.querySelectorAll("figcaption .row")].map((row) => row.textContent.trim());
    caption.textContent = [...said, zoom.dataset.name].join(" · ");
    file.hidden = !zoom.dataset.file;
    if (zoom.dataset.file) file.href = zoom.dataset.file;
  };
  zooms.forEach((zoom, number) => zoom.addEventListener("click", () => { show(number); viewer.showModal(); }));
  viewer.addEventListener("click", (event) => {
    const step = event.target.dataset.step;
    if (step) show(current + Number(step));
    if (event.target === viewer || "close" in event.target.dataset) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) { event.preventDefault(); show(current + step); }
  });
  viewer.addEventListener("close", () => {
    const zoom = zooms[current], folded = zoom && zoom.closest("details");
    if (folded) folded.open = true;
    if (zoom) zoom.focus();
  });

  // Links to parts inside what is folded away.
  const unfold = () => {
    const part = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let up = part; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  };
  window.addEventListener("hashchange", unfold);
  unfold();

  // The map.
  const map = data.map, place = $("map-place");
  if (map && place) {
    const svg = place.querySelector("svg"), tip = $("map-tip"), cursor = $("map-cursor"), said = $("map-said");
    const thumb = tip.querySelector("span"), words = tip.querySelector("p"), count = map.ids.length;
    const px = Math.max(map.tiny, 96), x = (n) => map.places[2 * n], y = (n) => map.places[2 * n + 1];
    let at = -1;
    thumb.style.cssText = `width:${px}px;height:${px}px;background-size:${map.columns * px}px ${map.rows * px}px`;
    const point = (number, aloud) => {
      at = number;
      const id = map.ids[at], mark = map.marks[at], label = map.labels[map.label[at]];
      thumb.style.backgroundPosition = `${-(at % map.columns) * px}px ${-Math.floor(at / map.columns) * px}px`;
      words.textContent = [id, label && `label: ${label}`, mark].filter(Boolean).join("\n");
      cursor.removeAttribute("hidden");
      cursor.setAttribute("cx", x(at));
      cursor.setAttribute("cy", y(at));
      tip.hidden = false;
      const box = svg.getBoundingClientRect(), wide = svg.viewBox.baseVal, scale = box.width / wide.width;
      const left = x(at) * scale, top = y(at) * scale;
      tip.style.left = `${Math.max(0, Math.min(box.width - tip.offsetWidth, left + (left > box.width / 2 ? -tip.offsetWidth - 16 : 16)))}px`;
      tip.style.top = `${Math.max(0, Math.min(box.height - tip.offsetHeight, top - tip.offsetHeight / 2))}px`;
      if (aloud) said.textContent = words.textContent.replaceAll("\n", ", ");
    };
    const leave = () => { tip.hidden = true; cursor.setAttribute("hidden", ""); };
    const nearest = (cost) => {
      let best = -1, least = Infinity;
      for (let n = 0; n < count; n++) { const c = cost(n); if (c < least) { least = c; best = n; } }
      return best;
    };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const px_ = (event.clientX - box.left) * scale, py = (event.clientY - box.top) * scale;
      const best = nearest((n) => (x(n) - px_) ** 2 + (y(n) - py) ** 2);
      if (best >= 0 && (x(best) - px_) ** 2 + (y(best) - py) ** 2 < 900) point(best, false); else leave();
    });
    svg.addEventListener("pointerleave", leave);
    place.addEventListener("focus", () => { if (at < 0) point(0, true); else point(at, true); });
    place.addEventListener("blur", leave);
    place.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const way = ways[event.key];
      let next = -1;
      if (way) {
        next = nearest((n) => {
          const along = (x(n) - x(at)) * way[0] + (y(n) - y(at)) * way[1];
          const beside = Math.abs((x(n) - x(at)) * way[1] + (y(n) - y(at)) * way[0]);
          return along > 0 ? along + 2 * beside : Infinity;
        });
      } else if (event.key.toLowerCase() === "n" && !event.ctrlKey && !event.metaKey && !event.altKey) {
        for (let step = 1; step <= count && next < 0; step++) {
          const n = (at + step) % count;
          if (map.marks[n]) next = n;
        }
      } else if (event.key === "Escape") { leave(); return; } else return;
      event.preventDefault();
      if (next >= 0) point(next, true);
    });
  }

  // Tags of mistakes, kept in this browser.
  const sheet = data.sheet;
  if (sheet) {
    const cards = new Map([...document.querySelectorAll("[data-tag]")].map((card) => [sheet.rows[card.dataset.tag][0], card]));
    const split = (text) => [...new Set(text.split(";").map((tag) => tag.trim().replace(/\s+/g, " ").toLowerCase()).filter(Boolean))];
    let tags = {};
    try {
      const kept = JSON.parse(localStorage.getItem(sheet.key));
      if (kept && typeof kept === "object") tags = kept;
    } catch { /* a browser that keeps nothing, or what is kept is none of ours */ }
    const keep = () => { try { localStorage.setItem(sheet.key, JSON.stringify(tags)); } catch { /* as above */ } };
    const of = (id) => (Array.isArray(tags[id]) ? tags[id].filter((tag) => typeof tag === "string") : []);
    const summary = () => {
      const counts = new Map();
      let tagged = 0;
      for (const [id] of sheet.rows) {
        if (of(id).length) tagged++;
        for (const tag of of(id)) counts.set(tag, (counts.get(tag) || 0) + 1);
      }
      $("tagged").textContent = `${tagged} of ${sheet.rows.length} tagged`;
      const sorted = [...counts].sort((a, b) => b[1] - a[1]);
      $("causes").replaceChildren(...sorted.map(([tag, n]) => {
        const item = document.createElement("li"), error = sheet.mistakes / sheet.pictures;
        const most = (100 * (1 - error * (1 - n / tagged))).toFixed(1);
        item.textContent = `${tag}: ${n} of ${tagged}; if all were right, accuracy would be at most ${most} %`;
        return item;
      }));
      $("known-tags").replaceChildren(...sorted.map(([tag]) => Object.assign(document.createElement("option"), { value: tag })));
    };
    const fill = () => {
      for (const [id, card] of cards) {
        const mine = of(id);
        card.querySelector("[data-wrong]").checked = mine.includes(sheet.wrong);
        card.querySelector("input[type=text]").value = mine.filter((tag) => tag !== sheet.wrong).join("; ");
      }
      summary();
    };
    for (const [id, card] of cards) {
      card.addEventListener("change", () => {
        const wrong = card.querySelector("[data-wrong]").checked ? [sheet.wrong] : [];
        tags[id] = [...new Set([...wrong, ...split(card.querySelector("input[type=text]").value)])];
        keep();
        summary();
      });
    }
    const cell = (value) => {
      let text = String(value);
      if (/^[=+\-@\t\r']/.test(text)) text = `'${text}`; // or a spreadsheet takes it for a formula
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    $("save-tags").addEventListener("click", () => {
      const lines = [["picture", "label", "predicted", "probability", "tags", "mistakes", "pictures"]];
      for (const row of sheet.rows) lines.push([...row, of(row[0]).join("; "), sheet.mistakes, sheet.pictures]);
      const text = lines.map((line) => line.map(cell).join(",")).join("\n") + "\n";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      link.download = "mistakes.csv";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
    $("clear-tags").addEventListener("click", () => { if (confirm("Remove all tags?")) { tags = {}; keep(); fill(); } });
    fill();
  }
})();
