// A long list of rows of one height, of which only those in view are elements. The keyboard moves an active row.

import { Component, createRef } from "./vendor/preact.js";
import { html } from "./html.js";
import { SIGNS } from "./standing.js";

const BEYOND = 4; // rows that are kept ready above and below those in view

const FRESH = 1_500; // ms that a changed row is lit
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export class List extends Component {
  box = createRef();
  state = { top: 0, height: 0 };
  active = null; // the row of the keyboard: a field, as two keys may come within one frame

  componentDidMount() {
    this.sizes = new ResizeObserver(this.measure);
    this.sizes.observe(this.box.current);
  }

  componentWillUnmount() {
    this.sizes.disconnect();
  }

  // Called before the frame is drawn, while nothing has to be laid out anew for the answer.
  measure = () => {
    const { scrollTop: top, clientHeight: height } = this.box.current;
    this.setState({ top, height });
    this.props.onView({ top, height });
  };

  componentDidUpdate(before) {
    if (before.rowHeight !== this.props.rowHeight || before.rows.length !== this.props.rows.length) this.measure();
    if (before.reveal !== this.props.reveal && this.props.reveal) this.reveal(this.props.reveal);
  }

  // Scroll until the row is in view.
  reveal(key) {
    const { rows, rowHeight } = this.props;
    const index = rows.findIndex((row) => row.key === key);
    const box = this.box.current;
    if (index < 0) return;
    if (index * rowHeight < box.scrollTop) box.scrollTop = index * rowHeight;
    const lowest = (index + 1) * rowHeight - box.clientHeight;
    if (lowest > box.scrollTop) box.scrollTop = lowest;
  }

  pressed = (event) => {
    const { rows, rowHeight, onSelect } = this.props;
    const at = rows.findIndex((row) => row.key === this.active);
    const page = Math.max(1, Math.floor(this.state.height / rowHeight) - 1);
    const to = {
      ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: rows.length - 1,
    }[event.key];
    if (to !== undefined && rows.length) this.activate(rows[Math.min(Math.max(to, 0), rows.length - 1)].key);
    else if ((event.key === "Enter" || event.key === " ") && at >= 0) onSelect(rows[at].key);
    else return;
    event.preventDefault();
  };

  focused = () => {
    const { rows, selected } = this.props;
    if (rows.some((row) => row.key === this.active)) return;
    const first = rows.find((row) => row.key === selected) ?? rows[Math.ceil(this.state.top / this.props.rowHeight)];
    if (first) this.activate(first.key);
  };

  activate(key) {
    this.active = key;
    this.setState({});
    this.reveal(key);
  }

  render({ id, label, rows, rowHeight, selected, joined, empty, onSelect }, { top, height }) {
    const first = Math.max(0, Math.floor(top / rowHeight) - BEYOND);
    const shown = rows.slice(first, Math.ceil((top + height) / rowHeight) + BEYOND);
    const inView = shown.some((row) => row.key === this.active);
    if (!rows.length) return html`<div id=${id} class="list" ref=${this.box}><p class="empty">${empty}</p></div>`;
    return html`
      <div id=${id} class="list" ref=${this.box} role="listbox" tabindex="0" aria-label=${label}
        aria-activedescendant=${inView ? `${id}-${rows.findIndex((row) => row.key === this.active)}` : null}
        onScroll=${this.measure} onKeyDown=${this.pressed} onFocus=${this.focused}>
        <div class="rows" role="presentation" style=${{ height: `${rows.length * rowHeight}px` }}>
          ${shown.map((row, place) => html`
            <${Row} key=${row.key} row=${row} id=${`${id}-${first + place}`} position=${first + place} count=${rows.length}
              top=${(first + place) * rowHeight} isActive=${row.key === this.active} isSelected=${row.key === selected}
              isJoined=${joined.has(row.key)} onSelect=${onSelect} />`)}
        </div>
      </div>`;
  }
}

class Row extends Component {
  box = createRef();

  // Scrolling renders the list for each frame; a row that is the same stays as it is.
  shouldComponentUpdate(next) {
    return Object.keys(next).some((name) => next[name] !== this.props[name]);
  }

  // A row whose text changed lights up for a moment.
  componentDidUpdate(before) {
    const isChanged = before.row.detail !== this.props.row.detail || before.row.standing.words !== this.props.row.standing.words;
    if (isChanged && !CALM.matches) this.box.current.animate([{ backgroundColor: "var(--fresh)" }, {}], FRESH);
  }

  render({ row, id, position, count, top, isActive, isSelected, isJoined, onSelect }) {
    const { name, note, standing, detail } = row;
    const marks = [isActive && "active", isJoined && "joined"].filter(Boolean).join(" ");
    return html`
      <div ref=${this.box} id=${id} class=${`row ${standing.kind} ${marks}`} role="option" aria-selected=${String(isSelected)}
        aria-posinset=${position + 1} aria-setsize=${count} style=${{ top: `${top}px` }} onClick=${() => onSelect(row.key)}>
        <span class="name" title=${name}><bdi>${name}</bdi></span>
        <span class="standing"><span class="sign" aria-hidden="true">${SIGNS[standing.kind]}</span> ${standing.words}</span>
        <span class="detail"><bdi>${detail}</bdi></span>
        <span class="note">${note}</span>
      </div>`;
  }
}
