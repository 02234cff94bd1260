// The timeline: two bitmaps are drawn once, with all events behind and with all events ahead; a step is two clipped
// copies. Where the clock is not the order of the fold, one bitmap is kept and only what changed is drawn again.

const MOST_LANES = 12;
const AXIS_HEIGHT = 22;
const WIDE_GUTTER = 124;
const FLAG_HEIGHT = 16;
const HISTOGRAM_HEIGHT = 46;

const newCanvas = (width, height) =>
  typeof OffscreenCanvas === "undefined"
    ? Object.assign(document.createElement("canvas"), { width, height })
    : new OffscreenCanvas(width, height);

/** Measures, chooses lanes and axes; false where there is no room to draw in. */
function layOut(app) {
  const width = app.ui.stage.clientWidth;
  if (!width) return false;
  const gutter = width < 560 ? 104 : WIDE_GUTTER;
  app.ratio = window.devicePixelRatio || 1;
  app.plot = { x: gutter, width: Math.max(40, width - gutter - 12), full: width };
  app.lanes = chooseLanes(app);
  const count = app.lanes.names.length;
  app.plot.lane = [26, 46, 34, 28][count] ?? (count <= 5 ? 25 : count <= 8 ? 21 : 17);
  app.plot.height = FLAG_HEIGHT + count * app.plot.lane + AXIS_HEIGHT;
  app.axis = axisOver(app, get(app, "window"));
  app.wholeAxis = axisOver(app, []);
  sizeCanvas(app, app.ui.canvas, width, app.plot.height);
  sizeCanvas(app, app.ui.density, width, HISTOGRAM_HEIGHT);
  app.root.style.setProperty("--es-gutter", `${gutter}px`);
  return true;
}

function sizeCanvas(app, canvas, width, height) {
  canvas.width = Math.round(width * app.ratio);
  canvas.height = Math.round(height * app.ratio);
  canvas.style.height = `${height}px`;
}

function scaled(app, canvas) {
  const g = canvas.getContext("2d");
  g.setTransform(app.ratio, 0, 0, app.ratio, 0, 0);
  return g;
}

/** Gives each service, type or stream a lane; the smallest share the last one. */
function chooseLanes(app) {
  const { tape } = app;
  // Without single events there are counts by type only.
  const by = tape.time ? get(app, "lanes") : "type";
  const names = {
    service: tape.model.services,
    type: tape.model.types,
    stream: tape.model.streams.map((stream) => stream.at(-1)),
  }[by];
  const codes = { service: tape.service, type: tape.type, stream: tape.stream }[by];
  const counts = new Float64Array(names.length);
  if (tape.time) for (const code of codes) counts[code] += 1;
  else tape.model.timeline.density?.types.forEach((bins, type) => (counts[type] = bins.reduce((sum, n) => sum + n, 0)));
  const biggest = names.map((_, i) => i).sort((a, b) => counts[b] - counts[a]);
  const order = laneOrder(app, names, codes, counts);
  const kept = (names.length > MOST_LANES ? biggest.slice(0, MOST_LANES - 1) : biggest).sort(order);
  const rest = names.length - kept.length;
  const lane = new Uint16Array(names.length).fill(kept.length);
  kept.forEach((code, i) => (lane[code] = i));
  return {
    by,
    lane,
    codes,
    kept,
    names: [...kept.map((code) => names[code]), ...(rest ? [`${countText(rest)} more`] : [])],
  };
}

/** Returns how lanes are sorted: by their first event, their events, how long they last, or their name. */
function laneOrder(app, names, codes, counts) {
  const first = (a, b) => a - b; // numbers are given in the order of first events
  const lasts =
    get(app, "lane_order") === "duration" && app.tape.time ? durations(app.tape, names.length, codes) : null;
  return {
    first,
    count: (a, b) => counts[b] - counts[a] || first(a, b),
    duration: (a, b) => (lasts ? lasts[b] - lasts[a] : 0) || first(a, b),
    name: (a, b) => names[a].localeCompare(names[b]) || first(a, b),
  }[get(app, "lane_order")];
}

