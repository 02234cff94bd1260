// Panels: the event, the state, the diff.

function showPanels(app) {
  app.panels = null;
  if (!app.tape || app.overview) return;
  const step = stepNow(app);
  wantStep(app, step);
  showRows(app, true); // first: it measures, and what follows changes the page
  showEvent(app, step);
  showState(app, step);
  showDiff(app);
  announce(app);
  holdFocus(app);
  if (stateAt(app.tape, step) !== undefined) tell(app, "es-state");
}

/** Makes one line of a tree, and those under it; null where the search leaves it out. */
function treeNode(app, scope, path, name, old, now, depth) {
  const value = now === ABSENT ? old : now;
  const kind = old === ABSENT ? "added" : now === ABSENT ? "removed" : same(old, now) ? null : "changed";
  const where = pathText(path);
  const key = `${scope} ${where}`;
  const parts =
    pairs(old === ABSENT ? emptyLike(value) : old, now === ABSENT ? emptyLike(value) : now) ??
    pairs(emptyLike(value), value);
  const branch = Boolean(parts?.length);
  const searched = scope === "state" && app.needle !== "";
  const open = branch && (searched || (app.open.get(key) ?? (depth < 2 && parts.length <= 40)));
  const children = open ? childNodes(app, scope, path, parts, depth, key) : [];
  const told = () => `${where} ${branch ? "" : valueText(value)}`.toLowerCase();
  if (searched && !children.length && !told().includes(app.needle)) return null;
  const node = { scope, where, key, name, kind, old, value, parts, branch, open };
  return h("li", {}, treeLine(app, node), children.length ? h("ul", {}, children) : null);
}

function treeLine(app, { scope, where, key, name, kind, old, value, parts, branch, open }) {
  const inState = scope === "state";
  const sign = { class: "es-sign", title: kind, role: kind ? "img" : undefined, "aria-label": kind };
  return h(
    "div",
    {
      class: `es-node${kind ? ` es-${kind}` : ""}`,
      "data-path": inState ? where : undefined,
      "data-change": kind,
    },
    h("span", sign, kind ? SIGNS[kind] : ""),
    branch ? twist(key, where || name, open) : h("span", { class: "es-twist" }),
    nameOfNode(app, scope, where, name),
    valueOfNode(app, key, value, branch, open, parts),
    kind === "changed" && inState && !branch
      ? h("span", { class: "es-was" }, "was ", text(clipped(valueText(old), 40)))
      : null,
    inState ? nodeTools(app, where) : null,
  );
}

const twist = (key, told, open) =>
  h(
    "button",
    {
      class: "es-twist",
      act: "open",
      arg: key,
      "aria-expanded": String(open),
      label: `${told}: ${open ? "fold" : "unfold"}`,
    },
    open ? "▾" : "▸",
  );

const nodeTools = (app, where) =>
  h(
    "span",
    { class: "es-tools" },
    iconButton("pin", `${get(app, "pinned").includes(where) ? "Unpin" : "Pin"} ${where}`, "pin", where),
    iconButton("copy", `Copy path ${where}`, "copy-path", where),
  );

const emptyLike = (value) => (Array.isArray(value) ? [] : isObject(value) ? {} : value);
const clipped = (value, most) => (value.length > most ? `${value.slice(0, most)}…` : value);

function childNodes(app, scope, path, parts, depth, key) {
  const most = app.more.get(key) ?? 100;
  const kept = parts
    .slice(0, most)
    .map(([name, old, now]) => treeNode(app, scope, [...path, name], name, old, now, depth + 1))
    .filter(Boolean);
  if (parts.length > most)
    kept.push(h("li", {}, h("button", { act: "more", arg: key }, `${countText(parts.length - most)} more`)));
  return kept;
}

