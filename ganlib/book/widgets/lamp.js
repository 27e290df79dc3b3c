// A lamp for what a drawing hides: x, G(x), its hidden signal amplified, and what F makes of G(x) under noise.

function render({ model, el }) {
  const { shape, drawn, count, truth, masks, colours, alt } = model.get("facts"), [, height, width] = shape;
  const [there, back] = prepareAll(model.get("networks"), model.get("weights")), bytes = model.get("pictures"), plane = height * width;
  const sets = [count * shape[0] * plane, truth ? count * drawn[0] * plane : 0];
  const x = i => picture(bytes, i, shape), drawings = new Map(), noises = new Map(), at = () => model.get("picture");
  const mask = i => new Uint8Array(bytes.buffer, bytes.byteOffset + sets[0] + sets[1] + i * plane, plane);
  const judged = masks ? Array.from({ length: count }, (_, i) => i).filter(i => mask(i).includes(1)) : [];
  const drawing = i => { if (!drawings.has(i)) drawings.set(i, run(there, x(i))); return drawings.get(i); };
  const round = y => ({ ...y, data: y.data.map(v => v < 0 ? -1 : 1) });
  const clean = i => truth ? picture(bytes, i, drawn, sets[0]) : round(drawing(i));
  const noise = i => { if (!noises.has(i)) noises.set(i, drawing(i).data.map(normal)); return noises.get(i); };

  // What F is given, and which colour the masked pixels of a picture are nearer to.
  function given(i) {
    const y = model.get("two_levels") ? round(drawing(i)) : drawing(i), sigma = model.get("sigma"), e = sigma ? noise(i) : [];
    return sigma ? { ...y, data: y.data.map((v, p) => v + sigma * e[p]) } : y;
  }
  const verdict = (i, image) => nearer(meanColour(image, mask(i)), colours.colours);

  const [first, firstView] = framed("", shape, "The picture x");
  const [second, secondView] = framed("", drawn, "G(x), as it is");
  const title = make("span", {}), [third, thirdView] = framed("", drawn, title);
  const [fourth, fourthView] = framed("", drawn, "What F is given");
  const [fifth, fifthView] = framed("", shape, "What F makes of it");
  const [gain, renewGain] = slider(model, "gain", "Gain of the lamp", [1, 50, 1], v => `×${v}`);
  const [sigma, renewSigma] = slider(model, "sigma", "Noise on G(x), σ", [0, 0.5, 0.01]);
  const levels = make("input", { type: "checkbox", onchange: () => { model.set("two_levels", levels.checked); model.save_changes(); } });
  const said = make("p", { class: "trans-said", role: "status" }), tally = make("p", { class: "trans-said lamp-tally" }), counting = worker();

  // F's answer for the picture, then over all that can be judged.
  function judge(image) {
    const i = at(), { names } = colours;
    said.textContent = judged.includes(i)
      ? `In the picture: ${names[verdict(i, x(i))]}. F says ${names[verdict(i, image)]}.` : "In this picture there is nothing to judge.";
    let right = 0;
    tally.dataset.busy = "true";
    counting.start(judged, k => { right += verdict(k, x(k)) === verdict(k, run(back, given(k))); },
      () => { delete tally.dataset.busy; tally.textContent = `F is right on ${right} of ${judged.length} pictures.`; });
  }

  function draw() {
    const i = at(), y = drawing(i), c = clean(i), g = model.get("gain"), into = given(i), image = run(back, into);
    show(first, x(i));
    show(second, y);
    show(third, { ...y, data: y.data.map((v, p) => g * (v - c.data[p])) });
    show(fourth, into);
    show(fifth, image);
    title.textContent = `What G(x) hides, ×${g}`;
    [[first, `${alt} ${i + 1}`], [second, "its translation"], [third, "the hidden signal of the translation, on grey"],
      [fourth, "the translation as the way back gets it"], [fifth, `${alt} ${i + 1}, translated back`]].forEach(([canvas, words]) => canvas.setAttribute("aria-label", words));
    levels.checked = model.get("two_levels");
    renewGain();
    renewSigma();
    if (colours) judge(image);
  }
  const next = button("Next picture", () => { model.set("picture", (at() + 1) % count); model.save_changes(); });
  const again = button("Other noise", () => { noises.clear(); draw(); });
  el.append(make("div", { class: "ganlib-trans lamp", role: "group", "aria-label": `What a translation hides: ${alt}` },
    make("div", { class: "trans-views" }, firstView, secondView, thirdView, fourthView, fifthView),
    make("div", { class: "trans-sliders" }, gain, sigma),
    make("div", { class: "trans-row" }, make("label", { class: "trans-check" }, levels, "Round G(x) to two levels"), ...(count > 1 ? [next] : []), again),
    ...(colours ? [said, tally] : [])));
  draw();
  const leave = follow(model, ["picture", "gain", "sigma", "two_levels"], draw);
  return () => { counting.stop(); leave(); };
}

export default { render };
