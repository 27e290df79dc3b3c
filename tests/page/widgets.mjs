// Uses widgets, each in a bare page without a kernel, by keyboard, mouse, finger and on a phone.
// Standard input: {browser, axe, url, cases: [{name, page, script, state}]}; standard output: by case, what was seen.
import { chromium } from "playwright-core";
import fs from "fs";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const root = process.getuid && process.getuid() === 0;
const browser = await chromium.launch({
  executablePath: job.browser, headless: true,
  args: [...(root ? ["--no-sandbox"] : []), "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
const report = {};

async function open(one) {
  const page = await browser.newPage({ viewport: { width: 800, height: 900 }, hasTouch: true });
  const found = report[one.name] = { troubles: [], looks: {} };
  page.on("console", m => { if (m.type() === "error") found.troubles.push(m.text().slice(0, 300)); });
  page.on("pageerror", e => found.troubles.push(String(e.stack || e).slice(0, 500)));
  await page.goto(`${job.url}${one.page}`);
  await page.evaluate(async ({ state, script }) => {
    const heard = {};
    for (const [name, value] of Object.entries(state)) if (value?.base64 !== undefined)
      state[name] = new DataView(Uint8Array.from(atob(value.base64), c => c.charCodeAt(0)).buffer);
    window.state = state;
    window.outside = 0;
    document.body.addEventListener("keydown", () => { window.outside++; });
    window.model = {
      get: name => state[name], off(name, f) { heard[name] = heard[name].filter(g => g !== f); },
      set(name, value) { state[name] = value; (heard[`change:${name}`] || []).forEach(f => f()); },
      on(name, f) { (heard[name] ||= []).push(f); }, save_changes() { state.saved = (state.saved || 0) + 1; },
    };
    window.listening = () => Object.values(heard).flat().length;
    window.lib = await import(`./${script}`);
    window.done = lib.default.render({ model, el: document.querySelector("main") });
  }, one);
  await page.addScriptTag({ content: fs.readFileSync(job.axe, "utf8") });
  const box = page.locator(".ganlib-trans");
  // Until a frame has begun what was asked for, and nothing that a frame began is still being made.
  const settle = async () => {
    await page.evaluate(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))));
    await page.waitForFunction(() => !document.querySelector("[data-busy]"), null, { timeout: 60000 });
  };
  const look = async what => {
    await settle();
    found.looks[what] = await page.evaluate(() => ({
      pixels: [...document.querySelectorAll(".ganlib-trans canvas:not(.pad-tiles)")].map(c => [c.width, c.height, [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]]),
      named: [...document.querySelectorAll(".ganlib-trans [role=img]")].map(c => c.getAttribute("aria-label")),
      text: document.querySelector(".ganlib-trans").innerText, saved: state.saved || 0,
      state: Object.fromEntries(["drawing", "z", "translator", "picture", "gain", "sigma", "two_levels", "alpha", "layers", "psi", "mask", "x", "y", "texture", "choice", "bought", "best_shown", "query", "chosen", "order", "settings", "playing", "progress"].filter(k => k in state).map(k => [k, state[k]])),
    }));
  };
  const press = async (what, control, ...keys) => {
    await control.focus();
    for (const key of keys) await page.keyboard.press(key);
    await look(what);
  };
  const click = async (what, name) => { await box.getByRole("button", { name, exact: true }).click(); await look(what); };
  return { page, found, box, settle, look, press, click };
}

// What holds of each of them, for readers who do not see and for those with a phone.
async function inspect({ page, found, box, settle }) {
  for (const mode of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: mode });
    found[mode] = await page.evaluate(async () => (await window.axe.run(".ganlib-trans", { preload: false })).violations.map(v => `${v.id}: ${v.nodes[0].html.slice(0, 160)}`));
  }
  await page.setViewportSize({ width: 360, height: 800 });
  await settle();
  found.wide = await box.evaluate(b => [b, ...b.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > 360).map(e => e.outerHTML.slice(0, 100)));
  found.small = await box.evaluate(b => [...b.querySelectorAll("button, input, select")].filter(e => e.offsetParent && e.offsetHeight < 16).length);
  found.unshielded = await box.evaluate(b => [...b.querySelectorAll("button, input, select, [tabindex]")].filter(e => !e.dataset.lmSuppressShortcuts).length);
  await page.evaluate(() => window.done());
  found.listening = await page.evaluate(() => window.listening());
  await page.close();
}

