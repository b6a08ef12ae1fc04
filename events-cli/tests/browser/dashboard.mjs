// Drives the dashboard in a real browser: opens every page, searches, redrives a dead letter and sees it delivered. Prints what it did, and
// exits with 1 if something is not as it should be.
//
// node dashboard.mjs ADDRESS FOLDER; the folder gets a picture of each page, light and dark, wide and narrow.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [address, folder] = process.argv.slice(2);
const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: quiet });
const complaints = [];

const visit = async (options, work) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("console", (said) => ["error", "warning"].includes(said.type()) && complaints.push(said.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => complaints.push(`a script ran: ${dialog.message()}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.origin !== new URL(address).origin) complaints.push(`something from elsewhere: ${url}`);
  });
  await work(page);
  await context.close();
};

const pages = { overview: "", events: "/events", dead: "/dead", keys: "/keys", processes: "/processes", audit: "/audit" };
const narrow = { width: 390, height: 844 }, wide = { width: 1360, height: 900 };

for (const colorScheme of ["light", "dark"]) {
  for (const viewport of [wide, narrow]) {
    await visit({ colorScheme, viewport, locale: "en-GB" }, async (page) => {
      for (const [name, path] of Object.entries(pages)) {
        const answer = await page.goto(`${address}/d/shop${path}`);
        assert.equal(answer.status(), 200, name);
        assert.equal(await page.locator("nav a[aria-current=page]").count(), 1, name);
        const room = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(room <= 0, `${name} is ${room} px too wide at ${viewport.width} px`);
        await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${viewport.width}.png`, fullPage: viewport === wide });
      }
    });
  }
}

await visit({ viewport: wide, locale: "zh-CN" }, async (page) => {
  await page.goto(`${address}/d/shop`);
  assert.equal(await page.locator("h1").innerText(), "概览");
  await page.screenshot({ path: `${folder}/overview-zh.png`, fullPage: true });
  await page.getByRole("button", { name: "English" }).click();
  assert.equal(await page.locator("h1").innerText(), "Overview");
  assert.ok(page.url().endsWith("/d/shop"), "it stays where it was chosen");
  await page.getByRole("button", { name: "Dark" }).click();
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
});

// With the keyboard alone: the first stop leads past the menu.
await visit({ viewport: wide, locale: "en" }, async (page) => {
  await page.goto(`${address}/d/shop/dead`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
});

// What an operator does in the morning.
await visit({ viewport: wide, locale: "en" }, async (page) => {
  await page.goto(`${address}/d/shop/dead`);
  assert.equal(await page.locator("tbody tr").count(), 10);
  await page.getByLabel("Error contains").fill("no such text");
  await page.getByRole("button", { name: "Search" }).click();
  assert.equal(await page.locator("tbody tr").count(), 0);
  await page.getByRole("link", { name: "Clear" }).click();
  await page.getByLabel("Error contains").fill("out of paper");
  await page.getByRole("button", { name: "Search" }).click();
  assert.equal(await page.locator("tbody tr").count(), 10);
  await page.getByLabel("Select all of this page").check();
  assert.equal(await page.locator("input[name=id]:checked").count(), 10);
  await page.getByLabel("Select all of this page").uncheck();
  await page.locator("tbody tr").first().getByRole("link").click();
  await page.getByText("attempt 1").waitFor();
  await page.screenshot({ path: `${folder}/story.png`, fullPage: true });
  const story = page.url();
  await page.getByRole("button", { name: "Redrive" }).click();
  await page.getByText("1 dead letters go back").waitFor();
  await page.screenshot({ path: `${folder}/confirm.png` });
  await page.getByRole("button", { name: "Redrive" }).click();
  await page.getByText("1 dead letters were redriven").waitFor();
  assert.equal(await page.locator("tbody tr").count(), 9);
  // The process has paper now; the archive remembers what arrived.
  await page.goto(story);
  await page.locator(".state.delivered").waitFor({ timeout: 20_000 }).catch(async () => {
    await page.reload();
    await page.locator(".state.delivered").waitFor({ timeout: 20_000 });
  });
  await page.screenshot({ path: `${folder}/delivered.png`, fullPage: true });
  // Three hundred, or ten: one click and a question.
  await page.goto(`${address}/d/shop/dead`);
  await page.getByRole("button", { name: "Redrive all that match" }).click();
  await page.getByText("9 dead letters go back").waitFor();
  await page.getByRole("button", { name: "Redrive" }).click();
  await page.getByText("9 dead letters were redriven").waitFor();
  // The overview empties by itself, without a reload.
  await page.goto(`${address}/d/shop`);
  await page.getByText("Nothing waits, nothing was given up.").waitFor({ timeout: 30_000 });
  await page.goto(`${address}/d/shop/audit`);
  assert.equal(await page.locator("tbody tr").count(), 2);
});

await browser.close();
assert.deepEqual(complaints, []);
console.log("every page was opened, a dead letter was redriven and arrived");
