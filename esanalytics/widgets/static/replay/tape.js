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
  for (const row of rows) {
    const key = keyOf(row);
    if (groups.has(key)) groups.get(key).push(row);
    else groups.set(key, [row]);
  }
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
