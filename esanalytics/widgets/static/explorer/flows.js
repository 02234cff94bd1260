// What follows what: a map that two sliders thin, and the ways that streams go.

const SVG = "http://www.w3.org/2000/svg";
const SCALE = 1.3; // of the layout's points
const LEAST = 0.75; // of the natural size, below which the map is scrolled instead
const MARGIN = 12;

function shape(tag, attributes = {}, ...children) {
  const found = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") found.textContent = value;
    else found.setAttribute(name, value);
  }
  found.append(...children);
  return found;
}

/** Keep the biggest types and the most frequent connections; a type keeps its most frequent one in and out. */
function thinned(data, types, share) {
  const among = data.edges.map((edge, index) => ({ edge, index })).filter(({ edge }) => Math.max(edge[0], edge[1]) < types);
  const wanted = Math.round((share / 100) * among.length);
  const [out, into] = [new Set(), new Set()];
  const edges = new Set();
  among.forEach(({ edge: [before, after], index }, nth) => {
    const first = before !== after && (!out.has(before) || !into.has(after));
    if (before !== after) { out.add(before); into.add(after); }
    if (nth < wanted || first) edges.add(index);
  });
  return { types, edges, among: among.length };
}

/** Measure the room that boxes, lines and labels take. */
function around(nodes, edges) {
  const points = [
    ...nodes.flatMap(([, x, y, half, high]) => [[x - half, y - high], [x + half, y + high]]),
    ...edges.flatMap(([, curve, text, x, y]) => [...curve, [x - 2.4 * text.length, y], [x + 2.4 * text.length, y]]),
  ];
  const [left, top] = [0, 1].map((at) => Math.min(...points.map((point) => point[at])) - MARGIN);
  const [right, bottom] = [0, 1].map((at) => Math.max(...points.map((point) => point[at])) + MARGIN);
  return [left, top, right - left, bottom - top];
}

/** Write a sequence of types, those that repeat once. */
function sequence(types, events) {
  const runs = [];
  for (const type of types) {
    const last = runs[runs.length - 1];
    if (last && last[0] === type) last[1] += 1;
    else runs.push([type, 1]);
  }
  const parts = runs.map(([type, n]) => (n > 1 ? `${type} ×${n}` : type));
  if (events > types.length) parts.push(`… and ${count(events - types.length)} more`);
  return parts.join(" → ");
}

class Flows {
  constructor(view, panel) {
    this.view = view;
    this.panel = panel;
    this.id = `${panel.id}-map`;
    this.serial = 0;
    this.types = this.slider("Types", () => this.thin());
    this.connections = this.slider("Connections", () => this.thin());
    this.connections.range.max = "100";
    this.said = make("p", { class: "sum" });
    this.picture = make("div", { class: "scroll map", tabindex: "0", role: "region", "aria-label": "map of what follows what" });
    this.listed = make("div");
    this.list = make("details", { ontoggle: () => this.paintList() }, make("summary", { text: "The connections as a table" }), this.listed);
    this.variants = make("div");
    this.body = make("div", {},
      make("h3", { text: "What directly follows what in a stream" }),
      make("div", { class: "bar" }, this.types.label, this.connections.label), this.said, this.picture, this.list,
      make("h3", { text: "Variants: streams with the same types in the same order" }), this.variants);
  }

  slider(name, act) {
    const range = make("input", { type: "range", min: "0", max: "0", step: "1", oninput: act });
    const output = make("span", { class: "num" });
    return { range, output, label: make("label", { class: "thin" }, make("span", { text: name }), range, output) };
  }

  close() { clearTimeout(this.later); }

  show(data) {
    if (!data.nodes) { this.panel.replaceChildren(make("p", { text: data.note })); return; }
    const first = !this.data;
    this.serial += 1;
    const all = first || Number(this.types.range.value) === this.data.nodes.length;
    this.data = data;
    this.map = data.map;
    const most = data.nodes.length;
    this.types.range.min = String(Math.min(1, most));
    this.types.range.max = String(most);
    this.types.range.value = String(all ? most : Math.min(most, Number(this.types.range.value)));
    if (first || !this.moved) this.connections.range.value = String(data.connections);
    this.types.range.disabled = most < 2;
    this.connections.range.disabled = !data.edges.length;
    if (this.body.parentElement !== this.panel) this.panel.replaceChildren(this.body);
    this.paint();
    this.paintVariants();
  }

  thin() {
    this.moved = true;
    this.paint();
  }

  /** Draw what the sliders leave, as far as it has a place; where some has none, or much room is empty, ask for places. */
  paint() {
    this.kept = thinned(this.data, Number(this.types.range.value), Number(this.connections.range.value));
    this.paintWords();
    this.draw();
    this.paintList();
    clearTimeout(this.later);
    if (this.view.port.live && !this.fits()) this.later = setTimeout(() => this.view.ask("layout", this.question()), DEBOUNCE);
  }

  fits() {
    return this.map.nodes.length === this.kept.types && this.map.edges.length === this.kept.edges.size
      && this.map.edges.every(([index]) => this.kept.edges.has(index));
  }

  question() {
    return {
      of: this.serial,
      nodes: this.data.nodes.slice(0, this.kept.types),
      edges: [...this.kept.edges].sort((a, b) => a - b).map((index) => [index, ...this.data.edges[index]]),
    };
  }

  placed(map) {
    if (map.of !== this.serial) return; // places of what was shown before
    this.map = map;
    this.draw();
  }

