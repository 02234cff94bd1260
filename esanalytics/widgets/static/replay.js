// The replay of one entity: its timeline, every event, the state at every step, and what would be without some of them.
//
// One plain module without imports: it runs as an anywidget, and in a page that has no kernel behind it. All it knows
// comes from the traits of a source (`get`, `set`, `save_changes`, `on`, `off`, `send`). States are computed here, by
// the same rules as in `analysis/_acts.py`, so that a step needs no answer from anywhere.
//
// Whatever comes from events (ids, types, values) is data: it goes through `textContent` only.

// ---------------------------------------------------------------------------------------------------------------------
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
    names.length === Object.keys(other).length && names.every((name) => name in other && same(one[name], other[name]))
  );
}

const plain = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

// ---------------------------------------------------------------------------------------------------------------------
// How instants, spans and values are written.

const MINUTE = 60e6;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Writes microseconds since 1970 as UTC, to the second, or as fine as it needs. */
function instantText(us, fine = false) {
  const date = new Date(Math.floor(us / 1000));
  if (Number.isNaN(date.getTime())) return String(us);
  const micros = String(((Math.round(us) % 1e6) + 1e6) % 1e6).padStart(6, "0");
  const text = date
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "");
  return fine && micros !== "000000" ? `${text}.${micros.replace(/000$/, "")}` : text;
}

function durationText(us) {
  const whole = Math.abs(us);
  const units = [
    [365.25 * DAY, "y"],
    [DAY, "d"],
    [HOUR, "h"],
    [MINUTE, "min"],
    [1e6, "s"],
    [1e3, "ms"],
  ];
  const at = units.findIndex(([size]) => whole >= size);
  if (at < 0) return `${Math.round(whole)} µs`;
  const [size, name] = units[at];
  const rest = at < 4 ? Math.floor((whole % size) / units[at + 1][0]) : 0;
  const head = at < 4 ? Math.floor(whole / size) : Number((whole / size).toPrecision(3));
  return rest && head < 10 ? `${head} ${name} ${rest} ${units[at + 1][1]}` : `${head} ${name}`;
}

const countText = (n) => n.toLocaleString("en-US");
const many = (n, word) => `${countText(n)} ${word}${n === 1 ? "" : "s"}`;
const bytesText = (n) => (n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);
const MISLEADING = /^(?:-?\d[\d.eE+-]*|true|false|null|\s*)$/;

/** Writes a value on one line; text that could be taken for something else is put in quotes. */
function valueText(value) {
  if (typeof value === "string") return MISLEADING.test(value) ? JSON.stringify(value) : value;
  if (value === undefined) return "";
  return value instanceof Exact ? value.text : jsonText(value);
}

