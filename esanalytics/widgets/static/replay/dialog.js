// The dialog: help, code, and forms.

function openDialog(app, title, body, done) {
  const { dialog } = app.ui;
  app.dialogDone = done;
  app.dialogBack = app.root.getRootNode().activeElement;
  dialog.replaceChildren(
    h(
      "form",
      { method: "dialog", part: "dialog-form" },
      h(
        "div",
        { class: "es-panel-head" },
        h("h3", { id: `${app.uid}-title` }, title),
        h("span", { class: "es-spring" }),
        iconButton("close", "Close (Esc)", "close"),
      ),
      ...body,
      ...(done ? dialogEnd(app) : []),
    ),
  );
  dialog.setAttribute("aria-labelledby", `${app.uid}-title`);
  if (!dialog.open) dialog.showModal();
}

/** Makes the end of a form: what is wrong with it, and its buttons. */
function dialogEnd(app) {
  const { ui } = app;
  ui.trouble = h("p", { class: "es-error", part: "dialog-problem", hidden: true, role: "alert" });
  ui.done = h("button", { act: "done", part: "dialog-done", class: "es-play" }, "Save");
  return [ui.trouble, h("div", { class: "es-group es-end" }, h("button", { act: "close" }, "Cancel"), ui.done)];
}

/** Says what is wrong with a form; while its answer is awaited it cannot be saved again. */
function showTrouble(app, told, waiting = false) {
  const { trouble, done } = app.ui;
  trouble.hidden = !told;
  trouble.textContent = told;
  done.disabled = waiting;
}

function closeDialog(app) {
  if (!app.ui.dialog.open) return false;
  app.ui.dialog.close();
  app.dialogBack?.focus?.({ preventScroll: true });
  return true;
}

const HELP = [
  ["Left, Right", "one event back, forward"],
  ["Shift+Left, Right", "ten events"],
  ["Home, End", "before the first, the last event"],
  ["Space", "play or pause"],
  ["[ ]", "slower, faster"],
  ["/", "search"],
  ["n N", "next, previous match"],
  ["f F", "next, previous change of the watched field"],
  ["e E", "next, previous failure"],
  ["t T", "next, previous event of the same type"],
  ["x", "switch this event off or on"],
  ["a b", "set mark A, B"],
  ["m", "bookmark this step"],
  ["d", "the next kind of diff"],
  ["?", "this help"],
  ["Esc", "close, pause, clear the search"],
];

const BRUSH_HELP = ["On the histogram: + − 0", "zoom in, out, all; arrows move the window, Shift resizes it"];
const HELP_OF_ALL = [
  ["/", "find an entity"],
  ["Enter", "while finding: replay the first that was found"],
  ["?", "this help"],
  ["Esc", "close"],
];
const SIGNS_TOLD =
  "Hollow: switched off. Diamond: failure. Cross: the fold failed. Dashed ring: changed or added. Bar under a dot: recorded late.";

function showHelp(app) {
  const keys = [...(app.overview ? HELP_OF_ALL : HELP), BRUSH_HELP];
  openDialog(app, "Keyboard", [
    h("p", { class: "es-muted" }, "These keys work while something in this view has the focus."),
    h(
      "dl",
      { class: "es-facts" },
      keys.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]),
    ),
    h("p", { class: "es-muted" }, app.overview ? "A press on a dot replays its entity." : SIGNS_TOLD),
  ]);
}

function showCode(app, { python, sql }) {
  const block = (name, code) =>
    code &&
    h(
      "section",
      {},
      h(
        "div",
        { class: "es-panel-head" },
        h("h4", {}, name),
        h("span", { class: "es-spring" }),
        h("button", { act: "copy", arg: code, part: `copy-${name.toLowerCase()}` }, `Copy ${name}`),
      ),
      h("pre", { class: "es-code", tabIndex: 0, part: `code-${name.toLowerCase()}` }, code),
    );
  openDialog(
    app,
    "This view as code",
    [
      block("Python", python),
      block("SQL", sql),
      !python && !sql && h("p", {}, "There is no code with this page."),
    ].filter(Boolean),
  );
}

