// The fold: what acts do to a row. The values of a row stand in the order of the columns.

/** The first `size` of some items: lists that grow one after the other share what they have in common. */
class Items {
  constructor(all, size) {
    this.all = all;
    this.size = size;
  }
  and(item) {
    if (this.size === this.all.length) this.all.push(item);
    else if (this.all[this.size] !== item) return new Items([...this.list(), item], this.size + 1);
    return new Items(this.all, this.size + 1);
  }
  list() {
    return this.all.slice(0, this.size);
  }
}

const itemsOf = (value) => (value instanceof Items ? value : new Items([...(value ?? [])], value?.length ?? 0));
const isFloat = (type) => /^(DOUBLE|FLOAT|REAL)/i.test(type);

/** Writes a float as Python does: 5.0 is not the integer 5. */
function float(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? new Exact(`${value}.0`) : value;
}

function zero(type) {
  if (isFloat(type)) return new Exact("0.0");
  const scale = Number(/^DECIMAL\(\d+,\s*(\d+)\)/i.exec(type)?.[1] ?? 0);
  return scale ? new Exact(`0.${"0".repeat(scale)}`) : 0;
}

/** Compares two values of a column; NaN is above all numbers, text goes by code points. */
function compareValues(one, other, type) {
  if (isFloat(type) && (typeof one === "string" || typeof other === "string")) {
    const [a, b] = [Number(one), Number(other)];
    return Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) - Number.isNaN(b) : a === b ? 0 : a < b ? -1 : 1;
  }
  if (isNumber(one) && isNumber(other)) return compareNumbers(one, other);
  if (typeof one !== "string") return Number(one) - Number(other);
  const [a, b] = [[...one], [...String(other)]];
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    if (a[i] !== b[i]) return a[i].codePointAt(0) - b[i].codePointAt(0);
  }
  return a.length - b.length;
}

const extreme = (sign) => (before, value, column) =>
  value === null || (before !== null && sign * compareValues(value, before, column.type) >= 0) ? before : value;

const STEPS = {
  set: (_, value) => value,
  present: (_, value) => value,
  keep: (before, value) => value ?? before,
  add: (before, value, column) => {
    if (value === null) return before;
    const start = before ?? zero(column.type);
    return isFloat(column.type) ? float(Number(start) + Number(value)) : plus(start, value);
  },
  min: extreme(1),
  max: extreme(-1),
  first: (before, value) => before ?? value,
  append: (before, value) => (value === null ? before : itemsOf(before).and(value)),
  remove: (before, value) => {
    if (value === null || before === null) return before;
    const list = itemsOf(before).list();
    const kept = list.filter((item) => item === null || !same(item, value));
    return kept.length === list.length ? before : new Items(kept, kept.length);
  },
};

const begun = (columns) =>
  columns.map((column) =>
    column.family === "add" ? zero(column.type) : column.family === "list" ? new Items([], 0) : null,
  );

/** Returns the values after an event; those before stay as they are. */
function acted(columns, before, acts) {
  if (acts === null || acts === undefined) return before;
  if (acts === "delete") return null;
  const values = before === null ? begun(columns) : before.slice();
  for (const [number, kind, value] of acts) values[number] = STEPS[kind](values[number], value, columns[number]);
  return values;
}

const flat = (columns, row) =>
  row &&
  columns.map(({ name }) => {
    const value = own(row, name) ?? null;
    return Array.isArray(value) ? itemsOf(value) : value;
  });

function unflat(columns, values) {
  if (!values) return values;
  return Object.fromEntries(
    columns.map((column, i) => [column.name, values[i] instanceof Items ? values[i].list() : values[i]]),
  );
}
