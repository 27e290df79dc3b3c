// A GAN that trains in the page, on the line or in the plane: the engine is training.js, which stands before it.
// In order: data, the game, measuring, settings to send, drawing, controls. The first four know nothing of the page, so
// that they can be run and compared with PyTorch elsewhere.

// --- data

/** The standard normal distribution function (Abramowitz and Stegun 26.2.17, wrong by less than 1e-7). */
export function normalBelow(t) {
  const u = 1 / (1 + 0.2316419 * Math.abs(t));
  const tail = u * (0.31938153 + u * (-0.356563782 + u * (1.781477937 + u * (-1.821255978 + u * 1.330274429))));
  const above = Math.exp(-t * t / 2) / Math.sqrt(2 * Math.PI) * tail;
  return t >= 0 ? 1 - above : above;
}

/** The middles of n intervals of equal probability, as quantiles of the standard normal distribution. */
export function quantiles(n) {
  return Float64Array.from({ length: n }, (_, i) => {
    let low = -8, high = 8;
    while (high - low > 1e-9) {
      const middle = (low + high) / 2;
      if (normalBelow(middle) < (i + 0.5) / n) low = middle;
      else high = middle;
    }
    return low;
  });
}

/** A mixture of round Gaussians: centres [[x], …] or [[x, y], …], and for each a weight and a standard deviation. */
export class Mixture {
  constructor({ dim, centres, weights, stds }) {
    Object.assign(this, { dim, centres, weights, stds });
  }
  sample(n, random) {
    const x = new Float64Array(n * this.dim), total = this.weights.reduce((sum, w) => sum + w, 0);
    for (let i = 0; i < n; i++) {
      let u = random.uniform() * total, c = 0;
      while (c < this.weights.length - 1 && (u -= this.weights[c]) >= 0) c++;
      for (let j = 0; j < this.dim; j++) x[i * this.dim + j] = this.centres[c][j] + this.stds[c] * random.normal();
    }
    return x;
  }
}

// --- the game

const WIDTH = 32, BATCH = 64;

/** Two perceptrons on a mixture. `settings`: {loss, k, rateD, rateG, r1, adam}, which may change at any time. */
export class Game extends Match {
  constructor(data, settings, seed, start = 0) {
    const random = new Random(seed);
    const G = new Net([data.dim, WIDTH, WIDTH, data.dim], random), D = new Net([data.dim, WIDTH, WIDTH, 1], random);
    G.layers.at(-1).b[0] += start;
    super(G, D, settings, [0.5, 0.999]);
    Object.assign(this, { data, random });
  }

  /** A batch of data and one of latent vectors. */
  draw() {
    return { x: this.data.sample(BATCH, this.random), z: this.random.normals(BATCH * this.data.dim) };
  }

  /** Where D pushes each of these samples of G: minus the gradient of G's loss by the sample. */
  pushes(samples, reals) {
    const { dim } = this.data, n = samples.length / dim, m = reals.length / dim;
    const real = this.D.forward(reals, m), fake = this.D.forward(samples, n), gradient = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) gradient[i] -= LOSSES[this.settings.loss].G(real[j], fake[i])[1] / m;
    }
    return this.D.backward(gradient, false);
  }
}

// --- measuring

/** Equal bins over [−extent, extent] in each direction, and the latent vectors that stand for all of p_z. */
export class Ruler {
  constructor(dim, extent) {
    this.side = dim === 1 ? 100 : 40;
    Object.assign(this, { dim, extent, bins: this.side ** dim });
    const middle = i => ((i + 0.5) / this.side * 2 - 1) * extent;
    this.centres = new Float64Array(this.bins * dim);
    for (let b = 0; b < this.bins; b++) {
      this.centres[b * dim] = middle(b % this.side);
      if (dim === 2) this.centres[b * 2 + 1] = middle(Math.floor(b / this.side));
    }
    const z = quantiles(dim === 1 ? 4000 : 64);
    this.latents = dim === 1 ? z : Float64Array.from({ length: 2 * 64 ** 2 }, (_, i) =>
      i % 2 ? z[Math.floor(i / 128)] : z[(i >> 1) % 64]);
  }

  /** The bin of a coordinate; what lies outside belongs to the nearest one. */
  place(t) {
    return Math.min(this.side - 1, Math.max(0, Math.floor((t / this.extent + 1) / 2 * this.side)));
  }

