// One person at the chat page: what they see and do, in their words.
import assert from "node:assert/strict";

const DESKTOP = { width: 1200, height: 800 };

export class ChatPage {
  /** Opens the page in a browser context of its own, with an empty memory. */
  static async open(browser, url, options = {}) {
    const context = await browser.newContext({ viewport: DESKTOP, locale: "en-GB", reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const person = new ChatPage(page);
    await page.goto(url);
    return person;
  }

  /** Opens the page and gives a name. */
  static async enter(browser, url, name, options) {
    const person = await ChatPage.open(browser, url, options);
    await person.name(name);
    return person;
  }

  faults = [];

  constructor(page) {
    this.page = page;
    page.on("pageerror", (error) => this.faults.push(String(error)));
    page.on("console", (message) => {
      // A server that is down on purpose shows up as a failed request; everything else is a fault of the page.
      const isDown = message.text().includes("net::ERR_CONNECTION_REFUSED");
      if (["error", "warning"].includes(message.type()) && !isDown) this.faults.push(message.text());
    });
  }

  async name(name) {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("button", { name: "Start chatting" }).click();
    await this.sees(this.status("connected"));
  }

  status(kind) {
    return this.page.locator(`#status[data-kind="${kind}"]`);
  }

  /** The name of the node that serves the page. */
  get node() {
    return this.page.locator("#node");
  }

  /** Why one is not in the room that is shown. */
  get standing() {
    return this.page.locator("#standing");
  }

  /** Types a room's name and presses Enter; `tab` or `problem` says how it went. */
  async join(room) {
    const opener = this.page.locator("#open-rooms");
    if (await opener.isVisible()) await opener.click();
    const field = this.page.getByLabel("Join or start a room");
    await field.fill(room);
    await field.press("Enter");
  }

  async joined(room) {
    await this.join(room);
    await this.sees(this.title(room));
  }

  title(room) {
    return this.page.locator("#room-title", { hasText: room });
  }

  tab(room) {
    return this.page.getByRole("navigation", { name: "Rooms you are in" }).getByRole("button", { name: room });
  }

  problem(code) {
    return this.page.locator(`#join-problem .problem[data-code="${code}"]`);
  }

  async say(text) {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  get composer() {
    return this.page.locator("#message");
  }

  /** Messages by others; your own, once the server has sent them back; and those that have not been sent. */
  heard(text) {
    return this.page.locator(".scroll:not([hidden]) .log .message:not(.own) .text", { hasText: text });
  }

  /** What anybody said. */
  said(text) {
    return this.page.locator(".scroll:not([hidden]) .log .message .text", { hasText: text });
  }

  own(text) {
    return this.page.locator(".scroll:not([hidden]) .log .message.own .text", { hasText: text });
  }

  unsent(text) {
    return this.page.locator(".scroll:not([hidden]) .outbox li", { hasText: text });
  }

  note(text) {
    return this.page.locator(".scroll:not([hidden]) .log .note", { hasText: text });
  }

  person(name) {
    return this.page.locator("#people .person", { hasText: name });
  }

  sees(locator) {
    return locator.first().waitFor({ state: "visible" });
  }

  seesNoMore(locator) {
    return locator.waitFor({ state: "detached" });
  }

  /** No scrolling sideways, and nothing that reaches past the edge of the screen. */
  async fitsTheScreen(where) {
    const { scroll, width, past } = await this.page.evaluate(() => {
      const edge = document.documentElement.clientWidth;
      const shown = [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility({ visibilityProperty: true }));
      const isScrolled = (node) => node.closest(".tabs, .unseen, .skip") !== null;
      const beyond = shown.filter((node) => !isScrolled(node) && node.getBoundingClientRect().right > edge + 0.5);
      return { scroll: document.documentElement.scrollWidth, width: edge, past: beyond.map((node) => node.outerHTML.slice(0, 80)) };
    });
    assert.ok(scroll <= width, `${where}: ${scroll} px wide on a screen of ${width} px`);
    assert.deepEqual(past, [], where);
  }

  /** What has the keyboard's focus; it must be visible that it has. */
  async focus() {
    return this.page.evaluate(() => {
      const node = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(node);
      const name = node.id || node.textContent.trim();
      return { name, shown: outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2 };
    });
  }

  /** Presses Tab until the focus is on `name`; every stop on the way must be visible. */
  async tabTo(name, key = "Tab") {
    const stops = [];
    for (let presses = 0; presses < 40; presses += 1) {
      await this.page.keyboard.press(key);
      const { name: stop, shown } = await this.focus();
      stops.push(stop);
      assert.ok(shown, `the focus cannot be seen on ${stop}`);
      if (stop === name) return stops;
    }
    throw new Error(`${key} does not reach ${name}, only ${stops.join(", ")}`);
  }

  async close() {
    await this.page.context().close();
  }
}