function askCode(app) {
  if (app.alive) return ask(app, "code");
  return showCode(app, app.source.code ?? {});
}

function copyText(app, value, control) {
  const done = () => {
    say(app, "Copied.");
    if (app.ui.dialog.open) toldOn(app, control, "Copied"); // what is said lies behind the dialog
  };
  const by = h("textarea", { class: "es-hidden", value });
  const fallback = () => {
    (app.ui.dialog.open ? app.ui.dialog : app.root).append(by);
    by.select();
    document.execCommand("copy");
    by.remove();
    done();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(value).then(done, fallback);
  else fallback();
}

/** Says something on a button for a while. */
function toldOn(app, button, told) {
  const { textContent } = button;
  if (textContent === told) return;
  button.textContent = told;
  later(app, 1500, () => (button.textContent = textContent));
}

const field = (label, control) => h("label", { class: "es-line" }, h("span", {}, label), control);

/** Sends a form whose payload is JSON; it stays open until the kernel has taken it. */
function sendForm(app, area, message) {
  try {
    JSON.parse(area.value);
  } catch (error) {
    showTrouble(app, `This is no JSON: ${error.message}`);
    return false;
  }
  wish(app, { ...message, data: area.value }, app.dialogDone);
  return false;
}

function editEvent(app) {
  const row = eventAt(app.tape, stepNow(app));
  if (!row) return say(app, "Go to an event first.");
  const source = app.full.get(row.id) ?? row.data;
  if (row.cut && !app.full.has(row.id)) return say(app, "Only a part of the payload is here: press 'load all' first.");
  const area = h("textarea", {
    rows: 14,
    part: "edit-payload",
    spellcheck: false,
    value: jsonText(parsedOr(source) ?? null, "\n"),
  });
  return openDialog(
    app,
    `Payload of event ${stepNow(app)}, ${app.tape.model.types[row.t]}`,
    [h("p", { class: "es-muted" }, "For this replay only; the log is not touched."), field("Payload (JSON)", area)],
    () => sendForm(app, area, { kind: "edit", id: row.id }),
  );
}

function insertEvent(app) {
  const { tape } = app;
  const step = stepNow(app);
  const row = eventAt(tape, Math.max(1, step));
  const types = h(
    "datalist",
    { id: `${app.uid}-types` },
    tape.model.types.slice(0, 500).map((name) => h("option", { value: name })),
  );
  const type = h("input", {
    type: "text",
    part: "insert-type",
    value: row ? tape.model.types[row.t] : "",
    list: types.id,
  });
  const at = h("input", {
    type: "text",
    part: "insert-at",
    value: `${instantText(timeAt(tape, step) + 1, true).replace(" ", "T")}Z`,
  });
  const stream = h(
    "select",
    { part: "insert-stream" },
    tape.model.streams
      .slice(0, 500)
      .map((each, i) => h("option", { value: i, selected: i === row?.k }, each.join(" / "))),
  );
  const area = h("textarea", { rows: 8, part: "insert-payload", spellcheck: false, value: "{}" });
  openDialog(
    app,
    "Add an event",
    [
      h("p", { class: "es-muted" }, "For this replay only; the log is not touched."),
      types,
      field("Type", type),
      field("At (UTC)", at),
      field("Stream", stream),
      field("Payload (JSON)", area),
    ],
    () => {
      const [service, id] = tape.model.streams[stream.value];
      return sendForm(app, area, { kind: "insert", type: type.value, at: at.value, service, stream: id });
    },
  );
}

function renameBookmark(app, index) {
  const bookmarks = get(app, "bookmarks");
  const input = h("input", { type: "text", part: "bookmark-label", value: bookmarks[index].label });
  openDialog(app, "Rename bookmark", [field("Label", input)], () => {
    put(app, {
      bookmarks: bookmarks.map((each, i) =>
        i === index ? { ...each, label: input.value.trim() || each.label } : each,
      ),
    });
    return true;
  });
}
