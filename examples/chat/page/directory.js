// The list of rooms the server offers, asked for now and then while somebody looks at the page.

const EVERY_MS = 15_000;
const SOON_MS = 1_000;

export class Directory extends EventTarget {
  rooms = [];
  known = false;
  #connection;
  #asking = null;
  #soon = null;

  constructor(connection) {
    super();
    this.#connection = connection;
    connection.addEventListener("open", () => this.refresh());
    setInterval(() => {
      if (!document.hidden) this.refresh();
    }, EVERY_MS);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
    });
  }

  /** Calls that come while one is under way share its answer. An old list is better than none, so errors change nothing. */
  refresh() {
    if (!this.#connection.isOpen) return Promise.resolve();
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** Asks a moment from now, once for however many calls: people come and go in bursts. */
  refreshSoon() {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      this.refresh();
    }, SOON_MS);
  }

  async #ask() {
    try {
      const rooms = await this.#connection.ask("list-rooms");
      this.rooms = rooms.toSorted((a, b) => b.members - a.members || a.room.localeCompare(b.room));
      this.known = true;
      this.dispatchEvent(new Event("change"));
    } catch {
      // asked again at the next occasion
    }
  }
}
