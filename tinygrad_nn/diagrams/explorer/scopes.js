"use strict";
// The nodes in their scopes, as a tree whose branches can be collapsed. Where too many stand side
// by side, runs of them get a branch of their own.

const SIDE_BY_SIDE = 80;
const ALL_OPEN = 90;  // so many nodes are all shown at the start

class Scopes {
  constructor(nodes) {
    this.nodes = nodes;
    this.root = this.branch("", null);
    this.byKey = new Map();
    this.homes = [];  // the branch that each node is in
    nodes.forEach((node, id) => {
      let at = this.root;
      for (const name of node.scope) at = this.inside(at, name);
      at.items.push({ key: `n${id}`, node: id, first: node.operation ? id : Infinity });
    });
    this.placeLeaves();
    this.finish(this.root);
    this.open = new Set();
    if (nodes.length <= ALL_OPEN) for (const key of this.byKey.keys()) this.open.add(key);
  }

  branch(name, parent) {
    const key = parent ? `${parent.key}/${parent.branches.size}` : "s";
    return { key, name, parent, items: [], branches: new Map(), count: 0, first: Infinity };
  }

  inside(at, name) {
    if (!at.branches.has(name)) {
      const made = this.branch(name, at);
      at.branches.set(name, made);
      at.items.push(made);
    }
    return at.branches.get(name);
  }

  // A leaf counts as made just before its first use.
  placeLeaves() {
    const first = new Map();
    this.nodes.forEach((node, id) => {
      node.inputs.forEach(({ node: leaf }, k) => {
        if (!first.has(leaf)) first.set(leaf, id - 0.5 + k / 1000);  // operands in their order
      });
    });
    const visit = at => at.items.forEach(item => {
      if (item.items) visit(item);
      else if (item.first === Infinity) item.first = first.get(item.node) ?? item.node;
    });
    visit(this.root);
  }

  finish(at) {
    for (const item of at.items) if (item.items) this.finish(item);
    at.items.sort((a, b) => a.first - b.first);
    if (at.items.length > SIDE_BY_SIDE) at.items = this.runs(at);
    at.items.forEach(item => {
      if (item.items) this.byKey.set(item.key, item);
      else this.homes[item.node] = at;
      item.parent = at;
    });
    at.count = at.items.reduce((sum, item) => sum + (item.items ? item.count : 1), 0);
    at.first = Math.min(...at.items.map(item => item.first));
  }

  // The items of a long branch, in branches of their own, and these in others if need be.
  runs(at) {
    let items = at.items, level = 0;
    while (items.length > SIDE_BY_SIDE) {
      const length = Math.min(SIDE_BY_SIDE, Math.max(20, Math.ceil(items.length / 60)));
      const runs = [];
      for (let i = 0; i < items.length; i += length) {
        const run = this.branch("", at);
        run.key = `${at.key}.${level}.${i}`;
        run.items = items.slice(i, i + length);
        this.finish(run);
        runs.push(run);
      }
      items = runs;
      level++;
    }
    let from = 1;
    const label = run => {
      if (run.key.startsWith(`${at.key}.0.`)) {
        run.name = `nodes ${from} to ${from + run.items.length - 1}`;
        from += run.items.length;
        return;
      }
      const start = from;
      run.items.forEach(label);
      run.name = `nodes ${start} to ${from - 1}`;
    };
    items.forEach(label);
    return items;
  }

  // The branches that a node is in, the outermost first.
  pathOf(id) {
    const path = [];
    for (let at = this.homes[id]; at && at !== this.root; at = at.parent) path.unshift(at);
    return path;
  }

  // What is shown of a node: its own box, or that of a collapsed branch.
  shownAs(id) {
    const closed = this.pathOf(id).find(branch => !this.open.has(branch.key));
    return closed ? closed.key : `n${id}`;
  }

  toggle(key) {
    if (!this.open.delete(key)) this.open.add(key);
  }

  reveal(id) {
    for (const branch of this.pathOf(id)) this.open.add(branch.key);
  }
}