  /** The probability that a mixture gives to each bin, exactly. */
  masses({ centres, weights, stds }) {
    const masses = new Float64Array(this.bins), total = weights.reduce((sum, w) => sum + w, 0);
    centres.forEach((centre, c) => {
      const along = centre.map(at => { // of each row or column, the outermost ones to infinity
        const below = i => i === 0 ? 0 : i === this.side ? 1
          : normalBelow(((i / this.side * 2 - 1) * this.extent - at) / stds[c]);
        return Array.from({ length: this.side }, (_, i) => below(i + 1) - below(i));
      });
      for (let b = 0; b < this.bins; b++) {
        masses[b] += weights[c] / total * along[0][b % this.side] * (along[1]?.[Math.floor(b / this.side)] ?? 1);
      }
    });
    return masses;
  }

  /** Shares of the samples in each bin, and of those outside. */
  counts(samples) {
    const { dim, side, extent } = this, counts = new Float64Array(this.bins), n = samples.length / dim;
    let outside = 0;
    for (let i = 0; i < n; i++) {
      const x = samples[i * dim], y = dim === 2 ? samples[i * 2 + 1] : 0;
      counts[this.place(x) + (dim === 2 ? side * this.place(y) : 0)] += 1 / n;
      if (Math.abs(x) > extent || Math.abs(y) > extent) outside += 1 / n;
    }
    return { counts, outside };
  }
}

/**
 * D's logits, from its outputs in each bin. For least squares D is the output itself, clipped to 0.001 … 0.999. RpGAN
 * leaves a constant open: it is chosen such that V is largest, which is where the mean of D over reals and fakes is 1/2.
 */
export function logits(outputs, loss, p, q) {
  if (loss === "least_squares") {
    return outputs.map(c => { const d = Math.min(0.999, Math.max(0.001, c)); return Math.log(d / (1 - d)); });
  }
  if (loss !== "rpgan") return outputs;
  let low = Math.min(...outputs) - 1, high = Math.max(...outputs) + 1;
  for (let i = 0; i < 40; i++) {
    const constant = (low + high) / 2;
    if (outputs.reduce((sum, c, b) => sum + (p[b] + q[b]) * sigmoid(c - constant), 0) > 1) low = constant;
    else high = constant;
  }
  return outputs.map(c => c - low);
}

/** V, JS and what they are made of, all on the ruler's bins; p holds the data's masses. */
export function measure(game, ruler, p) {
  const samples = game.G.forward(ruler.latents, ruler.latents.length / ruler.dim);
  const { counts: q, outside } = ruler.counts(samples);
  const outputs = game.D.forward(ruler.centres, ruler.bins);
  const d = logits(outputs, game.settings.loss, p, q);
  let value = 0, js = 0, off = 0;
  for (let b = 0; b < ruler.bins; b++) {
    value -= p[b] * softplus(-d[b]) + q[b] * softplus(d[b]);
    const half = (p[b] + q[b]) / 2;
    if (p[b] > 0) js += p[b] / 2 * Math.log(p[b] / half);
    if (q[b] > 0) js += q[b] / 2 * Math.log(q[b] / half);
    if (half > 0) off += half * Math.abs(sigmoid(d[b]) - p[b] / (2 * half));
  }
  return { p, q, d: d.map(sigmoid), value, js, bound: 2 * js - Math.log(4), off, outside };
}

// --- settings to send

const MOST_BUMPS = 300;

