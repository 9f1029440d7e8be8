// The picture: subscribers, the lines, services. It knows what is in view, and draws only that.

import { Component, createRef } from "./vendor/preact.js";
import { html } from "./html.js";
import { Lines, drawn } from "./lines.js";
import { List } from "./list.js";
import { serviceRow, subscriberRow } from "./rows.js";
import { number } from "./words.js";

const NARROW = matchMedia("(max-width: 40rem)"); // as in style.css, where rows have the same heights
const ROW = 44; // pixels
const NARROW_ROW = 62; // the standing has a line of its own there
const NO_VIEW = { top: 0, height: 0 };

export class Picture extends Component {
  gap = createRef();
  state = { leftView: NO_VIEW, rightView: NO_VIEW, width: 0, isNarrow: NARROW.matches };

  componentDidMount() {
    this.sizes = new ResizeObserver(() => this.setState({ width: this.gap.current.clientWidth, isNarrow: NARROW.matches }));
    this.sizes.observe(this.gap.current);
  }

  componentWillUnmount() {
    this.sizes.disconnect();
  }

  render({ left, right, totals, graph, choice, askers, onChoose }, { leftView, rightView, width, isNarrow }) {
    const rowHeight = isNarrow ? NARROW_ROW : ROW;
    const selected = choice?.key;
    const rightRows = right.map(serviceRow);
    const lines = drawn({ left, right: rightRows, graph, leftView, rightView, rowHeight, selected });
    const links = choice?.subscriberId ? graph.links(left.find((each) => each.id === choice.subscriberId) ?? NOBODY) : [];
    const services = new Set(links.map((link) => link.service.key));
    const subscribers = new Set(choice && !choice.subscriberId ? askers.map((each) => each.id) : []);
    return html`
      <section class="picture" aria-label="Who is connected with whom">
        <h2>Subscribers <${Count} shown=${left.length} total=${totals.left} /></h2>
        <h2 class="services">Services <${Count} shown=${right.length} total=${totals.right} /></h2>
        <${List} id="subscribers" label="Subscribers" rows=${left.map(subscriberRow)} rowHeight=${rowHeight}
          selected=${choice?.subscriberId} joined=${subscribers} reveal=${first(subscribers) ?? choice?.subscriberId}
          empty=${totals.left ? "No subscriber matches." : "No container or file subscribes."}
          onView=${(view) => this.setState({ leftView: view })} onSelect=${(id) => onChoose({ key: id, subscriberId: id })} />
        <div class="gap" ref=${this.gap}>
          <${Lines} lines=${lines} width=${width} height=${Math.max(leftView.height, rightView.height)} selected=${selected}
            onSelect=${({ key, subscriber, service }) => onChoose({ key, subscriberId: subscriber.id, serviceKey: service.key })} />
        </div>
        <${List} id="services" label="Services" rows=${rightRows} rowHeight=${rowHeight}
          selected=${choice?.serviceKey} joined=${services} reveal=${choice?.serviceKey ?? first(services)}
          empty=${totals.right ? "No service matches." : "No service is known."}
          onView=${(view) => this.setState({ rightView: view })} onSelect=${(key) => onChoose({ key, serviceKey: key })} />
      </section>`;
  }
}

const NOBODY = { id: "", records: [], withheld: [] };

function first(keys) {
  return keys.values().next().value;
}

function Count({ shown, total }) {
  return html`<span class="count">${shown === total ? number(total) : `${number(shown)} of ${number(total)}`}</span>`;
}
