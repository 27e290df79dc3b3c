// Opens pages in headless Chromium with the network cut and reports what a reader would meet.
// Standard input: {browser, axe, folder, cover, visits: [{name, url, search?, scrub?, keys?, look?, figures?, print?, lands?, screenshot?}]};
// standard output: one JSON object, by name. A visit that is to `look` asks axe in light and in dark mode and tries the width of a phone;
// its `figures` are photographed in dark mode into `folder`. `cover` is the page whose loading is timed.
import { chromium } from "playwright-core";
import fs from "fs";
import os from "os";
import path from "path";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const axe = fs.readFileSync(job.axe, "utf8");
// A page is the same in both modes but for its colours, so dark is asked only what colours decide.
const rules = {
  light: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] },
  dark: { type: "rule", values: ["color-contrast", "link-in-text-block"] },
};
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

const VIEWS = 'script[type="application/vnd.jupyter.widget-view+json"]'; // where a widget is to be drawn

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
    unnamedImages: [...main.querySelectorAll("img")].filter(i => !(i.getAttribute("alt") || "").trim() || /\.(png|jpe?g|svg)$/.test(i.alt)).map(i => i.outerHTML.slice(0, 120)),
    brokenImages: [...document.images].filter(i => i.complete && i.getClientRects().length && !i.naturalWidth).map(i => i.src.slice(0, 120)),
    images: main.querySelectorAll("img").length,
    sliders: document.querySelectorAll(".noUi-handle").length,
    widgetsUnrendered: document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]').length
      && !document.querySelectorAll(".jupyter-widgets").length,
    clipped: [...document.querySelectorAll(".widget-label")].filter(e => e.getClientRects().length && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent),
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
    found: [...document.querySelectorAll("#search-results li a")].map(a => a.href),
    theme: document.documentElement.dataset.theme,
    bootstrap: main.textContent.includes('find_spec("ganlib")'),
  };
}

// The pictures a reader sees in the first widget that has a slider.
const shown = page => page.evaluate(() => {
  let box = document.querySelector(".noUi-handle").closest(".cell_output, .output") || document.querySelector("main");
  return [...box.querySelectorAll("img")].filter(i => i.getClientRects().length).map(i => i.src);
});

// Every control of every widget, in the order of the page, is given keys that should move it; those that nothing moves are returned.
// Of a long row of the same control (a generator has a slider for each latent coordinate) the first two and the last are.
const CONTROLS = ".noUi-handle, :is(.jupyter-widgets, .cell_output, [id^=live-]) :is(button, input, select, textarea, summary, [role][tabindex='0']:not([role=region]))"; // a region is a box that scrolls

// What a reader sees of the widgets: pictures, canvases, values, words.
const looks = page => page.evaluate(() => [...document.querySelectorAll(".cell_output, .output, [id^=live-]")].filter(e => e.querySelector(".jupyter-widgets, canvas, input, button")).map(box =>
  [...box.querySelectorAll("img")].filter(i => i.getClientRects().length).map(i => i.src.length + i.src.slice(-200)).join()
  + [...box.querySelectorAll("canvas")].map(c => { try { return c.toDataURL().slice(-4000); } catch { return ""; } }).join()
  + [...box.querySelectorAll("input, select, textarea")].map(i => i.value + i.checked).join()
  + [...box.querySelectorAll("[aria-valuenow], [aria-pressed], [aria-checked], [aria-selected]")].map(e => ["valuenow", "pressed", "checked", "selected"].map(a => e.getAttribute("aria-" + a)).join()).join()
  + [...box.querySelectorAll("details")].map(d => d.open).join() + box.innerText).join());

