// The side that explains: what was chosen, and why it stands as it does.

import { Component } from "./vendor/preact.js";
import { files, recordsOf, withheldOf } from "./files.js";
import { html } from "./html.js";
import { Reasons } from "./reasons.js";
import { MEANINGS, SIGNS, serviceStanding, subscriberStanding } from "./standing.js";
import { brief, counted, place, plain } from "./words.js";

const FIRST_ASKERS = 30; // subscribers of a service that are listed at once

// Whether a line of the reasoning is about a service.
function about(graph, service) {
  return ({ line, records }) => {
    const asked = { id: "", records: records ?? [], withheld: [{ line }], in_sync: true, resolv: null };
    return graph.computed(asked).has(service.key);
  };
}

export class Panel extends Component {
  render({ choice, isPast, graph, subscriber, service, askers, version, onSelect }) {
    if (!choice) return html`<p class="empty">Choose a subscriber, a service or a line between them. The reasons are shown here.</p>`;
    if (!subscriber && !service) return html`<p class="empty">What was chosen is not there any more.</p>`;
    const heading = [subscriber?.name, service?.name].filter(Boolean).map(brief).join(" → ");
    const standing = subscriber ? subscriberStanding(subscriber) : serviceStanding(service);
    const content = isPast ? Then : subscriber ? OfSubscriber : OfService;
    return html`
      <header class=${`chosen ${standing.kind}`}>
        <h3 tabindex="-1"><bdi>${heading}</bdi></h3>
        <span class="standing"><span class="sign" aria-hidden="true">${SIGNS[standing.kind]}</span> ${standing.words}</span>
        <button type="button" class="close" onClick=${() => onSelect(null)} aria-label="Close the reasons">✕</button>
      </header>
      <${content} key=${choice.key} subscriber=${subscriber} service=${service} askers=${askers} graph=${graph}
        version=${version} onSelect=${onSelect} />`;
  }
}

function OfSubscriber({ subscriber, service, graph, version }) {
  const { kind } = subscriberStanding(subscriber);
  return html`
    <dl class="facts">
      <dt>state</dt><dd>${MEANINGS[kind]}</dd>
      ${files(subscriber).map((each) => html`
        ${each.error && html`<dt>refused</dt><dd class="problem">${plain(each.error)}</dd>`}
        <dt>file</dt><dd><code>${plain(each.path)}</code>${each.writer && `, written by ${each.writer}`}</dd>`)}
      ${subscriber.kind !== "file" && html`<dt>container</dt><dd><code>${subscriber.id.slice(0, 12)}</code></dd>`}
    </dl>
    <${Reasons} id=${subscriber.id} version=${version} concerns=${service ? about(graph, service) : () => true} />`;
}

class OfService extends Component {
  state = { most: FIRST_ASKERS, open: new Set(this.props.askers.slice(0, 1).map((each) => each.id)) };

  toggled(id, isOpen) {
    if (isOpen === this.state.open.has(id)) return;
    const open = new Set(this.state.open);
    if (isOpen) open.add(id);
    else open.delete(id);
    this.setState({ open });
  }

  render({ service, askers, graph, version }, { most, open }) {
    return html`
      <${Containers} service=${service} />
      <h4>asked for by ${counted(askers.length, "subscriber")}</h4>
      ${askers.slice(0, most).map((each) => html`
        <details key=${each.id} open=${open.has(each.id)} onToggle=${(event) => this.toggled(each.id, event.target.open)}>
          <summary><bdi>${brief(each.name)}</bdi> <span class="quiet">${subscriberStanding(each).words}</span></summary>
          ${open.has(each.id) && html`<${Reasons} id=${each.id} version=${version} concerns=${about(graph, service)} />`}
        </details>`)}
      ${askers.length > most && html`<button type="button" onClick=${() => this.setState({ most: most + FIRST_ASKERS })}>
        show more of ${counted(askers.length, "subscriber")}</button>`}`;
  }
}

function Containers({ service }) {
  if (service.missing) return html`<p class="problem">No service, container or alias in reach has this name.</p>`;
  return html`
    <dl class="facts">
      <dt>names</dt><dd><bdi>${brief(service.names.join(", "))}</bdi></dd>
      <dt>from</dt><dd><bdi>${brief(service.source)}</bdi></dd>
      ${service.containers.slice(0, FIRST_ASKERS).map((each) => html`
        <dt><bdi>${brief(each.name)}</bdi></dt>
        <dd>${brief([each.state, each.health].filter(Boolean).join(", "))}
          ${each.elsewhere && html` · <bdi>${place(each.elsewhere)}</bdi>`}
          ${Object.entries(each.addresses).map(([network, list]) => html` · <b>${brief(list.join(" "))}</b> <bdi>${brief(network)}</bdi>`)}</dd>`)}
      ${service.containers.length > FIRST_ASKERS && html`<dt>and</dt><dd>${service.containers.length - FIRST_ASKERS} more containers</dd>`}
    </dl>`;
}

// Of the past the blocks are known, not the reasons.
function Then({ subscriber, service, graph, askers }) {
  const links = subscriber && service ? graph.links(subscriber).filter((each) => each.service === service) : null;
  const blocks = subscriber ? [subscriber] : askers.slice(0, FIRST_ASKERS);
  return html`
    <p class="empty">As it was then. Reasons are worked out for now only.</p>
    ${blocks.map((each) => html`
      ${!subscriber && html`<h4><bdi>${brief(each.name)}</bdi></h4>`}
      <pre class="block" tabindex="0">${blockText(links?.[0] ?? each)}</pre>`)}`;
}

function blockText(subscriber) {
  const lines = [
    ...recordsOf(subscriber).slice(0, 500).map((each) => each.line ?? `${each.address.padEnd(15)} ${each.names.join(" ")}`),
    ...withheldOf(subscriber).slice(0, 500).map((each) => `# withheld: ${each.line}  (${each.reason})`),
  ];
  return plain(lines.join("\n") || "no block", 20_000);
}

