// All entities: how many events when, single events as dots, and one to be picked.

const DOTS_HEIGHT = 320;

function buildOverview(app) {
  const { ui } = app;
  ui.allTitle = h("h2", { class: "es-title", part: "all-title" });
  ui.allDensity = h("canvas", { role: "img", "aria-label": "Events over time" });
  ui.allBrush = h(
    "div",
    {
      class: "es-density",
      part: "all-density",
      tabIndex: 0,
      role: "group",
      "aria-label": "Window of time: drag to choose; plus and minus zoom, arrows move, 0 shows all",
    },
    ui.allDensity,
  );
  ui.dots = h("canvas", { role: "img", part: "dots", "aria-label": "Events by entity" });
  ui.dotsHost = h("div", { class: "es-lanes es-pointing", part: "dots-host" }, ui.dots);
  ui.allSummary = h("p", { class: "es-summary", part: "all-summary" });
  ui.allLegend = h("div", {
    class: "es-legend",
    part: "all-legend",
    role: "group",
    "aria-label": "Types and services: press to hide or show",
  });
  ui.entitySearch = h("input", {
    type: "search",
    part: "entity-search",
    label: "Find an entity; Enter replays the first",
    placeholder: "find an entity",
    spellcheck: false,
  });
  ui.entityList = h("ul", { class: "es-entities", part: "entities" });
  ui.allHead = h("header", { class: "es-head" }, ui.allTitle, h("span", { class: "es-spring" }));
  ui.all = h(
    "div",
    { class: "es-all", part: "all", hidden: true },
    ui.allHead,
    ui.allSummary,
    h(
      "div",
      { class: "es-two" },
      h("section", { class: "es-time", "aria-label": "Time" }, ui.allBrush, ui.dotsHost, ui.allLegend),
      h(
        "section",
        { class: "es-panel", "aria-label": "Entities" },
        h("div", { class: "es-panel-head" }, h("h3", {}, "Replay one"), ui.entitySearch),
        h(
          "div",
          { class: "es-scroll", tabIndex: 0, role: "group", "aria-label": "Entities, scrollable" },
          ui.entityList,
        ),
      ),
    ),
  );
}

function readOverview(app, source) {
  const all = parseExact(source);
  const names = [...summed(all.types, 1)].sort((a, b) => b[1] - a[1]);
  const code = new Map(names.map(([name], i) => [name, i]));
  const filter = filterKey(all.hidden?.types ?? [], all.hidden?.services ?? []);
  // `filter` is what the histogram was filtered by, `shown` what the dots and counts are of.
  app.overview = { ...all, base: all.density, counts: all.types, names, code, filter, shown: `${filter} ` };
  app.cameFromAll = true;
}

/** Adds up the counts of kinds, by service (0) or type (1). */
function summed(counts, column) {
  const totals = new Map();
  for (const row of counts) totals.set(row[column], (totals.get(row[column]) ?? 0) + row[2]);
  return totals;
}

const filterKey = (types, services) => JSON.stringify([[...types].sort(), [...services].sort()]);
const filterNow = (app) => filterKey(app.hiddenTypes, app.hiddenServices);
const wantedNow = (app) => `${filterNow(app)} ${get(app, "window")}`;

/** Asks for what should be shown: by a new filter first the whole, under the histogram, then the window. */
function askWindow(app) {
  const { overview } = app;
  const window = get(app, "window");
  app.found = null;
  if (!app.alive || overview.shown === wantedNow(app)) return;
  const filter = filterNow(app);
  const whole = overview.filter !== filter || !window.length;
  const [start, end] = whole ? overview.span.map(Number) : window;
  ask(app, "window", { start, end }, { filter, whole, shown: `${filter} ${whole ? "" : window}` });
}

function mergeOverview(app, { dots, density, counts }, { filter, whole, shown }) {
  const { overview } = app;
  Object.assign(overview, { dots, density, shown }, counts && { counts });
  if (whole) Object.assign(overview, { base: density, filter });
  app.found = null;
  if (!app.flights.window.sent) askWindow(app);
  redo(app, "layout");
}

function drawOverview(app) {
  const { ui, overview } = app;
  const width = ui.allBrush.clientWidth;
  if (!width) return;
  const gutter = width < 560 ? 84 : 124;
  app.ratio = window.devicePixelRatio || 1;
  app.plot = { x: gutter, width: width - gutter - 12, full: width, height: DOTS_HEIGHT, lane: 0 };
  const [start, end] = overview.span.map(Number);
  overview.axis = makeAxis(start, Math.max(end, start + 1));
  sizeCanvas(app, ui.allDensity, width, HISTOGRAM_HEIGHT);
  sizeCanvas(app, ui.dots, width, DOTS_HEIGHT);
  drawAllDensity(app);
  paintAllDensity(app);
  drawDots(app);
  showOverviewText(app);
  tell(app, "es-paint");
}

