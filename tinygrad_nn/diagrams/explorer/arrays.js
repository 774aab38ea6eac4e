"use strict";
// Arrays: a shape, a dtype by name, and the elements in a row, as doubles. Elements of float32
// arrays are rounded to float32, truth is 0 or 1.

const CAST = {
  float64: x => x,
  float32: Math.fround,
  bool: x => (x !== 0 ? 1 : 0),
};

function castTo(dtype, x) {
  const cast = CAST[dtype];
  return cast ? cast(x) : Math.trunc(x);
}

function sizeOf(shape) {
  return shape.reduce((size, n) => size * n, 1);
}

function makeArray(shape, dtype, data) {
  return { shape, dtype, data };
}

function filled(shape, dtype, value) {
  return makeArray(shape, dtype, new Array(sizeOf(shape)).fill(value));
}

// Numbers that JSON cannot write come by their names.
function arrayFrom(json) {
  const data = json.data.map(Number);
  const array = makeArray(json.shape, json.dtype, data);
  if (json.corner) { array.corner = json.corner; array.summary = json.summary; }
  return array;
}

function isWhole(array) {
  return !array.corner;
}

// What is there of an array: all of it, or its first rows and columns.
function shownShape(array) {
  return array.corner || array.shape;
}

function stridesOf(shape) {
  const strides = new Array(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) { strides[i] = step; step *= shape[i]; }
  return strides;
}

// The steps through an array that is repeated over a longer shape: 0 along what is repeated.
function stridesOver(shape, longer) {
  const own = stridesOf(shape), added = longer.length - shape.length;
  return longer.map((_, i) => (i < added || shape[i - added] === 1 ? 0 : own[i - added]));
}

function broadcastShape(...shapes) {
  const length = Math.max(0, ...shapes.map(s => s.length));
  return Array.from({ length }, (_, i) => {
    const lengths = shapes.map(s => s[i - length + s.length] ?? 1);
    return lengths.find(n => n !== 1) ?? 1;
  });
}

// Calls f with the index of each element of a shape, in order; the index is reused.
function eachIndex(shape, f) {
  const size = sizeOf(shape), index = new Array(shape.length).fill(0);
  for (let n = 0; n < size; n++) {
    f(index, n);
    for (let i = shape.length - 1; i >= 0; i--) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
}

function offsetAt(index, strides) {
  let place = 0;
  for (let i = 0; i < strides.length; i++) place += index[i] * strides[i];
  return place;
}

// What is no array is a number, which broadcasts as one does.
function asArray(value) {
  if (value && value.data) return value;
  if (Array.isArray(value)) return stacked(value.map(asArray));
  return makeArray([], typeof value === "boolean" ? "bool" : "float64", [Number(value)]);
}

function stacked(items) {
  const shape = [items.length, ...(items.length ? items[0].shape : [])];
  return makeArray(shape, "float64", items.flatMap(item => item.data));
}

// The elements of arrays side by side, each repeated over the shape of all.
function elementwise(f, ...operands) {
  const arrays = operands.map(asArray), shape = broadcastShape(...arrays.map(a => a.shape));
  const data = new Array(sizeOf(shape));
  const steps = arrays.map(a => stridesOver(a.shape, shape));
  eachIndex(shape, (index, n) => {
    data[n] = Number(f(...arrays.map((a, k) => a.data[offsetAt(index, steps[k])])));
  });
  return makeArray(shape, "float64", data);
}

function axesOf(axis, ndim) {
  if (axis === null || axis === undefined) return Array.from({ length: ndim }, (_, i) => i);
  return (Array.isArray(axis) ? axis : [axis]).map(i => (i < 0 ? i + ndim : i));
}

// Reduces axes to length 1, by a function of the row of elements that go into each result.
function reduced(a, axis, f) {
  const axes = axesOf(axis, a.shape.length);
  const shape = a.shape.map((n, i) => (axes.includes(i) ? 1 : n));
  const rows = Array.from({ length: sizeOf(shape) }, () => []);
  const steps = stridesOver(shape, a.shape);
  eachIndex(a.shape, (index, n) => rows[offsetAt(index, steps)].push(a.data[n]));
  return makeArray(shape, "float64", rows.map(f));
}

function transposed(a, axes) {
  const order = axes ? axesOf(axes, a.shape.length) : a.shape.map((_, i) => i).reverse();
  const steps = stridesOf(a.shape), turned = order.map(i => steps[i]);
  const shape = order.map(i => a.shape[i]), data = new Array(a.data.length);
  eachIndex(shape, (index, n) => { data[n] = a.data[offsetAt(index, turned)]; });
  return makeArray(shape, a.dtype, data);
}

function repeated(a, shape) {
  const steps = stridesOver(a.shape, shape), data = new Array(sizeOf(shape));
  eachIndex(shape, (index, n) => { data[n] = a.data[offsetAt(index, steps)]; });
  return makeArray(shape, a.dtype, data);
}

function sameNumbers(a, b) {
  return a.data.length === b.data.length && a.data.every((x, i) => Object.is(x, b.data[i]) ||
    x === b.data[i]);
}
