"use strict";
// The graph as a picture: boxes that can be pressed, frames around open scopes, and edges, along
// which what is carried lights up.

const SVG = "http://www.w3.org/2000/svg";
function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const ruler = document.createElement("canvas").getContext("2d");

// As much of a name as there is room for, in pixels.
function shortened(text, room) {
  ruler.font = "600 12px system-ui, sans-serif";
  const characters = [...text].slice(0, 100);
  const whole = characters.join("");
  if (whole.length === text.length && ruler.measureText(whole).width <= room) return text;
  const fits = n => ruler.measureText(`${characters.slice(0, n).join("")}…`).width <= room;
  let n = characters.length;
  while (n > 1 && !fits(n)) n--;
  return `${characters.slice(0, n).join("")}…`;
}

function smooth(points) {
  let path = `M${points[0].x.toFixed(1)} ${points[0].y.toFixed(1)}`;
  for (let i = 1; i < points.length; i++) {
    const a = points[i - 1], b = points[i];
    if (Math.abs(a.x - b.x) < 0.5) { path += `L${b.x.toFixed(1)} ${b.y.toFixed(1)}`; continue; }
    const half = ((a.y + b.y) / 2).toFixed(1);
    const [from, to] = [a.x.toFixed(1), b.x.toFixed(1)];
    path += `C${from} ${half} ${to} ${half} ${to} ${b.y.toFixed(1)}`;
  }
  return path;
}

class Picture {
  constructor(home, computation, scopes, onPress) {
    Object.assign(this, { home, computation, scopes, onPress });
    this.draw();
  }

