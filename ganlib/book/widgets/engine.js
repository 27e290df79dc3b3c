// Networks in the reader's browser: computes what network.py wrote down. It stands before each widget's own script.
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

// Networks with each layer's numbers at hand, and where z is all that goes in, the directions of latent space.
export function prepareAll(networks, weights) {
  const numbers = unpack(weights);
  let at = 0;
  const take = n => numbers.subarray(at, at += n);
  return networks.map(network => {
    const layers = network.layers.map(layer => ({ ...layer, numbers: layer.sizes.map(take) }));
    return { ...network, layers, directions: Array.from({ length: network.latent || 0 }, () => take(network.latent)) };
  });
}
export const prepare = (network, weights) => prepareAll([network], weights)[0];

// What a network makes of one image x, beside which a code may stand: {z, label}.
export function run(net, x, code = {}) {
  const at = { z: [], label: 0, ...code, kept: [] };
  for (const layer of net.layers) x = LAYERS[layer.op](x, layer, at);
  return x;
}
// The same for many codes beside one image x: z -> image. The first convolution is linear, so that of x and those of each
// number of z are computed once, and a code adds the latter up.
export function forCodes(net, x) {
  const at = net.layers.findIndex(layer => layer.op === "convolve"), [head, rest] = [net.layers.slice(0, at + 1), net.layers.slice(at + 1)];
  if (!["code convolve", "code reflect convolve"].includes(head.map(layer => layer.op).join(" ")) || head[0].classes) return z => run(net, x, { z });
  const through = (image, z) => run({ layers: head }, image, { z }), none = new Array(net.code).fill(0), blank = { ...x, data: x.data.map(() => 0) };
  net.parts ||= none.map((_, k) => {
    const zero = through(blank, none).data;
    return through(blank, none.map((_, i) => +(i === k))).data.map((v, p) => v - zero[p]);
  });
  const base = through(x, none);
  return z => {
    const y = base.data.slice();
    net.parts.forEach((part, k) => { const v = z[k]; for (let p = 0; p < y.length; p++) y[p] += v * part[p]; });
    return run({ layers: rest }, { ...base, data: y }, { z });
  };
}
// G(z), or G(z, label): a Float32Array of the numbers of one image.
export const forward = (net, z, label = 0) => run(net, vector(Float32Array.from(z)), { label }).data;

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

// The same of four planes to two rows of y, which are `size` apart: what is read of x serves both.
function addToTwo(y, to, size, x, from, stride, n, plane, weight, at, hop, next) {
  const a = weight[at], b = weight[at + hop], c = weight[at + 2 * hop], d = weight[at + 3 * hop];
  const e = weight[at + next], f = weight[at + next + hop], g = weight[at + next + 2 * hop], h = weight[at + next + 3 * hop];
  const second = from + plane, third = second + plane, fourth = third + plane, other = to + size;
  for (let p = 0, q = 0; p < n; p++, q += stride) {
    const s = x[from + q], t = x[second + q], u = x[third + q], v = x[fourth + q];
    y[to + p] += a * s + b * t + c * u + d * v;
    y[other + p] += e * s + f * t + g * u + h * v;
  }
}

function joined(a, b) {
  const y = planes(a.channels + b.channels, a.height, a.width);
  y.data.set(a.data);
  y.data.set(b.data, a.data.length);
  return y;
}

// The pixels that a smooth enlargement weighs for each new one along a side, at the border the last one again, and their
// weights: two by their nearness, or four (Keys 1981, a = -3/4 as in PyTorch).
function neighbours(side, factor, cubic) {
  const a = -0.75, near = t => ((a + 2) * t - (a + 3)) * t * t + 1, far = t => ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return Array.from({ length: side * factor }, (_, i) => {
    const at = (i + 0.5) / factor - 0.5, first = Math.floor(at), t = at - first;
    const from = (cubic ? [-1, 0, 1, 2] : [0, 1]).map(step => Math.max(0, Math.min(side - 1, first + step)));
    return [from, cubic ? [far(t + 1), near(t), near(1 - t), far(2 - t)] : [1 - t, t]];
  });
}
// Along the rows, then along the columns.
function smooth(x, f, cubic) {
  const wide = planes(x.channels, x.height, x.width * f), y = planes(x.channels, x.height * f, x.width * f);
  const across = neighbours(x.width, f, cubic), down = neighbours(x.height, f, cubic);
  for (let r = 0; r < x.channels * x.height; r++) across.forEach(([from, weight], j) => {
    for (let k = 0; k < from.length; k++) wide.data[r * wide.width + j] += weight[k] * x.data[r * x.width + from[k]];
  });
  for (let c = 0; c < x.channels; c++) down.forEach(([from, weight], i) => {
    for (let k = 0; k < from.length; k++) for (let j = 0, to = (c * y.height + i) * y.width, at = (c * x.height + from[k]) * y.width; j < y.width; j++)
      y.data[to + j] += weight[k] * wide.data[at + j];
  });
  return y;
}

