// A trained generator in the reader's browser: the controls to play with it (engine.js computes it).

// ---- latent vectors

const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

// From a (t = 0) to b (t = 1): on a great circle if z is normal, for all its draws are about equally long; straight if not.
export function between(a, b, t, prior) {
  const angle = Math.acos(Math.max(-1, Math.min(1, dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1))));
  const round = prior !== "uniform" && Math.sin(angle) > 1e-3;
  const s = round ? Math.sin((1 - t) * angle) / Math.sin(angle) : 1 - t, u = round ? Math.sin(t * angle) / Math.sin(angle) : t;
  return a.map((v, i) => s * v + u * b[i]);
}

// ---- the page

const TILES = 7, SLIDERS = 6;

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
