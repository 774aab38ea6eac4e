"use strict";
// The page as a whole: the steps, the controls, the keys, and what a change of a number does.

class Explorer {
  constructor(data) {
    this.computation = new Computation(data);
    this.scopes = new Scopes(this.computation.nodes);
    this.order = "right";
    this.at = 0;
    this.chosen = null;
    this.timer = null;
    this.steps = this.computation.steps(this.order);
    this.picture = new Picture(byId("graph"), this.computation, this.scopes,
      { chosen: id => this.choose(id), toggled: key => this.toggled(key) });
    this.panel = new Panel(byId("panel"), this.computation, {
      choose: id => this.choose(id), go: step => this.go(step), refresh: () => this.refresh(),
      edit: (id, place, text) => this.edit(id, place, text) });
    this.begin();
    this.show("");
  }

  get step() {
    return this.steps[this.at];
  }

  // What is seen at a step: which values and gradients are there, and what moves.
  view() {
    const { computation, order, steps, at } = this, { phase, node } = this.step;
    const looked = this.chosen ?? node;
    const when = new Map(steps.map((s, i) => [`${s.phase} ${s.node}`, i]));
    const stepOf = (id, p) => when.get(`${p} ${id}`);
    const visit = phase === "backward" ? computation.orders[order].indexOf(node) : -1;
    const active = new Set(), carried = new Set();
    if (phase === "forward") {
      computation.nodes[node].inputs.forEach((_, k) => active.add(`${node}:${k}`));
    } else if (phase === "backward") {
      for (const c of computation.contributions(node, order)) {
        if (c.user !== null && c.when < visit) active.add(`${c.user}:${c.position}`);
      }
      for (const id of computation.orders[order].slice(0, visit)) {
        computation.nodes[id].inputs.forEach((_, k) => {
          if (computation.part(id, k, order)) carried.add(`${id}:${k}`);
        });
      }
    }
    return {
      phase, node: looked, order, visit, active, carried, stepOf,
      isChosen: looked !== node,
      reached: id => computation.isLeaf(id) || stepOf(id, "forward") <= at,
      arrived: id => stepOf(id, "backward") <= at,
      value: id => computation.value(id),
      gradient: id => computation.gradient(id, order),
    };
  }

  refresh() {
    const view = this.view();
    this.picture.show(view);
    this.panel.show(view);
  }

  show(said = this.told()) {
    this.refresh();
    byId("progress").textContent = this.progress();
    byId("slider").value = this.at;
    byId("slider").setAttribute("aria-valuetext", this.progress());
    for (const id of ["first", "back"]) byId(id).disabled = this.at === 0;
    for (const id of ["next", "last"]) byId(id).disabled = this.at === this.steps.length - 1;
    if (said) byId("live").textContent = said;
  }

  progress() {
    const { phase } = this.step;
    return `step ${this.at} of ${this.steps.length - 1} · ${phase === "start" ? "inputs" : phase}`;
  }

  // A step in a sentence, for those who listen.
  told() {
    const { phase, node } = this.step, { computation } = this;
    if (phase === "start") return "before the first step: parameters and inputs";
    const title = computation.title(node);
    if (phase === "forward") {
      return `forward step ${this.at}: ${title}, value ${arrayText(computation.value(node))}`;
    }
    const order = computation.orders[this.order];
    const mistaken = this.order === "wrong" && computation.isMistaken(node);
    const wrong = mistaken ? ", not the right one" : "";
    return `backward step ${order.indexOf(node) + 1} of ${order.length}: ${title}, gradient ` +
      arrayText(computation.gradient(node, this.order)) + wrong;
  }

  go(step) {
    this.at = Math.min(Math.max(step, 0), this.steps.length - 1);
    this.chosen = null;
    this.show();
  }

  choose(id) {
    this.chosen = id === this.step.node ? null : id;
    this.reveal(id);
    this.show(`${this.computation.title(id)}, ${this.computation.nodes[id].kind}`);
  }

  reveal(id) {
    if (this.scopes.shownAs(id) === `n${id}`) return;
    this.scopes.reveal(id);
    this.picture.draw();
  }

