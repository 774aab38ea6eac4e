"use strict";
// Arrays as tables of numbers on a scale of colours: blue below zero, orange above. Of arrays with
// more than two axes, one table for each of the first matrices in them.

const MOST_SLICES = 6, MOST_ROWS = 32, MOST_COLUMNS = 32;

function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// A number with four significant digits.
function short(x, dtype = "float64") {
  if (dtype === "bool") return x ? "true" : "false";
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x > 0 ? "∞" : "-∞";
  return Number.isInteger(x) && Math.abs(x) < 1e7 ? String(x) : String(Number(x.toPrecision(4)));
}

function full(x, dtype = "float64") {
  return dtype === "bool" ? short(x, dtype) : String(x);
}

function shapeText(shape) {
  return shape.length ? `(${shape.join(", ")}${shape.length === 1 ? "," : ""})` : "a number";
}

function indexText(index) {
  return index.length ? `[${index.join(", ")}]` : "";
}

// An array as text, as in [[1, 2], [3, 4]]; a long one by its shape.
function arrayText(array, most = 6) {
  const { shape, dtype } = array;
  if (!isWhole(array) || array.data.length > most) return `an array ${shapeText(shape)}`;
  const text = (from, dims) => {
    if (!dims.length) return short(array.data[from], dtype);
    const step = sizeOf(dims.slice(1));
    const items = Array.from({ length: dims[0] }, (_, i) => text(from + i * step, dims.slice(1)));
    return `[${items.join(", ")}]`;
  };
  return text(0, shape);
}

/* A view of an array. Options: caption; editable, with edit(place, text) that says what is wrong;
   chosen, the index that is looked at, and choose(index). */
function matrixView(array, options) {
  const view = el("figure", { class: "matrix" });
  view.append(el("figcaption", { text: options.caption }));
  if (!array.data.length) return view.append(el("p", { text: "no elements" })), view;
  const shown = shownShape(array), matrix = shown.slice(-2);
  const [rows, columns] = matrix.length === 2 ? matrix : [1, matrix[0] ?? 1];
  const slices = sizeOf(shown.slice(0, -2)), largest = peak(array);
  const wide = el("div", { class: "wide" });
  const readout = el("output", { class: "readout" });
  const strides = stridesOf(isWhole(array) ? array.shape : shown);
  let number = 0;
  eachIndex(shown.slice(0, -2), outer => {
    if (number++ >= MOST_SLICES) return;
    const caption = outer.length ? `${options.caption} [${outer.join(", ")}, :, :]`
      : options.caption;
    wide.append(tableOf(array, { ...options, caption, outer: outer.slice(), rows, columns, strides,
      largest, readout, shownCaption: outer.length > 0 }));
  });
  view.append(wide);
  const rest = notShown(array, slices, rows, columns);
  if (rest) view.append(el("p", { class: "dim", text: rest }));
  if (array.summary) view.append(summaryView(array));
  view.append(readout);
  return view;
}

function peak(array) {
  return array.data.reduce((m, x) => (Number.isFinite(x) ? Math.max(m, Math.abs(x)) : m), 0) || 1;
}

function notShown(array, slices, rows, columns) {
  const cut = !isWhole(array) || slices > MOST_SLICES || rows > MOST_ROWS || columns > MOST_COLUMNS;
  return cut ? `a part of ${shapeText(array.shape)}, ${sizeOf(array.shape)} numbers` : "";
}

function tableOf(array, options) {
  const { outer, columns, rows } = options, ndim = array.shape.length;
  const table = el("table", { class: ndim ? "" : "scalar" });
  table.append(el("caption",
    { class: options.shownCaption ? "" : "hidden", text: options.caption }));
  const across = Math.min(columns, MOST_COLUMNS), body = el("tbody");
  if (ndim) {
    const head = el("tr", {}, ...(ndim > 1 ? [el("td")] : []));
    for (let j = 0; j < across; j++) head.append(el("th", { scope: "col", text: j }));
    table.append(el("thead", {}, head));
  }
  for (let i = 0; i < Math.min(rows, MOST_ROWS); i++) {
    const row = el("tr");
    if (ndim > 1) row.append(el("th", { scope: "row", text: i }));
    for (let j = 0; j < across; j++) {
      const index = ndim === 0 ? [] : ndim === 1 ? [j] : [...outer, i, j];
      row.append(cellOf(array, index, options));
    }
    body.append(row);
  }
  table.append(body);
  return table;
}