/** Settings as a text of letters that an address may hold after its #. */
export const encode = settings => btoa(JSON.stringify(settings)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** The settings of such a text, or null if it holds any that this laboratory does not know. */
export function decode(text, presets) {
  let read;
  try { read = JSON.parse(atob(text.replaceAll("-", "+").replaceAll("_", "/"))); } catch { return null; }
  const within = (value, least, most) => Number.isFinite(value) && value >= least && value <= most;
  const bounds = { r1: [0, 100], rateD: [0, 10], rateG: [0, 10], k: [1, 100], speed: [1, 1000], seed: [0, 2 ** 31] };
  const right = read && Object.hasOwn(presets, read.data) && Object.hasOwn(LOSSES, read.loss)
    && Object.entries(bounds).every(([name, [least, most]]) => within(read[name], least, most))
    && ["k", "speed", "seed"].every(name => Number.isInteger(read[name])) && ["adam", "far"].every(name => typeof read[name] === "boolean");
  if (!right) return null;
  const { dim, extent, own } = presets[read.data], { bumps } = read, place = v => within(v, -10 * extent, 10 * extent);
  const drawn = Array.isArray(bumps) && bumps.length <= MOST_BUMPS && bumps.every(at => Array.isArray(at) && at.length === dim && at.every(place));
  return own ? (drawn ? read : null) : { ...read, bumps: null };
}

/** The same as a line of Python. */
export function python({ data, loss, k, r1, rateD, rateG, adam, far, seed, bumps }, presets) {
  const mixture = bumps?.length && `toys.Mixture([1 / ${bumps.length}] * ${bumps.length}, ${JSON.stringify(bumps)}, ${presets[data].std})`;
  const more = [...(adam ? [] : ["gradient descent"]), ...(far ? ["G starts far to the right"] : [])].join(", ");
  return `widgets.laboratory(${mixture || (data === "given" ? "data" : `"${data}"`)}, "${loss}", turns=${k}, lr=(${rateG}, ${rateD}), r1=${r1}, seed=${seed})${more && `  # ${more}`}`;
}

// --- drawing

/** Fit a canvas to its width and the screen's pixels, and let `draw(pen, width, height)` fill it. */
function paint(canvas, ratio, draw) {
  const width = canvas.parentElement.clientWidth, height = Math.round(width * ratio), scale = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: width * scale, height: height * scale });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "12px system-ui, sans-serif";
  if (width > 0) draw(pen, width, height);
}

function polyline(pen, points, color, width = 2, dash = []) {
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
  Object.assign(pen, { strokeStyle: color, lineWidth: width, lineJoin: "round" });
  pen.setLineDash(dash);
  pen.stroke();
  pen.setLineDash([]);
}

function arrow(pen, x, y, dx, dy, color) {
  const length = Math.hypot(dx, dy);
  if (length < 1) return;
  const head = Math.min(4, length) / length, [u, v, endX, endY] = [dx * head, dy * head, x + dx, y + dy];
  polyline(pen, [[x, y], [endX, endY]], color, 1.2);
  polyline(pen, [[endX - u - v / 1.5, endY - v + u / 1.5], [endX, endY], [endX - u + v / 1.5, endY - v - u / 1.5]], color, 1.2);
}

function words(pen, text, x, y, color, align = "left") {
  Object.assign(pen, { fillStyle: color, textAlign: align });
  pen.fillText(text, x, y);
}

/** An arrow as long as a fifth of the push, but no longer than a quarter of the half-width; in pixels. */
const reach = (push, extent, pixels) => {
  const length = Math.hypot(...push) || 1;
  return push.map(t => t / length * Math.min(length / 5, extent / 4) * pixels);
};

/** The line: D as shades and as a curve from 0 to 1, the densities, and below them the samples. */
function paintLine(pen, width, height, { ruler, seen, real, fake, pushes }, color) {
  const { side, extent } = ruler, floor = height - 66, pixels = width / 2 / extent;
  const across = b => (b + 0.5) / side * width, at = x => (x + extent) * pixels, up = d => floor - 4 - d * (floor - 12);
  const top = 1.6 * Math.max(...seen.p, 0.01);
  seen.d.forEach((d, b) => {
    pen.globalAlpha = 0.6 * d;
    pen.fillStyle = color.d;
    pen.fillRect(Math.round(b / side * width), 0, Math.round((b + 1) / side * width) - Math.round(b / side * width), floor);
  });
  for (const [masses, ink] of [[seen.p, color.data], [seen.q, color.model]]) {
    const curve = Array.from(masses, (mass, b) => [across(b), floor - Math.min(1, mass / top) * floor]);
    pen.beginPath();
    for (const [x, y] of [[0, floor], ...curve, [width, floor]]) pen.lineTo(x, y);
    pen.globalAlpha = 0.25;
    pen.fillStyle = ink;
    pen.fill();
    pen.globalAlpha = 1;
    polyline(pen, curve, ink);
  }
  polyline(pen, [[0, up(0.5)], [width, up(0.5)]], color.muted, 1, [5, 3]);
  const best = Array.from(seen.p, (p, b) => [across(b), up(p / (p + seen.q[b])), p + seen.q[b] > 2e-4]);
  best.forEach(([x, y, known]) => known && polyline(pen, [[x - 1, y], [x + 1, y]], color.ink, 2));
  polyline(pen, Array.from(seen.d, (d, b) => [across(b), up(d)]), color.curve, 2.5);
  for (const [d, text] of [[1, "D = 1"], [0.5, "½"], [0, "0"]]) words(pen, text, width - 4, up(d) + (d ? 14 : -4), color.ink, "right");
  polyline(pen, [[0, floor], [width, floor]], color.muted, 1);
  for (let i = 0; i < real.length; i++) polyline(pen, [[at(real[i]), floor + 6], [at(real[i]), floor + 16]], color.data, 1);
  for (let i = 0; i < fake.length; i++) polyline(pen, [[at(fake[i]), floor + 20], [at(fake[i]), floor + 30]], color.model, 1);
  pushes.forEach((push, i) => arrow(pen, at(fake[i]), floor + 34 + i % 3 * 5, ...reach([push], extent, pixels), 0, color.ink));
  for (let x = Math.ceil(1 - extent); x < extent; x++) words(pen, String(x).replace("-", "−"), at(x), height - 3, color.ink, "center");
}

