// Putting it together, and taking it apart.

let made = 0;

/** Reads the model or the overview that the source holds now: what was asked about the one before is asked no more. */
function load(app) {
  const { ui } = app;
  app.tapeVersion += 1;
  cancelFlights(app);
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
  moveTools(app);
  endWish(app);
  if (app.overview) askWindow(app);
  redo(app, "theme", "layout", "list", "chrome");
}

/** Switches events off in the tape; an answer that is under way is about the tape as it was. */
function skip(app) {
  const before = app.tape.version;
  skipEvents(app.tape, get(app, "skipped"));
  if (app.tape.version !== before) app.tapeVersion += 1;
}

function hide(app) {
  app.hiddenTypes = new Set(get(app, "hidden_types"));
  app.hiddenServices = new Set(get(app, "hidden_services"));
}

function onTrait(app, name) {
  if (["skipped", "selection", "search", "clock", "colour"].includes(name)) app.rowsVersion += 1;
  if (name === "skipped" && app.tape) skip(app);
  if (name === "hidden_types" || name === "hidden_services") hide(app);
  if (name === "playing") startPlay(app);
  if (name === "search") makeMatches(app);
  if (name === "field" && app.tape) fillFields(app);
  if (["window", "hidden_types", "hidden_services"].includes(name) && app.overview) askWindow(app);
  if (["speed", "pace", "loop", "marks", "window", "fold_gaps", "playing"].includes(name)) app.player = null;
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
  hear("msg:custom", (message) => own(ANSWERS, message?.kind)?.(app, message));
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

const randomName = () => crypto.getRandomValues(new Uint32Array(2)).join("-");

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
    prefix: randomName(),
    requests: 0,
    tapeVersion: 0,
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

/** What tests and benchmarks look at, and nothing else: `element.esReplay` is no interface. */
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
    lanes: () => app.lanes.names,
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
