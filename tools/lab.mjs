// Opens notebooks in JupyterLab, in headless Chromium with the network cut, and reports what a reader would see.
// Standard input: {browser, server, token, screens, notebooks: [path]}; standard output: one JSON object, by path.
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

const report = {};
for (const file of job.notebooks) {
  try { report[file] = await visit(file); } catch (error) { report[file] = { crash: String(error.stack || error) }; }
}
await context.close();
fs.rmSync(profile, { recursive: true, force: true });
process.stdout.write(JSON.stringify(report));
