// Two pictures of one generator, and what comes out where some layers take their style from the first and some from the second.

// z -> w, and from one w a layer on; where a code is made into styles.
export function halves(net) {
  const at = net.layers.findIndex(layer => layer.op === "style");
  const [mapping, synthesis] = [net.layers.slice(0, at), net.layers.slice(at + 1)].map(layers => ({ ...net, layers }));
  return { w: (z, psi) => run(mapping, vector(Float32Array.from(z)), { psi }).data, made: styles => run(synthesis, null, { styles }) };
}

// What a crossover takes from B: the `n` finest of `count` styles. And how many those are, or null where it is none.
const crossing = (n, count) => Array.from({ length: count }, (_, k) => +(k >= count - n));
function crossed(layers) {
  const n = layers.reduce((sum, from) => sum + from, 0);
  return layers.every((from, k) => from === +(k >= layers.length - n)) ? n : null;
}

// "styles 1 to 3 and 5 from A, style 4 from B"
function told(layers) {
  const runs = from => layers.flatMap((v, k) => v === from && (k === 0 || layers[k - 1] !== from) ? [k] : []).map(first => {
    let last = first;
    while (layers[last + 1] === from) last++;
    return first === last ? `${first + 1}` : `${first + 1} to ${last + 1}`;
  });
  return [0, 1].filter(from => layers.includes(from)).map(from => `${layers.filter(v => v === from).length > 1 ? "styles" : "style"} ${runs(from).join(" and ").replace(/ and (?=.* and )/g, ", ")} from ${"AB"[from]}`).join(", ");
}

function render({ model, el }) {
  const { shape, sides, alt } = model.get("facts"), [, height, width] = shape, count = sides.length;
  const net = prepareAll(model.get("networks"), model.get("weights"))[0], { w, made } = halves(net), making = worker();
  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  const fresh = () => Array.from({ length: net.code }, normal);

  // A, the mixture and B.
  const time = make("span", { class: "trans-time" });
  const parents = ["A", "B"].map((name, i) => framed("", shape, make("b", {}, name), button(`New ${name}`, () => set("z", model.get("z").map((z, k) => k === i ? fresh() : z)))));
  const said = make("span", {}, ""), [mixture, mixtureView] = framed("", shape, said, time);
  parents.forEach(([, view], i) => { view.style.gridArea = "ab"[i]; });
  mixtureView.classList.add("styles-made");

  // All crossovers side by side, from A to B, and a slider along them.
  const strip = make("canvas", { width: (count + 1) * width, height, "aria-hidden": "true" }), mark = make("span", { class: "styles-mark" });
  const board = make("div", { class: "styles-strip" }, strip, mark);
  board.onclick = event => {
    const box = strip.getBoundingClientRect();
    set("layers", crossing(Math.max(0, Math.min(count, Math.floor((event.clientX - box.left) / box.width * (count + 1)))), count));
  };
  const way = make("input", { type: "range", min: 0, max: count, step: 1, "aria-label": "Styles from B, the finest first", oninput: () => set("layers", crossing(+way.value, count)) });
  const bar = make("div", { class: "styles-way" }, way);
  bar.style.padding = `0 calc(${50 / (count + 1)}% - .5rem)`; // the thumb stands below its picture

  // A switch for each layer.
  const letters = sides.map(() => make("b", {}, ""));
  const switches = sides.map((side, k) => button("", () => set("layers", model.get("layers").map((from, i) => i === k ? 1 - from : from))));
  switches.forEach((one, k) => one.append(make("span", { class: "unseen" }, `style ${k + 1}, `), `${sides[k]}×${sides[k]} `, letters[k]));
  const swap = button("Swap A and B", () => set("z", [...model.get("z")].reverse()));
  const [psi, renew] = slider(model, "psi", "ψ", [-1, 1, 0.05], undefined, "Truncation ψ");

  // The mixture at once; A, B and the other crossovers, the ends first, while the page goes on answering.
  let drawn = "";
  function draw() {
    const start = performance.now(), layers = model.get("layers"), styles = model.get("z").map(z => w(z, model.get("psi")));
    const mixed = from => made(from.map(k => styles[k])), n = crossed(layers), words = told(layers);
    show(mixture, mixed(layers));
    time.textContent = `${Math.max(1, Math.round(performance.now() - start))} ms`;
    said.textContent = words[0].toUpperCase() + words.slice(1);
    mixture.setAttribute("aria-label", `${alt}, ${words}`);
    parents.forEach(([canvas], i) => canvas.setAttribute("aria-label", `${alt} ${"AB"[i]}`));
    mark.hidden = n === null;
    Object.assign(mark.style, { left: `${100 * (n ?? 0) / (count + 1)}%`, width: `${100 / (count + 1)}%` });
    if (n !== null) way.value = n;
    way.setAttribute("aria-valuetext", words);
    layers.forEach((from, k) => { letters[k].textContent = "AB"[from]; switches[k].classList.toggle("other", from === 1); });
    renew();
    const now = JSON.stringify([model.get("z"), model.get("psi")]);
    if (now === drawn) return; // neither A nor B is another
    drawn = now;
    board.dataset.busy = "true";
    making.start([0, count, ...Array.from({ length: count - 1 }, (_, k) => k + 1)], k => {
      const image = mixed(crossing(k, count));
      strip.getContext("2d").putImageData(pixels(image.data, shape), k * width, 0);
      if (k === 0 || k === count) show(parents[k && 1][0], image);
    }, () => { delete board.dataset.busy; });
  }
  el.append(make("div", { class: "ganlib-trans styles", role: "group", "aria-label": `Styles mixed: ${alt}` },
    make("div", { class: "styles-views" }, parents[0][1], mixtureView, parents[1][1]),
    board, bar,
    make("div", { class: "trans-row styles-layers", role: "group", "aria-label": "Where each style comes from" }, ...switches),
    make("div", { class: "trans-sliders" }, psi, group("Pictures", swap))));
  draw();
  const leave = follow(model, ["z", "layers", "psi"], draw);
  return () => { making.stop(); leave(); };
}

export default { render };
