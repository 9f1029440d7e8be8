// The lines between the two sides: only those of subscribers in view, and as few as an eye can follow.

import { Component } from "./vendor/preact.js";
import { html } from "./html.js";
import { brief } from "./words.js";

const MOST = 300; // lines at once

// The links to draw, with the places of their ends. A link whose service is out of view leads to the edge.
export function drawn({ left, right, graph, leftView, rightView, rowHeight, selected }) {
  const places = new Map(right.map((row, index) => [row.key, (index + 0.5) * rowHeight - rightView.top]));
  const first = Math.floor(leftView.top / rowHeight);
  const last = Math.min(left.length, Math.ceil((leftView.top + leftView.height) / rowHeight));
  const found = [];
  for (let index = first; index < last; index += 1) {
    const from = (index + 0.5) * rowHeight - leftView.top;
    for (const link of graph.links(left[index])) {
      const to = places.get(link.service.key);
      if (to === undefined) continue;
      const isInView = to > 0 && to < rightView.height && from > 0 && from < leftView.height;
      found.push({ link, from, to, isInView, isStrong: isStrong(link, selected) });
    }
  }
  return fewest(found);
}

function isStrong(link, selected) {
  return selected === link.key || selected === link.subscriber.id || selected === link.service.key;
}

// The selected ones first, then those with both ends in view; drawn in the other order, so that they are on top.
function fewest(found) {
  const weight = (each) => 2 * each.isStrong + each.isInView;
  return found.sort((one, other) => weight(other) - weight(one)).slice(0, MOST).reverse();
}

export function described(link) {
  const { subscriber, service, records, withheld, kind } = link;
  const known = [...new Set(records.map((each) => each.address))].slice(0, 4).join(", ");
  const what = kind === "withheld" ? `withheld: ${withheld[0].reason}` : `${kind}: ${known}`;
  return brief(`${subscriber.name} to ${service.name}, ${what}`);
}

export class Lines extends Component {
  active = null; // the line of the keyboard: a field, as two keys may come within one frame

  pressed = (event) => {
    const reachable = this.reachable();
    const at = reachable.findIndex(({ link }) => link.key === this.active);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: reachable.length - 1 }[event.key];
    if (to !== undefined && reachable.length) {
      this.activate(reachable[Math.min(Math.max(to, 0), reachable.length - 1)]);
    } else if ((event.key === "Enter" || event.key === " ") && at >= 0) this.props.onSelect(reachable[at].link);
    else return;
    event.preventDefault();
  };

  focused = () => {
    const reachable = this.reachable();
    if (reachable.length && !reachable.some(({ link }) => link.key === this.active)) {
      this.activate(reachable[0]);
    }
  };

  activate({ link }) {
    this.active = link.key;
    this.setState({});
  }

  // From the top to the bottom of the page.
  reachable() {
    return this.props.lines.filter((each) => each.isInView).sort((one, other) => one.from - other.from || one.to - other.to);
  }

  render({ lines, height, width, selected, onSelect }) {
    const isAny = lines.some((each) => each.isInView);
    const at = lines.findIndex((each) => each.isInView && each.link.key === this.active);
    return html`
      <svg class="lines" width=${width} height=${height} role=${isAny ? "listbox" : "presentation"} tabindex=${isAny ? 0 : null}
        aria-label=${isAny ? "Lines between subscribers and services" : null}
        aria-activedescendant=${at < 0 ? null : `line-${at}`}
        onKeyDown=${this.pressed} onFocus=${this.focused}>
        ${lines.map((each, place) => html`
          <${Line} key=${each.link.key} id=${`line-${place}`} ...${each} width=${width}
            isActive=${each.link.key === this.active} isSelected=${each.link.key === selected} onSelect=${onSelect} />`)}
      </svg>`;
  }
}

function Line({ link, id, from, to, isInView, isStrong, width, isActive, isSelected, onSelect }) {
  const bend = width / 2;
  const path = `M0 ${from}C${bend} ${from} ${width - bend} ${to} ${width} ${to}`;
  const marks = `line ${link.kind} ${isStrong ? "strong" : ""} ${isActive ? "active" : ""} ${isInView ? "" : "beyond"}`;
  if (!isInView) return html`<path class=${marks} d=${path} aria-hidden="true" />`;
  link.words ??= described(link);
  return html`
    <g id=${id} class=${marks} role="option" aria-selected=${String(isSelected)} aria-label=${link.words}
      onClick=${() => onSelect(link)}>
      <title>${link.words}</title>
      <path class="reach" d=${path} /><path class="stroke" d=${path} />
    </g>`;
}