const play = {
  async pad(seat) {
    const { page, found, box, look, press, click } = seat, board = box.locator(".pad-board");
    await look("start");
    await press("space", board, "3", "ArrowUp", "ArrowUp", "ArrowLeft", "Space");
    found.told = await box.locator(".unseen").textContent();
    found.outside = await page.evaluate(() => window.outside);
    await press("undo", board, "u");
    await click("small", "small");
    await press("enter", board, "Enter");
    await click("undone", "Undo");
    await click("large", "large");
    const frame = await board.boundingBox(), at = (x, y) => [frame.x + (x + 0.5) * frame.width / 32, frame.y + (y + 0.5) * frame.height / 32];
    await page.mouse.move(...at(4, 4));
    await page.mouse.down();
    await page.mouse.move(...at(12, 10), { steps: 2 });
    await page.mouse.up();
    await look("stroke");
    await press("stroke undone", board, "Control+z");
    await page.touchscreen.tap(...at(20, 20));
    await look("tap");
    await click("fill", "Fill with house");
    await click("example", "Next example");
    await click("die", "Roll the die: another z");
    const times = [];
    for (let i = 0; i < 12; i++) {
      await page.evaluate(() => model.set("z", state.z.map(v => v + 0.1)));
      await look("die");
      times.push(await box.locator(".trans-time").textContent());
    }
    found.times = times;
    await page.evaluate(() => model.set("drawing", state.drawing.map((_, p) => p % 32 < 16 ? 2 : 0))); // as a kernel does
    await look("from Python");
    // The 64 codes are drawn first: the same chance once more gives them to us.
    await page.evaluate(() => {
      let seed;
      Math.random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
      window.again = () => { seed = 5; };
      window.again();
      window.steps = new Set();
      new MutationObserver(() => window.steps.add(document.querySelector(".trans-time").textContent)).observe(document.querySelector(".trans-time"), { childList: true, characterData: true, subtree: true });
    });
    await box.getByRole("button", { name: "Count over 64 rolls", exact: true }).click();
    await page.waitForFunction(() => document.querySelector(".pad-score").textContent, null, { timeout: 60000 });
    await look("count");
    found.score = await box.locator(".pad-score").textContent();
    found.steps = await page.evaluate(() => window.steps.size);
    found.codes = await page.evaluate(() => { window.again(); return Array.from({ length: 64 }, () => state.z.map(() => lib.normal())); });
    await press("after", board, "Space");
    found.cleared = await box.locator(".pad-score").textContent();
  },
  async switch(seat) {
    const { look, click } = seat;
    await look("start");
    await click("night", "by night");
  },
  async tally(seat) {
    const { look, click } = seat;
    await look("start");
    await click("night", "by night");
    await click("day", "by day");
  },
  async lamp(seat) {
    const { page, box, look, press, click } = seat;
    const [gain, sigma] = [box.getByLabel("Gain of the lamp"), box.getByLabel("Noise on G(x), σ")];
    const counted = async what => {
      await page.waitForFunction(() => !document.querySelector(".lamp-tally[data-busy]"), null, { timeout: 60000 });
      await look(what);
    };
    await counted("start");
    await press("gain", gain, "Home", "ArrowRight");
    await box.getByLabel("Round G(x) to two levels").check();
    await counted("two levels");
    await press("next", box.getByRole("button", { name: "Next picture" }), "Enter");
    await box.getByLabel("Round G(x) to two levels").uncheck();
    await press("noise", sigma, "ArrowRight", "ArrowRight");
    await click("other noise", "Other noise");
    await page.evaluate(() => { model.set("sigma", 0); model.set("picture", 2); });
    await counted("from Python");
  },
  bare: seat => seat.look("start"),
  async mix(seat) {
    const { page, found, box, look, press } = seat, alpha = box.getByRole("slider");
    const measured = async what => {
      await page.waitForFunction(() => document.querySelectorAll(".mix-plot circle:not(.mix-now)").length === 11 && document.querySelector(".mix-now"), null, { timeout: 120000 });
      await look(what);
      found.looks[what].numbers = await page.evaluate(() => [".mix-psnr", ".mix-energy"].map(s => +document.querySelector(s).textContent));
    };
    await measured("start");
    await press("half", alpha, ...Array(50).fill("ArrowRight"));
    await measured("half");
    await press("end", alpha, "End");
    await measured("end");
    await press("next", box.getByRole("button", { name: "Next picture" }), "Space");
    await page.evaluate(() => model.set("alpha", 0.25));
    await look("from Python");
  },
  async styles(seat) {
    const { page, found, box, settle, look, press, click } = seat, way = box.getByRole("slider", { name: "Styles from B, the finest first" });
    const one = k => box.getByRole("button", { name: new RegExp(`^style ${k},`) });
    await look("start");
    await press("right", way, "ArrowRight");
    await press("end", way, "End");
    await press("home", way, "Home");
    found.one = await way.getAttribute("aria-valuetext");
    await press("switch", one(2), "Enter");
    await press("two", one(4), "Space");
    found.two = await way.getAttribute("aria-valuetext");
    found.named = await one(4).textContent();
    const frame = await box.locator(".styles-strip").boundingBox();
    await page.touchscreen.tap(frame.x + 2.5 / 8 * frame.width, frame.y + frame.height / 2);
    await look("tap");
    await press("new A", box.getByRole("button", { name: "New A" }), "Space");
    await click("new B", "New B");
    await click("swap", "Swap A and B");
    await press("psi", box.getByRole("slider", { name: "Truncation ψ" }), ...Array(10).fill("ArrowLeft"));
    await page.evaluate(() => { model.set("layers", [1, 0, 0, 0, 1, 1, 0]); model.set("psi", -1); model.set("z", state.z.map(z => z.map(v => v / 2))); }); // as a kernel does
    await look("from Python");
    found.times = [];
    for (let i = 0; i < 12; i++) {
      await page.evaluate(i => model.set("layers", state.layers.map((_, k) => (i >> k) & 1)), i);
      await settle();
      found.times.push(await box.locator(".trans-time").textContent());
    }
  },
  async rub(seat) {
    const { page, found, box, look, press, click } = seat, board = box.locator(".pad-board");
    const told = async (what, ...act) => {
      if (act.length) await act[0](what, ...act.slice(1));
      await page.waitForSelector(".rub-answers:not([data-busy])", { timeout: 60000 });
      await look(what);
      found.looks[what].classes = await page.evaluate(() => [...document.querySelectorAll(".rub-answers span")].map(s => s.textContent));
      found.looks[what].bars = await page.evaluate(() => [...document.querySelectorAll(".rub-bars b")].map(b => +b.textContent));
    };
    await told("start");
    await told("nothing", click, "nothing");
    await told("space", press, board, "ArrowUp", "ArrowLeft", "Space");
    found.told = await box.locator(".unseen").textContent();
    found.outside = await page.evaluate(() => window.outside);
    await told("undo", press, board, "u");
    const frame = await board.boundingBox(), at = (x, y) => [frame.x + (x + 0.5) * frame.width / 28, frame.y + (y + 0.5) * frame.height / 28];
    await page.mouse.move(...at(5, 6));
    await page.mouse.down();
    await page.mouse.move(...at(20, 6), { steps: 2 });
    await page.mouse.up();
    await told("stroke");
    await page.touchscreen.tap(...at(26, 26));
    await told("tap");
    for (const half of ["upper", "lower", "left", "right"]) await told(half, click, `${half} half`);
    await told("next", click, "Next picture");
    await told("other", click, "Other answers");
    await page.evaluate(() => { model.set("mask", state.mask.map((_, p) => +(p % 28 < 9))); model.set("picture", 0); });
    await told("from Python");
    // One code at a time and all with the first layer shared; and the shortest of several times.
    [found.differs, found.ms] = await page.evaluate(() => {
      const nets = lib.prepareAll(state.networks, state.weights), x = { data: Float32Array.from({ length: 1568 }, lib.normal), channels: 2, height: 28, width: 28 };
      const shared = lib.forCodes(nets[0], x), ms = f => { const start = performance.now(); f(); return performance.now() - start; }, best = f => Math.min(...Array.from({ length: 12 }, () => ms(f)));
      const far = z => { const one = lib.run(nets[0], x, { z }).data; return Math.max(...shared(z).data.map((v, p) => Math.abs(v - one[p]))); };
      const image = { ...x, data: x.data.subarray(0, 784), channels: 1 }, [z] = state.z;
      return [Math.max(...state.z.map(far)), best(() => lib.forCodes(nets[0], x)) + 16 * best(() => { shared(z); lib.run(nets[2], image); })];
    });
  },
  async budget(seat) {
    const { page, found, box, look, press, click } = seat;
    await look("start");
    await click("bought", "Buy");
    await press("more", box.getByRole("radio", { name: "100, 20 coins" }), "ArrowRight", "ArrowRight");
    await press("dear", box.getByRole("radio", { name: "no, 0 coins" }), "ArrowRight");
    found.dear = await box.getByRole("button", { name: "Buy" }).getAttribute("aria-disabled");
    await press("refused", box.getByRole("button", { name: "Buy" }), "Enter");
    await box.getByText("200", { exact: true }).tap();
    await look("chosen");
    await press("second", box.getByRole("button", { name: "Buy" }), "Enter");
    await click("best", "Show the best");
    await page.evaluate(() => { model.set("choice", [0, 1]); model.set("bought", [[0, 1]]); model.set("best_shown", false); });
    await look("from Python");
    await click("again", "Start again");
    await click("best again", "Show the best");
  },
  async table(seat) {
    const { page, found, box, look, press, click } = seat, field = box.getByRole("searchbox", { name: "Search: Old names" });
    const rows = async (what, ...act) => {
      if (act.length) await act[0](what, ...act.slice(1)); else await look(what);
      found.looks[what].rows = await box.getByRole("row").evaluateAll(all => all.slice(1).map(row => [...row.cells].map(cell => [...cell.children].map(part => part.innerText).join(", "))));
      found.looks[what].sorts = await box.getByRole("columnheader").evaluateAll(all => all.map(head => head.ariaSort));
      found.looks[what].count = await box.getByRole("status").textContent();
    };
    await rows("start");
    await rows("typed", press, field, ..."SSE");
    await rows("two words", press, field, "Space", ..."HINGE");
    await rows("none", press, field, "x");
    await rows("escape", press, field, "Escape");
    await box.getByLabel("library").selectOption("vegans");
    await rows("chosen");
    const head = box.getByRole("button", { name: "year" });
    await rows("up", press, head, "Enter");
    await head.tap();
    await rows("down");
    await head.click();
    await rows("unsorted");
    await rows("all", click, "Show all");
    await rows("letters", press, box.getByRole("button", { name: "old name" }), "Space");
    await page.evaluate(() => { model.set("query", "loss"); model.set("chosen", { library: "TF-GAN" }); model.set("order", ["old name", "descending"]); });
    await rows("from Python");
    found.links = [await box.getByRole("link").count()];
    await page.evaluate(() => { // as in a page of the built book
      document.documentElement.dataset.content_root = "../";
      window.done();
      document.querySelector("main").replaceChildren();
      window.done = lib.default.render({ model, el: document.querySelector("main") });
    });
    await rows("in the book");
    found.links.push(...await box.getByRole("link").evaluateAll(all => all.map(link => [link.innerText, link.getAttribute("href")])));
    found.ms = await page.evaluate(() => { // of 250 rows, a letter: the shortest of several times
      const rows = Array.from({ length: 250 }, (_, i) => state.facts.rows[i % state.facts.rows.length]);
      const facts = { ...state.facts, rows }, el = document.createElement("div"), heard = [], times = [];
      document.body.append(el);
      const values = { facts, query: "", chosen: {}, order: ["old name", "ascending"] };
      lib.default.render({ model: { get: name => values[name], set() {}, save_changes() {}, on: (_, f) => heard.push(f), off() {} }, el });
      window.requestAnimationFrame = f => { f(); return 0; }; // the work alone, not the wait for a frame
      for (const query of ["", "l", "lo", "los", "loss", "", "w", "wa", "was", "wass", "", "e", "es", "est"]) {
        values.query = query;
        const start = performance.now();
        heard[0]();
        void el.offsetHeight;
        times.push(performance.now() - start);
      }
      el.remove();
      return Math.min(...times.filter(ms => ms > 0));
    });
  },
  async trainer(seat) {
    const { page, found, box, look, press } = seat, start = box.locator(".trainer-start");
    const until = (test, given) => page.waitForFunction(test, given, { timeout: 120000 });
    const passed = more => page.evaluate(() => state.progress.rounds).then(rounds => until(least => state.progress.rounds >= least, rounds + more));
    const paused = async what => {
      await until(() => !state.playing && window.whole);
      await look(what);
      found.looks[what].weights = await page.evaluate(() => {
        const { buffer, byteOffset, byteLength } = state.weights;
        return btoa(Array.from(new Uint8Array(buffer, byteOffset, byteLength), byte => String.fromCharCode(byte)).join(""));
      });
    };
    await until(() => state.progress.rounds === 0);
    await page.evaluate(() => { // the last report of a run has the weights
      const { set } = window.model;
      window.model.set = (name, value) => { if (["progress", "weights"].includes(name)) window.whole = name === "weights"; set(name, value); };
    });
    await look("start");
    await start.focus();
    await page.keyboard.press("Enter");
    await passed(30);
    found.running = await start.textContent();
    await start.click();
    await paused("paused");
    await page.waitForTimeout(500);
    await look("still");
    await start.tap();
    await passed(30);
    await page.evaluate(() => model.set("playing", false)); // as a kernel does
    await paused("from Python");
    await press("loss", box.getByRole("combobox", { name: "Loss" }), "ArrowDown");
    await box.getByRole("combobox", { name: "Learning rate of G" }).selectOption("0.001");
    const seed = box.getByLabel("Seed");
    await seed.fill("7");
    await press("seed", seed, "Tab");
    await page.evaluate(() => model.set("settings", { ...state.settings, r1: 0.3, batch: 32 }));
    await look("settings from Python");
    found.chosen = await box.getByRole("combobox").evaluateAll(all => all.map(one => one.selectedOptions[0]?.textContent));
    await press("again", box.getByRole("button", { name: "Again from nothing" }), "Space");
    await until(() => state.progress.rounds === 0);
    await paused("again");
    await start.click();
    await passed(10);
    await page.evaluate(() => { Object.defineProperty(document, "hidden", { value: true, configurable: true }); document.dispatchEvent(new Event("visibilitychange")); });
    await paused("hidden");
    await page.evaluate(() => { delete document.hidden; model.set("settings", { ...state.settings, rateG: 1e30, rateD: 1e30 }); model.set("playing", true); });
    await until(() => document.querySelector(".trainer").innerText.includes("overflowed"));
    await paused("overflown");
    // The same steps as PyTorch, in this browser.
    found.apart = await page.evaluate(async () => {
      const { replay, ...job } = await (await fetch("./replay.json")).json(), code = `${state.engine}\n${replay}\nexport { replay, ImageGame };`;
      const engine = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
      return engine.replay(job, engine.ImageGame);
    });
    // Where no worker may start; in both ways in which browsers say so.
    const anew = () => page.evaluate(() => { window.done(); document.querySelector("main").replaceChildren(); window.done = lib.default.render({ model, el: document.querySelector("main") }); });
    found.refused = [];
    for (const late of [false, true]) {
      await page.evaluate(late => {
        window.Right ||= window.Worker;
        window.Worker = class { constructor() { if (!late) throw new Error("not here"); setTimeout(() => this.onerror(new Event("error", { cancelable: true }))); } postMessage() {} terminate() {} };
      }, late);
      await anew();
      await page.waitForTimeout(200);
      await start.focus();
      await page.keyboard.press("Enter");
      await page.waitForTimeout(200);
      found.refused.push([await box.getByRole("status").textContent(), await start.getAttribute("aria-disabled"), await page.evaluate(() => state.playing)]);
    }
    await page.evaluate(() => { window.Worker = window.Right; model.set("settings", { ...state.settings, rateG: 0.003, rateD: 0.003, r1: 0 }); });
    await anew();
    await until(() => state.progress.rounds === 0);
    // A page that was opened from a folder.
    const folder = await browser.newPage();
    folder.on("pageerror", e => found.troubles.push(String(e)));
    await folder.goto(await page.evaluate(async () => (await (await fetch("./replay.json")).json()).file));
    found.folder = await folder.evaluate(async ([state, code]) => {
      const bytes = Uint8Array.from(state.images);
      const values = { ...state, images: new DataView(bytes.buffer) }, heard = {};
      const model = { get: name => values[name], set(name, value) { values[name] = value; (heard[`change:${name}`] || []).forEach(f => f()); }, on(name, f) { (heard[name] ||= []).push(f); }, off() {}, save_changes() {} };
      const lib = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
      const done = lib.default.render({ model, el: document.querySelector("main") });
      model.set("playing", true);
      for (let i = 0; i < 600 && !(values.progress.rounds >= 5); i++) await new Promise(r => setTimeout(r, 100));
      done();
      return [location.protocol, values.progress.rounds];
    }, [await page.evaluate(() => ({ ...state, weights: null, progress: {}, images: Array.from(new Uint8Array(state.images.buffer)) })), await (await fetch(`${job.url}trainer.js`)).text()]);
    await folder.close();
  },
  async canvas(seat) {
    const { page, found, box, look, press, click } = seat, board = box.locator(".canvas-board");
    const made = async (what, ...act) => {
      if (act.length) await act[0](what, ...act.slice(1));
      await page.waitForSelector(".canvas-board:not([data-busy])", { timeout: 60000 });
      await look(what);
    };
    await made("start");
    await made("right", press, board, "ArrowRight", "ArrowRight");
    await made("window", press, board, "Shift+ArrowUp");
    const frame = await board.boundingBox(), at = (x, y) => [frame.x + x * frame.width, frame.y + y * frame.height];
    await page.mouse.move(...at(0.2, 0.5));
    await page.mouse.down();
    await page.mouse.move(...at(0.7, 0.75), { steps: 3 });
    await page.mouse.up();
    await made("drag");
    await page.evaluate(() => { const log = Math.log; window.logs = 0; Math.log = v => { window.logs++; return log(v); }; });
    await made("home", press, board, "Home");
    found.anew = await page.evaluate(() => window.logs); // noise is drawn with logarithms
    found.outside = await page.evaluate(() => window.outside);
    const finger = await page.context().newCDPSession(page), touch = (type, ...places) => finger.send("Input.dispatchTouchEvent", { type, touchPoints: places.map(([x, y]) => ({ x, y })) });
    await touch("touchStart", at(0.75, 0.5));
    for (const x of [0.6, 0.5]) await touch("touchMove", at(x, 0.5));
    await touch("touchEnd");
    await made("finger");
    await made("far", click, "Somewhere far away");
    await made("switch", click, "grass");
    await page.evaluate(() => { model.set("x", -123456789); model.set("y", 999999999); });
    await made("from Python");
    await made("back", click, "Back home");
    found.noise = await page.evaluate(places => places.map(([seed, rows, columns]) => [...lib.hashedNoise(seed, 3, rows, columns).data]), [[0, [-3, 5], [-2, 4]], [4294967295, [2147483640, 5], [-2147483648, 4]], [7, [123456, 5], [-98765432, 4]]]);
    found.ms = await page.evaluate(() => {
      const nets = lib.prepareAll(state.networks, state.weights), ms = () => { const start = performance.now(); lib.tile(nets[1], 0, state.facts.channels, 5, 6); return performance.now() - start; };
      return Math.min(...Array.from({ length: 8 }, ms));
    });
  },
};

for (const one of job.cases) {
  const seat = await open(one);
  await play[one.name](seat);
  await inspect(seat);
}
await browser.close();
process.stdout.write(JSON.stringify(report));
