// The explorer: a density with a brush, filters, tables. Every text from the log goes through textContent.

const COLOURS = 9;
const BAR = 4;
const DEBOUNCE = 50;
const TYPING = 400;
const PATIENCE = 3000;
const KERNEL = "needs a running kernel";
const TABS = [["events", "Events"], ["kinds", "Types"], ["fields", "Fields"], ["flows", "Flows"], ["streams", "Streams"], ["code", "Code"]];

function make(tag, attributes = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") found.textContent = value;
    else if (name.startsWith("on")) found.addEventListener(name.slice(2), value);
    else if (value === true) found.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) found.setAttribute(name, value);
  }
  found.append(...children);
  if (/^(BUTTON|INPUT|SELECT)$/.test(found.tagName) || found.hasAttribute("tabindex")) {
    found.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  return found;
}

const count = (n) => Number(n).toLocaleString("en-US");
const many = (n, one, more) => `${count(n)} ${n === 1 ? one : more || one + "s"}`;

function time(us, precise = true) {
  const ms = Math.floor(us / 1000);
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return "";
  const text = at.toISOString();
  const rest = String(Math.round(us - ms * 1000)).padStart(3, "0");
  if (!precise) return text.slice(0, 16).replace("T", " ");
  return `${text.slice(0, -1).replace("T", " ")}${rest}`.replace(/\.000000$/, "");
}

function span(us) {
  const units = [["µs", 1], ["ms", 1e3], ["s", 1e6], ["min", 6e7], ["h", 3.6e9], ["days", 8.64e10]];
  const [name, size] = units.filter(([, least]) => us >= least).pop() || units[0];
  return `${count(Math.round((us / size) * 10) / 10)} ${name}`;
}

function copy(text, say) {
  const area = make("textarea", { "aria-hidden": "true", style: "position:fixed;opacity:0" });
  const fallback = () => {
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    say(done ? "copied" : "the browser does not let this page copy; select the text and copy it");
  };
  if (navigator.clipboard && window.isSecureContext) {
    navigator.clipboard.writeText(text).then(() => say("copied"), fallback);
  } else fallback();
}
