// Runs generator.js in headless Chromium. Standard input: {browser, axe, script, style, cases: [{name, network, weights, names, alt, samples:
// [[z, label]] or of a translator [[z, label, image]], times, play}]}; standard output, by name: {images, ms, played: [{what, z, label, pixels}], axe, overflow}.
import { chromium } from "playwright-core";
import fs from "fs";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const root = process.getuid && process.getuid() === 0;
const browser = await chromium.launch({ executablePath: job.browser, headless: true, args: [...(root ? ["--no-sandbox"] : []), "--headless", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: 800, height: 900 } });
const troubles = [];
page.on("pageerror", e => troubles.push(String(e.stack || e)));
page.on("console", m => { if (m.type() === "error") troubles.push(m.text()); });
await page.setContent(`<!doctype html><html lang="en"><head><title>live</title><meta name="color-scheme" content="light dark"><style>${job.style}</style></head>
  <body><main><h1>live</h1><div id="here"></div></main></body></html>`);
await page.evaluate(async script => {
  window.lib = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  window.view = text => new DataView(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
}, job.script);

// Every sample, and the shortest of several times.
const compute = ({ network, weights, samples, times }) => {
  const net = lib.prepare(network, view(weights));
  const make = (z, label, image) => image ? lib.run(net, { ...image, data: Float32Array.from(image.data) }, { z, label }).data : lib.forward(net, z, label);
  const images = samples.map(sample => Array.from(make(...sample)));
  let ms = Infinity;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    make(...samples[i % samples.length]);
    ms = Math.min(ms, performance.now() - start);
  }
  return { images, ms };
};

// The controls, drawn around a state that can be looked at.
const draw = one => {
  const state = { ...one, weights: view(one.weights), z: one.samples[0][0], label: one.samples[0][1] }, heard = {};
  window.state = state;
  const model = {
    get: name => state[name],
    set(name, value) { state[name] = value; (heard["change:" + name] || []).forEach(f => f()); },
    on(name, f) { (heard[name] ||= []).push(f); },
    off(name) { delete heard[name]; },
    save_changes() { state.saved = (state.saved || 0) + 1; },
  };
  window.model = model;
  const here = document.getElementById("here");
  here.replaceChildren();
  window.done = lib.default.render({ model, el: here });
};
const settled = () => page.evaluate(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))));
const look = async what => {
  await settled();
  return page.evaluate(what => {
    const canvas = document.querySelector(".live-picture");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return { what, z: [...state.z], label: state.label, pixels: [...data], named: canvas.getAttribute("aria-label"), saved: state.saved || 0 };
  }, what);
};

async function play(one) {
  await page.evaluate(draw, one);
  const seen = [await look("start")];
  const press = async (what, locator, ...keys) => {
    await locator.focus();
    for (const key of keys) await page.keyboard.press(key);
    seen.push(await look(what));
  };
  await press("slider", page.locator(".live-sliders").first().locator("input").last(), "ArrowRight", "ArrowRight");
  if (one.network.classes) await press("class", page.locator(".live-classes button").nth(1), "Enter");
  for (const key of ["ArrowLeft", "ArrowUp", "Home"]) await press(`map ${key}`, page.locator(".live-map"), key);
  await press("surprise", page.locator(".live-surprise"), "Space");
  await press("pin B", page.locator(".live-pin").nth(1), "Enter");
  await press("surprise again", page.locator(".live-surprise"), "Enter");
  await press("pin A", page.locator(".live-pin").nth(0), "Space");
  const way = page.locator(".live-way input");
  await press("way to B", way, "End");
  await press("way back", way, "Home");
  await press("halfway", way, ...Array(50).fill("ArrowRight"));
  if (await page.locator(".live-more").count()) {
    await press("more", page.locator(".live-more summary"), "Enter");
    await press("a further slider", page.locator(".live-more input").last(), "ArrowLeft", "ArrowLeft");
  }
  await page.locator(".live-map").scrollIntoViewIfNeeded();
  const box = await page.locator(".live-map").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.9 * box.width, box.y + 0.2 * box.height, { steps: 3 });
  await page.mouse.up();
  seen.push(await look("drag"));
  await page.evaluate(() => model.set("z", state.z.map(() => 0))); // as a kernel does
  seen.push(await look("from Python"));
  await page.waitForSelector(".live-map[data-ready]", { timeout: 20000 });
  return seen;
}

async function inspect() {
  const found = {};
  await page.addScriptTag({ path: job.axe });
  for (const mode of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: mode });
    found[mode] = await page.evaluate(async () => {
      const { violations } = await window.axe.run(document);
      return violations.map(v => `${v.id}: ${v.help}: ${v.nodes.map(n => n.html.slice(0, 200)).join(" | ")}`);
    });
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await settled();
  found.overflow = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
  await page.setViewportSize({ width: 800, height: 900 });
  return found;
}

const report = {};
for (const one of job.cases) {
  report[one.name] = await page.evaluate(compute, one);
  if (one.play) {
    report[one.name].played = await play(one);
    report[one.name].inspected = await inspect();
    if (job.screenshots) await page.screenshot({ path: `${job.screenshots}/${one.name.replaceAll(/\W+/g, "-")}.png` });
    await page.evaluate(() => window.done());
  }
}
await browser.close();
process.stdout.write(JSON.stringify({ report, troubles }));
