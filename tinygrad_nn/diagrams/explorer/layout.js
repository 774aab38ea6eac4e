"use strict";
// Where everything stands. Each open scope is laid out by itself, in layers from inputs to outputs,
// and stands as one box in the scope around it, so frames never overlap. An edge over several
// layers has a place of its own in each of them, so it crosses no box.

const ROW_GAP = 34, BOX_GAP = 18, LANE = 12;
const FRAME = { side: 12, top: 28, bottom: 12 };

function boxSize(item, nodes) {
  if (item.items) return { w: 150, h: 44 };
  const kind = nodes[item.node].kind;
  return kind === "constant" ? { w: 92, h: 36 } : { w: 132, h: 54 };
}

// Lays out a tree of scopes: boxes, frames and edges with the points that they pass through.
function layOut(scopes) {
  const nodes = scopes.nodes, edges = visibleEdges(scopes);
  const whole = layOutScope(scopes.root, scopes, edges);
  const drawn = { boxes: [], frames: [], edges: [], width: whole.w, height: whole.h };
  const routes = new Map(edges.map(edge => [edge, []]));
  place(whole, 0, 0, 0, drawn, routes);
  for (const [edge, pieces] of routes) {
    pieces.sort((a, b) => a.order - b.order);
    drawn.edges.push({ ...edge, points: pieces.flatMap(piece => piece.points) });
  }
  return drawn;
}

// The edges between what is shown, each once, with the operands that it stands for.
function visibleEdges(scopes) {
  const found = new Map();
  scopes.nodes.forEach((node, id) => node.inputs.forEach((input, k) => {
    if (input.node === null) return;
    const from = scopes.shownAs(input.node), to = scopes.shownAs(id);
    if (from === to) return;
    const key = `${from}>${to}`;
    if (!found.has(key)) {
      found.set(key, { from, to, source: input.node, target: id, carries: [] });
    }
    found.get(key).carries.push(`${id}:${k}`);
  }));
  return [...found.values()];
}

function layOutScope(scope, scopes, edges) {
  const around = id => chainOf(id, scope, scopes);
  const vertices = new Map(), links = new Map();
  for (const item of scope.items) {
    const inner = item.items && scopes.open.has(item.key)
      ? layOutScope(item, scopes, edges) : null;
    const size = inner || boxSize(item, scopes.nodes);
    vertices.set(item.key, { key: item.key, item, inner, w: size.w, h: size.h, first: item.first });
  }
  const lane = (key, end) => {
    if (!vertices.has(key)) vertices.set(key, { key, end, w: LANE, h: 0, first: -1 });
    return key;
  };
  for (const edge of edges) {
    const from = around(edge.source), to = around(edge.target);
    if (!from && !to || from === to) continue;
    const a = from || lane(`in ${edge.from}`, "in"), b = to || lane(`out ${edge.from}`, "out");
    const key = `${edge.from}|${a}|${b}`;
    if (!links.has(key)) links.set(key, { a: vertices.get(a), b: vertices.get(b), edges: [] });
    links.get(key).edges.push(edge);
  }
  return arranged(scope, [...vertices.values()], [...links.values()]);
}

// Which item of a scope a node is shown in; nothing for one outside.
function chainOf(id, scope, scopes) {
  let at = { key: `n${id}`, parent: scopes.homes[id] };
  while (at.parent && at.parent !== scope) at = at.parent;
  return at.parent === scope ? at.key : null;
}

function arranged(scope, vertices, links) {
  const made = new Set(links.map(link => link.b));  // the others stand first, in no cycle
  for (const link of links) {
    link.turned = link.b.end !== "out" && made.has(link.a) && link.a.first > link.b.first;
    [link.up, link.down] = link.turned ? [link.b, link.a] : [link.a, link.b];
  }
  for (const v of vertices) v.stage = v.end === "out" ? 2 : made.has(v) ? 1 : 0;
  layer(vertices, links);
  const layers = withLanes(vertices, links);
  order(layers);
  stand(layers);
  const [w, h] = rows(layers, scope);
  return { scope, w, h, vertices, links };
}

