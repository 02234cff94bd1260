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
  ui.allLegend = h("div", { class: "es-legend", part: "all-legend" });
  ui.entitySearch = h("input", {
    type: "search",
    part: "entity-search",
    label: "Find an entity; Enter replays the first",
    placeholder: "find an entity",
    spellcheck: false,
  });
  ui.entityList = h("ul", { class: "es-entities", part: "entities" });
  ui.all = h(
    "div",
    { class: "es-all", part: "all", hidden: true },
    h(
      "header",
      { class: "es-head" },
      ui.allTitle,
      h("span", { class: "es-spring" }),
      app.alive && h("button", { act: "refresh" }, "Refresh"),
    ),
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
  const totals = new Map();
  for (const [, type, n] of all.types) totals.set(type, (totals.get(type) ?? 0) + n);
  const names = [...totals].sort((a, b) => b[1] - a[1]);
  app.overview = { ...all, base: all.density, names, code: new Map(names.map(([name], i) => [name, i])) };
  app.cameFromAll = true;
}

function askWindow(app) {
  const [start, end] = get(app, "window").length ? get(app, "window") : app.overview.span.map(Number);
  if (app.alive) ask(app, "window", { start, end });
}

function mergeOverview(app, found) {
  Object.assign(app.overview, {
    dots: found.dots ?? app.overview.dots,
    density: found.density ?? app.overview.density,
  });
  if (!get(app, "window").length && found.density) app.overview.base = found.density;
  redo(app, "layout");
}

function drawOverview(app) {
  const { ui, overview } = app;
  const width = ui.allBrush.clientWidth;
  if (!width) return;
  const gutter = width < 560 ? 56 : 124;
  app.ratio = window.devicePixelRatio || 1;
  app.plot = { x: gutter, width: width - gutter - 12, full: width, height: DOTS_HEIGHT, lane: 0 };
  const [start, end] = overview.span.map(Number);
  overview.axis = makeAxis(start, Math.max(end, start + 1));
  sizeCanvas(app, ui.allDensity, width, HISTOGRAM_HEIGHT);
  sizeCanvas(app, ui.dots, width, DOTS_HEIGHT);
  drawAllDensity(app);
  drawDots(app);
  showOverviewText(app);
  tell(app, "es-paint");
}

const hueOf = (app, name) => (app.overview.code.has(name) ? hue(app, app.overview.code.get(name)) : app.colour.muted);

function drawAllDensity(app) {
  const { ui, plot, overview } = app;
  const { base, axis } = overview;
  const g = scaled(app, ui.allDensity);
  g.clearRect(0, 0, plot.full, HISTOGRAM_HEIGHT);
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
  const band = app.brushing ?? windowPlaces(app, axis, get(app, "window"));
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
  const radius = clamp(row * 0.4, 1.3, 4);
  overview.points = { x: new Float32Array(dots.at.length), y: new Float32Array(dots.at.length) };
  g.font = `11px ${app.font}`;
  g.textBaseline = "middle";
  g.textAlign = "right";
  g.fillStyle = colour.muted;
  if (row >= 12)
    dots.entities.forEach(([, stream], i) =>
      g.fillText(fitted(g, stream, plot.x - 14), plot.x - 8, 4 + (i + 0.5) * row),
    );
  else
    g.fillText(
      fitted(g, many(dots.entities.length, "entity").replace("entitys", "entities"), plot.x - 10),
      plot.x - 8,
      12,
    );
  const hidden = app.hiddenTypes;
  for (let i = 0; i < dots.at.length; i += 1) {
    const name = dots.types[dots.type[i]];
    overview.points.x[i] = plot.x + toPlace(app.axis, Number(dots.at[i])) * plot.width;
    overview.points.y[i] = hidden.has(name) ? -99 : 4 + (dots.entity[i] + 0.5) * row;
    if (hidden.has(name)) continue;
    g.fillStyle = hueOf(app, name);
    g.globalAlpha = radius < 2 ? 0.65 : 0.9;
    if (radius > 2) {
      trace(g, "circle", overview.points.x[i], overview.points.y[i], radius);
      g.fill();
    } else g.fillRect(overview.points.x[i] - radius, overview.points.y[i] - radius, radius * 2, radius * 2);
  }
  g.globalAlpha = 1;
  g.fillStyle = colour.line;
  g.fillRect(plot.x, bottom, plot.width, 1);
  drawTicks(app, g, bottom);
  ui.dots.setAttribute(
    "aria-label",
    `${many(dots.at.length, "event")} of ${countText(dots.entities.length)} entities over time, by type`,
  );
}

function showOverviewText(app) {
  const { ui, overview } = app;
  const [start, end] = overview.span.map(Number);
  const window = get(app, "window");
  refill(ui.allTitle, text(overview.title || "All entities"));
  refill(
    ui.allSummary,
    h(
      "span",
      {},
      [many(overview.events, "event"), overview.events ? `${instantText(start)} – ${instantText(end)} UTC` : ""]
        .filter(Boolean)
        .join(" · "),
    ),
    [overview.density.note, overview.dots.note]
      .filter(Boolean)
      .map((note) => h("span", { class: "es-note", part: "note" }, note)),
    window.length
      ? h(
          "button",
          { act: "all", part: "window-all" },
          `Window ${instantText(window[0])} – ${instantText(window[1])}: show all`,
        )
      : "",
  );
  refill(
    ui.allLegend,
    overview.names
      .slice(0, app.allKeys ? 400 : MOST_LEGEND)
      .map(([name, n], i) =>
        h(
          "button",
          { act: "hide-type", arg: name, class: "es-key", "aria-pressed": String(!app.hiddenTypes.has(name)) },
          h("i", { class: "es-square", style: `background:var(--es-c${i % HUES})` }),
          text(name),
          h("span", { class: "es-muted" }, countText(n)),
        ),
      ),
    overview.names.length > MOST_LEGEND &&
      h(
        "button",
        { act: "keys", class: "es-key" },
        app.allKeys ? "fewer types" : many(overview.names.length - MOST_LEGEND, "more type"),
      ),
  );
  if (!app.found) findEntities(app);
}

function findEntities(app) {
  const wanted = app.ui.entitySearch.value.trim();
  if (app.alive && wanted) return ask(app, "entities", { text: wanted });
  const { dots } = app.overview;
  const counts = new Float64Array(dots.entities.length);
  for (const entity of dots.entity) counts[entity] += 1;
  const found = dots.entities.map(([service, stream], i) => [service, stream, counts[i]]);
  return showEntities(
    app,
    found.filter(([, stream]) => stream.toLowerCase().includes(wanted.toLowerCase())).slice(0, 50),
  );
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
      : h("li", { class: "es-muted" }, "No such entity."),
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
