// The replay of one entity: its timeline, every event, the state at every step, and what would be without some of them.
//
// The files of this folder are the parts of one plain module without imports (`_assets.py` has their order): it runs as
// an anywidget, and in a page that has no kernel behind it. All it knows comes from the traits of a source (`get`, `set`,
// `save_changes`, `on`, `off`, `send`). States are computed here, by the same rules as in `analysis/_acts.py`, so that a
// step needs no answer from anywhere.
//
// Whatever comes from events (ids, types, values) is data: it goes through `textContent` only.

// Exact numbers: 12.50 and 12345678901234567890 stay what the source wrote.

/** A number that JavaScript would write in another way than its source did. */
class Exact {
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
  toJSON() {
    return this.text;
  }
}

const KNOWS_SOURCE = (() => {
  let known = false;
  JSON.parse("1", (_, value, context) => {
    known = context?.source === "1";
    return value;
  });
  return known;
})();
const TEXT_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const EXACT_MARK = "\u0000exact";

/** Reads JSON; a number that would lose its form becomes an `Exact`. */
function parseExact(text) {
  if (KNOWS_SOURCE) {
    const keep = (_, value, context) =>
      typeof value === "number" && String(value) !== context.source ? new Exact(context.source) : value;
    return JSON.parse(text, keep);
  }
  // Older browsers: wrap the numbers in question before parsing.
  const wrapped = text.replace(TEXT_OR_NUMBER, (found) =>
    found[0] === '"' || String(Number(found)) === found ? found : JSON.stringify({ [EXACT_MARK]: found }),
  );
  return JSON.parse(wrapped, (_, value) => (value?.[EXACT_MARK] === undefined ? value : new Exact(value[EXACT_MARK])));
}

const isNumber = (value) => typeof value === "number" || value instanceof Exact;
const isObject = (value) =>
  value !== null && typeof value === "object" && !(value instanceof Exact) && !Array.isArray(value);
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Splits a number into an integer and a scale; null where it is none, or absurdly long. */
function decimal(value) {
  const found = DECIMAL.exec(String(value));
  if (!found) return null;
  const [, sign, whole, part = "", power = "0"] = found;
  const scale = part.length - Number(power);
  if (Math.abs(scale) > 1000) return null;
  const units = BigInt(sign + whole + part);
  return scale < 0 ? [units * 10n ** BigInt(-scale), 0] : [units, scale];
}

function aligned(one, other) {
  const scale = Math.max(one[1], other[1]);
  return [one[0] * 10n ** BigInt(scale - one[1]), other[0] * 10n ** BigInt(scale - other[1]), scale];
}

function fromUnits(units, scale) {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const sign = units < 0n ? "-" : "";
  const text = scale ? `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}` : sign + digits;
  return String(Number(text)) === text ? Number(text) : new Exact(text);
}

function compareNumbers(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  const [a, b] = [decimal(one), decimal(other)];
  if (!a || !b) return Number(one) - Number(other);
  const [x, y] = aligned(a, b);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Adds or subtracts exactly. */
function plus(one, other, sign = 1n) {
  const [a, b] = [decimal(one), decimal(other)];
  if (!a || !b) return Number(one) + Number(sign) * Number(other);
  const [x, y, scale] = aligned(a, b);
  return fromUnits(x + sign * y, scale);
}

/** Tells whether two values are the same; 79.5 and 79.50 are. */
function same(one, other) {
  if (one === other) return true;
  if (isNumber(one) && isNumber(other)) return compareNumbers(one, other) === 0;
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((v, i) => same(v, other[i]));
  if (!isObject(one) || !isObject(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && same(one[name], other[name]))
  );
}

const plain = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