function nameOfNode(app, scope, where, name) {
  const shown = typeof name === "number" ? `[${name}]` : name;
  if (scope !== "state") return h("span", { class: "es-name", dir: "auto" }, shown);
  const watched = get(app, "field") === where;
  return h(
    "button",
    {
      class: "es-field",
      act: "watch",
      arg: where,
      "aria-pressed": String(watched),
      title: `${watched ? "Watched" : "Watch"} ${where}: f goes to its next change`,
      dir: "auto",
    },
    shown,
  );
}

const LONG = 140;

function valueOfNode(app, key, value, branch, open, parts) {
  if (branch) {
    const flatList =
      Array.isArray(value) &&
      !open &&
      value.length <= 6 &&
      value.every((item) => item === null || typeof item !== "object" || item instanceof Exact);
    const what = Array.isArray(value) ? many(parts.length, "item") : many(parts.length, "field");
    return h("span", { class: "es-muted" }, flatList ? clipped(jsonText(value), 60) : what);
  }
  const whole = valueText(value);
  if (whole.length <= LONG) return h("span", { class: `es-value es-${kindOf(value)}`, dir: "auto" }, whole || '""');
  const all = app.open.get(`${key} text`);
  return h(
    "span",
    { class: `es-value es-${kindOf(value)}`, dir: "auto", title: clipped(whole, 1000) },
    all ? whole : clipped(whole, LONG),
    " ",
    h(
      "button",
      { class: "es-link", act: "open-text", arg: `${key} text` },
      all ? "less" : `all ${countText(whole.length)} characters`,
    ),
  );
}

/** Makes a tree of a value; `before` is what it is compared with. */
function tree(app, scope, before, value) {
  const parts = pairs(before, value) ?? [];
  return h("ul", { class: "es-tree" }, childNodes(app, scope, [], parts, 0, `${scope} `));
}

function showState(app, step) {
  const { ui, tape } = app;
  const [before, now] = [step > 0 ? stateAt(tape, step - 1) : null, stateAt(tape, step)];
  const row = eventAt(tape, step);
  const notes = [];
  if (row?.error !== undefined)
    notes.push(
      h(
        "p",
        { class: "es-error", part: "fold-error", role: "alert" },
        "The fold failed at this event; the state is as it was before. ",
        text(row.error),
      ),
    );
  else if (!tape.moves && tape.skipped.size && !app.alive)
    notes.push(h("p", { class: "es-error" }, `This fold is Python: what-if ${NEEDS_KERNEL}.`));
  if (now === undefined)
    notes.push(
      h(
        "p",
        { class: "es-muted" },
        app.alive ? "These events are not here yet." : "These events are not in this page.",
      ),
    );
  else if (now === null)
    notes.push(h("p", { class: "es-muted" }, before ? "No row any more: this event ends the entity." : "No row yet."));
  if (app.fieldsOf !== tape) fillFields(app);
  const pinned = now ? get(app, "pinned").map((where) => pinnedNode(app, where, before, now)) : [];
  refill(
    ui.state,
    notes,
    pinned.length ? h("ul", { class: "es-tree es-pinned", part: "pinned" }, pinned) : null,
    now ? tree(app, "state", before ?? {}, now) : null,
  );
  ui.state.dataset.step = step;
}

function pinnedNode(app, where, before, now) {
  const path = pathParts(where, Object.keys(now));
  const [old, value] = [atPath(before ?? {}, path), atPath(now, path)].map((found) =>
    found === undefined ? ABSENT : found,
  );
  const needle = app.needle;
  app.needle = ""; // a search does not hide what is pinned
  const node =
    old === ABSENT && value === ABSENT
      ? h(
          "li",
          {},
          h(
            "div",
            { class: "es-node" },
            nameOfNode(app, "state", where, where),
            h("span", { class: "es-muted" }, "absent"),
            iconButton("close", `Unpin ${where}`, "pin", where),
          ),
        )
      : treeNode(app, "state", path, where, old, value, 1);
  app.needle = needle;
  return node;
}

