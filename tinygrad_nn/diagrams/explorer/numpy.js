"use strict";
// The functions of NumPy that the page computes with. The keys of the table say which, with which
// parameters: page and Python both read them there. Each result is given the shape and the dtype
// that the equation says, so a function need not know either.

function quotient(a, b) {
  if (b === 0) return a / b;
  const rest = a % b;
  return Math.round((a - rest) / b) - (rest !== 0 && rest < 0 !== b < 0 ? 1 : 0);
}

function remainder(a, b) {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
}

function roundedToEven(x) {
  const low = Math.floor(x), rest = x - low;
  if (rest !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

function larger(a, b) {
  return Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.max(a, b);
}

function smaller(a, b) {
  return Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.min(a, b);
}

// Sums by halves, as NumPy does, so that rounding errors stay small.
function total(row, from = 0, to = row.length) {
  if (to - from > 64) {
    const middle = (from + to) >> 1;
    return total(row, from, middle) + total(row, middle, to);
  }
  let sum = 0;
  for (let i = from; i < to; i++) sum += row[i];
  return sum;
}

function product(row) {
  return row.reduce((a, b) => a * b, 1);
}

function spread(row, ddof) {
  const middle = total(row) / row.length;
  return total(row.map(x => (x - middle) ** 2)) / (row.length - (ddof || 0));
}

function placeOfExtreme(a, axis, isBetter) {
  return reduced(axis === null ? flattened(a) : a, axis ?? 0, row => {
    let best = 0;
    row.forEach((x, i) => { if (isBetter(x, row[best]) && !Number.isNaN(row[best])) best = i; });
    return best;
  });
}

function running(a, axis, f) {
  const flat = axis === null ? flattened(a) : a;
  const at = axesOf(axis ?? 0, flat.shape.length)[0];
  const step = stridesOf(flat.shape)[at], data = flat.data.slice();
  eachIndex(flat.shape, (index, n) => { if (index[at]) data[n] = f(data[n - step], data[n]); });
  return makeArray(flat.shape, a.dtype, data);
}

function matmul(a, b) {
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const [rows, inner] = left.slice(-2), columns = right[right.length - 1];
  const batch = broadcastShape(left.slice(0, -2), right.slice(0, -2));
  const stepsA = stridesOver(left.slice(0, -2), batch);
  const stepsB = stridesOver(right.slice(0, -2), batch), data = [];
  eachIndex(batch, index => {
    const fromA = offsetAt(index, stepsA) * rows * inner;
    const fromB = offsetAt(index, stepsB) * inner * columns;
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        sum += a.data[fromA + i * inner + k] * b.data[fromB + k * columns + j];
      }
      data.push(sum);
    }
  });
  return makeArray([...batch, rows, columns], "float64", data);
}

function einsum(subscripts, arrays) {
  const [inputs, output] = subscripts.split("->"), terms = inputs.split(",");
  const lengths = {};
  terms.forEach((term, t) => [...term].forEach((c, i) => {
    lengths[c] = Math.max(lengths[c] || 0, arrays[t].shape[i]);
  }));
  const letters = [...output, ...Object.keys(lengths).filter(c => !output.includes(c))];
  const sums = filled([...output].map(c => lengths[c]), "float64", 0);
  const over = (term, shape) => {
    const own = stridesOf(shape);
    return letters.map(c => [...term].reduce(
      (step, d, i) => step + (c === d && shape[i] > 1 ? own[i] : 0), 0));
  };
  const steps = terms.map((term, t) => over(term, arrays[t].shape));
  const to = over(output, sums.shape);
  eachIndex(letters.map(c => lengths[c]), index => {
    sums.data[offsetAt(index, to)] +=
      product(arrays.map((a, t) => a.data[offsetAt(index, steps[t])]));
  });
  return sums;
}

function concatenated(arrays, axis) {
  const parts = axis === null ? arrays.map(flattened) : arrays;
  const at = axesOf(axis ?? 0, parts[0].shape.length)[0];
  const shape = parts[0].shape.slice();
  shape[at] = parts.reduce((sum, a) => sum + a.shape[at], 0);
  const inside = sizeOf(shape.slice(at + 1)), data = [];
  for (let row = 0; row < sizeOf(shape.slice(0, at)); row++) {
    for (const a of parts) {
      const n = a.shape[at] * inside;
      for (let i = 0; i < n; i++) data.push(a.data[row * n + i]);
    }
  }
  return makeArray(shape, parts[0].dtype, data);
}

