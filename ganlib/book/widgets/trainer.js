// A GAN of small images that trains in the reader's browser: the page shows what a worker of its own reports.

const COLUMNS = 4, GAP = 1;

// Images of one size as tiles of one canvas.
function tile(canvas, numbers, [height, width]) {
  const count = numbers.length / (height * width), pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < count; i++)
    paint(canvas, numbers.subarray(i * height * width, (i + 1) * height * width), [1, height, width], (i % COLUMNS) * (width + GAP), Math.floor(i / COLUMNS) * (height + GAP));
}

const fixed = (value, digits = 2) => Number.isFinite(value) ? value.toFixed(digits) : "–";

function render({ model, el }) {
  const { shape, held, alt, choices, losses } = model.get("facts"), [height, width] = shape, size = height * width;
  const bytes = model.get("images"), images = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  const board = label => make("canvas", { role: "img", "aria-label": label, width: 4 * width + 3 * GAP, height: 4 * height + 3 * GAP });
  const made = board(""), real = board(`Sixteen of the ${alt}s that it learns from`);
  const view = (canvas, caption) => make("div", { class: "trans-view" }, canvas, make("div", { class: "trans-caption" }, make("span", {}, caption)));
  let worker = null, history = [], spoken = 0, told = { rounds: 0, seconds: 0 };

  // Controls.
  const start = button("Start", () => set("playing", !model.get("playing")), { class: "trainer-start" });
  const again = button("Again from nothing", begin);
  const change = (name, value) => set("settings", { ...model.get("settings"), [name]: value });
  const fields = Object.entries(choices).map(([name, { title, values }]) => {
    const all = [...new Set([...values, model.get("settings")[name]])].sort((a, b) => a - b), control = make("select", {});
    control.append(...all.map((value, i) => make("option", { value: i }, losses[value] ?? String(value))));
    control.onchange = () => change(name, all[control.value]);
    return { label: make("label", {}, make("span", {}, title), control), renew: (value, i = all.indexOf(value)) => {
      if (i < 0) control.append(make("option", { value: (i = all.push(value) - 1) }, String(value)));
      control.value = i;
    } };
  });
  const seed = make("input", { type: "number", min: 0, step: 1, "aria-label": "Seed, for the next start from nothing" });
  seed.onchange = () => change("seed", Math.min(999999, Math.max(0, Math.floor(Number(seed.value) || 0))));

  // What is measured.
  const numbers = make("p", { class: "trainer-numbers" }), status = make("p", { class: "trans-said", role: "status" });
  const plot = make("div", { class: "trainer-plot", role: "img" }), balance = make("div", { class: "trainer-plot", role: "img" });

  // Curves against the rounds, with lines across.
  function curves(place, lines, low, high, marks) {
    const last = Math.max(100, history.at(-1)?.rounds ?? 0), x = rounds => 34 + 240 * rounds / last, y = v => 112 - 100 * (Math.min(high, Math.max(low, v)) - low) / (high - low);
    const text = (left, top, words, anchor) => `<text x="${left}" y="${top}" text-anchor="${anchor}">${words}</text>`;
    place.innerHTML = `<svg viewBox="0 0 280 130" aria-hidden="true"><path d="M34 8V112H276"/>`
      + marks.map(v => `<path class="trainer-mark" d="M34 ${y(v)}H274"/>${text(30, y(v) + 4, fixed(v), "end")}`).join("")
      + text(34, 127, 0, "start") + text(274, 127, `${last} rounds`, "end")
      + lines.map(([name, values]) => `<polyline class="trainer-${name}" points="${history.filter(row => Number.isFinite(values(row))).map(row => `${x(row.rounds)},${y(values(row))}`).join(" ")}"/>`).join("") + "</svg>";
  }

  function draw() {
    const settings = model.get("settings"), playing = model.get("playing"), now = history.at(-1) ?? {};
    for (const [i, name] of Object.keys(choices).entries()) fields[i].renew(settings[name]);
    if (document.activeElement !== seed || Number(seed.value) !== settings.seed) seed.value = settings.seed;
    start.textContent = playing ? "Pause" : told.rounds ? "Go on" : "Start";
    const pace = told.seconds > 0 ? `, ${Math.round(told.rounds / told.seconds)} a second` : "";
    numbers.textContent = `Round ${told.rounds} after ${fixed(told.seconds, 1)} s${pace}. Median distance to the nearest ${alt} of the data: ${fixed(now.distance)} (held-out ${alt}s: ${fixed(held)}). Losses: D ${fixed(now.lossD)}, G ${fixed(now.lossG)}.`;
    made.setAttribute("aria-label", `Sixteen ${alt}s of the averaged generator after ${told.rounds} rounds`);
    const most = Math.max(1.5 * held, ...history.map(row => row.distance).filter(Number.isFinite));
    curves(plot, [["distance", row => row.distance]], 0.8 * held, most, [held]);
    plot.setAttribute("aria-label", `Median distance over ${told.rounds} rounds: now ${fixed(now.distance)}, held-out ${alt}s ${fixed(held)}`);
    curves(balance, [["d", row => row.lossD], ["g", row => row.lossG]], Math.min(0, ...history.map(row => row.lossG).filter(Number.isFinite)), 3, [0, 1, 2, 3]);
    balance.setAttribute("aria-label", `Losses over ${told.rounds} rounds: D ${fixed(now.lossD)}, G ${fixed(now.lossG)}`);
  }

  // Said aloud seldom: when it stops, and every ten seconds.
  function say(words, seldom = false) {
    if (seldom && performance.now() - spoken < 10000) return;
    spoken = performance.now();
    status.textContent = words;
  }
  function hear({ samples, weights, overflown, ...row }) {
    told = row;
    const last = history.at(-1);
    if (last?.rounds === row.rounds) history[history.length - 1] = { ...row, lossD: row.lossD ?? last.lossD, lossG: row.lossG ?? last.lossG };
    else history.push({ ...row, lossD: row.lossD ?? NaN, lossG: row.lossG ?? NaN });
    if (history.length > 600) history = history.filter((_, i) => i % 2 === 0 || i === history.length - 1);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches && row.rounds && !weights && performance.now() - hear.shown < 1000;
    if (!calm) {
      hear.shown = performance.now();
      tile(made, samples, shape);
      draw();
    }
    model.set("progress", { ...row, ...history.at(-1) });
    if (weights) model.set("weights", new DataView(weights.buffer));
    model.save_changes();
    if (overflown) { say("The weights have overflowed: take smaller learning rates and start again from nothing."); set("playing", false); }
    else if (row.rounds) say(`Round ${row.rounds}: median distance ${fixed(row.distance)}.`, !weights);
  }

  // The worker: it is made of text, so that pages opened from a folder may have it too.
  function refuse() {
    worker?.terminate();
    worker = null;
    for (const control of [start, again]) control.setAttribute("aria-disabled", "true");
    say("This page may not start a worker, so nothing can train in it. Open the chapter in another browser, or run it in Jupyter.");
    if (model.get("playing")) set("playing", false);
  }
  function hire() {
    const address = URL.createObjectURL(new Blob([model.get("engine")], { type: "text/javascript" }));
    try {
      worker = new Worker(address);
      worker.onmessage = ({ data }) => hear(data);
      worker.onerror = event => { event.preventDefault(); refuse(); };
    } catch { refuse(); }
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }
  function begin() {
    if (!worker) return;
    history = [];
    worker.postMessage({ begin: { images, size, settings: model.get("settings") } });
    status.textContent = "";
    worker.postMessage({ running: model.get("playing") });
  }
  const steer = () => { worker?.postMessage({ settings: model.get("settings") }); draw(); };
  const play = () => {
    if (!worker && model.get("playing")) return set("playing", false);
    worker?.postMessage({ running: model.get("playing") });
    draw();
  };
  // Nobody looks: nothing trains.
  const away = () => { if (document.hidden && model.get("playing")) set("playing", false); };
  document.addEventListener("visibilitychange", away);

  const key = (name, words) => make("span", { class: `trainer-key-${name}` }, words);
  el.append(make("div", { class: "ganlib-trans trainer", role: "group", "aria-label": `A GAN that learns to make ${alt}s in this page` },
    make("div", { class: "trans-row" }, start, again), numbers,
    make("div", { class: "trans-views trainer-views" }, view(made, "Generated"), view(real, "Data"),
      make("div", { class: "trans-view" }, plot, make("div", { class: "trans-caption" }, key("distance", "median distance"))),
      make("div", { class: "trans-view" }, balance, make("div", { class: "trans-caption" }, key("d", "loss of D"), key("g", "loss of G")))),
    status, make("div", { class: "trans-row trainer-settings", role: "group", "aria-label": "Settings" }, ...fields.map(field => field.label), make("label", {}, make("span", {}, "Seed"), seed))));
  const step = Math.floor(images.length / size / 16);
  tile(real, Float32Array.from({ length: 16 * size }, (_, p) => images[Math.floor(p / size) * step * size + p % size] / 127.5 - 1), shape);
  if (model.get("playing")) set("playing", false); // nothing trains unasked
  hire();
  begin();
  draw();
  const leave = [follow(model, ["settings"], steer), follow(model, ["playing"], play)];
  return () => { worker?.terminate(); document.removeEventListener("visibilitychange", away); leave.forEach(end => end()); };
}

export default { render };
