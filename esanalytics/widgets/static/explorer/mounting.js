// Putting it together, and taking it apart. A port is what the view talks to: a model, or what a page holds.

export function mount(el, port) {
  const view = new Explorer(el, port);
  port.hear = (message) => view.answered(message);
  return view;
}

/** Talk to nobody: answer from what is in the page. */
export function pagePort(overview, sight, answers) {
  const code = { python: overview.density.python, sql: overview.density.sql };
  let now = sight;
  const port = {
    live: false,
    has: (type) => type in answers.fields,
    isExported: (found) => isSame(found, sight),
    overview: () => JSON.stringify(overview),
    sight: () => now,
    theme: () => "auto",
    setSight: (found) => { now = found; },
    send: (message) => setTimeout(() => port.hear({ kind: "answer", what: message.what, request: message.request, data: stored(sight, { ...answers, code }, message) })),
  };
  return port;
}

function modelPort(model) {
  return {
    live: true,
    has: () => true,
    isExported: () => true,
    overview: () => model.get("overview"),
    sight: () => model.get("sight"),
    theme: () => model.get("theme"),
    setSight: (found) => { model.set("sight", { ...found }); model.save_changes(); },
    send: (message) => model.send(message),
  };
}

function render({ model, el }) {
  const port = modelPort(model);
  const view = mount(el, port);
  const heard = {
    "msg:custom": (message) => port.hear(message),
    "change:sight": () => view.sightChanged(),
    "change:overview": () => view.overviewChanged(),
    "change:theme": () => view.paint(),
  };
  for (const [name, task] of Object.entries(heard)) model.on(name, task);
  return () => {
    for (const [name, task] of Object.entries(heard)) model.off(name, task);
    view.close();
  };
}

export default { render };