  // Draws everything anew, as after a scope was opened.
  draw() {
    const drawn = layOut(this.scopes);
    this.boxes = new Map();
    this.edges = drawn.edges;
    const arrow = svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4,
      markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse",
      orient: "auto-start-reverse" },
      svg("path", { d: "M0 0 8 4 0 8z", class: "arrow" }));
    const picture = svg("svg", { viewBox: `0 0 ${drawn.width} ${drawn.height}`, role: "group",
      width: drawn.width, height: drawn.height, "aria-label": "the graph, from inputs to outputs" },
      svg("defs", {}, arrow));
    picture.style.setProperty("--natural", `${drawn.width}px`);
    for (const frame of drawn.frames) picture.append(this.frame(frame));
    for (const edge of this.edges) {
      edge.path = svg("path",
        { d: smooth(edge.points), class: "edge", "marker-end": "url(#arrow)" });
      picture.append(edge.path);
    }
    for (const box of drawn.boxes) {
      picture.append(box.item.items ? this.branch(box) : this.box(box));
    }
    this.home.replaceChildren(picture);
  }

  pressable(attributes, label, press) {
    const group = svg("g", { role: "button", tabindex: 0, ...attributes });
    group.setAttribute("aria-label", label);
    group.addEventListener("click", press);
    group.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(); }
    });
    return group;
  }

  toggle(key) {
    this.scopes.toggle(key);
    this.onPress.toggled(key);
  }

  frame({ item, x, y, w, h }) {
    const label = svg("text", { x: x + 12, y: y + 18 });
    label.textContent = `− ${shortened(item.name, w - 36)}`;
    const group = this.pressable({ class: "frame", "aria-expanded": "true", "data-key": item.key },
      `scope ${item.name}: collapse`, () => this.toggle(item.key));
    group.append(svg("rect", { x, y, width: w, height: h, rx: 10 }),
      svg("rect", { x, y, width: w, height: 26, rx: 10, class: "handle" }), label,
      named(item.name));
    return group;
  }

  branch({ item, x, y, w, h }) {
    const group = this.pressable(
      { class: "box branch", "aria-expanded": "false", "data-key": item.key },
      `scope ${item.name}, ${item.count} nodes: expand`, () => this.toggle(item.key));
    const title = svg("text", { x: x + w / 2, y: y + 19, class: "title" });
    title.textContent = `+ ${shortened(item.name, w - 26)}`;
    const count = svg("text", { x: x + w / 2, y: y + 35, class: "small" });
    count.textContent = `${item.count} nodes`;
    group.append(svg("rect", { x: x + 4, y: y + 4, width: w, height: h, rx: 6, class: "behind" }),
      svg("rect", { x, y, width: w, height: h, rx: 6 }), title, count, named(item.name));
    this.boxes.set(item.key, { group, item, x, y, w, h });
    return group;
  }

  box({ item, x, y, w, h }) {
    const node = this.computation.nodes[item.node];
    const group = this.pressable({ class: `box ${node.kind}`, "data-node": item.node }, node.title,
      () => this.onPress.chosen(item.node));
    group.append(outline(node.kind, x, y, w, h));
    const small = node.kind === "constant";
    const title = svg("text", { x: x + w / 2, y: y + (small ? 15 : 18), class: "title" });
    title.textContent = shortened(node.title, w - 20);
    const value = svg("text", { x: x + w / 2, y: y + (small ? 29 : 33), class: "small" });
    const gradient = svg("text", { x: x + w / 2, y: y + 47, class: "small gradient" });
    group.append(title, value, gradient, named(node.title));
    this.boxes.set(item.key, { group, item, value, gradient, x, y, w, h });
    return group;
  }

  // Shows a step: what is there already, what is looked at, and what moves along the edges.
  show(view) {
    for (const box of this.boxes.values()) this.showBox(box, view);
    for (const edge of this.edges) {
      const active = edge.carries.some(carried => view.active.has(carried));
      edge.path.classList.toggle("active", active);
      edge.path.classList.toggle("backward", active && view.phase === "backward");
      edge.path.classList.toggle("carried", edge.carries.some(c => view.carried.has(c)));
      const isBack = active && view.phase === "backward";
      edge.path.setAttribute(isBack ? "marker-start" : "marker-end", "url(#arrow)");
      edge.path.removeAttribute(isBack ? "marker-end" : "marker-start");
    }
    this.reachTo(view.node);
  }

  showBox(box, view) {
    const id = box.item.node, { group } = box;
    if (id === undefined) {
      const inside = view.node !== null && this.scopes.shownAs(view.node) === box.item.key;
      group.classList.toggle("current", inside);
      return;
    }
    const reached = view.reached(id), g = view.arrived(id) ? view.gradient(id) : null;
    const mistaken = g && view.order === "wrong" && this.computation.isMistaken(id);
    group.classList.toggle("current", id === view.node);
    group.classList.toggle("pending", !reached);
    group.classList.toggle("arrived", Boolean(g));
    group.classList.toggle("mistaken", Boolean(mistaken));
    const value = reached ? brief(view.value(id)) : "not yet";
    box.value.textContent = value;
    box.gradient.textContent = g ? `${mistaken ? "✗ " : ""}∂ ${brief(g)}` : "";
    const node = this.computation.nodes[id];
    group.setAttribute("aria-label",
      `${node.title}, ${node.kind}, ${reached ? "value " : ""}${value}` +
      (g ? `, gradient ${brief(g)}` : "") + (mistaken ? ", not the right one" : ""));
    if (id === view.node) group.setAttribute("aria-current", "step");
    else group.removeAttribute("aria-current");
  }

  // Brings the current node into sight, within the graph's own box alone.
  reachTo(id) {
    const box = id === null ? null : this.boxes.get(this.scopes.shownAs(id));
    if (!box) return;
    const picture = this.home.firstElementChild;
    const scale = picture.getBoundingClientRect().width / picture.viewBox.baseVal.width || 1;
    const middle = { x: (box.x + box.w / 2) * scale, y: (box.y + box.h / 2) * scale };
    const { clientWidth, clientHeight, scrollLeft, scrollTop } = this.home;
    const margin = 60;
    if (middle.x < scrollLeft + margin || middle.x > scrollLeft + clientWidth - margin) {
      this.home.scrollLeft = middle.x - clientWidth / 2;
    }
    if (middle.y < scrollTop + margin || middle.y > scrollTop + clientHeight - margin) {
      this.home.scrollTop = middle.y - clientHeight / 2;
    }
  }
}

// The whole name, where a box has room for a part of it.
function named(text) {
  const title = svg("title");
  title.textContent = text;
  return title;
}

// Kinds of nodes differ in their outlines too, for those who see few colours.
function outline(kind, x, y, w, h) {
  const group = svg("g"), right = x + w, bottom = y + h;
  const polygon = points => svg("polygon", { points: points.map(p => p.join(" ")).join(",") });
  if (kind === "parameter") { // a folder
    return polygon([[x, y + 3], [right - 20, y + 3], [right - 17, y], [right - 3, y],
      [right, y + 3], [right, bottom], [x, bottom]]);
  }
  if (kind === "input") { // a sheet with a corner turned down
    const c = 7;
    group.append(polygon([[x, y], [right - c, y], [right, y + c], [right, bottom], [x, bottom]]),
      polygon([[right - c, y], [right - c, y + c], [right, y + c]]));
    return group;
  }
  const round = { operation: 12, output: 6, constant: 0 }[kind];
  group.append(svg("rect", { x, y, width: w, height: h, rx: round }));
  if (kind === "output") {
    group.append(svg("rect", { x: x + 3, y: y + 3, width: w - 6, height: h - 6, rx: 4 }));
  }
  return group;
}

// A value in a few characters: a number, or a shape.
function brief(array) {
  return array.shape.length ? `(${array.shape.join(", ")}${array.shape.length === 1 ? "," : ""})`
    : short(array.data[0], array.dtype);
}