/** Computes how long it is from the first event of each kind to its last. */
function durations(tape, size, codes) {
  const [first, last] = [new Float64Array(size).fill(Infinity), new Float64Array(size).fill(-Infinity)];
  codes.forEach((code, number) => {
    first[code] = Math.min(first[code], tape.effective[number]);
    last[code] = Math.max(last[code], tape.effective[number]);
  });
  return last.map((time, code) => time - first[code]);
}

/** Computes where every event stands, and draws what does not change from step to step. */
function drawBitmaps(app) {
  const { tape, plot } = app;
  app.sprites = new Map();
  app.points = tape.time ? placePoints(app) : null;
  app.mixed = null;
  const ordered = clockOf(app) === "effective_at";
  app.past = drawLayer(app, ordered || !tape.time ? "past" : "none");
  app.future = ordered ? drawLayer(app, "future") : null;
  if (!ordered) app.mixed = { bitmap: drawLayer(app, "future"), step: 0 };
  app.bars = newCanvas(app.ui.density.width, app.ui.density.height);
  const g = scaled(app, app.bars);
  const { counts, colours } = tape.time ? binEvents(app) : binDensity(app);
  drawHistogram(app, g, counts, colours, { x: plot.x, width: plot.width, height: HISTOGRAM_HEIGHT });
  g.fillStyle = app.colour.bg;
  for (const { u0, u1, fold } of app.wholeAxis.segments) {
    if (fold) g.fillRect(plot.x + u0 * plot.width + 1, HISTOGRAM_HEIGHT - 2, (u1 - u0) * plot.width - 2, 2);
  }
}

function placePoints(app) {
  const { tape, plot, axis, lanes } = app;
  const [x, y] = [new Float32Array(tape.n + 1), new Float32Array(tape.n + 1)];
  const shown = new Uint8Array(tape.n + 1);
  let inView = 0;
  for (let step = 1; step <= tape.n; step += 1) {
    const time = onClock(app, step);
    x[step] = plot.x + toPlace(axis, time) * plot.width;
    y[step] = FLAG_HEIGHT + (lanes.lane[lanes.codes[numberAt(tape, step)]] + 0.5) * plot.lane;
    shown[step] = time >= axis.start && time <= axis.end && visible(app, step) ? 1 : 0;
    inView += shown[step];
  }
  x[0] = plot.x;
  const radius = inView <= 250 ? 5 : inView <= 2500 ? 4 : 2.8;
  // Crowded lanes spread a little, the same way at every step.
  const spread = inView > plot.width * 0.6 ? plot.lane * 0.5 - radius : 0;
  if (spread > 0) for (let step = 1; step <= tape.n; step += 1) y[step] += (((step * 0.618034) % 1) - 0.5) * 2 * spread;
  return { x, y, shown, radius };
}

function drawLayer(app, mode) {
  const { plot, tape } = app;
  const bitmap = newCanvas(app.ui.canvas.width, app.ui.canvas.height);
  const g = scaled(app, bitmap);
  drawGround(app, g);
  if (mode === "none") return bitmap;
  g.save();
  g.beginPath();
  g.rect(plot.x - 8, 0, plot.width + 16, plot.height);
  g.clip();
  if (!tape.time) drawDense(app, g, mode);
  else if (mode === "future") drawFaint(app, g, bitmap);
  else for (const step of offLast(app)) drawDot(app, g, step, mode);
  g.restore();
  return bitmap;
}

/** Lists the steps that are shown; those that are switched off come last, so that no other event hides them. */
function offLast(app) {
  const [on, off] = [[], []];
  for (let step = 1; step <= app.tape.n; step += 1)
    if (app.points.shown[step]) (kindOfDot(app, step, "past") === "off" ? off : on).push(step);
  return [...on, ...off];
}

const FAINT = 0.36;

