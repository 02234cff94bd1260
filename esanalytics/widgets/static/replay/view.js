// The view of one entity.

const NEEDS_KERNEL = "needs a running kernel";
const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 25, 50, 100];

/** Makes a control that only works with a kernel; without one it says why it does not. */
function kernelButton(app, props, ...children) {
  const why = app.alive ? {} : { disabled: true, title: `${props.label ?? "This"}: ${NEEDS_KERNEL}` };
  return h("button", { ...props, ...why }, ...children);
}

function buildReplay(app) {
  const ui = app.ui;
  ui.replay = h(
    "div",
    { class: "es-one", part: "one", hidden: true },
    buildHead(app),
    buildTimeline(app),
    buildTransport(app),
    buildJumps(app),
    buildPanels(app),
    buildEvents(app),
  );
}

function buildHead(app) {
  const { ui } = app;
  ui.title = h("h2", { class: "es-title", part: "title" });
  ui.badge = h("span", { class: "es-badge", part: "badge", hidden: true });
  ui.backButton = h(
    "button",
    { part: "all-entities", act: "leave", hidden: true, label: "Back to all entities" },
    "‹ All entities",
  );
  ui.tools = buildTools(app);
  ui.head = h(
    "header",
    { class: "es-head" },
    ui.backButton,
    ui.title,
    ui.badge,
    h("span", { class: "es-spring" }),
    buildSearch(app),
    ui.tools,
  );
  return ui.head;
}

function buildSearch(app) {
  const { ui } = app;
  ui.search = h("input", {
    type: "search",
    part: "search",
    label: "Search in ids, types, streams and payloads",
    placeholder: "/ search",
    spellcheck: false,
  });
  ui.count = h("span", { class: "es-count", part: "search-count" });
  return h(
    "span",
    { class: "es-group", role: "search" },
    ui.search,
    iconButton("prev", "Previous match (N)", "match", -1, { part: "search-prev" }),
    iconButton("next", "Next match (n)", "match", 1, { part: "search-next" }),
    ui.count,
  );
}

/** Makes what both views have at their head: it moves to the one that is shown. */
function buildTools(app) {
  const { ui } = app;
  ui.menu = buildMenu(app);
  return h(
    "span",
    { class: "es-group" },
    h("button", { part: "code", act: "code", label: "Copy as code or as SQL" }, "Copy as code"),
    h(
      "span",
      { class: "es-anchor" },
      h("button", { part: "export", act: "menu", "aria-expanded": "false" }, "Export ▾"),
      ui.menu,
    ),
    app.alive && h("button", { part: "refresh", act: "refresh", label: "Read the store again" }, "Refresh"),
    h("button", { part: "help", act: "help", label: "Keyboard help (?)" }, "?"),
  );
}

const EXPORTS = [
  ["html", "Page that replays offline (HTML)"],
  ["png", "Picture (PNG)"],
  ["gif", "Animation (GIF)"],
  ["parquet", "Events (Parquet)"],
];

function buildMenu(app) {
  return h(
    "div",
    { class: "es-menu", part: "export-menu", hidden: true, role: "group", "aria-label": "Export as" },
    EXPORTS.map(([arg, name]) => kernelButton(app, { act: "export", arg, part: `export-${arg}` }, name)),
    !app.alive && h("p", { class: "es-why" }, `Exporting ${NEEDS_KERNEL}; this page can be passed on as it is.`),
  );
}

/** Puts what both views share where it is seen; only one entity can be an animation. */
function moveTools(app) {
  const { ui, alive, overview } = app;
  const host = overview ? ui.allHead : ui.head;
  if (ui.tools.parentElement !== host) host.append(ui.tools);
  const gif = ui.menu.querySelector("[data-part=export-gif]");
  gif.disabled = Boolean(overview) || !alive;
  gif.title = overview ? "Animation: of one entity; pick one first" : alive ? "" : `This: ${NEEDS_KERNEL}`;
}