/** The plane: D as a heat map, data, samples of G, and where D pushes them. */
function paintPlane(pen, width, height, { ruler, seen, real, fake, pushes }, color) {
  const { side, extent } = ruler, pixels = width / 2 / extent;
  const across = x => (x + extent) * pixels, down = y => (extent - y) * pixels;
  const heat = Object.assign(document.createElement("canvas"), { width: side, height: side }), ink = heat.getContext("2d");
  ink.fillStyle = color.d;
  seen.d.forEach((d, b) => {
    ink.globalAlpha = 0.7 * d;
    ink.fillRect(b % side, side - 1 - Math.floor(b / side), 1, 1);
  });
  pen.drawImage(heat, 0, 0, width, height);
  for (const [points, fill] of [[real, color.data], [fake, color.model]]) {
    for (let i = 0; i < points.length; i += 2) {
      pen.beginPath();
      pen.arc(across(points[i]), down(points[i + 1]), 2.6, 0, 7);
      Object.assign(pen, { fillStyle: fill, strokeStyle: color.paper, lineWidth: 0.8 });
      pen.fill();
      pen.stroke();
    }
  }
  for (let i = 0; i < pushes.length; i += 2) {
    const [dx, dy] = reach([pushes[i], pushes[i + 1]], extent, pixels);
    arrow(pen, across(fake[i]), down(fake[i + 1]), dx, -dy, color.ink);
  }
}

/** V and its bound against the updates of both players. */
function paintValues(pen, width, height, history, color) {
  const left = 52, low = -2.4, high = 0.15, last = Math.max(20, history.at(-1).updates);
  const across = t => left + t / last * (width - left - 8);
  const down = v => 8 + (high - Math.min(high, Math.max(low, v))) / (high - low) * (height - 34);
  for (const [v, text] of [[0, "0"], [-Math.log(4), "−log 4"]]) {
    polyline(pen, [[left, down(v)], [width - 8, down(v)]], color.muted, 1, [5, 3]);
    words(pen, text, left - 6, down(v) + 4, color.ink, "right");
  }
  polyline(pen, history.map(row => [across(row.updates), down(row.bound)]), color.ink, 2, [2, 3]);
  polyline(pen, history.map(row => [across(row.updates), down(row.value)]), color.curve, 2.5);
  words(pen, "0", left, height - 6, color.ink);
  words(pen, `${last} updates`, width - 8, height - 6, color.ink, "right");
}

// --- controls

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.dataset.lmSuppressShortcuts = "true"; // in JupyterLab: a key belongs to the control that has the focus
  made.append(...children);
  return made;
}

const labelled = (text, control, ...more) => element("label", {}, element("span", {}, text, ...more), control);

/** A select; `options` maps values to what the reader sees. */
function select(text, options, value, change) {
  const control = element("select", {}, ...Object.entries(options).map(([name, title]) => element("option", { value: name }, title)));
  control.value = value;
  control.onchange = () => change(control.value);
  return labelled(text, control);
}

