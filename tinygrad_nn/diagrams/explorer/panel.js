"use strict";
// The panel of one node: what it is, its formula, its value beside its gradient, the parts that
// arrive, the verdict on it, and the line of the program that it comes from.

function counted(n, what) {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

const MARKS = { right: "✓", wrong: "✗", undecided: "?" };

class Panel {
  constructor(home, computation, actions) {
    Object.assign(this, { home, computation, actions });
    this.index = new Map();  // the element that is looked at, by node
  }

  show(view) {
    const top = this.home.scrollTop;
    this.view = view;
    const parts = view.node === null ? this.start() : this.node(view.node);
    if (this.keep && parts.includes(this.kept)) this.around(parts);
    else this.home.replaceChildren(...parts);
    this.home.scrollTop = view.node === this.last ? top : 0;
    this.last = view.node;
  }

  // Renews what stands around the matrices, which stay: somebody may be about to press again.
  around(parts) {
    for (const child of [...this.home.childNodes]) if (child !== this.kept) child.remove();
    const at = parts.indexOf(this.kept);
    this.kept.before(...parts.slice(0, at));
    this.kept.after(...parts.slice(at + 1));
  }

  choose(id, index) {
    this.index.set(id, index);
    this.keep = true;
    this.actions.refresh();
    this.keep = false;
  }

  // Before the first step: what there is.
  start() {
    const { nodes, outputs } = this.computation;
    const count = kind => nodes.filter(node => node.kind === kind).length;
    const list = el("ul", { class: "jumps" });
    const leaves = nodes.map((_, id) => id).filter(id => nodes[id].kind === "parameter");
    for (const id of [...leaves.slice(0, 20), ...outputs]) {
      list.append(el("li", {}, this.jump(id, true)));
    }
    const operations = nodes.filter(node => node.operation).length;
    return [el("h2", { text: "Before the first step" }),
      el("p", { text: `${counted(count("parameter"), "parameter")}, ` +
        `${counted(count("input"), "input")} and ${counted(operations, "operation")}. The values ` +
        "of parameters, inputs and constants are there; each step forward computes one more." +
        (this.computation.seeds.length ? " Then each step backward completes one gradient."
          : " No gradient was asked for, so there are no steps backward.") }),
      el("p", { text: "Press → to go on, Space to play, ? for all keys." }), list];
  }

  jump(id, isWhole = false) {
    const { kind, title, scope } = this.computation.nodes[id];
    const path = isWhole ? [...scope, title].join(" / ") : title;
    return el("button", { class: "link", onclick: () => this.actions.choose(id) },
      name(path), ` (${kind})`);
  }

  chosenIndex(id) {
    const shape = shownShape(this.computation.value(id));
    const index = this.index.get(id) || shape.map(() => 0);
    return index.map((i, k) => Math.min(i, shape[k] - 1));
  }

  node(id) {
    const { computation, view } = this, node = computation.nodes[id];
    const reached = view.reached(id), parts = [this.heading(id)];
    if (!reached) {
      parts.push(el("p", { class: "notyet", text: "Not computed yet: " +
        `it is step ${view.stepOf(id, "forward")}.` }));
    }
    if (node.operation && reached && computation.value(id).data.length) {
      parts.push(formulaCard(computation, id, this.chosenIndex(id)));
    } else if (node.operation) {
      parts.push(line(el("span", { class: "symbols", text: `y = ${node.operation.formula}` })));
    }
    if (reached) parts.push(this.matrices(id));
    if (computation.seeds.length) parts.push(...this.backward(id));
    if (node.check) parts.push(this.verdict(id));
    parts.push(this.neighbours(id));
    if (node.source) parts.push(this.source(node.source));
    return parts;
  }

  heading(id) {
    const { computation, view } = this, node = computation.nodes[id], value = computation.value(id);
    const head = el("div", {}, el("h2", {}, name(node.title)));
    const facts = el("p", { class: "facts" },
      el("span", { class: `chip ${node.kind}`, text: node.kind }));
    if (node.scope.length) {
      facts.append(" in ", name(node.scope.join(" / ")));
    }
    facts.append(` · ${value.shape.length ? `shape ${shapeText(value.shape)}` : "a number"}` +
      ` · ${value.dtype}`);
    head.append(facts);
    if (view.isChosen) head.append(this.goTo(id));
    return head;
  }

  // A node that was picked, and is not the one of this step.
  goTo(id) {
    const { view } = this, phase = view.phase === "backward" ? "backward" : "forward";
    const step = view.stepOf(id, phase) ?? view.stepOf(id, "forward") ??
      view.stepOf(id, "backward");
    const row = el("p", { class: "dim" }, "picked; the step stays where it is. ");
    if (step !== undefined) {
      row.append(el("button", { class: "link", text: `go to its step (${step})`,
        onclick: () => this.actions.go(step) }));
    }
    return row;
  }

  matrices(id) {
    const { computation, view } = this, node = computation.nodes[id];
    const chosen = this.chosenIndex(id), value = computation.value(id);
    if (this.keep && this.kept && this.last === id) return markChosen(this.kept, chosen), this.kept;
    const choose = index => this.choose(id, index);
    const edit = computation.isEditable(id)
      ? (place, text) => this.edit(id, place, text) : undefined;
    const row = this.kept = el("div", { class: "pair" }, matrixView(value,
      { caption: edit ? `value (can be changed)` : "value", chosen, choose, edit }));
    if (!computation.seeds.length) return row;
    const g = view.arrived(id) ? view.gradient(id) : null;
    if (g) row.append(matrixView(g, { caption: "gradient", chosen, choose }));
    else {
      const never = node.tracked && view.stepOf(id, "backward") !== undefined;
      row.append(el("figure", { class: "matrix" }, el("figcaption", { text: "gradient" }),
        el("p", { class: "notyet", text: never ? "not yet" : "none: no gradient flows here" })));
    }
    return row;
  }

  // Changes a number, and goes back to where it stood.
  edit(id, place, text) {
    const problem = this.actions.edit(id, place, text);
    const index = indexAt(this.computation.value(id), place).join(",");
    const cell = this.home.querySelector(`td.editable[data-index="${index}"]`);
    if (!problem && cell) cell.focus();
    return problem;
  }

  // What arrives at a node, one part after the other, and what they add up to.
  backward(id) {
    const { computation, view } = this, all = computation.contributions(id, view.order);
    if (!all.length || view.phase !== "backward") return this.uses(id);
    const visit = computation.orders[view.order].indexOf(id), now = view.visit;
    const here = all.filter(c => c.when <= now);
    const list = el("ol", { class: "arrivals" });
    let sum = null;
    here.forEach((c, i) => {
      const late = c.when >= visit;
      if (!late) sum = sum ? added(sum, c.part) : c.part;
      list.append(this.arrival(id, c, i, late, sum));
    });
    const section = el("section", { class: "card" },
      el("h3", { text: now < visit ? "gradient so far" : "gradient" }), ...this.uses(id), list);
    if (sum && now >= visit) {
      section.append(line(el("strong", {}, "= gradient ", this.inShort(id, sum))));
      if (view.order === "wrong") section.append(...mistakeAt(computation, id));
    } else if (!here.length) section.append(el("p", { class: "notyet", text: "nothing yet" }));
    return [section];
  }

  arrival(id, { user, position, part }, i, late, sum) {
    const { computation } = this, item = el("li");
    item.style.setProperty("--turn", i);
    if (user === null) {
      item.append("the start: ", ...this.told(id, part));
      return item;
    }
    const { operation } = computation.nodes[user], letter = operation.letters[position] ?? position;
    item.append("from ", name(computation.title(user)), ` (as ${letter}): `,
      ...this.told(id, part));
    const formula = operation.derivatives[position];
    if (formula) item.append(this.derivation(id, user, part, formula));
    if (late) {
      item.append(el("p", { class: "wrong", text: "✗ too late: this was never passed on" }));
    } else if (i > 0) item.append(el("p", { class: "dim" }, "sum so far ", this.inShort(id, sum)));
    return item;
  }

  // A part whole: as text, or as a matrix.
  told(id, part) {
    if (isWhole(part) && part.data.length <= 6) return [el("strong", { text: arrayText(part) })];
    return [matrixView(part, { caption: "part", chosen: this.chosenIndex(id),
      choose: index => this.choose(id, index) })];
  }

  // A sum as text; of a large one, the element that is looked at.
  inShort(id, array) {
    if (isWhole(array) && array.data.length <= 6) return arrayText(array);
    const index = this.chosenIndex(id), x = elementAt(array, index);
    return x === undefined ? arrayText(array) : `at ${indexText(index)}: ${short(x)}`;
  }

  // The rule that made a part, with the numbers of the element that is looked at.
  derivation(id, user, part, formula) {
    const { computation, view } = this, index = this.chosenIndex(id);
    let text = `part = ${formula}`;
    const whole = computation.value(user), g = computation.gradient(user, view.order);
    if (whole.shape.join() === part.shape.join() && g) {
      const numbers = numbersAt(computation, user, index, g), x = elementAt(part, index);
      if (numbers && x !== undefined) {
        const at = index.length ? ` at ${indexText(index)}` : "";
        text += `${at}: ${substituted(formula, numbers)} = ${mathText(x)}`;
      }
    } else if (computation.nodes[user].operation.elementwise) {
      text += ", summed over the places where each element was used";
    }
    return el("p", { class: "formula dim", text });
  }

  // How often a value is used; each use is a path that brings a part.
  uses(id) {
    const count = this.computation.contributions(id, "right").filter(c => c.user !== null).length;
    if (count < 2) return [];
    return [el("p", { class: "uses",
      text: `used ${count} times: the gradient is the sum over ${count} paths` })];
  }

  verdict(id) {
    const { check } = this.computation.nodes[id], { edited } = this.computation;
    const undecided = !check.right && !["WRONG", "KINK"].includes(check.verdict);
    const kind = check.right ? "right" : undecided ? "undecided" : "wrong";
    const along = check.direction ? " in a random direction" : "";
    const by = check.madeBy.length ? `, made by ${check.madeBy.join(" or ")}` : "";
    const section = el("section", { class: `card check ${edited ? "stale" : ""}` },
      el("h3", { text: "gradient check" }),
      el("p", { class: kind, text: `${MARKS[kind]} ${check.verdict}${by}` }),
      el("p", { class: "formula", text: `analytic ${short(Number(check.analytic))}${along}, ` +
        `numeric ${short(Number(check.numeric))}` }));
    if (this.view.order === "wrong") {
      section.append(el("p", { class: "dim", text: "of the gradient in the right order" }));
    }
    if (edited) section.append(el("p", { class: "dim", text: "of the numbers as recorded" }));
    return section;
  }

  neighbours(id) {
    const { nodes, users } = this.computation, section = el("div", { class: "neighbours" });
    const list = (label, ids) => {
      if (!ids.length) return;
      const row = el("p", {}, `${label} `);
      ids.slice(0, 12).forEach((other, i) => row.append(i ? ", " : "", this.jump(other)));
      if (ids.length > 12) row.append(`, and ${ids.length - 12} more`);
      section.append(row);
    };
    list("made from", nodes[id].inputs.map(i => i.node).filter(n => n !== null));
    list("used by", [...new Set(users[id].map(u => u.user))]);
    return section;
  }

  source({ file, line: number, text }) {
    return el("div", { class: "source" }, el("p", { class: "dim" }, name(file), `, line ${number}`),
      el("pre", {}, el("bdi", { text })));
  }
}