async function pressKeys(page) {
  const controls = page.locator(CONTROLS), silent = [];
  let tried = 0;
  for (let i = 0; i < await controls.count(); i++) {
    const one = await controls.nth(i).elementHandle();
    if (!await one.isVisible() || !await one.isEnabled()) continue;
    if (await one.evaluate(e => !!e.closest("pre, .cell_input") || e.matches(".copybtn, .headerlink"))) continue;
    if (await one.evaluate(e => {
      const row = e.matches("input[type=range]") ? [...e.parentElement.parentElement.querySelectorAll(":scope > * > input[type=range]")] : [];
      return row.indexOf(e) > 1 && row.indexOf(e) < row.length - 1;
    })) continue;
    tried++;
    const kind = await one.evaluate(e => e.matches("button, summary, input[type=button]") ? "button" : e.matches("input[type=checkbox], input[type=radio]") ? "box" : e.matches("input[type=text], input[type=number], input:not([type]), textarea") ? "text" : "slider");
    const keys = { button: ["Enter", " "], box: [" ", "ArrowRight"], text: ["ArrowUp", "7", "Enter"], slider: ["ArrowRight", "ArrowLeft", "ArrowDown", "Enter"] }[kind];
    if (await one.getAttribute("aria-label") === "Stop") { // it leads back to the first frame, so leave that
      await one.evaluate(e => e.closest(".widget-hbox").querySelector(".noUi-handle").focus());
      await page.keyboard.press("End");
      await page.waitForTimeout(150);
    }
    const before = await looks(page);
    let moved = false;
    for (const key of keys) {
      await one.focus();
      await page.keyboard.press(key);
      for (const wait of [30, 150, 600, 1500]) { // a play button's first frame comes after its interval
        await page.waitForTimeout(wait);
        if ((moved = await looks(page) !== before)) break;
        if (kind !== "button" && wait >= 600) break; // time to be drawn before the next key may take it back
      }
      if (moved) break;
    }
    if (await one.evaluate(e => e.matches("summary"))) await page.waitForTimeout(300); // what it folds out comes a moment later
    const chosen = await one.getAttribute("aria-pressed") === "true"; // a choice that is made already need not move
    if (!moved && !chosen) silent.push(await one.evaluate(e => (e.getAttribute("aria-label") || e.textContent.trim()) + " " + e.outerHTML.slice(0, 160)));
  }
  return { tried, silent };
}

// A picture of each widget of the page.
async function portray(page, screenshot, when) {
  const widgets = page.locator(".jupyter-widgets-disconnected:not(.jupyter-widgets-disconnected *), [id^=live-]");
  for (let i = 0; i < await widgets.count(); i++)
    if (await widgets.nth(i).isVisible()) await widgets.nth(i).screenshot({ path: `${screenshot}-widget-${i + 1}-${when}.png` });
}

async function photograph(page, name, folder) {
  const found = [], pictures = page.locator("article img");
  for (let i = 0; i < await pictures.count() && found.length < 4; i++) {
    const one = pictures.nth(i);
    if (!await one.isVisible()) continue;
    const file = path.join(folder, name.replace(/\W+/g, "-") + i + ".png");
    await one.scrollIntoViewIfNeeded();
    await one.evaluate(e => { // on whole pixels: between two, small pictures would be smeared
      const { left, top } = e.getBoundingClientRect();
      Object.assign(e.style, { position: "relative", left: `${Math.round(left) - left}px`, top: `${Math.round(top) - top}px` });
    });
    await one.screenshot({ path: file });
    await one.evaluate(e => Object.assign(e.style, { position: "", left: "", top: "" }));
    found.push({ file, src: await one.getAttribute("src") });
  }
  return found;
}

// Wait until everything that fades or slides has come to its end.
const settle = page => page.evaluate(async () => {
  for (let busy; (busy = document.getAnimations().filter(a => a.playState === "running" && a.effect?.getComputedTiming().endTime < Infinity)).length;)
    await Promise.allSettled(busy.map(a => a.finished));
});

// The page in the other mode, and its theme then.
async function mode(page, dark, media) {
  await page.emulateMedia({ media, colorScheme: dark ? "dark" : "light", reducedMotion: "reduce" });
  await page.waitForFunction(wanted => document.documentElement.dataset.theme === wanted, dark && media !== "print" ? "dark" : "light", { timeout: 5000 }).catch(() => {}); // told by an event
  await settle(page);
  return page.evaluate(() => document.documentElement.dataset.theme);
}

const askAxe = (page, runOnly) => page.evaluate(async runOnly => {
  const found = await window.axe.run(document, { runOnly, resultTypes: ["violations"] });
  return found.violations.map(v =>
    `${v.id} (${v.impact}) x${v.nodes.length}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + n.html.slice(0, 160)).join(" | ")}`);
}, runOnly);

