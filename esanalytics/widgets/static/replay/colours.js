// Colours.

const HUES = 8;
const ROLES = [
  "bg",
  "fg",
  "muted",
  "line",
  "panel",
  "accent",
  "removed",
  "warn",
  ...Array.from({ length: HUES }, (_, i) => `c${i}`),
];

/** Resolves the colours of the style sheet for the canvases, in the theme that holds. */
function readTheme(app) {
  const forced = get(app, "theme");
  const { dataset, classList } = document.body;
  const host = dataset.jpThemeLight ? (dataset.jpThemeLight === "true" ? "light" : "dark") : null;
  const code = [...classList].some((name) => /^vscode-(dark|high-contrast)$/.test(name))
    ? "dark"
    : classList.contains("vscode-light")
      ? "light"
      : null;
  app.root.dataset.theme = forced;
  app.root.dataset.scheme = forced === "auto" ? (host ?? code ?? "auto") : forced;
  const probe = app.root.appendChild(document.createElement("i"));
  const before = JSON.stringify(app.colour);
  app.colour = {};
  for (const role of ROLES) {
    probe.style.color = `var(--es-${role})`;
    app.colour[role] = getComputedStyle(probe).color;
  }
  app.font = getComputedStyle(probe).fontFamily;
  probe.remove();
  return JSON.stringify(app.colour) !== before;
}

/** Reads the theme now, and again when its style sheet, which comes later than its name, will be there. */
function themeChanged(app) {
  for (const wait of [0, 200, 600, 1500, 4000]) later(app, wait, () => redo(app, "theme"));
}

const hue = (app, number) => app.colour[`c${number % HUES}`];
const SHAPES = ["circle", "square", "triangle"];
const shapeOf = (app, type, code = type) =>
  app.tape.failing.has(type) ? "diamond" : SHAPES[Math.floor(code / HUES) % SHAPES.length];

/** Says what the colours tell apart; without single events there are counts by type only. */
const colourBy = (app) => (app.tape.time ? get(app, "colour") : "type");
const IN_ROW = { type: "t", service: "s", stream: "k" };

/** Returns the number of the type, service or stream that gives an event its colour. */
function codeOf(app, number) {
  const by = colourBy(app);
  return app.tape[by]?.[number] ?? rowAt(app.tape, number)?.[IN_ROW[by]] ?? 0;
}

/** Traces a shape around a point. */
function trace(g, shape, x, y, r) {
  g.beginPath();
  if (shape === "circle") g.arc(x, y, r, 0, 7);
  else if (shape === "square") g.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
  else {
    const corners =
      shape === "diamond"
        ? [
            [0, -1.45],
            [1.45, 0],
            [0, 1.45],
            [-1.45, 0],
          ]
        : [
            [0, -1.2],
            [1.15, 0.9],
            [-1.15, 0.9],
          ];
    corners.forEach(([dx, dy], i) => g[i ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
    g.closePath();
  }
}
