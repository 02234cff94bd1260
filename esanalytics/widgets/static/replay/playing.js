// Playing: the step follows from the clock, never from a counter.

/** Returns the steps between which is played. */
function playRange(app) {
  const { A, B } = get(app, "marks");
  const window = get(app, "window");
  if (get(app, "loop") && Number.isInteger(A) && Number.isInteger(B) && A !== B)
    return [Math.min(A, B), Math.max(A, B)];
  if (window.length) return [stepAtTime(app.tape, window[0] - 1), stepAtTime(app.tape, window[1])];
  return [0, app.tape.n];
}

function togglePlay(app) {
  put(app, { playing: !get(app, "playing") });
}

/** Begins anew where a play, whoever started it, stands at the end or outside of what is played. */
function startPlay(app) {
  if (!get(app, "playing") || !app.tape) return;
  const [low, high] = playRange(app);
  if (stepNow(app) >= high || stepNow(app) < low) put(app, { step: low });
}

/** Returns the axis along which a live play runs at one pace; null where all happens at one instant. */
function liveAxis(app, start, end) {
  if (end <= start) return null;
  return makeAxis(start, end, get(app, "fold_gaps") ? idleGaps(landmarks(app, start, end), start, end) : []);
}

/** Says how much time goes by in a second of a live play. */
function liveText(app) {
  const [low, high] = playRange(app);
  const [start, end] = [timeAt(app.tape, Math.max(1, low)), timeAt(app.tape, Math.max(1, high))];
  const part = app.tape.n && liveAxis(app, start, end)?.segments.find(({ fold }) => !fold);
  if (!part) return "live";
  const second = (get(app, "speed") / Math.max(1, high - low)) * ((part.t1 - part.t0) / (part.u1 - part.u0));
  return `live, 1 s = ${durationText(second)}`;
}

/** Notes where the play goes on from. */
function rebase(app, now, step = stepNow(app)) {
  const [low, high] = playRange(app);
  const [start, end] = [timeAt(app.tape, Math.max(1, low)), timeAt(app.tape, Math.max(1, high))];
  const axis = get(app, "pace") === "live" ? liveAxis(app, start, end) : null;
  const place = axis ? toPlace(axis, clamp(timeAt(app.tape, step), start, end)) : 0;
  app.player = { at: now, from: step, step, low, high, axis, place, seen: now };
}

function playFrame(app, now) {
  app.playing = 0;
  if (!get(app, "playing") || !app.tape) return;
  app.playing = requestAnimationFrame((next) => playFrame(app, next));
  const { player } = app;
  // A page that was hidden goes on from where it was; so does one in which somebody moved the step.
  if (!player || now - player.seen > 1000 || player.step !== stepNow(app)) rebase(app, now);
  app.player.seen = now;
  if (app.calm.matches && now - (app.lastPlayed ?? 0) < 250) return;
  app.lastPlayed = now;
  const { at, from, low, high, axis, place } = app.player;
  const done = ((now - at) / 1000) * get(app, "speed");
  const loops = get(app, "loop") && high > low;
  const count = axis ? low + (place + done / Math.max(1, high - low)) * (high - low) : from + done;
  if (count >= high + (loops ? 1 : 0)) return loops ? playFrom(app, now, low) : playTo(app, high);
  const reached = axis
    ? Math.max(from, stepAtTime(app.tape, toTime(axis, Math.min(1, (count - low) / (high - low)))))
    : Math.floor(count);
  return playTo(app, Math.min(high, reached), true);
}

function playFrom(app, now, step) {
  put(app, { step });
  rebase(app, now, step);
}

function playTo(app, step, playing = false) {
  app.player.step = step;
  put(app, playing ? { step } : { step, playing });
}
