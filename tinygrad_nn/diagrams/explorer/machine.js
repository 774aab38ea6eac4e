"use strict";
// The page's arithmetic: it runs the equations that come with each node, and walks backward.

// Functions by name; their keys in the table have parameters as well.
const FUNCTIONS = Object.fromEntries(
  Object.entries(NUMPY).map(([key, f]) => [key.slice(0, key.indexOf("(")), f]));

function argument(term, registers) {
  if (Array.isArray(term)) return term.map(item => argument(item, registers));
  if (term === null || typeof term !== "object") return term;
  if ("register" in term) return registers[term.register];
  if ("array" in term) return arrayFrom(term.array);
  if ("number" in term) return Number(term.number);
  if ("slice" in term) return { slice: term.slice.map(part => argument(part, registers)) };
  return term;
}

// Runs equations; each leaves its result in the next register.
function run(equations, registers) {
  for (const [name, terms, shape, dtype] of equations) {
    const result = FUNCTIONS[name](...terms.map(term => argument(term, registers)));
    if (result.data.length !== sizeOf(shape)) throw new Error(`${name} has another shape here`);
    registers.push(makeArray(shape, dtype, result.data.map(x => castTo(dtype, x))));
  }
  return registers;
}

function operandsOf(node, values) {
  return node.inputs.filter(i => i.node !== null && !i.number).map(i => values[i.node]);
}

// The values of all nodes, computed from the leaves.
function computeForward(nodes, leaves) {
  const values = leaves.slice();
  nodes.forEach((node, id) => {
    if (!node.code) return;
    const compared = node.compares === undefined ? operandsOf(node, values)
      : [values[node.compares]];
    values[id] = argument(node.code.value, run(node.code.forward, compared.slice()));
  });
  return values;
}

// The walk backward: each node passes on what has arrived when it is visited, in this order. Where
// something is not finite, it is made again, with care for what was not selected, as Python's is.
function walkBackward(nodes, values, seeds, order) {
  const found = walkOnce(nodes, values, seeds, order, false);
  const isFinite = [...found.gradients.values()].every(g => g.data.every(Number.isFinite));
  return isFinite ? found : walkOnce(nodes, values, seeds, order, true);
}

function walkOnce(nodes, values, seeds, order, guarded) {
  const gradients = new Map(), parts = new Map(), arrived = new Map(), selected = new Map();
  const tracked = new Set(order);
  for (const { node, seed } of seeds) {
    const g = arrayFrom(seed);
    arrive(arrived, node, g);
    mark(selected, node, elementwise(x => x !== 0, g));
  }
  for (const id of order) {
    const g = arrived.get(id), node = nodes[id];
    if (!g) continue;
    gradients.set(id, g);
    if (!node.code || !node.code.backward) continue;
    const careful = guarded && node.code.guarded;
    const start = [...operandsOf(node, values), values[id], g];
    const registers = careful ? run(node.code.guarded, [...start, selected.get(id)])
      : run(node.code.backward, start);
    const sent = careful ? node.code.guardedParts : node.code.parts;
    for (const [k, term] of Object.entries(sent)) {
      const part = argument(term, registers), to = node.inputs[k].node;
      parts.set(`${id}:${k}`, part);
      if (tracked.has(to)) arrive(arrived, to, part);
      mark(selected, to, careful ? argument(node.code.reached[k], registers)
        : filled(part.shape, "bool", 1));
    }
  }
  return { gradients, parts };
}

// Adds to what is known to be selected of a node.
function mark(selected, id, there) {
  const before = selected.get(id);
  selected.set(id, before ? elementwise((a, b) => a || b, before, there) : there);
}

function arrive(arrived, id, part) {
  const before = arrived.get(id);
  arrived.set(id, before ? added(before, part) : part);
}

function added(a, b) {
  const data = a.data.map((x, i) => castTo(a.dtype, x + b.data[i]));
  return makeArray(a.shape, a.dtype, data);
}
