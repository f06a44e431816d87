// The chat page in Chromium, on three nodes behind nginx, when the node that serves it is killed.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, picture } from "./support/browser.mjs";
import { ChatPage } from "./support/chat-page.mjs";
import { Clients } from "./support/clients.mjs";
import { Cluster } from "./support/cluster.mjs";
import { until } from "./support/wait.mjs";

describe("the chat page on three nodes", () => {
  let cluster;
  let browser;
  const scouts = new Clients();
  const people = [];

  before(async () => {
    cluster = await Cluster.start(3);
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    scouts.closeAll();
    await cluster?.stop();
  });

  async function enter(node, name, query = "") {
    const person = await ChatPage.enter(browser, `${cluster.url}/${query}`, name, await cluster.browserWay(node, scouts));
    people.push(person);
    await until(`${name} sees ${node}`, async () => (await person.node.innerText()) === node);
    return person;
  }

  test("a node is killed: the page says so, comes back on another one and is in its rooms again", async () => {
    const [doomed, other] = cluster.nodes;
    const ada = await enter(doomed, "Ada Lovelace");
    const grace = await enter(other, "Grace Hopper");
    const joan = await enter(doomed, "Joan Clarke", "?transport=polling");
    for (const person of [ada, grace]) await person.joined("duo");
    for (const person of [ada, grace, joan]) await person.joined("cluster");
    for (const person of [ada, grace, joan]) {
      await person.say(`Hello from ${await person.node.innerText()}`);
      await Promise.all([ada, grace, joan].map((listener) => listener.sees(listener.said(/^Hello from node-\d$/).nth(people.indexOf(person)))));
    }

    const noticed = [ada, joan].map((person) => person.sees(person.status("reconnecting")));
    await cluster.kill(doomed);
    await Promise.all(noticed);
    for (const person of [ada, joan]) {
      await person.sees(person.note(/^You are back, on node-\d\.$/));
      await person.sees(person.status("connected"));
      const node = await person.node.innerText();
      assert.ok(cluster.nodes.includes(node), node);
      await person.sees(person.note(`You are back, on ${node}.`));
    }
    await picture(ada.page, "cluster-back.png");

    // The former clients keep their places until their node's lease has expired.
    for (const name of ["Ada Lovelace", "Joan Clarke"]) await grace.sees(grace.note(`${name} was on a server that went down.`));
    await ada.tab("duo").click();
    await ada.sees(ada.note(/^You are back, on node-\d\.$/));
    await ada.sees(ada.person("Grace Hopper"));
    assert.equal(await ada.standing.isVisible(), false);
    await ada.tab("cluster").click();
    for (const person of [ada, grace, joan]) {
      await until("three people are listed, once each", async () => (await person.page.locator("#people .person").count()) === 3);
      assert.equal(await person.note(/went down/).count(), person === grace ? 2 : 1, "each departure is told once");
      await person.say(`Here I am, on ${await person.node.innerText()}`);
    }
    for (const person of [ada, grace, joan]) await person.sees(person.said(/^Here I am, on node-\d$/).nth(2));
    await picture(grace.page, "cluster.png", { isDocumented: true });
    // Requests of a session that ended with its node are answered by one that does not know it, or by nginx.
    const unexpected = people.flatMap(({ faults }) => faults).filter((fault) => !/with a status of (400|502) /.test(fault));
    assert.deepEqual(unexpected, [], "what the pages complained of");
  });
});
