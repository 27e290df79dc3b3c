// Opens pages in headless Chromium with the network cut and reports what a reader would meet.
// Standard input: {browser, axe, visits: [{name, url, dark?, search?, scrub?, lands?, screenshot?}]}; standard output: one JSON object, by name.
import { chromium } from "playwright-core";
import fs from "fs";
import os from "os";
import path from "path";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const axe = fs.readFileSync(job.axe, "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const profile = fs.mkdtempSync(path.join(os.tmpdir(), "page-test-"));
const root = process.getuid && process.getuid() === 0;
const local = /^(https?:\/\/127\.0\.0\.1[:/]|file:|data:|blob:|about:)/;

const context = await chromium.launchPersistentContext(profile, {
  executablePath: job.browser,
  headless: true,
  viewport: { width: 1280, height: 900 },
  args: [
    ...(root ? ["--no-sandbox"] : []),
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});
await context.route(url => !local.test(url.href), route => route.abort());

// What the page holds, read in the page itself.
function inspect() {
  const main = document.querySelector("main") || document.body;
  const prose = main.cloneNode(true);
  prose.querySelectorAll("pre, code, script, style, mjx-container, .jupyter-widgets").forEach(e => e.remove());
  const text = prose.textContent;
  const hrefs = [...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href"));
  return {
    title: document.title,
    heading: document.querySelector("main h1")?.textContent.trim() ?? "",
    rawMath: (text.match(/\$[^$\n]{1,80}\$|\\[([][^\n]{1,80}|\\begin\{\w+\}/g) || []).slice(0, 5),
    mathErrors: [...document.querySelectorAll("mjx-merror")].map(e => e.getAttribute("title") || e.textContent),
    formulas: document.querySelectorAll("mjx-container").length,
    unnamedImages: [...main.querySelectorAll("img")].filter(i => !(i.getAttribute("alt") || "").trim()).map(i => i.outerHTML.slice(0, 120)),
    brokenImages: [...document.images].filter(i => i.complete && i.getClientRects().length && !i.naturalWidth).map(i => i.src.slice(0, 120)),
    images: main.querySelectorAll("img").length,
    sliders: document.querySelectorAll(".noUi-handle").length,
    widgetsUnrendered: document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]').length
      && !document.querySelectorAll(".jupyter-widgets").length,
    icon: document.querySelector('link[rel~="icon"]')?.href ?? "",
    previous: document.querySelector("a.left-prev")?.getAttribute("href") ?? "",
    next: document.querySelector("a.right-next")?.getAttribute("href") ?? "",
    colab: hrefs.filter(h => h.startsWith("https://colab.research.google.com/")),
    report: !!document.querySelector("a.report-an-error"),
    runInfo: document.querySelector(".run-info")?.textContent ?? "",
    errorsInOutput: [...main.querySelectorAll(".cell_output .ansi-red-fg, .output.traceback")].map(e => e.textContent.slice(0, 120)),
    claims: ["true", "false", "untrained"].map(kind => main.querySelectorAll(".claim-" + kind).length),
    searchFields: document.querySelectorAll(".bd-article-container input[type=search], .bd-header input[type=search]").length,
    searchButton: !!document.querySelector(".search-button, .search-button__button"),
    results: document.querySelectorAll("#search-results li").length,
    theme: document.documentElement.dataset.theme,
    bootstrap: main.textContent.includes('find_spec("ganlib")'),
  };
}

// The pictures a reader sees in the first widget that has a slider.
const shown = page => page.evaluate(() => {
  let box = document.querySelector(".noUi-handle").closest(".cell_output, .output") || document.querySelector("main");
  return [...box.querySelectorAll("img")].filter(i => i.getClientRects().length).map(i => i.src);
});

async function visit({ url, dark, search, scrub, lands, screenshot }) {
  const page = await context.newPage();
  const troubles = new Set(), outside = new Set();
  page.on("request", r => { if (!local.test(r.url())) outside.add(r.url()); });
  page.on("requestfailed", r => troubles.add(`failed: ${r.url()} ${r.failure()?.errorText}`));
  page.on("response", r => { if (r.status() >= 400) troubles.add(`${r.status()}: ${r.url()}`); });
  page.on("console", m => { if (m.type() === "error") troubles.add("console: " + m.text().slice(0, 300)); });
  page.on("pageerror", e => troubles.add("script error: " + String(e.stack || e).slice(0, 500)));
  await page.emulateMedia({ colorScheme: dark ? "dark" : "light", reducedMotion: "reduce" });
  await page.goto(url, { waitUntil: "load" });
  if (lands) await page.waitForURL(lands, { timeout: 10000 });
  await page.evaluate(() => window.MathJax?.startup?.promise.then(() => 0));
  const widgets = await page.evaluate(() => !!document.querySelector('script[type="application/vnd.jupyter.widget-view+json"]'));
  if (widgets) await page.waitForSelector(".jupyter-widgets", { state: "attached", timeout: 20000 }).catch(() => {});
  if (search) await page.waitForSelector("#search-results li", { timeout: 15000 }).catch(() => {});
  await page.waitForTimeout(widgets ? 1200 : 400);
  const facts = await page.evaluate(inspect);
  if (scrub && facts.sliders) {
    facts.before = await shown(page);
    await page.locator(".noUi-handle").first().focus();
    for (let i = 0; i < 2; i++) await page.keyboard.press("ArrowRight");
    await page.waitForTimeout(500);
    facts.after = await shown(page);
  }
  if (!url.startsWith("file:")) {
    await page.evaluate(() => document.querySelectorAll("main details").forEach(d => { d.open = true; }));
    await page.addScriptTag({ content: axe });
    facts.axe = await page.evaluate(async values => {
      const found = await window.axe.run(document, { runOnly: { type: "tag", values } });
      return found.violations.filter(v => ["serious", "critical"].includes(v.impact)).map(v =>
        `${v.id} (${v.impact}) x${v.nodes.length}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + n.html.slice(0, 160)).join(" | ")}`);
    }, rules);
  }
  if (screenshot) await page.screenshot({ path: screenshot + ".png" });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForTimeout(300);
  facts.overflow = await page.evaluate(() => {
    const wide = document.scrollingElement.scrollWidth - window.innerWidth;
    if (wide <= 1) return null;
    const guilty = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > window.innerWidth + 1);
    return `${wide} px: ${guilty.slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ")}`;
  });
  if (screenshot) await page.screenshot({ path: screenshot + "-phone.png" });
  await page.close();
  return { ...facts, troubles: [...troubles], outside: [...outside] };
}

const report = {};
const left = [...job.visits];
async function walk() {
  for (let one; (one = left.shift());) {
    try { report[one.name] = await visit(one); } catch (error) { report[one.name] = { crash: String(error.stack || error) }; }
  }
}
await Promise.all([walk(), walk()]); // two pages at a time: half of a visit is waiting
await context.close();
fs.rmSync(profile, { recursive: true, force: true });
process.stdout.write(JSON.stringify(report));
