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
const many = (n, word, words = `${word}s`) => `${countText(n)} ${n === 1 ? word : words}`;
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

/** Returns what an object has itself: a field may be called `constructor`. */
const own = (value, name) =>
  value !== null && value !== undefined && Object.hasOwn(value, name) ? value[name] : undefined;

const atPath = (value, parts) =>
  parts.reduce(
    (found, part) =>
      found === null || typeof found !== "object" || found instanceof Exact ? undefined : own(found, part),
    value,
  );
