// A trained generator in the reader's browser: it computes what generator.py wrote down, and draws the controls to play with it.
// Images are {data: Float32Array, channels, height, width}, one plane of rows behind the other.

// ---- the network

// Half-precision numbers (two bytes each, the lower first) as a Float32Array.
export function unpack(view) {
  const powers = Array.from({ length: 32 }, (_, e) => 2 ** (e - 15));
  const out = new Float32Array(view.byteLength / 2);
  for (let i = 0; i < out.length; i++) {
    const bits = view.getUint16(2 * i, true), e = (bits >> 10) & 31, f = (bits & 1023) / 1024;
    const size = e === 0 ? f * 2 ** -14 : (1 + f) * powers[e];
    out[i] = bits >> 15 ? -size : size;
  }
  return out;
}

// The network with each layer's numbers at hand, and the directions of latent space.
export function prepare(network, weights) {
  const numbers = unpack(weights);
  let at = 0;
  const take = n => numbers.subarray(at, at += n);
  const layers = network.layers.map(layer => ({ ...layer, numbers: layer.sizes.map(take) }));
  const directions = Array.from({ length: network.latent }, () => take(network.latent));
  return { ...network, layers, directions };
}

// G(z), or G(z, label): a Float32Array of the numbers of one image.
export function forward(net, z, label = 0) {
  let x = vector(Float32Array.from(z));
  for (const layer of net.layers) x = LAYERS[layer.op](x, layer, label);
  return x.data;
}

const vector = data => ({ data, channels: data.length, height: 1, width: 1 });
const planes = (channels, height, width) => ({ data: new Float32Array(channels * height * width), channels, height, width });

function padded(x, border) {
  if (!border) return x;
  const y = planes(x.channels, x.height + 2 * border, x.width + 2 * border);
  for (let c = 0; c < x.channels; c++) for (let r = 0; r < x.height; r++) {
    const from = (c * x.height + r) * x.width;
    y.data.set(x.data.subarray(from, from + x.width), (c * y.height + r + border) * y.width + border);
  }
  return y;
}

// The window of an image that begins at (border, border).
function cropped(x, border, height, width) {
  if (!border && height === x.height && width === x.width) return x;
  const y = planes(x.channels, height, width);
  for (let c = 0; c < x.channels; c++) for (let r = 0; r < height; r++) {
    const from = (c * x.height + r + border) * x.width + border;
    y.data.set(x.data.subarray(from, from + width), (c * height + r) * width);
  }
  return y;
}

// Adds to a row of y that of one plane of x times its weight, or those of four planes: fewer reads and writes of y.
function add(y, to, step, x, from, stride, n, plane, weight, at, hop, lanes) {
  if (lanes === 1) {
    const a = weight[at];
    for (let p = 0; p < n; p++, to += step, from += stride) y[to] += a * x[from];
    return;
  }
  const a = weight[at], b = weight[at + hop], c = weight[at + 2 * hop], d = weight[at + 3 * hop];
  const second = from + plane, third = second + plane, fourth = third + plane;
  for (let p = 0, q = 0; p < n; p++, q += stride, to += step)
    y[to] += a * x[from + q] + b * x[second + q] + c * x[third + q] + d * x[fourth + q];
}

const each = (x, f) => { for (let i = 0; i < x.data.length; i++) x.data[i] = f(x.data[i]); return x; };
const ACTIVATIONS = {
  leaky: a => v => v < 0 ? a * v : v,
  elu: a => v => v < 0 ? a * Math.expm1(v) : v,
  silu: () => v => v / (1 + Math.exp(-v)),
  sigmoid: () => v => 1 / (1 + Math.exp(-v)),
  tanh: () => Math.tanh,
};