/** Draws what is ahead: all at once made faint, so that crowds do not add up to full colour again. */
function drawFaint(app, g, bitmap) {
  const full = newCanvas(bitmap.width, bitmap.height);
  const to = scaled(app, full);
  const plainly = [];
  for (const step of offLast(app)) {
    if (kindOfDot(app, step, "past") === "past") drawDot(app, to, step, "past");
    else plainly.push(step);
  }
  g.save();
  g.globalAlpha = FAINT;
  g.drawImage(full, 0, 0, bitmap.width / app.ratio, bitmap.height / app.ratio);
  g.restore();
  for (const step of plainly) drawDot(app, g, step, "future");
}

/** Draws lanes, their names, folded gaps and the axis. */
function drawGround(app, g) {
  const { plot, lanes, colour, axis } = app;
  const bottom = plot.height - AXIS_HEIGHT;
  g.font = `${plot.x < WIDE_GUTTER ? 11 : 12}px ${app.font}`;
  g.textBaseline = "middle";
  lanes.names.forEach((name, i) => {
    const y = FLAG_HEIGHT + i * plot.lane;
    g.fillStyle = colour.panel;
    if (i % 2 === 0) g.fillRect(plot.x, y, plot.width, plot.lane);
    g.fillStyle = colour.muted;
    g.textAlign = "right";
    g.fillText(fitted(g, name, plot.x - 14), plot.x - 8, y + plot.lane / 2);
  });
  const broken = axis.segments.filter(({ fold }) => fold);
  broken.forEach(({ u0, u1 }, i) => drawBreak(app, g, u0, u1, bottom, axis.folds[i][1] - axis.folds[i][0]));
  g.fillStyle = colour.line;
  g.fillRect(plot.x, bottom, plot.width, 1);
  drawTicks(app, g, bottom);
}

/** Cuts a text in its middle so that it fits: names often begin alike and differ at their end. */
function fitted(g, text, width) {
  const isolated = (part) => `\u2068${part}\u2069`;
  if (g.measureText(text).width <= width) return isolated(text);
  const letters = [...text];
  const cut = (kept) => {
    const head = Math.floor(kept / 3);
    return `${letters.slice(0, head).join("")}…${letters.slice(letters.length - kept + head).join("")}`;
  };
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (g.measureText(cut(middle)).width <= width) low = middle;
    else high = middle - 1;
  }
  return isolated(cut(low));
}

/** Draws a folded gap: a band across the lanes, a broken axis, and how long it was. */
function drawBreak(app, g, u0, u1, bottom, length) {
  const { plot, colour } = app;
  const [left, right] = [plot.x + u0 * plot.width, plot.x + u1 * plot.width];
  g.fillStyle = colour.bg;
  g.fillRect(left, FLAG_HEIGHT - 2, right - left, bottom - FLAG_HEIGHT + 4);
  g.strokeStyle = colour.muted;
  g.lineWidth = 1;
  for (const x of [left + 0.5, right - 0.5]) {
    g.beginPath();
    for (let y = FLAG_HEIGHT, i = 0; y <= bottom + 3; y += 4, i += 1) g.lineTo(x + (i % 2 ? 2 : -2), y);
    g.stroke();
  }
  g.fillStyle = colour.muted;
  g.save();
  g.font = `10px ${app.font}`;
  g.textAlign = "center";
  const middle = (left + right) / 2;
  if (bottom - FLAG_HEIGHT > 60 && right - left > 11) {
    g.translate(middle, (FLAG_HEIGHT + bottom) / 2);
    g.rotate(-Math.PI / 2);
    g.fillText(durationText(length), 0, 0);
  }
  g.restore();
}

