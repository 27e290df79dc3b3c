// The weights of two networks mixed: what a network between them makes, and two numbers that move in opposite directions.

// A network whose every number is (1 − α) that of the first + α that of the second.
export function blend(first, second, alpha) {
  const mixed = (a, b) => a.map((v, i) => (1 - alpha) * v + alpha * b[i]);
  return { ...first, layers: first.layers.map((layer, k) => ({ ...layer, numbers: layer.numbers.map((a, i) => mixed(a, second.layers[k].numbers[i])) })) };
}

// Of one picture, without its border: the sum of squared differences between a and b and how many, and of each one's
// steps from pixel to pixel, across and down.
export function compare(a, b, border) {
  const found = { squares: 0, numbers: 0, made: 0, true: 0 }, clip = v => Math.max(-1, Math.min(1, v));
  const h = a.height - border, w = a.width - border, across = a.channels * (h - border) * (w - border - 1), down = a.channels * (h - border - 1) * (w - border);
  for (let c = 0; c < a.channels; c++) for (let i = border; i < h; i++) for (let j = border; j < w; j++) {
    const p = (c * a.height + i) * a.width + j;
    found.squares += (clip(a.data[p]) - b.data[p]) ** 2;
    found.numbers++;
    for (const [hop, inside, n] of [[1, j + 1 < w, across], [a.width, i + 1 < h, down]]) if (inside) {
      found.made += (clip(a.data[p + hop]) - clip(a.data[p])) ** 2 / n;
      found.true += (b.data[p + hop] - b.data[p]) ** 2 / n;
    }
  }
  return found;
}

const POINTS = 10; // of the curve, beside α = 0

