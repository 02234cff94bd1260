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
  if (!row) wantStep(app, step, true);
  const classes = [
    "es-row",
    step === current && "es-current",
    row && tape.skipped.has(row.id) && "es-off",
    hits.has(step) && "es-hit",
    row?.error !== undefined && "es-failed",
    row && selected.has(row.id) && "es-picked",
  ];
  return h(
    "tr",
    {
      class: classes.filter(Boolean).join(" "),
      "data-step": step,
      "aria-rowindex": index + 2,
      "aria-current": step === current ? "step" : undefined,
    },
    rowControls(app, step, row, selected),
    rowTexts(app, step, row),
  );
}

/** Makes the cells by which an event is picked, switched and gone to. */
function rowControls(app, step, row, selected) {
  const { tape, alive } = app;
  const pickBox = h("input", {
    type: "checkbox",
    label: `Select event ${step}`,
    disabled: !row,
    checked: Boolean(row && selected.has(row.id)),
    "data-pick": row?.id,
    "data-key": `pick ${step}`,
  });
  const onOff = h("input", {
    type: "checkbox",
    class: "es-switch",
    role: "switch",
    label: `Event ${step} counts`,
    disabled: !(row && (tape.moves || alive)),
    checked: !(row && tape.skipped.has(row.id)),
    "data-switch": row?.id,
    "data-key": `switch ${step}`,
  });
  const number = h(
    "button",
    { class: "es-link", act: "step", arg: step, label: `Go to step ${step}` },
    countText(step),
  );
  return [
    h("td", { class: "es-c-tick" }, pickBox),
    h("td", { class: "es-c-tick" }, onOff),
    h("td", { class: "es-c-step" }, number),
  ];
}

function rowTexts(app, step, row) {
  const { tape } = app;
  const { services, streams } = tape.model;
  const number = numberAt(tape, step);
  const type = typeAt(tape, step);
  const notes = [
    row?.error !== undefined && "fold failed",
    row?.inserted && "added",
    row?.edited !== undefined && !row.inserted && "changed",
    lateRows(tape)[number] && "late",
  ].filter(Boolean);
  return [
    h("td", { class: "es-c-time" }, instantText(timeAt(tape, step), true)),
    h(
      "td",
      { class: "es-c-type" },
      type === undefined ? "…" : swatch(app, type, codeOf(app, number)),
      text(nameOf(tape, step)),
      notes.map((note) => h("span", { class: "es-tag" }, note)),
    ),
    h("td", { class: "es-c-service" }, text(services[row?.s ?? tape.service?.[number]] ?? "")),
    h("td", { class: "es-c-stream" }, text(row ? streams[row.k].at(-1) : "")),
    h(
      "td",
      { class: "es-c-data", title: row ? clipped(row.data, 500) : undefined },
      row ? text(clipped(row.data, 160)) : "not here yet",
    ),
  ];
}
