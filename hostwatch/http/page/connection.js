// The event stream: opened again by itself, for ever. The browser does so after a cut; after a refusal we do.

import { EVENTS } from "./api.js";

const FIRST_WAIT = 500; // ms until the next try; doubled at each failure
const LONGEST_WAIT = 8_000; // ms: somebody who looks at the page should not wait longer for it to come back

export class Connection {
  // `on` has `open`, `lost`, `change` and `standing`.
  constructor(on) {
    this.on = on;
    this.wait = FIRST_WAIT;
  }

  open() {
    const source = new EventSource(EVENTS);
    const change = (event) => this.on.change(JSON.parse(event.data));
    source.addEventListener("open", () => {
      this.wait = FIRST_WAIT;
      this.on.open();
    });
    source.addEventListener("message", change);
    source.addEventListener("change", change);
    source.addEventListener("standing", () => this.on.standing());
    source.addEventListener("error", () => {
      this.on.lost();
      if (source.readyState === EventSource.CLOSED) this.later();
    });
  }

  later() {
    setTimeout(() => this.open(), this.wait * (0.5 + Math.random())); // not all pages at the same moment
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
  }
}