const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500]
  .map((n) => n * 1e3)
  .concat(
    [1, 2, 5, 10, 15, 30].map((n) => n * 1e6),
    [1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
    [1, 2, 3, 6, 12].map((n) => n * HOUR),
    [1, 2, 7, 14, 30, 91, 182, 365, 730, 1825, 3650].map((n) => n * DAY),
  );

function drawTicks(app, g, bottom) {
  const { plot, axis, colour } = app;
  const ordinal = clockOf(app) === "position";
  const active = axis.segments.filter(({ fold }) => !fold);
  const rate =
    active.reduce((sum, s) => sum + s.t1 - s.t0, 0) / (active.reduce((sum, s) => sum + s.u1 - s.u0, 0) * plot.width);
  const every = ordinal ? niceCount(rate * 80) : (TICKS.find((tick) => tick / rate >= (tick >= DAY ? 60 : 84)) ?? TICKS.at(-1));
  g.textAlign = "left";
  g.textBaseline = "middle";
  g.fillStyle = colour.muted;
  g.font = `11px ${app.font}`;
  const unit = ordinal ? "position" : clockOf(app) === "recorded_at" ? "recorded, UTC" : "UTC";
  g.fillText(unit, 4, bottom + 12);
  let [free, day] = [plot.x, ""];
  for (const { t0, t1 } of active) {
    const first = Math.ceil(t0 / every) * every;
    const ticks =
      first > t1
        ? [t0]
        : Array.from({ length: Math.min(200, Math.floor((t1 - first) / every) + 1) }, (_, i) => first + i * every);
    for (const tick of ticks) {
      const x = plot.x + toPlace(axis, tick) * plot.width;
      const text = ordinal ? countText(tick) : tickText(tick, first > t1 ? 1e6 : every, day);
      if (x < free || x + g.measureText(text).width > plot.x + plot.width) continue;
      g.fillRect(x, bottom, 1, 5);
      g.fillText(text, x + 3, bottom + 12);
      free = x + g.measureText(text).width + 12;
      day = instantText(tick).slice(0, 10);
    }
  }
}

const niceCount = (least) =>
  [1, 2, 5].map((n) => n * 10 ** Math.floor(Math.log10(Math.max(1, least)))).find((n) => n >= least) ??
  10 ** Math.ceil(Math.log10(least));

/** Writes a tick: the day where it is a new one, else the time. */
function tickText(time, every, day) {
  const [date, clock] = instantText(time).split(" ");
  const [year, month, number] = date.split("-");
  const named = `${Number(number)} ${MONTHS[month - 1]}`;
  if (every >= DAY) return date.slice(0, 4) === day.slice(0, 4) ? named : `${named} ${year}`;
  const short = every >= MINUTE ? clock.slice(0, 5) : every >= 1e6 ? clock : instantText(time, true).slice(11, 23);
  return date === day ? short : `${named} ${short}`;
}

/** Draws one event from a small picture of its kind. */
function drawDot(app, g, step, mode) {
  const { tape, points } = app;
  const number = numberAt(tape, step);
  const row = rowAt(tape, number);
  const sprite = spriteOf(
    app,
    { code: codeOf(app, number), shape: shapeOf(app, tape.type[number], codeOf(app, number)) },
    kindOfDot(app, step, mode),
    row?.inserted || row?.edited !== undefined,
    points.radius > 3 && lateRows(tape)[number] === 1,
  );
  const half = sprite.half;
  g.drawImage(sprite.bitmap, points.x[step] - half, points.y[step] - half, half * 2, half * 2);
}

function kindOfDot(app, step, mode) {
  const row = eventAt(app.tape, step);
  return row && app.tape.skipped.has(row.id) ? "off" : row?.error !== undefined ? "error" : mode;
}

function spriteOf(app, { code, shape }, mode, edited, late) {
  const key = `${code} ${shape} ${mode} ${edited} ${late}`;
  if (app.sprites.has(key)) return app.sprites.get(key);
  const r = app.points.radius;
  const half = Math.ceil(r * 1.5 + 5);
  const bitmap = newCanvas(Math.ceil(half * 2 * app.ratio), Math.ceil(half * 2 * app.ratio));
  const g = scaled(app, bitmap);
  g.lineWidth = 1.6;
  g.fillStyle = g.strokeStyle = hue(app, code);
  if (mode === "future") g.globalAlpha = FAINT;
  trace(g, shape, half, half, mode === "off" ? r - 0.4 : r);
  if (mode === "off") hollow(app, g);
  else g.fill();
  g.globalAlpha = 1;
  if (mode === "error") cross(g, half, r, app.colour.removed);
  if (edited) ring(g, half, r + 3, app.colour.fg);
  if (late) {
    g.fillStyle = app.colour.warn;
    g.fillRect(half - 3, half + r + 1.5, 6, 1.6);
  }
  const sprite = { bitmap, half };
  app.sprites.set(key, sprite);
  return sprite;
}

/** Draws what is switched off: of the background inside, so that what lies below does not fill it. */
function hollow(app, g) {
  g.fillStyle = app.colour.bg;
  g.fill();
  g.stroke();
}

function cross(g, at, r, colour) {
  g.strokeStyle = colour;
  g.lineWidth = 2.2;
  for (const way of [1, -1]) {
    g.beginPath();
    g.moveTo(at - r, at - r * way);
    g.lineTo(at + r, at + r * way);
    g.stroke();
  }
}

function ring(g, at, r, colour) {
  g.strokeStyle = colour;
  g.lineWidth = 1.2;
  g.setLineDash([2, 2]);
  g.beginPath();
  g.arc(at, at, r, 0, 7);
  g.stroke();
}

/** Draws counts by type where there are too many events for single dots. */
function drawDense(app, g, mode) {
  const { plot, tape, lanes, axis } = app;
  const { density } = tape.model.timeline;
  if (!density) return;
  const cells = Math.floor(plot.width / 2);
  const sums = lanes.names.map(() => new Float64Array(cells));
  const width = (tape.end - tape.start) / density.bins;
  density.types.forEach((counts, type) => {
    if (app.hiddenTypes.has(tape.model.types[type])) return;
    counts.forEach((count, bin) => {
      const from = Math.floor(toPlace(axis, tape.start + bin * width) * cells);
      const to = Math.max(from + 1, Math.floor(toPlace(axis, tape.start + (bin + 1) * width) * cells));
      for (let cell = Math.max(0, from); cell < Math.min(cells, to); cell += 1)
        sums[lanes.lane[type]][cell] += count / (to - from);
    });
  });
  const most = Math.max(1, ...sums.map((cell) => Math.max(...cell)));
  sums.forEach((counts, i) => {
    g.fillStyle = i < lanes.kept.length ? hue(app, lanes.kept[i]) : app.colour.muted;
    g.globalAlpha = mode === "past" ? 1 : 0.32;
    counts.forEach((count, cell) => {
      const tall = count && Math.max(1.5, Math.sqrt(count / most) * (plot.lane - 3));
      if (tall)
        g.fillRect(
          plot.x + (cell * plot.width) / cells,
          FLAG_HEIGHT + (i + 0.5) * plot.lane - tall / 2,
          plot.width / cells + 0.3,
          tall,
        );
    });
  });
}

const BAR = 3;

/** Counts the events of each bar, by colour. */
function binEvents(app) {
  const { tape, plot, wholeAxis } = app;
  const bars = Math.max(1, Math.floor(plot.width / BAR));
  const counts = Array.from({ length: HUES }, () => new Float64Array(bars));
  for (let step = 1; step <= tape.n; step += 1) {
    if (!visible(app, step)) continue;
    const bar = clamp(Math.floor(toPlace(wholeAxis, onClock(app, step)) * bars), 0, bars - 1);
    counts[codeOf(app, numberAt(tape, step)) % HUES][bar] += 1;
  }
  return { counts, colours: counts.map((_, i) => hue(app, i)) };
}

function binDensity(app) {
  const { tape, plot, wholeAxis } = app;
  const bars = Math.max(1, Math.floor(plot.width / BAR));
  const counts = Array.from({ length: HUES }, () => new Float64Array(bars));
  const { bins, types } = tape.model.timeline.density ?? { bins: 1, types: [] };
  const width = (tape.end - tape.start) / bins;
  types.forEach((all, type) => {
    if (app.hiddenTypes.has(tape.model.types[type])) return;
    all.forEach((count, bin) => {
      const bar = Math.floor(toPlace(wholeAxis, tape.start + (bin + 0.5) * width) * bars);
      counts[type % HUES][clamp(bar, 0, bars - 1)] += count;
    });
  });
  return { counts, colours: counts.map((_, i) => hue(app, i)) };
}

/** Draws stacked bars; tall ones by the square root, so that single events stay visible. */
function drawHistogram(app, g, counts, colours, { x, width, height }) {
  const bars = counts[0]?.length ?? 0;
  const totals = Array.from({ length: bars }, (_, bar) => counts.reduce((sum, each) => sum + each[bar], 0));
  const most = totals.reduce((a, b) => Math.max(a, b), 0);
  const wide = width / bars;
  for (let bar = 0; bar < bars; bar += 1) {
    let y = height - 1;
    const tall = totals[bar] && Math.max(2, Math.sqrt(totals[bar] / most) * (height - 6));
    counts.forEach((each, i) => {
      if (!each[bar]) return;
      const part = (tall * each[bar]) / totals[bar];
      g.fillStyle = colours[i];
      g.fillRect(x + bar * wide, y - part, Math.max(1, wide - 0.6), part);
      y -= part;
    });
  }
  g.fillStyle = app.colour.line;
  g.fillRect(x, height - 1, width, 1);
  g.fillStyle = app.colour.muted;
  g.font = `11px ${app.font}`;
  g.textAlign = "right";
  g.textBaseline = "top";
  g.fillText(most ? `up to ${countText(Math.max(1, Math.round(most)))}` : "no events", x - 8, 2);
}

const xOf = (app, step) =>
  app.points ? app.points.x[step] : app.plot.x + toPlace(app.axis, timeAt(app.tape, step)) * app.plot.width;

/** Paints a step. */
function paint(app) {
  const { ui, plot, ratio } = app;
  const step = stepNow(app);
  const g = scaled(app, ui.canvas);
  const { width, height } = ui.canvas;
  const x = step === 0 ? plot.x : xOf(app, step);
  g.save();
  g.setTransform(1, 0, 0, 1, 0, 0);
  g.clearRect(0, 0, width, height);
  const cut = clamp(Math.round((step === 0 ? x - 10 : x + (app.points?.radius ?? 0) + 1) * ratio), 0, width);
  if (app.mixed) g.drawImage(mixedAt(app, step), 0, 0);
  else {
    if (cut > 0) g.drawImage(app.past, 0, 0, cut, height, 0, 0, cut, height);
    if (cut < width) g.drawImage(app.future, cut, 0, width - cut, height, cut, 0, width - cut, height);
  }
  g.restore();
  if (app.points && !app.mixed) mendCut(app, g, step, cut / ratio);
  if (step > 0 || !get(app, "window").length) paintCursor(app, g, step, x);
  paintMarks(app, g);
  paintDensity(app, step);
  ui.canvas.dataset.step = step;
  ui.canvas.setAttribute("aria-label", `Timeline by ${app.lanes.by}, ${placeText(app)}`);
}

const MOST_MENDED = 120;

/** Draws the events again that the cut between behind and ahead went through, or that share its place. */
function mendCut(app, g, step, cut) {
  const { points, tape } = app;
  const reach = points.radius * 1.5 + 6;
  const near = [];
  for (let i = step + 1; i <= Math.min(tape.n, step + MOST_MENDED) && points.x[i] < cut + reach; i += 1) near.push(i);
  for (let i = Math.max(1, step - MOST_MENDED); i <= step; i += 1) if (points.x[i] > cut - reach) near.push(i);
  const off = (i) => Number(kindOfDot(app, i, "past") === "off");
  // What is switched off comes last, and the event of the step behind all.
  const rank = (i) => (i === step ? 2 : off(i));
  near
    .filter((i) => points.shown[i])
    .sort((a, b) => rank(a) - rank(b))
    .forEach((i) => drawDot(app, g, i, i > step ? "future" : "past"));
}

function mixedAt(app, step) {
  const { mixed, points } = app;
  const g = scaled(app, mixed.bitmap);
  for (; mixed.step < step; mixed.step += 1) if (points.shown[mixed.step + 1]) drawDot(app, g, mixed.step + 1, "past");
  if (mixed.step > step) {
    // Going back: a faint dot does not cover a full one, so all is drawn anew.
    mixed.bitmap = drawLayer(app, "future");
    mixed.step = 0;
    return mixedAt(app, step);
  }
  return mixed.bitmap;
}

function paintCursor(app, g, step, x) {
  const { plot, colour, points } = app;
  if (x < plot.x - 1 || x > plot.x + plot.width + 1) return;
  g.fillStyle = colour.fg;
  g.fillRect(x - 0.75, FLAG_HEIGHT - 4, 1.5, plot.height - AXIS_HEIGHT - FLAG_HEIGHT + 8);
  trace(g, "circle", x, FLAG_HEIGHT - 6, 3.5);
  g.fill();
  if (!points || !step || !points.shown[step]) return;
  g.strokeStyle = colour.bg;
  g.lineWidth = 4.5;
  trace(g, "circle", x, points.y[step], points.radius + 4);
  g.stroke();
  g.strokeStyle = colour.fg;
  g.lineWidth = 2;
  g.stroke();
}

/** Paints the marks A and B, bookmarks, and the events that were searched for. */
function paintMarks(app, g) {
  const { plot, colour } = app;
  const inside = (x) => x >= plot.x - 1 && x <= plot.x + plot.width + 1;
  g.fillStyle = colour.accent;
  for (const step of app.matches?.steps.slice(0, 5000) ?? []) {
    if (inside(xOf(app, step))) g.fillRect(xOf(app, step) - 1, plot.height - AXIS_HEIGHT - 4, 2, 4);
  }
  for (const { step } of get(app, "bookmarks")) {
    if (step > app.tape.n || !inside(xOf(app, step))) continue;
    trace(g, "diamond", xOf(app, step), FLAG_HEIGHT - 7, 3.6);
    g.fill();
  }
  g.font = `bold 11px ${app.font}`;
  g.textAlign = "center";
  g.textBaseline = "middle";
  for (const [name, step] of Object.entries(get(app, "marks"))) {
    if (!Number.isInteger(step) || step > app.tape.n || !inside(xOf(app, step))) continue;
    const x = xOf(app, step);
    g.fillStyle = colour.accent;
    g.fillRect(x - 0.5, 0, 1, plot.height - AXIS_HEIGHT);
    const side = name === "A" ? -13.5 : -0.5; // so that neighbours do not hide each other
    g.fillRect(x + side, 0, 14, 13);
    g.fillStyle = colour.bg;
    g.fillText(name, x + side + 7, 7);
  }
}

function paintDensity(app, step) {
  const { ui, plot, colour, wholeAxis } = app;
  const g = scaled(app, ui.density);
  g.clearRect(0, 0, plot.full, HISTOGRAM_HEIGHT);
  g.drawImage(app.bars, 0, 0, plot.full, HISTOGRAM_HEIGHT);
  const band = app.brushing ?? windowPlaces(app, wholeAxis, get(app, "window"));
  if (band) paintBand(app, g, band, HISTOGRAM_HEIGHT);
  const x = plot.x + toPlace(wholeAxis, onClock(app, step)) * plot.width;
  g.fillStyle = colour.fg;
  if (step > 0) g.fillRect(x - 0.75, 0, 1.5, HISTOGRAM_HEIGHT);
}

/** Returns the places of a window on an axis. */
function windowPlaces(app, axis, window) {
  if (!window.length) return null;
  const value = (time, edge) => (app.tape && clockOf(app) === "position" ? stepAtTime(app.tape, time) + edge : time);
  return [toPlace(axis, value(window[0], 0)), toPlace(axis, value(window[1], 0.5))].map((place) => clamp(place, 0, 1));
}

/** Dims what is outside of a window. */
function paintBand(app, g, [from, to], height) {
  const { plot, colour } = app;
  const [left, right] = [plot.x + from * plot.width, plot.x + to * plot.width];
  g.save();
  g.globalAlpha = 0.72;
  g.fillStyle = colour.bg;
  g.fillRect(plot.x, 0, left - plot.x, height);
  g.fillRect(right, 0, plot.x + plot.width - right, height);
  g.globalAlpha = 1;
  g.strokeStyle = colour.accent;
  g.lineWidth = 1.5;
  g.strokeRect(left, 0.75, Math.max(1, right - left), height - 1.5);
  g.restore();
}
