"use strict";
// The recorded computation, its numbers as Python recorded them, and as they are after a change.

class Computation {
  constructor(data) {
    this.nodes = data.nodes;
    for (const node of this.nodes) node.scope = data.scopes[node.scope];
    this.outputs = data.outputs;
    this.seeds = data.seeds;
    this.orders = data.orders;
    this.refusal = data.refusal;
    this.held = data.held;
    this.users = this.nodes.map(() => []);
    this.nodes.forEach((node, id) => node.inputs.forEach((input, k) => {
      if (input.node !== null) this.users[input.node].push({ user: id, position: k });
    }));
    this.recorded = this.readNumbers();
    this.reset();
  }

  readNumbers() {
    const numbers = { values: this.nodes.map(node => arrayFrom(node.value)) };
    for (const order of ["right", "wrong"]) {
      const gradients = new Map(), parts = new Map();
      const pick = (right, wrong) => {
        const found = order === "right" || wrong === "same" ? right : wrong;
        return found ? arrayFrom(found) : null;
      };
      this.nodes.forEach((node, id) => {
        const g = pick(node.gradient, node.wrong);
        if (g) gradients.set(id, g);
        node.inputs.forEach((input, k) => {
          const part = pick(input.part, input.wrong);
          if (part) parts.set(`${id}:${k}`, part);
        });
      });
      numbers[order] = { gradients, parts };
    }
    return numbers;
  }

  reset() {
    this.numbers = this.recorded;
    this.edited = false;
  }

  isLeaf(id) {
    return !this.nodes[id].operation;
  }

  // Whether a number of this node can be changed in the page.
  isEditable(id) {
    const node = this.nodes[id];
    return !this.refusal && this.isLeaf(id) && node.compares === undefined &&
      (node.kind === "parameter" || node.kind === "input" || node.kind === "output") &&
      node.value.dtype.startsWith("float");
  }

  // Changes one element of a leaf, and computes everything again.
  edit(id, place, x) {
    const leaves = this.numbers.values.slice(), before = leaves[id], data = before.data.slice();
    data[place] = castTo(before.dtype, x);
    leaves[id] = makeArray(before.shape, before.dtype, data);
    const values = computeForward(this.nodes, leaves), numbers = { values };
    for (const order of ["right", "wrong"]) {
      numbers[order] = walkBackward(this.nodes, values, this.seeds, this.orders[order]);
    }
    this.numbers = numbers;
    this.edited = true;
  }

  value(id) {
    return this.numbers.values[id];
  }

  gradient(id, order) {
    return this.numbers[order].gradients.get(id);
  }

  part(user, position, order) {
    return this.numbers[order].parts.get(`${user}:${position}`);
  }

  // Where the parts of a node's gradient come from, in the order in which they arrive.
  contributions(id, order) {
    const when = new Map(this.orders[order].map((n, i) => [n, i]));
    const found = this.users[id].filter(({ user, position }) => this.part(user, position, order))
      .map(({ user, position }) =>
        ({ user, position, part: this.part(user, position, order), when: when.get(user) }));
    found.sort((a, b) => a.when - b.when || a.position - b.position);
    const seed = this.seeds.find(s => s.node === id);
    if (seed) found.unshift({ user: null, position: 0, part: arrayFrom(seed.seed), when: -1 });
    return found;
  }

  // Whether the gradient of a node differs between the two orders.
  isMistaken(id) {
    const right = this.gradient(id, "right"), wrong = this.gradient(id, "wrong");
    if (!right || !wrong) return Boolean(right) !== Boolean(wrong);
    return !right.data.every((x, i) => isClose(x, wrong.data[i]));
  }

  // The steps: first the leaves alone, then each operation, then each gradient.
  steps(order) {
    const steps = [{ phase: "start", node: null }];
    this.nodes.forEach((node, id) => {
      if (node.operation) steps.push({ phase: "forward", node: id });
    });
    for (const id of this.orders[order]) {
      if (this.gradient(id, order)) steps.push({ phase: "backward", node: id });
    }
    return steps;
  }

  title(id) {
    return this.nodes[id].title;
  }
}

function isClose(a, b) {
  return Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
}