/** Writes JSON with exact numbers as they were. */
function jsonText(value, indent = "") {
  const inner = indent ? indent + "  " : "";
  const join = (open, items, close) =>
    !items.length
      ? open + close
      : indent
        ? `${open}${inner}${items.join(`,${inner}`)}${indent}${close}`
        : `${open}${items.join(", ")}${close}`;
  if (value instanceof Exact) return value.text;
  if (Array.isArray(value))
    return join(
      "[",
      value.map((item) => jsonText(item, inner)),
      "]",
    );
  if (!isObject(value)) return JSON.stringify(value ?? null);
  return join(
    "{",
    Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${jsonText(item, inner)}`),
    "}",
  );
}

const kindOf = (value) =>
  value === null || value === undefined
    ? "null"
    : isNumber(value)
      ? "number"
      : Array.isArray(value)
        ? "list"
        : typeof value;

/** Writes a path into a state: `lines.0.price`; a name with a dot in it is put in brackets. */
const pathText = (parts) =>
  parts.reduce(
    (text, part, i) =>
      i === 0 ? part : /^[^.[]+$/.test(part) ? `${text}.${part}` : `${text}[${JSON.stringify(part)}]`,
    "",
  );

/** Reads a path; the column is the longest name that it begins with, whatever characters that has. */
function pathParts(text, names) {
  const begins = (name) => text === name || text.startsWith(`${name}.`) || text.startsWith(`${name}[`);
  const first = names.filter(begins).sort((a, b) => b.length - a.length)[0] ?? /^[^.[]*/.exec(text)[0];
  const parts = [first];
  for (const [, name, quoted] of text.slice(first.length).matchAll(/\.([^.[]+)|\[("(?:[^"\\]|\\.)*")\]/g)) {
    parts.push(quoted === undefined ? name : JSON.parse(quoted));
  }
  return parts;
}

const atPath = (value, parts) =>
  parts.reduce(
    (found, part) => (found === null || typeof found !== "object" || found instanceof Exact ? undefined : found[part]),
    value,
  );

// ---------------------------------------------------------------------------------------------------------------------
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
  columns.map((column) => (Array.isArray(row[column.name]) ? itemsOf(row[column.name]) : (row[column.name] ?? null)));

function unflat(columns, values) {
  if (!values) return values;
  return Object.fromEntries(
    columns.map((column, i) => [column.name, values[i] instanceof Items ? values[i].list() : values[i]]),
  );
}

// ---------------------------------------------------------------------------------------------------------------------
// The tape: the events of the entity, in chunks of which some may not be here yet.

function readTape(text) {
  const model = parseExact(text);
  const { timeline } = model;
  const tape = {
    model,
    n: model.events,
    size: model.chunk,
    columns: model.fold?.columns ?? [],
    moves: model.fold?.kind !== "states",
    failing: new Set(model.failures),
    chunks: new Map(),
    rowOf: new Map(),
    time: timeline.steps && Float64Array.from(timeline.steps, Number),
    recorded: timeline.recorded && Float64Array.from(timeline.recorded, Number),
    type: timeline.type,
    service: timeline.service,
    stream: timeline.stream,
    knots: timeline.knots,
    start: Number(timeline.start),
    end: Number(timeline.end),
    skipped: new Set(),
    order: null, // by step: the row; null: as they come
    place: null, // by row: the step
    known: { what: [null], real: [null] }, // the values before each block of steps
    version: 0, // grows with every change of what a state would be
  };
  for (const chunk of Object.values(model.chunks ?? {})) addChunk(tape, chunk);
  if (model.complete && !tape.time) fillTimeline(tape);
  tape.effective = tape.time;
  tape.skewed = isSkewed(tape);
  if (tape.skewed && model.complete) reorder(tape);
  return tape;
}

function fillTimeline(tape) {
  const rows = allRows(tape);
  tape.time = Float64Array.from(rows, (row) => Number(row.us));
  tape.recorded = Float64Array.from(rows, (row) => Number(row.rec));
  [tape.type, tape.service, tape.stream] = [
    rows.map((row) => row.t),
    rows.map((row) => row.s),
    rows.map((row) => row.k),
  ];
}

function addChunk(tape, chunk) {
  tape.chunks.delete(chunk.number);
  tape.chunks.set(chunk.number, chunk);
  for (const row of chunk.rows) tape.rowOf.set(row.id, row.n);
  if (!tape.model.complete && tape.moves) {
    tape.known.what[chunk.number] = flat(tape.columns, chunk.before ?? null);
    tape.known.real[chunk.number] = flat(tape.columns, chunk.real ?? chunk.before ?? null);
  }
}

const MOST_CHUNKS = 96;

/** Forgets the chunks that were not asked for the longest, so that a long replay does not grow without end. */
function trimChunks(tape) {
  for (const number of tape.chunks.keys()) {
    if (tape.chunks.size <= MOST_CHUNKS) return;
    for (const row of tape.chunks.get(number).rows) tape.rowOf.delete(row.id);
    tape.chunks.delete(number);
  }
}

const allRows = (tape) => [...tape.chunks.values()].sort((a, b) => a.number - b.number).flatMap((chunk) => chunk.rows);

function rowAt(tape, number) {
  const chunk = tape.chunks.get(Math.floor(number / tape.size));
  return chunk?.rows[number - chunk.from];
}

const numberAt = (tape, step) => (tape.order ? tape.order[step - 1] : step - 1);
const stepOf = (tape, number) => (tape.place ? tape.place[number] : number) + 1;
const eventAt = (tape, step) => (step > 0 ? rowAt(tape, numberAt(tape, step)) : undefined);
const typeAt = (tape, step) => tape.type?.[numberAt(tape, step)] ?? eventAt(tape, step)?.t;
const nameOf = (tape, step) => tape.model.types[typeAt(tape, step)] ?? "…";
const failsAt = (tape, step) => tape.failing.has(typeAt(tape, step)) || eventAt(tape, step)?.error !== undefined;

/** Returns when the event of a step counts; between knots it is estimated until its chunk is here. */
function timeAt(tape, step) {
  if (step <= 0) return tape.start;
  if (tape.effective) return tape.effective[numberAt(tape, step)];
  const row = eventAt(tape, step);
  if (row || !tape.knots) return row ? Number(row.us) : tape.start;
  const { every, at } = tape.knots;
  const knot = Math.min(Math.floor((step - 1) / every), at.length - 1);
  const from = Number(at[knot]);
  const to = Number(at[knot + 1] ?? tape.end);
  return from + (to - from) * Math.min(1, (step - 1 - knot * every) / every);
}

/** Returns how many events there were up to an instant. */
function stepAtTime(tape, time) {
  let [low, high] = [0, tape.n];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (timeAt(tape, middle) <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Switches events off: what they did is undone, and where clocks ran backwards others may count earlier. */
function skipEvents(tape, ids) {
  const skipped = new Set(ids);
  const changed = [...skipped, ...tape.skipped].filter((id) => skipped.has(id) !== tape.skipped.has(id));
  tape.skipped = skipped;
  if (!changed.length) return;
  tape.version += 1;
  const places = changed.map((id) => (tape.rowOf.has(id) ? stepOf(tape, tape.rowOf.get(id)) : 1));
  const first = tape.skewed ? 0 : Math.floor((Math.min(...places) - 1) / tape.size);
  // What is not known any more is folded again, or asked for.
  tape.known.what.length = Math.min(tape.known.what.length, first + 1);
  if (tape.skewed && tape.model.complete) reorder(tape);
  else if (tape.skewed) tape.chunks.clear();
}

/** Tells whether an event counts at another time than it says: the clock of its stream ran backwards. */
function isSkewed(tape) {
  const rows = allRows(tape);
  if (!tape.model.complete) return rows.some((row) => Number(row.us) !== Number(row.oc));
  tape.realTime = effectiveTimes(rows, new Set());
  return rows.some((row) => tape.realTime[row.n] !== Number(row.oc));
}

/** Computes when events count: in a stream with versions not before those of earlier versions. */
function effectiveTimes(rows, skipped) {
  const times = Float64Array.from(rows, (row) => Number(row.oc));
  for (const stream of grouped(
    rows.filter((each) => each.ver !== null),
    (row) => row.k,
  ).values()) {
    let latest = -Infinity;
    for (const row of stream.sort((a, b) => a.ver - b.ver)) {
      if (skipped.has(row.id)) continue;
      latest = Math.max(latest, Number(row.oc), Number(row.floor ?? -Infinity));
      times[row.n] = latest;
    }
  }
  return times;
}

/** Puts the rows in the order of the fold; what is switched off moves no clock, and stays where it was. */
function reorder(tape) {
  const rows = allRows(tape);
  const own = effectiveTimes(rows, tape.skipped);
  for (const row of rows) if (tape.skipped.has(row.id)) own[row.n] = tape.realTime[row.n];
  tape.effective = own;
  tape.order = sortedRows(rows, own);
  tape.place = new Int32Array(rows.length);
  tape.order.forEach((number, i) => (tape.place[number] = i));
  tape.realOrder = sortedRows(rows, tape.realTime);
  tape.realSteps = realSteps(tape, rows);
}

function sortedRows(rows, times) {
  const version = (row) => (row.ver === null ? -1e300 : Number(row.ver));
  const sorted = [...rows].sort((a, b) => times[a.n] - times[b.n] || version(a) - version(b) || a.pos - b.pos);
  return Int32Array.from(sorted, (row) => row.n);
}

/** Counts by step the real rows up to it: all that came before the latest of them, in the order of what was. */
function realSteps(tape, rows) {
  const place = new Int32Array(rows.length);
  tape.realOrder.forEach((number, i) => (place[number] = i + 1));
  let latest = 0;
  const steps = [...tape.order].map((number) => (latest = Math.max(latest, rows[number].inserted ? 0 : place[number])));
  return [0, ...steps];
}

function grouped(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row]);
  return groups;
}

function actsOf(tape, row, real) {
  if (real) return row.inserted ? null : row.acts;
  if (tape.skipped.has(row.id)) return null;
  return row.edited !== undefined ? row.edited : row.acts;
}

/** Folds the steps after `from`, up to `to`; undefined where an event is not here. */
function folded(tape, values, from, to, real) {
  let found = values;
  for (let step = from + 1; step <= to; step += 1) {
    const row = real ? rowAt(tape, tape.realOrder ? tape.realOrder[step - 1] : step - 1) : eventAt(tape, step);
    if (!row) return undefined;
    found = acted(tape.columns, found, actsOf(tape, row, real));
  }
  return found;
}

/** Returns the values at a step; null: there is no row; undefined: it cannot be known from what is here. */
function valuesAt(tape, step, real) {
  const known = tape.known[real ? "real" : "what"];
  const block = Math.floor(step / tape.size);
  let nearest = block;
  while (nearest > 0 && known[nearest] === undefined) nearest -= 1;
  for (; nearest < block; nearest += 1) {
    known[nearest + 1] = folded(tape, known[nearest], nearest * tape.size, (nearest + 1) * tape.size, real);
    if (known[nearest + 1] === undefined) return undefined;
  }
  return folded(tape, known[block], block * tape.size, step, real);
}

/** Returns the state at a step as an object; null: there is none; undefined: not known here. */
function stateAt(tape, step, real = false) {
  const key = `${tape.version} ${step} ${real}`;
  tape.memo ??= new Map();
  if (tape.memo.has(key)) return tape.memo.get(key);
  let found = null;
  if (tape.moves)
    found = unflat(tape.columns, valuesAt(tape, real && tape.realSteps ? tape.realSteps[step] : step, real));
  else if (step > 0) {
    const row = eventAt(tape, step);
    found = row && (real && row.real !== undefined ? row.real : (row.state ?? null));
  }
  if (tape.memo.size > 8) tape.memo.delete(tape.memo.keys().next().value);
  if (found !== undefined) tape.memo.set(key, found);
  return found;
}

// ---------------------------------------------------------------------------------------------------------------------
// Changes between two states.

const ABSENT = Symbol("absent");
const SIGNS = { added: "+", removed: "−", changed: "~" };

/** Pairs the parts of two values that both have parts, else null. */
function pairs(before, after) {
  if (isObject(before) && isObject(after)) {
    const part = (value, name) => (Object.hasOwn(value, name) ? value[name] : ABSENT);
    return Object.keys({ ...before, ...after }).map((name) => [name, part(before, name), part(after, name)]);
  }
  if (!Array.isArray(before) || !Array.isArray(after)) return null;
  const item = (list, i) => (i < list.length ? list[i] : ABSENT);
  return Array.from({ length: Math.max(before.length, after.length) }, (_, i) => [i, item(before, i), item(after, i)]);
}

/** Lists what differs between two states, down into nested values. */
function changesBetween(before, after, path = []) {
  const found = [];
  for (const [name, old, now] of pairs(before ?? {}, after ?? {}) ?? []) {
    const place = [...path, name];
    if (old === ABSENT) found.push({ path: place, kind: "added", now });
    else if (now === ABSENT) found.push({ path: place, kind: "removed", old });
    else if (same(old, now)) continue;
    else if (pairs(old, now)) found.push(...changesBetween(old, now, place));
    else found.push({ path: place, kind: "changed", old, now });
  }
  return found;
}

const deltaOf = ({ old, now }) => (isNumber(old) && isNumber(now) ? plus(now, old, -1n) : undefined);
const signed = (delta) => (compareNumbers(delta, 0) > 0 ? `+${delta}` : String(delta).replace("-", "−"));

/** Finds for each column the last step between two at which it changed. */
function lastChanges(tape, low, high) {
  const found = new Map();
  const names = tape.moves ? tape.columns.map(({ name }) => name) : null;
  let values = tape.moves ? valuesAt(tape, low, false) : stateAt(tape, low);
  for (let step = low + 1; step <= high && values !== undefined; step += 1) {
    const row = eventAt(tape, step);
    if (!row) break;
    const after = tape.moves ? acted(tape.columns, values, actsOf(tape, row, false)) : stateAt(tape, step);
    const differs = (key) => values?.[key] !== after?.[key] && !same(listed(values?.[key]), listed(after?.[key]));
    if (names) names.forEach((name, i) => differs(i) && found.set(name, step));
    else for (const name of Object.keys({ ...values, ...after })) if (differs(name)) found.set(name, step);
    values = after;
  }
  return found;
}

const listed = (value) => (value instanceof Items ? value.list() : value);

/** Returns the last event up to a step that is switched off, changed or added, and touches a column. */
function departure(tape, step, column) {
  const index = tape.columns.findIndex(({ name }) => name === column);
  const touches = (acts) => acts === "delete" || (Array.isArray(acts) && acts.some(([number]) => number === index));
  for (let i = step; i > 0; i -= 1) {
    const row = eventAt(tape, i);
    if (!row) return undefined;
    const off = tape.skipped.has(row.id);
    if (off && (!tape.moves || touches(row.acts) || touches(row.edited))) return i;
    if (
      !off &&
      (row.inserted || row.edited !== undefined) &&
      (!tape.moves || touches(row.edited ?? row.acts) || touches(row.acts))
    )
      return i;
  }
  return undefined;
}

/** Lists the changes of one of the three diffs, each with the step that made it; a text where it cannot be told. */
function diffOf(app, kind) {
  const { tape } = app;
  const step = stepNow(app);
  if (kind === "what-if") {
    const [real, what] = [stateAt(tape, step, true), stateAt(tape, step)];
    if (real === undefined || what === undefined) return "These events are not here yet.";
    return changesBetween(real, what).map((change) => ({ ...change, by: departure(tape, step, change.path[0]) }));
  }
  const { A, B } = get(app, "marks");
  if (kind === "marks" && !(Number.isInteger(A) && Number.isInteger(B)))
    return "Set mark A and mark B at two steps (keys a and b).";
  const [from, to] = kind === "marks" ? [A, B] : [Math.max(0, step - 1), step];
  const [before, after] = [stateAt(tape, from), stateAt(tape, to)];
  if (before === undefined || after === undefined) return "These events are not here yet.";
  const found = changesBetween(before, after);
  const by = kind === "step" ? null : lastChanges(tape, Math.min(from, to), Math.max(from, to));
  return found.map((change) => ({ ...change, by: by ? by.get(change.path[0]) : step }));
}

// ---------------------------------------------------------------------------------------------------------------------
// Axes: from an instant to a place in 0..1, idle gaps folded away.

const MOST_FOLDS = 12;
const FOLD_WIDTH = 20;

/** Makes an axis over a domain, so many pixels wide; `gaps` are the parts that are folded to a small width. */
function makeAxis(start, end, gaps = [], width = 800) {
  const last = end > start ? end : start + 1;
  const inside = gaps.filter(([from, to]) => from >= start && to <= last);
  const active = last - start - inside.reduce((sum, [from, to]) => sum + to - from, 0);
  const fold = Math.min(FOLD_WIDTH / width, 0.4 / Math.max(1, inside.length));
  const share = 1 - fold * inside.length;
  const segments = [];
  let [time, place] = [start, 0];
  const extend = (until, part, folded) => {
    if (until > time) segments.push({ t0: time, t1: until, u0: place, u1: place + part, fold: folded });
    [time, place] = [until, place + part];
  };
  for (const [from, to] of inside) {
    extend(from, ((from - time) / active) * share, false);
    extend(to, fold, true);
  }
  extend(last, 1 - place, false);
  return { start, end: last, segments, folds: inside };
}

function toPlace(axis, time) {
  const { segments } = axis;
  let [low, high] = [0, segments.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].t1 < time) low = middle + 1;
    else high = middle;
  }
  const { t0, t1, u0, u1 } = segments[low];
  return u0 + ((time - t0) / (t1 - t0)) * (u1 - u0);
}

function toTime(axis, place) {
  const found = axis.segments.find(({ u1 }) => place <= u1) ?? axis.segments.at(-1);
  return found.t0 + ((place - found.u0) / (found.u1 - found.u0 || 1)) * (found.t1 - found.t0);
}

/** Finds the stretches of a window in which next to nothing happens, the longest at most `MOST_FOLDS`. */
function idleGaps(times, start, end) {
  const gaps = [];
  for (let i = 1; i < times.length; i += 1) if (times[i] > times[i - 1]) gaps.push([times[i - 1], times[i]]);
  const sizes = gaps.map(([from, to]) => to - from).sort((a, b) => a - b);
  const usual = sizes[sizes.length >> 1] ?? 0;
  const span = end - start;
  return gaps
    .filter(([from, to]) => to - from > span * 0.05 && to - from > usual * 5)
    .sort((a, b) => b[1] - b[0] - (a[1] - a[0]))
    .slice(0, MOST_FOLDS)
    .sort((a, b) => a[0] - b[0])
    .map(([from, to]) => {
      const rim = (to - from) * 0.02; // so that the events at both ends stand beside the break, not on it
      return [from + rim, to - rim];
    });
}

/** Returns the instants that gaps are looked for between, of a window. */
function landmarks(app, start, end) {
  const { tape } = app;
  const inside = (time) => time >= start && time <= end;
  if (tape.time) {
    const times = get(app, "clock") === "recorded_at" ? tape.recorded : tape.effective;
    return times.filter(inside).sort();
  }
  const { density } = tape.model.timeline;
  if (!density) return [];
  const width = (tape.end - tape.start) / density.bins;
  const totals = Array.from({ length: density.bins }, (_, bin) =>
    density.types.reduce((sum, counts) => sum + counts[bin], 0),
  );
  return totals
    .flatMap((count, bin) => (count ? [tape.start + bin * width, tape.start + (bin + 1) * width] : []))
    .filter(inside);
}

/** Makes the axis of a window on the chosen clock; by position, events stand side by side. */
function axisOver(app, window) {
  const { tape } = app;
  if (clockOf(app) === "position") {
    const [low, high] = window.length ? [stepAtTime(tape, window[0] - 1), stepAtTime(tape, window[1])] : [0, tape.n];
    return makeAxis(low + 0.5, Math.max(low + 1.5, high + 0.5));
  }
  const times = clockOf(app) === "recorded_at" ? tape.recorded : null;
  let [start, end] = window.length
    ? window
    : times?.length
      ? [Math.min(...times), Math.max(...times)]
      : [tape.start, tape.end];
  if (end <= start) [start, end] = [start - 5e5, start + 5e5];
  const margin = window.length ? 0 : (end - start) * 0.004;
  return makeAxis(
    start - margin,
    end + margin,
    get(app, "fold_gaps") ? idleGaps(landmarks(app, start, end), start, end) : [],
    app.plot.width,
  );
}

const clockOf = (app) => (app.tape?.recorded ? get(app, "clock") : "effective_at");

/** Returns where an event stands on the chosen clock. */
function onClock(app, step) {
  const { tape } = app;
  if (step <= 0) return app.axis.start;
  const clock = clockOf(app);
  if (clock === "effective_at") return timeAt(tape, step);
  const number = numberAt(tape, step);
  return clock === "recorded_at" ? tape.recorded[number] : arrivals(tape)[number];
}

/** Ranks rows by when they were recorded, which is the order of positions. */
function arrivals(tape) {
  if (tape.arrivals) return tape.arrivals;
  const position = (number) => Number(rowAt(tape, number)?.pos ?? number);
  const sorted = Array.from({ length: tape.n }, (_, i) => i).sort(
    (a, b) => tape.recorded[a] - tape.recorded[b] || position(a) - position(b),
  );
  tape.arrivals = new Float64Array(tape.n);
  sorted.forEach((number, i) => (tape.arrivals[number] = i + 1));
  return tape.arrivals;
}

/** Marks the rows that were recorded after events that come later, or long after they happened. */
function lateRows(tape) {
  if (tape.late || !tape.recorded || !tape.time) return tape.late ?? [];
  const lags = tape.recorded.map((time, i) => time - tape.time[i]);
  const usual = [...lags].sort((a, b) => a - b)[lags.length >> 1] ?? 0;
  const bound = Math.max(HOUR, 20 * Math.abs(usual));
  tape.late = new Uint8Array(tape.n);
  let earliest = Infinity;
  for (let i = tape.n - 1; i >= 0; i -= 1) {
    if (lags[i] > bound || tape.recorded[i] > earliest + 1e6) tape.late[i] = 1;
    earliest = Math.min(earliest, tape.recorded[i]);
  }
  return tape.late;
}

// ---------------------------------------------------------------------------------------------------------------------
// Traits: what is chosen lives in the source, so that Python, other views and this page always agree.

const TRAITS = {
  step: 0,
  skipped: [],
  marks: {},
  bookmarks: [],
  window: [],
  slider: "event",
  clock: "effective_at",
  lanes: "service",
  speed: 2,
  pace: "steady",
  playing: false,
  loop: false,
  fold_gaps: true,
  hidden_types: [],
  hidden_services: [],
  search: "",
  field: "",
  pinned: [],
  theme: "auto",
  diff: "step",
  selection: [],
};

/** What has to be done again when a trait changes. */
const EFFECTS = {
  step: ["panels"],
  skipped: ["bitmaps", "panels"],
  marks: ["chrome", "panels"],
  bookmarks: ["chrome"],
  window: ["layout", "list", "panels"],
  slider: ["chrome"],
  clock: ["layout"],
  lanes: ["layout"],
  speed: ["chrome"],
  pace: ["chrome"],
  playing: ["chrome"],
  loop: ["chrome"],
  fold_gaps: ["layout"],
  hidden_types: ["bitmaps", "list"],
  hidden_services: ["bitmaps", "list"],
  search: ["search", "list", "chrome"],
  field: ["chrome", "panels"],
  pinned: ["panels"],
  theme: ["theme", "bitmaps"],
  diff: ["panels"],
  selection: ["panels"],
};

const get = (app, name) => app.source.get(name) ?? TRAITS[name];
const stepNow = (app) => Math.max(0, Math.min(app.tape?.n ?? 0, get(app, "step")));
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** Sets traits; they are saved a little later, so that a fast play does not flood the kernel. */
function put(app, changes) {
  for (const [name, value] of Object.entries(changes)) app.source.set(name, value);
  app.saving ??= later(app, 50, () => save(app));
}

function save(app) {
  stop(app, app.saving);
  app.saving = null;
  app.source.save_changes();
}

function later(app, ms, task) {
  const timer = setTimeout(() => {
    app.timers.delete(timer);
    task();
  }, ms);
  app.timers.add(timer);
  return timer;
}

function stop(app, timer) {
  clearTimeout(timer);
  app.timers.delete(timer);
}

function goTo(app, step) {
  if (app.tape) put(app, { step: clamp(Math.round(step), 0, app.tape.n) });
}

/** Moves over events; those that are hidden from view are stepped over. */
function moveBy(app, by) {
  const { tape } = app;
  let step = stepNow(app);
  for (let left = Math.abs(by); left > 0 && step + Math.sign(by) >= 0 && step < tape.n + (by < 0); left -= 1) {
    do step += Math.sign(by);
    while (step > 0 && step < tape.n && !visible(app, step));
  }
  goTo(app, step);
}

function visible(app, step) {
  const { tape, hiddenTypes, hiddenServices } = app;
  if (!hiddenTypes.size && !hiddenServices.size) return true;
  const number = numberAt(tape, step);
  const service = tape.service?.[number] ?? rowAt(tape, number)?.s;
  return !hiddenTypes.has(tape.model.types[typeAt(tape, step)]) && !hiddenServices.has(tape.model.services[service]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Playing: the step follows from the clock, never from a counter.

/** Returns the steps between which is played. */
function playRange(app) {
  const { A, B } = get(app, "marks");
  const window = get(app, "window");
  if (get(app, "loop") && Number.isInteger(A) && Number.isInteger(B) && A !== B)
    return [Math.min(A, B), Math.max(A, B)];
  if (window.length) return [stepAtTime(app.tape, window[0] - 1), stepAtTime(app.tape, window[1])];
  return [0, app.tape.n];
}

function togglePlay(app) {
  put(app, { playing: !get(app, "playing") });
}

/** Begins anew where a play, whoever started it, stands at the end or outside of what is played. */
function startPlay(app) {
  if (!get(app, "playing") || !app.tape) return;
  const [low, high] = playRange(app);
  if (stepNow(app) >= high || stepNow(app) < low) put(app, { step: low });
}

/** Notes where the play goes on from. */
function rebase(app, now, step = stepNow(app)) {
  const [low, high] = playRange(app);
  const [start, end] = [timeAt(app.tape, Math.max(1, low)), timeAt(app.tape, Math.max(1, high))];
  const live = get(app, "pace") === "live" && end > start;
  const axis = live
    ? makeAxis(start, end, get(app, "fold_gaps") ? idleGaps(landmarks(app, start, end), start, end) : [])
    : null;
  const place = live ? toPlace(axis, clamp(timeAt(app.tape, step), start, end)) : 0;
  app.player = { at: now, from: step, step, low, high, axis, place, seen: now };
}

function playFrame(app, now) {
  app.playing = 0;
  if (!get(app, "playing") || !app.tape) return;
  app.playing = requestAnimationFrame((next) => playFrame(app, next));
  const { player } = app;
  // A page that was hidden goes on from where it was; so does one in which somebody moved the step.
  if (!player || now - player.seen > 1000 || player.step !== stepNow(app)) rebase(app, now);
  app.player.seen = now;
  if (app.calm.matches && now - (app.lastPlayed ?? 0) < 250) return;
  app.lastPlayed = now;
  const { at, from, low, high, axis, place } = app.player;
  const done = ((now - at) / 1000) * get(app, "speed");
  const loops = get(app, "loop") && high > low;
  const count = axis ? low + (place + done / Math.max(1, high - low)) * (high - low) : from + done;
  if (count >= high + (loops ? 1 : 0)) return loops ? playFrom(app, now, low) : playTo(app, high);
  const reached = axis
    ? Math.max(from, stepAtTime(app.tape, toTime(axis, Math.min(1, (count - low) / (high - low)))))
    : Math.floor(count);
  return playTo(app, Math.min(high, reached), true);
}

function playFrom(app, now, step) {
  put(app, { step });
  rebase(app, now, step);
}

function playTo(app, step, playing = false) {
  app.player.step = step;
  put(app, playing ? { step } : { step, playing });
}

// ---------------------------------------------------------------------------------------------------------------------
// Frames: whatever is to be done again is done once, in order; the picture first, the panels right after it.

function redo(app, ...what) {
  for (const each of what) app.dirty.add(each);
  app.frame ||= requestAnimationFrame(() => frame(app));
}

function frame(app) {
  app.frame = 0;
  const todo = app.dirty;
  app.dirty = new Set();
  if (todo.has("theme") && readTheme(app)) todo.add("bitmaps");
  if (app.overview) return drawOverview(app);
  if (!app.tape) return undefined;
  if (todo.has("layout") && !layOut(app)) return undefined; // not shown: the resize observer tells when it is
  if (!app.axis) return undefined;
  if (todo.has("layout") || todo.has("bitmaps")) drawBitmaps(app);
  if (["layout", "bitmaps", "chrome"].some((each) => todo.has(each))) showChrome(app);
  if (todo.has("list") || !app.list) makeList(app);
  paint(app);
  showPlace(app);
  tell(app, "es-paint");
  holdFocus(app);
  app.panels ??= later(app, 0, () => showPanels(app));
  return undefined;
}

/** Gives the focus to the timeline where the control that had it is gone: keys go on working. */
function holdFocus(app) {
  const active = app.root.getRootNode().activeElement;
  if (app.inside && (!active || active === document.body)) app.ui.stage.focus({ preventScroll: true });
}

/** Notes whether the focus is inside; a control that is taken away does not take the focus with it. */
function watchFocus(app) {
  app.on(app.root, "focusin", () => (app.inside = true));
  app.on(app.root, "focusout", ({ target, relatedTarget }) => {
    const gone = !target.isConnected || target.getClientRects().length === 0;
    if (relatedTarget ? !app.root.contains(relatedTarget) : !gone) app.inside = false;
  });
}

const tell = (app, name) =>
  app.el.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: { step: stepNow(app) } }));

// ---------------------------------------------------------------------------------------------------------------------
// Colours.

const HUES = 8;
const ROLES = [
  "bg",
  "fg",
  "muted",
  "line",
  "panel",
  "accent",
  "removed",
  "warn",
  ...Array.from({ length: HUES }, (_, i) => `c${i}`),
];

/** Resolves the colours of the style sheet for the canvases, in the theme that holds. */
function readTheme(app) {
  const forced = get(app, "theme");
  const { dataset, classList } = document.body;
  const host = dataset.jpThemeLight ? (dataset.jpThemeLight === "true" ? "light" : "dark") : null;
  const code = [...classList].some((name) => /^vscode-(dark|high-contrast)$/.test(name))
    ? "dark"
    : classList.contains("vscode-light")
      ? "light"
      : null;
  app.root.dataset.theme = forced;
  app.root.dataset.scheme = forced === "auto" ? (host ?? code ?? "auto") : forced;
  const probe = app.root.appendChild(document.createElement("i"));
  const before = JSON.stringify(app.colour);
  app.colour = {};
  for (const role of ROLES) {
    probe.style.color = `var(--es-${role})`;
    app.colour[role] = getComputedStyle(probe).color;
  }
  app.font = getComputedStyle(probe).fontFamily;
  probe.remove();
  return JSON.stringify(app.colour) !== before;
}

/** Reads the theme now, and again when its style sheet, which comes later than its name, will be there. */
function themeChanged(app) {
  for (const wait of [0, 200, 600, 1500, 4000]) later(app, wait, () => redo(app, "theme"));
}

const hue = (app, number) => app.colour[`c${number % HUES}`];
const SHAPES = ["circle", "square", "triangle"];
const shapeOf = (app, type) =>
  app.tape.failing.has(type) ? "diamond" : SHAPES[Math.floor(type / HUES) % SHAPES.length];

/** Traces a shape around a point. */
function trace(g, shape, x, y, r) {
  g.beginPath();
  if (shape === "circle") g.arc(x, y, r, 0, 7);
  else if (shape === "square") g.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
  else {
    const corners =
      shape === "diamond"
        ? [
            [0, -1.45],
            [1.45, 0],
            [0, 1.45],
            [-1.45, 0],
          ]
        : [
            [0, -1.2],
            [1.15, 0.9],
            [-1.15, 0.9],
          ];
    corners.forEach(([dx, dy], i) => g[i ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
    g.closePath();
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The timeline: two bitmaps are drawn once, with all events behind and with all events ahead; a step is two clipped
// copies. Where the clock is not the order of the fold, one bitmap is kept and only what changed is drawn again.

const MOST_LANES = 12;
const AXIS_HEIGHT = 22;
const FLAG_HEIGHT = 16;
const HISTOGRAM_HEIGHT = 46;

const newCanvas = (width, height) =>
  typeof OffscreenCanvas === "undefined"
    ? Object.assign(document.createElement("canvas"), { width, height })
    : new OffscreenCanvas(width, height);

/** Measures, chooses lanes and axes; false where there is no room to draw in. */
function layOut(app) {
  const width = app.ui.stage.clientWidth;
  if (!width) return false;
  const gutter = width < 560 ? 76 : 124;
  app.ratio = window.devicePixelRatio || 1;
  app.plot = { x: gutter, width: Math.max(40, width - gutter - 12), full: width };
  app.lanes = chooseLanes(app);
  const count = app.lanes.names.length;
  app.plot.lane = [26, 46, 34, 28][count] ?? (count <= 5 ? 25 : count <= 8 ? 21 : 17);
  app.plot.height = FLAG_HEIGHT + count * app.plot.lane + AXIS_HEIGHT;
  app.axis = axisOver(app, get(app, "window"));
  app.wholeAxis = axisOver(app, []);
  sizeCanvas(app, app.ui.canvas, width, app.plot.height);
  sizeCanvas(app, app.ui.density, width, HISTOGRAM_HEIGHT);
  app.root.style.setProperty("--es-gutter", `${gutter}px`);
  return true;
}

function sizeCanvas(app, canvas, width, height) {
  canvas.width = Math.round(width * app.ratio);
  canvas.height = Math.round(height * app.ratio);
  canvas.style.height = `${height}px`;
}

function scaled(app, canvas) {
  const g = canvas.getContext("2d");
  g.setTransform(app.ratio, 0, 0, app.ratio, 0, 0);
  return g;
}

/** Gives each service, type or stream a lane; the smallest share the last one. */
function chooseLanes(app) {
  const { tape } = app;
  // Without single events there are counts by type only.
  const by = tape.time ? get(app, "lanes") : "type";
  const names = {
    service: tape.model.services,
    type: tape.model.types,
    stream: tape.model.streams.map((stream) => stream.at(-1)),
  }[by];
  const codes = { service: tape.service, type: tape.type, stream: tape.stream }[by];
  const counts = new Float64Array(names.length);
  if (tape.time) for (const code of codes) counts[code] += 1;
  else tape.model.timeline.density?.types.forEach((bins, type) => (counts[type] = bins.reduce((sum, n) => sum + n, 0)));
  const biggest = names.map((_, i) => i).sort((a, b) => counts[b] - counts[a]);
  const kept = (names.length > MOST_LANES ? biggest.slice(0, MOST_LANES - 1) : biggest).sort((a, b) => a - b);
  const rest = names.length - kept.length;
  const lane = new Uint16Array(names.length).fill(kept.length);
  kept.forEach((code, i) => (lane[code] = i));
  return {
    by,
    lane,
    codes,
    kept,
    names: [...kept.map((code) => names[code]), ...(rest ? [`${countText(rest)} more`] : [])],
  };
}

/** Computes where every event stands, and draws what does not change from step to step. */
function drawBitmaps(app) {
  const { tape, plot } = app;
  app.sprites = new Map();
  app.points = tape.time ? placePoints(app) : null;
  app.mixed = null;
  const ordered = clockOf(app) === "effective_at";
  app.past = drawLayer(app, ordered || !tape.time ? "past" : "none");
  app.future = ordered ? drawLayer(app, "future") : null;
  if (!ordered) app.mixed = { bitmap: drawLayer(app, "future"), step: 0 };
  app.bars = newCanvas(app.ui.density.width, app.ui.density.height);
  const g = scaled(app, app.bars);
  const { counts, colours } = tape.time ? binEvents(app) : binDensity(app);
  drawHistogram(app, g, counts, colours, { x: plot.x, width: plot.width, height: HISTOGRAM_HEIGHT });
  g.fillStyle = app.colour.bg;
  for (const { u0, u1, fold } of app.wholeAxis.segments) {
    if (fold) g.fillRect(plot.x + u0 * plot.width + 1, HISTOGRAM_HEIGHT - 2, (u1 - u0) * plot.width - 2, 2);
  }
}

function placePoints(app) {
  const { tape, plot, axis, lanes } = app;
  const [x, y] = [new Float32Array(tape.n + 1), new Float32Array(tape.n + 1)];
  const shown = new Uint8Array(tape.n + 1);
  let inView = 0;
  for (let step = 1; step <= tape.n; step += 1) {
    const time = onClock(app, step);
    x[step] = plot.x + toPlace(axis, time) * plot.width;
    y[step] = FLAG_HEIGHT + (lanes.lane[lanes.codes[numberAt(tape, step)]] + 0.5) * plot.lane;
    shown[step] = time >= axis.start && time <= axis.end && visible(app, step) ? 1 : 0;
    inView += shown[step];
  }
  x[0] = plot.x;
  const radius = inView <= 250 ? 5 : inView <= 2500 ? 4 : 2.8;
  // Crowded lanes spread a little, the same way at every step.
  const spread = inView > plot.width * 0.6 ? plot.lane * 0.5 - radius : 0;
  if (spread > 0) for (let step = 1; step <= tape.n; step += 1) y[step] += (((step * 0.618034) % 1) - 0.5) * 2 * spread;
  return { x, y, shown, radius };
}

function drawLayer(app, mode) {
  const { plot, tape } = app;
  const bitmap = newCanvas(app.ui.canvas.width, app.ui.canvas.height);
  const g = scaled(app, bitmap);
  drawGround(app, g);
  if (mode === "none") return bitmap;
  g.save();
  g.beginPath();
  g.rect(plot.x - 8, 0, plot.width + 16, plot.height);
  g.clip();
  if (!tape.time) drawDense(app, g, mode);
  else if (mode === "future") drawFaint(app, g, bitmap);
  else for (let step = 1; step <= tape.n; step += 1) if (app.points.shown[step]) drawDot(app, g, step, mode);
  g.restore();
  return bitmap;
}

const FAINT = 0.36;

/** Draws what is ahead: all at once made faint, so that crowds do not add up to full colour again. */
function drawFaint(app, g, bitmap) {
  const full = newCanvas(bitmap.width, bitmap.height);
  const to = scaled(app, full);
  const plainly = [];
  for (let step = 1; step <= app.tape.n; step += 1) {
    if (!app.points.shown[step]) continue;
    if (kindOfDot(app, step, "past") === "past") drawDot(app, to, step, "past");
    else plainly.push(step);
  }
  g.save();
  g.globalAlpha = FAINT;
  g.drawImage(full, 0, 0, bitmap.width / app.ratio, bitmap.height / app.ratio);
  g.restore();
  for (const step of plainly) drawDot(app, g, step, "future");
}

/** Draws lanes, their names, folded gaps and the axis. */
function drawGround(app, g) {
  const { plot, lanes, colour, axis } = app;
  const bottom = plot.height - AXIS_HEIGHT;
  g.font = `12px ${app.font}`;
  g.textBaseline = "middle";
  lanes.names.forEach((name, i) => {
    const y = FLAG_HEIGHT + i * plot.lane;
    g.fillStyle = colour.panel;
    if (i % 2 === 0) g.fillRect(plot.x, y, plot.width, plot.lane);
    g.fillStyle = colour.muted;
    g.textAlign = "right";
    g.fillText(fitted(g, name, plot.x - 14), plot.x - 8, y + plot.lane / 2);
  });
  for (const { u0, u1, fold, t0, t1 } of axis.segments) if (fold) drawBreak(app, g, u0, u1, bottom, t1 - t0);
  g.fillStyle = colour.line;
  g.fillRect(plot.x, bottom, plot.width, 1);
  drawTicks(app, g, bottom);
}

/** Cuts a text so that it fits. */
function fitted(g, text, width) {
  const isolated = (part) => `\u2068${part}\u2069`;
  if (g.measureText(text).width <= width) return isolated(text);
  const letters = [...text];
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (g.measureText(`${letters.slice(0, middle).join("")}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return isolated(`${letters.slice(0, low).join("")}…`);
}

/** Draws a folded gap: a band across the lanes, a broken axis, and how long it was. */
function drawBreak(app, g, u0, u1, bottom, length) {
  const { plot, colour } = app;
  const [left, right] = [plot.x + u0 * plot.width, plot.x + u1 * plot.width];
  g.fillStyle = colour.bg;
  g.fillRect(left, FLAG_HEIGHT - 2, right - left, bottom - FLAG_HEIGHT + 4);
  g.strokeStyle = colour.muted;
  g.lineWidth = 1;
  for (const x of [left + 0.5, right - 0.5]) {
    g.beginPath();
    for (let y = FLAG_HEIGHT, i = 0; y <= bottom + 3; y += 4, i += 1) g.lineTo(x + (i % 2 ? 2 : -2), y);
    g.stroke();
  }
  g.fillStyle = colour.muted;
  g.save();
  g.font = `10px ${app.font}`;
  g.textAlign = "center";
  const middle = (left + right) / 2;
  if (bottom - FLAG_HEIGHT > 60 && right - left > 11) {
    g.translate(middle, (FLAG_HEIGHT + bottom) / 2);
    g.rotate(-Math.PI / 2);
    g.fillText(durationText(length), 0, 0);
  }
  g.restore();
}

const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500]
  .map((n) => n * 1e3)
  .concat(
    [1, 2, 5, 10, 15, 30].map((n) => n * 1e6),
    [1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
    [1, 2, 3, 6, 12].map((n) => n * HOUR),
    [1, 2, 7, 14, 30, 91, 182, 365, 730, 1825, 3650].map((n) => n * DAY),
  );

function drawTicks(app, g, bottom) {
  const { plot, axis, colour } = app;
  const ordinal = clockOf(app) === "position";
  const active = axis.segments.filter(({ fold }) => !fold);
  const rate =
    active.reduce((sum, s) => sum + s.t1 - s.t0, 0) / (active.reduce((sum, s) => sum + s.u1 - s.u0, 0) * plot.width);
  const every = ordinal ? niceCount(rate * 80) : (TICKS.find((tick) => tick / rate >= 84) ?? TICKS.at(-1));
  g.textAlign = "left";
  g.textBaseline = "middle";
  g.fillStyle = colour.muted;
  g.font = `11px ${app.font}`;
  const unit = ordinal ? "position" : clockOf(app) === "recorded_at" ? "recorded, UTC" : "UTC";
  g.fillText(unit, 4, bottom + 12);
  let [free, day] = [plot.x, ""];
  for (const { t0, t1 } of active) {
    const first = Math.ceil(t0 / every) * every;
    const ticks =
      first > t1
        ? [t0]
        : Array.from({ length: Math.min(200, Math.floor((t1 - first) / every) + 1) }, (_, i) => first + i * every);
    for (const tick of ticks) {
      const x = plot.x + toPlace(axis, tick) * plot.width;
      const text = ordinal ? countText(tick) : tickText(tick, first > t1 ? 1e6 : every, day);
      if (x < free || x + g.measureText(text).width > plot.x + plot.width) continue;
      g.fillRect(x, bottom, 1, 5);
      g.fillText(text, x + 3, bottom + 12);
      free = x + g.measureText(text).width + 12;
      day = instantText(tick).slice(0, 10);
    }
  }
}

const niceCount = (least) =>
  [1, 2, 5].map((n) => n * 10 ** Math.floor(Math.log10(Math.max(1, least)))).find((n) => n >= least) ??
  10 ** Math.ceil(Math.log10(least));

/** Writes a tick: the day where it is a new one, else the time. */
function tickText(time, every, day) {
  const [date, clock] = instantText(time).split(" ");
  const [year, month, number] = date.split("-");
  const named = `${Number(number)} ${MONTHS[month - 1]}`;
  if (every >= DAY) return date.slice(0, 4) === day.slice(0, 4) ? named : `${named} ${year}`;
  const short = every >= MINUTE ? clock.slice(0, 5) : every >= 1e6 ? clock : instantText(time, true).slice(11, 23);
  return date === day ? short : `${named} ${short}`;
}

/** Draws one event from a small picture of its kind. */
function drawDot(app, g, step, mode) {
  const { tape, points } = app;
  const number = numberAt(tape, step);
  const row = rowAt(tape, number);
  const sprite = spriteOf(
    app,
    tape.type[number],
    kindOfDot(app, step, mode),
    row?.inserted || row?.edited !== undefined,
    points.radius > 3 && lateRows(tape)[number] === 1,
  );
  const half = sprite.half;
  g.drawImage(sprite.bitmap, points.x[step] - half, points.y[step] - half, half * 2, half * 2);
}

function kindOfDot(app, step, mode) {
  const row = eventAt(app.tape, step);
  return row && app.tape.skipped.has(row.id) ? "off" : row?.error !== undefined ? "error" : mode;
}

function spriteOf(app, type, mode, edited, late) {
  const key = `${type} ${mode} ${edited} ${late}`;
  if (app.sprites.has(key)) return app.sprites.get(key);
  const r = app.points.radius;
  const half = Math.ceil(r * 1.5 + 5);
  const bitmap = newCanvas(Math.ceil(half * 2 * app.ratio), Math.ceil(half * 2 * app.ratio));
  const g = scaled(app, bitmap);
  g.lineWidth = 1.6;
  g.fillStyle = g.strokeStyle = hue(app, type);
  if (mode === "future") g.globalAlpha = FAINT;
  trace(g, shapeOf(app, type), half, half, mode === "off" ? r - 0.4 : r);
  if (mode === "off") g.stroke();
  else g.fill();
  g.globalAlpha = 1;
  if (mode === "error") cross(g, half, r, app.colour.removed);
  if (edited) ring(g, half, r + 3, app.colour.fg);
  if (late) {
    g.fillStyle = app.colour.warn;
    g.fillRect(half - 3, half + r + 1.5, 6, 1.6);
  }
  const sprite = { bitmap, half };
  app.sprites.set(key, sprite);
  return sprite;
}

function cross(g, at, r, colour) {
  g.strokeStyle = colour;
  g.lineWidth = 2.2;
  for (const way of [1, -1]) {
    g.beginPath();
    g.moveTo(at - r, at - r * way);
    g.lineTo(at + r, at + r * way);
    g.stroke();
  }
}

function ring(g, at, r, colour) {
  g.strokeStyle = colour;
  g.lineWidth = 1.2;
  g.setLineDash([2, 2]);
  g.beginPath();
  g.arc(at, at, r, 0, 7);
  g.stroke();
}

/** Draws counts by type where there are too many events for single dots. */
function drawDense(app, g, mode) {
  const { plot, tape, lanes, axis } = app;
  const { density } = tape.model.timeline;
  if (!density) return;
  const cells = Math.floor(plot.width / 2);
  const sums = lanes.names.map(() => new Float64Array(cells));
  const width = (tape.end - tape.start) / density.bins;
  density.types.forEach((counts, type) => {
    if (app.hiddenTypes.has(tape.model.types[type])) return;
    counts.forEach((count, bin) => {
      const from = Math.floor(toPlace(axis, tape.start + bin * width) * cells);
      const to = Math.max(from + 1, Math.floor(toPlace(axis, tape.start + (bin + 1) * width) * cells));
      for (let cell = Math.max(0, from); cell < Math.min(cells, to); cell += 1)
        sums[lanes.lane[type]][cell] += count / (to - from);
    });
  });
  const most = Math.max(1, ...sums.map((cell) => Math.max(...cell)));
  sums.forEach((counts, i) => {
    g.fillStyle = i < lanes.kept.length ? hue(app, lanes.kept[i]) : app.colour.muted;
    g.globalAlpha = mode === "past" ? 1 : 0.32;
    counts.forEach((count, cell) => {
      const tall = count && Math.max(1.5, Math.sqrt(count / most) * (plot.lane - 3));
      if (tall)
        g.fillRect(
          plot.x + (cell * plot.width) / cells,
          FLAG_HEIGHT + (i + 0.5) * plot.lane - tall / 2,
          plot.width / cells + 0.3,
          tall,
        );
    });
  });
}

const BAR = 3;

/** Counts the events of each bar, by colour. */
function binEvents(app) {
  const { tape, plot, wholeAxis } = app;
  const bars = Math.max(1, Math.floor(plot.width / BAR));
  const counts = Array.from({ length: HUES }, () => new Float64Array(bars));
  for (let step = 1; step <= tape.n; step += 1) {
    if (!visible(app, step)) continue;
    const bar = clamp(Math.floor(toPlace(wholeAxis, onClock(app, step)) * bars), 0, bars - 1);
    counts[tape.type[numberAt(tape, step)] % HUES][bar] += 1;
  }
  return { counts, colours: counts.map((_, i) => hue(app, i)) };
}

function binDensity(app) {
  const { tape, plot, wholeAxis } = app;
  const bars = Math.max(1, Math.floor(plot.width / BAR));
  const counts = Array.from({ length: HUES }, () => new Float64Array(bars));
  const { bins, types } = tape.model.timeline.density ?? { bins: 1, types: [] };
  const width = (tape.end - tape.start) / bins;
  types.forEach((all, type) => {
    if (app.hiddenTypes.has(tape.model.types[type])) return;
    all.forEach((count, bin) => {
      const bar = Math.floor(toPlace(wholeAxis, tape.start + (bin + 0.5) * width) * bars);
      counts[type % HUES][clamp(bar, 0, bars - 1)] += count;
    });
  });
  return { counts, colours: counts.map((_, i) => hue(app, i)) };
}

/** Draws stacked bars; tall ones by the square root, so that single events stay visible. */
function drawHistogram(app, g, counts, colours, { x, width, height }) {
  const bars = counts[0]?.length ?? 0;
  const totals = Array.from({ length: bars }, (_, bar) => counts.reduce((sum, each) => sum + each[bar], 0));
  const most = totals.reduce((a, b) => Math.max(a, b), 1);
  const wide = width / bars;
  for (let bar = 0; bar < bars; bar += 1) {
    let y = height - 1;
    const tall = totals[bar] && Math.max(2, Math.sqrt(totals[bar] / most) * (height - 6));
    counts.forEach((each, i) => {
      if (!each[bar]) return;
      const part = (tall * each[bar]) / totals[bar];
      g.fillStyle = colours[i];
      g.fillRect(x + bar * wide, y - part, Math.max(1, wide - 0.6), part);
      y -= part;
    });
  }
  g.fillStyle = app.colour.line;
  g.fillRect(x, height - 1, width, 1);
  g.fillStyle = app.colour.muted;
  g.font = `11px ${app.font}`;
  g.textAlign = "right";
  g.textBaseline = "top";
  g.fillText(`up to ${countText(Math.round(most))}`, x - 8, 2);
}

const xOf = (app, step) =>
  app.points ? app.points.x[step] : app.plot.x + toPlace(app.axis, timeAt(app.tape, step)) * app.plot.width;

/** Paints a step. */
function paint(app) {
  const { ui, plot, ratio } = app;
  const step = stepNow(app);
  const g = scaled(app, ui.canvas);
  const { width, height } = ui.canvas;
  const x = step === 0 ? plot.x : xOf(app, step);
  g.save();
  g.setTransform(1, 0, 0, 1, 0, 0);
  g.clearRect(0, 0, width, height);
  const cut = clamp(Math.round((step === 0 ? x - 10 : x + (app.points?.radius ?? 0) + 1) * ratio), 0, width);
  if (app.mixed) g.drawImage(mixedAt(app, step), 0, 0);
  else {
    if (cut > 0) g.drawImage(app.past, 0, 0, cut, height, 0, 0, cut, height);
    if (cut < width) g.drawImage(app.future, cut, 0, width - cut, height, cut, 0, width - cut, height);
  }
  g.restore();
  if (app.points && !app.mixed) mendCut(app, g, step, cut / ratio);
  if (step > 0 || !get(app, "window").length) paintCursor(app, g, step, x);
  paintMarks(app, g);
  paintDensity(app, step);
  ui.canvas.dataset.step = step;
  ui.canvas.setAttribute("aria-label", `Timeline by ${app.lanes.by}, ${placeText(app)}`);
}

const MOST_MENDED = 120;

/** Draws the events again that the cut between behind and ahead went through, or that share its place. */
function mendCut(app, g, step, cut) {
  const { points, tape } = app;
  const reach = points.radius * 1.5 + 6;
  for (let i = step + 1; i <= Math.min(tape.n, step + MOST_MENDED) && points.x[i] < cut + reach; i += 1)
    mend(app, g, i, "future");
  for (let i = Math.max(1, step - MOST_MENDED); i <= step; i += 1)
    if (points.x[i] > cut - reach) mend(app, g, i, "past");
}

function mend(app, g, step, mode) {
  if (app.points.shown[step]) drawDot(app, g, step, mode);
}

function mixedAt(app, step) {
  const { mixed, points } = app;
  const g = scaled(app, mixed.bitmap);
  for (; mixed.step < step; mixed.step += 1) if (points.shown[mixed.step + 1]) drawDot(app, g, mixed.step + 1, "past");
  if (mixed.step > step) {
    // Going back: a faint dot does not cover a full one, so all is drawn anew.
    mixed.bitmap = drawLayer(app, "future");
    mixed.step = 0;
    return mixedAt(app, step);
  }
  return mixed.bitmap;
}

function paintCursor(app, g, step, x) {
  const { plot, colour, points } = app;
  if (x < plot.x - 1 || x > plot.x + plot.width + 1) return;
  g.fillStyle = colour.fg;
  g.fillRect(x - 0.75, FLAG_HEIGHT - 4, 1.5, plot.height - AXIS_HEIGHT - FLAG_HEIGHT + 8);
  trace(g, "circle", x, FLAG_HEIGHT - 6, 3.5);
  g.fill();
  if (!points || !step || !points.shown[step]) return;
  g.strokeStyle = colour.bg;
  g.lineWidth = 4.5;
  trace(g, "circle", x, points.y[step], points.radius + 4);
  g.stroke();
  g.strokeStyle = colour.fg;
  g.lineWidth = 2;
  g.stroke();
}

/** Paints the marks A and B, bookmarks, and the events that were searched for. */
function paintMarks(app, g) {
  const { plot, colour } = app;
  const inside = (x) => x >= plot.x - 1 && x <= plot.x + plot.width + 1;
  g.fillStyle = colour.accent;
  for (const step of app.matches?.steps.slice(0, 5000) ?? []) {
    if (inside(xOf(app, step))) g.fillRect(xOf(app, step) - 1, plot.height - AXIS_HEIGHT - 4, 2, 4);
  }
  for (const { step } of get(app, "bookmarks")) {
    if (step > app.tape.n || !inside(xOf(app, step))) continue;
    trace(g, "diamond", xOf(app, step), FLAG_HEIGHT - 7, 3.6);
    g.fill();
  }
  g.font = `bold 11px ${app.font}`;
  g.textAlign = "center";
  g.textBaseline = "middle";
  for (const [name, step] of Object.entries(get(app, "marks"))) {
    if (!Number.isInteger(step) || step > app.tape.n || !inside(xOf(app, step))) continue;
    const x = xOf(app, step);
    g.fillStyle = colour.accent;
    g.fillRect(x - 0.5, 0, 1, plot.height - AXIS_HEIGHT);
    const side = name === "A" ? -13.5 : -0.5; // so that neighbours do not hide each other
    g.fillRect(x + side, 0, 14, 13);
    g.fillStyle = colour.bg;
    g.fillText(name, x + side + 7, 7);
  }
}

function paintDensity(app, step) {
  const { ui, plot, colour, wholeAxis } = app;
  const g = scaled(app, ui.density);
  g.clearRect(0, 0, plot.full, HISTOGRAM_HEIGHT);
  g.drawImage(app.bars, 0, 0, plot.full, HISTOGRAM_HEIGHT);
  const band = app.brushing ?? windowPlaces(app, wholeAxis, get(app, "window"));
  if (band) paintBand(app, g, band, HISTOGRAM_HEIGHT);
  const x = plot.x + toPlace(wholeAxis, onClock(app, step)) * plot.width;
  g.fillStyle = colour.fg;
  if (step > 0) g.fillRect(x - 0.75, 0, 1.5, HISTOGRAM_HEIGHT);
}

/** Returns the places of a window on an axis. */
function windowPlaces(app, axis, window) {
  if (!window.length) return null;
  const value = (time, edge) => (app.tape && clockOf(app) === "position" ? stepAtTime(app.tape, time) + edge : time);
  return [toPlace(axis, value(window[0], 0)), toPlace(axis, value(window[1], 0.5))].map((place) => clamp(place, 0, 1));
}

/** Dims what is outside of a window. */
function paintBand(app, g, [from, to], height) {
  const { plot, colour } = app;
  const [left, right] = [plot.x + from * plot.width, plot.x + to * plot.width];
  g.save();
  g.globalAlpha = 0.72;
  g.fillStyle = colour.bg;
  g.fillRect(plot.x, 0, left - plot.x, height);
  g.fillRect(right, 0, plot.x + plot.width - right, height);
  g.globalAlpha = 1;
  g.strokeStyle = colour.accent;
  g.lineWidth = 1.5;
  g.strokeRect(left, 0.75, Math.max(1, right - left), height - 1.5);
  g.restore();
}

// ---------------------------------------------------------------------------------------------------------------------
// Pointing at the timeline: press and drag to scrub, drag over the histogram to choose a window.

const placeAt = (app, event, canvas) =>
  clamp((event.clientX - canvas.getBoundingClientRect().left - app.plot.x) / app.plot.width, 0, 1);

/** Returns the instant at a place of an axis; by position it is that of the event there. */
function timeOn(app, axis, place) {
  const value = toTime(axis, place);
  return app.tape && clockOf(app) === "position" ? timeAt(app.tape, clamp(Math.round(value), 0, app.tape.n)) : value;
}

/** Returns the last step at a place of the timeline. */
function stepOn(app, place) {
  const { tape, axis } = app;
  const value = toTime(axis, place);
  if (clockOf(app) === "effective_at") return stepAtTime(tape, value);
  let best = 0;
  for (let step = 1; step <= tape.n; step += 1) {
    const at = onClock(app, step);
    if (at <= value && (best === 0 || at >= onClock(app, best))) best = step;
  }
  return best;
}

/** Returns the event under the pointer. */
function stepUnder(app, event) {
  const { points, tape } = app;
  if (!points) return 0;
  const box = app.ui.canvas.getBoundingClientRect();
  const [px, py] = [event.clientX - box.left, event.clientY - box.top];
  let [best, nearest] = [0, 81];
  for (let step = 1; step <= tape.n; step += 1) {
    const far = (points.x[step] - px) ** 2 + (points.y[step] - py) ** 2;
    if (far < nearest && points.shown[step]) [best, nearest] = [step, far];
  }
  return best;
}

function watchLanes(app) {
  const { stage, canvas } = app.ui;
  const move = (event) => goTo(app, stepUnder(app, event) || stepOn(app, placeAt(app, event, canvas)));
  app.on(stage, "pointerdown", (event) => {
    if (event.button !== 0 || !app.axis) return;
    stage.setPointerCapture(event.pointerId);
    app.scrubbing = true;
    move(event);
  });
  app.on(stage, "pointermove", (event) => {
    if (!app.axis) return;
    if (app.scrubbing) goTo(app, stepOn(app, placeAt(app, event, canvas)));
    else showTip(app, stage, event, tipOf(app, stepUnder(app, event)));
  });
  for (const end of ["pointerup", "pointercancel"]) app.on(stage, end, () => (app.scrubbing = false));
  app.on(stage, "pointerleave", () => showTip(app, stage, null, ""));
}

function tipOf(app, step) {
  if (!step) return "";
  const { tape } = app;
  const row = eventAt(tape, step);
  const number = numberAt(tape, step);
  const notes = [
    row && tape.skipped.has(row.id) && "switched off",
    row?.inserted && "added",
    row?.edited !== undefined && "changed",
  ];
  if (lateRows(tape)[number]) notes.push(`recorded ${durationText(tape.recorded[number] - tape.time[number])} later`);
  if (row?.error !== undefined) notes.push("the fold failed here");
  return [`${step}  ${nameOf(tape, step)}`, instantText(timeAt(tape, step)), ...notes.filter(Boolean)].join("\n");
}

function showTip(app, host, event, text) {
  const { tip } = app.ui;
  tip.hidden = !text;
  if (!text) return;
  if (tip.parentElement !== host) host.append(tip);
  tip.textContent = text;
  const box = host.getBoundingClientRect();
  const x = event.clientX - box.left;
  tip.style.left = `${clamp(x + 12, 0, Math.max(0, box.width - tip.offsetWidth - 4))}px`;
  tip.style.top = `${event.clientY - box.top + 14}px`;
}

/** Lets a window be drawn on a histogram; a press without a drag goes to that instant. */
function watchBrush(app, host, canvas) {
  let from = null;
  app.on(host, "pointerdown", (event) => {
    if (event.button !== 0 || !app.plot) return;
    host.setPointerCapture(event.pointerId);
    from = placeAt(app, event, canvas);
  });
  app.on(host, "pointermove", (event) => {
    if (from === null) return;
    const to = placeAt(app, event, canvas);
    app.brushing = Math.abs(to - from) * app.plot.width > 4 ? [Math.min(from, to), Math.max(from, to)] : null;
    redo(app);
  });
  app.on(host, "pointerup", (event) => {
    const band = app.brushing;
    const axis = app.overview ? app.overview.axis : app.wholeAxis;
    const pressed = from;
    [from, app.brushing] = [null, null];
    if (band)
      setWindow(
        app,
        band.map((place) => timeOn(app, axis, place)),
      );
    else if (pressed !== null && app.tape && !app.overview && event.detail < 2)
      goTo(app, stepAtTime(app.tape, timeOn(app, axis, pressed)));
  });
  app.on(host, "pointercancel", () => {
    [from, app.brushing] = [null, null];
    redo(app);
  });
  app.on(host, "dblclick", () => setWindow(app, []));
  app.on(host, "keydown", (event) => brushKey(app, event));
}

/** Sets the window; the events in it become the selection where they are few enough to hand over. */
function setWindow(app, window) {
  const bounds = window.map(Math.round);
  if (app.overview || !app.tape) return put(app, { window: bounds });
  const [low, high] = bounds.length ? [stepAtTime(app.tape, bounds[0] - 1), stepAtTime(app.tape, bounds[1])] : [0, 0];
  const rows = Array.from({ length: high - low }, (_, i) => eventAt(app.tape, low + i + 1));
  const ids = rows.length <= 20000 && rows.every(Boolean) ? rows.map((row) => row.id) : [];
  say(app, bounds.length ? `${many(high - low, "event")} in this window; double-click for all` : "All events.");
  return put(app, { window: bounds, selection: ids });
}

/** Moves and sizes the window by keys, while the histogram has the focus. */
function brushKey(app, event) {
  const axis = app.overview ? app.overview.axis : app.wholeAxis;
  const window = get(app, "window");
  const [from, to] = windowPlaces(app, axis, window) ?? [0, 1];
  const wide = to - from;
  const centre = window.length || app.overview ? (from + to) / 2 : toPlace(axis, onClock(app, stepNow(app)));
  const moves = {
    "+": [centre - wide / 4, centre + wide / 4],
    "=": [centre - wide / 4, centre + wide / 4],
    "-": [centre - wide, centre + wide],
    0: [0, 1],
    ...(window.length && {
      ArrowLeft: event.shiftKey ? [from, to - wide * 0.1] : [from - wide * 0.1, to - wide * 0.1],
      ArrowRight: event.shiftKey ? [from, to + wide * 0.1] : [from + wide * 0.1, to + wide * 0.1],
      Escape: [0, 1],
    }),
  };
  const next = event.ctrlKey || event.metaKey || event.altKey ? undefined : moves[event.key];
  if (!next) return;
  event.preventDefault();
  event.stopPropagation();
  const band = [clamp(next[0], 0, 1), clamp(next[1], 0, 1)];
  setWindow(app, band[1] - band[0] > 0.995 ? [] : band.map((place) => timeOn(app, axis, place)));
}

// ---------------------------------------------------------------------------------------------------------------------
// Elements. Everything that can be pressed is a real control with a name.

const OWN = new Set([
  "value",
  "checked",
  "disabled",
  "hidden",
  "type",
  "min",
  "max",
  "step",
  "placeholder",
  "colSpan",
  "selected",
  "spellcheck",
  "htmlFor",
  "id",
  "tabIndex",
]);
const FOCUSABLE = new Set(["button", "input", "select", "textarea", "summary"]);

/** Makes an element; `part` names it for tests and styles, `act` is what a press does, with `arg`. */
function h(tag, props, ...children) {
  const node = document.createElement(tag);
  const { part, act, arg, trait, label, ...rest } = props ?? {};
  if (part) node.dataset.part = part;
  if (trait) node.dataset.trait = trait;
  if (act) [node.dataset.act, node.dataset.key] = [act, `${act} ${arg ?? ""}`];
  if (arg !== undefined) node.dataset.arg = arg;
  if (label) node.setAttribute("aria-label", label);
  if (label && tag === "button" && !rest.title) node.title = label;
  if (tag === "button") node.type = "button";
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined || value === null || value === false) continue;
    if (OWN.has(name)) node[name] = value;
    else node.setAttribute(name === "class" ? "class" : name, value === true ? "" : value);
  }
  // Notebook 7 takes keys before they get here, unless the element that has the focus says no.
  if (FOCUSABLE.has(tag) || rest.tabIndex === 0) node.dataset.lmSuppressShortcuts = "true";
  node.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""),
  );
  return node;
}

