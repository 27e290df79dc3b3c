// A picture to paint on by mouse, finger or keys, which pad.js and rub.js share: one number of the state for each pixel.

const STEPS_BACK = 50;

// `dab(drawing, row, column)` paints, and a stroke is one step to undo; `reach()` is how far a dab goes, `told(row, column)` says what
// is there, `key(event)` tries keys that are not the easel's own, and `draw` shows everything.
function easel({ model, name, height, width, label, dab, reach, told, key = () => false, draw }) {
  const canvas = make("canvas", { width, height, "aria-hidden": "true" }), mark = make("span", { class: "pad-mark" });
  const board = make("div", { class: "pad-board", tabindex: 0, role: "application", "aria-roledescription": "drawing pad", "aria-label": label }, canvas, mark);
  const said = make("p", { class: "unseen", role: "status" }), back = button("Undo", undo), past = [], sides = [height, width];
  let drawing = model.get(name), at = sides.map(side => Math.floor(side / 2)), last = null, waiting = 0;
  const soon = () => { waiting ||= requestAnimationFrame(() => { waiting = 0; draw(); }); };

  function begin() { past.push(drawing.slice()); if (past.length > STEPS_BACK) past.shift(); drawing = drawing.slice(); }
  function end() { model.set(name, drawing); model.save_changes(); soon(); }
  function replace(next) { begin(); drawing = next; end(); }
  function undo() { if (past.length) { drawing = past.pop(); end(); } }

  const place = event => {
    const box = canvas.getBoundingClientRect();
    return [Math.floor((event.clientY - box.top) / box.height * height), Math.floor((event.clientX - box.left) / box.width * width)];
  };
  board.onpointerdown = event => { board.setPointerCapture(event.pointerId); begin(); dab(drawing, ...last = place(event)); soon(); };
  board.onpointermove = event => {
    if (!last) return;
    const next = place(event), steps = Math.max(1, ...next.map((v, i) => Math.abs(v - last[i]))), from = last;
    for (let k = 1; k <= steps; k++) dab(drawing, ...next.map((v, i) => Math.round(from[i] + (v - from[i]) * k / steps)));
    last = next;
    soon();
  };
  board.onpointerup = board.onpointercancel = () => { if (last) { last = null; end(); } };
  board.onkeydown = event => {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const undoes = event.key === "u" || (event.key === "z" && (event.ctrlKey || event.metaKey));
    if (!undoes && (event.ctrlKey || event.altKey || event.metaKey)) return;
    if (undoes) undo();
    else if (moves[event.key]) {
      at = at.map((v, i) => Math.max(0, Math.min(sides[i] - 1, v + moves[event.key][i])));
      renew();
    } else if (event.key === " " || event.key === "Enter") { begin(); dab(drawing, ...at); end(); }
    else if (!key(event)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  // Where the keys are, and whether there is anything to undo.
  function renew() {
    const side = 2 * Math.floor(reach()) + 1, share = (v, i) => `${100 * v / sides[i]}%`;
    Object.assign(mark.style, { left: share(at[1] + 0.5, 1), top: share(at[0] + 0.5, 0), width: share(side, 1), height: share(side, 0) });
    said.textContent = `row ${at[0] + 1}, column ${at[1] + 1}: ${told(...at)}`;
    back.setAttribute("aria-disabled", past.length === 0);
  }
  const heard = () => { if (!last) drawing = model.get(name); };
  model.on(`change:${name}`, heard);
  return { board, canvas, said, back, renew, replace, drawing: () => drawing, leave: () => model.off(`change:${name}`, heard) };
}