// The biggest types have a colour each, so that none means two; all others are grey, which the summary says.
const ALL_HUES = [0, 1, 2, 3, 4, 5, 7];
const GREY = 6;
const hueNumber = (app, name) => ALL_HUES[app.overview.code.get(name)] ?? GREY;
const hueOf = (app, name) => hue(app, hueNumber(app, name));

function drawAllDensity(app) {
  const { ui, plot, overview } = app;
  const { base, axis } = overview;
  overview.bars = newCanvas(ui.allDensity.width, ui.allDensity.height);
  const g = scaled(app, overview.bars);
  const bars = Math.max(1, Math.floor(plot.width / BAR));
  const bins = base.counts[0]?.length ?? 0;
  const width = (Number(base.end) - Number(base.start)) / Math.max(1, bins);
  const counts = base.counts.map((all) => {
    const summed = new Float64Array(bars);
    all.forEach(
      (count, bin) =>
        (summed[clamp(Math.floor(toPlace(axis, Number(base.start) + (bin + 0.5) * width) * bars), 0, bars - 1)] +=
          count),
    );
    return summed;
  });
  drawHistogram(
    app,
    g,
    counts,
    base.names.map((name) => hueOf(app, name)),
    { x: plot.x, width: plot.width, height: HISTOGRAM_HEIGHT },
  );
}

/** Paints the histogram with the window on it. */
function paintAllDensity(app) {
  const { ui, plot, overview } = app;
  const g = scaled(app, ui.allDensity);
  g.clearRect(0, 0, plot.full, HISTOGRAM_HEIGHT);
  g.drawImage(overview.bars, 0, 0, plot.full, HISTOGRAM_HEIGHT);
  const band = app.brushing ?? windowPlaces(app, overview.axis, get(app, "window"));
  if (band) paintBand(app, g, band, HISTOGRAM_HEIGHT);
}

function drawDots(app) {
  const { ui, plot, overview, colour } = app;
  const { dots } = overview;
  const window = get(app, "window");
  const [start, end] = (window.length ? window : overview.span).map(Number);
  app.axis = makeAxis(start, Math.max(end, start + 1));
  const g = scaled(app, ui.dots);
  g.clearRect(0, 0, plot.full, DOTS_HEIGHT);
  const bottom = DOTS_HEIGHT - AXIS_HEIGHT;
  const row = (bottom - 8) / Math.max(1, dots.entities.length);
  nameRows(app, g, row);
  placeDots(app, row);
  const radius = clamp(row * 0.4, 1.3, 4);
  g.globalAlpha = radius < 2 ? 0.65 : 0.9;
  for (let i = 0; i < dots.at.length; i += 1) {
    const [x, y] = [overview.points.x[i], overview.points.y[i]];
    if (y < 0) continue;
    g.fillStyle = hueOf(app, dots.types[dots.type[i]]);
    if (radius > 2) {
      trace(g, "circle", x, y, radius);
      g.fill();
    } else g.fillRect(x - radius, y - radius, radius * 2, radius * 2);
  }
  g.globalAlpha = 1;
  g.fillStyle = colour.line;
  g.fillRect(plot.x, bottom, plot.width, 1);
  if (overview.events) drawTicks(app, g, bottom);
  const entities = overview.sizes.filter((size) => size > 0).length;
  ui.dots.setAttribute(
    "aria-label",
    `${many(overview.drawn, "event")} of ${many(entities, "entity", "entities")} over time, by type`,
  );
}

/** Writes the names of the entities beside their rows, or how many there are. */
function nameRows(app, g, row) {
  const { plot, overview, colour } = app;
  const { entities } = overview.dots;
  g.font = `11px ${app.font}`;
  g.textBaseline = "middle";
  g.textAlign = "right";
  g.fillStyle = colour.muted;
  const write = (told, y) => g.fillText(fitted(g, told, plot.x - 14), plot.x - 8, y);
  if (row >= 12) entities.forEach(([, stream], i) => write(stream, 4 + (i + 0.5) * row));
  else write(many(entities.length, "entity", "entities"), 12);
}

/** Computes where the dots stand, and counts those that are shown; the others stand above the picture. */
function placeDots(app, row) {
  const { plot, overview, axis, hiddenTypes, hiddenServices } = app;
  const { dots } = overview;
  const hidden = (codes, names, off) => off.size > 0 && off.has(names[codes]);
  const points = { x: new Float32Array(dots.at.length), y: new Float32Array(dots.at.length).fill(-99) };
  overview.sizes = new Float64Array(dots.entities.length);
  overview.drawn = 0;
  for (let i = 0; i < dots.at.length; i += 1) {
    const at = Number(dots.at[i]);
    if (at < axis.start || at > axis.end) continue;
    if (hidden(dots.type[i], dots.types, hiddenTypes) || hidden(dots.service[i], dots.services, hiddenServices))
      continue;
    points.x[i] = plot.x + toPlace(axis, at) * plot.width;
    points.y[i] = 4 + (dots.entity[i] + 0.5) * row;
    overview.sizes[dots.entity[i]] += 1;
    overview.drawn += 1;
  }
  overview.points = points;
}

