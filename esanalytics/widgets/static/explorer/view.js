// The view.

let views = 0;

class Explorer {
  constructor(el, port) {
    this.port = port;
    this.id = `ea-explore-${(views += 1)}`;
    this.whole = JSON.parse(port.overview());
    this.density = this.whole.density;
    this.sight = { ...port.sight() };
    this.tab = this.sight.type ? "fields" : "events";
    this.asked = {};
    this.requests = 0;
    this.root = make("section", { class: "ea-view ea-explore", "aria-label": "Explorer of an event log" });
    this.inner = make("div", { class: "inner" });
    this.root.append(this.inner);
    el.append(this.root);
    this.build();
    this.flows = new Flows(this, this.panels.flows);
    this.paint();
    this.ask(this.tab);
    this.resized = new ResizeObserver(() => this.drawCharts());
    this.resized.observe(this.root);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.drawCharts();
    this.scheme.addEventListener("change", this.recolour);
    this.themed = new MutationObserver(this.recolour);
    this.themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  }

  close() {
    this.resized.disconnect();
    this.themed.disconnect();
    this.scheme.removeEventListener("change", this.recolour);
    clearTimeout(this.later);
    clearTimeout(this.typed);
    clearTimeout(this.redraw);
    this.forget();
    this.flows.close();
    this.root.remove();
  }

  // ---- what stands where

  build() {
    this.sum = make("span", { class: "sum" });
    const refresh = make("button", { type: "button", text: "Refresh", title: "read what the store holds now", onclick: () => this.refresh() });
    this.status = make("div", { class: "status", role: "status", "aria-live": "polite" });
    this.inner.append(
      make("header", {}, make("h2", { text: "What is in this store" }), this.sum, this.status, ...(this.port.live ? [refresh] : [])),
      this.buildCharts(), make("div", { class: "body" }, this.buildFilters(), this.buildTabs()),
    );
    this.root.addEventListener("keydown", (event) => {
      if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Escape", "Enter", " ", "PageUp", "PageDown"].includes(event.key)) event.stopPropagation();
      else if (event.target.tagName === "INPUT") event.stopPropagation();
    });
  }

  buildCharts() {
    this.detail = make("canvas", { role: "img" });
    this.context = make("canvas", { role: "img" });
    this.big = make("div", { class: "plot" }, this.detail);
    this.band = make("div", { class: "band" });
    this.dragged = make("div", { class: "band", hidden: true });
    this.big.append(this.dragged);
    this.edges = ["start", "end"].map((name) => make("div", {
      class: "edge", role: "slider", tabindex: "0", "aria-label": `${name} of the brush`, "aria-orientation": "horizontal",
      title: "arrow keys move it, with Shift further; Alt moves both; Home and End: to the ends; Escape: all time",
      onkeydown: (event) => this.edgeKey(event, name),
    }));
    this.small = make("div", { class: "plot small" }, this.context, this.band, ...this.edges);
    this.dragOn(this.small, () => this.bounds(), false);
    this.dragOn(this.big, () => this.shownBounds(), true);
    this.axis = make("div", { class: "axis", "aria-hidden": "true" });
    this.legend = make("ul", { class: "legend", "aria-label": "colours" });
    const by = (name) => make("button", { type: "button", text: `by ${name}`, "data-by": name, onclick: () => this.change({ by: name }) });
    this.bys = [by("type"), by("service")];
    this.all = make("button", { type: "button", text: "All time", onclick: () => this.change({ window: null }) });
    this.nearer = make("button", { type: "button", text: "Zoom in", onclick: () => this.zoom(0.5) });
    this.farther = make("button", { type: "button", text: "Zoom out", onclick: () => this.zoom(2) });
    this.where = make("span", { class: "sum" });
    return make("div", { class: "charts" },
      make("div", { class: "bar" }, this.where, make("span", { class: "grow" }), ...this.bys, this.nearer, this.farther, this.all),
      this.big, this.axis, this.small, this.legend);
  }

