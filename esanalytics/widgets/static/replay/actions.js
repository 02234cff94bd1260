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

/** Switches all on; what was changed or added, some of which may not be here, is put back by the kernel. */
function restoreAll(app) {
  const { chunks, model } = app.tape;
  put(app, { skipped: [] });
  say(app, "All put back: no what-if.");
  const edited = ({ rows }) => rows.some((row) => row.inserted || row.edited !== undefined);
  if (app.alive && (!model.complete || [...chunks.values()].some(edited))) wish(app, { kind: "undo", what: "all" });
}

function changeSpeed(app, direction) {
  const speed = get(app, "speed");
  const next = direction > 0 ? SPEEDS.find((each) => each > speed) : SPEEDS.findLast((each) => each < speed);
  if (next) put(app, { speed: next });
  say(app, `${next ?? speed} events per second`);
}

function showMenu(app, open) {
  const { root } = app;
  const { menu } = app.ui;
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
  undo: (app) => wish(app, { kind: "undo", what: "last" }),
  "undo-one": (app, id) => wish(app, { kind: "undo", what: "one", id }),
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
const KEYS_OF_ALL = { "/": (app) => app.ui.entitySearch.focus(), "?": showHelp };
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
  const act = app.overview ? KEYS_OF_ALL[key] : app.tape && KEYS[key];
  if (pressed || !act) return pressed ? void event.stopPropagation() : undefined;
  event.preventDefault();
  event.stopPropagation();
  act(app, event);
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