function buildTimeline(app) {
  const { ui } = app;
  ui.density = h("canvas", { role: "img", "aria-label": "Events over time" });
  ui.densityHost = h(
    "div",
    {
      class: "es-density",
      part: "density",
      tabIndex: 0,
      role: "group",
      "aria-label":
        "Window of time: drag to choose; plus and minus zoom, arrows move, Shift and arrows resize, 0 shows all",
    },
    ui.density,
  );
  ui.canvas = h("canvas", { role: "img", part: "canvas", "aria-label": "Timeline" });
  ui.stage = h(
    "div",
    {
      class: "es-lanes",
      part: "timeline",
      tabIndex: 0,
      role: "group",
      "aria-label": "Timeline: Left and Right go from event to event",
    },
    ui.canvas,
  );
  ui.tip = h("div", { class: "es-tip", part: "tip", hidden: true, dir: "auto" });
  ui.summary = h("p", { class: "es-summary", part: "summary" });
  ui.slider = h("input", {
    type: "range",
    class: "es-slider",
    part: "slider",
    label: "Step",
    min: 0,
    max: 1,
    value: 0,
  });
  ui.legend = h("div", {
    class: "es-legend",
    part: "legend",
    role: "group",
    "aria-label": "Types and services: press to hide or show",
  });
  ui.bookmarks = h("div", { class: "es-chips", part: "bookmarks" });
  return h(
    "section",
    { class: "es-time", "aria-label": "Time" },
    ui.summary,
    ui.densityHost,
    ui.stage,
    ui.slider,
    ui.bookmarks,
    ui.legend,
  );
}

function pick(app, trait, label, pairsOf) {
  return h(
    "label",
    { class: "es-pick" },
    h("span", {}, label),
    (app.ui[`pick_${trait}`] = h("select", { trait, part: `choose-${trait}` }, options(pairsOf))),
  );
}

function tick(app, trait, label, title) {
  return h(
    "label",
    { class: "es-tick", title },
    (app.ui[trait] = h("input", { type: "checkbox", trait, part: trait.replaceAll("_", "-") })),
    label,
  );
}

function buildTransport(app) {
  const { ui } = app;
  const button = (name, label) => h("button", { part: name, act: name, label }, icon(name));
  ui.play = h("button", { class: "es-play", part: "play", act: "play" });
  ui.position = h("output", { class: "es-position", part: "position" });
  ui.markA = h("button", { part: "mark-a", act: "mark", arg: "A" });
  ui.markB = h("button", { part: "mark-b", act: "mark", arg: "B" });
  return h(
    "div",
    { class: "es-bar", role: "group", "aria-label": "Playing" },
    h(
      "span",
      { class: "es-group es-joined" },
      button("first", "First (Home)"),
      button("back", "Back one event (Left)"),
      ui.play,
      button("forward", "Forward one event (Right)"),
      button("last", "Last (End)"),
    ),
    ui.position,
    h("span", { class: "es-spring" }),
    h(
      "span",
      { class: "es-group" },
      ui.markA,
      ui.markB,
      h("button", { part: "bookmark", act: "bookmark", label: "Bookmark this step (m)" }, icon("flag"), "Bookmark"),
    ),
    h(
      "span",
      { class: "es-group" },
      pick(
        app,
        "speed",
        "Speed",
        SPEEDS.map((speed) => [String(speed), `${speed}/s`]),
      ),
      pick(app, "pace", "Pace", [
        ["steady", "steady"],
        ["live", "live"],
      ]),
      tick(app, "loop", "Loop", "Play over and over: between the marks, else in the window, else everything"),
      tick(
        app,
        "fold_gaps",
        "Fold idle gaps",
        "Times in which nothing happens are cut out of the axis, with a visible break",
      ),
    ),
  );
}

const KINDS = [
  ["service", "service"],
  ["type", "type"],
  ["stream", "stream"],
];

function buildLooks(app) {
  return h(
    "span",
    { class: "es-group" },
    pick(app, "slider", "Slider by", [
      ["event", "event"],
      ["time", "time"],
    ]),
    pick(app, "clock", "Clock", [
      ["effective_at", "effective"],
      ["recorded_at", "recorded"],
      ["position", "position"],
    ]),
    pick(app, "lanes", "Lanes", KINDS),
    pick(app, "lane_order", "Sort lanes", [
      ["first", "first event"],
      ["count", "most events"],
      ["duration", "longest"],
      ["name", "name"],
    ]),
    pick(app, "colour", "Colour", KINDS),
  );
}