const each = (x, f) => { for (let i = 0; i < x.data.length; i++) x.data[i] = f(x.data[i]); return x; };
const ACTIVATIONS = {
  elu: a => v => v < 0 ? a * Math.expm1(v) : v,
  silu: () => v => v / (1 + Math.exp(-v)),
  sigmoid: () => v => 1 / (1 + Math.exp(-v)),
  tanh: () => Math.tanh,
};

const LAYERS = {
  // The label beside z: its row of a table, or one 1 among zeros.
  label(x, { numbers: [table], width }, { label }) {
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
    for (let o = 0; o < outputs; o++) y.data.fill(bias[o], o * size, (o + 1) * size);
    for (let o = 0, pair; o < outputs; o += pair) {
      pair = Math.min(2, outputs - o);
      for (let i = 0, lanes; i < x.channels; i += lanes) {
        lanes = x.channels - i < 4 ? 1 : 4;
        for (let k = 0; k < area; k++) for (let r = 0; r < rows; r++) {
          const from = i * plane + (r * stride + Math.floor(k / kernel)) * big.width + k % kernel;
          const to = o * size + r * pitch, at = (o * x.channels + i) * area + k, next = x.channels * area;
          if (pair + lanes === 6) addToTwo(y.data, to, size, big.data, from, stride, run, plane, weight, at, area, next);
          else for (let q = 0; q < pair; q++) add(y.data, to + q * size, 1, big.data, from, stride, run, plane, weight, at + q * next, area, lanes);
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
  bicubic: (x, { factor }) => smooth(x, factor, true),
  bilinear: (x, { factor }) => smooth(x, factor, false),
  // A border in which the image goes on as in a mirror that stands on its last pixels.
  reflect(x, { padding }) {
    const y = planes(x.channels, x.height + 2 * padding, x.width + 2 * padding);
    const mirror = (i, side) => { const at = Math.abs(i - padding); return at < side ? at : 2 * side - 2 - at; };
    const across = Int32Array.from({ length: y.width }, (_, j) => mirror(j, x.width));
    for (let c = 0, to = 0; c < x.channels; c++) for (let i = 0; i < y.height; i++)
      for (let j = 0, from = (c * x.height + mirror(i, x.height)) * x.width; j < y.width; j++, to++) y.data[to] = x.data[from + across[j]];
    return y;
  },
  // Squares of a side, without a remainder at the border: their largest number, or their mean.
  pool(x, { side, most }) {
    const y = planes(x.channels, Math.floor(x.height / side), Math.floor(x.width / side));
    let to = 0;
    for (let c = 0; c < y.channels; c++) for (let i = 0; i < y.height; i++) for (let j = 0; j < y.width; j++, to++) {
      let sum = 0, best = -Infinity;
      for (let k = 0; k < side; k++) for (let l = 0, at = (c * x.height + i * side + k) * x.width + j * side; l < side; l++, at++) {
        sum += x.data[at];
        if (x.data[at] > best) best = x.data[at];
      }
      y.data[to] = most ? best : sum / (side * side);
    }
    return y;
  },
  // Means over `side` × `side` windows that cover the image, overlapping where they must.
  average(x, { side }) {
    const y = planes(x.channels, side, side), from = (i, n) => Math.floor(i * n / side), to = (i, n) => Math.ceil((i + 1) * n / side);
    for (let c = 0; c < x.channels; c++) for (let i = 0; i < side; i++) for (let j = 0; j < side; j++) {
      const [top, low, left, right] = [from(i, x.height), to(i, x.height), from(j, x.width), to(j, x.width)];
      let sum = 0;
      for (let k = top; k < low; k++) for (let l = left; l < right; l++) sum += x.data[(c * x.height + k) * x.width + l];
      y.data[(c * side + i) * side + j] = sum / ((low - top) * (right - left));
    }
    return y;
  },
  // z, or the label among `classes`, as constant planes beside the image.
  code(x, { classes }, { z, label }) {
    const numbers = classes ? Array.from({ length: classes }, (_, k) => +(k === label)) : z, size = x.height * x.width;
    const beside = planes(numbers.length, x.height, x.width);
    numbers.forEach((v, k) => beside.data.fill(v, k * size, (k + 1) * size));
    return joined(x, beside);
  },
  // What a skip carries: kept here, and further on joined behind (or before) what comes there, added to it, or changed with it.
  keep(x, _, { kept }) { kept.push(x); return x; },
  swap(x, _, { kept }) { const y = kept.pop(); kept.push(x); return y; },
  join: (x, { before }, { kept }) => before ? joined(kept.pop(), x) : joined(x, kept.pop()),
  plus(x, { scale }, { kept }) { const y = kept.pop(); return { ...x, data: x.data.map((v, i) => y.data[i] + scale * v) }; },
  // A scale and a shift for each channel (of each class).
  affine(x, { numbers: [scale, shift], classes }, { label }) {
    const first = classes ? label * x.channels : 0, size = x.height * x.width;
    const y = planes(x.channels, x.height, x.width);
    for (let c = 0; c < x.channels; c++) {
      const a = scale[first + c], b = shift[first + c];
      for (let i = c * size; i < (c + 1) * size; i++) y.data[i] = a * x.data[i] + b;
    }
    return y;
  },
  // What a generator of styles begins with: always the same numbers.
  constant: (_, { numbers: [data], shape: [channels, height, width] }) => ({ data, channels, height, width }),
  // w led towards its mean, and from there on the style of all layers; whoever mixes gives each its own, in `styles`.
  truncate: (w, { numbers: [mean] }, { psi = 1 }) => vector(w.data.map((v, i) => mean[i] + psi * (v - mean[i]))),
  style(w, { count }, at) { at.styles = Array(count).fill(w.data); return w; },
  // A convolution whose weights a style scales, channel by channel of what goes in; where it is `demodulated` they are then divided by
  // their length, for each channel that comes out. Both are done beside the weights. Then noise, the same for all channels, and a bias.
  modulate(x, layer, { styles }) {
    const { numbers: [matrix, shift, weight, bias, noise], outputs, kernel, style, demodulate, gain } = layer, n = x.channels, area = kernel * kernel;
    const scale = LAYERS.linear(vector(styles[style]), { numbers: [matrix, shift] }).data, none = new Float32Array(Math.max(n, outputs));
    const given = LAYERS.affine(x, { numbers: [scale, none], classes: 0 }, {}), size = x.height * x.width;
    const y = LAYERS.convolve(given, { numbers: [weight, none], outputs, kernel, stride: 1, padding: (kernel - 1) / 2 });
    layer.squares ||= Float32Array.from({ length: outputs * n }, (_, k) => weight.subarray(k * area, (k + 1) * area).reduce((sum, v) => sum + v * v, 0));
    for (let o = 0; o < outputs; o++) {
      const length = demodulate ? Math.sqrt(scale.reduce((sum, v, i) => sum + v * v * layer.squares[o * n + i], 1e-8)) : 1;
      for (let p = 0, at = o * size; p < size; p++, at++) y.data[at] = gain * (y.data[at] / length + bias[o] + (noise ? noise[p] : 0));
    }
    return y;
  },
  // The colours of a resolution, added to the enlarged image of the one before, which stands aside; and in the end that image.
  colours(x, layer, at) {
    const made = LAYERS.modulate(x, layer, at), before = at.image && LAYERS.bilinear(at.image, { factor: 2 });
    at.image = before ? { ...made, data: made.data.map((v, p) => before.data[p] + v) } : made;
    return x;
  },
  image: (x, _, { image }) => image,
  // Mean 0 and variance 1 over each group of channels.
  normalise(x, { groups, eps }) {
    const y = planes(x.channels, x.height, x.width), size = x.data.length / groups;
    for (let g = 0; g < groups; g++) {
      const part = x.data.subarray(g * size, (g + 1) * size);
      let mean = 0, variance = 0;
      for (let i = 0; i < size; i++) mean += part[i];
      mean /= size;
      for (let i = 0; i < size; i++) variance += (part[i] - mean) ** 2;
      const scale = 1 / Math.sqrt(variance / size + eps);
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
  // A slope below 0 for each channel, or one for all.
  prelu(x, { numbers: [slope] }) {
    const size = x.height * x.width, of = i => slope[slope.length > 1 ? Math.floor(i / size) : 0];
    return { ...x, data: x.data.map((v, i) => v < 0 ? of(i) * v : v) };
  },
  activate(x, { name, slope }) {
    const y = { ...x, data: x.data.slice() };
    if (name !== "leaky") return each(y, ACTIVATIONS[name](slope));
    for (let i = 0; i < y.data.length; i++) if (y.data[i] < 0) y.data[i] *= slope; // most of them, and in a loop of its own faster
    return y;
  },
};

export function normal() { // Box and Muller
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
