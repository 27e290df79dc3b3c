// A window on an endless texture: tiles of what a convolutional generator makes of noise that is a hash of its place.

// The last step of MurmurHash3: each bit of 32 moves every other.
function mixed(h) {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
// hashed_noise of canvas.py, as an image: rows and columns are [first, how many].
export function hashedNoise(seed, channels, [top, height], [left, width]) {
  const noise = planes(channels, height, width), step = 0x9e3779b9, start = mixed((seed + step) | 0);
  for (let c = 0, to = 0; c < channels; c++) {
    const plane = mixed(start ^ c);
    for (let i = 0; i < height; i++) {
      const row = mixed(plane ^ (top + i));
      for (let j = 0; j < width; j++, to++) {
        const h = mixed(row ^ (left + j)), first = (h + 0.5) / 2 ** 32, second = (mixed((h + step) | 0) + 0.5) / 2 ** 32;
        noise.data[to] = Math.sqrt(-2 * Math.log(first)) * Math.cos(2 * Math.PI * second);
      }
    }
  }
  return noise;
}

// The cells [first, how many] that pixels [start, start + length) depend on, and where these begin in what the cells make.
function needed(start, length, { scale, first, last }) {
  const begin = Math.floor((start - first) / scale), end = Math.ceil((start + length + last) / scale);
  return [[begin, end - begin], start - scale * begin];
}
// A tile of the endless picture, `net.tile` pixels a side.
export function tile(net, seed, channels, across, down) {
  const side = net.tile, [rows, top] = needed(down * side, side, net.spread), [columns] = needed(across * side, side, net.spread);
  return cropped(run(net, hashedNoise(seed, channels, rows, columns)), top, side, side);
}

const FAR = 1e9, MOST_TILES = 2000, STEP = 8;

function render({ model, el }) {
  const { names, channels, size: [height, width], scale, seed, alt } = model.get("facts");
  const nets = prepareAll(model.get("networks"), model.get("weights")), tiles = new Map(), making = worker();
  const canvas = make("canvas", { width, height, "aria-hidden": "true" });
  const board = make("div", {
    class: "canvas-board", tabindex: 0, role: "application", "aria-roledescription": "endless canvas",
    "aria-label": `${alt}: arrow keys move the window, with Shift by a whole one, Home leads back`,
  }, canvas);
  const where = make("span", { class: "canvas-where", role: "status" }), time = make("span", { class: "trans-time" });
  const frame = make("div", { class: "canvas-frame" }, board, make("div", { class: "trans-caption" }, where, time));
  frame.style.width = `${width * scale}px`;
  const clamp = v => Math.max(-FAR, Math.min(FAR, Math.round(v)));
  function go(x, y, save = true) {
    model.set("x", clamp(x));
    model.set("y", clamp(y));
    if (save) model.save_changes();
  }

  let held = null;
  board.onpointerdown = event => { board.setPointerCapture(event.pointerId); held = [event.clientX, event.clientY, model.get("x"), model.get("y")]; };
  board.onpointermove = event => {
    const pixel = canvas.getBoundingClientRect().width / width;
    if (held) go(held[2] - (event.clientX - held[0]) / pixel, held[3] - (event.clientY - held[1]) / pixel, false);
  };
  board.onpointerup = board.onpointercancel = () => { if (held) model.save_changes(); held = null; };
  board.onkeydown = event => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }, move = moves[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey || !(move || event.key === "Home")) return;
    if (move) go(model.get("x") + move[0] * (event.shiftKey ? width : STEP), model.get("y") + move[1] * (event.shiftKey ? height : STEP));
    else go(0, 0);
    event.preventDefault();
    event.stopPropagation();
  };
  const home = button("Back home", () => go(0, 0)), away = () => (2 * Math.random() - 1) * 1e6;
  const far = button("Somewhere far away", () => go(away(), away()));
  const switches = names.map(name => button(name, () => { model.set("texture", name); model.save_changes(); }));

  // What is known at once, the rest from the middle outwards.
  function draw() {
    const [x, y, name] = ["x", "y", "texture"].map(part => model.get(part)), k = names.indexOf(name), net = nets[k], side = net.tile;
    const context = canvas.getContext("2d"), missing = [];
    const put = ([key, across, down]) => context.putImageData(tiles.get(key), across * side - x, down * side - y);
    context.fillStyle = "#777";
    context.fillRect(0, 0, width, height);
    for (let down = Math.floor(y / side); down * side < y + height; down++) for (let across = Math.floor(x / side); across * side < x + width; across++) {
      const one = [`${k},${across},${down}`, across, down];
      if (tiles.has(one[0])) put(one);
      else missing.push(one);
    }
    const off = ([, across, down]) => Math.hypot((across + 0.5) * side - x - width / 2, (down + 0.5) * side - y - height / 2);
    missing.sort((a, b) => off(a) - off(b));
    board.dataset.busy = missing.length;
    making.start(missing, one => {
      const start = performance.now(), made = tile(net, seed, channels, one[1], one[2]);
      time.textContent = `${Math.max(1, Math.round(performance.now() - start))} ms a tile`;
      if (tiles.size >= MOST_TILES) tiles.delete(tiles.keys().next().value);
      tiles.set(one[0], pixels(made.data, [made.channels, side, side]));
      put(one);
    }, () => { delete board.dataset.busy; });
    where.textContent = `column ${x}, row ${y}`;
    pressed(switches, k);
  }
  el.append(make("div", { class: "ganlib-trans endless", role: "group", "aria-label": `An endless canvas: ${alt}` },
    ...(names.length > 1 ? [group("Texture", ...switches)] : []),
    frame, group("Position", home, far)));
  draw();
  const leave = follow(model, ["x", "y", "texture"], draw);
  return () => { making.stop(); leave(); };
}

export default { render };
