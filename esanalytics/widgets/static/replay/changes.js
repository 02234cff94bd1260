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
    const differs = (key) =>
      own(values, key) !== own(after, key) && !same(listed(own(values, key)), listed(own(after, key)));
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