/** A slider over a list of numbers, which are shown and read out as they are. */
function slider(text, list, value, change) {
  const values = [...new Set([...list, value])].sort((a, b) => a - b);
  const shown = element("b", {}), control = element("input", { type: "range", min: 0, max: values.length - 1, step: 1 });
  control.value = values.indexOf(value);
  const say = () => {
    shown.textContent = values[control.value];
    control.setAttribute("aria-valuetext", values[control.value]);
  };
  control.oninput = () => { say(); change(values[control.value]); };
  say();
  return labelled(text, control, " ", shown);
}

const RATES = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
const SHOWN = 150, ARROWS = 40;
const fixed = value => value.toFixed(3).replace("-0.000", "0.000").replace("-", "−");

/**
 * A laboratory, anew whenever an address with settings for it is opened. `place` names it in the addresses of this page:
 * what it starts with, and which of those that start alike it is.
 */
function render({ model, el }) {
  const presets = model.get("presets"), given = model.get("start"), taken = window.ganlibLaboratories ||= new Set();
  const start = { data: given.data, loss: given.loss, k: given.turns, r1: given.r1, rateD: given.lr[1], rateG: given.lr[0], adam: true, far: false, speed: 1, seed: given.seed };
  const kind = [...JSON.stringify([given, presets.given])].reduce((sum, letter) => Math.imul(sum ^ letter.codePointAt(0), 16777619) >>> 0, 2166136261).toString(36);
  let number = 0;
  while (taken.has(`${kind}-${number}`)) number += 1;
  const place = `${kind}-${number}`, opening = `#laboratory-${place}-`;
  taken.add(place);
  const asked = () => location.hash.startsWith(opening);
  const open = () => {
    const sent = asked() ? decode(location.hash.slice(opening.length), presets) : null;
    const end = play(el, presets, sent ?? start, opening, asked() && !sent);
    if (sent) requestAnimationFrame(() => el.scrollIntoView({ block: "nearest" }));
    return end;
  };
  let end = open();
  const again = () => {
    if (!asked()) return;
    end();
    el.replaceChildren();
    end = open();
  };
  window.addEventListener("hashchange", again);
  return () => { end(); taken.delete(place); window.removeEventListener("hashchange", again); };
}

