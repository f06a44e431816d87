// People at the chat page in headless Chromium: talking, errors, a restart of the server, keyboard and phone.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { launch, picture } from "./support/browser.mjs";
import { ChatPage } from "./support/chat-page.mjs";
import { chatBinary } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const PHONE = { viewport: { width: 375, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const LONG_ROOM = "a room with a name so long that it fits no telephone at all, whichever way one holds it";

describe("the chat page", () => {
  let server;
  let browser;
  const people = [];

  before(async () => {
    server = await Server.start(chatBinary());
    browser = await launch();
  });
  afterEach(async () => {
    const present = people.splice(0);
    await Promise.all(present.map((person) => person.close()));
    assert.deepEqual(present.flatMap(({ faults }) => faults), [], "what the pages complained of");
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function enter(name, { query = "", ...options } = {}) {
    const person = await ChatPage.enter(browser, `${server.url}/${query}`, name, options);
    people.push(person);
    return person;
  }

  test("what is typed in one tab is read in the other", async () => {
    const ada = await enter("Ada Lovelace");
    const grace = await enter("Grace Hopper", PHONE);
    await ada.joined("duo");
    await ada.joined("lobby");
    await ada.sees(ada.person("Ada Lovelace").getByText("You"));
    await grace.joined("lobby");
    await ada.sees(ada.note("Grace Hopper joined."));
    await ada.sees(ada.person("Grace Hopper"));
    await grace.page.getByRole("button", { name: "Who is here: 2" }).click();
    await grace.sees(grace.person("Ada Lovelace"));
    await grace.page.keyboard.press("Escape");

    const talk = [
      [ada, "Good morning! Is the demo still on for this afternoon?"],
      [grace, "Yes, at three. I have moved it to the bigger room."],
      [grace, "Bring the numbers from last week, please."],
      [ada, "Will do. The second chart needs a new label, though:\nit reads as if we had lost half of the messages."],
      [grace, "Ha. That would be a short demo."],
      [ada, "See you at three."],
    ];
    for (const [speaker, text] of talk) {
      await speaker.say(text);
      const listener = speaker === ada ? grace : ada;
      const [beginning] = text.split("\n");
      await Promise.all([speaker.sees(speaker.own(beginning)), listener.sees(listener.heard(beginning))]);
    }
    assert.equal(await ada.own("See you at three.").count(), 1);
    await until("nothing is left in the outbox", async () => (await ada.page.locator(".outbox li").count()) === 0);
    await ada.sees(ada.page.getByText("Connected over WebSocket"));
    await picture(ada.page, "chat.png", { isDocumented: true });
    await picture(grace.page, "chat-phone.png", { isDocumented: true });

    await grace.page.getByRole("button", { name: "Leave" }).click();
    await ada.sees(ada.note("Grace Hopper left."));
    await ada.seesNoMore(ada.person("Grace Hopper"));
  });

  test("a closed tab disappears from the list", async () => {
    const [ada, grace] = [await enter("Ada"), await enter("Grace")];
    for (const person of [ada, grace]) await person.joined("leaving");
    await ada.sees(ada.person("Grace"));
    await grace.page.close();
    await ada.sees(ada.note(/^Grace (went offline|lost the connection)\.$/));
    await ada.seesNoMore(ada.person("Grace"));
    assert.equal(await ada.person("Ada").count(), 1);
  });

  test("a tab in the background counts what was not seen", async () => {
    const [ada, grace] = [await enter("Ada"), await enter("Grace")];
    for (const room of ["first", "second"]) await ada.joined(room);
    await grace.joined("first");
    for (const text of ["one", "two"]) await grace.say(text);
    await ada.sees(ada.tab("first").getByRole("img", { name: "2 unread messages" }));
    assert.match(await ada.page.title(), /^\(2\) second/);
    assert.equal(await ada.tab("second").getAttribute("aria-current"), "true");
    await ada.tab("first").click();
    await ada.sees(ada.heard("two"));
    assert.equal(await ada.tab("first").getAttribute("aria-current"), "true");
    assert.equal(await ada.page.getByText("unread").count(), 0);
    assert.match(await ada.page.title(), /^first/);
  });

  test("a full and a closed room say so in words", async () => {
    const [ada, grace, joan] = [await enter("Ada"), await enter("Grace"), await enter("Joan")];
    for (const person of [ada, grace]) await person.joined("duo");
    await joan.join("duo");
    await joan.sees(joan.problem("ROOM_FULL"));
    assert.match(await joan.problem("ROOM_FULL").innerText(), /The room “duo” is full\. Try another room or come back later\.\s+ROOM_FULL/);
    await joan.page.locator(".room", { hasText: "archive" }).click();
    await joan.sees(joan.problem("ROOM_CLOSED"));
    assert.match(await joan.problem("ROOM_CLOSED").innerText(), /The room “archive” is closed\./);
    await joan.join("x".repeat(200));
    await joan.sees(joan.problem("INVALID_NAME"));
    assert.equal(await joan.page.locator(".tab").count(), 0);

    await ada.page.getByRole("button", { name: "Leave" }).click();
    await joan.joined("duo");
    await joan.sees(joan.person("Grace"));
    assert.equal(await joan.page.locator("#join-problem .problem").count(), 0);
  });

  test("a message is text, whatever it looks like", async () => {
    const [ada, grace] = [await enter("Ada"), await enter("<i>Grace</i>")];
    for (const person of [ada, grace]) await person.joined("<b>markup</b>");
    const text = '<img src="x" onerror="document.title=1"><script>document.title=2</script>';
    await grace.say(text);
    await ada.sees(ada.heard(text));
    await ada.sees(ada.person("<i>Grace</i>"));
    assert.equal(await ada.page.locator("main img, main b b, main i, main script").count(), 0);
  });

  test("the page works over polling alone and says so", async () => {
    const [ada, grace] = [await enter("Ada", { query: "?transport=polling" }), await enter("Grace")];
    for (const person of [ada, grace]) await person.joined("polling");
    await grace.say("slow but sure");
    await ada.sees(ada.heard("slow but sure"));
    assert.equal(await ada.page.locator("#status").innerText(), "Connected over polling");
  });

  test("after a restart of the server the page comes back, rejoins and sends what waited", async () => {
    const [ada, grace] = [await enter("Ada"), await enter("Grace")];
    for (const person of [ada, grace]) await person.joined("restart");
    await server.stop();
    for (const person of [ada, grace]) {
      await person.sees(person.status("reconnecting"));
      await person.sees(person.page.getByText(/Reconnecting, attempt \d/));
    }
    await ada.say("written without a connection");
    await ada.sees(ada.unsent("written without a connection").getByText("Not sent yet"));
    await ada.page.locator("#message").fill("a draft");

    await server.startAgain();
    for (const person of [ada, grace]) {
      await person.sees(person.status("connected"));
      await person.sees(person.note("You are back."));
    }
    await ada.sees(ada.own("written without a connection"));
    await ada.seesNoMore(ada.unsent("written without a connection"));
    assert.equal(await ada.composer.inputValue(), "a draft");
    for (const person of [ada, grace]) {
      await until("both are listed, once each", async () => (await person.page.locator("#people .person").count()) === 2);
    }
    await grace.say("there you are");
    await ada.sees(ada.heard("there you are"));
  });

  test("a reload keeps the name, the rooms and the draft", async () => {
    const ada = await enter("Ada");
    for (const room of ["one", "two"]) await ada.joined(room);
    await ada.composer.fill("half a thought");
    await ada.page.reload();
    await ada.sees(ada.note("You are back."));
    assert.equal(await ada.page.locator("#me-name").innerText(), "Ada");
    await ada.sees(ada.title("two"));
    assert.equal(await ada.composer.inputValue(), "half a thought");
    await ada.tab("one").click();
    await ada.sees(ada.person("Ada"));
  });

  test("the keyboard is enough", async () => {
    const ada = await ChatPage.open(browser, server.url);
    people.push(ada);
    const { keyboard } = ada.page;
    assert.deepEqual(await ada.focus(), { name: "name", shown: true });
    await keyboard.type("Ada");
    await keyboard.press("Enter");
    await ada.sees(ada.status("connected"));
    await ada.tabTo("join-room", "Shift+Tab");
    await keyboard.type("keys");
    await keyboard.press("Enter");
    await ada.sees(ada.title("keys"));
    assert.equal((await ada.focus()).name, "message");
    await keyboard.type("first line");
    await keyboard.press("Shift+Enter");
    await keyboard.type("second line");
    await keyboard.press("Enter");
    await ada.sees(ada.own("second line"));
    assert.equal((await ada.focus()).name, "message");
    await ada.tabTo("leave", "Shift+Tab");
    await keyboard.press("Enter");
    await ada.sees(ada.page.getByText("Where would you like to talk?"));
    assert.equal((await ada.focus()).name, "choose");
    await keyboard.press("Enter");
    assert.equal((await ada.focus()).name, "join-room");
    await ada.tabTo("rename");
    await keyboard.press("Enter");
    await keyboard.type("Augusta");
    await keyboard.press("Enter");
    await until("the name is changed", async () => (await ada.page.locator("#me-name").innerText()) === "Augusta");
  });

  for (const scheme of ["light", "dark"]) {
    test(`a phone shows everything without scrolling sideways (${scheme})`, async () => {
      const ada = await ChatPage.open(browser, server.url, { ...PHONE, colorScheme: scheme });
      people.push(ada);
      await ada.fitsTheScreen("the question for a name");
      await ada.name("Ada with a name as long as names may be!");
      await ada.fitsTheScreen("no room yet");
      for (const room of [`phone ${scheme}`, `${LONG_ROOM} ${scheme}`]) await ada.joined(room);
      for (const text of ["short", "unbroken".repeat(30), "https://example.com/".padEnd(300, "x")]) {
        await ada.say(text);
        await ada.sees(ada.own(text));
      }
      await ada.fitsTheScreen("a room with long words");
      await ada.page.locator("#open-people").click();
      await ada.sees(ada.person("Ada with"));
      await ada.fitsTheScreen("the list of people");
      await ada.page.keyboard.press("Escape");
      await ada.join("archive");
      await ada.sees(ada.problem("ROOM_CLOSED"));
      await ada.fitsTheScreen("the list of rooms with an error");
      await picture(ada.page, `phone-${scheme}.png`);
    });
  }
});