const LAYERS = {
  // The label beside z: its row of a table, or one 1 among zeros.
  label(x, { numbers: [table], width }, label) {
    const y = new Float32Array(x.channels + width);
    y.set(x.data);
    if (table) y.set(table.subarray(label * width, (label + 1) * width), x.channels);
    else y[x.channels + label] = 1;
    return vector(y);
  },
  linear(x, { numbers: [weight, bias] }) {
    const y = Float32Array.from(bias), n = y.length;
    for (let i = 0; i < x.data.length; i++) {
      const v = x.data[i], row = weight.subarray(i * n, (i + 1) * n);
      if (v) for (let j = 0; j < n; j++) y[j] += v * row[j];
    }
    return vector(y);
  },
  view: (x, { shape: [channels, height, width] }) =>
    ({ data: x.data, channels: channels < 0 ? x.data.length : channels, height, width }),
  // Every weight of a kernel adds a shifted copy of a plane. At stride 1 a plane is one long row: what runs over
  // its right edge is cut off in the end.
  convolve(x, { numbers: [weight, bias], outputs, kernel, stride, padding }) {
    const big = padded(x, padding), plane = big.height * big.width, area = kernel * kernel;
    const height = Math.floor((big.height - kernel) / stride) + 1, width = Math.floor((big.width - kernel) / stride) + 1;
    const pitch = stride === 1 ? big.width : width, y = planes(outputs, height, pitch), size = height * pitch;
    const [rows, run] = stride === 1 ? [1, (height - 1) * pitch + width] : [height, width];
    for (let o = 0; o < outputs; o++) {
      y.data.fill(bias[o], o * size, (o + 1) * size);
      for (let i = 0, lanes; i < x.channels; i += lanes) {
        lanes = x.channels - i < 4 ? 1 : 4;
        for (let k = 0; k < area; k++) for (let r = 0; r < rows; r++) {
          const from = i * plane + (r * stride + Math.floor(k / kernel)) * big.width + k % kernel;
          add(y.data, o * size + r * pitch, 1, big.data, from, stride, run, plane, weight, (o * x.channels + i) * area + k, area, lanes);
        }
      }
    }
    return cropped(y, 0, height, width);
  },
  // Its transpose: the same copies, from the small plane to the big one.
  grow(x, { numbers: [weight, bias], outputs, kernel, stride, padding, extra }) {
    const plane = x.height * x.width, area = kernel * kernel, wide = side => (side - 1) * stride + kernel + extra;
    const y = planes(outputs, wide(x.height), wide(x.width)), size = y.height * y.width;
    for (let o = 0; o < outputs; o++) {
      y.data.fill(bias[o], o * size, (o + 1) * size);
      for (let i = 0, lanes; i < x.channels; i += lanes) {
        lanes = x.channels - i < 4 ? 1 : 4;
        for (let k = 0; k < area; k++) for (let r = 0; r < x.height; r++) {
          const to = o * size + (r * stride + Math.floor(k / kernel)) * y.width + k % kernel;
          add(y.data, to, stride, x.data, i * plane + r * x.width, 1, x.width, plane, weight, (i * outputs + o) * area + k, outputs * area, lanes);
        }
      }
    }
    return cropped(y, padding, y.height - 2 * padding, y.width - 2 * padding);
  },
  // Channel c r² + a r + b makes the pixels (r i + a, r j + b) of channel c.
  shuffle(x, { factor: f }) {
    const y = planes(x.channels / (f * f), x.height * f, x.width * f);
    for (let c = 0; c < y.channels; c++) for (let i = 0; i < y.height; i++) for (let j = 0; j < y.width; j++) {
      const from = (c * f + i % f) * f + j % f;
      y.data[(c * y.height + i) * y.width + j] = x.data[(from * x.height + Math.floor(i / f)) * x.width + Math.floor(j / f)];
    }
    return y;
  },
  enlarge(x, { factor: f }) {
    const y = planes(x.channels, x.height * f, x.width * f);
    for (let c = 0; c < y.channels; c++) for (let i = 0; i < y.height; i++) for (let j = 0; j < y.width; j++)
      y.data[(c * y.height + i) * y.width + j] = x.data[(c * x.height + Math.floor(i / f)) * x.width + Math.floor(j / f)];
    return y;
  },
  // A scale and a shift for each channel (of each class).
  affine(x, { numbers: [scale, shift], classes }, label) {
    const first = classes ? label * x.channels : 0, size = x.height * x.width;
    const y = planes(x.channels, x.height, x.width);
    for (let c = 0; c < x.channels; c++) {
      const a = scale[first + c], b = shift[first + c];
      for (let i = c * size; i < (c + 1) * size; i++) y.data[i] = a * x.data[i] + b;
    }
    return y;
  },
  // Mean 0 and variance 1 over each group of channels.
  normalise(x, { groups, eps }) {
    const y = planes(x.channels, x.height, x.width), size = x.data.length / groups;
    for (let g = 0; g < groups; g++) {
      const part = x.data.subarray(g * size, (g + 1) * size);
      let mean = 0, variance = 0;
      for (const v of part) mean += v / size;
      for (const v of part) variance += (v - mean) ** 2 / size;
      const scale = 1 / Math.sqrt(variance + eps);
      for (let i = 0; i < size; i++) y.data[g * size + i] = (part[i] - mean) * scale;
    }
    return y;
  },
  // Root mean square 1 over the channels of each pixel.
  normalise_pixels(x) {
    const y = planes(x.channels, x.height, x.width), size = x.height * x.width;
    for (let p = 0; p < size; p++) {
      let mean = 0;
      for (let c = 0; c < x.channels; c++) mean += x.data[c * size + p] ** 2 / x.channels;
      const scale = 1 / Math.sqrt(mean + 1e-8);
      for (let c = 0; c < x.channels; c++) y.data[c * size + p] = x.data[c * size + p] * scale;
    }
    return y;
  },
  activate: (x, { name, slope }) => each({ ...x, data: x.data.slice() }, ACTIVATIONS[name](slope)),
};