async function visit({ name, url, search, scrub, keys, look, figures, print, lands, screenshot }) {
  const page = await context.newPage();
  const troubles = new Set(), outside = new Set(), asked = new Set();
  page.on("request", r => { (local.test(r.url()) ? asked : outside).add(r.url().split("?")[0].slice(0, 300)); });
  page.on("requestfailed", r => troubles.add(`failed: ${r.url()} ${r.failure()?.errorText}`));
  page.on("response", r => { if (r.status() >= 400) troubles.add(`${r.status()}: ${r.url()}`); });
  page.on("console", m => { if (m.type() === "error") troubles.add("console: " + m.text().slice(0, 300)); });
  page.on("pageerror", e => troubles.add("script error: " + String(e.stack || e).slice(0, 500)));
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.goto(url, { waitUntil: "load" });
  if (lands) await page.waitForURL(lands, { timeout: 10000 });
  await page.evaluate(() => window.MathJax?.startup?.promise.then(() => 0));
  const widgets = await page.locator(VIEWS).count();
  if (widgets) await page.waitForFunction(views => [...document.querySelectorAll(views)].every(view => view.parentElement.querySelector(".jupyter-widgets-disconnected > *")), VIEWS, { timeout: 20000 }).catch(() => {});
  if (search) {
    await page.waitForSelector("#search-results li", { timeout: 15000 }).catch(() => {});
    for (let before = -1, now = 0; before !== now;) { // results come one by one: wait for the last
      before = now;
      await page.waitForTimeout(1500);
      now = await page.locator("#search-results li").count();
    }
  }
  await page.waitForTimeout(widgets ? 1200 : 400);
  const facts = await page.evaluate(inspect);
  if (scrub && facts.sliders) {
    facts.before = await shown(page);
    await page.locator(".noUi-handle").first().focus();
    for (let i = 0; i < 2; i++) await page.keyboard.press("ArrowRight");
    await page.waitForTimeout(500);
    facts.after = await shown(page);
  }
  if (keys) {
    if (screenshot) await portray(page, screenshot, "before");
    facts.keys = await pressKeys(page);
    if (screenshot) await portray(page, screenshot, "after");
  }
  if (screenshot) await page.screenshot({ path: screenshot + ".png" });
  if (print) {
    await mode(page, true);
    await mode(page, true, "print");
    facts.onPaper = await page.evaluate(() => ({
      beside: [...document.querySelectorAll(".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .prev-next-area, .copybtn, .headerlink")].filter(e => e.getClientRects().length).map(e => e.className),
      filters: [...document.querySelectorAll("article img")].map(i => getComputedStyle(i).filter).filter(f => f !== "none"),
      theme: document.documentElement.dataset.theme,
      wide: document.scrollingElement.scrollWidth - window.innerWidth,
    }));
    facts.onPaper.bytes = (await page.pdf({ format: "A4", ...(typeof print === "string" ? { path: print } : {}) })).length;
    facts.onPaper.after = await mode(page, true, "screen");
  }
  if (look) {
    await page.evaluate(() => document.querySelectorAll("main details").forEach(d => { d.open = true; }));
    await settle(page); // what is folded out fades in
    await page.addScriptTag({ content: axe });
    facts.axe = { light: await askAxe(page, rules.light) };
    facts.dark = await mode(page, true);
    facts.axe.dark = await askAxe(page, rules.dark);
    if (figures) facts.figures = await photograph(page, name, job.folder);
    if (screenshot) await page.screenshot({ path: screenshot + "-dark.png" });
    await mode(page, false);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.waitForTimeout(300);
    facts.overflow = await page.evaluate(() => {
      const wide = document.scrollingElement.scrollWidth - window.innerWidth;
      if (wide <= 1) return null;
      const guilty = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > window.innerWidth + 1);
      return `${wide} px: ${guilty.slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ")}`;
    });
    if (screenshot) await page.screenshot({ path: screenshot + "-phone.png" });
  }
  await page.close();
  return { ...facts, troubles: [...troubles], outside: [...outside], asked: [...asked] };
}

// How long the cover takes in a browser that has nothing of it: until it is laid out, and until it can be used.
async function timeCover(url) {
  const page = await context.newPage(), start = Date.now();
  await page.goto(url, { waitUntil: "domcontentloaded" });
  const shown = Date.now() - start;
  await page.waitForLoadState("load");
  await page.evaluate(() => window.MathJax?.startup?.promise.then(() => 0));
  if (await page.locator(VIEWS).count())
    await page.waitForSelector(".jupyter-widgets", { timeout: 20000 });
  const usable = Date.now() - start;
  await page.close();
  return { shown, usable };
}

const report = {};
if (job.cover) report["cover time"] = await timeCover(job.cover);
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
