"use strict";
// Reading and writing elements by an index as NumPy has it: whole numbers, slices, an ellipsis, new
// axes, and arrays of whole numbers or of truth.

function sliceWithin([start, stop, step], n) {
  const by = step ?? 1, low = by < 0 ? -1 : 0, high = by < 0 ? n - 1 : n;
  const bounded = (x, otherwise) =>
    (x === null ? otherwise : Math.min(Math.max(x < 0 ? x + n : x, low), high));
  const from = bounded(start, by < 0 ? n - 1 : 0), to = bounded(stop, by < 0 ? -1 : n);
  return { from, step: by, n: Math.max(0, Math.ceil((to - from) / by)) };
}

// The parts of an index, one for each axis, and marks for new axes.
function partsOf(index, ndim) {
  const given = Array.isArray(index) ? index : [index];
  const spans = given.map(p => (p === null || (p && p.ellipsis) ? 0
    : p && p.dtype === "bool" ? p.shape.length : 1));
  const rest = ndim - spans.reduce((a, b) => a + b, 0);
  const all = { slice: [null, null, null] };
  if (!given.some(p => p && p.ellipsis)) given.push({ ellipsis: true });
  return given.flatMap(p => {
    if (p === null) return ["new"];
    if (p.ellipsis) return Array.from({ length: rest }, () => all);
    return p.dtype === "bool" ? nonzero(p) : [p];
  });
}

// Where an array of truth holds: an array of places for each of its axes.
function nonzero(mask) {
  const found = mask.shape.map(() => []);
  eachIndex(mask.shape, (index, n) => {
    if (mask.data[n]) index.forEach((i, axis) => found[axis].push(i));
  });
  return found.map(places => makeArray([places.length], "int64", places));
}

// Which elements of an array of this shape an index selects: their places, and the result's shape.
function selected(shape, index) {
  const parts = partsOf(index, shape.length), strides = stridesOf(shape);
  const hasArrays = parts.some(p => p.data);
  const isPlace = p => p.data || typeof p === "number";
  const where = parts.map((p, i) => (isPlace(p) ? i : -1)).filter(i => i >= 0);
  const block = broadcastShape(...parts.filter(isPlace).map(p => (p.data ? p.shape : [])));
  const apart = where.some((at, i) => i && at !== where[i - 1] + 1);
  const dims = [];  // of the result: how long, and how far apart in the array
  const arrays = [];
  let base = 0, axis = 0, blockAt = hasArrays && apart ? 0 : null;
  for (const part of parts) {
    if (part === "new") { dims.push({ n: 1, step: 0 }); continue; }
    const n = shape[axis], stride = strides[axis++];
    if (part.slice) {
      const s = sliceWithin(part.slice, n);
      base += s.from * stride;
      dims.push({ n: s.n, step: s.step * stride });
    } else if (part.data) {
      if (blockAt === null) blockAt = dims.length;
      arrays.push({ part, n, stride });
    } else {
      base += (part < 0 ? part + n : part) * stride;
      if (hasArrays && blockAt === null) blockAt = dims.length;
    }
  }
  const at = blockAt ?? dims.length, extent = hasArrays ? block : [];
  const result = [...dims.slice(0, at).map(d => d.n), ...extent, ...dims.slice(at).map(d => d.n)];
  const steps = [...dims.slice(0, at).map(d => d.step), ...extent.map(() => 0),
    ...dims.slice(at).map(d => d.step)];
  const lookups = arrays.map(({ part, n, stride }) =>
    ({ part, n, stride, steps: stridesOver(part.shape, extent) }));
  const places = [];
  eachIndex(result, index => {
    let place = base + offsetAt(index, steps);
    const inside = index.slice(at, at + extent.length);
    for (const { part, n, stride, steps: own } of lookups) {
      const i = part.data[offsetAt(inside, own)];
      place += (i < 0 ? i + n : i) * stride;
    }
    places.push(place);
  });
  return { shape: result, places };
}

function select(a, index) {
  const { shape, places } = selected(a.shape, index);
  return makeArray(shape, a.dtype, places.map(p => a.data[p]));
}

function put(a, index, values, combine) {
  const { shape, places } = selected(a.shape, index), data = a.data.slice();
  const spread = repeated(asArray(values), shape);
  places.forEach((p, n) => { data[p] = combine(data[p], spread.data[n]); });
  return makeArray(a.shape, a.dtype, data);
}
