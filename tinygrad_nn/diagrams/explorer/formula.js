"use strict";
// Formulas, as the rows of the table write them, with numbers in the places of letters.

const RAISED = { "ᵃ": "a", "ᵇ": "b", "ˣ": "x", "ʸ": "y", "⁻": "−", "⁺": "+", "⁰": "0", "¹": "1",
  "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9" };

// A number in a formula, with the sign that mathematics has.
function mathText(x) {
  return short(x).replace("-", "−").replace(/e\+?(-)?(\d+)/, (_, sign, digits) =>
    `·10${sign ? "⁻" : ""}${[...digits].map(d => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join("")}`);
}

function isPlainNumber(text) {
  return /^[\d.]+$/.test(text);
}

const FUNCTION_WORDS = new Set(["sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos",
  "arctan", "arsinh", "arcosh", "artanh", "exp", "ln", "log", "log₂", "log₁₀", "min", "max", "sign",
  "trunc", "mod", "sinc"]);

// Puts numbers in the places of letters, up to where a formula goes on in words.
function substituted(formula, numbers) {
  const words = formula.match(/,? +(?!mod\b)\p{L}{3,}|\p{L}{3,}[₀-₉]*/gu) || [];
  const first = words.find(word => !FUNCTION_WORDS.has(word.replace(/^,? +/, "")));
  if (first) {
    const place = formula.indexOf(first);
    return place ? substituted(formula.slice(0, place), numbers) + formula.slice(place) : formula;
  }
  let text = "", open = false;
  const tokens = formula.match(
    /[ᵃᵇˣʸ⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+|(?:(?![ᵃᵇˣʸ])[\p{L}_])+[₀-₉]*|[\d.]+|\s+|./gu) || [];
  const isRaised = token => token !== undefined && token[0] in RAISED;
  tokens.forEach((token, i) => {
    if (isRaised(token)) {
      const lowered = [...token].map(c => RAISED[c]).join("");
      text += /[a-z]/.test(lowered) ? `^(${substituted(lowered, numbers)})` : token;
    } else if (token in numbers) {
      const number = mathText(numbers[token]);
      if (/\d/.test(text.at(-1) || "")) { // 2y is a product, and one factor of what is around it
        text = text.replace(/[\d.]+$/, "($&·");
        open = true;
      }
      const inside = /(^|[(,[]\s*)$/.test(text) && /^([,)\]]|$)/.test(
        tokens.slice(i + 1).join("").trim());
      text += isPlainNumber(number) || inside ? number : `(${number})`;
    } else {
      text += token;
    }
    if (open && !isRaised(tokens[i + 1])) { text += ")"; open = false; }
  });
  return text;
}

// The element of an operand that goes into one element of a result of this shape.
function elementAt(array, index) {
  if (!array || !isWhole(array) && !array.corner) return undefined;
  const shape = array.shape, own = index.slice(index.length - shape.length);
  const inside = own.map((i, k) => (shape[k] === 1 ? 0 : i));
  const shown = shownShape(array);
  if (inside.some((i, k) => i >= shown[k])) return undefined;
  return array.data[offsetAt(inside, stridesOf(shown))];
}

// The letters of a row with the numbers of one element: of its operands, y, and g.
function numbersAt(computation, id, index, g) {
  const node = computation.nodes[id], numbers = {};
  if (!node.operation || !node.operation.elementwise) return null;
  numbers.y = elementAt(computation.value(id), index);
  if (g) numbers.g = elementAt(g, index);
  node.inputs.forEach((input, k) => {
    if (input.node === null) return;
    numbers[node.operation.letters[k]] = elementAt(computation.value(input.node), index);
  });
  return Object.values(numbers).every(x => x !== undefined) ? numbers : null;
}