function showEvent(app, step) {
  const { ui, tape } = app;
  const row = eventAt(tape, step);
  if (!row) {
    refill(ui.eventTools);
    const why =
      step === 0
        ? "Step 0 is before the first event."
        : app.alive
          ? "This event is not here yet."
          : "This event is not in this page.";
    return refill(ui.payload, h("p", { class: "es-muted" }, why));
  }
  const off = tape.skipped.has(row.id);
  const canSkip = tape.moves || app.alive;
  refill(
    ui.eventTools,
    h(
      "button",
      {
        act: "skip",
        arg: row.id,
        part: "skip",
        "aria-pressed": String(off),
        disabled: !canSkip,
        title: canSkip ? "Switch this event off or on (x)" : `This fold is Python: what-if ${NEEDS_KERNEL}`,
      },
      off ? "Switch on" : "Switch off",
    ),
    kernelButton(app, { act: "edit", part: "edit", label: "Edit the payload of this event" }, "Edit"),
    (row.inserted || row.edited !== undefined) &&
      kernelButton(app, { act: "undo-one", arg: row.id, part: "undo-one", label: "Put this event back" }, "Put back"),
  );
  const notes = [
    off && "switched off",
    row.inserted && "added",
    row.edited !== undefined && !row.inserted && "changed",
    tape.failing.has(row.t) && "failure",
    lateRows(tape)[row.n] && `recorded ${durationText(row.rec - row.us)} later`,
  ];
  return refill(
    ui.payload,
    h(
      "p",
      { class: "es-event-name" },
      swatch(app, row.t, codeOf(app, row.n)),
      h("b", { dir: "auto" }, tape.model.types[row.t]),
      notes.filter(Boolean).map((note) => h("span", { class: "es-tag" }, note)),
    ),
    payloadTree(app, row),
    h(
      "details",
      { class: "es-envelope", part: "envelope", open: app.envelope !== false },
      h("summary", { "data-key": "envelope", "data-lm-suppress-shortcuts": "true" }, "Envelope"),
      envelope(app, row),
    ),
  );
}

function payloadTree(app, row) {
  const full = app.full.get(row.id);
  const source = full ?? row.data;
  const cut = row.cut > 0 && full === undefined;
  const note =
    cut &&
    h(
      "p",
      { class: "es-note", part: "cut" },
      `${bytesText(source.length)} of ${bytesText(row.cut)} shown. `,
      kernelButton(app, { act: "load", arg: row.id, part: "load-all", label: "Load the whole payload" }, "load all"),
    );
  if (app.payload?.source !== source) app.payload = { source, value: parsedOr(source) };
  const { value } = app.payload;
  if (value === undefined)
    return h("div", {}, note, h("pre", { class: "es-raw", dir: "auto" }, clipped(source, 20000)));
  const empty =
    value === null || (typeof value === "object" && !(value instanceof Exact) && !Object.keys(value).length);
  if (empty) return h("p", { class: "es-muted" }, "Empty payload.");
  if (!pairs(emptyLike(value), value)) return h("p", {}, valueOfNode(app, "payload", value));
  return h("div", { part: "payload-tree" }, note, tree(app, "payload", value, value));
}

function parsedOr(source) {
  try {
    return parseExact(source);
  } catch {
    return undefined; // cut text is no JSON any more
  }
}

