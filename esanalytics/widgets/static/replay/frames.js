// Frames: whatever is to be done again is done once, in order; the picture first, the panels right after it.

function redo(app, ...what) {
  for (const each of what) app.dirty.add(each);
  app.frame ||= requestAnimationFrame(() => frame(app));
}

function frame(app) {
  app.frame = 0;
  const todo = app.dirty;
  app.dirty = new Set();
  if (todo.has("theme") && readTheme(app)) todo.add("bitmaps");
  if (todo.size === 1 && todo.has("brush")) return paintBrush(app);
  if (app.overview) return drawOverview(app);
  if (!app.tape) return undefined;
  if (todo.has("layout") && !layOut(app)) return undefined; // not shown: the resize observer tells when it is
  if (!app.axis) return undefined;
  if (todo.has("layout") || todo.has("bitmaps")) drawBitmaps(app);
  if (["layout", "bitmaps", "chrome"].some((each) => todo.has(each))) showChrome(app);
  if (todo.has("list") || !app.list) makeList(app);
  paint(app);
  showPlace(app);
  tell(app, "es-paint");
  holdFocus(app);
  app.panels ??= later(app, 0, () => showPanels(app));
  return undefined;
}

/** Draws the window that is being dragged, and nothing else. */
function paintBrush(app) {
  if (app.overview?.bars) paintAllDensity(app);
  else if (app.tape && app.axis) paintDensity(app, stepNow(app));
}

/** Gives the focus to the timeline where the control that had it is gone: keys go on working. */
function holdFocus(app) {
  const active = app.root.getRootNode().activeElement;
  if (app.inside && (!active || active === document.body)) app.ui.stage.focus({ preventScroll: true });
}

/** Notes whether the focus is inside; a control that is taken away does not take the focus with it. */
function watchFocus(app) {
  app.on(app.root, "focusin", () => (app.inside = true));
  app.on(app.root, "focusout", ({ target, relatedTarget }) => {
    const gone = !target.isConnected || target.getClientRects().length === 0;
    if (relatedTarget ? !app.root.contains(relatedTarget) : !gone) app.inside = false;
  });
}

const tell = (app, name) =>
  app.el.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: { step: stepNow(app) } }));
