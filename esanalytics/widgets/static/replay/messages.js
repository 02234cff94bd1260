// Messages: of each kind at most one is under way; of those that wait only the latest is kept. An answer may come late,
// when the tape is not the one any more that was asked about; then it is dropped, and asked for again.

const PATIENCE = 3000;
const BUSY = "the kernel is busy; playing what is here";
const ABOUT_TAPE = new Set(["chunk", "payload", "find", "code"]);

/** Names a question: other displays of the same view hear its answer too, and must not take it for theirs. */
function newRequest(app) {
  app.requests += 1;
  return `${app.prefix}-${app.requests}`;
}

const isOwn = (app, { request }) => String(request).startsWith(`${app.prefix}-`);

/** Sends a question with what is to be remembered with it; its answer is taken by `ANSWERS`. */
function ask(app, kind, body = {}, notes = {}) {
  if (!app.alive) return say(app, `This ${NEEDS_KERNEL}.`);
  const flight = (app.flights[kind] ??= { sent: null, next: null, timer: null, late: false });
  flight.next = { notes, body, message: { kind, ...body, request: newRequest(app) }, version: app.tapeVersion };
  return flight.sent && !flight.late ? undefined : takeOff(app, flight);
}

function takeOff(app, flight) {
  if (!flight.next) return;
  stop(app, flight.timer);
  [flight.sent, flight.next, flight.late] = [flight.next, null, false];
  flight.timer = later(app, PATIENCE, () => {
    flight.late = true; // its answer is still good, but whoever asks again does not wait for it
    say(app, BUSY, "warn");
  });
  post(app, flight.sent.message);
}

/** Ends a flight and returns what was asked; null where the answer is to another question, or about what was before. */
function land(app, kind, message) {
  const flight = app.flights[kind];
  if (!flight?.sent || !isAnswer(flight.sent.message, message)) return null;
  const { sent } = flight;
  stop(app, flight.timer);
  flight.sent = null;
  if (app.ui.status.dataset.level === "warn") say(app, "");
  takeOff(app, flight);
  if (sent.version === app.tapeVersion || !ABOUT_TAPE.has(kind)) return sent;
  // What is still needed of chunks is asked for by who shows it.
  if (kind === "chunk") {
    app.rowsVersion += 1;
    redo(app);
  } else if (!flight.sent) ask(app, kind, sent.body, sent.notes);
  return null;
}

/** A chunk says which one it is, so that it needs no name of its question. */
const isAnswer = (sent, { request, number }) => (request == null ? number === sent.number : request === sent.request);

/** Forgets all questions: their answers are about something else now. */
function cancelFlights(app) {
  for (const { timer } of Object.values(app.flights)) stop(app, timer);
  app.flights = {};
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

/** Sends a wish whose answer is a new model, or a note; `form` is the dialog that stays open until then. */
function wish(app, message, form = null) {
  if (!app.alive) return say(app, `This ${NEEDS_KERNEL}.`);
  stop(app, app.wish?.timer);
  const timer = later(app, PATIENCE, () => tellWish(app, form, BUSY, "warn"));
  app.wish = { request: newRequest(app), form, timer };
  if (form) showTrouble(app, "", true);
  post(app, { ...message, request: app.wish.request });
  return undefined;
}

const inDialog = (app, form) => form && app.ui.dialog.open && app.dialogDone === form;

function tellWish(app, form, told, level) {
  if (inDialog(app, form)) showTrouble(app, told, level === "warn");
  say(app, told, level);
}

/** Ends a wish: it was granted, or a note says why it was not; what was typed stays for another try. */
function endWish(app, told = "", level = "info") {
  if (!app.wish) return;
  const { form, timer } = app.wish;
  stop(app, timer);
  app.wish = null;
  if (level !== "error" && inDialog(app, form)) closeDialog(app);
  tellWish(app, form, told, level);
}

const ANSWERS = {
  chunk(app, message) {
    const sent = land(app, "chunk", message);
    if (!sent) return;
    const { tape } = app;
    const chunk = parseExact(message.text);
    addChunk(tape, chunk);
    trimChunks(tape);
    app.rowsVersion += 1;
    app.matches = app.matches && (makeMatches(app), app.matches);
    redo(app);
    const next = chunk.number + 1;
    // The next one is fetched before it is needed; one that was itself fetched so fetches no more.
    if (!sent.notes.ahead && next * tape.size < tape.n && !tape.chunks.has(next)) wantChunk(app, next, true);
  },
  found(app, message) {
    const sent = land(app, "find", message);
    if (!sent) return;
    const { step, note } = message;
    if (!Number.isInteger(step)) return say(app, note || noneFound(sent.notes.told, sent.body));
    goTo(app, step);
    say(app, note || (step === 0 && sent.body.what === "instant" ? BEFORE_FIRST : ""));
  },
  code(app, message) {
    if (land(app, "code", message)) showCode(app, message);
  },
  payload(app, message) {
    const sent = land(app, "payload", message);
    if (!sent) return;
    app.full.set(sent.body.id, message.text);
    redo(app);
  },
  exported(app, message) {
    // It is written, even if something else is shown by now.
    if (land(app, "export", message) || isOwn(app, message)) say(app, `Saved ${message.path}`);
  },
  window(app, message) {
    const sent = land(app, "window", message);
    if (sent && app.overview) mergeOverview(app, parseExact(message.text), sent.notes);
  },
  entities(app, message) {
    if (land(app, "entities", message) && app.overview) showEntities(app, message.found);
  },
  note(app, message) {
    const { request = null, text: told = "", level = "info" } = message;
    if (request !== null && !isOwn(app, message)) return;
    // An answer that tells what went wrong ends the question that it answers.
    const kind = Object.keys(app.flights).find((each) => app.flights[each].sent?.message.request === request);
    if (kind) land(app, kind, message);
    else if (app.wish && (request === null || request === app.wish.request)) return endWish(app, told, level);
    say(app, told, level);
  },
};

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
  const flight = app.flights.chunk;
  // What the list shows can wait for the step itself.
  if (!listed || !(flight?.next || flight?.late)) wantChunk(app, Math.floor((step - 1) / tape.size));
}

function wantChunk(app, number, ahead = false) {
  const flight = app.flights.chunk;
  const underWay = (each) => each && each.body.number === number && each.version === app.tapeVersion;
  if (!app.alive || underWay(flight?.sent) || underWay(flight?.next)) return;
  if (ahead && flight?.next) return;
  ask(app, "chunk", { number }, { ahead });
}