function play(el, presets, start, opening, refused) {
  const mixtures = Object.fromEntries(Object.entries(presets).map(([name, preset]) => [name, new Mixture(structuredClone(preset))]));
  for (const [name, { own }] of Object.entries(presets)) if (own) mixtures[name].weights.fill(1); // bumps weigh alike
  if (start.bumps) Object.assign(mixtures[start.data], { centres: structuredClone(start.bumps), weights: start.bumps.map(() => 1), stds: start.bumps.map(() => presets[start.data].std) });
  const { loss, k, rateD, rateG, r1, adam } = start, settings = { loss, k, rateD, rateG, r1, adam };
  let { data: name, seed, speed, far } = start, at = [0, 0];
  let data, game, ruler, p, real, latents, history, queue = [], frame = 0, shown = 0, spoken = 0, speaking = 0;

  const root = element("div", { className: "ganlib-laboratory" });
  const picture = element("canvas", {}), curves = element("canvas", {});
  curves.setAttribute("role", "img");
  const numbers = element("dl"), status = element("p", { className: "unseen" }), hint = element("p", { className: "hint" });
  status.setAttribute("role", "status");

  // The game, and its picture.

  function reset() {
    stop();
    const preset = presets[name];
    data = mixtures[name];
    ruler = new Ruler(data.dim, preset.extent);
    p = ruler.masses(data);
    game = new Game(data, settings, seed, far ? 0.85 * preset.extent : 0);
    showData();
    latents = new Random(seed + 2e9).normals(SHOWN * data.dim);
    history = [];
    own.hidden = !preset.own;
    heightField.hidden = data.dim === 1;
    bestKey.hidden = data.dim === 2;
    picture.classList.toggle("own", Boolean(preset.own));
    for (const [fact, value] of [["tabindex", 0], ["role", "application"], ["aria-roledescription", "drawing pad"]]) {
      if (preset.own) picture.setAttribute(fact, value);
      else picture.removeAttribute(fact);
    }
    if (!preset.own) picture.setAttribute("role", "img");
    at = [0, 0];
    how.textContent = explain(ruler);
    show();
  }

  function showData() {
    real = data.centres.length ? data.sample(SHOWN, new Random(seed + 1e9)) : new Float64Array(0);
  }

  function show() {
    const seen = measure(game, ruler, p), updates = game.updatesD + game.updatesG;
    if (history.at(-1)?.updates === updates) history.pop();
    history.push({ updates, value: seen.value, bound: seen.bound });
    if (history.length > 800) history = history.filter((_, i) => i % 2 === 0 || i === history.length - 1);
    const fake = game.G.forward(latents, SHOWN);
    const pushes = real.length ? game.pushes(fake.slice(0, ARROWS * data.dim), real) : [];
    root.dataset.updates = `${game.updatesD} ${game.updatesG}`;
    numbers.replaceChildren(...[
      ["steps of D, G", `${game.updatesD}, ${game.updatesG}`], ["V", fixed(seen.value)],
      ["−log 4 + 2 JS", fixed(seen.bound)], ["JS", fixed(seen.js)], ["mean |D − D*|", fixed(seen.off)],
      ["G outside the picture", `${Math.round(100 * seen.outside)} %`],
    ].map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value))));
    const style = getComputedStyle(root), color = {};
    for (const ink of ["paper", "ink", "muted", "data", "model", "d", "curve"]) color[ink] = style.getPropertyValue(`--${ink}`);
    const state = { ruler, seen, real, fake, pushes };
    if (data.dim === 1) paint(picture, 0.72, (pen, w, h) => paintLine(pen, w, h, state, color));
    else paint(picture, 1, (pen, w, h) => paintPlane(pen, w, h, state, color));
    paint(curves, 0.55, (pen, w, h) => paintValues(pen, w, h, history, color));
    if (presets[name].own && document.activeElement === picture && picture.matches(":focus-visible")) mark();
    hint.textContent = !data.centres.length ? "There is no data yet: draw some."
      : Number.isFinite(seen.value) ? "" : "The weights have overflowed: reset, and take smaller learning rates.";
  }

  /** Say where the game stands, soon and once, to those who cannot see it; aloud only while they are here. */
  function speak(delay) {
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      spoken = performance.now();
      const { value, bound } = history.at(-1);
      const stands = `${game.updatesD} steps of D, ${game.updatesG} of G. V is ${value.toFixed(2)}, minus log 4 plus 2 JS is ${bound.toFixed(2)}.`;
      if (root.contains(document.activeElement) && document.activeElement !== picture) status.textContent = stands; // there it says where the keys are
      picture.setAttribute("aria-label", `${presets[name].own ? "Arrow keys move, space adds a bump, u takes one back. " : ""}D as a heat map over the ${data.dim === 1 ? "line" : "plane"}, data, samples of G and arrows. ${stands}`);
      curves.setAttribute("aria-label", `V and its upper bound, minus log 4 plus 2 JS, over the updates. ${stands}`);
    }, delay);
  }

  // Steps wait in a queue and are taken a few at a time, so that the page stays awake.

  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

  function tick() {
    const begun = performance.now();
    for (let left = speed; queue.length && left > 0 && performance.now() - begun < 25; left--) {
      game[queue[0].step]();
      if (--queue[0].times <= 0) queue.shift();
    }
    if (!root.isConnected) queue = [];
    if (!queue.length || begun - shown > (calm.matches ? 1000 : 40)) { // whoever wants less motion sees one a second
      show();
      shown = begun;
    }
    if (begun - spoken > 10000) speak(0);
    if (queue.length) frame = requestAnimationFrame(tick);
    else stop();
  }

  function take(step, times) {
    if (!data.centres.length) return;
    queue.push({ step, times });
    if (times === Infinity) run.textContent = "Stop";
    if (!frame) frame = requestAnimationFrame(tick);
  }

  function stop() {
    cancelAnimationFrame(frame);
    frame = 0;
    queue = [];
    run.textContent = "Run";
    speak(700);
  }

  // Data of the reader's own: drawn with a finger, a mouse or keys, or typed.

  function add(centre) {
    if (data.centres.length === MOST_BUMPS) return;
    data.centres.push(centre.map(v => Math.round(100 * v) / 100)); // as it is sent
    data.weights.push(1);
    data.stds.push(presets[name].std);
    redraw();
  }
  function undo() {
    for (const list of [data.centres, data.weights, data.stds]) list.pop();
    if (!data.centres.length) stop();
    redraw();
  }

  /** Where the keys are: a cross. */
  function mark() {
    const pen = picture.getContext("2d"), { clientWidth: width, clientHeight: height } = picture, { extent, dim } = ruler;
    const x = (at[0] + extent) / 2 / extent * width, y = dim === 2 ? (extent - at[1]) / 2 / extent * height : height - 55;
    for (const [ink, thick] of [["#fff", 5], ["#000", 2]]) for (const [u, v] of [[9, 0], [0, 9]]) polyline(pen, [[x - u, y - v], [x + u, y + v]], ink, thick);
  }
  picture.onkeydown = event => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }, { extent, dim } = ruler;
    if (!presets[name].own || event.ctrlKey || event.altKey || event.metaKey) return;
    if (moves[event.key]) {
      at = at.map((v, i) => Math.max(-extent, Math.min(extent, v + (i < dim ? moves[event.key][i] * extent / 20 : 0))));
      show();
      status.textContent = at.slice(0, dim).map((v, i) => `${"xy"[i]} ${v.toFixed(2)}`).join(", ");
    } else if (event.key === " " || event.key === "Enter") {
      add(at.slice(0, dim));
      status.textContent = `a bump more: ${data.centres.length}`;
    } else if (event.key === "u") {
      undo();
      status.textContent = `a bump less: ${data.centres.length}`;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  picture.onfocus = picture.onblur = () => show();

  function redraw() {
    p = ruler.masses(data);
    showData();
    show();
  }

  function touched(event) {
    if (!presets[name].own || !(event.buttons & 1)) return;
    const box = picture.getBoundingClientRect(), { extent, dim } = ruler;
    const x = ((event.clientX - box.left) / box.width * 2 - 1) * extent;
    const y = (1 - (event.clientY - box.top) / box.height * 2) * extent;
    const before = event.type === "pointermove" && data.centres.at(-1);
    if (before && Math.hypot(x - before[0], dim === 2 ? y - before[1] : 0) < extent / 25) return;
    add(dim === 2 ? [x, y] : [x]);
  }
  picture.onpointerdown = picture.onpointermove = touched;

  // The controls.

  const button = (text, click) => element("button", { type: "button", textContent: text, onclick: click });
  const number = (text, properties) => labelled(text, element("input", { type: "number", ...properties }));
  const run = button("Run", () => (queue.at(-1)?.times === Infinity ? stop() : take("stepBoth", Infinity)));
  const steps = element("div", { className: "steps" },
    button("Step D", () => take("stepD", speed)), button("Step G", () => take("stepG", speed)),
    button("Step both", () => take("stepBoth", speed)), run, button("Reset", reset), button("", copy));
  const widthField = number("x", { value: 0, step: 0.1 }), heightField = number("y", { value: 0, step: 0.1 });
  const typed = () => [widthField, heightField].slice(0, data.dim).map(field => Number(field.querySelector("input").value));
  const own = element("fieldset", {}, element("legend", {}, "Draw in the picture (keys: arrows, space, u takes back), or type"), widthField, heightField,
    button("Add a bump", () => add(typed())), button("Take back", undo),
    button("Clear", () => { stop(); Object.assign(data, { centres: [], weights: [], stds: [] }); redraw(); }));
  const change = key => value => { settings[key] = value; show(); };
  const seedField = number("Seed", { value: seed, min: 0, step: 1 });
  seedField.querySelector("input").onchange = event => {
    seed = Math.max(0, Math.floor(Number(event.target.value) || 0));
    event.target.value = seed;
    reset();
  };
  const titles = list => Object.fromEntries(Object.entries(list).map(([key, { title }]) => [key, title]));
  const controls = element("div", { className: "controls" },
    select("Data", titles(presets), name, value => { name = value; reset(); }),
    select("Loss", titles(LOSSES), settings.loss, change("loss")),
    slider("k, steps of D for one of G:", [1, 2, 3, 4, 5, 8, 10, 15, 20], settings.k, change("k")),
    slider("R1, weight γ:", [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10], settings.r1, change("r1")),
    slider("Learning rate of D:", RATES, settings.rateD, change("rateD")),
    slider("Learning rate of G:", RATES, settings.rateG, change("rateG")),
    select("Optimiser", { adam: "Adam", descent: "gradient descent" }, settings.adam ? "adam" : "descent", value => { settings.adam = value === "adam"; }),
    select("G starts", { near: "in the middle", far: "far to the right" }, far ? "far" : "near", value => { far = value === "far"; reset(); }),
    slider("Steps at a time:", [1, 2, 5, 10, 20, 50, 100], speed, value => { speed = value; }),
    seedField);

  // The settings as they stand, for somebody else: in the book as an address, elsewhere, where there is none, as Python.
  const inBook = document.documentElement.dataset.content_root !== undefined, copier = steps.lastChild;
  copier.textContent = inBook ? "Copy link" : "Copy settings";
  const sent = element("input", { type: "text", readOnly: true, ariaLabel: inBook ? "Link to these settings" : "These settings in Python" });
  const sending = element("p", { className: "sending", hidden: true }, sent), copied = element("span", {});
  copied.setAttribute("aria-live", "polite");
  sending.append(copied);
  async function copy() {
    const all = { data: name, ...settings, far, speed, seed, bumps: presets[name].own ? data.centres : null };
    sent.value = inBook ? `${location.href.split("#")[0]}${opening}${encode(all)}` : python(all, presets);
    sending.hidden = sent.hidden = false;
    let done = true;
    try { await navigator.clipboard.writeText(sent.value); } catch { done = false; }
    if (!done) sent.select();
    copied.textContent = done ? "Copied." : "This browser keeps the clipboard closed: copy the text by hand.";
  }

  const key = (kind, text) => element("span", { className: `key-${kind}` }, text);
  const bestKey = key("best", "D*");
  const legend = element("p", { className: "legend" }, key("data", "data, p_d"), key("model", "samples of G, p_g"),
    key("d", "D, from 0 (clear) to 1 (green)"), bestKey, key("push", "where D pushes a sample"));
  const legend2 = element("p", { className: "legend" }, key("value", "V, measured"), key("best", "−log 4 + 2 JS"));
  const how = element("p");
  root.append(
    element("div", { className: "views" }, element("div", {}, element("div", { className: "view" }, picture), legend),
      element("div", {}, element("div", { className: "view" }, curves), legend2, numbers, hint)),
    steps, sending, own, controls, element("details", {}, element("summary", {}, "How it is computed"), how), status);
  el.append(root);
  reset();
  if (refused) {
    sending.hidden = false;
    sent.hidden = true;
    copied.textContent = "The address holds settings that this laboratory does not know; it starts with its own.";
  }

  let width = 0;
  const sized = new ResizeObserver(() => {
    if (root.clientWidth !== width) show();
    width = root.clientWidth;
  });
  sized.observe(root);
  const themed = new MutationObserver(show);
  for (const page of [document.documentElement, document.body]) {
    themed.observe(page, { attributeFilter: ["data-theme", "theme", "data-jp-theme-light", "class"] });
  }
  return () => { stop(); clearTimeout(speaking); sized.disconnect(); themed.disconnect(); };
}