// ---- latent vectors

const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

function normal() { // Box and Muller
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

// From a (t = 0) to b (t = 1): on a great circle if z is normal, for all its draws are about equally long; straight if not.
export function between(a, b, t, prior) {
  const angle = Math.acos(Math.max(-1, Math.min(1, dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1))));
  const round = prior !== "uniform" && Math.sin(angle) > 1e-3;
  const s = round ? Math.sin((1 - t) * angle) / Math.sin(angle) : 1 - t, u = round ? Math.sin(t * angle) / Math.sin(angle) : t;
  return a.map((v, i) => s * v + u * b[i]);
}

// ---- the page

const TILES = 7, SLIDERS = 6;

function make(tag, facts = {}, ...children) {
  const element = document.createElement(tag);
  element.dataset.lmSuppressShortcuts = "true"; // in JupyterLab: a key belongs to the control that has the focus
  for (const [name, value] of Object.entries(facts)) {
    if (name.startsWith("on")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function paint(canvas, numbers, [channels, height, width], left = 0, top = 0) {
  const image = new ImageData(width, height), size = height * width;
  for (let p = 0; p < size; p++) {
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = 127.5 * (numbers[(channels === 3 ? c : 0) * size + p] + 1);
    image.data[4 * p + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, left, top);
}

function render({ model, el }) {
  const net = prepare(model.get("network"), model.get("weights")), names = model.get("names"), alt = model.get("alt");
  const [, height, width] = net.shape, reach = net.prior === "uniform" ? 1 : 3, span = net.prior === "uniform" ? 1 : 2.5;
  const z = () => model.get("z"), label = () => model.get("label");
  const draw = () => net.prior === "uniform" ? 2 * Math.random() - 1 : normal();
  const fresh = () => Array.from({ length: net.latent }, draw);
  const along = k => dot(net.directions[k], z());
  const described = k => names.length ? `${alt}, class ${names[k]}` : alt;

  function go(next, k = label()) {
    model.set("z", Array.from(next));
    model.set("label", k);
    model.save_changes();
  }
  // z with its coordinates along some directions changed: {direction: value}.
  function moved(changes, from = z()) {
    const next = Array.from(from);
    for (const [k, value] of Object.entries(changes)) {
      const step = value - dot(net.directions[k], from);
      for (let i = 0; i < next.length; i++) next[i] += step * net.directions[k][i];
    }
    return next;
  }

  // The picture.
  const picture = make("canvas", { class: "live-picture", role: "img", width, height });
  const time = make("span", { class: "live-time" });

  // The map: pictures over the two directions that change it most, all else as it is.
  const plane = net.latent > 1 ? [0, 1] : [0];
  const tiles = make("canvas", { class: "live-tiles", width: TILES * width, height: TILES * height, "aria-hidden": "true" });
  const mark = make("span", { class: "live-mark" });
  const map = make("div", {
    class: "live-map", role: "slider", tabindex: 0, "aria-roledescription": "two-dimensional slider",
    "aria-label": "Map of two latent directions, arrow keys move across it", "aria-valuemin": -span, "aria-valuemax": span,
  }, tiles, mark);
  const clamp = v => Math.max(-span, Math.min(span, v));
  const place = (x, y) => go(moved(plane.length > 1 ? { 0: clamp(x), 1: clamp(y) } : { 0: clamp(x) }));
  const drag = event => {
    const box = tiles.getBoundingClientRect();
    place(span * (2 * (event.clientX - box.left) / box.width - 1), span * (1 - 2 * (event.clientY - box.top) / box.height));
  };
  map.onpointerdown = event => { map.setPointerCapture(event.pointerId); drag(event); };
  map.onpointermove = event => { if (map.hasPointerCapture(event.pointerId)) drag(event); };
  map.onkeydown = event => {
    const step = span / 10, steps = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const [x, y] = plane.map(along);
    if (event.key === "Home") place(0, 0);
    else if (steps[event.key]) place(clamp(x) + steps[event.key][0], clamp(y ?? 0) + steps[event.key][1]);
    else return;
    event.preventDefault();
  };
  let turn = 0, drawn = null;
  function drawTiles() {
    // What the map shows depends on neither of its own two coordinates.
    const base = moved(Object.fromEntries(plane.map(k => [k, 0]))), k = label();
    if (drawn && drawn.k === k && Math.hypot(...base.map((v, i) => v - drawn.base[i])) < 0.02) return;
    drawn = { base, k };
    const mine = ++turn, middle = (TILES - 1) / 2;
    const places = Array.from({ length: TILES * TILES }, (_, i) => [i % TILES - middle, Math.floor(i / TILES) - middle]);
    places.sort((a, b) => Math.hypot(...a) - Math.hypot(...b));
    (function some() { // from the middle outwards, never longer at a time than a frame may take
      if (mine !== turn) return;
      for (const start = performance.now(); places.length && performance.now() - start < 10;) {
        const [x, y] = places.shift(), at = v => 2 * span * v / TILES;
        const next = moved(plane.length > 1 ? { 0: at(x), 1: at(-y) } : { 0: at(x) }, base);
        paint(tiles, forward(net, next, k), net.shape, (x + middle) * width, (y + middle) * height);
      }
      if (places.length) setTimeout(some, 0);
      else map.dataset.ready = "true";
    })();
  }

  // The sliders.
  const sliders = [];
  function slider(k) {
    const input = make("input", { type: "range", min: -reach, max: reach, step: 0.05, oninput: () => go(moved({ [k]: +input.value })) });
    sliders.push([k, input]);
    return make("label", { class: "live-slider" }, make("span", {}, `Direction ${k + 1}`), input);
  }
  const few = make("div", { class: "live-sliders" }, ...Array.from({ length: Math.min(SLIDERS, net.latent) }, (_, k) => slider(k)));
  const rest = make("div", { class: "live-sliders" });
  const more = make("details", { class: "live-more" }, make("summary", {}, `${net.latent - SLIDERS} more directions`), rest);
  more.ontoggle = () => {
    for (let k = sliders.length; k < net.latent; k++) rest.append(slider(k));
    show();
  };

  // The classes.
  const choose = (k, name) => make("button", { type: "button", "aria-label": `class ${name}`, onclick: () => go(z(), k) }, name);
  const buttons = names.map((name, k) => choose(k, name));
  const classes = make("div", { class: "live-classes", role: "group", "aria-label": "Class" }, ...buttons);

  // Two pinned samples and the way between them.
  const pins = {};
  function pin(name) {
    const thumb = make("canvas", { width, height, "aria-hidden": "true" });
    const set = (at, k) => { pins[name] = [Array.from(at), k]; paint(thumb, forward(net, at, k), net.shape); };
    const button = make("button", { type: "button", class: "live-pin", onclick: () => { set(z(), label()); way.value = name === "A" ? 0 : 1; } },
      thumb, make("span", {}, `Pin ${name}`));
    return [button, set];
  }
  const way = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": "From A to B", oninput: () => {
    const t = +way.value, [[a, first], [b, last]] = [pins.A, pins.B];
    go(between(a, b, t, net.prior), t < 0.5 ? first : last);
  } });
  const [[buttonA, setA], [buttonB, setB]] = [pin("A"), pin("B")];
  setA(z(), label());
  setB(fresh(), label());

  const surprise = make("button", { type: "button", class: "live-surprise", onclick: () => go(fresh()) }, "Surprise me");

  // Everything as the state says.
  function show() {
    const start = performance.now(), numbers = forward(net, z(), label());
    time.textContent = `${Math.max(1, Math.round(performance.now() - start))} ms an image`;
    paint(picture, numbers, net.shape);
    picture.setAttribute("aria-label", described(label()));
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", k === label()));
    for (const [k, input] of sliders) input.value = along(k);
    const [x, y = 0] = plane.map(along);
    mark.style.left = `${50 * (1 + clamp(x) / span)}%`;
    mark.style.top = `${50 * (1 - clamp(y) / span)}%`;
    map.setAttribute("aria-valuenow", clamp(x).toFixed(2));
    map.setAttribute("aria-valuetext", plane.map(k => `direction ${k + 1}: ${along(k).toFixed(1)}`).join(", "));
    drawTiles();
  }
  let waiting = 0;
  const soon = () => { waiting ||= requestAnimationFrame(() => { waiting = 0; show(); }); };

  const root = make("div", { class: "ganlib-live", role: "group", "aria-label": `Play with the generator: ${alt}` },
    make("div", { class: "live-views" },
      make("div", { class: "live-view" }, picture, make("div", { class: "live-bar" }, surprise, time)),
      make("div", { class: "live-view" }, map, make("div", { class: "live-bar live-hint" }, "drag across the map"))),
    ...(names.length ? [classes] : []),
    make("div", { class: "live-way" }, buttonA, way, buttonB),
    few, ...(net.latent > SLIDERS ? [more] : []));
  el.append(root);
  model.on("change:z", soon);
  model.on("change:label", soon);
  show();
  return () => { turn++; model.off("change:z", soon); model.off("change:label", soon); };
}

export default { render };
