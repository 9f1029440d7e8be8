// The list of changes: newest first, each with its names, old and new, its cause, and how long it took.

import { Component } from "./vendor/preact.js";
import { html } from "./html.js";
import { justAfter } from "./moment.js";
import { addresses, brief, clock, counted, milliseconds, plain } from "./words.js";

const FIRST = 40; // that are shown at once; the button shows as many more
const MOST_NAMES = 6; // of one change

export class Changes extends Component {
  state = { most: FIRST };

  shouldComponentUpdate(next, state) {
    return next.changes !== this.props.changes || next.matches !== this.props.matches || state.most !== this.state.most;
  }

  render({ changes, matches, onShow, onSelect }, { most }) {
    const found = changes.filter(matches);
    if (!found.length) {
      return html`<p class="empty">${changes.length ? "No known change matches the search." : "No change is known yet."}</p>`;
    }
    return html`
      <ol class="changes">
        ${found.slice(0, most).map((change) => html`
          <${Change} key=${`${change.time} ${change.id}`} change=${change} onShow=${onShow} onSelect=${onSelect} />`)}
      </ol>
      ${found.length > most && html`<button type="button" onClick=${() => this.setState({ most: most + FIRST })}>
        show more of ${counted(found.length, "change")}</button>`}`;
  }
}

class Change extends Component {
  shouldComponentUpdate(next) {
    return next.change !== this.props.change;
  }

  render({ change, onShow, onSelect }) {
    const names = change.changes.slice(0, MOST_NAMES);
    return html`
      <li class="change">
        <div class="what">
          <button type="button" class="plain" onClick=${() => onSelect(change.subscriber_id)}>
            <bdi>${brief(change.subscriber)}</bdi></button>
          ${change.file !== "hosts" && html`<span class="note">${plain(change.file, 100)}.conf</span>`}
          <span class="quiet">${brief(change.cause)} · ${milliseconds(change.ms)}</span>
          <button type="button" class="plain time" onClick=${() => onShow(justAfter(change.time))}
            title="Show this moment"><time dateTime=${change.time}>${clock(change.time, true)}</time></button>
        </div>
        ${names.map((each) => html`
          <div class="name-change"><bdi>${brief(each.name)}</bdi> <span class="old">${addresses(each.old)}</span>
            <span class="quiet" aria-hidden="true"> → </span><span class="unseen"> becomes </span><b>${addresses(each.new)}</b></div>`)}
        ${change.changes.length > names.length && html`
          <div class="quiet">and ${counted(change.changes.length - names.length, "more name")}</div>`}
        ${change.withheld.slice(0, MOST_NAMES).map((each) => html`
          <div class="withheld"><span aria-hidden="true">▲</span> withheld: <bdi>${brief(each.line)}</bdi> (${brief(each.reason)})</div>`)}
        ${change.no_longer_withheld.slice(0, MOST_NAMES).map((line) => html`
          <div class="quiet">no longer withheld: <bdi>${brief(line)}</bdi></div>`)}
      </li>`;
  }
}

// Whether a change has all words of the search.
export function matcher(search) {
  const wanted = search.toLowerCase().split(/\s+/).filter(Boolean);
  return (change) => {
    if (!wanted.length) return true;
    const text = [change.subscriber, change.cause, ...change.changes.flatMap((each) => [each.name, ...each.old, ...each.new]),
      ...change.withheld.flatMap((each) => [each.line, each.reason]), ...change.no_longer_withheld].join("\n").toLowerCase();
    return wanted.every((word) => text.includes(word));
  };
}
