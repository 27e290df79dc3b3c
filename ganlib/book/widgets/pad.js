// A drawing pad: what the reader paints with a few brushes, and what a translator makes of it.

const DRAWS = 64;
const SIZES = { small: 0.5, large: 2.3 }; // radius of a dab, in pixels

function render({ model, el }) {
  const { names, brushes, shape, examples, counter, counted, alt } = model.get("facts"), [, height, width] = shape;
  const nets = prepareAll(model.get("networks"), model.get("weights")), bytes = model.get("pictures");
  const net = () => nets[names.indexOf(model.get("translator"))], length = Math.max(...nets.map(n => n.code));
  const example = i => Array.from(new Uint8Array(bytes.buffer, bytes.byteOffset + i * height * width, height * width));
  const fresh = () => Array.from({ length }, normal);
  let brush = 0, radius = SIZES.large;

  // The drawing, as a network takes it.
  function coloured(indices) {
    const x = planes(3, height, width), size = height * width;
    indices.forEach((k, p) => { for (let c = 0; c < 3; c++) x.data[c * size + p] = brushes[k].colour[c] / 127.5 - 1; });
    return x;
  }

  // The canvas to paint on.
  const { board, canvas, said, back, renew, replace, drawing, leave: rest } = easel({
    model, name: "drawing", height, width, draw: () => draw(), reach: () => radius,
    label: `${alt}: arrow keys move, space paints, 1 to ${brushes.length} choose the brush, u undoes`,
    dab(indices, row, column) {
      const reach = Math.floor(radius);
      for (let i = row - reach; i <= row + reach; i++) for (let j = column - reach; j <= column + reach; j++)
        if (i >= 0 && j >= 0 && i < height && j < width && Math.hypot(i - row, j - column) <= radius) indices[i * width + j] = brush;
    },
    told: (row, column) => brushes[drawing()[row * width + column]].name,
    key: event => Boolean(brushes[Number(event.key) - 1]) && (choose(Number(event.key) - 1), true),
  });

  // The brushes, and what else changes the drawing.
  const choices = brushes.map(({ name, colour }, k) => {
    const swatch = make("span", { class: "pad-swatch", "aria-hidden": "true" });
    swatch.style.background = `rgb(${colour})`;
    return make("button", { type: "button", "aria-keyshortcuts": k + 1, onclick: () => choose(k) }, swatch, name, make("kbd", { "aria-hidden": "true" }, k + 1));
  });
  const fill = button("", () => replace(Array(height * width).fill(brush)));
  function choose(k) { brush = k; pressed(choices, k); fill.textContent = `Fill with ${brushes[k].name}`; }
  const sizes = Object.keys(SIZES).map(size => button(size, () => { radius = SIZES[size]; pressed(sizes, Object.keys(SIZES).indexOf(size)); renew(); }));
  let shown = 0;
  const next = button("Next example", () => replace(example(shown = (shown + 1) % examples)));

  // The translation: by which network, of which z.
  const [result, view] = framed("", net().shape, make("span", {}, "The translation"), make("span", { class: "trans-time" }));
  const time = view.querySelector(".trans-time");
  const switches = names.map(name => button(name, () => { model.set("translator", name); model.save_changes(); }));
  const die = button("Roll the die: another z", () => { model.set("z", fresh()); model.save_changes(); }, { class: "pad-die" });

  // The count over many z: a square for each, of its mean colour, and how many are nearer to the first.
  const tiles = make("canvas", { class: "pad-tiles", width: 16, height: DRAWS / 16, "aria-hidden": "true" });
  const score = make("span", { role: "status", class: "pad-score" }), counting = worker();
  const count = button(`Count over ${DRAWS} rolls`, () => {
    const x = coloured(drawing()), where = drawing().map(k => k === counted), [a] = counter.names;
    if (!where.includes(true)) { score.textContent = `Draw with the brush ${brushes[counted].name} first.`; return; }
    let hits = 0, done = 0;
    clear();
    tiles.hidden = false;
    counting.start(Array.from({ length: DRAWS }, fresh), z => {
      const rgb = meanColour(run(net(), x, { z }), where), context = tiles.getContext("2d");
      hits += nearer(rgb, counter.colours) === 0;
      context.fillStyle = `rgb(${rgb.map(Math.round)})`;
      context.fillRect(done % 16, Math.floor(done / 16), 1, 1);
      if (++done < DRAWS) time.textContent = `${done} of ${DRAWS}`;
    }, () => { time.textContent = ""; score.textContent = `${a} ${hits} of ${DRAWS}`; });
  });
  function clear() { counting.stop(); score.textContent = ""; tiles.hidden = true; tiles.getContext("2d").clearRect(0, 0, 16, DRAWS / 16); }

  // Everything as the state says.
  let before = "";
  function draw() {
    const start = performance.now(), x = coloured(drawing()), now = drawing().join() + model.get("translator");
    show(canvas, x);
    show(result, run(net(), x, { z: model.get("z") }));
    if (now !== before) clear(); // the count is of one drawing; z it goes through itself
    before = now;
    time.textContent = `${Math.max(1, Math.round(performance.now() - start))} ms`;
    result.setAttribute("aria-label", `${names.length > 1 ? `${model.get("translator")}: ` : ""}the translation of the ${alt}`);
    pressed(switches, names.indexOf(model.get("translator")));
    count.hidden = names.indexOf(model.get("translator")) > 0; // its colours are those of the first
    renew();
  }
  el.append(make("div", { class: "ganlib-trans pad", role: "group", "aria-label": `Draw, and see it translated: ${alt}` },
    group("Brush", ...choices),
    make("div", { class: "trans-views pad-views" },
      make("div", { class: "trans-view" }, board, make("div", { class: "trans-caption" }, make("span", {}, "Paint here")), said), view),
    make("div", { class: "trans-row" }, group("Size of the brush", ...sizes), group("Drawing", back, fill, ...(examples > 1 ? [next] : []))),
    ...(names.length > 1 ? [group("Translator", ...switches)] : []),
    ...(length ? [make("div", { class: "trans-row" }, die, ...(counter ? [count, tiles, score] : []))] : [])));
  choose(0);
  pressed(sizes, 1);
  draw();
  const leave = follow(model, ["drawing", "z", "translator"], draw);
  return () => { counting.stop(); rest(); leave(); };
}

export default { render };
