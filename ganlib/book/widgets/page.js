// What widgets build a page of. It stands before each widget's own script.

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

// The numbers of an image, -1 black and 1 white, as a canvas takes them.
function pixels(numbers, [channels, height, width]) {
  const image = new ImageData(width, height), size = height * width;
  for (let p = 0; p < size; p++) {
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = 127.5 * (numbers[(channels === 3 ? c : 0) * size + p] + 1);
    image.data[4 * p + 3] = 255;
  }
  return image;
}
const paint = (canvas, numbers, shape, left = 0, top = 0) => canvas.getContext("2d").putImageData(pixels(numbers, shape), left, top);

const button = (text, onclick, facts = {}) => make("button", { type: "button", onclick, ...facts }, text);
const pressed = (buttons, chosen) => buttons.forEach((b, i) => b.setAttribute("aria-pressed", i === chosen));

const group = (label, ...parts) => make("div", { class: "trans-row", role: "group", "aria-label": label }, ...parts);

// Calls `draw` before the next frame whenever one of these numbers of the state changes; returns how to end that.
function follow(model, names, draw) {
  let waiting = 0;
  const soon = () => { waiting ||= requestAnimationFrame(() => { waiting = 0; draw(); }); };
  for (const name of names) model.on(`change:${name}`, soon);
  return () => { for (const name of names) model.off(`change:${name}`, soon); };
}