function cellOf(array, index, options) {
  const place = offsetAt(index, options.strides), x = array.data[place];
  const cell = el("td", { tabindex: -1, text: short(x, array.dtype) });
  const told = `${indexText(index)} ${index.length ? "= " : ""}${full(x, array.dtype)}`;
  cell.title = told;
  cell.dataset.index = index.join(",");
  if (Number.isFinite(x) && x !== 0) {
    cell.className = x < 0 ? "negative" : "positive";
    cell.style.setProperty("--heat", `${(8 + 47 * Math.abs(x) / options.largest).toFixed(1)}%`);
  }
  const tell = () => { options.readout.textContent = told; };
  cell.addEventListener("mouseenter", tell);
  cell.addEventListener("focus", tell);
  const isChosen = options.chosen && options.chosen.join() === index.join();
  if (isChosen) { cell.classList.add("chosen"); options.readout.textContent = told; }
  if (isChosen || (place === 0 && !options.chosen)) cell.tabIndex = 0;
  if (options.choose) cell.addEventListener("click", () => options.choose(index));
  cell.addEventListener("keydown", event => moved(event, cell));
  if (options.edit) editable(cell, place, x, options);
  return cell;
}

// Marks another element in tables that are there.
function markChosen(home, index) {
  for (const cell of home.querySelectorAll("td[data-index]")) {
    const isChosen = cell.dataset.index === index.join(",");
    cell.classList.toggle("chosen", isChosen);
    cell.tabIndex = isChosen ? 0 : -1;
    if (isChosen) cell.closest("figure").querySelector("output").textContent = cell.title;
  }
}

// From number to number by keys: ↑ and ↓, and ← and → with Shift.
function moved(event, cell) {
  const all = [...cell.closest("figure").querySelectorAll("td[data-index]")];
  const across = cell.parentElement.querySelectorAll("td[data-index]").length;
  const step = { ArrowUp: -across, ArrowDown: across }[event.key] ??
    (event.shiftKey ? { ArrowLeft: -1, ArrowRight: 1 }[event.key] : undefined);
  if (step === undefined || event.target !== cell) return;
  event.preventDefault();
  event.stopPropagation();
  const next = all[all.indexOf(cell) + step];
  if (next) { cell.tabIndex = -1; next.tabIndex = 0; next.focus(); }
}

function editable(cell, place, x, options) {
  cell.classList.add("editable");
  const start = () => {
    if (cell.querySelector("input")) return;
    const field = el("input", { "aria-label": `new number for ${options.caption} ` +
      indexText(cell.dataset.index ? cell.dataset.index.split(",") : []), inputmode: "text" });
    field.value = full(x);
    let over = false;
    const finish = keep => {
      if (over) return;
      const problem = keep ? options.edit(place, field.value) : "";
      if (problem) {
        options.readout.textContent = problem;
        field.setAttribute("aria-invalid", "true");
        return;
      }
      over = true;
      if (cell.isConnected) { cell.textContent = short(x); if (!keep) cell.focus(); }
    };
    field.addEventListener("keydown", event => {
      event.stopPropagation();
      if (event.key === "Enter") { event.preventDefault(); finish(true); }
      if (event.key === "Escape") { event.preventDefault(); finish(false); }
    });
    field.addEventListener("blur", () => finish(false));
    cell.replaceChildren(field);
    field.focus();
    field.select();
  };
  cell.addEventListener("dblclick", start);
  cell.addEventListener("keydown", event => {
    if (event.key === "Enter" && event.target === cell) { event.preventDefault(); start(); }
  });
}

// What sums a large array up, with how its numbers are distributed.
function summaryView({ summary, shape }) {
  const size = sizeOf(shape), said = [];
  if (summary.min !== undefined) {
    said.push(`${short(Number(summary.min))} to ${short(Number(summary.max))}`,
      `mean ${short(Number(summary.mean))}`);
  }
  said.push(`${short(100 * summary.zeros / size)} % zeros`);
  if (summary.nan) said.push(`${summary.nan} NaN`);
  if (summary.infinite) said.push(`${summary.infinite} infinite`);
  const view = el("div", { class: "summary" }, el("p", { text: said.join(" · ") }));
  if (summary.histogram) view.append(histogram(summary));
  return view;
}

function histogram({ histogram: counts, min, max }) {
  const most = Math.max(...counts), bars = counts.map((n, i) => svg("rect",
    { x: i * 10 + 1, y: 40 - 40 * n / most, width: 8, height: 40 * n / most }));
  return svg("svg", { viewBox: `0 0 ${counts.length * 10} 41`, class: "histogram", role: "img",
    "aria-label": `histogram from ${short(Number(min))} to ${short(Number(max))}: ` +
      counts.join(", ") }, ...bars);
}