const ICONS = {
  first: "M3 3h2v10H3zM13 3v10L6 8z",
  back: "M11 3v10L4 8z",
  play: "M4 2.5v11L13 8z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  forward: "M5 3v10l7-5z",
  last: "M11 3h2v10h-2zM3 3v10l7-5z",
  pin: "M6 2h4v5l2 2v1H8.7v4H7.3v-4H4V9l2-2z",
  copy: "M3 2h7v2H5v7H3zM6 5h7v9H6z",
  close: "M4 3l4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4-4-4z",
  edit: "M11 2l3 3-8 8H3v-3z",
  prev: "M10 3v10L4 8z",
  next: "M6 3v10l6-5z",
  flag: "M8 1.5l6 6.5-6 6.5L2 8z",
};

function svg(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function icon(name) {
  const picture = svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true", class: "es-icon" });
  picture.append(svg("path", { d: ICONS[name], fill: "currentColor" }));
  return picture;
}

/** Shows the shape and colour that a type has in the timeline. */
function swatch(app, type) {
  const picture = svg("svg", {
    viewBox: "0 0 16 16",
    width: 12,
    height: 12,
    "aria-hidden": "true",
    class: "es-swatch",
  });
  const d = {
    circle: "M8 2a6 6 0 1 0 .01 0z",
    square: "M3 3h10v10H3z",
    diamond: "M8 0l8 8-8 8-8-8z",
    triangle: "M8 1l7 13H1z",
  };
  picture.append(svg("path", { d: d[shapeOf(app, type)], fill: `var(--es-c${type % HUES})` }));
  return picture;
}

const text = (value) => h("bdi", { dir: "auto" }, String(value));
const iconButton = (name, label, act, arg, more) =>
  h("button", { class: "es-ghost", act, arg, label, ...more }, icon(name));
const options = (pairsOf, chosen) =>
  pairsOf.map(([value, label]) => h("option", { value, selected: value === chosen }, label ?? value));

/** Replaces what is in an element; the control that had the focus has it again. */
function refill(host, ...children) {
  const active = host.getRootNode().activeElement;
  const key = active && host.contains(active) ? (active.dataset.key ?? "") : null;
  host.replaceChildren(...children.flat().filter(Boolean));
  if (key === null || active === host) return;
  const again = key && host.querySelector(`[data-key="${CSS.escape(key)}"]`);
  (again || host.closest("[data-home]"))?.focus({ preventScroll: true });
}

// ---------------------------------------------------------------------------------------------------------------------
// The view of one entity.

const NEEDS_KERNEL = "needs a running kernel";
const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 25, 50, 100];