  paintWords() {
    const { types, edges, among } = this.kept;
    const shown = [`${types} of ${many(this.data.types, "type")}`, `${edges.size} of ${many(this.data.nodes.length === types ? this.data.total : among, "connection")}`];
    [this.types, this.connections].forEach(({ range, output }, i) => {
      output.textContent = shown[i];
      range.setAttribute("aria-valuetext", shown[i]);
    });
    const steps = [...edges].reduce((sum, index) => sum + this.data.edges[index][2], 0);
    const part = this.data.steps ? `${Math.round((1000 * steps) / this.data.steps) / 10} % of ${many(this.data.steps, "step")}` : "no steps: no stream has two events";
    this.said.textContent = [part, this.data.note, "▶ streams that begin there, ■ that end there; on a connection: how often, and the median time between"].filter(Boolean).join("; ");
  }

  draw() {
    const { map, kept, data } = this;
    if (!data.nodes.length) { this.picture.replaceChildren(make("p", { text: "no events" })); return; }
    const arrow = `${this.id}-arrow`;
    const shown = map.edges.filter(([index]) => kept.edges.has(index));
    const heaviest = Math.max(1, ...shown.map(([index]) => data.edges[index][2]));
    const biggest = Math.max(1, ...data.nodes.map((node) => node[2]));
    const lines = shown.map(([index, curve]) => this.line(data.edges[index], curve, heaviest, arrow));
    const labels = shown.map(([, , text, x, y]) => shape("text", { x, y, class: "gap", text }));
    const boxes = map.nodes.filter(([index]) => index < kept.types).map((node) => this.box(node, biggest));
    const [left, top, width, height] = around(map.nodes.filter(([index]) => index < kept.types), shown);
    const head = shape("marker", { id: arrow, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" },
      shape("path", { d: "M0 0.5L8 4L0 7.5z", class: "head" }));
    const most = [...kept.edges].slice(0, 3).map((index) => this.told(data.edges[index])).join("; ");
    const label = `map: ${many(kept.types, "type")}, ${many(kept.edges.size, "connection")}${most ? `; the most frequent: ${most}` : ""}`;
    const svg = shape("svg", { viewBox: `${left} ${top} ${width} ${height}`, role: "img", "aria-label": label }, shape("defs", {}, head), ...lines, ...labels, ...boxes);
    svg.style.width = `max(${Math.round(width * SCALE * LEAST)}px, min(100%, ${Math.round(width * SCALE)}px))`;
    this.picture.replaceChildren(svg);
  }

  told([before, after, n, gap]) {
    const [a, b] = [before, after].map((index) => this.data.nodes[index][1]);
    return `${a} then ${b}, ${many(n, "time")}, median ${span(gap)} between`;
  }

  line(edge, curve, heaviest, arrow) {
    const points = curve.map(([x, y]) => `${x} ${y}`);
    const d = `M${points[0]}C${points.slice(1).join(" ")}`;
    const path = shape("path", { d, class: "edge", "marker-end": `url(#${arrow})`, "stroke-width": 0.9 + (4 * edge[2]) / heaviest });
    path.append(shape("title", { text: this.told(edge) }));
    return path;
  }

  box([index, x, y, half, high, name, line], biggest) {
    const [service, type, events, starts, ends] = this.data.nodes[index];
    const much = Math.round(8 + 30 * Math.sqrt(events / biggest));
    const told = `${type} of ${service}: ${many(events, "event")}, ${many(starts, "stream")} begin and ${count(ends)} end here`;
    const rect = shape("rect", { x: x - half, y: y - high, width: 2 * half, height: 2 * high, rx: 6 });
    rect.style.fill = `color-mix(in srgb, var(--ea-k0) ${much}%, var(--ea-bg))`;
    return shape("g", { class: "node" }, shape("title", { text: told }), rect,
      shape("text", { x, y: y - 3, class: "name", text: name }), shape("text", { x, y: y + 10, class: "line", text: line }));
  }

  paintList() {
    if (!this.list.open || !this.data) return;
    const rows = [...this.kept.edges].sort((a, b) => a - b).map((index) => {
      const [before, after, n, gap] = this.data.edges[index];
      return [this.data.nodes[before][1], this.data.nodes[after][1], this.data.nodes[before][0], count(n), span(gap)];
    });
    const heads = [["type"], ["then"], ["service"], ["times", "num"], ["median time between", "num"]];
    this.listed.replaceChildren(this.view.table(many(rows.length, "connection"), heads, rows));
  }

  paintVariants() {
    const { rows, streams, different } = this.data.variants;
    const cells = rows.map(([service, types, events, n]) => {
      const share = n / streams;
      const bar = make("span", { class: "part" }, make("span", { class: "share", "aria-hidden": "true" }, make("i", { style: `width:${Math.round(share * 100)}%` })),
        make("span", { text: `${share < 0.001 ? "<0.1" : Math.round(share * 1000) / 10} %` }));
      return [bar, count(n), count(events), sequence(types, events), service];
    });
    const sum = rows.reduce((total, row) => total + row[3], 0);
    const part = streams ? `, with ${Math.round((1000 * sum) / streams) / 10} % of ${many(streams, "stream")}` : "";
    const caption = [`${rows.length < different ? `the ${rows.length} most frequent of ` : ""}${many(different, "variant")}${part}`, this.data.note].filter(Boolean).join("; ");
    const heads = [["share"], ["streams", "num"], ["events of each", "num"], ["types in order", "way"], ["service"]];
    this.variants.replaceChildren(this.view.table(caption, heads, cells));
  }
}
