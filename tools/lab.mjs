// Opens notebooks in JupyterLab, in headless Chromium with the network cut, and reports what a reader would see.
// Standard input: {browser, server, token, screens, notebooks: [path], widgets: path or ""}; standard output: one JSON
// object, by path.
import { chromium } from "playwright-core";
import fs from "fs";
import os from "os";
import path from "path";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const profile = fs.mkdtempSync(path.join(os.tmpdir(), "lab-test-"));
const root = process.getuid && process.getuid() === 0;

const context = await chromium.launchPersistentContext(profile, {
  executablePath: job.browser,
  headless: true,
  viewport: { width: 1360, height: 1500 },
  args: [
    ...(root ? ["--no-sandbox"] : []),
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});

// What the rendered text cells hold, read in the page itself.
function inspect() {
  const boxes = [...document.querySelectorAll(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-MarkdownCell .jp-RenderedMarkdown")];
  const raw = [];
  for (const box of boxes) {
    const prose = box.cloneNode(true);
    prose.querySelectorAll("pre code[class*='{']").forEach(e => raw.push(e.className));
    prose.querySelectorAll("pre, script, style, mjx-container, .jp-InternalAnchorLink").forEach(e => e.remove());
    prose.querySelectorAll("code").forEach(e => e.replaceWith("`code`"));
    const kinds = /\$.{0,60}|:::.{0,60}|\{[\w:.+-]+\}`.{0,40}|\\(?:begin|end|frac|mathrm)\b.{0,40}|\[\^\w+\]|\{\{.{0,40}|\*\*.{0,40}|\]\(.{0,40}|<\/?(?:details|summary|div)\b.{0,40}/g;
    raw.push(...(prose.textContent.match(kinds) || []));
  }
  const within = selector => boxes.flatMap(box => [...box.querySelectorAll(selector)]);
  return {
    rendered: boxes.filter(box => box.textContent.trim()).length,
    raw,
    mathErrors: within("mjx-merror, mjx-container [style*='color: red']").map(e => e.getAttribute("title") || e.textContent),
    formulas: within("mjx-container").length,
    details: within("details > summary").length,
    links: within("a[href]:not(.jp-InternalAnchorLink)").length,
    own: [...new Set(within("a[href]:not(.jp-InternalAnchorLink)").map(a => a.href).filter(h => h.startsWith(location.origin)))],
    brokenImages: within("img").filter(i => !i.naturalWidth).map(i => i.src.slice(0, 120)),
  };
}

async function visit(file) {
  const page = await context.newPage();
  const troubles = new Set();
  page.on("pageerror", e => troubles.add(String(e.stack || e).slice(0, 500)));
  await page.goto(`${job.server}lab/tree/${file}?token=${job.token}&reset`, { waitUntil: "load" });
  await page.waitForSelector(".jp-NotebookPanel .jp-MarkdownCell .jp-RenderedMarkdown h1", { timeout: 90000 });
  let facts, before = -1;
  for (let round = 0; round < 60; round++) { // formulas are typeset one text cell after the other
    await page.waitForTimeout(1000);
    facts = await page.evaluate(inspect);
    if (!facts.raw.length && facts.formulas === before) break;
    before = facts.formulas;
  }
  facts.deadLinks = await page.evaluate(async links => {
    const dead = [];
    for (const link of links) if (!(await fetch(link)).ok) dead.push(link);
    return dead;
  }, facts.own);
  const name = path.basename(file, ".ipynb");
  const scroller = page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer").first();
  const height = await scroller.evaluate(e => e.scrollHeight - e.clientHeight);
  await page.evaluate(() => document.querySelectorAll(".jp-RenderedMarkdown details").forEach((d, i) => { d.open = i === 0; }));
  for (let i = 0; i < 6; i++) {
    await scroller.evaluate((e, y) => e.scrollTo(0, y), Math.round(height * i / 5));
    await page.waitForTimeout(400);
    await page.screenshot({ path: path.join(job.screens, `${name}-${i + 1}.png`) });
  }
  const solution = page.locator(".jp-RenderedMarkdown details").first();
  if (await solution.count()) {
    await solution.scrollIntoViewIfNeeded();
    await page.waitForTimeout(400);
    await page.screenshot({ path: path.join(job.screens, `${name}-solution.png`) });
  }
  await scroller.evaluate(e => e.scrollTo(0, 0));
  const link = page.locator(".jp-MarkdownCell .jp-RenderedMarkdown a[href*='.ipynb']").filter({ hasText: /^chapter/i }).first();
  facts.opened = "";
  if (await link.count()) {
    const tabs = page.locator("#jp-main-dock-panel .lm-TabBar-tab");
    const had = await tabs.count();
    await link.click();
    for (let i = 0; i < 40 && (await tabs.count()) === had; i++) await page.waitForTimeout(250);
    if ((await tabs.count()) > had) facts.opened = (await tabs.last().innerText()).trim();
  }
  await page.close();
  return { ...facts, troubles: [...troubles] };
}

// Runs the notebook of widgets, and uses each of them by keyboard.
async function play(file) {
  const page = await context.newPage();
  const troubles = new Set(), outside = new Set();
  page.on("pageerror", e => troubles.add(String(e.stack || e).slice(0, 500)));
  page.on("console", m => { if (m.type() === "error") troubles.add(`console: ${m.text().slice(0, 300)}`); });
  page.on("request", r => { if (/^(https?|wss?):/.test(r.url()) && new URL(r.url()).hostname !== "127.0.0.1") outside.add(r.url()); });
  await page.goto(`${job.server}lab/tree/${file}?token=${job.token}&reset`, { waitUntil: "load" });
  await page.getByText(/^Python 3.* \| Idle$/).waitFor({ timeout: 90000 }); // the kernel runs, and lists no work
  await page.getByRole("menuitem", { name: "Run", exact: true }).click();
  await page.getByRole("menuitem", { name: "Run All Cells", exact: true }).click();
  const LAST = 14, cell = i => page.locator(".jp-Notebook .jp-CodeCell").nth(i);
  const said = cell(LAST).locator(".jp-OutputArea-output");
  await said.filter({ hasText: "heard" }).waitFor({ timeout: 120000 });

  const boxes = { scrubber: cell(1).locator(".jp-OutputArea-output .jupyter-widgets").first(), live: cell(2).locator(".ganlib-live"), laboratory: cell(3).locator(".ganlib-laboratory"), quiz: cell(4).locator(".ganlib-quiz"),
    pad: cell(5).locator(".ganlib-trans"), lamp: cell(6).locator(".ganlib-trans"), mix: cell(7).locator(".ganlib-trans"),
    rub: cell(8).locator(".ganlib-trans"), budget: cell(9).locator(".ganlib-trans"), canvas: cell(10).locator(".ganlib-trans"),
    table: cell(11).locator(".ganlib-trans"), trainer: cell(12).locator(".ganlib-trans"), styles: cell(13).locator(".ganlib-trans") };
  // What stands for all that a widget shows; live's map draws itself bit by bit and is left out.
  const parts = { scrubber: "img", live: ".live-picture", laboratory: "canvas, label b", quiz: "img, p:not(:empty), .right, .wrong",
    pad: ".trans-view > canvas", lamp: ".trans-view:first-child canvas, .trans-view:last-child canvas", mix: ".trans-view canvas",
    rub: ".rub-answers canvas", budget: "p, li, .budget-purse", canvas: ".canvas-board canvas",
    table: "tbody tr, [role=status]", trainer: "canvas, .trainer-numbers", styles: ".trans-view canvas" };
  const shown = name => boxes[name].evaluate((box, kind) => [...box.querySelectorAll(kind)].filter(e => e.offsetParent)
    .map(e => e.src ?? e.toDataURL?.() ?? e.textContent).join(), parts[name]);
  const still = async name => { // until two looks agree
    for (let before = await shown(name), now; ; before = now) {
      await page.waitForTimeout(250);
      now = await shown(name);
      if (now === before) return now;
    }
  };
  const shoot = async (name, when) => {
    await boxes[name].scrollIntoViewIfNeeded();
    await boxes[name].screenshot({ path: path.join(job.screens, `${path.basename(file, ".ipynb")}-${name}-${when}.png`) });
  };
  const standing = async () => [
    (await boxes.scrubber.locator(".widget-readout").textContent()).trim(),
    (await boxes.live.locator(".live-classes [aria-pressed=true]").textContent()).trim(),
    (await boxes.pad.getByRole("group", { name: "Translator" }).locator("[aria-pressed=true]").textContent()).trim(),
    await boxes.mix.getByRole("slider").inputValue(),
    await boxes.rub.locator(".trans-view > canvas[role=img]").evaluate(e => String(e.getAttribute("aria-label").match(/ (\d+) with/)[1] - 1)),
    await boxes.budget.locator("fieldset").last().evaluate(e => String([...e.querySelectorAll("input")].findIndex(i => i.checked))),
    (await boxes.canvas.locator(".canvas-where").textContent()).match(/column (-?\d+)/)[1],
    await boxes.table.getByRole("searchbox").inputValue(),
    await boxes.trainer.getByLabel("Seed").inputValue(),
    await boxes.styles.getByRole("slider", { name: "Truncation ψ" }).inputValue(),
  ];

  const drawn = {}, spilled = {};
  for (const name of Object.keys(boxes)) {
    await boxes[name].waitFor({ timeout: 30000 });
    await still(name);
    const least = name === "trainer" ? 15 : 20; // the 8×8 digits have seventeen greys
    drawn[name] = await boxes[name].evaluate((box, [kind, least]) => {
      const seen = [...box.querySelectorAll(kind)].filter(e => e.offsetParent);
      const colours = canvas => new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size;
      return seen.length > 0 && seen.every(e => e.src ? e.naturalWidth > 30 : e.toDataURL ? colours(e) > least : e.textContent);
    }, [parts[name], least]);
    spilled[name] = await boxes[name].evaluate(box => [...box.querySelectorAll("dt, dd, span:not(.unseen), label, button, p:not(.unseen)")]
      .filter(e => e.offsetParent && e.clientWidth && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.trim()));
    await shoot(name, "before");
  }
  const set = await standing();

  const keys = {}; // [whether it did what it should, whether it kept the focus]
  const press = async (name, what, control, ...names) => {
    const before = await still(name);
    await control.focus();
    for (const key of names) await page.keyboard.press(key);
    const kept = await control.evaluate(e => e === document.activeElement);
    for (let i = 0; i < 20 && (await shown(name)) === before; i++) await page.waitForTimeout(100);
    keys[`${name}, ${what}`] = [(await shown(name)) !== before, kept];
  };
  const { scrubber, live, laboratory } = boxes, buttons = scrubber.locator(".widget-play button:visible");
  const player = buttons.first(), pause = (await buttons.count()) > 2 ? buttons.nth(1) : player; // ipywidgets 7 has a button of its own
  await press("scrubber", "slider", scrubber.locator(".noUi-handle, .ui-slider-handle"), "ArrowLeft", "ArrowLeft");
  await press("scrubber", "play", player, "Enter");
  await pause.press("Enter");
  const paused = await shown("scrubber");
  await page.waitForTimeout(2000); // in which a running player would have shown the next frame
  keys["scrubber, pause"] = [(await shown("scrubber")) === paused, true]; // ipywidgets 7 disables the button
  await press("live", "slider", live.locator(".live-slider input").first(), ...Array(20).fill("ArrowRight"));
  await press("live", "class", live.locator(".live-classes button").nth(3), "Enter");
  await press("live", "map", live.locator(".live-map"), "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft");
  await press("live", "surprise", live.locator(".live-surprise"), "Space");
  await press("live", "way", live.locator(".live-way input"), ...Array(40).fill("ArrowRight"));
  await press("laboratory", "step", laboratory.getByRole("button", { name: "Step both", exact: true }), "Enter");
  await press("laboratory", "slider", laboratory.getByLabel("Learning rate of D"), "ArrowRight");
  await press("laboratory", "data", laboratory.locator("select").first(), "ArrowDown");
  const asked = await shown("quiz"), question = () => boxes.quiz.locator(".quiz-text").textContent();
  await boxes.quiz.locator(".quiz-answers button").first().focus();
  await page.keyboard.press("2");
  const told = await still("quiz"), inside = () => boxes.quiz.evaluate(box => box.contains(document.activeElement));
  keys["quiz, digit"] = [told !== asked && told.includes("No: yes."), await inside()];
  await page.keyboard.press("Enter");
  await still("quiz");
  keys["quiz, next"] = [(await question()) === "And back?", await inside()];
  await press("pad", "board", boxes.pad.locator(".pad-board"), "2", "ArrowUp", "ArrowUp", "Space");
  await press("pad", "die", boxes.pad.locator(".pad-die"), "Enter");
  await press("pad", "switch", boxes.pad.getByRole("button", { name: "by-day" }), "Space");
  await press("lamp", "noise", boxes.lamp.getByLabel("Noise on G(x), σ"), ...Array(20).fill("ArrowRight"));
  await press("lamp", "next", boxes.lamp.getByRole("button", { name: "Next picture" }), "Enter");
  await press("mix", "slider", boxes.mix.getByRole("slider"), ...Array(20).fill("ArrowRight"));
  await press("rub", "board", boxes.rub.locator(".pad-board"), "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "Space");
  await press("rub", "answers", boxes.rub.getByRole("button", { name: "Other answers" }), "Enter");
  await press("rub", "next", boxes.rub.getByRole("button", { name: "Next picture" }), "Space");
  await press("budget", "buy", boxes.budget.getByRole("button", { name: "Buy" }), "Enter");
  await press("budget", "level", boxes.budget.getByRole("radio", { name: "no, 0 coins" }), "Space");
  await press("canvas", "arrows", boxes.canvas.locator(".canvas-board"), "ArrowRight", "ArrowDown");
  await press("table", "sort", boxes.table.getByRole("button", { name: "year" }), "Enter", "Enter");
  await press("table", "search", boxes.table.getByRole("searchbox"), "c", "e");
  await press("table", "clear", boxes.table.getByRole("searchbox"), "Escape", "a");
  const start = boxes.trainer.locator(".trainer-start"), before = await still("trainer");
  await start.focus();
  await page.keyboard.press("Enter");
  await boxes.trainer.getByText(/^Round [1-9]\d* after/).waitFor({ timeout: 60000 });
  keys["trainer, start"] = [(await shown("trainer")) !== before && (await start.textContent()) === "Pause", await start.evaluate(e => e === document.activeElement)];
  await page.keyboard.press("Enter");
  await still("trainer");
  keys["trainer, pause"] = [(await start.textContent()) === "Go on", await start.evaluate(e => e === document.activeElement)];
  await boxes.trainer.getByLabel("Seed").focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Tab");
  keys["trainer, seed"] = [(await boxes.trainer.getByLabel("Seed").inputValue()) === "8", true];
  await press("styles", "crossover", boxes.styles.getByRole("slider", { name: "Styles from B, the finest first" }), "ArrowRight");
  await press("styles", "switch", boxes.styles.getByRole("button", { name: /^style 2,/ }), "Enter");
  await press("styles", "new A", boxes.styles.getByRole("button", { name: "New A" }), "Space");
  await press("styles", "truncation", boxes.styles.getByRole("slider", { name: "Truncation ψ" }), "ArrowLeft");
  await laboratory.getByRole("button", { name: "Copy settings" }).focus();
  await page.keyboard.press("Enter");
  const sent = laboratory.getByLabel("These settings in Python");
  await sent.waitFor({ timeout: 10000 });
  keys["laboratory, settings"] = [/widgets\.laboratory\(/.test(await sent.inputValue()), await laboratory.evaluate(box => box.contains(document.activeElement))];
  for (const name of Object.keys(boxes)) await shoot(name, "after");

  // What Python hears of it, and whether it can still set them.
  const used = await standing();
  await said.evaluate(e => { e.textContent = ""; });
  await cell(LAST).locator(".jp-InputPrompt").click();
  await page.keyboard.press("Control+Enter");
  await said.filter({ hasText: "heard" }).waitFor({ timeout: 20000 });
  const heard = (await said.innerText()).trim();
  await page.waitForTimeout(1000);
  const again = await standing();
  await page.close();
  return { drawn, spilled, set, keys, used, heard, again, troubles: [...troubles], outside: [...outside] };
}

const report = {};
for (const [file, look] of [...job.notebooks.map(file => [file, visit]), ...(job.widgets ? [[job.widgets, play]] : [])]) {
  try { report[file] = await look(file); } catch (error) {
    report[file] = { crash: String(error.stack || error) };
    for (const page of context.pages()) await page.screenshot({ path: path.join(job.screens, "crash.png") });
  }
}
await context.close();
fs.rmSync(profile, { recursive: true, force: true });
process.stdout.write(JSON.stringify(report));