/** Makes a control that only works with a kernel; without one it says why it does not. */
function kernelButton(app, props, ...children) {
  const why = app.alive ? {} : { disabled: true, title: `${props.label ?? "This"}: ${NEEDS_KERNEL}` };
  return h("button", { ...props, ...why }, ...children);
}

function buildReplay(app) {
  const ui = app.ui;
  ui.replay = h(
    "div",
    { class: "es-one", part: "one", hidden: true },
    buildHead(app),
    buildTimeline(app),
    buildTransport(app),
    buildJumps(app),
    buildPanels(app),
    buildEvents(app),
  );
}

function buildHead(app) {
  const { ui } = app;
  ui.title = h("h2", { class: "es-title", part: "title" });
  ui.badge = h("span", { class: "es-badge", part: "badge", hidden: true });
  ui.search = h("input", {
    type: "search",
    part: "search",
    label: "Search in ids, types, streams and payloads",
    placeholder: "/ search",
    spellcheck: false,
  });
  ui.count = h("span", { class: "es-count", part: "search-count" });
  ui.menu = h(
    "div",
    { class: "es-menu", part: "export-menu", hidden: true, role: "group", "aria-label": "Export as" },
    [
      ["html", "Page that replays offline (HTML)"],
      ["png", "Picture (PNG)"],
      ["gif", "Animation (GIF)"],
      ["parquet", "Events (Parquet)"],
    ].map(([arg, name]) => kernelButton(app, { act: "export", arg, part: `export-${arg}` }, name)),
    !app.alive && h("p", { class: "es-why" }, `Exporting ${NEEDS_KERNEL}; this page can be passed on as it is.`),
  );
  ui.backButton = h(
    "button",
    { part: "all-entities", act: "leave", hidden: true, label: "Back to all entities" },
    "‹ All entities",
  );
  return h(
    "header",
    { class: "es-head" },
    ui.backButton,
    ui.title,
    ui.badge,
    h("span", { class: "es-spring" }),
    h(
      "span",
      { class: "es-group", role: "search" },
      ui.search,
      iconButton("prev", "Previous match (N)", "match", -1, { part: "search-prev" }),
      iconButton("next", "Next match (n)", "match", 1, { part: "search-next" }),
      ui.count,
    ),
    h(
      "span",
      { class: "es-group" },
      h("button", { part: "code", act: "code", label: "Copy as code or as SQL" }, "Copy as code"),
      h(
        "span",
        { class: "es-anchor" },
        h("button", { part: "export", act: "menu", "aria-expanded": "false" }, "Export ▾"),
        ui.menu,
      ),
      app.alive && h("button", { part: "refresh", act: "refresh", label: "Read the store again" }, "Refresh"),
      h("button", { part: "help", act: "help", label: "Keyboard help (?)" }, "?"),
    ),
  );
}

function buildTimeline(app) {
  const { ui } = app;
  ui.density = h("canvas", { role: "img", "aria-label": "Events over time" });
  ui.densityHost = h(
    "div",
    {
      class: "es-density",
      part: "density",
      tabIndex: 0,
      role: "group",
      "aria-label":
        "Window of time: drag to choose; plus and minus zoom, arrows move, Shift and arrows resize, 0 shows all",
    },
    ui.density,
  );
  ui.canvas = h("canvas", { role: "img", part: "canvas", "aria-label": "Timeline" });
  ui.stage = h(
    "div",
    {
      class: "es-lanes",
      part: "timeline",
      tabIndex: 0,
      role: "group",
      "aria-label": "Timeline: Left and Right go from event to event",
    },
    ui.canvas,
  );
  ui.tip = h("div", { class: "es-tip", part: "tip", hidden: true, dir: "auto" });
  ui.summary = h("p", { class: "es-summary", part: "summary" });
  ui.slider = h("input", {
    type: "range",
    class: "es-slider",
    part: "slider",
    label: "Step",
    min: 0,
    max: 1,
    value: 0,
  });
  ui.legend = h("div", {
    class: "es-legend",
    part: "legend",
    role: "group",
    "aria-label": "Types and services: press to hide or show",
  });
  ui.bookmarks = h("div", { class: "es-chips", part: "bookmarks" });
  return h(
    "section",
    { class: "es-time", "aria-label": "Time" },
    ui.summary,
    ui.densityHost,
    ui.stage,
    ui.slider,
    ui.bookmarks,
    ui.legend,
  );
}

function pick(app, trait, label, pairsOf) {
  return h(
    "label",
    { class: "es-pick" },
    h("span", {}, label),
    (app.ui[`pick_${trait}`] = h("select", { trait, part: `choose-${trait}` }, options(pairsOf))),
  );
}

function tick(app, trait, label, title) {
  return h(
    "label",
    { class: "es-tick", title },
    (app.ui[trait] = h("input", { type: "checkbox", trait, part: trait.replaceAll("_", "-") })),
    label,
  );
}

function buildTransport(app) {
  const { ui } = app;
  const button = (name, label) => h("button", { part: name, act: name, label }, icon(name));
  ui.play = h("button", { class: "es-play", part: "play", act: "play" });
  ui.position = h("output", { class: "es-position", part: "position" });
  ui.markA = h("button", { part: "mark-a", act: "mark", arg: "A" });
  ui.markB = h("button", { part: "mark-b", act: "mark", arg: "B" });
  return h(
    "div",
    { class: "es-bar", role: "group", "aria-label": "Playing" },
    h(
      "span",
      { class: "es-group es-joined" },
      button("first", "First (Home)"),
      button("back", "Back one event (Left)"),
      ui.play,
      button("forward", "Forward one event (Right)"),
      button("last", "Last (End)"),
    ),
    ui.position,
    h("span", { class: "es-spring" }),
    h(
      "span",
      { class: "es-group" },
      ui.markA,
      ui.markB,
      h("button", { part: "bookmark", act: "bookmark", label: "Bookmark this step (m)" }, icon("flag"), "Bookmark"),
    ),
    h(
      "span",
      { class: "es-group" },
      pick(
        app,
        "speed",
        "Speed",
        SPEEDS.map((speed) => [String(speed), `${speed}/s`]),
      ),
      pick(app, "pace", "Pace", [
        ["steady", "steady"],
        ["live", "live"],
      ]),
      tick(app, "loop", "Loop", "Play over and over: between the marks, else in the window, else everything"),
      tick(
        app,
        "fold_gaps",
        "Fold idle gaps",
        "Times in which nothing happens are cut out of the axis, with a visible break",
      ),
    ),
  );
}

function buildLooks(app) {
  return h(
    "span",
    { class: "es-group" },
    pick(app, "slider", "Slider by", [
      ["event", "event"],
      ["time", "time"],
    ]),
    pick(app, "clock", "Clock", [
      ["effective_at", "effective"],
      ["recorded_at", "recorded"],
      ["position", "position"],
    ]),
    pick(app, "lanes", "Lanes", [
      ["service", "service"],
      ["type", "type"],
      ["stream", "stream"],
    ]),
  );
}

function buildJumps(app) {
  const { ui } = app;
  ui.fieldJump = h("select", { part: "jump-field", label: "Field to watch" });
  ui.typeJump = h("select", { part: "jump-type", label: "Type to go to" });
  ui.goto = h("input", {
    part: "goto",
    label: "Go to a step number, an event id, or an instant",
    placeholder: "step, event id or time",
    spellcheck: false,
    type: "text",
  });
  const arrows = (act, what, key) =>
    h(
      "span",
      { class: "es-joined" },
      iconButton("prev", `Previous ${what}`, act, -1, { part: `${act}-prev` }),
      iconButton("next", `Next ${what}${key ? ` (${key})` : ""}`, act, 1, { part: `${act}-next` }),
    );
  return h(
    "div",
    { class: "es-bar es-jumps", role: "group", "aria-label": "Jumps" },
    h(
      "span",
      { class: "es-group" },
      h("span", { class: "es-muted" }, "Change of"),
      ui.fieldJump,
      arrows("jump-field", "change of the field", "f"),
    ),
    h(
      "span",
      { class: "es-group" },
      h("span", { class: "es-muted" }, "Type"),
      ui.typeJump,
      arrows("jump-type", "event of the type", "t"),
    ),
    h(
      "span",
      { class: "es-group" },
      h("span", { class: "es-muted" }, "Failure"),
      arrows("jump-failure", "failure", "e"),
    ),
    h(
      "span",
      { class: "es-group" },
      h("span", { class: "es-muted" }, "Go to"),
      ui.goto,
      h("button", { part: "goto-go", act: "goto" }, "Go"),
    ),
    h("span", { class: "es-spring" }),
    buildLooks(app),
  );
}

