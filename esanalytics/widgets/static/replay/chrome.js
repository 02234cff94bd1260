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