  // --- what moves the steps ----------------------------------------------------------------------

  play(on) {
    clearTimeout(this.timer);
    this.timer = null;
    if (on && this.at === this.steps.length - 1) this.go(0);
    if (on) {
      const next = () => {
        this.go(this.at + 1);
        const more = this.at < this.steps.length - 1;
        if (more) this.timer = setTimeout(next, 1200 / Number(byId("speed").value));
        else this.play(false);
      };
      this.timer = setTimeout(next, 1200 / Number(byId("speed").value));
    }
    byId("play").textContent = this.timer === null ? "play" : "pause";
    byId("play").setAttribute("aria-pressed", String(this.timer !== null));
  }

  setOrder(order) {
    const { phase, node } = this.step;
    this.order = byId("order").value = order;
    this.steps = this.computation.steps(order);
    byId("slider").max = this.steps.length - 1;
    const same = this.steps.findIndex(s => s.phase === phase && s.node === node);
    this.at = same < 0 ? Math.min(this.at, this.steps.length - 1) : same;
    this.banner();
    this.show(order === "wrong" ? "order of arrival: a classic mistake" : "right order");
  }

  banner() {
    const banner = byId("banner"), wrong = this.order === "wrong";
    banner.hidden = !wrong;
    banner.replaceChildren(...(wrong
      ? mistakeBanner(this.computation, id => this.choose(id)) : []));
  }

  toggled(key) {
    this.picture.draw();
    this.show("");
    const again = byId("graph").querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (again) again.focus({ preventScroll: true });
  }

  // Collapses the scope of the current node, or expands it.
  toggleScope() {
    const { node } = this.view(), path = node === null ? [] : this.scopes.pathOf(node);
    if (!path.length) return;
    const closed = path.find(branch => !this.scopes.open.has(branch.key));
    const scope = closed || path.at(-1);
    this.scopes.toggle(scope.key);
    this.picture.draw();
    this.show(`${scope.name}: ${closed ? "expanded" : "collapsed"}`);
  }

  find(words) {
    const wanted = words.trim().toLowerCase(), { nodes } = this.computation;
    if (!wanted) return;
    const titles = nodes.map(node => [...node.scope, node.title].join(" / ").toLowerCase());
    const where = fit => titles.flatMap((t, id) => (fit(t) ? [id] : []));
    const named = where(t => t === wanted || t.endsWith(` / ${wanted}`));
    const found = named.length ? named : where(t => t.includes(wanted));
    if (!found.length) { byId("live").textContent = `no node is called ${words}`; return; }
    const looked = this.view().node, i = found.indexOf(looked);
    const id = found[(i + 1) % found.length], view = this.view();
    const step = view.stepOf(id, this.step.phase === "backward" ? "backward" : "forward");
    this.reveal(id);
    if (step === undefined) this.choose(id);
    else this.go(step);
  }

  // --- changing numbers ------------------------------------------------------------------------

  // Changes one number; says what is wrong with it, or nothing.
  edit(id, place, text) {
    const x = /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(text) ? Number(text) : NaN;
    if (!Number.isFinite(x)) return `expected a finite number; got ${text || "nothing"}`;
    try {
      this.computation.edit(id, place, x);
    } catch (error) {
      return `the page cannot compute with this number: ${error.message}`;
    }
    this.changed(`${this.computation.title(id)} changed; `);
    return "";
  }

  changed(what) {
    const { computation } = this, out = computation.outputs[0];
    byId("reset").hidden = !computation.edited;
    const result = `${computation.title(out)} is now ${arrayText(computation.value(out))}`;
    this.steps = computation.steps(this.order);
    this.at = Math.min(this.at, this.steps.length - 1);
    byId("slider").max = this.steps.length - 1;
    this.banner();
    this.editingNote(`${what}${result}.`);
    this.show(what + result);
  }

