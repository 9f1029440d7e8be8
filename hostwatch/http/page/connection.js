// The event stream: opened again by itself, for ever. The browser does so after a cut; after a refusal we do.
// A page that nobody sees lets go of it: a browser has six connections to one host, for all of its pages together.

import { EVENTS } from "./api.js";

const FIRST_WAIT = 500; // ms until the next try; doubled at each failure
const LONGEST_WAIT = 8_000; // ms: somebody who looks at the page should not wait longer for it to come back

export class Connection {
  // `on` has `open`, `lost`, `change` and `standing`.
  constructor(on) {
    this.on = on;
    this.wait = FIRST_WAIT;
  }

  start() {
    const look = () => (document.hidden ? this.close() : this.open());
    document.addEventListener("visibilitychange", look);
    look();
  }

  open() {
    this.close();
    const source = new EventSource(EVENTS);
    this.source = source;
    const change = (event) => this.on.change(JSON.parse(event.data));
    source.addEventListener("open", () => {
      this.wait = FIRST_WAIT;
      this.on.open();
    });
    source.addEventListener("message", change);
    source.addEventListener("standing", () => this.on.standing());
    source.addEventListener("error", () => {
      this.on.lost();
      if (source.readyState === EventSource.CLOSED) this.later();
    });
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
  }

  later() {
    this.timer = setTimeout(() => this.open(), this.wait * (0.5 + Math.random())); // not all pages at the same moment
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
  }
}
