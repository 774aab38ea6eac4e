"use strict";
// The classic mistake: to visit nodes in the order in which the gradient first reaches them.

// The numbers of two arrays where they differ most, with the place.
function differingMost(a, b) {
  let worst = 0, place = -1;
  a.data.forEach((x, i) => {
    const off = Math.abs(x - b.data[i]);
    if (!isClose(x, b.data[i]) && (place < 0 || off > worst)) { worst = off; place = i; }
  });
  return place;
}

function indexAt(array, place) {
  const shape = shownShape(array);
  return stridesOf(shape).map((step, i) => Math.floor(place / step) % shape[i]);
}

// What the order of arrival gets wrong at one node, in a sentence.
function mistakeAt(computation, id) {
  if (!computation.isMistaken(id)) return [];
  const wrong = computation.gradient(id, "wrong"), right = computation.gradient(id, "right");
  const parts = computation.contributions(id, "wrong").map(c => c.part);
  const all = parts.reduce(added), late = differingMost(all, wrong);
  const place = late >= 0 ? late : differingMost(right, wrong);
  const index = indexAt(wrong, place), at = index.length ? ` at ${indexText(index)}` : "";
  const text = late >= 0
    ? `✗ visited too early: passed on ${short(wrong.data[place])}${at}, but ` +
      `${short(all.data[place])} arrives in all`
    : `✗ what came in was wrong already: ${short(wrong.data[place])}${at}, where ` +
      `${short(right.data[place])} is right`;
  return [el("p", { class: "wrong", text })];
}

// The banner: what the mistake is, and what it gets wrong at each leaf.
function mistakeBanner(computation, choose) {
  const told = el("p", { text: "This order visits a node as soon as a first part of its gradient " +
    "has arrived, before its other users have sent theirs. What comes later is never passed on, " +
    "so gradients behind it are too small, too large or of the wrong sign." });
  const mistaken = computation.orders.right.filter(id => computation.isMistaken(id));
  const parts = [el("h2", { text: "A classic mistake" }), told];
  if (!mistaken.length) {
    parts.push(el("p", { class: "right", text: "Here it makes no difference: whenever it " +
      "visits a node, all parts of its gradient happen to have arrived." }));
    return parts;
  }
  const leaves = mistaken.filter(id => computation.isLeaf(id));
  const body = el("tbody");
  for (const id of (leaves.length ? leaves : mistaken).slice(0, 12)) {
    const right = computation.gradient(id, "right"), wrong = computation.gradient(id, "wrong");
    const place = wrong ? differingMost(right, wrong) : 0;
    const index = indexAt(right, Math.max(0, place));
    const button = el("button", { class: "link", onclick: () => choose(id) },
      name([...computation.nodes[id].scope, computation.title(id)].join(" / ")), indexText(index));
    body.append(el("tr", {}, el("th", { scope: "row" }, button),
      el("td", { class: "right", text: `✓ ${short(right.data[Math.max(0, place)])}` }),
      el("td", { class: "wrong", text: wrong ? `✗ ${short(wrong.data[place])}` : "✗ none" })));
  }
  const table = el("table", {}, el("caption", { text: "what it gets wrong" }),
    el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "gradient of" }),
      el("th", { scope: "col", text: "right" }), el("th", { scope: "col", text: "wrong" }))), body);
  const more = leaves.length > 12 ? [el("p", { text: `and ${leaves.length - 12} more` })] : [];
  parts.push(el("div", { class: "wide" }, table), ...more);
  return parts;
}