function buildJumps(app) {
  const { ui } = app;
  ui.fieldJump = h("select", { part: "jump-field", label: "Field to watch" });
  ui.typeJump = h("select", { part: "jump-type", label: "Type to go to" });
  ui.goto = h("input", {
    part: "goto",
    label: "Go to a step number, an event id, or an instant",
    placeholder: "step, event id or time",
    spellcheck: false,
    type: "text",
  });
  const arrows = (act, what, key) =>
    h(
      "span",
      { class: "es-joined" },
      iconButton("prev", `Previous ${what}`, act, -1, { part: `${act}-prev` }),
      iconButton("next", `Next ${what}${key ? ` (${key})` : ""}`, act, 1, { part: `${act}-next` }),
    );
  return h(
    "div",
    { class: "es-bar es-jumps", role: "group", "aria-label": "Jumps" },
    h(
      "span",
      { class: "es-group" },
      h("span", { class: "es-muted" }, "Change of"),
      ui.fieldJump,
      arrows("jump-field", "change of the field", "f"),
    ),
    h(
      "span",
      { class: "es-group" },
      h("span", { class: "es-muted" }, "Type"),
      ui.typeJump,
      arrows("jump-type", "event of the type", "t"),
    ),
    h(
      "span",
      { class: "es-group" },
      h("span", { class: "es-muted" }, "Failure"),
      arrows("jump-failure", "failure", "e"),
    ),
    h(
      "span",
      { class: "es-group" },
      h("span", { class: "es-muted" }, "Go to"),
      ui.goto,
      h("button", { part: "goto-go", act: "goto" }, "Go"),
    ),
    h("span", { class: "es-spring" }),
    buildLooks(app),
  );
}

function buildPanels(app) {
  const { ui } = app;
  const panel = (part, name, head, ...body) =>
    h(
      "section",
      { class: "es-panel", part: `${part}-panel`, "aria-label": name },
      h("div", { class: "es-panel-head" }, h("h3", {}, name), head),
      ...body,
    );
  const scroll = (part, label) =>
    (ui[part] = h("div", { class: "es-scroll", part, tabIndex: 0, role: "group", "aria-label": label }));
  ui.eventTools = h("span", { class: "es-group" });
  ui.stateSearch = h("input", {
    type: "search",
    part: "state-search",
    label: "Search in the state",
    placeholder: "search fields",
    spellcheck: false,
  });
  ui.diffs = h(
    "span",
    { class: "es-group es-joined", role: "group", "aria-label": "Which diff" },
    [
      ["step", "Step"],
      ["marks", "A → B"],
      ["what-if", "Real → what-if"],
    ].map(([arg, name]) => h("button", { act: "diff", arg, part: `diff-${arg}` }, name)),
  );
  return h(
    "div",
    { class: "es-panels" },
    panel("payload", "Event", ui.eventTools, scroll("payload", "The event's payload and envelope")),
    panel("state", "State", ui.stateSearch, scroll("state", "The state at this step")),
    panel("diff", "Diff", ui.diffs, scroll("diff", "What changed")),
  );
}

const HEADS = [
  ["Pick", "es-c-tick"],
  ["On", "es-c-tick"],
  ["Step", "es-c-step"],
  ["Effective at (UTC)", "es-c-time"],
  ["Type", "es-c-type"],
  ["Service", "es-c-service"],
  ["Stream", "es-c-stream"],
  ["Payload", "es-c-data"],
];

function buildEvents(app) {
  return h(
    "section",
    { class: "es-panel es-events", part: "events-panel", "aria-label": "Events" },
    buildEventsHead(app),
    buildEventsTable(app),
  );
}

function buildEventsHead(app) {
  const { ui } = app;
  ui.typeFilter = h("select", { part: "filter-type", label: "Only this type" });
  ui.serviceFilter = h("select", { part: "filter-service", label: "Only this service" });
  ui.onlyMatches = h("input", { type: "checkbox", part: "only-matches" });
  ui.listed = h("span", { class: "es-muted", part: "listed" });
  return h(
    "div",
    { class: "es-panel-head" },
    h("h3", {}, "Events"),
    ui.listed,
    h("span", { class: "es-spring" }),
    h(
      "span",
      { class: "es-group" },
      ui.typeFilter,
      ui.serviceFilter,
      h("label", { class: "es-tick" }, ui.onlyMatches, "matches only"),
      kernelButton(app, { part: "insert", act: "insert", label: "Add event after this one" }, "Add event"),
      kernelButton(app, { part: "undo", act: "undo", label: "Undo edit: the last one" }, "Undo edit"),
    ),
  );
}

function buildEventsTable(app) {
  const { ui } = app;
  ui.rows = h("tbody", {});
  const heads = HEADS.map(([name, style]) => h("th", { scope: "col", class: style }, name));
  ui.table = h(
    "table",
    { class: "es-table", part: "events", "aria-label": "Events" },
    h("thead", {}, h("tr", {}, heads)),
    ui.rows,
  );
  ui.tableHost = h(
    "div",
    {
      class: "es-scroll es-rows",
      part: "events-scroll",
      tabIndex: 0,
      role: "group",
      "aria-label": "Events, scrollable",
    },
    ui.table,
  );
  return ui.tableHost;
}
