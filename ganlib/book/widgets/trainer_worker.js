// A GAN of small images that trains in a worker: training.js stands before it.

const WIDTH = 128, LATENT = 16, AVERAGING = 0.995, JUDGED = 256, SHOWN = 16;

/** The seed decides the first weights and every batch. `images` holds a byte a number, `size` numbers an image. */
export class ImageGame extends Match {
  constructor({ images, size, settings }) {
    const random = new Random(settings.seed), net = (sizes, bounded) => new Net(sizes, random, Float32Array, bounded);
    const sizes = [LATENT, WIDTH, WIDTH, size], G = net(sizes, true), D = net([size, WIDTH, WIDTH, 1], false);
    super(G, D, { ...settings, k: 1, adam: true }, [0, 0.99]);
    Object.assign(this, { size, random, rounds: 0, images: Float32Array.from(images, v => v / 127.5 - 1), count: images.length / size });
    this.average = net(sizes, true);
    this.follow(0);
    [this.judged, this.shown] = [[JUDGED, 1e9], [SHOWN, 2e9]].map(([n, far]) => Float32Array.from(new Random(settings.seed + far).normals(n * LATENT)));
    this.lengths = Float32Array.from({ length: this.count }, (_, i) => this.images.subarray(i * size, (i + 1) * size).reduce((sum, v) => sum + v * v, 0));
  }

  draw() {
    const { images, size, count, random, settings: { batch } } = this, x = new Float32Array(batch * size);
    for (let i = 0; i < batch; i++) {
      const from = Math.floor(random.uniform() * count) * size;
      x.set(images.subarray(from, from + size), i * size);
    }
    return { x, z: Float32Array.from({ length: batch * LATENT }, () => random.normal()) };
  }

  /** One step of each player, on a batch of its own, and the averaged generator, whose memory grows with the rounds. */
  round(forD = this.draw(), forG = this.draw()) {
    this.stepD(forD);
    this.stepG(forG);
    this.rounds += 1;
    this.follow(Math.min(AVERAGING, this.rounds / (this.rounds + 9)));
  }
  follow(decay) {
    const now = this.G.parameters();
    this.average.parameters().forEach(([values], p) => {
      const [newest] = now[p];
      for (let i = 0; i < values.length; i++) values[i] = decay * values[i] + (1 - decay) * newest[i];
    });
  }

  /** The median distance of the averaged generator's samples to the nearest image. */
  distance() {
    const { average, judged, size, images, count, lengths } = this, y = average.forward(judged, JUDGED), products = new Float32Array(JUDGED * count);
    addProduct(products, JUDGED, count, size, y, [size, 1], images, [size, 1]);
    const nearest = Array.from({ length: JUDGED }, (_, i) => {
      let best = Infinity, own = 0;
      for (let k = 0; k < count; k++) best = Math.min(best, lengths[k] - 2 * products[i * count + k]);
      for (let p = i * size; p < (i + 1) * size; p++) own += y[p] * y[p];
      return Math.sqrt(Math.max(0, best + own));
    }).sort((a, b) => a - b);
    return (nearest[JUDGED / 2 - 1] + nearest[JUDGED / 2]) / 2;
  }

  samples() {
    return this.average.forward(this.shown, SHOWN);
  }
  /** The averaged generator's numbers, in PyTorch's order. */
  weights() {
    const parts = this.average.parameters().map(([values]) => values), all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    return all;
  }
}

// In a worker: {begin: facts} for a new game, {settings}, {running}; it answers with where the game stands.
if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  const SLICE = 150; // ms between two answers
  let game, running = false, spent = 0, waiting = 0;
  const tell = (lossD, lossG) => {
    const overflown = !game.weights().every(Number.isFinite);
    if (overflown) running = false;
    postMessage({ rounds: game.rounds, seconds: spent / 1000, lossD, lossG, distance: game.distance(), samples: game.samples(), overflown, weights: running ? null : game.weights() });
  };
  const slice = () => {
    waiting = 0;
    if (!running) return;
    const begun = performance.now(), first = game.rounds;
    let sumD = 0, sumG = 0;
    do {
      game.round();
      sumD += game.lossD;
      sumG += game.lossG;
    } while (performance.now() - begun < SLICE);
    const rounds = game.rounds - first;
    tell(sumD / rounds, sumG / rounds);
    spent += performance.now() - begun;
    waiting = setTimeout(slice, 0); // messages come in between
  };
  self.onmessage = ({ data }) => {
    if (data.begin) { game = new ImageGame(data.begin); running = false; spent = 0; tell(null, null); }
    if (data.settings) Object.assign(game.settings, data.settings);
    if (data.running !== undefined && data.running !== running) {
      running = data.running;
      if (running) waiting ||= setTimeout(slice, 0);
      else tell(null, null);
    }
  };
}
