// Messages: of each kind at most one is under way; of those that wait only the latest is kept.

const PATIENCE = 3000;

/** Sends a question; its answer is taken by `ANSWERS`. */
function ask(app, kind, body = {}, told = "") {
  if (!app.alive) return say(app, `This ${NEEDS_KERNEL}.`);
  const flight = (app.flights[kind] ??= { sent: null, next: null, timer: null });
  app.requests += 1;
  flight.next = { kind, ...body, request: app.requests, told };
  return flight.sent ? undefined : takeOff(app, flight);
}

function takeOff(app, flight) {
  if (!flight.next) return;
  [flight.sent, flight.next] = [flight.next, null];
  const { told, ...message } = flight.sent;
  post(app, message);
  flight.timer = later(app, PATIENCE, () => {
    flight.sent = null;
    say(app, "the kernel is busy; playing what is here", "warn");
    takeOff(app, flight);
  });
}

/** Ends a flight and returns what was asked; null where the answer is to an older question. */
function land(app, message) {
  const flight = app.flights[message.kind === "found" ? "find" : message.kind === "exported" ? "export" : message.kind];
  if (!flight?.sent || (message.request !== undefined && message.request !== flight.sent.request)) return null;
  const { sent } = flight;
  stop(app, flight.timer);
  flight.sent = null;
  if (app.ui.status.dataset.level === "warn") say(app, "");
  takeOff(app, flight);
  return sent;
}

/** Sends a message; what was chosen before goes first, so that the kernel answers for what is shown. */
function post(app, message) {
  try {
    if (app.saving) save(app);
    app.source.send(message);
  } catch {
    say(app, "the kernel does not answer; playing what is here", "warn");
  }
}

/** Sends a wish whose answer is a new model. */
function wish(app, message) {
  if (!app.alive) return say(app, `This ${NEEDS_KERNEL}.`);
  post(app, message);
  stop(app, app.wishing);
  app.wishing = later(app, PATIENCE, () => say(app, "the kernel is busy; playing what is here", "warn"));
  return undefined;
}

const ANSWERS = {
  chunk(app, message) {
    const sent = land(app, message);
    const { tape } = app;
    if (!tape || message.generation < tape.model.generation) return;
    const chunk = parseExact(message.text);
    addChunk(tape, chunk);
    trimChunks(tape);
    app.rowsVersion += 1;
    app.matches = app.matches && (makeMatches(app), app.matches);
    redo(app);
    const next = chunk.number + 1;
    // The next one is fetched before it is needed; one that was itself fetched so fetches no more.
    if (sent && !sent.ahead && next * tape.size < tape.n && !tape.chunks.has(next)) wantChunk(app, next, true);
  },
  found(app, message) {
    const sent = land(app, message);
    if (!sent) return;
    if (Number.isInteger(message.step)) goTo(app, message.step);
    say(
      app,
      message.note ||
        (Number.isInteger(message.step) ? "" : `No ${sent.told} ${sent.direction > 0 ? "after" : "before"} this.`),
    );
  },
  code(app, message) {
    if (land(app, message)) showCode(app, message);
  },
  payload(app, message) {
    const sent = land(app, message);
    if (!sent) return;
    app.full.set(sent.id, message.text);
    redo(app);
  },
  exported(app, message, buffers) {
    land(app, message);
    if (buffers?.length) download(app, message.name ?? "replay", buffers[0]);
    say(app, message.path ? `Saved ${message.path}` : `Saved ${message.name}`);
  },
  window(app, message) {
    if (land(app, message) && app.overview) mergeOverview(app, parseExact(message.text));
  },
  entities(app, message) {
    if (land(app, message)) showEntities(app, message.found);
  },
  note(app, message) {
    // An answer that tells what went wrong ends the question that it answers.
    const flight = Object.values(app.flights).find(({ sent }) => sent && sent.request === message.request);
    if (flight) land(app, { kind: flight.sent.kind, request: message.request });
    stop(app, app.wishing);
    say(app, message.text, message.level);
  },
};

function download(app, name, buffer) {
  const link = h("a", { href: URL.createObjectURL(new Blob([buffer])), download: name });
  link.click();
  later(app, 10000, () => URL.revokeObjectURL(link.href));
}

function say(app, told, level = "info") {
  app.ui.status.dataset.level = level;
  app.ui.status.textContent = told;
}

/** Asks for what the state at a step needs and is not here. */
function wantStep(app, step, listed = false) {
  const { tape } = app;
  if (tape.model.complete || step < 1) return;
  const missing = listed ? !eventAt(tape, step) : stateAt(tape, step) === undefined;
  if (!missing) return;
  const chunk = Math.floor((step - 1) / tape.size);
  // What the list shows can wait for the step itself.
  if (!listed || !app.flights.chunk?.next) wantChunk(app, chunk);
}

function wantChunk(app, number, ahead = false) {
  const flight = app.flights.chunk;
  if (!app.alive || flight?.sent?.number === number || flight?.next?.number === number) return;
  if (ahead && flight?.next) return;
  ask(app, "chunk", { number, generation: app.tape.model.generation, ahead });
}
