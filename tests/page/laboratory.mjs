// Plays with the laboratory of a built page, by keyboard wherever a reader could, and reports what happened.
// Standard input: {browser, axe, urls: {name: url}}; standard output: one JSON object, by name.
import { chromium } from "playwright-core";
import fs from "fs";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const root = process.getuid && process.getuid() === 0;
const browser = await chromium.launch({
  executablePath: job.browser, headless: true,
  args: [...(root ? ["--no-sandbox"] : []), "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});

async function visit(url) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 } }), page = await context.newPage();
  const report = { troubles: [], controls: {} };
  page.on("console", m => { if (m.type() === "error") report.troubles.push("console: " + m.text().slice(0, 300)); });
  page.on("pageerror", e => report.troubles.push("script error: " + String(e.stack || e).slice(0, 500)));
  await page.goto(url);
  const lab = page.locator(".ganlib-laboratory").first(), canvas = lab.locator("canvas").first();
  await lab.waitFor({ timeout: 30000 });
  await lab.scrollIntoViewIfNeeded();
  await page.waitForTimeout(500);

  const updates = () => lab.getAttribute("data-updates");
  const picture = () => canvas.evaluate(c => c.toDataURL());
  const key = async (control, ...names) => { await control.focus(); for (const name of names) await page.keyboard.press(name); };
  const button = name => lab.getByRole("button", { name, exact: true });
  const idle = async () => { // until two looks agree
    for (let before = await picture(), now; ; before = now) {
      await page.waitForTimeout(120);
      now = await picture();
      if (now === before) return now;
    }
  };
  const game = async () => { // a short game from the start, and what it looks like
    await key(button("Reset"), "Enter");
    await key(button("Step both"), "Enter");
    await key(button("Step D"), "Enter");
    await key(button("Step G"), " ");
    return { picture: await idle(), updates: await updates() };
  };

  // Steps.
  report.start = await updates();
  report.drawn = await canvas.evaluate(c => new Set(c.getContext("2d").getImageData(0, 0, c.width, c.height).data).size > 50);
  const seen = [await idle()];
  report.steps = [];
  for (const name of ["Step D", "Step G", "Step both"]) {
    await key(button(name), "Enter");
    seen.push(await idle());
    report.steps.push(await updates());
  }
  report.pictures = new Set(seen).size;
  await page.waitForTimeout(900);
  report.said = await lab.getByRole("status").textContent();
  await key(button("Reset"), "Enter");
  report.reset = [await updates(), (await idle()) === seen[0]];

  // Every control: another setting, another game; the setting of before, the game of before.
  await key(lab.getByLabel("Steps at a time"), "ArrowRight", "ArrowRight", "ArrowRight");
  const first = await game();
  report.again = (await game()).picture === first.picture;
  const labels = await lab.locator(".controls label").evaluateAll(all => all.map(l => l.firstChild.firstChild.textContent));
  for (const [i, label] of labels.entries()) {
    const control = lab.locator(".controls label").nth(i).locator("input, select");
    const [there, back] = await control.evaluate(c => c.tagName === "SELECT" ? (c.selectedIndex ? ["ArrowUp", "ArrowDown"] : ["ArrowDown", "ArrowUp"])
      : c.type === "number" || +c.value < +c.max ? ["ArrowUp", "ArrowDown"] : ["ArrowDown", "ArrowUp"]);
    await key(control, there);
    const moved = await game();
    await key(control, back);
    const returned = await game();
    report.controls[label] = [moved.picture !== first.picture || moved.updates !== first.updates, returned.picture === first.picture];
  }

  // Run and stop.
  report.said = [report.said];
  await lab.evaluate(l => new MutationObserver(() => (window.said = (window.said || 0) + 1)).observe(l.querySelector("[role=status]"), { childList: true }));
  await page.waitForTimeout(1000);
  await page.evaluate(() => { window.said = 0; });
  await key(button("Run"), "Enter");
  await page.waitForTimeout(2000);
  report.running = await updates();
  report.stopButton = await button("Stop").count();
  await key(button("Stop"), "Enter");
  report.stopped = [await updates()];
  await page.waitForTimeout(900);
  report.stopped.push(await updates());
  report.announcements = await page.evaluate(() => window.said);

  // Data of one's own: typed, cleared, drawn.
  const data = lab.locator("select").first(), before = await data.inputValue();
  await data.selectOption("own_plane");
  const own = [await idle()];
  await lab.getByLabel("x", { exact: true }).fill("1.5");
  await lab.getByLabel("y", { exact: true }).fill("-1");
  await key(button("Add a bump"), "Enter");
  own.push(await idle());
  await key(button("Clear"), "Enter");
  own.push(await idle());
  report.empty = await lab.locator(".hint").textContent();
  await key(button("Step both"), "Enter");
  report.emptyUpdates = await updates();
  const box = await canvas.boundingBox();
  await page.mouse.move(box.x + 0.2 * box.width, box.y + 0.5 * box.height);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.8 * box.width, box.y + 0.4 * box.height, { steps: 12 });
  await page.mouse.up();
  own.push(await idle());
  report.own = new Set(own).size;
  report.drawnHint = await lab.locator(".hint").textContent();
  await key(button("Step both"), "Enter");
  await idle();
  report.drawnUpdates = await updates();
  await data.selectOption(before);

  // What it looks like to others.
  const light = await idle();
  const theme = await page.evaluate(() => document.documentElement.dataset.theme);
  report.axe = {};
  await page.addScriptTag({ content: fs.readFileSync(job.axe, "utf8") });
  await lab.locator("summary").focus();
  await page.keyboard.press("Enter");
  report.explained = await lab.locator("details p").isVisible();
  for (const mode of ["dark", "light"]) {
    await page.evaluate(to => { document.documentElement.dataset.theme = to; }, mode);
    await page.waitForTimeout(200);
    report.axe[mode] = await page.evaluate(async () => (await window.axe.run(".ganlib-laboratory", { preload: false })).violations.map(v => `${v.id}: ${v.nodes.map(n => n.html.slice(0, 120)).join(" | ")}`));
    if (mode === "dark") report.darkDiffers = (await idle()) !== light;
  }
  await page.evaluate(to => { document.documentElement.dataset.theme = to; }, theme);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForTimeout(400);
  report.overflow = await lab.evaluate(l => [l, ...l.querySelectorAll("*:not(.unseen)")].filter(e => e.getBoundingClientRect().right > 391).map(e => e.outerHTML.slice(0, 100)));
  report.unshielded = await lab.evaluate(l => [...l.querySelectorAll("button, input, select, summary")].filter(e => !e.dataset.lmSuppressShortcuts).map(e => e.outerHTML.slice(0, 100)));
  report.targets = await lab.evaluate(l => [...l.querySelectorAll("button, input, select")].filter(e => e.offsetParent && Math.min(e.offsetWidth, e.offsetHeight) < 24).map(e => e.outerHTML.slice(0, 100)));

  // Less motion: the steps go on, the picture changes about once a second.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await key(button("Reset"), "Enter");
  await canvas.evaluate(c => { window.paints = 0; const get = c.getContext.bind(c); c.getContext = (...a) => { window.paints++; return get(...a); }; });
  await key(button("Run"), "Enter");
  await page.waitForTimeout(2500);
  report.calm = [await page.evaluate(() => window.paints)];
  await key(button("Stop"), "Enter");
  report.calm.push(await updates());
  await context.close();
  return report;
}

const report = {};
for (const [name, url] of Object.entries(job.urls)) {
  try { report[name] = await visit(url); } catch (error) { report[name] = { crash: String(error.stack || error) }; }
}
await browser.close();
process.stdout.write(JSON.stringify(report));
