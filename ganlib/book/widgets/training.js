// A GAN of two perceptrons that trains in the page: random numbers, products, gradients by hand, Adam, and the steps of
// both players. No library; it knows nothing of the page, so that it runs in a worker and beside PyTorch. It stands
// before the script of each widget that trains.

/** Numbers that a seed repeats: mulberry32, and Box and Muller's way to normal ones. */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
    this.spare = null;
  }
  uniform() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  normal() {
    let value = this.spare;
    this.spare = null;
    if (value === null) {
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform())), angle = 2 * Math.PI * this.uniform();
      value = radius * Math.cos(angle);
      this.spare = radius * Math.sin(angle);
    }
    return value;
  }
  normals(n) {
    return Float64Array.from({ length: n }, () => this.normal());
  }
}

const softplus = t => Math.max(t, 0) + Math.log1p(Math.exp(-Math.abs(t)));
const sigmoid = t => (t >= 0 ? 1 / (1 + Math.exp(-t)) : Math.exp(t) / (1 + Math.exp(t)));

// --- products

/** C + A B for numbers in rows: C is m × n; A(i, k) stands at i·[0] + k·[1] of its steps, B(k, j) at j·[0] + k·[1] of its own. */
export function addProduct(C, m, n, depth, A, [ai, ak], B, [bj, bk]) {
  const few = m - m % 4, some = n - n % 4;
  for (let i = 0; i < few; i += 4) for (let j = 0; j < some; j += 4) { // sixteen sums at a time: each number read serves four
    let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0, s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
    for (let k = 0, p = i * ai, q = j * bj; k < depth; k++, p += ak, q += bk) {
      const b0 = B[q], b1 = B[q + bj], b2 = B[q + 2 * bj], b3 = B[q + 3 * bj];
      let a = A[p];
      s00 += a * b0; s01 += a * b1; s02 += a * b2; s03 += a * b3;
      a = A[p + ai];
      s10 += a * b0; s11 += a * b1; s12 += a * b2; s13 += a * b3;
      a = A[p + 2 * ai];
      s20 += a * b0; s21 += a * b1; s22 += a * b2; s23 += a * b3;
      a = A[p + 3 * ai];
      s30 += a * b0; s31 += a * b1; s32 += a * b2; s33 += a * b3;
    }
    let to = i * n + j;
    C[to] += s00; C[to + 1] += s01; C[to + 2] += s02; C[to + 3] += s03;
    to += n;
    C[to] += s10; C[to + 1] += s11; C[to + 2] += s12; C[to + 3] += s13;
    to += n;
    C[to] += s20; C[to + 1] += s21; C[to + 2] += s22; C[to + 3] += s23;
    to += n;
    C[to] += s30; C[to + 1] += s31; C[to + 2] += s32; C[to + 3] += s33;
  }
  for (let i = 0; i < m; i++) for (let j = i < few ? some : 0; j < n; j++) { // what is left at the borders
    let sum = 0;
    for (let k = 0, p = i * ai, q = j * bj; k < depth; k++, p += ak, q += bk) sum += A[p] * B[q];
    C[i * n + j] += sum;
  }
}

// --- networks

const SLOPE = 0.2; // of LeakyReLU

/** A perceptron with LeakyReLU between its layers. Batches are flat arrays, one row of numbers after the other. */
export class Net {
  /**
   * First weights and biases as PyTorch draws them: uniform within ±1/√(inputs of the layer). `Numbers` is the kind of
   * array that everything is kept in; `bounded` puts tanh at the end.
   */
  constructor(sizes, random, Numbers = Float64Array, bounded = false) {
    Object.assign(this, { Numbers, bounded });
    this.layers = sizes.slice(1).map((outputs, l) => {
      const inputs = sizes[l], bound = 1 / Math.sqrt(inputs);
      const draw = n => Numbers.from({ length: n }, () => bound * (2 * random.uniform() - 1));
      const W = draw(outputs * inputs), b = draw(outputs);
      return { inputs, outputs, W, b, dW: new Numbers(W.length), db: new Numbers(outputs) };
    });
  }

