// Traits: what is chosen lives in the source, so that Python, other views and this page always agree.

const TRAITS = {
  step: 0,
  skipped: [],
  marks: {},
  bookmarks: [],
  window: [],
  slider: "event",
  clock: "effective_at",
  lanes: "type",
  lane_order: "first",
  colour: "type",
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
  lane_order: ["layout"],
  colour: ["bitmaps", "list", "panels"],
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

/**
 * Sets traits and saves them as soon as this task is done, not later: until it is saved, the echo of what was saved
 * before would undo what was just set. A fast play floods nobody, for a model sends the newest only when the kernel has
 * taken the last.
 */
function put(app, changes) {
  for (const [name, value] of Object.entries(changes)) app.source.set(name, value);
  if (app.saving) return;
  app.saving = true;
  queueMicrotask(() => app.saving && save(app));
}

function save(app) {
  app.saving = false;
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
  const [start, way] = [stepNow(app), Math.sign(by)];
  let reached = start;
  for (let left = Math.abs(by); left > 0; left -= 1) {
    let step = reached + way;
    while (step > 0 && step <= tape.n && !visible(app, step)) step += way;
    if (step < 0 || step > tape.n) break;
    reached = step;
  }
  if (reached === start && by > 0 && start < tape.n)
    say(app, "All later events are hidden: press their types to show them.");
  goTo(app, reached);
}

function visible(app, step) {
  const { tape, hiddenTypes, hiddenServices } = app;
  if (!hiddenTypes.size && !hiddenServices.size) return true;
  const number = numberAt(tape, step);
  const service = tape.service?.[number] ?? rowAt(tape, number)?.s;
  return !hiddenTypes.has(tape.model.types[typeAt(tape, step)]) && !hiddenServices.has(tape.model.services[service]);
}