  buildFilters() {
    this.search = make("input", {
      type: "search", class: "filter", "aria-label": "search in ids, types and payloads", placeholder: this.port.live ? "Search ids, types, payloads" : `Search ${KERNEL}`,
      title: this.reason(), disabled: !this.port.live,
      oninput: () => { clearTimeout(this.typed); this.typed = setTimeout(() => this.searched(), TYPING); },
      onkeydown: (event) => { if (event.key === "Enter") { clearTimeout(this.typed); this.searched(); } },
    });
    this.lists = { services: this.buildChoice("services", "Services"), types: this.buildChoice("types", "Types") };
    this.clear = make("button", { type: "button", text: "Clear filters", onclick: () => this.change({ services: null, types: null, streams: null, text: "" }) });
    return make("div", { role: "group", "aria-label": "filters" }, this.search, this.lists.services.box, this.lists.types.box, this.clear);
  }

  buildChoice(what, title) {
    const find = make("input", { type: "search", class: "filter", "aria-label": `find ${what}`, placeholder: `Find ${what}`, hidden: true, oninput: () => this.paintChoices(what) });
    const list = make("div", { class: "choices" });
    return { box: make("fieldset", {}, make("legend", { text: title }), find, list), find, list, rows: new Map() };
  }

  buildTabs() {
    this.tabs = TABS.map(([name, title]) => make("button", {
      type: "button", role: "tab", text: title, id: `${this.id}-tab-${name}`, "aria-controls": `${this.id}-${name}`,
      onclick: () => this.open(name), onkeydown: (event) => this.tabKey(event),
    }));
    this.panels = Object.fromEntries(TABS.map(([name]) => [name, make("div", {
      role: "tabpanel", id: `${this.id}-${name}`, "aria-labelledby": `${this.id}-tab-${name}`,
    })]));
    return make("div", {}, make("div", { role: "tablist", "aria-label": "contents" }, ...this.tabs), ...Object.values(this.panels));
  }

  tabKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const names = TABS.map(([name]) => name);
    const at = names.indexOf(this.tab);
    const to = event.key === "Home" ? 0 : event.key === "End" ? names.length - 1 : step ? (at + step + names.length) % names.length : -1;
    if (to < 0) return;
    event.preventDefault();
    this.open(names[to]);
    this.tabs[to].focus();
  }

  open(name) {
    this.tab = name;
    this.paintTabs();
    this.ask(name);
  }

  // ---- where one looks

  bounds() { const [a, b] = this.whole.span; return [a, Math.max(b, a + 1)]; }
  window() { return this.sight.window || this.bounds(); }
  shownBounds() { const d = this.density.detail; return this.sight.window ? [d.start, Math.max(d.end, d.start + 1)] : this.bounds(); }

  change(parts, { snap = true } = {}) {
    if ("window" in parts && parts.window) parts.window = this.clipped(parts.window);
    this.sight = { ...this.sight, page: 0, ...parts };
    this.say("");
    this.paint();
    clearTimeout(this.later);
    this.later = setTimeout(() => { this.port.setSight(this.sight); this.ask("density", { snap }); this.ask(this.tab); }, DEBOUNCE);
  }

  clipped([a, b]) {
    const [start, end] = this.bounds();
    const low = Math.max(start, Math.min(Math.round(a), end - 1));
    const high = Math.min(end, Math.max(Math.round(b), low + 1));
    return low <= start && high >= end ? null : [low, high];
  }

  zoom(factor) {
    const [a, b] = this.window();
    const half = ((b - a) * factor) / 2;
    this.change({ window: [(a + b) / 2 - half, (a + b) / 2 + half] });
  }

  searched() { if (this.search.value !== this.sight.text) this.change({ text: this.search.value }); }

  /** Let a drag over a plot choose a window; over the band of the small plot, move it. */
  dragOn(plot, bounds, zooming) {
    plot.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const box = plot.getBoundingClientRect();
      const [start, end] = bounds();
      const at = (e) => start + ((end - start) * Math.max(0, Math.min(e.clientX - box.left, box.width))) / box.width;
      const edge = this.edges.indexOf(event.target);
      const [a, b] = this.window();
      const from = edge >= 0 ? (edge ? a : b) : at(event);
      const inside = !zooming && event.target === this.band && this.sight.window;
      let moved = false;
      const move = (e) => {
        if (!moved && Math.abs(e.clientX - event.clientX) < 3) return;
        moved = true;
        const to = at(e);
        const found = inside ? [a + to - from, b + to - from] : [Math.min(from, to), Math.max(from, to)];
        if (zooming) this.paintDragged(found, start, end);
        else this.change({ window: found });
      };
      const stop = (e) => {
        plot.removeEventListener("pointermove", move);
        plot.removeEventListener("pointerup", stop);
        plot.removeEventListener("pointercancel", stop);
        this.dragged.hidden = true;
        if (moved && zooming && e.type === "pointerup") this.change({ window: [Math.min(from, at(e)), Math.max(from, at(e))] });
      };
      plot.setPointerCapture(event.pointerId);
      plot.addEventListener("pointermove", move);
      plot.addEventListener("pointerup", stop);
      plot.addEventListener("pointercancel", stop);
    });
    plot.addEventListener("dblclick", () => this.change({ window: null }));
  }

  paintDragged([a, b], start, end) {
    this.dragged.hidden = false;
    this.dragged.style.left = `${(100 * (a - start)) / (end - start)}%`;
    this.dragged.style.width = `${(100 * (b - a)) / (end - start)}%`;
  }

  edgeKey(event, name) {
    const [start, end] = this.bounds();
    const [a, b] = this.window();
    const step = ((end - start) / 100) * (event.shiftKey ? 10 : 1);
    const by = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageUp: 10 * step, PageDown: -10 * step }[event.key];
    if (event.key === "Escape") { event.preventDefault(); this.change({ window: null }); return; }
    if (by === undefined && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    const moved = (edge) => (event.key === "Home" ? start : event.key === "End" ? end : edge + by);
    if (event.altKey && by !== undefined) {
      const kept = Math.max(start - a, Math.min(by, end - b));
      this.change({ window: [a + kept, b + kept] });
    } else if (name === "start") this.change({ window: [Math.min(moved(a), b - step / 10), b] });
    else this.change({ window: [a, Math.max(moved(b), a + step / 10)] });
  }

  // ---- asking

  send(what, more = {}) {
    this.requests += 1;
    const request = this.requests;
    if (this.asked[what]) clearTimeout(this.asked[what].timer);
    this.asked[what] = { request, timer: setTimeout(() => this.overdue(what), PATIENCE) };
    this.port.send({ kind: ["refresh", "replay"].includes(what) ? what : "ask", what, request, sight: this.sight, ...more });
  }

  /** A question that waits for long holds no newer one back; its answer counts as long as there is no newer one. */
  overdue(what) {
    const asked = this.asked[what];
    asked.late = true;
    this.say(this.sight.text ? "searching all payloads; this may take a while" : "the kernel is busy; this shows what is here", false, true);
    if (asked.next) this.send(what, asked.next);
  }

  /** One question of a kind at a time; of those that come meanwhile, the last. */
  ask(what, more = {}) {
    if (what === "code") { this.paintCode(); return; }
    if (what === "fields" && !this.sight.type) { this.paintFields(null); return; }
    const asked = this.asked[what];
    if (asked && !asked.late) { asked.next = more; return; }
    if (this.panels[what]) this.panels[what].setAttribute("aria-busy", "true");
    this.send(what, more);
  }

  /** Wait for no answer any more: who was asked is not there, or knew something else. */
  forget(kept = "") {
    for (const what of Object.keys(this.asked).filter((each) => each !== kept)) {
      clearTimeout(this.asked[what].timer);
      delete this.asked[what];
    }
    for (const panel of Object.values(this.panels)) panel.removeAttribute("aria-busy");
  }

  refresh() {
    this.forget();
    this.renewed = false;
    this.send("refresh");
  }

  answered(message) {
    const asked = this.asked[message.what];
    if (!asked || asked.request !== message.request) return;
    clearTimeout(asked.timer);
    delete this.asked[message.what];
    const panel = this.panels[message.what];
    if (panel) panel.removeAttribute("aria-busy");
    if (message.kind === "failed") this.say(`${message.text} — what is shown stays; Refresh tries again`, true);
    if (asked.next) { this.ask(message.what, asked.next); return; }
    if (message.kind === "failed") return;
    if (this.bad || this.waiting) this.say("");
    this.show(message.what, message.data);
  }

  show(what, data) {
    const shows = {
      density: () => this.paintDensity(data), kinds: () => this.paintKinds(data), streams: () => this.paintStreams(data),
      events: () => this.paintEvents(data), fields: () => this.paintFields(data), payload: () => this.paintPayload(data),
      flows: () => this.flows.show(data), layout: () => this.flows.placed(data),
      refresh: () => this.refreshed(data.text), replay: () => this.say("the replay is shown beneath"),
    };
    if (shows[what]) shows[what]();
  }

  refreshed(text) {
    this.say(text);
    if (!this.renewed) { this.ask("density", { snap: false }); this.ask(this.tab); }
  }

  say(text, bad = false, waiting = false) {
    this.bad = bad;
    this.waiting = waiting;
    this.status.textContent = text;
    this.status.classList.toggle("bad", bad);
  }

  sightChanged() {
    const found = this.port.sight();
    if (JSON.stringify(found) === JSON.stringify(this.sight)) return;
    this.sight = { ...found };
    this.search.value = this.sight.text || "";
    this.paint();
    this.ask("density", { snap: false });
    this.ask(this.tab);
  }

  overviewChanged() {
    this.forget("refresh");
    this.renewed = true;
    this.whole = JSON.parse(this.port.overview());
    this.density = this.whole.density;
    this.paint();
    this.ask(this.tab);
  }

  // ---- painting

  /** The names that have a colour of their own: the biggest of what is filtered, as in the plots. */
  kept() {
    const { names, counts } = this.density.context;
    const sums = new Map(names.map((name, i) => [name, counts[i].reduce((a, b) => a + b, 0)]));
    const own = names.filter((name) => name !== "other" && name !== "(other)");
    return own.sort((a, b) => sums.get(b) - sums.get(a) || (a < b ? -1 : 1)).slice(0, COLOURS);
  }

  colour(name) {
    const at = this.kept().indexOf(name);
    return at < 0 ? "--ea-rest" : `--ea-k${at}`;
  }

  /** Resolve a colour: a canvas does not know light-dark(). */
  resolved(name) {
    if (!this.probe) { this.probe = make("i", { hidden: true }); this.inner.append(this.probe); }
    this.probe.style.color = `var(${this.colour(name)})`;
    return getComputedStyle(this.probe).color;
  }

  paint() {
    const { events, services, kinds } = this.whole;
    const types = new Set(kinds.map((row) => row[1])).size;
    this.root.setAttribute("data-theme", this.port.theme());
    this.sum.textContent = events
      ? `${many(events, "event")} · ${many(services.length, "service")} · ${many(types, "type")}`
      : "an empty log: no events yet";
    this.search.value = this.sight.text || this.search.value;
    if (!this.sight.text && document.activeElement !== this.search) this.search.value = "";
    this.paintBrush();
    this.paintChoices("services");
    this.paintChoices("types");
    this.paintTabs();
    this.paintLegend();
    this.drawCharts();
    if (this.tab === "code") this.paintCode();
  }

  paintBrush() {
    const [start, end] = this.bounds();
    const window = this.window();
    const [a, b] = window.map((us) => (100 * (us - start)) / (end - start));
    const chosen = Boolean(this.sight.window);
    this.band.style.left = `${a}%`;
    this.band.style.width = `${Math.max(0.2, b - a)}%`;
    this.band.hidden = !chosen;
    this.edges.forEach((edge, i) => {
      edge.style.left = `${[a, b][i]}%`;
      edge.setAttribute("aria-valuemin", "0");
      edge.setAttribute("aria-valuemax", "100");
      edge.setAttribute("aria-valuenow", String(Math.round([a, b][i] * 10) / 10));
      edge.setAttribute("aria-valuetext", `${time(window[i] - i)} UTC`);
    });
    this.all.disabled = !chosen;
    this.farther.disabled = !chosen;
    this.nearer.disabled = window[1] - window[0] < 2;
    for (const button of this.bys) button.setAttribute("aria-pressed", String(button.dataset.by === this.sight.by));
    this.where.textContent = this.whole.events
      ? `${many(this.total(), "event")} shown · ${span(window[1] - window[0])}`
      : "";
    const narrowed = ["services", "types", "streams"].some((name) => this.sight[name]) || this.sight.text;
    this.clear.disabled = !narrowed;
  }

  total() {
    const { services, types } = this.sight;
    return this.density.kinds.reduce((sum, [service, type, n]) =>
      sum + ((!services || services.includes(service)) && (!types || types.includes(type)) ? n : 0), 0);
  }

  drawCharts() {
    if (this.big.clientWidth < 8) { // not laid out: a tab behind others, a theme that is being loaded
      clearTimeout(this.redraw);
      if (this.root.isConnected) this.redraw = setTimeout(() => this.drawCharts(), 200);
      return;
    }
    const colours = (name) => this.resolved(name);
    const kept = this.kept();
    const [most, bins] = draw(this.detail, squeezed(this.density.detail, kept), colours);
    draw(this.context, squeezed(this.density.context, kept), colours);
    const [a, b] = this.shownBounds();
    const label = `${many(this.density.detail.total, "event")} from ${time(a)} to ${time(b - 1)} UTC, at most ${count(most)} in ${span((b - a) / bins)}`;
    this.detail.setAttribute("aria-label", `density: ${label}; drag to choose a part`);
    this.context.setAttribute("aria-label", `density over all time, ${many(this.density.context.total, "event")}`);
    this.axis.replaceChildren(...[0, 0.5, 1].map((part) => make("span", { text: time(a + (b - 1 - a) * part, false) })));
    this.axis.children[1].textContent += ` UTC · at most ${count(most)} per ${span((b - a) / bins)}`;
  }

  paintLegend() {
    const { names, note } = squeezed(this.density.detail, this.kept());
    this.legend.replaceChildren(...names.map((name) => make("li", {},
      make("span", { class: "swatch", style: `background:var(${this.colour(name)})` }),
      make("span", { text: name === null ? note : name, dir: "auto" }))));
  }

  paintDensity(data) {
    this.density = data;
    if (data.window && this.sight.window && String(data.window) !== String(this.sight.window)) {
      this.sight = { ...this.sight, window: data.window };
      this.port.setSight(this.sight);
      this.ask(this.tab);
    }
    this.paint();
  }

  /** Count what a choice would show: with all other filters, without its own. */
  facets(what) {
    const at = what === "services" ? 0 : 1;
    const other = what === "services" ? this.sight.types : this.sight.services;
    const sums = new Map();
    for (const row of what === "services" ? this.whole.services : []) sums.set(row[0], 0);
    for (const row of this.whole.kinds) sums.set(row[at], sums.get(row[at]) || 0);
    for (const row of this.density.kinds) {
      if (!other || other.includes(row[1 - at])) sums.set(row[at], (sums.get(row[at]) || 0) + row[2]);
    }
    return sums;
  }

  paintChoices(what) {
    const { list, find, rows } = this.lists[what];
    const sums = this.facets(what);
    find.hidden = sums.size <= 12;
    const wanted = find.value.toLowerCase();
    const chosen = this.sight[what];
    for (const [name, n] of sums) {
      if (!rows.has(name)) rows.set(name, this.choice(what, name, list));
      const row = rows.get(name);
      row.box.checked = chosen ? chosen.includes(name) : false;
      row.number.textContent = count(n);
      row.number.classList.toggle("none", !n);
      row.label.hidden = Boolean(wanted) && !name.toLowerCase().includes(wanted);
    }
  }

  choice(what, name, list) {
    const box = make("input", { type: "checkbox", onchange: () => this.toggle(what, name, box.checked) });
    const number = make("span", { class: "num" });
    const label = make("label", {}, box, make("span", { class: "name", text: name, dir: "auto" }), number);
    list.append(label);
    return { box, number, label };
  }

  toggle(what, name, on) {
    const now = (this.sight[what] || []).filter((each) => each !== name);
    const found = on ? [...now, name] : now;
    this.change({ [what]: found.length ? found : null });
  }

  paintTabs() {
    TABS.forEach(([name], i) => {
      const open = name === this.tab;
      this.tabs[i].setAttribute("aria-selected", String(open));
      this.tabs[i].tabIndex = open ? 0 : -1;
      this.panels[name].hidden = !open;
    });
  }

  table(caption, heads, rows) {
    const found = make("table", {}, make("caption", { text: caption }),
      make("thead", {}, make("tr", {}, ...heads.map(([text, kind]) => make("th", { scope: "col", text, class: kind || false })))),
      make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((cell, i) => this.cell(cell, heads[i][1]))))));
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, found);
  }

  cell(content, kind) {
    const found = make("td", { class: kind || false, dir: ["data", "id", "path"].includes(kind) ? "auto" : false });
    if (content instanceof Node) found.append(content);
    else found.textContent = content === null || content === undefined ? "" : String(content);
    return found;
  }

  link(text, label, act) { return make("button", { type: "button", class: "link", text, "aria-label": label, title: label, onclick: act, dir: "auto" }); }
  reason() { return this.port.live ? null : `this ${KERNEL}`; }
  replayLink(service, stream) {
    if (!this.port.live) return make("span", { text: stream, dir: "auto" });
    return this.link(stream, `replay ${stream} of ${service}`, () => { this.say(`reading ${stream}`); this.send("replay", { service, stream }); });
  }

  paintKinds(data) {
    const rows = data.rows.map(([service, type, n, streams, first, last]) => [
      this.link(type, `fields of ${type}`, () => { this.sight = { ...this.sight, type }; this.port.setSight(this.sight); this.open("fields"); }),
      service, count(n), count(streams), time(first), time(last)]);
    const heads = [["type"], ["service"], ["events", "num"], ["streams", "num"], ["first seen (UTC)", "time"], ["last seen (UTC)", "time"]];
    this.panels.kinds.replaceChildren(this.table([many(rows.length, "kind") + " of events", data.note].filter(Boolean).join("; "), heads, rows));
  }

  paintStreams(data) {
    const kept = this.findStream ? this.findStream.value : "";
    if (!this.findStream) {
      this.findStream = make("input", { type: "search", class: "filter", "aria-label": "find streams by name", placeholder: this.port.live ? "Find streams by name" : `Finding streams ${KERNEL}`,
        title: this.reason(), disabled: !this.port.live,
        oninput: () => { clearTimeout(this.typed); this.typed = setTimeout(() => this.ask("streams", { find: this.findStream.value }), TYPING); } });
      this.streamRows = make("div");
      this.panels.streams.replaceChildren(this.findStream, this.streamRows);
    }
    this.findStream.value = kept;
    const rows = data.rows.map(([service, stream, n, first, last]) => [
      this.replayLink(service, stream), service, count(n), first === null ? "" : time(first), last === null ? "" : time(last)]);
    const heads = [["stream"], ["service"], ["events", "num"], ["first seen (UTC)", "time"], ["last seen (UTC)", "time"]];
    this.streamRows.replaceChildren(this.table([many(rows.length, "stream"), data.note].filter(Boolean).join("; "), heads, rows));
  }

  paintEvents(data) {
    const rows = data.rows.map(([position, id, service, stream, version, type, us, text, size]) => {
      const cut = size > (text || "").length;
      const shown = make("div", {}, make("div", { class: "clamp", text: cut ? `${text}…` : text }));
      if (this.port.live) shown.append(this.link(cut ? `all ${count(size)} characters` : "open", `payload of event ${id}`, () => this.openPayload(id, position)));
      return [time(us), type, this.replayLink(service, stream), shown, service, version, id];
    });
    const heads = [["time (UTC)", "time"], ["type"], ["stream"], ["payload", "data"], ["service"], ["version", "num"], ["event id", "id"]];
    const last = Math.max(0, Math.ceil(data.total / 100) - 1);
    const go = (name, page, off) => make("button", { type: "button", text: name, title: this.reason(), disabled: off || !this.port.live, onclick: () => { this.sight = { ...this.sight, page }; this.port.setSight(this.sight); this.ask("events"); } });
    const shown = data.total ? `${count(data.first + 1)} to ${count(data.first + rows.length)} of ${many(data.total, "event")}` : "no events";
    this.payload = make("div", { hidden: true });
    this.panels.events.replaceChildren(
      make("div", { class: "bar" }, go("First", 0, data.page === 0), go("Previous", data.page - 1, data.page === 0),
        make("span", { text: shown, role: "status" }), go("Next", data.page + 1, data.page >= last), go("Last", last, data.page >= last),
        ...(this.port.live || !last ? [] : [make("span", { class: "sum", text: `turning pages ${KERNEL}` })])),
      this.payload, this.table([`events in order of time, ${shown}`, data.note].filter(Boolean).join("; "), heads, rows));
  }

  openPayload(id, position) {
    this.payloadOf = id;
    this.send("payload", { id, position });
  }

  paintPayload(data) {
    if (!this.payload) return;
    let text = data.data || "";
    try { if (data.size < 20000 && !/\d{16}|\d\.\d*0\b/.test(text)) text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* cut: shown as it is */ }
    const note = data.size > text.length && data.size > 100000 ? `the first ${count(text.length)} of ${count(data.size)} characters` : "";
    this.payload.hidden = false;
    const close = make("button", { type: "button", text: "Close payload", onclick: () => { this.payload.hidden = true; } });
    this.payload.replaceChildren(make("div", { class: "bar" }, make("h3", { text: `Payload of ${this.payloadOf}` }), make("span", { text: note }), close),
      make("pre", { tabindex: "0", text, dir: "auto" }), ...(data.metadata ? [make("h3", { text: "Metadata" }), make("pre", { tabindex: "0", text: data.metadata })] : []));
    close.focus();
  }

  paintFields(data) {
    const types = [...new Set(this.whole.kinds.map((row) => row[1]))];
    const pick = make("select", { "aria-label": "type whose fields are shown", onchange: () => { this.sight = { ...this.sight, type: pick.value || null }; this.port.setSight(this.sight); this.ask("fields"); } },
      make("option", { value: "", text: "choose a type" }), ...types.map((name) => make("option", { value: name, text: this.port.has(name) ? name : `${name} (${KERNEL})`, disabled: !this.port.has(name) })));
    pick.value = this.sight.type && types.includes(this.sight.type) ? this.sight.type : "";
    const parts = [make("div", { class: "bar" }, make("span", { text: "Fields of" }), pick)];
    if (data && data.rows) parts.push(this.fieldTable(data));
    else if (data && data.note) parts.push(make("p", { text: data.note }));
    const focused = document.activeElement && document.activeElement.tagName === "SELECT" && this.panels.fields.contains(document.activeElement);
    this.panels.fields.replaceChildren(...parts);
    if (focused) pick.focus();
  }

  fieldTable(data) {
    const rows = data.rows.map(([path, types, n, nulls, share, values, distinct, least, most]) => {
      const bar = make("span", {}, make("span", { class: "share", "aria-hidden": "true" }, make("i", { style: `width:${Math.round(share * 100)}%` })),
        make("span", { text: `${share > 0 && share < 0.001 ? "<0.1" : Math.round(share * 1000) / 10} %` }));
      const top = make("span", {}, ...values.map(([text, times]) => make("span", { class: "chip", dir: "auto", text: `${text} × ${count(times)}` })));
      return [path, types.join(" or "), bar, nulls ? count(nulls) : "", distinct === null ? "many" : distinct ? count(distinct) : "", least === null ? "" : `${least} to ${most}`, top];
    });
    const heads = [["field", "path"], ["type"], ["events that have it"], ["null", "num"], ["values", "num"], ["from, to"], ["most frequent"]];
    const note = data.note || `all ${many(data.events, "event")}`;
    return this.table(`${data.type}: ${note}`, heads, rows);
  }

  paintCode() {
    const stale = !this.port.isExported(this.sight);
    const title = stale ? `this is the code of the export; that of what is chosen now ${KERNEL}` : null;
    const part = (name, text) => [make("div", { class: "bar" }, make("h3", { text: name }),
      make("button", { type: "button", text: `Copy ${name}`, title, disabled: stale, onclick: () => copy(text, (said) => this.say(said)) })), make("pre", { tabindex: "0", text })];
    const note = stale ? `As of the export, and not of what is chosen now: the code of that ${KERNEL}.` : "As of the export.";
    this.panels.code.replaceChildren(...(this.port.live ? [] : [make("p", { class: "sum", text: note })]), ...part("Python", this.density.python), ...part("SQL", this.density.sql));
  }
}
