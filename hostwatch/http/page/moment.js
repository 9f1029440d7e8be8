// Chooses the moment that the page shows: a field for any, a slider over the known changes, buttons from one to the next.

import { Component } from "./vendor/preact.js";
import { html } from "./html.js";
import { clock, fieldValue } from "./words.js";

const STEP = 1_000; // ms of one step of the slider
const LEAST_STEPS = 60;

// The moment just after a change: the times that are told are cut to milliseconds.
export function justAfter(time) {
  return new Date(time).getTime() + 1;
}

export class Moment extends Component {
  shouldComponentUpdate(next) {
    return next.time !== this.props.time || next.changes !== this.props.changes;
  }

  typed = (event) => {
    const time = new Date(event.target.value).getTime();
    if (!Number.isNaN(time)) this.props.onShow(Math.min(time + 999, Date.now())); // the field has no part of a second
  };

  pulled = (event) => {
    const steps = Number(event.target.value);
    this.props.onShow(steps >= this.steps ? null : this.first + steps * STEP);
  };

  // The change before, or after, the moment that is shown.
  neighbour(isLater) {
    const at = this.props.time ?? Infinity;
    const times = this.props.changes.map((each) => justAfter(each.time));
    return isLater ? times.findLast((time) => time > at) : times.find((time) => time < at);
  }

  render({ time, changes, onShow }) {
    const now = Date.now();
    const oldest = changes.length ? new Date(changes[changes.length - 1].time).getTime() : null;
    this.first = Math.min((oldest ?? now) - STEP, now - LEAST_STEPS * STEP, time ?? now);
    this.steps = Math.ceil((now - this.first) / STEP);
    const before = this.neighbour(false);
    const after = time === null ? undefined : this.neighbour(true);
    return html`
      <section class="moment" aria-label="Moment">
        <label for="at">Moment</label>
        <input id="at" type="datetime-local" step="1" value=${time === null ? "" : fieldValue(time)} onChange=${this.typed} />
        <button type="button" disabled=${before === undefined} onClick=${() => onShow(before)}
          title="As it was after the change before" aria-label="Earlier change">‹ earlier</button>
        <input type="range" min="0" max=${this.steps} step="1" onInput=${this.pulled}
          value=${time === null ? this.steps : Math.floor((time - this.first) / STEP)}
          aria-label="Moment, from the first known change to now" aria-valuetext=${time === null ? "now" : clock(time)} />
        <button type="button" disabled=${after === undefined} onClick=${() => onShow(after)}
          title="As it was after the next change" aria-label="Later change">later ›</button>
        ${oldest !== null && html`<span class="quiet known">changes since ${clock(oldest)}</span>`}
        <button type="button" class="now" aria-pressed=${String(time === null)} onClick=${() => onShow(null)}>now</button>
      </section>`;
  }
}