function buildPanels(app) {
  const { ui } = app;
  const panel = (part, name, head, ...body) =>
    h(
      "section",
      { class: "es-panel", part: `${part}-panel`, "aria-label": name },
      h("div", { class: "es-panel-head" }, h("h3", {}, name), head),
      ...body,
    );
  const scroll = (part, label) =>
    (ui[part] = h("div", { class: "es-scroll", part, tabIndex: 0, role: "group", "aria-label": label }));
  ui.eventTools = h("span", { class: "es-group" });
  ui.stateSearch = h("input", {
    type: "search",
    part: "state-search",
    label: "Search in the state",
    placeholder: "search fields",
    spellcheck: false,
  });
  ui.diffs = h(
    "span",
    { class: "es-group es-joined", role: "group", "aria-label": "Which diff" },
    [
      ["step", "Step"],
      ["marks", "A → B"],
      ["what-if", "Real → what-if"],
    ].map(([arg, name]) => h("button", { act: "diff", arg, part: `diff-${arg}` }, name)),
  );
  return h(
    "div",
    { class: "es-panels" },
    panel("payload", "Event", ui.eventTools, scroll("payload", "The event's payload and envelope")),
    panel("state", "State", ui.stateSearch, scroll("state", "The state at this step")),
    panel("diff", "Diff", ui.diffs, scroll("diff", "What changed")),
  );
}

function buildEvents(app) {
  const { ui } = app;
  ui.typeFilter = h("select", { part: "filter-type", label: "Only this type" });
  ui.serviceFilter = h("select", { part: "filter-service", label: "Only this service" });
  ui.onlyMatches = h("input", { type: "checkbox", part: "only-matches" });
  ui.listed = h("span", { class: "es-muted", part: "listed" });
  ui.rows = h("tbody", {});
  const heads = [
    ["Pick", "es-c-tick"],
    ["On", "es-c-tick"],
    ["Step", "es-c-step"],
    ["Effective at (UTC)", "es-c-time"],
    ["Type", "es-c-type"],
    ["Service", "es-c-service"],
    ["Stream", "es-c-stream"],
    ["Payload", "es-c-data"],
  ];
  ui.table = h(
    "table",
    { class: "es-table", part: "events", "aria-label": "Events" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map(([name, style]) => h("th", { scope: "col", class: style }, name)),
      ),
    ),
    ui.rows,
  );
  ui.tableHost = h(
    "div",
    {
      class: "es-scroll es-rows",
      part: "events-scroll",
      tabIndex: 0,
      role: "group",
      "aria-label": "Events, scrollable",
    },
    ui.table,
  );
  return h(
    "section",
    { class: "es-panel es-events", part: "events-panel", "aria-label": "Events" },
    h(
      "div",
      { class: "es-panel-head" },
      h("h3", {}, "Events"),
      ui.listed,
      h("span", { class: "es-spring" }),
      h(
        "span",
        { class: "es-group" },
        ui.typeFilter,
        ui.serviceFilter,
        h("label", { class: "es-tick" }, ui.onlyMatches, "matches only"),
        kernelButton(app, { part: "insert", act: "insert", label: "Add event after this one" }, "Add event"),
        kernelButton(app, { part: "undo", act: "undo", label: "Undo edit: the last one" }, "Undo edit"),
      ),
    ),
    ui.tableHost,
  );
}

// ---------------------------------------------------------------------------------------------------------------------
// What does not change with every step: names, choices, legend, bookmarks.

function showChrome(app) {
  const { ui, tape } = app;
  const { model } = tape;
  refill(
    ui.title,
    text(model.title),
    h("small", {}, model.projection ? ` ${model.projection}` : " all payload fields"),
  );
  const folds = app.axis.folds;
  const cut = folds.reduce((sum, [from, to]) => sum + to - from, 0);
  const window = get(app, "window");
  ui.density.setAttribute(
    "aria-label",
    `${many(tape.n, "event")} over time, ${instantText(tape.start)} to ${instantText(tape.end)} UTC`,
  );
  refill(
    ui.summary,
    h(
      "span",
      {},
      [
        many(tape.n, "event"),
        tape.n && `${instantText(tape.start)} – ${instantText(tape.end)} UTC`,
        folds.length && `${many(folds.length, "idle gap")} folded (${durationText(cut)})`,
      ]
        .filter(Boolean)
        .join(" · "),
    ),
    model.note && h("span", { class: "es-note", part: "note" }, model.note),
    window.length
      ? h(
          "button",
          { act: "all", part: "window-all" },
          `Window ${instantText(window[0])} – ${instantText(window[1])}: show all`,
        )
      : "",
  );
  for (const name of ["pace", "slider", "lanes", "clock"])
    ui[`pick_${name}`].value = name === "clock" ? clockOf(app) : get(app, name);
  for (const name of ["loop", "fold_gaps"]) ui[name].checked = get(app, name);
  ui.pick_clock.disabled = !tape.recorded;
  ui.pick_lanes.disabled = !tape.time;
  const speed = String(get(app, "speed"));
  if (![...ui.pick_speed.options].some(({ value }) => value === speed))
    ui.pick_speed.append(h("option", { value: speed }, `${speed}/s`));
  ui.pick_speed.value = speed;
  const playing = get(app, "playing");
  refill(ui.play, icon(playing ? "pause" : "play"), playing ? "Pause" : "Play");
  ui.play.setAttribute("aria-pressed", String(playing));
  ui.play.title = "Play or pause (Space)";
  showMarks(app);
  showBadge(app);
  showLegend(app);
  showMatches(app);
  ui.backButton.hidden = !app.cameFromAll;
  if (playing && !app.playing) app.playing = requestAnimationFrame((now) => playFrame(app, now));
}

function showMarks(app) {
  const { ui } = app;
  const marks = get(app, "marks");
  for (const [name, button] of [
    ["A", ui.markA],
    ["B", ui.markB],
  ]) {
    const set = Number.isInteger(marks[name]);
    refill(button, set ? `${name} ${marks[name]}` : `Mark ${name}`);
    button.setAttribute("aria-pressed", String(set));
    button.setAttribute(
      "aria-label",
      set
        ? `${name} ${marks[name]}: a mark; pressed at its step it goes, elsewhere it moves there`
        : `Mark ${name} here (${name.toLowerCase()})`,
    );
  }
  refill(
    ui.bookmarks,
    get(app, "bookmarks").map(({ step, label }, i) =>
      h(
        "span",
        { class: "es-chip" },
        h("button", { act: "step", arg: step, title: `Go to step ${step}` }, icon("flag"), `${step} `, text(label)),
        iconButton("edit", `Rename bookmark ${label}`, "rename", i),
        iconButton("close", `Remove bookmark ${label}`, "unbookmark", i),
      ),
    ),
  );
}

function showBadge(app) {
  const { ui, tape } = app;
  const rows = tape.model.complete ? allRows(tape) : [...tape.chunks.values()].flatMap((chunk) => chunk.rows);
  const counts = [
    [get(app, "skipped").length, "off"],
    [rows.filter((row) => row.edited !== undefined && !row.inserted).length, "changed"],
    [rows.filter((row) => row.inserted).length, "added"],
  ];
  const told = counts.filter(([n]) => n).map(([n, what], i) => `${i ? n : many(n, "event")} ${what}`);
  ui.badge.hidden = !told.length;
  if (told.length)
    refill(
      ui.badge,
      `what-if: ${told.join(", ")}`,
      iconButton("close", "Put all back: no what-if", "restore", undefined, { part: "restore" }),
    );
}

const MOST_LEGEND = 14;

function showLegend(app) {
  const { ui, tape } = app;
  const { types, services } = tape.model;
  app.counts ??= countKinds(tape);
  const entry = (kind, hidden, swatchOf) => (index, name) => {
    const shown = !hidden.has(name);
    const count = app.counts[kind][index];
    return h(
      "button",
      {
        act: `hide-${kind}`,
        arg: name,
        class: "es-key",
        "aria-pressed": String(shown),
        title: `${shown ? "Hide" : "Show"} ${name} (it counts in the state all the same)`,
      },
      swatchOf?.(index),
      text(name),
      h("span", { class: "es-muted" }, countText(count)),
    );
  };
  const order = types.map((_, i) => i).sort((a, b) => app.counts.type[b] - app.counts.type[a]);
  const kept = app.allKeys ? order.slice(0, 400) : order.slice(0, MOST_LEGEND);
  const typeKey = entry("type", app.hiddenTypes, (index) => swatch(app, index));
  const serviceKey = entry("service", app.hiddenServices);
  refill(
    ui.legend,
    kept.map((index) => typeKey(index, types[index])),
    order.length > MOST_LEGEND &&
      h(
        "button",
        { act: "keys", class: "es-key", "aria-expanded": String(!!app.allKeys) },
        app.allKeys ? "fewer types" : `${many(order.length - MOST_LEGEND, "more type")}`,
      ),
    services.length > 1 && h("span", { class: "es-divide", "aria-hidden": "true" }),
    services.length > 1 && services.slice(0, 40).map((name, index) => serviceKey(index, name)),
  );
}

function countKinds(tape) {
  const counts = {
    type: new Float64Array(tape.model.types.length),
    service: new Float64Array(tape.model.services.length),
  };
  if (tape.type) for (const code of tape.type) counts.type[code] += 1;
  else
    tape.model.timeline.density?.types.forEach(
      (bins, type) => (counts.type[type] = bins.reduce((sum, n) => sum + n, 0)),
    );
  for (const code of tape.service ?? []) counts.service[code] += 1;
  return counts;
}

/** Fills the choices that come from the model. */
function fillChoices(app) {
  const { ui, tape } = app;
  const chosen = ui.typeJump.value;
  const names = (list) => list.slice(0, 2000).map((name) => [name, name]);
  refill(ui.typeJump, options(names(tape.model.types), chosen));
  refill(ui.typeFilter, options([["", "all types"], ...names(tape.model.types)], app.filter.type));
  refill(ui.serviceFilter, options([["", "all services"], ...names(tape.model.services)], app.filter.service));
  fillFields(app);
}

function fillFields(app) {
  const { ui, tape } = app;
  const field = get(app, "field");
  const names = fieldNames(app);
  refill(
    ui.fieldJump,
    options(
      [["", "choose a field"], ...[...new Set([...(field ? [field] : []), ...names])].map((name) => [name, name])],
      field,
    ),
  );
  app.fieldsOf = tape;
}

/** Names the columns; with a fold in Python, those of the states that are here. */
function fieldNames(app) {
  const { tape } = app;
  if (tape.columns.length || tape.moves) return tape.columns.map(({ name }) => name);
  return Object.keys(
    Object.assign({}, ...[...tape.chunks.values()].flatMap((chunk) => chunk.rows.map((row) => row.state ?? {}))),
  );
}

/** Writes where the step is, in words. */
function placeText(app) {
  const { tape } = app;
  const step = stepNow(app);
  if (!tape.n) return "no events";
  if (step === 0) return `before the first of ${many(tape.n, "event")}`;
  return `event ${step} of ${tape.n}, ${nameOf(tape, step)}, ${instantText(timeAt(tape, step))}`;
}

/** Shows the step on the slider and in words. */
function showPlace(app) {
  const { ui, tape } = app;
  const step = stepNow(app);
  const byTime = get(app, "slider") === "time";
  ui.slider.max = byTime ? 10000 : tape.n;
  ui.slider.value = byTime ? Math.round(toPlace(app.axis, onClock(app, step)) * 10000) : step;
  ui.slider.dataset.by = byTime ? "time" : "event";
  ui.slider.setAttribute("aria-valuetext", placeText(app));
  const time = step ? instantText(timeAt(tape, step)) : "";
  refill(
    ui.position,
    h("b", {}, `${countText(step)}`),
    ` / ${countText(tape.n)}`,
    time && h("span", { class: "es-time-now" }, time),
    step
      ? h("b", { class: "es-name", dir: "auto" }, nameOf(tape, step))
      : h("span", { class: "es-muted" }, "before the first event"),
  );
}