function envelope(app, row) {
  const { tape } = app;
  const { services, streams } = tape.model;
  const event = (id) =>
    id && [
      text(id),
      tape.rowOf.has(id)
        ? h(
            "button",
            { act: "step", arg: stepOf(tape, tape.rowOf.get(id)), class: "es-link", title: `Go to event ${id}` },
            `step ${stepOf(tape, tape.rowOf.get(id))}`,
          )
        : "",
    ];
  const lag = Number(row.rec) - Number(row.us);
  const lines = [
    ["event id", text(row.id)],
    ["service", text(services[row.s])],
    ["stream", [text(streams[row.k].at(-1)), row.ver === null ? "" : ` version ${row.ver}`]],
    ["effective at", instantText(timeAt(tape, stepOf(tape, row.n)), true)],
    Number(row.oc) !== Number(row.us) && ["occurred at", instantText(row.oc, true)],
    ["recorded at", `${instantText(row.rec, true)} (${durationText(lag)} ${lag < 0 ? "before" : "later"})`],
    ["position", String(row.pos)],
    row.cor && ["correlation", text(row.cor)],
    row.cau && ["causation", event(row.cau)],
  ];
  const meta = row.meta ? parsedOr(row.meta) : null;
  return h(
    "div",
    {},
    h(
      "dl",
      { class: "es-facts" },
      lines.filter(Boolean).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
    meta && typeof meta === "object"
      ? h("div", {}, h("p", { class: "es-muted" }, "metadata"), tree(app, "meta", meta, meta))
      : null,
  );
}

function showDiff(app) {
  const { ui } = app;
  const kind = get(app, "diff");
  for (const button of ui.diffs.children) button.setAttribute("aria-pressed", String(button.dataset.arg === kind));
  const found = diffOf(app, kind);
  const { A, B } = get(app, "marks");
  const step = stepNow(app);
  const head = {
    step: `Step ${Math.max(0, step - 1)} → ${step}`,
    marks: `Step ${A} → ${B}`,
    "what-if": `Real → what-if at step ${step}`,
  }[kind];
  ui.diff.dataset.step = step;
  if (typeof found === "string") return refill(ui.diff, h("p", { class: "es-muted" }, found));
  if (!found.length) {
    const none = h("p", { class: "es-muted" }, `${head}: no difference.`);
    return refill(ui.diff, none, kind === "step" && offNote(app, step));
  }
  const most = app.more.get("diff") ?? 200;
  return refill(
    ui.diff,
    h(
      "table",
      { class: "es-diff-table" },
      h("caption", {}, head),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["", "Field", "Old → new", "Δ", "By"].map((name) =>
            h(
              "th",
              { scope: "col", title: name || "Added, removed or changed" },
              name || h("span", { class: "es-hidden" }, "Change"),
            ),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        found.slice(0, most).map((change) => diffRow(app, change)),
      ),
    ),
    found.length > most && h("button", { act: "more", arg: "diff" }, `${countText(found.length - most)} more`),
  );
}

/** Leads from an event that does nothing to what that changes. */
function offNote(app, step) {
  if (!app.tape.skipped.has(eventAt(app.tape, step)?.id)) return null;
  const see = h("button", { class: "es-link", act: "diff", arg: "what-if", part: "see-what-if" }, "Real → what-if");
  return h("p", { class: "es-muted" }, `Event ${step} is switched off: `, see, " shows what that changes.");
}

function diffRow(app, change) {
  const delta = deltaOf(change);
  const where = pathText(change.path);
  const value = (found, style) =>
    h(
      "span",
      { class: `es-value ${style}`, dir: "auto", title: clipped(valueText(found), 1000) },
      clipped(valueText(found) || '""', 80),
    );
  const off = change.by && app.tape.skipped.has(eventAt(app.tape, change.by)?.id);
  return h(
    "tr",
    { class: `es-${change.kind}`, "data-path": where, "data-change": change.kind },
    h(
      "td",
      { class: "es-sign" },
      h("span", { role: "img", "aria-label": change.kind, title: change.kind }, SIGNS[change.kind]),
    ),
    h("th", { scope: "row" }, nameOfNode(app, "state", where, where)),
    h(
      "td",
      { class: "es-change" },
      change.kind === "added" ? null : value(change.old, "es-old"),
      change.kind === "changed" ? " → " : null,
      change.kind === "removed" ? null : value(change.now, "es-now"),
    ),
    h("td", { class: "es-delta" }, delta === undefined ? "" : signed(delta)),
    h(
      "td",
      {},
      change.by
        ? h(
            "button",
            { class: "es-link", act: "step", arg: change.by, title: `Go to step ${change.by}` },
            `${change.by} `,
            text(nameOf(app.tape, change.by)),
            off ? " (off)" : "",
          )
        : "",
    ),
  );
}