/** In words, what the numbers are. */
function explain({ dim, extent }) {
  const [bins, latents] = dim === 1 ? ["100 equal bins of the line", "4000 evenly spread quantiles of z"]
    : ["40 × 40 equal squares of the plane", "all pairs of 64 evenly spread quantiles of each number of z"];
  return `V and JS are sums over ${bins}, from −${extent} to ${extent}. p_d is its exact probability in each. p_g is a `
    + `histogram: ${latents} pass through G and are counted; what falls outside counts in the nearest bin. `
    + "JS compares these two lists of probabilities, V is the sum of p_d log D + p_g log(1 − D) with D at the middle of each "
    + "bin, and D* is p_d / (p_d + p_g). So V never passes −log 4 + 2 JS. D is the sigmoid of the network's output; with "
    + "least squares it is the output itself, clipped to 0.001 … 0.999; with RpGAN, which leaves a constant in the output "
    + "open, it is the sigmoid at the constant for which V is largest. An arrow is minus the gradient of G's loss by the "
    + "sample, a fifth as long as in the units of the picture, and cut at a quarter of the half-width. "
    + `Both networks have two hidden layers of ${WIDTH} with LeakyReLU (slope ${SLOPE}); a batch has ${BATCH} data and ${BATCH} `
    + "latent vectors; Adam has β₁ = 0.5 and β₂ = 0.999. The seed decides the first weights and every batch.";
}

export default { render };