// How many layers below the top each vertex is: below all that it is made from.
function layer(vertices, links) {
  const hasIn = vertices.some(v => v.end === "in");
  const sorted = vertices.slice().sort((a, b) => a.stage - b.stage || a.first - b.first);
  for (const v of vertices) { v.ups = []; v.downs = []; }
  for (const link of links) { link.down.ups.push(link.up); link.up.downs.push(link.down); }
  for (const v of sorted) {
    v.layer = v.end === "in" ? 0 : v.ups.reduce((most, u) => Math.max(most, u.layer + 1), +hasIn);
  }
  for (const v of sorted.reverse()) {  // what is made from nothing stands close to its first use
    if (v.ups.length || v.end || !v.downs.length) continue;
    v.layer = Math.min(...v.downs.map(d => (d.end ? Infinity : d.layer))) - 1;
    if (v.layer === Infinity) v.layer = +hasIn;
  }
  const last = Math.max(0, ...vertices.filter(v => v.end !== "out").map(v => v.layer)) + 1;
  for (const v of vertices) if (v.end === "out") v.layer = last;
}

// The layers, with a lane in each layer that a link passes.
function withLanes(vertices, links) {
  const layers = [];
  const put = v => (layers[v.layer] ||= []).push(v);
  for (const v of vertices) { v.above = []; v.below = []; }
  vertices.slice().sort((a, b) => a.first - b.first).forEach(put);
  for (const link of links) {
    link.lanes = [];
    let before = link.up;
    for (let at = link.up.layer + 1; at < link.down.layer; at++) {
      const lane = { w: LANE, h: 0, lane: true, layer: at, above: [], below: [] };
      put(lane);
      link.lanes.push(lane);
      join(before, lane, link);
      before = lane;
    }
    join(before, link.down, link);
  }
  return Array.from(layers, row => row || []);
}

// Neighbours, with how far from the middle of each the link meets it.
function join(above, below, link) {
  const source = link.edges[0].from;
  const exit = above.inner ? portOf(above.inner, `out ${source}`) : 0;
  const entry = below.inner ? portOf(below.inner, `in ${source}`) : 0;
  above.below.push({ other: below, mine: exit, its: entry });
  below.above.push({ other: above, mine: entry, its: exit });
}

function portOf(inner, key) {
  const port = inner.vertices.find(v => v.key === key);
  return port ? port.x - inner.w / 2 : 0;
}

// Orders each layer by where the neighbours are, a few times, and keeps the best.
function order(layers) {
  const number = () => layers.forEach(row => row.forEach((v, i) => { v.rank = i; }));
  const mean = near => near.reduce((sum, n) => sum + n.other.rank, 0) / near.length;
  let best = layers.map(row => row.slice()), fewest = Infinity;
  number();
  for (let sweep = 0; sweep < 12; sweep++) {
    const found = crossings(layers);
    if (found < fewest) { fewest = found; best = layers.map(row => row.slice()); }
    if (!found) break;
    const side = sweep % 2 ? "below" : "above";
    const indices = layers.map((_, i) => i);
    for (const i of sweep % 2 ? indices.reverse() : indices) {
      const wish = new Map(layers[i].map(v => [v, v[side].length ? mean(v[side]) : v.rank]));
      layers[i].sort((a, b) => wish.get(a) - wish.get(b) || a.rank - b.rank);
      layers[i].forEach((v, rank) => { v.rank = rank; });
    }
  }
  best.forEach((row, i) => { layers[i] = row; });
  number();
}

function crossings(layers) {
  let count = 0;
  for (const row of layers) {
    const pairs = row.flatMap(v => v.below.map(n => [v.rank, n.other.rank]));
    if (pairs.length > 300) return 1;
    pairs.forEach(([a, b], i) => {
      for (let j = 0; j < i; j++) if ((a - pairs[j][0]) * (b - pairs[j][1]) < 0) count++;
    });
  }
  return count;
}

