// The whole page: what is shown of now or of a moment, and what somebody chose of it.

import { Component, createRef } from "./vendor/preact.js";
import { Changes, matcher } from "./changes.js";
import { Graph } from "./graph.js";
import { html } from "./html.js";
import { Live } from "./live.js";
import { latest, remembered } from "./memory.js";
import { Moment } from "./moment.js";
import { Notices } from "./notices.js";
import { Panel } from "./panel.js";
import { Past } from "./past.js";
import { Picture } from "./picture.js";
import { filtered, serviceRow, subscriberRow } from "./rows.js";
import { KINDS } from "./standing.js";
import { Tools } from "./tools.js";
import { brief, counted } from "./words.js";

const NOTHING = { subscribers: [], graph: new Graph([], []) };

export class App extends Component {
  panel = createRef();
  state = { search: "", kinds: new Set(), choice: null };
  live = new Live(() => this.setState({}));
  past = new Past(() => this.setState({}));
  graph = remembered((services, subscribers) => new Graph(services, subscribers));
  filter = remembered(filtered);
  matcher = remembered(matcher);
  askers = remembered((graph, subscribers, key) => {
    const service = graph.services.find((each) => each.key === key);
    return service ? graph.askers(subscribers, service) : [];
  });

  componentDidMount() {
    this.live.start();
    document.addEventListener("keydown", this.pressed);
  }

  componentWillUnmount() {
    document.removeEventListener("keydown", this.pressed);
  }

  componentDidUpdate() {
    const { state } = this.live;
    if (!state) return;
    const bad = ["refused", "withheld"].map((kind) => [this.counts(state.subscribers)[kind], kind]).filter(([count]) => count);
    document.title = [bad.map((each) => each.join(" ")).join(", "), "hostwatch"].filter(Boolean).join(" · ");
  }

  pressed = (event) => {
    const isTyping = ["INPUT", "TEXTAREA"].includes(event.target.tagName);
    if (event.key === "/" && !isTyping) {
      event.preventDefault();
      document.getElementById("search").focus();
    }
    if (event.key === "Escape" && !isTyping) this.choose(null);
  };

  choose = (choice) => {
    this.setState({ choice }, () => {
      // On a narrow screen the reasons are below the picture.
      const panel = this.panel.current;
      if (choice && panel.getBoundingClientRect().top > window.innerHeight * 0.7) {
        panel.scrollIntoView({ block: "start" });
        panel.querySelector("h3")?.focus({ preventScroll: true });
      }
    });
  };

  chooseKind = (kind) => {
    const kinds = new Set(this.state.kinds);
    if (!kinds.delete(kind)) kinds.add(kind);
    this.setState({ kinds });
  };

  counts = remembered((subscribers) => {
    const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
    for (const each of subscribers) counts[subscriberRow(each).standing.kind] += 1;
    return counts;
  });

  // What is shown: a moment of the past if one is asked for, else now.
  shown() {
    if (this.past.isAsked) return this.past.shown ?? NOTHING;
    const { state } = this.live;
    return state ? { subscribers: state.subscribers, graph: this.graph(state.services, state.subscribers) } : NOTHING;
  }

  // Changes when the reasons of what is chosen may have changed.
  version({ subscriber, service, askers, graph }) {
    const ids = new Set(subscriber ? [subscriber.id] : askers.map((each) => each.id));
    const services = subscriber ? graph.links(subscriber).map((link) => link.service) : [service].filter(Boolean);
    return JSON.stringify([
      latest(this.live.changes, ids),
      subscriber && subscriberRow(subscriber).standing,
      services.slice(0, 100).map((each) => [serviceRow(each).standing.words, serviceRow(each).detail]),
    ]);
  }

  chosen(subscribers, graph, choice) {
    const subscriber = choice?.subscriberId && subscribers.find((each) => each.id === choice.subscriberId);
    const service = choice?.serviceKey && graph.services.find((each) => each.key === choice.serviceKey);
    const askers = this.askers(graph, subscribers, choice?.serviceKey);
    const found = { subscriber, service, askers, graph };
    return { ...found, version: choice && this.version(found) };
  }

  render(_, { search, kinds, choice }) {
    const { live, past } = this;
    const { subscribers, graph } = this.shown();
    const { left, right } = this.filter(subscribers, graph, search, kinds);
    const chosen = this.chosen(subscribers, graph, choice);
    const show = (time) => past.show(time);
    return html`
      <a class="skip" href="#subscribers">Skip to the subscribers</a>
      <header class="top">
        <h1>hostwatch</h1>
        <p class="engine">${engineWords(live)}</p>
        <${Tools} search=${search} kinds=${kinds} counts=${this.counts(subscribers)} onKind=${this.chooseKind}
          onSearch=${(text) => this.setState({ search: text })} />
        <${Moment} time=${past.time} changes=${live.changes} onShow=${show} />
      </header>
      <main class=${past.isAsked ? "then" : ""}>
        <${Notices} live=${live} past=${past} onNow=${() => show(null)} />
        <${Picture} left=${left} right=${right} graph=${graph} choice=${choice} askers=${chosen.askers} onChoose=${this.choose}
          totals=${{ left: subscribers.length, right: graph.services.length }} />
        <section class="panel" aria-labelledby="why" ref=${this.panel}>
          <h2 id="why">Why</h2>
          <div class="scrolls" tabindex="0" role="group" aria-labelledby="why">
            <${Panel} choice=${choice} isPast=${past.isAsked} onSelect=${this.choose} ...${chosen} />
          </div>
        </section>
        <section class="log" aria-labelledby="changes">
          <h2 id="changes">Changes <span class="count">${counted(live.changes.length, "known", "known")}</span></h2>
          <div class="scrolls" tabindex="0" role="group" aria-labelledby="changes">
            <${Changes} changes=${live.changes} matches=${this.matcher(search)} onShow=${show}
              onSelect=${(id) => this.choose({ key: id, subscriberId: id })} />
          </div>
        </section>
      </main>
      <${Spoken} changes=${live.changes} />`;
  }
}

function engineWords({ state, lost }) {
  if (lost) return "connection lost";
  if (!state) return "connecting …";
  const { connected, version, api } = state.engine;
  return connected ? `engine ${brief(version)}, API ${brief(api)}, connected` : "engine away";
}

const SPEAK = 3_000; // ms between two sentences, so that a storm does not talk without end

// Tells a screen reader of the last change.
class Spoken extends Component {
  state = { sentence: "" };

  shouldComponentUpdate(next, state) {
    return next.changes !== this.props.changes || state.sentence !== this.state.sentence;
  }

  componentDidUpdate(before) {
    if (before.changes === this.props.changes || !before.changes.length) return; // the first ones happened before
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.setState({ sentence: spoken(this.props.changes[0]) });
    }, SPEAK);
  }

  render(_, { sentence }) {
    return html`<p class="unseen" role="status">${sentence}</p>`;
  }
}

function spoken({ subscriber, file, changes, withheld }) {
  const parts = changes.slice(0, 3).map((each) => `${each.name} is ${each.new.join(" and ") || "gone"}`);
  const held = withheld.slice(0, 2).map((each) => `withheld: ${each.reason}`);
  return brief(`${subscriber}${file === "hosts" ? "" : `, ${file}.conf`}: ${[...parts, ...held].join(", ")}`);
}