function showOverviewText(app) {
  const { ui, overview } = app;
  const [start, end] = overview.span.map(Number);
  refill(ui.allTitle, text(overview.title || "All entities"));
  const grey = overview.names.length - ALL_HUES.length;
  const told = [
    countsTold(app),
    overview.events ? spanText(start, end) : "",
    grey > 0 ? `grey: ${many(grey, "smaller type")}` : "",
  ];
  refill(
    ui.allSummary,
    h("span", {}, told.filter(Boolean).join(" · ")),
    overview.dots.note && h("span", { class: "es-note", part: "note" }, overview.dots.note),
    windowButton(app),
  );
  showKinds(app);
  if (!app.found) findEntities(app);
}

/** Says how many events are shown; without a kernel the counts cannot follow a window or a filter. */
function countsTold(app) {
  const { overview } = app;
  if (!overview.events) return "no events yet";
  const whole = many(overview.events, "event");
  const part = overview.drawn < overview.dots.at.length || overview.density.total < overview.events;
  if (!part) return whole;
  if (overview.shown === wantedNow(app)) return `${countText(overview.density.total)} of ${whole}`;
  return app.alive ? whole : `${many(overview.drawn, "dot")} shown; counts are of all ${whole}`;
}

function showKinds(app) {
  const { ui, overview } = app;
  const [types, services] = [summed(overview.counts, 1), summed(overview.counts, 0)];
  const mark = (name) => h("i", { class: "es-square", style: `background:var(--es-c${hueNumber(app, name)})` });
  refill(
    ui.allLegend,
    overview.names
      .slice(0, app.allKeys ? 400 : MOST_LEGEND)
      .map(([name]) => hidingKey(app, "type", name, types.get(name), mark(name))),
    moreKeys(app, overview.names.length, "type"),
    overview.services.length > 1 && [
      h("span", { class: "es-divide", "aria-hidden": "true" }),
      ...overview.services.slice(0, 40).map(([name]) => hidingKey(app, "service", name, services.get(name))),
    ],
  );
}

function findEntities(app) {
  const wanted = app.ui.entitySearch.value.trim();
  if (app.alive && wanted) return ask(app, "entities", { text: wanted });
  const { dots, sizes } = app.overview;
  const found = dots.entities.map(([service, stream], i) => [service, stream, sizes[i]]);
  const fits = ([, stream, size]) => size > 0 && stream.toLowerCase().includes(wanted.toLowerCase());
  return showEntities(app, found.filter(fits).slice(0, 50));
}

function showEntities(app, found) {
  app.found = found;
  refill(
    app.ui.entityList,
    found.length
      ? found.map(([service, stream, n], i) =>
          h(
            "li",
            {},
            kernelButton(
              app,
              { act: "entity", arg: i, class: "es-entity", title: `Replay ${stream}: ${many(n, "event")}` },
              text(stream),
              " ",
              h("span", { class: "es-muted" }, text(service), ` ${countText(n)}`),
            ),
          ),
        )
      : h("li", { class: "es-muted" }, app.overview.events ? "No such entity." : "No events yet."),
  );
}

function openEntity(app, entity) {
  if (!entity) return;
  say(app, `Opening ${entity[1]}…`);
  wish(app, { kind: "open", service: entity[0], stream: entity[1] });
}

function dotUnder(app, event) {
  const points = app.overview?.points;
  if (!points) return -1;
  const box = app.ui.dots.getBoundingClientRect();
  const [px, py] = [event.clientX - box.left, event.clientY - box.top];
  let [best, nearest] = [-1, 64];
  for (let i = 0; i < points.x.length; i += 1) {
    const far = (points.x[i] - px) ** 2 + (points.y[i] - py) ** 2;
    if (far < nearest) [best, nearest] = [i, far];
  }
  return best;
}

function watchDots(app) {
  const { dotsHost } = app.ui;
  app.on(dotsHost, "pointermove", (event) => {
    const at = dotUnder(app, event);
    const { dots } = app.overview ?? {};
    showTip(
      app,
      dotsHost,
      event,
      at < 0
        ? ""
        : `${dots.entities[dots.entity[at]].join(" / ")}\n${dots.types[dots.type[at]]}\n${instantText(dots.at[at])}`,
    );
  });
  app.on(dotsHost, "pointerleave", () => showTip(app, dotsHost, null, ""));
  app.on(dotsHost, "click", (event) => {
    const at = dotUnder(app, event);
    if (at >= 0) openEntity(app, app.overview.dots.entities[app.overview.dots.entity[at]]);
  });
}
