"""Names that are read aloud, for what ipywidgets gives none: pictures, and the handles of sliders."""

from __future__ import annotations

import anywidget
import traitlets

__all__ = ["NAMED", "Names"]

NAMED = "ea-named"
"""The class of the box in which names are given."""


class Names(anywidget.AnyWidget):
    """Names the picture in its box, and each handle of a slider after the slider's label; it shows nothing itself.

    Where its code cannot run, all else works without it.

    Attributes:
        picture: what the picture shows.
    """

    picture = traitlets.Unicode().tag(sync=True)

    _esm = """
function name(box, picture) {
  for (const image of box.querySelectorAll("img")) if (image.alt !== picture) image.alt = picture;
  for (const slider of box.querySelectorAll(".widget-slider, .jupyter-widget-slider")) {
    const label = slider.querySelector(".widget-label")?.textContent.trim() || "slider";
    const handles = slider.querySelectorAll("[role=slider]");
    handles.forEach((handle, nth) => {
      const told = handles.length > 1 ? `${label} ${nth ? "end" : "start"}` : label;
      if (handle.getAttribute("aria-label") !== told) handle.setAttribute("aria-label", told);
    });
  }
}
function render({ model, el }) {
  let waiting = 0, observer = null, tries = 0;
  const named = () => {
    const box = el.closest(".ea-named");
    if (box) name(box, model.get("picture"));
    return box;
  };
  const begin = () => {
    const box = named();
    if (!box) {
      if (tries++ < 600) waiting = requestAnimationFrame(begin);
      return;
    }
    observer = new MutationObserver(named);
    observer.observe(box, { childList: true, subtree: true });
  };
  begin();
  model.on("change:picture", named);
  return () => { model.off("change:picture", named); cancelAnimationFrame(waiting); observer?.disconnect(); };
}
export default { render };
"""
