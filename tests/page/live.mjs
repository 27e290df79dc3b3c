// Plays with the generator of each page in headless Chromium, the network cut. Standard input: {browser, visits: [{name, url, screenshot?}]};
// standard output, by name: {troubles, outside, picture, steps: {what: changed}, milliseconds, unshielded}.
import { chromium } from "playwright-core";
import fs from "fs";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const root = process.getuid && process.getuid() === 0;
const local = /^(https?:\/\/127\.0\.0\.1[:/]|file:|data:|blob:|about:)/;
const browser = await chromium.launch({
  executablePath: job.browser, headless: true,
  args: [...(root ? ["--no-sandbox"] : []), "--headless", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});

// All that a reader sees change: the picture, the thumbnails, positions and pressed buttons.
const state = page => page.evaluate(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))).then(() => {
  const box = document.querySelector(".ganlib-live");
  const pixels = canvas => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
  return {
    picture: pixels(box.querySelector(".live-picture")),
    pins: [...box.querySelectorAll(".live-pin canvas")].map(pixels),
    pressed: [...box.querySelectorAll("[aria-pressed=true]")].map(b => b.textContent),
    open: box.querySelector("details")?.open,
  };
}));

async function visit({ url, screenshot }) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const troubles = [], outside = [];
  await page.route(target => !local.test(target.href), route => { outside.push(route.request().url()); return route.abort(); });
  page.on("console", m => { if (m.type() === "error") troubles.push(m.text()); });
  page.on("pageerror", e => troubles.push(String(e.stack || e)));
  await page.goto(url, { waitUntil: "load" });
  const box = page.locator(".ganlib-live").first();
  await box.waitFor({ timeout: 20000 });
  await box.scrollIntoViewIfNeeded();
  const shoot = async name => { if (screenshot) await page.screenshot({ path: `${screenshot}-${name}.png` }); };
  const first = await state(page), steps = {};
  let before = first;
  const press = async (what, locator, ...keys) => {
    await locator.focus();
    for (const key of keys) await page.keyboard.press(key);
    const after = await state(page);
    steps[what] = Object.keys(after).filter(k => JSON.stringify(after[k]) !== JSON.stringify(before[k]));
    before = after;
    await shoot(what);
  };
  await shoot("start");
  await press("slider", box.locator(".live-slider input").first(), ...Array(20).fill("ArrowRight"));
  if (await box.locator(".live-classes").count()) await press("class", box.locator(".live-classes button").nth(3), "Enter");
  await press("map", box.locator(".live-map"), "ArrowUp", "ArrowUp", "ArrowLeft");
  await press("surprise", box.locator(".live-surprise"), "Space");
  await press("pin A", box.locator(".live-pin").nth(0), "Enter");
  await press("way", box.locator(".live-way input"), ...Array(40).fill("ArrowRight"));
  await press("pin B", box.locator(".live-pin").nth(1), "Space");
  await press("more", box.locator(".live-more summary"), "Enter");
  const milliseconds = await box.locator(".live-time").textContent();
  const unshielded = await box.evaluate(b => [...b.querySelectorAll("button, input, summary, [tabindex]")].filter(e => !e.dataset.lmSuppressShortcuts).map(e => e.outerHTML.slice(0, 100)));
  await page.close();
  return { troubles, outside, picture: first.picture, steps, milliseconds, unshielded };
}

const report = {};
for (const one of job.visits) {
  try { report[one.name] = await visit(one); } catch (error) { report[one.name] = { crash: String(error.stack || error) }; }
}
await browser.close();
process.stdout.write(JSON.stringify(report));