// Gives each vertex the middle of its place: near its neighbours, and clear of those beside it.
function stand(layers) {
  for (const row of layers) {
    let x = 0;
    for (const v of row) { v.x = x + v.w / 2; x += v.w + BOX_GAP; }
  }
  for (let sweep = 0; sweep < 16; sweep++) {
    const down = sweep % 2 === 0, side = down ? "above" : "below";
    for (const row of down ? layers : layers.slice().reverse()) {
      const wishes = row.map(v => {
        const near = sweep > 11 ? [...v.above, ...v.below] : v[side];
        if (!near.length) return v.x;
        return near.reduce((sum, n) => sum + n.other.x + n.its - n.mine, 0) / near.length;
      });
      apart(row, wishes);
    }
  }
  const left = Math.min(...layers.flat().map(v => v.x - v.w / 2));
  for (const v of layers.flat()) v.x -= left;
}

// The places nearest to the wishes at which nothing in a row overlaps: what would is put together,
// in the middle of its wishes.
function apart(row, wishes) {
  const offsets = [];
  row.forEach((v, i) => offsets.push(
    i ? offsets[i - 1] + (row[i - 1].w + v.w) / 2 + BOX_GAP : 0));
  const blocks = [];
  wishes.forEach((wish, i) => {
    let block = { sum: wish - offsets[i], n: 1 };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).n > block.sum / block.n) {
      const before = blocks.pop();
      block = { sum: before.sum + block.sum, n: before.n + block.n };
    }
    blocks.push(block);
  });
  let i = 0;
  for (const { sum, n } of blocks) for (let k = 0; k < n; k++, i++) row[i].x = sum / n + offsets[i];
}

function rows(layers, scope) {
  const frame = scope.parent ? FRAME : { side: 8, top: 8, bottom: 8 };
  let y = frame.top, before = 0;
  layers.forEach((row, i) => {
    const height = Math.max(0, ...row.map(v => v.h));
    if (i) y += height && before ? ROW_GAP : LANE;  // where edges enter and leave, less is enough
    for (const v of row) { v.top = y; v.bottom = y + height; v.y = y + (height - v.h) / 2; }
    y += before = height;
  });
  const all = layers.flat(), right = Math.max(0, ...all.map(v => v.x + v.w / 2));
  for (const v of all) v.x += frame.side;
  return [right + 2 * frame.side, y + frame.bottom];
}

// Puts a scope at its place in the picture, and what is in it.
function place(inner, x, y, depth, drawn, routes) {
  for (const v of inner.vertices) {
    if (!v.item) continue;
    const left = x + v.x - v.w / 2, top = y + v.y;
    const box = { item: v.item, key: v.item.key, x: left, y: top, w: v.w, h: v.h };
    if (v.inner) {
      drawn.frames.push(box);
      place(v.inner, left, top, depth + 1, drawn, routes);
    } else drawn.boxes.push(box);
  }
  meet(inner);
  for (const link of inner.links) {
    const points = linkPoints(link).map(p => ({ x: p.x + x, y: p.y + y }));
    if (link.turned) points.reverse();
    // Out of the innermost scope first, and into the innermost last.
    const order = link.b.end === "out" ? -depth : link.a.end === "in" ? depth : 0;
    for (const edge of link.edges) routes.get(edge).push({ order, points });
  }
}

function linkPoints(link) {
  const lanes = link.lanes.flatMap(l => [{ x: l.x, y: l.top }, { x: l.x, y: l.bottom }]);
  const exit = { x: link.up.x + link.exit, y: link.up.y + link.up.h };
  return [exit, ...lanes, { x: link.down.x + link.entry, y: link.down.y }];
}

// Where links meet a box: side by side, in the order of where they come from.
function meet(inner) {
  const beside = (links, side, v, other) => {
    const room = Math.min(v.w * 0.6, 22 * (links.length - 1));
    links.sort((a, b) => other(a) - other(b)).forEach((link, i) => {
      link[side] = links.length > 1 && !v.inner ? room * (i / (links.length - 1) - 0.5) : 0;
      const port = side === "exit" ? `out ${link.edges[0].from}` : `in ${link.edges[0].from}`;
      if (v.inner) link[side] = portOf(v.inner, port);
    });
  };
  for (const v of inner.vertices) {
    beside(inner.links.filter(l => l.down === v), "entry", v, l => (l.lanes.at(-1) || l.up).x);
    beside([...new Set(inner.links.filter(l => l.up === v))], "exit", v,
      l => (l.lanes[0] || l.down).x);
  }
}
