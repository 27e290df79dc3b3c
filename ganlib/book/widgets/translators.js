// What the widgets that translate pictures share. It stands behind engine.js and page.js and before each widget's own script.

// Picture i of a set of bytes that begins somewhere, as a network takes it.
function picture(bytes, i, [channels, height, width], start = 0) {
  const size = channels * height * width, at = bytes.byteOffset + start + i * size;
  return { data: Float32Array.from(new Uint8Array(bytes.buffer, at, size), v => v / 127.5 - 1), channels, height, width };
}

const show = (canvas, x) => paint(canvas, x.data, [x.channels, x.height, x.width]);

// A picture with its caption below; `caption` may hold controls.
function framed(alt, [, height, width], ...caption) {
  const canvas = make("canvas", { role: "img", width, height, "aria-label": alt });
  return [canvas, make("div", { class: "trans-view" }, canvas, make("div", { class: "trans-caption" }, ...caption))];
}

// A slider of one number of the state, with its value beside it.
function slider(model, name, label, [min, max, step], unit = v => v.toFixed(2), spoken = label) {
  const value = make("output", {}), input = make("input", { type: "range", min, max, step, "aria-label": spoken, oninput: () => { model.set(name, +input.value); model.save_changes(); } });
  const renew = () => { input.value = model.get(name); value.textContent = unit(model.get(name)); input.setAttribute("aria-valuetext", value.textContent); };
  return [make("label", { class: "trans-slider" }, make("span", {}, label), input, value), renew];
}

// The mean colour, of 255, of the pixels of x where `where` is not 0.
export function meanColour(x, where) {
  const size = x.height * x.width, sum = [0, 0, 0];
  let count = 0;
  for (let p = 0; p < size; p++) if (where[p]) {
    for (let c = 0; c < 3; c++) sum[c] += 127.5 * (Math.max(-1, Math.min(1, x.data[c * size + p])) + 1);
    count++;
  }
  return count ? sum.map(v => v / count) : null;
}
// Which of two colours is nearer, 0 or 1.
export function nearer(rgb, [a, b]) {
  const far = colour => colour.reduce((sum, v, c) => sum + (v - rgb[c]) ** 2, 0);
  return far(a) < far(b) ? 0 : 1;
}

// Works through a list, never longer at a time than a frame may take; what is started later puts an end to it.
function worker() {
  let turn = 0;
  return {
    stop() { turn++; },
    start(items, work, done = () => {}) {
      const mine = ++turn;
      let i = 0;
      setTimeout(function some() {
        if (mine !== turn) return;
        for (const begun = performance.now(); i < items.length && performance.now() - begun < 10;) work(items[i++]);
        if (i < items.length) setTimeout(some, 0);
        else done();
      }, 0);
    },
  };
}
