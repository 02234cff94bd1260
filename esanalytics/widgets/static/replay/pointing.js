// Pointing at the timeline: press and drag to scrub, drag over the histogram to choose a window.

const placeAt = (app, event, canvas) =>
  clamp((event.clientX - canvas.getBoundingClientRect().left - app.plot.x) / app.plot.width, 0, 1);

/** Returns the instant at a place of an axis; by position it is that of the event there. */
function timeOn(app, axis, place) {
  const value = toTime(axis, place);
  return app.tape && clockOf(app) === "position" ? timeAt(app.tape, clamp(Math.round(value), 0, app.tape.n)) : value;
}

/** Returns the last step at a place of the timeline. */
function stepOn(app, place) {
  const { tape, axis } = app;
  const value = toTime(axis, place);
  if (clockOf(app) === "effective_at") return stepAtTime(tape, value);
  let best = 0;
  for (let step = 1; step <= tape.n; step += 1) {
    const at = onClock(app, step);
    if (at <= value && (best === 0 || at >= onClock(app, best))) best = step;
  }
  return best;
}

/** Returns the event under the pointer. */
function stepUnder(app, event) {
  const { points, tape } = app;
  if (!points) return 0;
  const box = app.ui.canvas.getBoundingClientRect();
  const [px, py] = [event.clientX - box.left, event.clientY - box.top];
  let [best, nearest] = [0, 81];
  for (let step = 1; step <= tape.n; step += 1) {
    const far = (points.x[step] - px) ** 2 + (points.y[step] - py) ** 2;
    if (far < nearest && points.shown[step]) [best, nearest] = [step, far];
  }
  return best;
}

function watchLanes(app) {
  const { stage, canvas } = app.ui;
  const move = (event) => goTo(app, stepUnder(app, event) || stepOn(app, placeAt(app, event, canvas)));
  app.on(stage, "pointerdown", (event) => {
    if (event.button !== 0 || !app.axis) return;
    stage.setPointerCapture(event.pointerId);
    app.scrubbing = true;
    move(event);
  });
  app.on(stage, "pointermove", (event) => {
    if (!app.axis) return;
    if (app.scrubbing) goTo(app, stepOn(app, placeAt(app, event, canvas)));
    else showTip(app, stage, event, tipOf(app, stepUnder(app, event)));
  });
  for (const end of ["pointerup", "pointercancel"]) app.on(stage, end, () => (app.scrubbing = false));
  app.on(stage, "pointerleave", () => showTip(app, stage, null, ""));
}

function tipOf(app, step) {
  if (!step) return "";
  const { tape } = app;
  const row = eventAt(tape, step);
  const number = numberAt(tape, step);
  const notes = [
    row && tape.skipped.has(row.id) && "switched off",
    row?.inserted && "added",
    row?.edited !== undefined && "changed",
  ];
  if (lateRows(tape)[number]) notes.push(`recorded ${durationText(tape.recorded[number] - tape.time[number])} later`);
  if (row?.error !== undefined) notes.push("the fold failed here");
  return [`${step}  ${nameOf(tape, step)}`, instantText(timeAt(tape, step)), ...notes.filter(Boolean)].join("\n");
}

function showTip(app, host, event, text) {
  const { tip } = app.ui;
  tip.hidden = !text;
  if (!text) return;
  if (tip.parentElement !== host) host.append(tip);
  tip.textContent = text;
  const box = host.getBoundingClientRect();
  const x = event.clientX - box.left;
  tip.style.left = `${clamp(x + 12, 0, Math.max(0, box.width - tip.offsetWidth - 4))}px`;
  tip.style.top = `${event.clientY - box.top + 14}px`;
}

/** Lets a window be drawn on a histogram; a press without a drag goes to that instant. */
function watchBrush(app, host, canvas) {
  let from = null;
  app.on(host, "pointerdown", (event) => {
    if (event.button !== 0 || !app.plot) return;
    host.setPointerCapture(event.pointerId);
    from = placeAt(app, event, canvas);
  });
  app.on(host, "pointermove", (event) => {
    if (from === null) return;
    const to = placeAt(app, event, canvas);
    app.brushing = Math.abs(to - from) * app.plot.width > 4 ? [Math.min(from, to), Math.max(from, to)] : null;
    redo(app, "brush");
  });
  app.on(host, "pointerup", (event) => {
    const band = app.brushing;
    const axis = app.overview ? app.overview.axis : app.wholeAxis;
    const pressed = from;
    [from, app.brushing] = [null, null];
    redo(app, "brush");
    if (band)
      setWindow(
        app,
        band.map((place) => timeOn(app, axis, place)),
      );
    else if (pressed !== null && app.tape && !app.overview && event.detail < 2)
      goTo(app, stepAtTime(app.tape, timeOn(app, axis, pressed)));
  });
  app.on(host, "pointercancel", () => {
    [from, app.brushing] = [null, null];
    redo(app, "brush");
  });
  app.on(host, "dblclick", () => setWindow(app, []));
  app.on(host, "keydown", (event) => brushKey(app, event));
}

/** Sets the window; the events in it become the selection where they are few enough to hand over. */
function setWindow(app, window) {
  const bounds = window.map(Math.round);
  if (app.overview || !app.tape) return put(app, { window: bounds });
  const [low, high] = bounds.length ? [stepAtTime(app.tape, bounds[0] - 1), stepAtTime(app.tape, bounds[1])] : [0, 0];
  const rows = Array.from({ length: high - low }, (_, i) => eventAt(app.tape, low + i + 1));
  const ids = rows.length <= 20000 && rows.every(Boolean) ? rows.map((row) => row.id) : [];
  say(app, bounds.length ? `${many(high - low, "event")} in this window; double-click for all` : "All events.");
  return put(app, { window: bounds, selection: ids });
}

/** Moves and sizes the window by keys, while the histogram has the focus. */
function brushKey(app, event) {
  const axis = app.overview ? app.overview.axis : app.wholeAxis;
  const window = get(app, "window");
  const [from, to] = windowPlaces(app, axis, window) ?? [0, 1];
  const wide = to - from;
  const centre = window.length || app.overview ? (from + to) / 2 : toPlace(axis, onClock(app, stepNow(app)));
  const moves = {
    "+": [centre - wide / 4, centre + wide / 4],
    "=": [centre - wide / 4, centre + wide / 4],
    "-": [centre - wide, centre + wide],
    0: [0, 1],
    ...(window.length && {
      ArrowLeft: event.shiftKey ? [from, to - wide * 0.1] : [from - wide * 0.1, to - wide * 0.1],
      ArrowRight: event.shiftKey ? [from, to + wide * 0.1] : [from + wide * 0.1, to + wide * 0.1],
      Escape: [0, 1],
    }),
  };
  const next = event.ctrlKey || event.metaKey || event.altKey ? undefined : moves[event.key];
  if (!next) return;
  event.preventDefault();
  event.stopPropagation();
  const band = [clamp(next[0], 0, 1), clamp(next[1], 0, 1)];
  setWindow(app, band[1] - band[0] > 0.995 ? [] : band.map((place) => timeOn(app, axis, place)));
}