  /** [values, gradient] of each weight matrix and bias, in PyTorch's order. */
  parameters() {
    return this.layers.flatMap(({ W, b, dW, db }) => [[W, dW], [b, db]]);
  }
  zeroGradients() {
    for (const [, gradient] of this.parameters()) gradient.fill(0);
  }

  /** Outputs of n inputs; what each layer was given and gave is kept for `backward`. */
  forward(x, n) {
    this.n = n;
    this.values = [x];
    this.layers.forEach(({ inputs, outputs, W, b }, l) => {
      const made = new this.Numbers(n * outputs), last = l === this.layers.length - 1;
      for (let i = 0; i < n; i++) made.set(b, i * outputs);
      addProduct(made, n, outputs, inputs, this.values[l], [inputs, 1], W, [inputs, 1]);
      if (!last) for (let i = 0; i < made.length; i++) if (made[i] < 0) made[i] *= SLOPE;
      if (last && this.bounded) for (let i = 0; i < made.length; i++) made[i] = Math.tanh(made[i]);
      this.values.push(made);
    });
    return this.values.at(-1);
  }

  /**
   * Gradient by the inputs (if it is `wanted`), from the gradient by the outputs of the last `forward`; adds to dW, db
   * if `learns`.
   */
  backward(gradient, learns, wanted = true) {
    const { n } = this;
    if (this.bounded) gradient = gradient.map((g, i) => g * (1 - this.values.at(-1)[i] ** 2));
    this.gradients = []; // by each layer's sums, before LeakyReLU
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const { inputs, outputs, W, dW, db } = this.layers[l], given = this.values[l];
      this.gradients[l] = gradient;
      if (learns) {
        for (let o = 0; o < outputs; o++) { // in double precision, where what should cancel does
          let sum = 0;
          for (let p = o; p < gradient.length; p += outputs) sum += gradient[p];
          db[o] += sum;
        }
        addProduct(dW, outputs, inputs, n, gradient, [1, outputs], given, [1, inputs]);
      }
      if (l === 0 && !wanted) return null;
      const below = new this.Numbers(n * inputs);
      addProduct(below, n, inputs, outputs, gradient, [outputs, 1], W, [1, inputs]);
      if (l > 0) for (let i = 0; i < below.length; i++) if (given[i] <= 0) below[i] *= SLOPE;
      gradient = below;
    }
    return gradient;
  }

  /**
   * The second-order term. `backward(1, …)` gave g, the slope of the output at each input; for something that depends
   * on g, with gradient t by it, this adds the gradient by the weights. LeakyReLU's own slopes s are constant nearly
   * everywhere, so g = W₁ᵀ s₁ W₂ᵀ s₂ … is a product of the weights, and each factor's gradient is the outer product of
   * what comes from above (kept by `backward`) and t carried up from below. Biases do not occur in g.
   */
  addSlopeGradients(t) {
    const { n } = this;
    this.layers.forEach(({ inputs, outputs, W, dW }, l) => {
      addProduct(dW, outputs, inputs, n, this.gradients[l], [1, outputs], t, [1, inputs]);
      if (l === this.layers.length - 1) return;
      const made = this.values[l + 1], carried = new this.Numbers(n * outputs);
      addProduct(carried, n, outputs, inputs, t, [inputs, 1], W, [inputs, 1]);
      for (let i = 0; i < carried.length; i++) if (made[i] <= 0) carried[i] *= SLOPE;
      t = carried;
    });
  }
}

/** Adam as in PyTorch (Kingma and Ba 2015), or plain gradient descent. */
export class Optimiser {
  constructor(net, betas) {
    Object.assign(this, { net, betas, steps: 0 });
    this.moments = net.parameters().map(([values]) => [new net.Numbers(values.length), new net.Numbers(values.length)]);
  }
  step(rate, adam) {
    const [beta1, beta2] = this.betas;
    this.steps += 1;
    const first = 1 - beta1 ** this.steps, second = Math.sqrt(1 - beta2 ** this.steps);
    this.net.parameters().forEach(([values, gradient], p) => {
      const [m, v] = this.moments[p];
      for (let i = 0; i < values.length; i++) {
        const g = gradient[i];
        m[i] += (1 - beta1) * (g - m[i]);
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        values[i] -= rate * (adam ? m[i] / first / (Math.sqrt(v[i]) / second + 1e-8) : g);
      }
    });
  }
}

