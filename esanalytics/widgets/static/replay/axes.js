// Axes: from an instant to a place in 0..1, idle gaps folded away.

const MOST_FOLDS = 12;
const FOLD_WIDTH = 20;
const RIM = 0.02; // of a folded gap, so that the events at both ends stand beside the break, not on it

/** Makes an axis over a domain, so many pixels wide; `gaps` are the idle ones that are folded to a small width. */
function makeAxis(start, end, gaps = [], width = 800) {
  const last = end > start ? end : start + 1;
  const folds = gaps.filter(([from, to]) => from >= start && to <= last);
  const inside = folds.map(([from, to]) => [from + (to - from) * RIM, to - (to - from) * RIM]);
  const active = last - start - inside.reduce((sum, [from, to]) => sum + to - from, 0);
  const fold = Math.min(FOLD_WIDTH / width, 0.4 / Math.max(1, inside.length));
  const share = 1 - fold * inside.length;
  const segments = [];
  let [time, place] = [start, 0];
  const extend = (until, part, folded) => {
    if (until > time) segments.push({ t0: time, t1: until, u0: place, u1: place + part, fold: folded });
    [time, place] = [until, place + part];
  };
  for (const [from, to] of inside) {
    extend(from, ((from - time) / active) * share, false);
    extend(to, fold, true);
  }
  extend(last, 1 - place, false);
  return { start, end: last, segments, folds };
}

function toPlace(axis, time) {
  const { segments } = axis;
  let [low, high] = [0, segments.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].t1 < time) low = middle + 1;
    else high = middle;
  }
  const { t0, t1, u0, u1 } = segments[low];
  return u0 + ((time - t0) / (t1 - t0)) * (u1 - u0);
}

function toTime(axis, place) {
  const found = axis.segments.find(({ u1 }) => place <= u1) ?? axis.segments.at(-1);
  return found.t0 + ((place - found.u0) / (found.u1 - found.u0 || 1)) * (found.t1 - found.t0);
}

/** Finds the stretches of a window in which next to nothing happens, the longest at most `MOST_FOLDS`. */
function idleGaps(times, start, end) {
  const gaps = [];
  for (let i = 1; i < times.length; i += 1) if (times[i] > times[i - 1]) gaps.push([times[i - 1], times[i]]);
  const sizes = gaps.map(([from, to]) => to - from).sort((a, b) => a - b);
  const usual = sizes[sizes.length >> 1] ?? 0;
  const span = end - start;
  return gaps
    .filter(([from, to]) => to - from > span * 0.05 && to - from > usual * 5)
    .sort((a, b) => b[1] - b[0] - (a[1] - a[0]))
    .slice(0, MOST_FOLDS)
    .sort((a, b) => a[0] - b[0]);
}

/** Returns the instants that gaps are looked for between, of a window. */
function landmarks(app, start, end) {
  const { tape } = app;
  const inside = (time) => time >= start && time <= end;
  if (tape.time) {
    const times = get(app, "clock") === "recorded_at" ? tape.recorded : tape.effective;
    return times.filter(inside).sort();
  }
  const { density } = tape.model.timeline;
  if (!density) return [];
  const width = (tape.end - tape.start) / density.bins;
  const totals = Array.from({ length: density.bins }, (_, bin) =>
    density.types.reduce((sum, counts) => sum + counts[bin], 0),
  );
  return totals
    .flatMap((count, bin) => (count ? [tape.start + bin * width, tape.start + (bin + 1) * width] : []))
    .filter(inside);
}

/** Makes the axis of a window on the chosen clock; by position, events stand side by side. */
function axisOver(app, window) {
  const { tape } = app;
  if (clockOf(app) === "position") {
    const [low, high] = window.length ? [stepAtTime(tape, window[0] - 1), stepAtTime(tape, window[1])] : [0, tape.n];
    return makeAxis(low + 0.5, Math.max(low + 1.5, high + 0.5));
  }
  const times = clockOf(app) === "recorded_at" ? tape.recorded : null;
  let [start, end] = window.length
    ? window
    : times?.length
      ? [Math.min(...times), Math.max(...times)]
      : [tape.start, tape.end];
  if (end <= start) [start, end] = [start - 5e5, start + 5e5];
  const margin = window.length ? 0 : (end - start) * 0.004;
  return makeAxis(
    start - margin,
    end + margin,
    get(app, "fold_gaps") ? idleGaps(landmarks(app, start, end), start, end) : [],
    app.plot.width,
  );
}

const clockOf = (app) => (app.tape?.recorded ? get(app, "clock") : "effective_at");

/** Returns where an event stands on the chosen clock. */
function onClock(app, step) {
  const { tape } = app;
  if (step <= 0) return app.axis.start;
  const clock = clockOf(app);
  if (clock === "effective_at") return timeAt(tape, step);
  const number = numberAt(tape, step);
  return clock === "recorded_at" ? tape.recorded[number] : arrivals(tape)[number];
}

/** Ranks rows by when they were recorded, which is the order of positions. */
function arrivals(tape) {
  if (tape.arrivals) return tape.arrivals;
  const position = (number) => Number(rowAt(tape, number)?.pos ?? number);
  const sorted = Array.from({ length: tape.n }, (_, i) => i).sort(
    (a, b) => tape.recorded[a] - tape.recorded[b] || position(a) - position(b),
  );
  tape.arrivals = new Float64Array(tape.n);
  sorted.forEach((number, i) => (tape.arrivals[number] = i + 1));
  return tape.arrivals;
}

/** Marks the rows that were recorded after events that come later, or long after they happened. */
function lateRows(tape) {
  if (tape.late || !tape.recorded || !tape.time) return tape.late ?? [];
  const lags = tape.recorded.map((time, i) => time - tape.time[i]);
  const usual = [...lags].sort((a, b) => a - b)[lags.length >> 1] ?? 0;
  const bound = Math.max(HOUR, 20 * Math.abs(usual));
  tape.late = new Uint8Array(tape.n);
  let earliest = Infinity;
  for (let i = tape.n - 1; i >= 0; i -= 1) {
    if (lags[i] > bound || tape.recorded[i] > earliest + 1e6) tape.late[i] = 1;
    earliest = Math.min(earliest, tape.recorded[i]);
  }
  return tape.late;
}
