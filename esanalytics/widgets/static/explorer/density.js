// The density.

/** Keep the names that have a colour of their own, and sum the others. */
function squeezed(density, kept) {
  const known = density.names.map((name, i) => [name, i]).filter(([name]) => kept.includes(name));
  const rest = density.names.map((name, i) => i).filter((i) => !kept.includes(density.names[i]));
  if (!rest.length) return { ...density, note: "" };
  const sums = density.counts[rest[0]].map((_, bin) => rest.reduce((sum, i) => sum + density.counts[i][bin], 0));
  const more = /[\d,]+/.exec(density.note || "");
  const number = rest.length - (more ? 1 : 0) + (more ? Number(more[0].replaceAll(",", "")) : 0);
  const names = [...known.map(([name]) => name), null];
  return { ...density, names, counts: [...known.map(([, i]) => density.counts[i]), sums], note: `${count(number)} others` };
}

/** Put neighbouring bins together until each is wide enough to be seen. */
function coarser(density, width) {
  const bins = density.counts.length ? density.counts[0].length : 0;
  const step = Math.ceil((bins * BAR) / Math.max(1, width));
  if (step <= 1) return density;
  const merged = (row) => Array.from({ length: Math.ceil(bins / step) }, (_, i) => row.slice(i * step, (i + 1) * step).reduce((a, b) => a + b, 0));
  return { ...density, counts: density.counts.map(merged), slots: bins / step };
}

/** Draw stacked bins: heights by the greatest of all. Returns how high that is, and how many bins there are. */
function draw(canvas, given, colours) {
  const box = canvas.parentElement.getBoundingClientRect();
  const density = coarser(given, box.width);
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(box.width * scale));
  canvas.height = Math.max(1, Math.round(box.height * scale));
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const bins = density.counts.length ? density.counts[0].length : 0;
  if (!bins) return [0, 1];
  const sums = new Float64Array(bins);
  for (const row of density.counts) row.forEach((n, i) => { sums[i] += n; });
  const most = Math.max(1, ...sums);
  const width = canvas.width / (density.slots || bins);
  const below = new Float64Array(bins);
  density.counts.forEach((row, number) => {
    pen.fillStyle = colours(density.names[number]);
    row.forEach((n, i) => {
      if (!n) return;
      const low = Math.round((below[i] / most) * (canvas.height - 2));
      below[i] += n;
      const high = Math.max(low + 1, Math.round((below[i] / most) * (canvas.height - 2)));
      const left = Math.floor(i * width);
      pen.fillRect(left, canvas.height - high, Math.max(1, Math.floor((i + 1) * width) - left), high - low);
    });
  });
  return [most, density.slots || bins];
}