// --- the game

const crossEntropy = (r, f) => [softplus(-r) + softplus(f), -sigmoid(-r), sigmoid(f)];

/**
 * What each player minimises, for the outputs r on a real and f on a generated sample. D: [loss, its slope in r, in f];
 * G: [loss, its slope in f].
 */
export const LOSSES = {
  minimax: {
    title: "minimax (saturating)",
    D: crossEntropy,
    G: (r, f) => [-softplus(f), -sigmoid(f)],
  },
  non_saturating: {
    title: "non-saturating",
    D: crossEntropy,
    G: (r, f) => [softplus(-f), -sigmoid(-f)],
  },
  least_squares: {
    title: "least squares",
    D: (r, f) => [((r - 1) ** 2 + f ** 2) / 2, r - 1, f],
    G: (r, f) => [(f - 1) ** 2 / 2, f - 1],
  },
  rpgan: {
    title: "RpGAN (best with R1)",
    pairs: true, // G's loss needs the reals too
    D: (r, f) => [softplus(f - r), -sigmoid(f - r), sigmoid(f - r)],
    G: (r, f) => [softplus(r - f), -sigmoid(r - f)],
  },
};

/**
 * Both players, and their steps on batches {x, z}, which `draw` of a game gives. `settings`: {loss, k, rateD, rateG, r1,
 * adam}, which may change at any time.
 */
export class Match {
  constructor(G, D, settings, betas) {
    Object.assign(this, { G, D, settings, updatesD: 0, updatesG: 0, lossD: NaN, lossG: NaN });
    this.optimiserG = new Optimiser(G, betas);
    this.optimiserD = new Optimiser(D, betas);
  }

  stepD({ x, z } = this.draw()) {
    const { D, G, settings } = this, n = z.length / G.layers[0].inputs, both = new D.Numbers(2 * x.length);
    both.set(x);
    both.set(G.forward(z, n), x.length);
    const outputs = D.forward(both, 2 * n), gradient = new D.Numbers(2 * n);
    let loss = 0;
    for (let i = 0; i < n; i++) {
      const [value, byReal, byFake] = LOSSES[settings.loss].D(outputs[i], outputs[n + i]);
      loss += value / n;
      gradient[i] = byReal / n;
      gradient[n + i] = byFake / n;
    }
    D.zeroGradients();
    D.backward(gradient, true, false);
    if (settings.r1 > 0) { // γ/2 · mean ‖slope of D's output at the reals‖²
      D.forward(x, n);
      const slopes = D.backward(new D.Numbers(n).fill(1), false);
      for (const slope of slopes) loss += settings.r1 / 2 * slope ** 2 / n;
      D.addSlopeGradients(slopes.map(slope => settings.r1 / n * slope));
    }
    this.optimiserD.step(settings.rateD, settings.adam);
    this.lossD = loss;
    this.updatesD += 1;
  }

  stepG({ x, z } = this.draw()) {
    const { D, G, settings } = this, n = z.length / G.layers[0].inputs, { G: rule, pairs } = LOSSES[settings.loss];
    const real = pairs ? D.forward(x, n) : [], fake = D.forward(G.forward(z, n), n), gradient = new G.Numbers(n);
    let loss = 0;
    for (let i = 0; i < n; i++) {
      const [value, byFake] = rule(real[i], fake[i]);
      loss += value / n;
      gradient[i] = byFake / n;
    }
    G.zeroGradients();
    G.backward(D.backward(gradient, false), true, false);
    this.optimiserG.step(settings.rateG, settings.adam);
    this.lossG = loss;
    this.updatesG += 1;
  }

  stepBoth() {
    for (let turn = 0; turn < this.settings.k; turn++) this.stepD();
    this.stepG();
  }
}
