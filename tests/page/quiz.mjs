// Plays a quiz in a bare page, by keyboard, mouse and on a phone, and reports what happened.
// Standard input: {browser, axe, url, yardstick, questions}; standard output: one JSON object.
import { chromium } from "playwright-core";
import fs from "fs";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const root = process.getuid && process.getuid() === 0;
const browser = await chromium.launch({
  executablePath: job.browser, headless: true,
  args: [...(root ? ["--no-sandbox"] : []), "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
const report = { troubles: [] };
page.on("console", m => { if (m.type() === "error") report.troubles.push(m.text().slice(0, 300)); });
page.on("pageerror", e => report.troubles.push(String(e.stack || e).slice(0, 500)));
await page.goto(job.url);
await page.evaluate(async ({ questions, yardstick }) => {
  const { default: widget } = await import("./quiz.js"), given = { questions, yardstick };
  window.outside = 0;
  document.body.addEventListener("keydown", () => { window.outside++; });
  widget.render({ model: { get: name => given[name] }, el: document.querySelector("main") });
}, job);

const quiz = page.locator(".ganlib-quiz"), answers = quiz.locator(".quiz-answers button"), next = quiz.locator(".quiz-next");
const look = async () => ({
  count: await quiz.locator(".quiz-count").textContent(), text: await quiz.locator(".quiz-text").textContent(),
  picture: await quiz.locator("img").count() === 1 && await quiz.locator("img").isVisible(), mute: await quiz.locator("img:not([alt])").count(), status: await quiz.locator("[role=status]").textContent(),
  marks: await answers.evaluateAll(all => all.map(a => a.className)), score: await quiz.getAttribute("data-score"),
  next: await next.isVisible() && await next.textContent(), focus: await page.evaluate(() => document.activeElement.textContent),
});
const axe = async () => page.evaluate(async () => (await window.axe.run(".ganlib-quiz", { preload: false })).violations.map(v => `${v.id}: ${v.nodes[0].html.slice(0, 120)}`));

await page.addScriptTag({ content: fs.readFileSync(job.axe, "utf8") });
report.start = await look();
await answers.first().focus();
await page.keyboard.press("7"); // no such answer
report.none = await look();
await page.keyboard.press("2");
report.wrong = await look();
await page.keyboard.press("1"); // too late
report.late = await look();
report.axe = await axe();
await page.keyboard.press("Enter");
report.second = await look();
await answers.nth(1).click();
report.right = await look();
report.end = await axe();
await next.click();
report.again = await look();
report.outside = await page.evaluate(() => window.outside); // the digits that the quiz used stay in it
await page.setViewportSize({ width: 360, height: 800 });
report.wide = await quiz.evaluate(q => [q, ...q.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > 360).map(e => e.outerHTML.slice(0, 100)));
report.small = await quiz.evaluate(q => [...q.querySelectorAll("button")].filter(b => b.offsetParent && b.offsetHeight < 24).length);
report.unshielded = await quiz.evaluate(q => [...q.querySelectorAll("button")].filter(b => !b.dataset.lmSuppressShortcuts).length);
await browser.close();
process.stdout.write(JSON.stringify(report));
