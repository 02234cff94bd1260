// What does not change with every step: names, choices, legend, bookmarks.

function showChrome(app) {
  showTitle(app);
  showSummary(app);
  showChosen(app);
  showPlaying(app);
  showMarks(app);
  showBadge(app);
  showLegend(app);
  showMatches(app);
  app.ui.backButton.hidden = !app.cameFromAll;
}

function showTitle(app) {
  const { title, projection } = app.tape.model;
  refill(app.ui.title, text(title), h("small", {}, projection ? ` ${projection}` : " all payload fields"));
}

function showSummary(app) {
  const { ui, tape } = app;
  const folds = app.axis.folds;
  const cut = folds.reduce((sum, [from, to]) => sum + to - from, 0);
  const told = [
    many(tape.n, "event"),
    tape.n && spanText(tape.start, tape.end),
    folds.length && `${many(folds.length, "idle gap")} folded (${durationText(cut)})`,
  ];
  refill(
    ui.summary,
    h("span", {}, told.filter(Boolean).join(" · ")),
    tape.model.note && h("span", { class: "es-note", part: "note" }, tape.model.note),
    windowButton(app),
  );
  const span = `${instantText(tape.start)} to ${instantText(tape.end)} UTC`;
  ui.density.setAttribute("aria-label", `${many(tape.n, "event")} over time, ${span}`);
}

const spanText = (start, end) => `${instantText(start)} – ${instantText(end)} UTC`;

/** Makes the button that says which window is shown and leaves it; null where all is shown. */
function windowButton(app) {
  const [from, to] = get(app, "window");
  if (from === undefined) return null;
  const told = `Window ${instantText(from)} – ${instantText(to)}: show all`;
  return h("button", { act: "all", part: "window-all" }, told);
}

/** Shows in the controls what is chosen, whoever chose it. */
function showChosen(app) {
  const { ui, tape } = app;
  for (const name of ["pace", "slider", "lanes", "lane_order"]) ui[`pick_${name}`].value = get(app, name);
  ui.pick_clock.value = clockOf(app);
  ui.pick_colour.value = colourBy(app);
  for (const name of ["loop", "fold_gaps"]) ui[name].checked = get(app, name);
  ui.pick_clock.disabled = !tape.recorded;
  ui.pick_lanes.disabled = ui.pick_colour.disabled = !tape.time;
  const speed = String(get(app, "speed"));
  if (![...ui.pick_speed.options].some(({ value }) => value === speed))
    ui.pick_speed.append(h("option", { value: speed }, `${speed}/s`));
  ui.pick_speed.value = speed;
  const live = [...ui.pick_pace.options].find(({ value }) => value === "live");
  live.textContent = get(app, "pace") === "live" ? liveText(app) : "live";
}

function showPlaying(app) {
  const { ui } = app;
  const playing = get(app, "playing");
  refill(ui.play, icon(playing ? "pause" : "play"), playing ? "Pause" : "Play");
  ui.play.setAttribute("aria-pressed", String(playing));
  ui.play.title = "Play or pause (Space)";
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

/** Shows the types and services, to be hidden or shown; first those that the colours tell apart. */
function showLegend(app) {
  const { ui, tape } = app;
  app.counts ??= countKinds(tape);
  const by = colourBy(app);
  const groups = {
    type: typeKeys(app, by),
    service: serviceKeys(app, by),
    stream: by === "stream" ? streamKeys(app) : [],
  };
  const kinds = [by, ...["type", "service"].filter((kind) => kind !== by)].filter((kind) => groups[kind].length);
  const divide = h("span", { class: "es-divide", "aria-hidden": "true" });
  refill(
    ui.legend,
    kinds.flatMap((kind, i) => (i ? [divide.cloneNode(), ...groups[kind]] : groups[kind])),
  );
}

/** Makes the button of a name that hides or shows its events; what is hidden is not counted. */
function hidingKey(app, kind, name, count, mark = null) {
  const shown = !(kind === "type" ? app.hiddenTypes : app.hiddenServices).has(name);
  const why = app.overview ? "" : " (it counts in the state all the same)";
  return h(
    "button",
    {
      act: `hide-${kind}`,
      arg: name,
      class: "es-key",
      "aria-pressed": String(shown),
      title: `${shown ? "Hide" : "Show"} ${name}${why}`,
    },
    mark,
    text(name),
    shown || !app.overview ? muted(count ?? 0) : null,
  );
}

function typeKeys(app, by) {
  const { types } = app.tape.model;
  const counts = app.counts.type;
  const order = types.map((_, i) => i).sort((a, b) => counts[b] - counts[a]);
  const key = (type) => hidingKey(app, "type", types[type], counts[type], by === "type" && swatch(app, type));
  return [...order.slice(0, app.allKeys ? 400 : MOST_LEGEND).map(key), ...moreKeys(app, order.length, "type")];
}

function serviceKeys(app, by) {
  const { services } = app.tape.model;
  if (services.length < 2 && by !== "service") return [];
  const mark = (service) => by === "service" && swatch(app, null, service);
  return services.slice(0, 40).map((name, i) => hidingKey(app, "service", name, app.counts.service[i], mark(i)));
}

function streamKeys(app) {
  const { streams } = app.tape.model;
  const key = ([, stream], i) =>
    h("span", { class: "es-key es-plain-key" }, swatch(app, null, i), text(stream), muted(app.counts.stream[i]));
  return [...streams.slice(0, app.allKeys ? 400 : MOST_LEGEND).map(key), ...moreKeys(app, streams.length, "stream")];
}

const muted = (count) => h("span", { class: "es-muted" }, countText(count));

function moreKeys(app, count, word) {
  if (count <= MOST_LEGEND) return [];
  const told = app.allKeys ? `fewer ${word}s` : many(count - MOST_LEGEND, `more ${word}`);
  return [h("button", { act: "keys", arg: word, class: "es-key", "aria-expanded": String(!!app.allKeys) }, told)];
}

function countKinds(tape) {
  const counts = {
    type: new Float64Array(tape.model.types.length),
    service: new Float64Array(tape.model.services.length),
    stream: new Float64Array(tape.model.streams.length),
  };
  if (tape.type) for (const code of tape.type) counts.type[code] += 1;
  else
    tape.model.timeline.density?.types.forEach(
      (bins, type) => (counts.type[type] = bins.reduce((sum, n) => sum + n, 0)),
    );
  for (const kind of ["service", "stream"]) for (const code of tape[kind] ?? []) counts[kind][code] += 1;
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
  const states = [...tape.chunks.values()].flatMap((chunk) => chunk.rows.map((row) => row.state ?? {}));
  return [...new Set(states.flatMap(Object.keys))];
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
    if (!app.tape) return; // all entities are shown by now
    const changed = diffOf(app, "step");
    const names = Array.isArray(changed) ? [...new Set(changed.map(({ path }) => path[0]))].slice(0, 5) : [];
    app.ui.live.textContent = placeText(app) + (names.length ? `; changed: ${names.join(", ")}` : "");
  });
}