function flattened(a) {
  return makeArray([a.data.length], a.dtype, a.data);
}

function grown(a, axis) {
  const at = axis < 0 ? axis + a.shape.length + 1 : axis;
  return makeArray([...a.shape.slice(0, at), 1, ...a.shape.slice(at)], a.dtype, a.data);
}

function norm(a, axis) {
  return reduced(a, axis, row => Math.hypot(...row));
}

function each(f) {
  return (...operands) => elementwise(f, ...operands);
}

function along(f) {
  return (a, axis) => reduced(a, axis, f);
}

const asItIs = a => a;
const sumAlong = along(row => total(row));

const NUMPY = {
  "np.add(a, b)": each((a, b) => a + b),
  "np.subtract(a, b)": each((a, b) => a - b),
  "np.multiply(a, b)": each((a, b) => a * b),
  "np.divide(a, b)": each((a, b) => a / b),
  "np.power(a, b)": each((a, b) => (a === 1 ? 1 : a ** b)),
  "np.float_power(a, b)": each((a, b) => (a === 1 ? 1 : a ** b)),
  "np.remainder(a, b)": each(remainder),
  "np.fmod(a, b)": each((a, b) => a % b),
  "np.floor_divide(a, b)": each(quotient),
  "np.negative(a)": each(a => -a),
  "np.positive(a)": each(a => a),
  "np.square(a)": each(a => a * a),
  "np.reciprocal(a)": each(a => 1 / a),
  "np.sqrt(a)": each(Math.sqrt),
  "np.cbrt(a)": each(Math.cbrt),
  "np.absolute(a)": each(Math.abs),
  "np.fabs(a)": each(Math.abs),
  "np.sign(a)": each(Math.sign),
  "np.floor(a)": each(Math.floor),
  "np.ceil(a)": each(Math.ceil),
  "np.trunc(a)": each(Math.trunc),
  "np.rint(a)": each(roundedToEven),
  "np.exp(a)": each(Math.exp),
  "np.exp2(a)": each(a => 2 ** a),
  "np.expm1(a)": each(Math.expm1),
  "np.log(a)": each(Math.log),
  "np.log2(a)": each(Math.log2),
  "np.log10(a)": each(Math.log10),
  "np.log1p(a)": each(Math.log1p),
  "np.logaddexp(a, b)": each((a, b) =>
    (a === b ? a + Math.LN2 : larger(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))))),
  "np.sin(a)": each(Math.sin),
  "np.cos(a)": each(Math.cos),
  "np.tan(a)": each(Math.tan),
  "np.arcsin(a)": each(Math.asin),
  "np.arccos(a)": each(Math.acos),
  "np.arctan(a)": each(Math.atan),
  "np.arctan2(a, b)": each(Math.atan2),
  "np.hypot(a, b)": each((a, b) => Math.hypot(a, b)),
  "np.sinh(a)": each(Math.sinh),
  "np.cosh(a)": each(Math.cosh),
  "np.tanh(a)": each(Math.tanh),
  "np.arcsinh(a)": each(Math.asinh),
  "np.arccosh(a)": each(Math.acosh),
  "np.arctanh(a)": each(Math.atanh),
  "np.deg2rad(a)": each(a => a * Math.PI / 180),
  "np.rad2deg(a)": each(a => a * 180 / Math.PI),
  "np.maximum(a, b)": each(larger),
  "np.minimum(a, b)": each(smaller),
  "np.fmax(a, b)": each((a, b) => (Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.max(a, b))),
  "np.fmin(a, b)": each((a, b) => (Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.min(a, b))),
  "np.clip(a, low, high)": (a, low, high) =>
    elementwise((x, l, h) => smaller(larger(x, l), h), a, low ?? -Infinity, high ?? Infinity),
  "np.where(condition, a, b)": each((c, a, b) => (c ? a : b)),
  "np.equal(a, b)": each((a, b) => a === b),
  "np.not_equal(a, b)": each((a, b) => a !== b),
  "np.less(a, b)": each((a, b) => a < b),
  "np.less_equal(a, b)": each((a, b) => a <= b),
  "np.greater(a, b)": each((a, b) => a > b),
  "np.greater_equal(a, b)": each((a, b) => a >= b),
  "np.logical_and(a, b)": each((a, b) => a !== 0 && b !== 0),
  "np.logical_or(a, b)": each((a, b) => a !== 0 || b !== 0),
  "np.logical_not(a)": each(a => a === 0),
  "np.bitwise_and(a, b)": each((a, b) => a & b),
  "np.bitwise_or(a, b)": each((a, b) => a | b),
  "np.invert(a)": a => elementwise(x => (a.dtype === "bool" ? !x : ~x), a),
  "np.isnan(a)": each(Number.isNaN),
  "np.isinf(a)": each(a => Math.abs(a) === Infinity),
  "np.isfinite(a)": each(Number.isFinite),
  "np.signbit(a)": each(a => a < 0 || Object.is(a, -0)),
  "np.copysign(a, b)": each((a, b) => Math.abs(a) * (b < 0 || Object.is(b, -0) ? -1 : 1)),
  "np.sum(a, axis, *, keepdims)": sumAlong,
  "np.add.reduce(a, axis=0, *, keepdims)": sumAlong,
  "np.mean(a, axis, *, keepdims)": along(row => total(row) / row.length),
  "np.prod(a, axis, *, keepdims)": along(product),
  "np.max(a, axis, *, keepdims)": along(row => row.reduce(larger)),
  "np.min(a, axis, *, keepdims)": along(row => row.reduce(smaller)),
  "np.any(a, axis, *, keepdims)": along(row => row.some(x => x !== 0)),
  "np.all(a, axis, *, keepdims)": along(row => row.every(x => x !== 0)),
  "np.var(a, axis, *, ddof, keepdims)": (a, axis, d) => reduced(a, axis, r => spread(r, d)),
  "np.std(a, axis, *, ddof, keepdims)":
    (a, axis, d) => reduced(a, axis, r => Math.sqrt(spread(r, d))),
  "np.argmax(a, axis, *, keepdims)": (a, axis) => placeOfExtreme(a, axis, (x, y) => !(x <= y)),
  "np.argmin(a, axis, *, keepdims)": (a, axis) => placeOfExtreme(a, axis, (x, y) => !(x >= y)),
  "np.cumsum(a, axis)": (a, axis) => running(a, axis, (x, y) => x + y),
  "np.cumprod(a, axis)": (a, axis) => running(a, axis, (x, y) => x * y),
  "np.linalg.norm(a, *, axis, keepdims)": norm,
  "np.matmul(a, b)": matmul,
  "np.einsum(subscripts, rest)": einsum,
  "np.reshape(a, shape)": asItIs,
  "np.ravel(a)": asItIs,
  "np.squeeze(a, axis)": asItIs,
  "np.expand_dims(a, axis)": asItIs,
  "np.broadcast_to(a, shape)": (a, shape) => repeated(a, Array.isArray(shape) ? shape : [shape]),
  "np.transpose(a, axes)": transposed,
  "np.swapaxes(a, axis1, axis2)": (a, first, second) => {
    const order = a.shape.map((_, i) => i), [i, j] = axesOf([first, second], order.length);
    [order[i], order[j]] = [order[j], order[i]];
    return transposed(a, order);
  },
  "np.flip(a, axis)": (a, axis) =>
    select(a, a.shape.map((_, i) =>
      ({ slice: [null, null, axesOf(axis, a.shape.length).includes(i) ? -1 : null] }))),
  "np.concatenate(arrays, axis=0)": concatenated,
  "np.stack(arrays, axis=0)": (arrays, axis) =>
    concatenated(arrays.map(a => grown(a, axis)),
      axis < 0 ? axis + arrays[0].shape.length + 1 : axis),
  "np.zeros_like(a, *, dtype, shape)": (a, dtype, shape) => filled(shape || a.shape, a.dtype, 0),
  "np.ones_like(a, *, dtype, shape)": (a, dtype, shape) => filled(shape || a.shape, a.dtype, 1),
  "np.full_like(a, value)": (a, value) => repeated(asArray(value), a.shape),
  "getitem(a, index)": (a, index) => select(a, index),
  "set_item(a, index, values)": (a, index, values) => put(a, index, values, (_, x) => x),
  "add_at(a, index, values)": (a, index, values) => put(a, index, values, (x, y) => x + y),
  "astype(a, dtype)": asItIs,
  "copy(a)": asItIs,
};