/** Tells the step to those who listen, at most once a second, and not while it plays. */
function announce(app) {
  if (get(app, "playing")) return;
  stop(app, app.announcing);
  app.announcing = later(app, 700, () => {
    const changed = app.tape && diffOf(app, "step");
    const names = Array.isArray(changed) ? [...new Set(changed.map(({ path }) => path[0]))].slice(0, 5) : [];
    app.ui.live.textContent = placeText(app) + (names.length ? `; changed: ${names.join(", ")}` : "");
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Panels: the event, the state, the diff.

function showPanels(app) {
  app.panels = null;
  if (!app.tape || app.overview) return;
  const step = stepNow(app);
  wantStep(app, step);
  showRows(app, true); // first: it measures, and what follows changes the page
  showEvent(app, step);
  showState(app, step);
  showDiff(app);
  announce(app);
  holdFocus(app);
  if (stateAt(app.tape, step) !== undefined) tell(app, "es-state");
}

/** Makes one line of a tree, and those under it. */
function treeNode(app, scope, path, name, old, now, depth) {
  const value = now === ABSENT ? old : now;
  const kind = old === ABSENT ? "added" : now === ABSENT ? "removed" : same(old, now) ? null : "changed";
  const where = pathText(path);
  const key = `${scope} ${where}`;
  const parts =
    pairs(old === ABSENT ? emptyLike(value) : old, now === ABSENT ? emptyLike(value) : now) ??
    pairs(emptyLike(value), value);
  const branch = Boolean(parts?.length);
  const open = branch && (app.open.get(key) ?? (depth < 2 && parts.length <= 40));
  const forced = branch && scope === "state" && app.needle !== "";
  const children = open || forced ? childNodes(app, scope, path, parts, depth, key) : [];
  if (
    scope === "state" &&
    app.needle &&
    !children.length &&
    !`${where} ${branch ? "" : valueText(value)}`.toLowerCase().includes(app.needle)
  )
    return null;
  const line = h(
    "div",
    {
      class: `es-node${kind ? ` es-${kind}` : ""}`,
      "data-path": scope === "state" ? where : undefined,
      "data-change": kind,
    },
    h(
      "span",
      { class: "es-sign", title: kind, role: kind ? "img" : undefined, "aria-label": kind },
      kind ? SIGNS[kind] : "",
    ),
    branch
      ? h(
          "button",
          {
            class: "es-twist",
            act: "open",
            arg: key,
            "aria-expanded": String(open || forced),
            label: `${where || name}: ${open ? "fold" : "unfold"}`,
          },
          open || forced ? "▾" : "▸",
        )
      : h("span", { class: "es-twist" }),
    nameOfNode(app, scope, where, name),
    valueOfNode(app, key, value, branch, open || forced, parts),
    kind === "changed" && scope === "state" && !branch
      ? h("span", { class: "es-was" }, "was ", text(clipped(valueText(old), 40)))
      : null,
    scope === "state"
      ? h(
          "span",
          { class: "es-tools" },
          iconButton("pin", `${get(app, "pinned").includes(where) ? "Unpin" : "Pin"} ${where}`, "pin", where),
          iconButton("copy", `Copy path ${where}`, "copy-path", where),
        )
      : null,
  );
  return h("li", {}, line, children.length ? h("ul", {}, children) : null);
}

const emptyLike = (value) => (Array.isArray(value) ? [] : isObject(value) ? {} : value);
const clipped = (value, most) => (value.length > most ? `${value.slice(0, most)}…` : value);

function childNodes(app, scope, path, parts, depth, key) {
  const most = app.more.get(key) ?? 100;
  const kept = parts
    .slice(0, most)
    .map(([name, old, now]) => treeNode(app, scope, [...path, name], name, old, now, depth + 1))
    .filter(Boolean);
  if (parts.length > most)
    kept.push(h("li", {}, h("button", { act: "more", arg: key }, `${countText(parts.length - most)} more`)));
  return kept;
}

function nameOfNode(app, scope, where, name) {
  const shown = typeof name === "number" ? `[${name}]` : name;
  if (scope !== "state") return h("span", { class: "es-name", dir: "auto" }, shown);
  const watched = get(app, "field") === where;
  return h(
    "button",
    {
      class: "es-field",
      act: "watch",
      arg: where,
      "aria-pressed": String(watched),
      title: `${watched ? "Watched" : "Watch"} ${where}: f goes to its next change`,
      dir: "auto",
    },
    shown,
  );
}

const LONG = 140;

function valueOfNode(app, key, value, branch, open, parts) {
  if (branch) {
    const flatList =
      Array.isArray(value) &&
      !open &&
      value.length <= 6 &&
      value.every((item) => item === null || typeof item !== "object" || item instanceof Exact);
    const what = Array.isArray(value) ? many(parts.length, "item") : many(parts.length, "field");
    return h("span", { class: "es-muted" }, flatList ? clipped(jsonText(value), 60) : what);
  }
  const whole = valueText(value);
  if (whole.length <= LONG) return h("span", { class: `es-value es-${kindOf(value)}`, dir: "auto" }, whole || '""');
  const all = app.open.get(`${key} text`);
  return h(
    "span",
    { class: `es-value es-${kindOf(value)}`, dir: "auto", title: clipped(whole, 1000) },
    all ? whole : clipped(whole, LONG),
    " ",
    h(
      "button",
      { class: "es-link", act: "open-text", arg: `${key} text` },
      all ? "less" : `all ${countText(whole.length)} characters`,
    ),
  );
}

/** Makes a tree of a value; `before` is what it is compared with. */
function tree(app, scope, before, value) {
  const parts = pairs(before, value) ?? [];
  return h("ul", { class: "es-tree" }, childNodes(app, scope, [], parts, 0, `${scope} `));
}

function showState(app, step) {
  const { ui, tape } = app;
  const [before, now] = [step > 0 ? stateAt(tape, step - 1) : null, stateAt(tape, step)];
  const row = eventAt(tape, step);
  const notes = [];
  if (row?.error !== undefined)
    notes.push(
      h(
        "p",
        { class: "es-error", part: "fold-error", role: "alert" },
        "The fold failed at this event; the state is as it was before. ",
        text(row.error),
      ),
    );
  else if (!tape.moves && tape.skipped.size && !app.alive)
    notes.push(h("p", { class: "es-error" }, `This fold is Python: what-if ${NEEDS_KERNEL}.`));
  if (now === undefined)
    notes.push(
      h(
        "p",
        { class: "es-muted" },
        app.alive ? "These events are not here yet." : "These events are not in this page.",
      ),
    );
  else if (now === null)
    notes.push(h("p", { class: "es-muted" }, before ? "No row any more: this event ends the entity." : "No row yet."));
  if (app.fieldsOf !== tape) fillFields(app);
  const pinned = now ? get(app, "pinned").map((where) => pinnedNode(app, where, before, now)) : [];
  refill(
    ui.state,
    notes,
    pinned.length ? h("ul", { class: "es-tree es-pinned", part: "pinned" }, pinned) : null,
    now ? tree(app, "state", before ?? {}, now) : null,
  );
  ui.state.dataset.step = step;
}

function pinnedNode(app, where, before, now) {
  const path = pathParts(where, Object.keys(now));
  const [old, value] = [atPath(before ?? {}, path), atPath(now, path)].map((found) =>
    found === undefined ? ABSENT : found,
  );
  const needle = app.needle;
  app.needle = ""; // a search does not hide what is pinned
  const node =
    old === ABSENT && value === ABSENT
      ? h(
          "li",
          {},
          h(
            "div",
            { class: "es-node" },
            nameOfNode(app, "state", where, where),
            h("span", { class: "es-muted" }, "absent"),
            iconButton("close", `Unpin ${where}`, "pin", where),
          ),
        )
      : treeNode(app, "state", path, where, old, value, 1);
  app.needle = needle;
  return node;
}

function showEvent(app, step) {
  const { ui, tape } = app;
  const row = eventAt(tape, step);
  if (!row) {
    refill(ui.eventTools);
    const why =
      step === 0
        ? "Step 0 is before the first event."
        : app.alive
          ? "This event is not here yet."
          : "This event is not in this page.";
    return refill(ui.payload, h("p", { class: "es-muted" }, why));
  }
  const off = tape.skipped.has(row.id);
  const canSkip = tape.moves || app.alive;
  refill(
    ui.eventTools,
    h(
      "button",
      {
        act: "skip",
        arg: row.id,
        part: "skip",
        "aria-pressed": String(off),
        disabled: !canSkip,
        title: canSkip ? "Switch this event off or on (x)" : `This fold is Python: what-if ${NEEDS_KERNEL}`,
      },
      off ? "Switch on" : "Switch off",
    ),
    kernelButton(app, { act: "edit", part: "edit", label: "Edit the payload of this event" }, "Edit"),
  );
  const notes = [
    off && "switched off",
    row.inserted && "added",
    row.edited !== undefined && !row.inserted && "changed",
    tape.failing.has(row.t) && "failure",
    lateRows(tape)[row.n] && `recorded ${durationText(row.rec - row.us)} later`,
  ];
  return refill(
    ui.payload,
    h(
      "p",
      { class: "es-event-name" },
      swatch(app, row.t),
      h("b", { dir: "auto" }, tape.model.types[row.t]),
      notes.filter(Boolean).map((note) => h("span", { class: "es-tag" }, note)),
    ),
    payloadTree(app, row),
    h(
      "details",
      { class: "es-envelope", part: "envelope", open: app.envelope !== false },
      h("summary", { "data-key": "envelope", "data-lm-suppress-shortcuts": "true" }, "Envelope"),
      envelope(app, row),
    ),
  );
}

function payloadTree(app, row) {
  const full = app.full.get(row.id);
  const source = full ?? row.data;
  const cut = row.cut > 0 && full === undefined;
  const note =
    cut &&
    h(
      "p",
      { class: "es-note", part: "cut" },
      `${bytesText(source.length)} of ${bytesText(row.cut)} shown. `,
      kernelButton(app, { act: "load", arg: row.id, part: "load-all", label: "Load the whole payload" }, "load all"),
    );
  if (app.payload?.source !== source) app.payload = { source, value: parsedOr(source) };
  const { value } = app.payload;
  if (value === undefined)
    return h("div", {}, note, h("pre", { class: "es-raw", dir: "auto" }, clipped(source, 20000)));
  const empty =
    value === null || (typeof value === "object" && !(value instanceof Exact) && !Object.keys(value).length);
  if (empty) return h("p", { class: "es-muted" }, "Empty payload.");
  if (!pairs(emptyLike(value), value)) return h("p", {}, valueOfNode(app, "payload", value));
  return h("div", { part: "payload-tree" }, note, tree(app, "payload", value, value));
}

function parsedOr(source) {
  try {
    return parseExact(source);
  } catch {
    return undefined; // cut text is no JSON any more
  }
}

function envelope(app, row) {
  const { tape } = app;
  const { services, streams } = tape.model;
  const event = (id) =>
    id && [
      text(id),
      tape.rowOf.has(id)
        ? h(
            "button",
            { act: "step", arg: stepOf(tape, tape.rowOf.get(id)), class: "es-link", title: `Go to event ${id}` },
            `step ${stepOf(tape, tape.rowOf.get(id))}`,
          )
        : "",
    ];
  const lag = Number(row.rec) - Number(row.us);
  const lines = [
    ["event id", text(row.id)],
    ["service", text(services[row.s])],
    ["stream", [text(streams[row.k].at(-1)), row.ver === null ? "" : ` version ${row.ver}`]],
    ["effective at", instantText(timeAt(tape, stepOf(tape, row.n)), true)],
    Number(row.oc) !== Number(row.us) && ["occurred at", instantText(row.oc, true)],
    ["recorded at", `${instantText(row.rec, true)} (${durationText(lag)} ${lag < 0 ? "before" : "later"})`],
    ["position", String(row.pos)],
    row.cor && ["correlation", text(row.cor)],
    row.cau && ["causation", event(row.cau)],
  ];
  const meta = row.meta ? parsedOr(row.meta) : null;
  return h(
    "div",
    {},
    h(
      "dl",
      { class: "es-facts" },
      lines.filter(Boolean).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
    meta && typeof meta === "object"
      ? h("div", {}, h("p", { class: "es-muted" }, "metadata"), tree(app, "meta", meta, meta))
      : null,
  );
}

function showDiff(app) {
  const { ui } = app;
  const kind = get(app, "diff");
  for (const button of ui.diffs.children) button.setAttribute("aria-pressed", String(button.dataset.arg === kind));
  const found = diffOf(app, kind);
  const { A, B } = get(app, "marks");
  const step = stepNow(app);
  const head = {
    step: `Step ${Math.max(0, step - 1)} → ${step}`,
    marks: `Step ${A} → ${B}`,
    "what-if": `Real → what-if at step ${step}`,
  }[kind];
  ui.diff.dataset.step = step;
  if (typeof found === "string") return refill(ui.diff, h("p", { class: "es-muted" }, found));
  if (!found.length) return refill(ui.diff, h("p", { class: "es-muted" }, `${head}: no difference.`));
  const most = app.more.get("diff") ?? 200;
  return refill(
    ui.diff,
    h(
      "table",
      { class: "es-diff-table" },
      h("caption", {}, head),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["", "Field", "Old → new", "Δ", "By"].map((name) =>
            h(
              "th",
              { scope: "col", title: name || "Added, removed or changed" },
              name || h("span", { class: "es-hidden" }, "Change"),
            ),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        found.slice(0, most).map((change) => diffRow(app, change)),
      ),
    ),
    found.length > most && h("button", { act: "more", arg: "diff" }, `${countText(found.length - most)} more`),
  );
}

function diffRow(app, change) {
  const delta = deltaOf(change);
  const where = pathText(change.path);
  const value = (found, style) =>
    h(
      "span",
      { class: `es-value ${style}`, dir: "auto", title: clipped(valueText(found), 1000) },
      clipped(valueText(found) || '""', 80),
    );
  const off = change.by && app.tape.skipped.has(eventAt(app.tape, change.by)?.id);
  return h(
    "tr",
    { class: `es-${change.kind}`, "data-path": where, "data-change": change.kind },
    h(
      "td",
      { class: "es-sign" },
      h("span", { role: "img", "aria-label": change.kind, title: change.kind }, SIGNS[change.kind]),
    ),
    h("th", { scope: "row" }, nameOfNode(app, "state", where, where)),
    h(
      "td",
      { class: "es-change" },
      change.kind === "added" ? null : value(change.old, "es-old"),
      change.kind === "changed" ? " → " : null,
      change.kind === "removed" ? null : value(change.now, "es-now"),
    ),
    h("td", { class: "es-delta" }, delta === undefined ? "" : signed(delta)),
    h(
      "td",
      {},
      change.by
        ? h(
            "button",
            { class: "es-link", act: "step", arg: change.by, title: `Go to step ${change.by}` },
            `${change.by} `,
            text(nameOf(app.tape, change.by)),
            off ? " (off)" : "",
          )
        : "",
    ),
  );
}

// ---------------------------------------------------------------------------------------------------------------------
// The list of events: a real table, of which only the rows in sight are made.

const ROW_HEIGHT = 29;

/** Collects the steps that pass the filters; null: all of them. */
function makeList(app) {
  const { tape, filter } = app;
  const window = get(app, "window");
  const hidden = app.hiddenTypes.size || app.hiddenServices.size;
  app.list = null;
  app.listVersion = (app.listVersion ?? 0) + 1;
  const matches = filter.matches && app.matches ? new Set(app.matches.steps) : null;
  if (window.length || hidden || filter.type || filter.service || matches) {
    const [low, high] = window.length ? [stepAtTime(tape, window[0] - 1), stepAtTime(tape, window[1])] : [0, tape.n];
    const steps = [];
    for (let step = low + 1; step <= high; step += 1) if (passes(app, step, matches)) steps.push(step);
    app.list = Int32Array.from(steps);
  }
  const n = app.list ? app.list.length : tape.n;
  app.ui.listed.textContent = app.list ? `${countText(n)} of ${countText(tape.n)}` : countText(n);
  app.ui.table.setAttribute("aria-rowcount", n + 1);
}

function passes(app, step, matches) {
  const { tape, filter } = app;
  if (!visible(app, step) || (matches && !matches.has(step))) return false;
  if (filter.type && tape.model.types[typeAt(tape, step)] !== filter.type) return false;
  const number = numberAt(tape, step);
  return !filter.service || tape.model.services[tape.service?.[number] ?? rowAt(tape, number)?.s] === filter.service;
}

/** Returns the place of a step in the list, or where it would be. */
function placeInList(app, step) {
  if (!app.list) return step - 1;
  let [low, high] = [0, app.list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (app.list[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Makes the rows in sight; `follow` brings the step into sight first. */
function showRows(app, follow) {
  const { ui, tape } = app;
  if (!tape || !ui.tableHost.clientHeight) return undefined;
  const n = app.list ? app.list.length : tape.n;
  const host = ui.tableHost;
  const inner = host.clientHeight - ROW_HEIGHT;
  const step = stepNow(app);
  if (follow && step !== app.followed && step > 0) {
    const top = placeInList(app, step) * ROW_HEIGHT;
    if (top < host.scrollTop || top + ROW_HEIGHT > host.scrollTop + inner) {
      if (app.rowsShown?.version !== app.listVersion) sizeSpacers(ui, n);
      host.scrollTop = Math.max(0, Math.round((top - inner / 2) / ROW_HEIGHT) * ROW_HEIGHT);
    }
  }
  app.followed = step;
  const first = clamp(Math.floor(host.scrollTop / ROW_HEIGHT) - 3, 0, Math.max(0, n - 1));
  const last = Math.min(n, first + Math.ceil(inner / ROW_HEIGHT) + 7);
  const key = `${first} ${last} ${app.listVersion} ${app.rowsVersion}`;
  if (app.rowsShown?.key === key) return showCurrent(ui, step);
  app.rowsShown = { key, version: app.listVersion };
  const selected = new Set(get(app, "selection"));
  const hits = new Set(app.matches?.steps ?? []);
  const rows = [];
  for (let i = first; i < last; i += 1)
    rows.push(eventRow(app, app.list ? app.list[i] : i + 1, i, { step, selected, hits }));
  const spacer = (height) =>
    h("tr", { "aria-hidden": "true", class: "es-spacer", style: `height:${height}px` }, h("td", { colSpan: 8 }));
  refill(
    ui.rows,
    spacer(first * ROW_HEIGHT),
    rows.length
      ? rows
      : h(
          "tr",
          {},
          h("td", { colSpan: 8, class: "es-muted" }, tape.n ? "No event passes the filters." : "There are no events."),
        ),
    spacer((n - last) * ROW_HEIGHT),
  );
  return undefined;
}

/** Moves the mark of the step to another row; the rows stay. */
function showCurrent(ui, step) {
  for (const row of ui.rows.querySelectorAll(".es-row")) {
    const current = Number(row.dataset.step) === step;
    row.classList.toggle("es-current", current);
    if (current) row.setAttribute("aria-current", "step");
    else row.removeAttribute("aria-current");
  }
}

/** Makes the list as tall as it will be, so that it can be scrolled there. */
function sizeSpacers(ui, n) {
  ui.rows.replaceChildren(
    h("tr", { class: "es-spacer", style: `height:${n * ROW_HEIGHT}px` }, h("td", { colSpan: 8 })),
  );
}

function eventRow(app, step, index, { step: current, selected, hits }) {
  const { tape } = app;
  const row = eventAt(tape, step);
  const number = numberAt(tape, step);
  if (!row) wantStep(app, step, true);
  const off = row && tape.skipped.has(row.id);
  const type = typeAt(tape, step);
  const classes = [
    "es-row",
    step === current && "es-current",
    off && "es-off",
    hits.has(step) && "es-hit",
    row?.error !== undefined && "es-failed",
    row && selected.has(row.id) && "es-picked",
  ];
  const notes = [
    row?.error !== undefined && "fold failed",
    row?.inserted && "added",
    row?.edited !== undefined && !row.inserted && "changed",
    lateRows(tape)[number] && "late",
  ].filter(Boolean);
  const canSkip = row && (tape.moves || app.alive);
  return h(
    "tr",
    {
      class: classes.filter(Boolean).join(" "),
      "data-step": step,
      "aria-rowindex": index + 2,
      "aria-current": step === current ? "step" : undefined,
    },
    h(
      "td",
      { class: "es-c-tick" },
      h("input", {
        type: "checkbox",
        label: `Select event ${step}`,
        disabled: !row,
        checked: Boolean(row && selected.has(row.id)),
        "data-pick": row?.id,
        "data-key": `pick ${step}`,
      }),
    ),
    h(
      "td",
      { class: "es-c-tick" },
      h("input", {
        type: "checkbox",
        class: "es-switch",
        role: "switch",
        label: `Event ${step} counts`,
        disabled: !canSkip,
        checked: !off,
        "data-switch": row?.id,
        "data-key": `switch ${step}`,
      }),
    ),
    h(
      "td",
      { class: "es-c-step" },
      h("button", { class: "es-link", act: "step", arg: step, label: `Go to step ${step}` }, countText(step)),
    ),
    h("td", { class: "es-c-time" }, instantText(timeAt(tape, step), true)),
    h(
      "td",
      { class: "es-c-type" },
      type === undefined ? "…" : swatch(app, type),
      text(nameOf(tape, step)),
      notes.map((note) => h("span", { class: "es-tag" }, note)),
    ),
    h(
      "td",
      { class: "es-c-service" },
      text(row ? tape.model.services[row.s] : (tape.model.services[tape.service?.[number]] ?? "")),
    ),
    h("td", { class: "es-c-stream" }, text(row ? tape.model.streams[row.k].at(-1) : "")),
    h(
      "td",
      { class: "es-c-data", title: row ? clipped(row.data, 500) : undefined },
      row ? text(clipped(row.data, 160)) : "not here yet",
    ),
  );
}

// ---------------------------------------------------------------------------------------------------------------------
// Looking for things.

/** Lists the steps in (low, high] at which a field changes; undefined where events are missing. */
function changesOfField(tape, parts, low, high) {
  const found = [];
  const column = tape.columns.findIndex(({ name }) => name === parts[0]);
  const pickValue = (values) => {
    const value = values?.[column];
    return parts.length === 1 ? value : atPath(listed(value), parts.slice(1));
  };
  let values = tape.moves ? valuesAt(tape, low, false) : undefined;
  let before = tape.moves ? pickValue(values) : atPath(stateAt(tape, low), parts);
  for (let step = low + 1; step <= high; step += 1) {
    const row = eventAt(tape, step);
    if (!row || (tape.moves && values === undefined)) return undefined;
    if (tape.moves) values = acted(tape.columns, values, actsOf(tape, row, false));
    const after = tape.moves ? pickValue(values) : atPath(stateAt(tape, step), parts);
    if (before !== after && !same(listed(before), listed(after))) found.push(step);
    before = after;
  }
  return found;
}

/** Finds the nearest change of a field, block by block; null: there is none; undefined: events are missing. */
function findField(tape, parts, from, direction) {
  if (direction > 0) {
    for (let low = from; low < tape.n; low += tape.size) {
      const found = changesOfField(tape, parts, low, Math.min(tape.n, low + tape.size));
      if (!found || found.length) return found?.[0];
    }
    return null;
  }
  for (let high = from - 1; high > 0; high -= tape.size) {
    const found = changesOfField(tape, parts, Math.max(0, high - tape.size), high);
    if (!found || found.length) return found?.at(-1);
  }
  return null;
}

const rowText = (tape, row) =>
  `${row.id}\n${tape.model.types[row.t]}\n${tape.model.streams[row.k].at(-1)}\n${row.data}`.toLowerCase();

/** Looks in what is here. */
function findHere(app, what, value, from, direction) {
  const { tape } = app;
  if (what === "field") return findField(tape, pathParts(value, fieldNames(app)), from, direction);
  if (what === "instant") return stepAtTime(tape, value);
  if (what === "id") {
    if (tape.rowOf.has(value)) return stepOf(tape, tape.rowOf.get(value));
    const begins = [...tape.rowOf.keys()].find((id) => id.startsWith(value));
    return begins === undefined ? null : stepOf(tape, tape.rowOf.get(begins));
  }
  const test = {
    type: (step) => nameOf(tape, step) === value,
    failure: (step) => failsAt(tape, step),
    text: (step) => eventAt(tape, step) && rowText(tape, eventAt(tape, step)).includes(value.toLowerCase()),
  }[what];
  for (let step = from + direction; step > 0 && step <= tape.n; step += direction) if (test(step)) return step;
  return null;
}

/** Goes to what is looked for: found here where all events are, else by the kernel. */
function jump(app, what, value, direction = 1, from = stepNow(app)) {
  const { tape } = app;
  const told = {
    field: `change of ${value}`,
    type: `event of type ${value}`,
    failure: "failure",
    text: `event with ${JSON.stringify(value)}`,
    id: `event ${value}`,
    instant: "event",
  }[what];
  const everything = tape.model.complete || ((what === "type" || what === "failure") && tape.type);
  if (!everything && app.alive) {
    const asked = what === "instant" ? `${instantText(value, true).replace(" ", "T")}Z` : value;
    return ask(app, "find", { what, value: asked, from, direction }, told);
  }
  const found = findHere(app, what, value, from, direction);
  if (found !== null && found !== undefined) {
    say(app, "");
    return goTo(app, found);
  }
  const where = what === "id" || what === "instant" ? "" : direction > 0 ? " after this" : " before this";
  return say(app, `No ${told}${where}${everything ? "" : " among the events in this page"}.`);
}

function jumpField(app, direction) {
  const field = get(app, "field");
  if (!field) return say(app, "Choose a field first: press its name in the state.");
  return jump(app, "field", field, direction);
}

/** Goes to a step number, an instant or an event id, whichever was written. */
function goToWritten(app, written) {
  const wanted = written.trim();
  if (!wanted) return undefined;
  if (/^\d{1,9}$/.test(wanted) && Number(wanted) <= app.tape.n && !app.tape.rowOf.has(wanted))
    return goTo(app, Number(wanted));
  if (/^\d{4}-\d\d/.test(wanted)) {
    const iso = /Z$|[+-]\d\d:?\d\d$/.test(wanted)
      ? wanted.replace(" ", "T")
      : /\d\d:\d\d/.test(wanted)
        ? `${wanted.replace(" ", "T")}Z`
        : wanted;
    const parsed = Date.parse(iso);
    const finer = /\.\d{3}(\d{1,3})/.exec(iso)?.[1]?.padEnd(3, "0") ?? (/\.\d/.test(iso) ? "0" : "0");
    if (!Number.isNaN(parsed)) return jump(app, "instant", parsed * 1000 + Number(finer));
  }
  return jump(app, "id", wanted);
}

/** Finds all events in which the search text occurs. */
function makeMatches(app) {
  const { tape } = app;
  const needle = get(app, "search").trim().toLowerCase();
  app.matches = null;
  if (!needle || !tape) return;
  const rows = [...tape.chunks.values()].flatMap((chunk) => chunk.rows);
  const steps = rows.filter((row) => rowText(tape, row).includes(needle)).map((row) => stepOf(tape, row.n));
  app.matches = { steps: steps.sort((a, b) => a - b) };
}

function showMatches(app) {
  const { ui, matches, tape } = app;
  const value = get(app, "search");
  if (ui.search.value !== value && ui.search.getRootNode().activeElement !== ui.search) ui.search.value = value;
  if (!matches) return refill(ui.count);
  const current = matches.steps.filter((step) => step <= stepNow(app)).length;
  const told = tape.model.complete ? `${current}/${matches.steps.length}` : `${countText(matches.steps.length)} loaded`;
  return refill(ui.count, matches.steps.length || !tape.model.complete ? told : "no match");
}

function jumpMatch(app, direction) {
  const value = get(app, "search").trim();
  if (!value) return app.ui.search.focus();
  return jump(app, "text", value, direction);
}

// ---------------------------------------------------------------------------------------------------------------------
// Messages: of each kind at most one is under way; of those that wait only the latest is kept.

const PATIENCE = 3000;

/** Sends a question; its answer is taken by `ANSWERS`. */
function ask(app, kind, body = {}, told = "") {
  if (!app.alive) return say(app, `This ${NEEDS_KERNEL}.`);
  const flight = (app.flights[kind] ??= { sent: null, next: null, timer: null });
  app.requests += 1;
  flight.next = { kind, ...body, request: app.requests, told };
  return flight.sent ? undefined : takeOff(app, flight);
}

function takeOff(app, flight) {
  if (!flight.next) return;
  [flight.sent, flight.next] = [flight.next, null];
  const { told, ...message } = flight.sent;
  post(app, message);
  flight.timer = later(app, PATIENCE, () => {
    flight.sent = null;
    say(app, "the kernel is busy; playing what is here", "warn");
    takeOff(app, flight);
  });
}

/** Ends a flight and returns what was asked; null where the answer is to an older question. */
function land(app, message) {
  const flight = app.flights[message.kind === "found" ? "find" : message.kind === "exported" ? "export" : message.kind];
  if (!flight?.sent || (message.request !== undefined && message.request !== flight.sent.request)) return null;
  const { sent } = flight;
  stop(app, flight.timer);
  flight.sent = null;
  if (app.ui.status.dataset.level === "warn") say(app, "");
  takeOff(app, flight);
  return sent;
}

/** Sends a message; what was chosen before goes first, so that the kernel answers for what is shown. */
function post(app, message) {
  try {
    if (app.saving) save(app);
    app.source.send(message);
  } catch {
    say(app, "the kernel does not answer; playing what is here", "warn");
  }
}

/** Sends a wish whose answer is a new model. */
function wish(app, message) {
  if (!app.alive) return say(app, `This ${NEEDS_KERNEL}.`);
  post(app, message);
  stop(app, app.wishing);
  app.wishing = later(app, PATIENCE, () => say(app, "the kernel is busy; playing what is here", "warn"));
  return undefined;
}

const ANSWERS = {
  chunk(app, message) {
    const sent = land(app, message);
    const { tape } = app;
    if (!tape || message.generation < tape.model.generation) return;
    const chunk = parseExact(message.text);
    addChunk(tape, chunk);
    trimChunks(tape);
    app.rowsVersion += 1;
    app.matches = app.matches && (makeMatches(app), app.matches);
    redo(app);
    const next = chunk.number + 1;
    // The next one is fetched before it is needed; one that was itself fetched so fetches no more.
    if (sent && !sent.ahead && next * tape.size < tape.n && !tape.chunks.has(next)) wantChunk(app, next, true);
  },
  found(app, message) {
    const sent = land(app, message);
    if (!sent) return;
    if (Number.isInteger(message.step)) goTo(app, message.step);
    say(
      app,
      message.note ||
        (Number.isInteger(message.step) ? "" : `No ${sent.told} ${sent.direction > 0 ? "after" : "before"} this.`),
    );
  },
  code(app, message) {
    if (land(app, message)) showCode(app, message);
  },
  payload(app, message) {
    const sent = land(app, message);
    if (!sent) return;
    app.full.set(sent.id, message.text);
    redo(app);
  },
  exported(app, message, buffers) {
    land(app, message);
    if (buffers?.length) download(app, message.name ?? "replay", buffers[0]);
    say(app, message.path ? `Saved ${message.path}` : `Saved ${message.name}`);
  },
  window(app, message) {
    if (land(app, message) && app.overview) mergeOverview(app, parseExact(message.text));
  },
  entities(app, message) {
    if (land(app, message)) showEntities(app, message.found);
  },
  note(app, message) {
    // An answer that tells what went wrong ends the question that it answers.
    const flight = Object.values(app.flights).find(({ sent }) => sent && sent.request === message.request);
    if (flight) land(app, { kind: flight.sent.kind, request: message.request });
    stop(app, app.wishing);
    say(app, message.text, message.level);
  },
};

function download(app, name, buffer) {
  const link = h("a", { href: URL.createObjectURL(new Blob([buffer])), download: name });
  link.click();
  later(app, 10000, () => URL.revokeObjectURL(link.href));
}

function say(app, told, level = "info") {
  app.ui.status.dataset.level = level;
  app.ui.status.textContent = told;
}

/** Asks for what the state at a step needs and is not here. */
function wantStep(app, step, listed = false) {
  const { tape } = app;
  if (tape.model.complete || step < 1) return;
  const missing = listed ? !eventAt(tape, step) : stateAt(tape, step) === undefined;
  if (!missing) return;
  const chunk = Math.floor((step - 1) / tape.size);
  // What the list shows can wait for the step itself.
  if (!listed || !app.flights.chunk?.next) wantChunk(app, chunk);
}

function wantChunk(app, number, ahead = false) {
  const flight = app.flights.chunk;
  if (!app.alive || flight?.sent?.number === number || flight?.next?.number === number) return;
  if (ahead && flight?.next) return;
  ask(app, "chunk", { number, generation: app.tape.model.generation, ahead });
}

// ---------------------------------------------------------------------------------------------------------------------
// The dialog: help, code, and forms.

function openDialog(app, title, body, done) {
  const { dialog } = app.ui;
  app.dialogDone = done;
  app.dialogBack = app.root.getRootNode().activeElement;
  dialog.replaceChildren(
    h(
      "form",
      { method: "dialog", part: "dialog-form" },
      h(
        "div",
        { class: "es-panel-head" },
        h("h3", { id: `${app.uid}-title` }, title),
        h("span", { class: "es-spring" }),
        iconButton("close", "Close (Esc)", "close"),
      ),
      ...body,
      done
        ? h(
            "div",
            { class: "es-group es-end" },
            h("button", { act: "close" }, "Cancel"),
            h("button", { act: "done", part: "dialog-done", class: "es-play" }, "Save"),
          )
        : "",
    ),
  );
  dialog.setAttribute("aria-labelledby", `${app.uid}-title`);
  if (!dialog.open) dialog.showModal();
}

function closeDialog(app) {
  if (!app.ui.dialog.open) return false;
  app.ui.dialog.close();
  app.dialogBack?.focus?.({ preventScroll: true });
  return true;
}

const HELP = [
  ["Left, Right", "one event back, forward"],
  ["Shift+Left, Right", "ten events"],
  ["Home, End", "before the first, the last event"],
  ["Space", "play or pause"],
  ["[ ]", "slower, faster"],
  ["/", "search"],
  ["n N", "next, previous match"],
  ["f F", "next, previous change of the watched field"],
  ["e E", "next, previous failure"],
  ["t T", "next, previous event of the same type"],
  ["x", "switch this event off or on"],
  ["a b", "set mark A, B"],
  ["m", "bookmark this step"],
  ["d", "the next kind of diff"],
  ["?", "this help"],
  ["Esc", "close, pause, clear the search"],
  ["On the histogram: + − 0", "zoom in, out, all; arrows move the window, Shift resizes it"],
];

function showHelp(app) {
  openDialog(app, "Keyboard", [
    h("p", { class: "es-muted" }, "These keys work while something in this view has the focus."),
    h(
      "dl",
      { class: "es-facts" },
      HELP.flatMap(([keys, what]) => [h("dt", {}, h("kbd", {}, keys)), h("dd", {}, what)]),
    ),
    h(
      "p",
      { class: "es-muted" },
      "Hollow: switched off. Diamond: failure. Cross: the fold failed. Dashed ring: changed or added. Bar under a dot: recorded late.",
    ),
  ]);
}

function showCode(app, { python, sql }) {
  const block = (name, code) =>
    code &&
    h(
      "section",
      {},
      h(
        "div",
        { class: "es-panel-head" },
        h("h4", {}, name),
        h("span", { class: "es-spring" }),
        h("button", { act: "copy", arg: code, part: `copy-${name.toLowerCase()}` }, `Copy ${name}`),
      ),
      h("pre", { class: "es-code", tabIndex: 0, part: `code-${name.toLowerCase()}` }, code),
    );
  openDialog(
    app,
    "This view as code",
    [
      block("Python", python),
      block("SQL", sql),
      !python && !sql && h("p", {}, "There is no code with this page."),
    ].filter(Boolean),
  );
}

function askCode(app) {
  if (app.alive) return ask(app, "code");
  return showCode(app, app.source.code ?? {});
}

function copyText(app, value) {
  const done = () => say(app, "Copied.");
  const by = h("textarea", { class: "es-hidden", value });
  const fallback = () => {
    (app.ui.dialog.open ? app.ui.dialog : app.root).append(by);
    by.select();
    document.execCommand("copy");
    by.remove();
    done();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(value).then(done, fallback);
  else fallback();
}

const field = (label, control) => h("label", { class: "es-line" }, h("span", {}, label), control);
const problem = () => h("p", { class: "es-error", part: "dialog-problem", hidden: true, role: "alert" });

/** Reads the JSON of a form; tells what is wrong with it. */
function readPayload(area, trouble) {
  try {
    JSON.parse(area.value);
    return true;
  } catch (error) {
    trouble.hidden = false;
    trouble.textContent = `This is no JSON: ${error.message}`;
    return false;
  }
}

function editEvent(app) {
  const row = eventAt(app.tape, stepNow(app));
  if (!row) return say(app, "Go to an event first.");
  const source = app.full.get(row.id) ?? row.data;
  if (row.cut && !app.full.has(row.id)) return say(app, "Only a part of the payload is here: press 'load all' first.");
  const area = h("textarea", {
    rows: 14,
    part: "edit-payload",
    spellcheck: false,
    value: jsonText(parsedOr(source) ?? null, "\n"),
  });
  const trouble = problem();
  return openDialog(
    app,
    `Payload of event ${stepNow(app)}, ${app.tape.model.types[row.t]}`,
    [
      h("p", { class: "es-muted" }, "For this replay only; the log is not touched."),
      field("Payload (JSON)", area),
      trouble,
    ],
    () => {
      if (!readPayload(area, trouble)) return false;
      wish(app, { kind: "edit", id: row.id, data: area.value });
      return true;
    },
  );
}

function insertEvent(app) {
  const { tape } = app;
  const step = stepNow(app);
  const row = eventAt(tape, Math.max(1, step));
  const types = h(
    "datalist",
    { id: `${app.uid}-types` },
    tape.model.types.slice(0, 500).map((name) => h("option", { value: name })),
  );
  const type = h("input", {
    type: "text",
    part: "insert-type",
    value: row ? tape.model.types[row.t] : "",
    list: types.id,
  });
  type.setAttribute("list", types.id);
  const at = h("input", {
    type: "text",
    part: "insert-at",
    value: `${instantText(timeAt(tape, step) + 1, true).replace(" ", "T")}Z`,
  });
  const stream = h(
    "select",
    { part: "insert-stream" },
    tape.model.streams
      .slice(0, 500)
      .map((each, i) => h("option", { value: i, selected: i === row?.k }, each.join(" / "))),
  );
  const area = h("textarea", { rows: 8, part: "insert-payload", spellcheck: false, value: "{}" });
  const trouble = problem();
  openDialog(
    app,
    "Add an event",
    [
      h("p", { class: "es-muted" }, "For this replay only; the log is not touched."),
      types,
      field("Type", type),
      field("At (UTC)", at),
      field("Stream", stream),
      field("Payload (JSON)", area),
      trouble,
    ],
    () => {
      if (!readPayload(area, trouble)) return false;
      const [service, id] = tape.model.streams[stream.value];
      wish(app, { kind: "insert", type: type.value, at: at.value, data: area.value, service, stream: id });
      return true;
    },
  );
}

function renameBookmark(app, index) {
  const bookmarks = get(app, "bookmarks");
  const input = h("input", { type: "text", part: "bookmark-label", value: bookmarks[index].label });
  openDialog(app, "Rename bookmark", [field("Label", input)], () => {
    put(app, {
      bookmarks: bookmarks.map((each, i) =>
        i === index ? { ...each, label: input.value.trim() || each.label } : each,
      ),
    });
    return true;
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// What presses and keys do.

const toggled = (list, item) => (list.includes(item) ? list.filter((each) => each !== item) : [...list, item]);

function setMark(app, name) {
  const marks = get(app, "marks");
  const step = stepNow(app);
  put(app, { marks: { ...marks, [name]: marks[name] === step ? null : step } });
}

function toggleBookmark(app) {
  const step = stepNow(app);
  const bookmarks = get(app, "bookmarks");
  const without = bookmarks.filter((each) => each.step !== step);
  const label = step ? nameOf(app.tape, step) : "start";
  put(app, {
    bookmarks:
      without.length < bookmarks.length ? without : [...bookmarks, { step, label }].sort((a, b) => a.step - b.step),
  });
}

function toggleSkip(app, id) {
  const { tape } = app;
  if (!id) return say(app, "Go to an event first.");
  if (!tape.moves && !app.alive) return say(app, `This fold is Python: what-if ${NEEDS_KERNEL}.`);
  const skipped = toggled(get(app, "skipped"), id);
  put(app, { skipped });
  return say(app, `Event ${stepOf(tape, tape.rowOf.get(id))} is switched ${skipped.includes(id) ? "off" : "on"}.`);
}

function restoreAll(app) {
  put(app, { skipped: [] });
  if (
    app.alive &&
    [...app.tape.chunks.values()].some((chunk) => chunk.rows.some((row) => row.inserted || row.edited !== undefined))
  )
    wish(app, { kind: "undo", id: null });
  say(app, "All put back: no what-if.");
}

function changeSpeed(app, direction) {
  const speed = get(app, "speed");
  const next = direction > 0 ? SPEEDS.find((each) => each > speed) : SPEEDS.findLast((each) => each < speed);
  if (next) put(app, { speed: next });
  say(app, `${next ?? speed} events per second`);
}

function showMenu(app, open) {
  const { menu, root } = { menu: app.ui.menu, root: app.root };
  menu.hidden = !open;
  root.querySelector("[data-part=export]").setAttribute("aria-expanded", String(open));
  if (open) menu.querySelector("button:not(:disabled)")?.focus();
}

const ACTIONS = {
  first: (app) => goTo(app, 0),
  back: (app) => moveBy(app, -1),
  play: togglePlay,
  forward: (app) => moveBy(app, 1),
  last: (app) => goTo(app, app.tape.n),
  step: (app, step) => goTo(app, Number(step)),
  mark: setMark,
  bookmark: toggleBookmark,
  unbookmark: (app, index) => put(app, { bookmarks: get(app, "bookmarks").filter((_, i) => i !== Number(index)) }),
  rename: (app, index) => renameBookmark(app, Number(index)),
  skip: toggleSkip,
  restore: restoreAll,
  all: (app) => setWindow(app, []),
  match: (app, direction) => jumpMatch(app, Number(direction)),
  "jump-field": (app, direction) => jumpField(app, Number(direction)),
  "jump-type": (app, direction) => app.ui.typeJump.value && jump(app, "type", app.ui.typeJump.value, Number(direction)),
  "jump-failure": (app, direction) => jump(app, "failure", null, Number(direction)),
  goto: (app) => goToWritten(app, app.ui.goto.value),
  diff: (app, kind) => put(app, { diff: kind }),
  watch: (app, path) => put(app, { field: get(app, "field") === path ? "" : path }),
  pin: (app, path) => put(app, { pinned: toggled(get(app, "pinned"), path) }),
  "copy-path": copyText,
  copy: copyText,
  open: (app, key, control) => {
    app.open.set(key, control.getAttribute("aria-expanded") !== "true");
    showPanels(app);
  },
  "open-text": (app, key) => {
    app.open.set(key, !app.open.get(key));
    showPanels(app);
  },
  more: (app, key) => {
    app.more.set(key, (app.more.get(key) ?? (key === "diff" ? 200 : 100)) + 400);
    showPanels(app);
  },
  keys: (app) => {
    app.allKeys = !app.allKeys;
    redo(app, "chrome");
  },
  "hide-type": (app, name) => put(app, { hidden_types: toggled(get(app, "hidden_types"), name) }),
  "hide-service": (app, name) => put(app, { hidden_services: toggled(get(app, "hidden_services"), name) }),
  load: (app, id) => ask(app, "payload", { id }),
  code: askCode,
  menu: (app) => showMenu(app, app.ui.menu.hidden),
  export: (app, what) => {
    showMenu(app, false);
    say(app, "Exporting…");
    ask(app, "export", { what });
  },
  refresh: (app) => wish(app, { kind: "refresh" }),
  edit: editEvent,
  insert: insertEvent,
  undo: (app) => wish(app, { kind: "undo", id: null }),
  help: showHelp,
  close: closeDialog,
  done: (app) => app.dialogDone?.() && closeDialog(app),
  leave: (app) => wish(app, { kind: "back" }),
  entity: (app, index) => openEntity(app, app.found[Number(index)]),
};

/** What each key does; with Shift where the capital letter says so. */
const KEYS = {
  ArrowLeft: (app, event) => moveBy(app, event.shiftKey ? -10 : -1),
  ArrowRight: (app, event) => moveBy(app, event.shiftKey ? 10 : 1),
  Home: ACTIONS.first,
  End: ACTIONS.last,
  " ": togglePlay,
  "[": (app) => changeSpeed(app, -1),
  "]": (app) => changeSpeed(app, 1),
  "/": (app) => app.ui.search.focus(),
  n: (app) => jumpMatch(app, 1),
  N: (app) => jumpMatch(app, -1),
  d: (app) => put(app, { diff: { step: "marks", marks: "what-if", "what-if": "step" }[get(app, "diff")] }),
  x: (app) => toggleSkip(app, eventAt(app.tape, stepNow(app))?.id),
  a: (app) => setMark(app, "A"),
  b: (app) => setMark(app, "B"),
  m: toggleBookmark,
  f: (app) => jumpField(app, 1),
  F: (app) => jumpField(app, -1),
  e: (app) => jump(app, "failure", null, 1),
  E: (app) => jump(app, "failure", null, -1),
  t: (app) => stepNow(app) && jump(app, "type", nameOf(app.tape, stepNow(app)), 1),
  T: (app) => stepNow(app) && jump(app, "type", nameOf(app.tape, stepNow(app)), -1),
  "?": showHelp,
};
const SCROLLING = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Enter", "Tab"]);
const TYPING = "input:not([type=range]):not([type=checkbox]), textarea, select";

/**
 * Handles a key while the focus is inside. JupyterLab listens on the document and swallows arrows in command mode:
 * what is ours must not get there. Keys that are not ours go their way.
 */
function onKey(app, event) {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (app.ui.dialog.open || target.closest(TYPING)) {
    event.stopPropagation();
    if (!app.ui.dialog.open && key === "Escape") leaveField(app, event);
    if (!app.ui.dialog.open && key === "Enter") enterField(app, event);
    return;
  }
  if (key === "Escape") {
    if (escape(app)) event.stopPropagation();
    return;
  }
  if (SCROLLING.has(key) && key !== "Tab") return void event.stopPropagation();
  const pressed = key === " " && target.closest("button, summary, [type=checkbox]");
  if (pressed || !KEYS[key] || !app.tape || app.overview) return pressed ? void event.stopPropagation() : undefined;
  event.preventDefault();
  event.stopPropagation();
  KEYS[key](app, event);
  return undefined;
}

function leaveField(app, event) {
  event.preventDefault();
  if (event.target === app.ui.search) put(app, { search: (event.target.value = "") });
  app.ui.stage.focus({ preventScroll: true });
}

function enterField(app, event) {
  const { ui } = app;
  if (event.target === ui.goto) ACTIONS.goto(app);
  else if (event.target === ui.search) {
    put(app, { search: ui.search.value });
    makeMatches(app);
    jumpMatch(app, event.shiftKey ? -1 : 1);
  } else if (event.target === ui.entitySearch && app.found[0]) openEntity(app, app.found[0]);
  else return;
  event.preventDefault();
}

/** Closes or stops what is open or running; false where there is nothing. */
function escape(app) {
  if (!app.ui.menu.hidden) showMenu(app, false);
  else if (get(app, "playing")) put(app, { playing: false });
  else if (get(app, "search")) put(app, { search: "" });
  else return false;
  return true;
}

function onClick(app, event) {
  const control = event.target.closest("[data-act]");
  if (!app.ui.menu.hidden && !event.target.closest(".es-anchor")) showMenu(app, false);
  if (control && !control.disabled) return void ACTIONS[control.dataset.act](app, control.dataset.arg, control);
  // A press on a row goes there; with Ctrl or Shift it picks.
  const row = event.target.closest("tr[data-step]");
  if (!row || event.target.closest("input")) return undefined;
  const step = Number(row.dataset.step);
  if (event.ctrlKey || event.metaKey || event.shiftKey) return pickRows(app, step, event.shiftKey);
  return goTo(app, step);
}

/** Adds an event to the selection, or all from the last one picked. */
function pickRows(app, step, range) {
  const from = range && app.picked ? app.picked : step;
  app.picked = step;
  const steps = [];
  for (let i = Math.min(from, step); i <= Math.max(from, step); i += 1)
    if (!app.list || app.list.includes(i)) steps.push(i);
  const ids = steps.map((each) => eventAt(app.tape, each)?.id).filter(Boolean);
  const selection = get(app, "selection");
  put(app, { selection: range ? [...new Set([...selection, ...ids])] : ids.reduce(toggled, selection) });
}

function onChange(app, event) {
  const { target } = event;
  const { ui } = app;
  if (target.dataset.trait) {
    const name = target.dataset.trait;
    put(app, {
      [name]: target.type === "checkbox" ? target.checked : name === "speed" ? Number(target.value) : target.value,
    });
  } else if (target.dataset.pick) put(app, { selection: toggled(get(app, "selection"), target.dataset.pick) });
  else if (target.dataset.switch) toggleSkip(app, target.dataset.switch);
  else if (target === ui.fieldJump) put(app, { field: target.value });
  else if ([ui.typeFilter, ui.serviceFilter, ui.onlyMatches].includes(target)) {
    app.filter = { type: ui.typeFilter.value, service: ui.serviceFilter.value, matches: ui.onlyMatches.checked };
    app.followed = -1;
    redo(app, "list");
  }
}

function onInput(app, event) {
  const { target } = event;
  const { ui } = app;
  if (target === ui.slider) {
    const { by } = target.dataset;
    const value = Number(target.value);
    return goTo(app, by === "time" ? stepOn(app, value / 10000) : value);
  }
  if (target === ui.stateSearch) {
    app.needle = target.value.trim().toLowerCase();
    return showPanels(app);
  }
  if (target === ui.search || target === ui.entitySearch) {
    stop(app, app.typing);
    app.typing = later(app, 150, () =>
      target === ui.search ? put(app, { search: ui.search.value }) : findEntities(app),
    );
  }
  return undefined;
}

// ---------------------------------------------------------------------------------------------------------------------
// All entities: how many events when, single events as dots, and one to be picked.

const DOTS_HEIGHT = 320;

function buildOverview(app) {
  const { ui } = app;
  ui.allTitle = h("h2", { class: "es-title", part: "all-title" });
  ui.allDensity = h("canvas", { role: "img", "aria-label": "Events over time" });
  ui.allBrush = h(
    "div",
    {
      class: "es-density",
      part: "all-density",
      tabIndex: 0,
      role: "group",
      "aria-label": "Window of time: drag to choose; plus and minus zoom, arrows move, 0 shows all",
    },
    ui.allDensity,
  );
  ui.dots = h("canvas", { role: "img", part: "dots", "aria-label": "Events by entity" });
  ui.dotsHost = h("div", { class: "es-lanes es-pointing", part: "dots-host" }, ui.dots);
  ui.allSummary = h("p", { class: "es-summary", part: "all-summary" });
  ui.allLegend = h("div", { class: "es-legend", part: "all-legend" });
  ui.entitySearch = h("input", {
    type: "search",
    part: "entity-search",
    label: "Find an entity; Enter replays the first",
    placeholder: "find an entity",
    spellcheck: false,
  });
  ui.entityList = h("ul", { class: "es-entities", part: "entities" });
  ui.all = h(
    "div",
    { class: "es-all", part: "all", hidden: true },
    h(
      "header",
      { class: "es-head" },
      ui.allTitle,
      h("span", { class: "es-spring" }),
      app.alive && h("button", { act: "refresh" }, "Refresh"),
    ),
    ui.allSummary,
    h(
      "div",
      { class: "es-two" },
      h("section", { class: "es-time", "aria-label": "Time" }, ui.allBrush, ui.dotsHost, ui.allLegend),
      h(
        "section",
        { class: "es-panel", "aria-label": "Entities" },
        h("div", { class: "es-panel-head" }, h("h3", {}, "Replay one"), ui.entitySearch),
        h(
          "div",
          { class: "es-scroll", tabIndex: 0, role: "group", "aria-label": "Entities, scrollable" },
          ui.entityList,
        ),
      ),
    ),
  );
}

function readOverview(app, source) {
  const all = parseExact(source);
  const totals = new Map();
  for (const [, type, n] of all.types) totals.set(type, (totals.get(type) ?? 0) + n);
  const names = [...totals].sort((a, b) => b[1] - a[1]);
  app.overview = { ...all, base: all.density, names, code: new Map(names.map(([name], i) => [name, i])) };
  app.cameFromAll = true;
}

function askWindow(app) {
  const [start, end] = get(app, "window").length ? get(app, "window") : app.overview.span.map(Number);
  if (app.alive) ask(app, "window", { start, end });
}

function mergeOverview(app, found) {
  Object.assign(app.overview, {
    dots: found.dots ?? app.overview.dots,
    density: found.density ?? app.overview.density,
  });
  if (!get(app, "window").length && found.density) app.overview.base = found.density;
  redo(app, "layout");
}

function drawOverview(app) {
  const { ui, overview } = app;
  const width = ui.allBrush.clientWidth;
  if (!width) return;
  const gutter = width < 560 ? 56 : 124;
  app.ratio = window.devicePixelRatio || 1;
  app.plot = { x: gutter, width: width - gutter - 12, full: width, height: DOTS_HEIGHT, lane: 0 };
  const [start, end] = overview.span.map(Number);
  overview.axis = makeAxis(start, Math.max(end, start + 1));
  sizeCanvas(app, ui.allDensity, width, HISTOGRAM_HEIGHT);
  sizeCanvas(app, ui.dots, width, DOTS_HEIGHT);
  drawAllDensity(app);
  drawDots(app);
  showOverviewText(app);
  tell(app, "es-paint");
}

const hueOf = (app, name) => (app.overview.code.has(name) ? hue(app, app.overview.code.get(name)) : app.colour.muted);

function drawAllDensity(app) {
  const { ui, plot, overview } = app;
  const { base, axis } = overview;
  const g = scaled(app, ui.allDensity);
  g.clearRect(0, 0, plot.full, HISTOGRAM_HEIGHT);
  const bars = Math.max(1, Math.floor(plot.width / BAR));
  const bins = base.counts[0]?.length ?? 0;
  const width = (Number(base.end) - Number(base.start)) / Math.max(1, bins);
  const counts = base.counts.map((all) => {
    const summed = new Float64Array(bars);
    all.forEach(
      (count, bin) =>
        (summed[clamp(Math.floor(toPlace(axis, Number(base.start) + (bin + 0.5) * width) * bars), 0, bars - 1)] +=
          count),
    );
    return summed;
  });
  drawHistogram(
    app,
    g,
    counts,
    base.names.map((name) => hueOf(app, name)),
    { x: plot.x, width: plot.width, height: HISTOGRAM_HEIGHT },
  );
  const band = app.brushing ?? windowPlaces(app, axis, get(app, "window"));
  if (band) paintBand(app, g, band, HISTOGRAM_HEIGHT);
}

function drawDots(app) {
  const { ui, plot, overview, colour } = app;
  const { dots } = overview;
  const window = get(app, "window");
  const [start, end] = (window.length ? window : overview.span).map(Number);
  app.axis = makeAxis(start, Math.max(end, start + 1));
  const g = scaled(app, ui.dots);
  g.clearRect(0, 0, plot.full, DOTS_HEIGHT);
  const bottom = DOTS_HEIGHT - AXIS_HEIGHT;
  const row = (bottom - 8) / Math.max(1, dots.entities.length);
  const radius = clamp(row * 0.4, 1.3, 4);
  overview.points = { x: new Float32Array(dots.at.length), y: new Float32Array(dots.at.length) };
  g.font = `11px ${app.font}`;
  g.textBaseline = "middle";
  g.textAlign = "right";
  g.fillStyle = colour.muted;
  if (row >= 12)
    dots.entities.forEach(([, stream], i) =>
      g.fillText(fitted(g, stream, plot.x - 14), plot.x - 8, 4 + (i + 0.5) * row),
    );
  else
    g.fillText(
      fitted(g, many(dots.entities.length, "entity").replace("entitys", "entities"), plot.x - 10),
      plot.x - 8,
      12,
    );
  const hidden = app.hiddenTypes;
  for (let i = 0; i < dots.at.length; i += 1) {
    const name = dots.types[dots.type[i]];
    overview.points.x[i] = plot.x + toPlace(app.axis, Number(dots.at[i])) * plot.width;
    overview.points.y[i] = hidden.has(name) ? -99 : 4 + (dots.entity[i] + 0.5) * row;
    if (hidden.has(name)) continue;
    g.fillStyle = hueOf(app, name);
    g.globalAlpha = radius < 2 ? 0.65 : 0.9;
    if (radius > 2) {
      trace(g, "circle", overview.points.x[i], overview.points.y[i], radius);
      g.fill();
    } else g.fillRect(overview.points.x[i] - radius, overview.points.y[i] - radius, radius * 2, radius * 2);
  }
  g.globalAlpha = 1;
  g.fillStyle = colour.line;
  g.fillRect(plot.x, bottom, plot.width, 1);
  drawTicks(app, g, bottom);
  ui.dots.setAttribute(
    "aria-label",
    `${many(dots.at.length, "event")} of ${countText(dots.entities.length)} entities over time, by type`,
  );
}

function showOverviewText(app) {
  const { ui, overview } = app;
  const [start, end] = overview.span.map(Number);
  const window = get(app, "window");
  refill(ui.allTitle, text(overview.title || "All entities"));
  refill(
    ui.allSummary,
    h(
      "span",
      {},
      [many(overview.events, "event"), overview.events ? `${instantText(start)} – ${instantText(end)} UTC` : ""]
        .filter(Boolean)
        .join(" · "),
    ),
    [overview.density.note, overview.dots.note]
      .filter(Boolean)
      .map((note) => h("span", { class: "es-note", part: "note" }, note)),
    window.length
      ? h(
          "button",
          { act: "all", part: "window-all" },
          `Window ${instantText(window[0])} – ${instantText(window[1])}: show all`,
        )
      : "",
  );
  refill(
    ui.allLegend,
    overview.names
      .slice(0, app.allKeys ? 400 : MOST_LEGEND)
      .map(([name, n], i) =>
        h(
          "button",
          { act: "hide-type", arg: name, class: "es-key", "aria-pressed": String(!app.hiddenTypes.has(name)) },
          h("i", { class: "es-square", style: `background:var(--es-c${i % HUES})` }),
          text(name),
          h("span", { class: "es-muted" }, countText(n)),
        ),
      ),
    overview.names.length > MOST_LEGEND &&
      h(
        "button",
        { act: "keys", class: "es-key" },
        app.allKeys ? "fewer types" : many(overview.names.length - MOST_LEGEND, "more type"),
      ),
  );
  if (!app.found) findEntities(app);
}

function findEntities(app) {
  const wanted = app.ui.entitySearch.value.trim();
  if (app.alive && wanted) return ask(app, "entities", { text: wanted });
  const { dots } = app.overview;
  const counts = new Float64Array(dots.entities.length);
  for (const entity of dots.entity) counts[entity] += 1;
  const found = dots.entities.map(([service, stream], i) => [service, stream, counts[i]]);
  return showEntities(
    app,
    found.filter(([, stream]) => stream.toLowerCase().includes(wanted.toLowerCase())).slice(0, 50),
  );
}

function showEntities(app, found) {
  app.found = found;
  refill(
    app.ui.entityList,
    found.length
      ? found.map(([service, stream, n], i) =>
          h(
            "li",
            {},
            kernelButton(
              app,
              { act: "entity", arg: i, class: "es-entity", title: `Replay ${stream}: ${many(n, "event")}` },
              text(stream),
              " ",
              h("span", { class: "es-muted" }, text(service), ` ${countText(n)}`),
            ),
          ),
        )
      : h("li", { class: "es-muted" }, "No such entity."),
  );
}

function openEntity(app, entity) {
  if (!entity) return;
  say(app, `Opening ${entity[1]}…`);
  wish(app, { kind: "open", service: entity[0], stream: entity[1] });
}

function dotUnder(app, event) {
  const points = app.overview?.points;
  if (!points) return -1;
  const box = app.ui.dots.getBoundingClientRect();
  const [px, py] = [event.clientX - box.left, event.clientY - box.top];
  let [best, nearest] = [-1, 64];
  for (let i = 0; i < points.x.length; i += 1) {
    const far = (points.x[i] - px) ** 2 + (points.y[i] - py) ** 2;
    if (far < nearest) [best, nearest] = [i, far];
  }
  return best;
}

function watchDots(app) {
  const { dotsHost } = app.ui;
  app.on(dotsHost, "pointermove", (event) => {
    const at = dotUnder(app, event);
    const { dots } = app.overview ?? {};
    showTip(
      app,
      dotsHost,
      event,
      at < 0
        ? ""
        : `${dots.entities[dots.entity[at]].join(" / ")}\n${dots.types[dots.type[at]]}\n${instantText(dots.at[at])}`,
    );
  });
  app.on(dotsHost, "pointerleave", () => showTip(app, dotsHost, null, ""));
  app.on(dotsHost, "click", (event) => {
    const at = dotUnder(app, event);
    if (at >= 0) openEntity(app, app.overview.dots.entities[app.overview.dots.entity[at]]);
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Putting it together, and taking it apart.

let made = 0;

/** Reads the model or the overview that the source holds now. */
function load(app) {
  const { ui } = app;
  stop(app, app.wishing);
  const [model, overview] = [app.source.get("model"), app.source.get("overview")];
  app.tape = null;
  app.overview = null;
  app.rowsVersion += 1;
  app.counts = app.payload = app.player = null;
  app.found = null;
  app.followed = -1;
  app.full.clear();
  if (overview && !model) readOverview(app, overview);
  else if (model) {
    app.cameFromAll ||= Boolean(overview);
    app.tape = readTape(model);
    skipEvents(app.tape, get(app, "skipped"));
    makeMatches(app);
    fillChoices(app);
    makeList(app);
  }
  ui.replay.hidden = !app.tape;
  ui.all.hidden = !app.overview;
  ui.empty.hidden = Boolean(app.tape || app.overview);
  redo(app, "theme", "layout", "list", "chrome");
}

function hide(app) {
  app.hiddenTypes = new Set(get(app, "hidden_types"));
  app.hiddenServices = new Set(get(app, "hidden_services"));
}

function onTrait(app, name) {
  if (["skipped", "selection", "search", "clock"].includes(name)) app.rowsVersion += 1;
  if (name === "skipped" && app.tape) skipEvents(app.tape, get(app, "skipped"));
  if (name === "hidden_types" || name === "hidden_services") hide(app);
  if (name === "playing") startPlay(app);
  if (name === "search") makeMatches(app);
  if (name === "field" && app.tape) fillFields(app);
  if (name === "window" && app.overview) askWindow(app);
  if (["speed", "pace", "loop", "marks", "window", "fold_gaps", "playing"].includes(name)) app.player = null;
  if (name === "lanes" || name === "clock") app.counts = null;
  redo(app, ...(app.overview ? ["layout"] : []), ...(EFFECTS[name] ?? []));
}

/** Watches traits, messages, sizes and themes. */
function connect(app) {
  const { source, root } = app;
  const heard = [];
  const hear = (name, task) => {
    source.on(name, task);
    heard.push([name, task]);
  };
  for (const name of Object.keys(TRAITS)) hear(`change:${name}`, () => onTrait(app, name));
  hear("change:model", () => load(app));
  hear("change:overview", () => load(app));
  hear("msg:custom", (message, buffers) => ANSWERS[message?.kind]?.(app, message, buffers));
  app.on(root, "click", (event) => onClick(app, event));
  app.on(root, "change", (event) => onChange(app, event));
  app.on(root, "input", (event) => onInput(app, event));
  app.on(root, "keydown", (event) => onKey(app, event));
  app.on(root, "submit", (event) => event.preventDefault());
  app.on(root, "toggle", (event) => event.target.matches?.(".es-envelope") && (app.envelope = event.target.open), true);
  app.on(app.ui.tableHost, "scroll", () => {
    app.scrolled ||= requestAnimationFrame(() => {
      app.scrolled = 0;
      showRows(app, false);
    });
  });
  watchFocus(app);
  watchLanes(app);
  watchDots(app);
  watchBrush(app, app.ui.densityHost, app.ui.density);
  watchBrush(app, app.ui.allBrush, app.ui.allDensity);
  const sizes = new ResizeObserver(() => redo(app, "layout"));
  sizes.observe(app.ui.stage);
  sizes.observe(app.ui.allBrush);
  const themes = new MutationObserver(() => themeChanged(app));
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  app.on(window.matchMedia("(prefers-color-scheme: dark)"), "change", () => themeChanged(app));
  return () => {
    for (const [name, task] of heard) source.off(name, task);
    sizes.disconnect();
    themes.disconnect();
  };
}

/** Shows a source in an element; returns what takes it away again. */
export function mount(el, source) {
  const control = new AbortController();
  made += 1;
  const app = {
    el,
    source,
    alive: source.alive !== false,
    uid: `es-${made}`,
    ui: {},
    timers: new Set(),
    dirty: new Set(),
    flights: {},
    requests: 0,
    filter: { type: "", service: "", matches: false },
    open: new Map(),
    more: new Map(),
    full: new Map(),
    needle: "",
    frame: 0,
    playing: 0,
    rowsVersion: 0,
    calm: window.matchMedia("(prefers-reduced-motion: reduce)"),
    on: (target, name, task, capture = false) =>
      target.addEventListener(name, task, { signal: control.signal, capture }),
  };
  const { ui } = app;
  hide(app);
  buildReplay(app);
  buildOverview(app);
  ui.empty = h("p", { class: "es-muted", part: "empty" }, "Nothing to replay yet.");
  ui.status = h("p", { class: "es-status", part: "status", role: "status" });
  ui.live = h("p", { class: "es-hidden", part: "live", "aria-live": "polite" });
  ui.dialog = h("dialog", { class: "es-dialog", part: "dialog" });
  app.root = h(
    "div",
    { class: "es-replay", part: "replay", "data-home": "true", tabIndex: -1 },
    ui.replay,
    ui.all,
    ui.empty,
    ui.status,
    ui.live,
    ui.dialog,
  );
  el.append(app.root);
  el.esReplay = probe(app);
  const disconnect = connect(app);
  load(app);
  if (app.alive) post(app, { kind: "hello" });
  return () => {
    control.abort();
    disconnect();
    if (app.saving) save(app);
    for (const timer of app.timers) clearTimeout(timer);
    for (const request of [app.frame, app.playing, app.scrolled]) cancelAnimationFrame(request);
    app.root.remove();
    delete el.esReplay;
  };
}

/** What tests look at. */
function probe(app) {
  return {
    state: (step = stepNow(app)) => plain(stateAt(app.tape, step)),
    real: (step = stepNow(app)) => plain(stateAt(app.tape, step, true)),
    diff: (kind = get(app, "diff")) => {
      const found = diffOf(app, kind);
      return typeof found === "string"
        ? found
        : plain(
            found.map((change) => ({
              path: pathText(change.path),
              kind: change.kind,
              sign: SIGNS[change.kind],
              old: change.old,
              now: change.now,
              delta: deltaOf(change),
              by: change.by,
            })),
          );
    },
    get step() {
      return stepNow(app);
    },
    goto: (step) => goTo(app, step),
    set: (changes) => put(app, changes),
    order: () => Array.from({ length: app.tape.n }, (_, i) => eventAt(app.tape, i + 1)?.id ?? null),
  };
}

/** Makes a source of values that nobody else changes: for a page without a kernel. */
export function plainSource(values, code = {}) {
  const held = { ...values };
  const listeners = new Map();
  return {
    alive: false,
    code,
    get: (name) => held[name],
    set(name, value) {
      if (JSON.stringify(held[name]) === JSON.stringify(value)) return;
      held[name] = value;
      for (const task of [...(listeners.get(`change:${name}`) ?? [])]) task();
    },
    save_changes() {},
    send() {},
    on: (name, task) => listeners.set(name, new Set(listeners.get(name)).add(task)),
    off: (name, task) => listeners.get(name)?.delete(task),
  };
}

export default {
  render({ model, el }) {
    return mount(el, model);
  },
};