function render({ model, el }) {
  const { shape, large, count, names, border, alt } = model.get("facts"), bytes = model.get("pictures");
  const [first, second] = prepareAll(model.get("networks"), model.get("weights"));
  const inputs = Array.from({ length: count }, (_, i) => picture(bytes, i, shape));
  const targets = Array.from({ length: count }, (_, i) => picture(bytes, i, large, count * shape[0] * shape[1] * shape[2]));
  const key = alpha => Math.round(1000 * alpha), scores = new Map(), at = () => model.get("picture");

  const next = button("Next picture", () => { model.set("picture", (at() + 1) % count); model.save_changes(); });
  const [small, smallView] = framed("", shape, make("span", {}, "Input"), ...(count > 1 ? [next] : []));
  const [output, outputView] = framed("", large, make("span", {}, "Output"), make("span", { class: "trans-time" }));
  const [goal, goalView] = framed("", large, "Truth");
  const time = outputView.querySelector(".trans-time");
  const [alpha, renew] = slider(model, "alpha", "α", [0, 1, 0.01], undefined, `α, from ${names[0]} to ${names[1]}`);
  const ends = make("div", { class: "mix-ends", "aria-hidden": "true" }, make("span", {}, names[0]), make("span", {}, names[1]));
  const [psnr, energy] = [make("b", { class: "mix-psnr" }, "…"), make("b", { class: "mix-energy" }, "…")];
  const over = count > 1 ? `over all ${count} pictures` : "of this picture";
  const numbers = make("div", { class: "mix-numbers", role: "status" },
    make("div", {}, psnr, make("span", {}, `PSNR ${over}, dB`)), make("div", {}, energy, make("span", {}, `gradient energy ÷ truth's, ${over}`)));
  const plot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  plot.setAttribute("viewBox", "0 0 330 190");
  plot.setAttribute("class", "mix-plot");
  plot.setAttribute("role", "img");

  // Both scores of the network at α, one picture at a time.
  const asked = worker(), rest = worker();
  function measure(a, by, done) {
    if (scores.has(key(a))) return done(scores.get(key(a)));
    const net = blend(first, second, a), sum = { squares: 0, numbers: 0, made: 0, true: 0 };
    by.start([...inputs.keys()], i => {
      const found = compare(run(net, inputs[i]), targets[i], border);
      for (const name in sum) sum[name] += found[name];
    }, () => {
      scores.set(key(a), { psnr: 10 * Math.log10(4 * sum.numbers / sum.squares), energy: sum.made / sum.true });
      done(scores.get(key(a)));
    });
  }
  const told = () => {
    const now = scores.get(key(model.get("alpha")));
    psnr.textContent = now ? now.psnr.toFixed(2) : "…";
    energy.textContent = now ? now.energy.toFixed(2) : "…";
    chart(now);
  };
  // The curve, for α = 0, 0.1, … 1, once the number in hand is told.
  function trace(k = 0) {
    if (k > POINTS) return;
    measure(k / POINTS, rest, () => { told(); trace(k + 1); });
  }
  function chart(now) {
    const known = Array.from({ length: POINTS + 1 }, (_, k) => scores.get(key(k / POINTS))).filter(Boolean);
    const range = name => {
      const all = [...scores.values()].map(s => s[name]), [low, high] = [Math.min(...all), Math.max(...all)], room = 0.1 * (high - low) || 0.1;
      return [low - room, high + room];
    };
    if (!known.length) return;
    const [[left, right], [low, high]] = [range("energy"), range("psnr")];
    const x = s => 44 + 276 * (s.energy - left) / (right - left), y = s => 150 - 136 * (s.psnr - low) / (high - low);
    const digits = (v, from, to) => v.toFixed(Math.max(1, Math.ceil(-Math.log10(to - from)) + 1)); // enough digits to tell the ends apart
    const text = (at, up, words, anchor = "middle") => `<text x="${at}" y="${up}" text-anchor="${anchor}">${words}</text>`;
    plot.innerHTML = `<path class="mix-axes" d="M44 10V150H322"/>`
      + text(44, 164, digits(left, left, right), "start") + text(322, 164, digits(right, left, right), "end") + text(183, 182, "gradient energy ÷ truth's")
      + text(40, 20, digits(high, low, high), "end") + text(40, 150, digits(low, low, high), "end") + text(40, 88, "dB", "end")
      + `<polyline points="${known.map(s => `${x(s)},${y(s)}`).join(" ")}"/>` + known.map(s => `<circle r="2.5" cx="${x(s)}" cy="${y(s)}"/>`).join("")
      + (now ? `<circle class="mix-now" r="6" cx="${x(now)}" cy="${y(now)}"/>` : "");
    plot.setAttribute("aria-label", `PSNR against gradient energy for ${known.length} mixtures` + (now ? `; now ${now.psnr.toFixed(2)} dB at ${now.energy.toFixed(2)}` : ""));
  }

  function draw() {
    const i = at(), a = model.get("alpha"), start = performance.now(), made = run(blend(first, second, a), inputs[i]);
    show(small, inputs[i]);
    show(output, made);
    show(goal, targets[i]);
    time.textContent = `${Math.max(1, Math.round(performance.now() - start))} ms`;
    [[small, `${alt} ${i + 1}, as it goes in`], [output, `${alt} ${i + 1}, as the mixture of α = ${a.toFixed(2)} makes it`], [goal, `${alt} ${i + 1}, the truth`]]
      .forEach(([canvas, words]) => canvas.setAttribute("aria-label", words));
    renew();
    rest.stop();
    told();
    measure(a, asked, () => { told(); trace(); });
  }
  el.append(make("div", { class: "ganlib-trans mix", role: "group", "aria-label": `Two networks mixed: ${alt}` },
    make("div", { class: "trans-views mix-views" }, smallView, outputView, goalView),
    make("div", { class: "mix-way" }, ends, alpha),
    make("div", { class: "mix-scores" }, numbers, plot)));
  draw();
  const leave = follow(model, ["alpha", "picture"], draw);
  return () => { asked.stop(); rest.stop(); leave(); };
}

export default { render };
