// A picture to rub out, and what networks put into the hole: many answers with their classes, and the mean of them all.

const REACH = 2; // a dab is a square of 5 × 5

// Which output is largest.
const largest = ({ data }) => data.reduce((best, v, k) => v > data[best] ? k : best, 0);

// What both networks get: the picture, 0 in the hole, and beside it the mask, 1 kept and -1 rubbed out.
function holed(x, mask) {
  const kept = planes(1, x.height, x.width);
  mask.forEach((rubbed, p) => { kept.data[p] = 1 - 2 * rubbed; });
  return joined({ ...x, data: x.data.map((v, p) => mask[p] ? 0 : v) }, kept);
}
// The picture with an answer in its hole.
const filled = (x, mask, answer) => ({ ...x, data: x.data.map((v, p) => mask[p] ? Math.max(-1, Math.min(1, answer.data[p])) : v) });

function render({ model, el }) {
  const { names, shape, count, draws, latent, alt } = model.get("facts"), [, height, width] = shape, bytes = model.get("pictures");
  const [sampler, mean, classifier] = prepareAll(model.get("networks"), model.get("weights")), at = () => model.get("picture");
  const read = image => largest(run(classifier, image)), said = make("p", { class: "trans-said", role: "status" });

  // The picture, to rub at.
  const { board, canvas, said: place, back, renew, replace, drawing: mask, leave: rest } = easel({
    model, name: "mask", height, width, draw: () => draw(), reach: () => REACH,
    label: `${alt}: arrow keys move, space rubs out, u undoes`,
    dab(rubbed, row, column) {
      for (let i = Math.max(0, row - REACH); i <= Math.min(height - 1, row + REACH); i++)
        for (let j = Math.max(0, column - REACH); j <= Math.min(width - 1, column + REACH); j++) rubbed[i * width + j] = 1;
    },
    told: (row, column) => mask()[row * width + column] ? "rubbed out" : "kept",
  });
  const region = (name, within) => button(name, () => replace(mask().map((_, p) => +within(Math.floor(p / width), p % width))));
  const halves = [
    region("upper half", i => i < height / 2), region("lower half", i => i >= height / 2), region("left half", (_, j) => j < width / 2),
    region("right half", (_, j) => j >= width / 2), region("nothing", () => false),
  ];
  const next = button("Next picture", () => { model.set("picture", (at() + 1) % count); model.save_changes(); });
  const other = button("Other answers", () => {
    model.set("z", Array.from({ length: draws }, () => Array.from({ length: latent }, normal)));
    model.save_changes();
  });

  // The answers, each with its class; a bar for each class; and the mean.
  const tiles = Array.from({ length: draws }, () => [make("canvas", { width, height }), make("span", {}, "")]);
  const answers = make("div", { class: "rub-answers", role: "img" }, ...tiles.map(parts => make("div", {}, ...parts)));
  const bars = names.map(name => [make("b", {}, ""), make("i", {}), make("span", {}, name)]);
  const chart = make("div", { class: "rub-bars", role: "img" }, ...bars.map(parts => make("div", {}, ...parts)));
  const time = make("span", { class: "trans-time" }), fogged = make("span", {}), [fog, fogView] = framed("", shape, fogged), asking = worker();

  function tell(votes) {
    const order = votes.map((n, k) => [n, names[k]]).filter(([n]) => n).sort((a, b) => b[0] - a[0]);
    said.textContent = `Read as ${order.map(([n, name]) => `${name}: ${n}`).join(", ")} of ${draws}.`;
    votes.forEach((n, k) => {
      bars[k][0].textContent = n || "";
      bars[k][1].style.height = `${100 * n / draws}%`;
    });
    chart.setAttribute("aria-label", `Classes of the ${draws} answers: ${order.map(([n, name]) => `${name} ${n}`).join(", ")}`);
  }

  // Everything as the state says; the answers one after the other, while the page goes on answering.
  function draw() {
    const start = performance.now(), x = picture(bytes, at(), shape), hole = mask(), given = holed(x, hole);
    const image = filled(x, hole, run(mean, given)), answer = forCodes(sampler, given), votes = names.map(() => 0);
    let spent = performance.now() - start;
    show(canvas, { ...x, data: given.data.subarray(0, height * width) });
    show(fog, image);
    fogged.textContent = `The mean, read as ${names[read(image)]}`;
    fog.setAttribute("aria-label", `${alt} ${at() + 1} with the mean's answer in the hole, read as ${names[read(image)]}`);
    answers.setAttribute("aria-label", `${draws} answers to what is missing of ${alt} ${at() + 1}`);
    answers.dataset.busy = "true";
    renew();
    asking.start(model.get("z").map((z, i) => [z, tiles[i]]), ([z, [tile, label]]) => {
      const begun = performance.now(), made = filled(x, hole, answer(z)), k = read(made);
      spent += performance.now() - begun;
      votes[k]++;
      show(tile, made);
      label.textContent = names[k];
    }, () => {
      tell(votes);
      time.textContent = `${draws} answers in ${Math.max(1, Math.round(spent))} ms`;
      delete answers.dataset.busy;
    });
  }
  el.append(make("div", { class: "ganlib-trans rub", role: "group", "aria-label": `Rub out, and see it filled in: ${alt}` },
    make("div", { class: "rub-views" },
      make("div", { class: "rub-left trans-view" }, board, make("div", { class: "trans-caption" }, "Rub here"), place),
      make("div", { class: "rub-right" }, answers, make("div", { class: "trans-caption" }, "Answers of the sampler", time),
        make("div", { class: "rub-below" }, fogView, chart))),
    said, group("Rub out", make("span", {}, "Rub out"), ...halves), group("Picture", back, ...(count > 1 ? [next] : []), other)));
  draw();
  const leave = follow(model, ["picture", "mask", "z"], draw);
  return () => { asking.stop(); rest(); leave(); };
}

export default { render };
