"use strict";
// The formula card of an operation: its symbols, which value each letter stands for, and the
// formula with the numbers of one element.

const MOST_TERMS = 8;

const REDUCTIONS = {
  sum: terms => terms.join(" + "),
  mean: (terms, count) => `(${terms.join(" + ")}) / ${count}`,
  prod: terms => terms.join("·"),
  max: terms => `max(${terms.join(", ")})`,
  min: terms => `min(${terms.join(", ")})`,
};

function line(...parts) {
  return el("p", { class: "formula" }, ...parts);
}

function name(text) {
  return el("bdi", { class: "name", text });
}

// The card of the operation that made a value.
function formulaCard(computation, id, index) {
  const node = computation.nodes[id], { operation } = node;
  const card = el("div", { class: "card" }, el("h3", { text: "formula" }));
  const call = operation.call ? ` (${operation.call})` : "";
  card.append(line(el("span", { class: "symbols", text: `y = ${operation.formula}` }),
    el("span", { class: "dim", text: `  ${operation.name}${call}` })));
  const letters = el("ul", { class: "letters" });
  node.inputs.forEach((input, k) => {
    if (input.node === null) return;
    const letter = operation.letters[k] ?? `a${k + 1}`;
    letters.append(el("li", {}, `${letter} is `, name(computation.title(input.node)),
      ` = ${arrayText(computation.value(input.node))}`));
  });
  card.append(letters);
  const numbers = numbersLine(computation, id, index);
  if (numbers) card.append(numbers);
  return card;
}

// The formula of one element with its numbers, where it can be written in a line.
function numbersLine(computation, id, index) {
  const node = computation.nodes[id], { operation } = node;
  const y = elementAt(computation.value(id), index);
  if (y === undefined) return null;
  const numbers = numbersAt(computation, id, index);
  const at = index.length ? `y${indexText(index)}` : "y";
  const written = numbers ? substituted(operation.formula, numbers)
    : operation.name === "matmul" ? dotProduct(computation, node, index)
      : reduction(computation, id, index);
  if (!written) return null;
  return line(el("span", { class: "numbers", text: `${at} = ${written} = ${mathText(y)}` }));
}

// One element of a matrix product: a row of the first times a column of the second.
function dotProduct(computation, node, index) {
  const [a, b] = node.inputs.map(input => computation.value(input.node));
  const column = b.shape.length > 1 ? index.at(-1) : null;
  const row = a.shape.length > 1 ? index.at(b.shape.length > 1 ? -2 : -1) : null;
  const batch = index.slice(0, index.length - (row !== null) - (column !== null));
  const outer = (array, axes) =>
    batch.slice(Math.max(0, batch.length - (array.shape.length - axes)));
  const terms = [], length = a.shape.at(-1);
  for (let k = 0; k < Math.min(length, MOST_TERMS); k++) {
    const left = elementAt(a, row === null ? [k] : [...outer(a, 2), row, k]);
    const right = elementAt(b, column === null ? [k] : [...outer(b, 2), k, column]);
    if (left === undefined || right === undefined) return "";
    terms.push(`${factor(left)}·${factor(right)}`);
  }
  return terms.join(" + ") + (length > MOST_TERMS ? " + …" : "");
}

function factor(x) {
  const text = mathText(x);
  return isPlainNumber(text) ? text : `(${text})`;
}

// One element of a sum, mean, product or extreme: what goes into it.
function reduction(computation, id, index) {
  const node = computation.nodes[id];
  const write = REDUCTIONS[node.operation.name], input = node.inputs[0];
  const a = input && input.node !== null ? computation.value(input.node) : null;
  if (!write || !a || !isWhole(a)) return "";
  const into = intoElement(computation.value(id).shape, a, index);
  if (!into) return "";
  const terms = into.slice(0, MOST_TERMS).map(factor);
  if (into.length > MOST_TERMS) terms.push("…");
  return terms.length ? write(terms, into.length) : "";
}

// The elements that are reduced to one. Which axes were reduced follows from the shapes, unless
// several would fit: then there is nothing to show.
function intoElement(shape, a, index) {
  if (sizeOf(shape) === 1) return a.data;
  const axes = a.shape.map((_, i) => i);
  const fits = axes.filter(axis => shape.length === a.shape.length
    ? shape[axis] === 1 && a.shape[axis] !== 1
    : a.shape.filter((_, i) => i !== axis).join() === shape.join());
  const kept = shape.length === a.shape.length;
  if (kept ? fits.length < 1 : fits.length !== 1) return null;
  const found = [];
  eachIndex(a.shape, (at, n) => {
    const left = kept ? at.map((i, axis) => (fits.includes(axis) ? 0 : i))
      : at.filter((_, axis) => axis !== fits[0]);
    if (left.join() === index.join()) found.push(a.data[n]);
  });
  return found;
}
