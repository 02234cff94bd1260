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
    return ask(app, "find", { what, value: asked, from, direction }, { told });
  }
  const found = findHere(app, what, value, from, direction);
  if (found !== null && found !== undefined) {
    say(app, what === "instant" && found === 0 ? BEFORE_FIRST : "");
    return goTo(app, found);
  }
  return say(app, noneFound(told, { what, direction }, everything ? "" : " among the events in this page"));
}

const BEFORE_FIRST = "That is before the first event.";

function noneFound(told, { what, direction }, where = "") {
  const side = what === "id" || what === "instant" ? "" : direction > 0 ? " after this" : " before this";
  return `No ${told}${side}${where}.`;
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
    const finer = /\.\d{3}(\d{1,3})/.exec(iso)?.[1]?.padEnd(3, "0") ?? "0";
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
