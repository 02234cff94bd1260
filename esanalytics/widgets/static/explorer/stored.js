// What a page without Python answers.

/** Answers from what is in the page. */
function stored(sight, answers, message) {
  const { bins } = answers;
  const what = message.what;
  const exported = isSame(message.sight, sight) ? "as of the export" : "as of the export; what was chosen in this page since does not filter this";
  if (what === "fields") {
    const found = answers.fields[message.sight.type];
    return found ? { ...found, note: `${found.note || `all ${many(found.events, "event")}`}; ${exported}` } : { note: ["the fields of this type need a running kernel", answers.left_out].filter(Boolean).join("; ") };
  }
  if (what === "flows" && !answers.flows) return { note: "flows need a running kernel" };
  if (what !== "density") return { ...answers[what], note: [answers[what].note, exported].filter(Boolean).join("; ") };
  return binned(message.sight, bins, answers.code);
}

/** Tell whether two sights show the same events. */
function isSame(one, other) {
  const filter = ({ window, services, types, streams, text }) => JSON.stringify([window, services, types, streams].map((each) => each || null).concat(text || ""));
  return filter(one) === filter(other);
}

function binned(now, bins, kept) {
  const n = bins.counts.length ? bins.counts[0].length : 1;
  const width = (bins.end - bins.start) / n;
  const edges = now.window ? [Math.max(0, Math.floor((now.window[0] - bins.start) / width)), Math.min(n, Math.ceil((now.window[1] - bins.start) / width))] : [0, n];
  const at = now.by === "service" ? 0 : 1;
  const rows = new Map();
  const kinds = [];
  bins.kinds.forEach((kind, i) => {
    const inside = bins.counts[i].slice(edges[0], edges[1]);
    kinds.push([...kind, inside.reduce((a, b) => a + b, 0)]);
    if ((now.services && !now.services.includes(kind[0])) || (now.types && !now.types.includes(kind[1]))) return;
    const name = rows.size < 12 || rows.has(kind[at]) ? kind[at] : "other";
    const sums = rows.get(name) || new Array(n).fill(0);
    rows.set(name, sums.map((sum, j) => sum + bins.counts[i][j]));
  });
  const part = (from, to) => {
    const counts = [...rows.values()].map((row) => row.slice(from, to));
    const total = counts.reduce((sum, row) => sum + row.reduce((a, b) => a + b, 0), 0);
    return { start: bins.start + from * width, end: bins.start + to * width, names: [...rows.keys()], counts, total, note: "" };
  };
  const window = now.window ? [Math.round(bins.start + edges[0] * width), Math.round(bins.start + edges[1] * width)] : null;
  return { context: part(0, n), detail: part(...edges), kinds, window, python: kept.python, sql: kept.sql };
}
