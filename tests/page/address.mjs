// Draws data in laboratories of a bare page, and sends settings through the address, by keys, mouse and finger.
// Standard input: {browser, axe, urls: {book, folder, jupyter}}, pages of three laboratories; standard output: by name, what was seen.
import { chromium } from "playwright-core";
import fs from "fs";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const root = process.getuid && process.getuid() === 0;
const browser = await chromium.launch({
  executablePath: job.browser, headless: true,
  args: [...(root ? ["--no-sandbox"] : []), "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});

async function visit(url, allowed) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 1000 }, hasTouch: true, reducedMotion: "reduce", permissions: allowed ? ["clipboard-read", "clipboard-write"] : [] });
  const report = { troubles: [] };
  const open = async address => {
    const page = await context.newPage();
    page.on("console", m => { if (m.type() === "error") report.troubles.push(m.text().slice(0, 300)); });
    page.on("pageerror", e => report.troubles.push(String(e.stack || e).slice(0, 500)));
    await page.goto(address);
    await page.waitForFunction(() => document.querySelectorAll(".ganlib-laboratory").length === 3, null, { timeout: 60000 });
    await page.waitForTimeout(300);
    return page;
  };
  const lab = (page, i) => page.locator(".ganlib-laboratory").nth(i);
  const picture = one => one.locator("canvas").first().evaluate(c => c.toDataURL());
  const facts = one => one.evaluate(l => [...l.querySelectorAll(".controls select, .controls input, dd")].map(e => e.tagName === "SELECT" ? e.selectedOptions[0].textContent : e.getAttribute("aria-valuetext") || e.value || e.textContent));
  const button = (one, name) => one.getByRole("button", { name, exact: true });

  // Data drawn by keys, mouse and finger.
  const page = await open(url), one = lab(page, 1), canvas = one.locator("canvas").first(), seen = [];
  const look = async () => { await page.waitForTimeout(200); seen.push(await picture(one)); };
  if (!allowed) await page.evaluate(() => { navigator.clipboard.writeText = async () => { throw new Error("closed"); }; });
  report.before = await Promise.all([0, 1, 2].map(i => facts(lab(page, i))));
  await one.locator("select").first().selectOption("own_plane");
  await button(one, "Clear").click();
  report.role = [await canvas.getAttribute("role"), await lab(page, 0).locator("canvas").first().getAttribute("role")];
  await canvas.focus();
  await page.keyboard.press("ArrowRight");
  await look();
  for (const key of ["ArrowRight", "ArrowUp"]) await page.keyboard.press(key);
  report.said = [await one.locator(".unseen").textContent()];
  await page.keyboard.press("Space");
  report.said.push(await one.locator(".unseen").textContent());
  await look();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.press("u");
  report.said.push(await one.locator(".unseen").textContent());
  const box = await canvas.boundingBox(), at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(0.2, 0.5));
  await page.mouse.down();
  await page.mouse.move(...at(0.6, 0.4), { steps: 6 });
  await page.mouse.up();
  await look();
  const finger = await context.newCDPSession(page), touch = (type, ...places) => finger.send("Input.dispatchTouchEvent", { type, touchPoints: places.map(([x, y]) => ({ x, y })) });
  await touch("touchStart", at(0.3, 0.8));
  for (const x of [0.5, 0.7]) await touch("touchMove", at(x, 0.8));
  await touch("touchEnd");
  await look();
  await button(one, "Take back").click();
  await look();
  report.seen = new Set(seen).size;

  // Other settings, and the link.
  await one.locator(".controls select").nth(1).selectOption("rpgan");
  for (const label of ["R1, weight γ", "k, steps of D", "Learning rate of D", "Steps at a time"]) await one.getByLabel(label).press("ArrowRight");
  await one.getByLabel("Optimiser").selectOption("descent");
  await one.getByLabel("G starts").selectOption("far");
  await one.getByLabel("Seed").fill("5");
  await one.getByLabel("Seed").press("Tab");
  await button(one, "Reset").click();
  report.sent = await facts(one);
  await page.waitForTimeout(300);
  const drawn = await picture(one), copy = one.locator(".steps button").last();
  report.button = await copy.textContent();
  await copy.focus();
  await page.keyboard.press("Enter");
  await page.waitForTimeout(300);
  const field = one.locator(".sending input");
  report.link = await field.inputValue();
  report.named = await field.getAttribute("aria-label");
  report.copied = [await one.locator(".sending span").textContent(), allowed ? await page.evaluate(() => navigator.clipboard.readText()) === report.link : await field.evaluate(f => document.activeElement === f && f.selectionEnd === f.value.length)];
  await page.addScriptTag({ content: fs.readFileSync(job.axe, "utf8") });
  report.axe = await page.evaluate(async () => (await window.axe.run(".ganlib-laboratory", { preload: false })).violations.map(v => `${v.id}: ${v.nodes[0].html.slice(0, 160)}`));
  await page.setViewportSize({ width: 360, height: 800 });
  await page.waitForTimeout(200);
  report.wide = await one.evaluate(l => [l, ...l.querySelectorAll("*:not(.unseen)")].filter(e => e.getBoundingClientRect().right > 361).map(e => e.outerHTML.slice(0, 100)));
  report.unshielded = await one.evaluate(l => [...l.querySelectorAll("button, input, select, summary, [tabindex]")].filter(e => !e.dataset.lmSuppressShortcuts).length);

  if (report.link.startsWith(url)) {
    // Somebody else opens it; then a broken one, and one for its twin, in the page that is open already.
    const theirs = await open(report.link);
    report.opened = await Promise.all([0, 1, 2].map(i => facts(lab(theirs, i))));
    report.alike = await picture(lab(theirs, 1)) === drawn;
    const [start, code] = [report.link.slice(0, report.link.lastIndexOf("-0-") + 3), report.link.slice(report.link.lastIndexOf("-0-") + 3)];
    await theirs.evaluate(hash => { location.hash = hash; }, `${start}x${code}`.split("#")[1]);
    await theirs.waitForTimeout(500);
    report.broken = [await facts(lab(theirs, 1)), await lab(theirs, 1).locator(".sending").innerText(), await lab(theirs, 0).locator(".sending").isVisible()];
    await theirs.evaluate(hash => { location.hash = hash; }, `${start.replace(/-0-$/, "-1-")}${code}`.split("#")[1]);
    await theirs.waitForTimeout(500);
    report.twin = await Promise.all([0, 1, 2].map(i => facts(lab(theirs, i))));
    await theirs.evaluate(() => { location.hash = "some-heading"; });
    await theirs.waitForTimeout(300);
    report.heading = await facts(lab(theirs, 2));
  }
  await context.close();
  return report;
}

const report = {};
for (const [name, url] of Object.entries(job.urls)) report[name] = await visit(url, name === "book");
await browser.close();
process.stdout.write(JSON.stringify(report));
