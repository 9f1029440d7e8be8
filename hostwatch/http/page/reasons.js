// The reasoning of `hostwatch why` for a subscriber: fetched, and fetched again when its file changes. One component per subscriber.

import { Component } from "./vendor/preact.js";
import * as api from "./api.js";
import { html } from "./html.js";
import { brief, clock, counted, place, plain } from "./words.js";

const SETTLE = 400; // ms from a change until the reasons are asked for again
const FIRST_LINES = 40; // a file may have thousands; the button shows as many more
const SIGNS = {
  asked: "?", name: "?", tier: "›", candidate: "·", taken: "✓", passed: "–", published: "●", unknown: "◐", withheld: "▲",
  shadowed: "▲", lost: "▲", lingers: "◷", would_change: "→",
};
const STANDINGS = { published: "right", lingers: "changing", withheld: "withheld", unknown: "changing" };

export class Reasons extends Component {
  state = { answer: null, refusal: null, most: FIRST_LINES };

  componentDidMount() {
    this.fetch();
  }

  // The page is drawn anew at each change; the reasons are long, and only their own changes concern them.
  shouldComponentUpdate(next, state) {
    return next.version !== this.props.version || state !== this.state;
  }

  componentDidUpdate(before) {
    if (before.version === this.props.version) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), SETTLE);
  }

  componentWillUnmount() {
    clearTimeout(this.timer);
    this.request.abort();
  }

  async fetch() {
    this.request?.abort();
    this.request = new AbortController();
    try {
      this.setState({ answer: await api.why(this.props.id, this.request.signal), refusal: null });
    } catch (error) {
      if (error.name !== "AbortError") this.setState({ refusal: error.message });
    }
  }

  render({ concerns }, { answer, refusal, most }) {
    if (refusal) return html`<p class="problem">The reasons are not known: ${refusal}</p>`;
    if (!answer) return html`<p class="empty">asking for the reasons …</p>`;
    const lines = answer.subscribers.flatMap((each) => [...each.lines, ...(each.resolv?.lines ?? [])]).filter(concerns);
    return html`
      <div class="reasons">
        ${lines.slice(0, most).map((line, place) => html`<${Line} key=${`${place} ${line.line.slice(0, 200)}`} line=${line} />`)}
        ${!lines.length && html`<p class="empty">No line concerns it.</p>`}
        ${lines.length > most && html`<button type="button" onClick=${() => this.setState({ most: most + FIRST_LINES })}>
          show more of ${counted(lines.length, "line")}</button>`}
        ${(answer.notes ?? []).map((note) => html`<p class="empty">${plain(note)}</p>`)}
      </div>`;
  }
}

function Line({ line }) {
  const kind = STANDINGS[line.state] ?? "changing";
  return html`
    <article class=${`reason ${kind}`}>
      <h4><code><bdi>${plain(line.line)}</bdi></code> <span class="badge">${plain(line.state)}</span></h4>
      ${!line.steps?.some((step) => step.kind === "asked") && html`<p class="asked">asked for by ${plain(line.asked_by)}</p>`}
      ${line.reason && html`<p class="problem">${plain(line.reason)}</p>`}
      ${(line.records ?? []).slice(0, FIRST_LINES).map((record) => html`<${Answer} record=${record} />`)}
      <ol class="steps">
        ${(line.steps ?? []).slice(0, 10 * FIRST_LINES).map((step) => html`
          <li class=${`step ${step.kind}`} style=${{ marginInlineStart: `${Math.min(step.depth, 8) * 0.9}rem` }}>
            <span class="sign" aria-hidden="true">${SIGNS[step.kind] ?? "·"}</span><span><bdi>${plain(step.text)}</bdi></span>
          </li>`)}
      </ol>
    </article>`;
}

function Answer({ record }) {
  const { line, address, names, container, network, elsewhere, since } = record;
  return html`
    <p class="answer">
      ${line ? html`<b><bdi>${brief(line)}</bdi></b>` : html`<b>${brief(address)}</b> <bdi>${brief(names.join(" "))}</bdi>`}
      <span class="quiet">${container && html` · container <bdi>${plain(container, 300)}</bdi>`}
        ${elsewhere && html` · <bdi>${place(elsewhere)}</bdi>`}
        ${network && html` · network <bdi>${plain(network, 300)}</bdi>`}${since && ` · since ${clock(since)}`}</span>
    </p>`;
}
