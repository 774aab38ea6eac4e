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

// The walk backward: each node passes on what has arrived when it is visited, in this order.
function walkBackward(nodes, values, seeds, order) {
  const gradients = new Map(), parts = new Map(), arrived = new Map();
  const tracked = new Set(order);
  for (const { node, seed } of seeds) arrive(arrived, node, arrayFrom(seed));
  for (const id of order) {
    const g = arrived.get(id), node = nodes[id];
    if (!g) continue;
    gradients.set(id, g);
    if (!node.code || !node.code.backward) continue;
    const registers = run(node.code.backward, [...operandsOf(node, values), values[id], g]);
    for (const [k, term] of Object.entries(node.code.parts)) {
      const part = argument(term, registers), to = node.inputs[k].node;
      parts.set(`${id}:${k}`, part);
      if (tracked.has(to)) arrive(arrived, to, part);
    }
  }
  return { gradients, parts };
}

function arrive(arrived, id, part) {
  const before = arrived.get(id);
  arrived.set(id, before ? added(before, part) : part);
}

function added(a, b) {
  const data = a.data.map((x, i) => castTo(a.dtype, x + b.data[i]));
  return makeArray(a.shape, a.dtype, data);
}
