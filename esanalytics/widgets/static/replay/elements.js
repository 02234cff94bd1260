// Elements. Everything that can be pressed is a real control with a name.

const OWN = new Set([
  "value",
  "checked",
  "disabled",
  "hidden",
  "type",
  "min",
  "max",
  "step",
  "placeholder",
  "colSpan",
  "selected",
  "spellcheck",
  "htmlFor",
  "id",
  "tabIndex",
]);
const FOCUSABLE = new Set(["button", "input", "select", "textarea", "summary"]);

/** Makes an element; `part` names it for tests and styles, `act` is what a press does, with `arg`. */
function h(tag, props, ...children) {
  const node = document.createElement(tag);
  const { part, act, arg, trait, label, ...rest } = props ?? {};
  if (part) node.dataset.part = part;
  if (trait) node.dataset.trait = trait;
  if (act) [node.dataset.act, node.dataset.key] = [act, `${act} ${arg ?? ""}`];
  if (arg !== undefined) node.dataset.arg = arg;
  if (label) node.setAttribute("aria-label", label);
  if (label && tag === "button" && !rest.title) node.title = label;
  if (tag === "button") node.type = "button";
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined || value === null || value === false) continue;
    if (OWN.has(name)) node[name] = value;
    else node.setAttribute(name === "class" ? "class" : name, value === true ? "" : value);
  }
  // Notebook 7 takes keys before they get here, unless the element that has the focus says no.
  if (FOCUSABLE.has(tag) || rest.tabIndex === 0) node.dataset.lmSuppressShortcuts = "true";
  node.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""),
  );
  return node;
}

const ICONS = {
  first: "M3 3h2v10H3zM13 3v10L6 8z",
  back: "M11 3v10L4 8z",
  play: "M4 2.5v11L13 8z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  forward: "M5 3v10l7-5z",
  last: "M11 3h2v10h-2zM3 3v10l7-5z",
  pin: "M6 2h4v5l2 2v1H8.7v4H7.3v-4H4V9l2-2z",
  copy: "M3 2h7v2H5v7H3zM6 5h7v9H6z",
  close: "M4 3l4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4-4-4z",
  edit: "M11 2l3 3-8 8H3v-3z",
  prev: "M10 3v10L4 8z",
  next: "M6 3v10l6-5z",
  flag: "M8 1.5l6 6.5-6 6.5L2 8z",
};

function svg(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function icon(name) {
  const picture = svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true", class: "es-icon" });
  picture.append(svg("path", { d: ICONS[name], fill: "currentColor" }));
  return picture;
}

/** Shows the shape and colour that an event has in the timeline. */
function swatch(app, type, code = type) {
  const picture = svg("svg", {
    viewBox: "0 0 16 16",
    width: 12,
    height: 12,
    "aria-hidden": "true",
    class: "es-swatch",
  });
  const d = {
    circle: "M8 2a6 6 0 1 0 .01 0z",
    square: "M3 3h10v10H3z",
    diamond: "M8 0l8 8-8 8-8-8z",
    triangle: "M8 1l7 13H1z",
  };
  picture.append(svg("path", { d: d[shapeOf(app, type, code)], fill: `var(--es-c${code % HUES})` }));
  return picture;
}

const text = (value) => h("bdi", { dir: "auto" }, String(value));
const iconButton = (name, label, act, arg, more) =>
  h("button", { class: "es-ghost", act, arg, label, ...more }, icon(name));
const options = (pairsOf, chosen) =>
  pairsOf.map(([value, label]) => h("option", { value, selected: value === chosen }, label ?? value));

/** Replaces what is in an element; the control that had the focus has it again. */
function refill(host, ...children) {
  const active = host.getRootNode().activeElement;
  const key = active && host.contains(active) ? (active.dataset.key ?? "") : null;
  host.replaceChildren(...children.flat().filter(Boolean));
  if (key === null || active === host) return;
  const again = key && host.querySelector(`[data-key="${CSS.escape(key)}"]`);
  (again || host.closest("[data-home]"))?.focus({ preventScroll: true });
}