  editingNote(result = "") {
    const { refusal, held, edited, nodes } = this.computation;
    const note = byId("editing");
    if (refusal) { note.textContent = `Editing is off: ${refusal}.`; return; }
    const still = edited && held.length ? ` As recorded stayed ${counted(held.length, "value")} ` +
      "without a gradient: masks, indices and the like." : "";
    const any = nodes.some((_, id) => this.computation.isEditable(id));
    note.textContent = result ? result + still : any
      ? "Numbers of parameters and inputs can be changed: double-click, or Enter, on one." : "";
  }

  reset() {
    this.computation.reset();
    byId("reset").hidden = true;
    this.banner();
    this.editingNote();
    this.show("the numbers as recorded");
    byId("next").focus();
  }

  // --- controls --------------------------------------------------------------------------------

  begin() {
    const on = (id, type, act) => byId(id).addEventListener(type, act);
    on("first", "click", () => this.go(0));
    on("back", "click", () => this.go(this.at - 1));
    on("next", "click", () => this.go(this.at + 1));
    on("last", "click", () => this.go(this.steps.length - 1));
    on("play", "click", () => this.play(this.timer === null));
    on("slider", "input", () => this.go(Number(byId("slider").value)));
    on("order", "change", () => this.setOrder(byId("order").value));
    on("theme", "click", toggleTheme);
    on("help", "click", () => byId("keys").showModal());
    on("reset", "click", () => this.reset());
    on("search", "submit", event => { event.preventDefault(); this.find(byId("words").value); });
    document.addEventListener("keydown", event => this.key(event));
    byId("slider").max = this.steps.length - 1;
    byId("order").parentElement.hidden = !this.computation.seeds.length;
    const titles = new Set(this.computation.nodes.map(node => node.title));
    for (const title of [...titles].slice(0, 300)) {
      byId("names").append(el("option", { value: title }));
    }
    legend(this.computation.nodes);
    this.editingNote();
  }

  key(event) {
    const typing = event.target.closest("input:not([type=range]), select, textarea, dialog[open]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.type === "range" && /^(Arrow|Home|End)/.test(event.key)) return;
    const pressed = event.target.closest("button, [role=button]");
    const keys = {
      ArrowRight: () => this.go(this.at + 1),
      ArrowLeft: () => this.go(this.at - 1),
      Home: () => this.go(0),
      End: () => this.go(this.steps.length - 1),
      " ": () => this.play(this.timer === null),
      "/": () => byId("words").focus(),
      c: () => this.toggleScope(),
      t: toggleTheme,
      w: () => this.setOrder(this.order === "right" ? "wrong" : "right"),
      "?": () => byId("keys").showModal(),
    };
    const act = keys[event.key];
    if (!act || (event.key === " " && pressed) ||
      (event.key === "w" && !this.computation.seeds.length)) return;
    event.preventDefault();
    act();
  }
}

function byId(id) {
  return document.getElementById(id);
}

function toggleTheme() {
  const { dataset } = document.documentElement;
  const dark = dataset.theme ? dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.theme = dark ? "light" : "dark";
}

function legend(nodes) {
  const kinds = ["parameter", "input", "constant", "operation", "output"];
  for (const kind of kinds.filter(k => nodes.some(node => node.kind === k))) {
    const sample = svg("svg",
      { viewBox: "0 0 34 20", width: 34, height: 20, "aria-hidden": "true" },
      svg("g", { class: `box ${kind}` }, outline(kind, 1, 1, 32, 18)));
    byId("legend").append(el("li", {}, sample, ` ${kind}`));
  }
}

const explorer = new Explorer(JSON.parse(byId("data").textContent));

// A window for tests and for the curious: what the page shows now. Nothing can be changed by it.
window.explorer = Object.freeze({
  get step() { return explorer.at; },
  get steps() { return explorer.steps.map(s => ({ ...s })); },
  get order() { return explorer.order; },
  get edited() { return explorer.computation.edited; },
  get refusal() { return explorer.computation.refusal; },
  value: id => explorer.computation.value(id).data.slice(),
  gradient: (id, order = explorer.order) =>
    (explorer.computation.gradient(id, order) || { data: [] }).data.slice(),
  part: (user, position, order = explorer.order) =>
    (explorer.computation.part(user, position, order) || { data: [] }).data.slice(),
});
