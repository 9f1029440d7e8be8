// A moment of the past: fetched when somebody asks for it, in the form that the state of now has.

import * as api from "./api.js";
import { Graph } from "./graph.js";

const SETTLE = 120; // ms after the last step of the slider: one request for a whole pull

export class Past {
  constructor(listener) {
    this.tell = listener;
    this.time = null; // the moment that is asked for; null means now
    this.shown = null; // the last answer
    this.refusal = null;
    this.timer = null;
    this.request = new AbortController();
  }

  get isAsked() {
    return this.time !== null;
  }

  show(time) {
    this.time = time;
    clearTimeout(this.timer);
    this.request.abort();
    if (time !== null) this.timer = setTimeout(() => this.fetch(time), SETTLE);
    else this.shown = this.refusal = null;
    this.tell();
  }

  async fetch(time) {
    this.request = new AbortController();
    try {
      this.shown = asState(await api.moment(time, this.request.signal));
      this.refusal = null;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.refusal = error.message;
    }
    this.tell();
  }
}

// The blocks of a moment as subscribers, and what they name as services: of these no more is known than their records.
function asState({ blocks, known_since: knownSince = null }) {
  const services = new Map();
  const subscribers = blocks.map((block) => ({
    id: `${block.subscriber_id}${block.file === "hosts" ? "" : ` ${block.file}`}`,
    name: block.file === "hosts" ? block.subscriber : `${block.subscriber} (${block.file}.conf)`,
    kind: "container",
    in_sync: true,
    error: null,
    withheld: block.lines ? [] : block.withheld,
    records: block.records.map((record) => ({ ...record, service: record.names[0] })),
    resolv: block.lines ? { lines: block.lines, withheld: block.withheld, in_sync: true, error: null } : null,
  }));
  for (const { address, names } of subscribers.flatMap((each) => each.records)) {
    const service = services.get(names[0]) ?? { name: names[0], names, source: "then", containers: [], then: [] };
    if (!service.then.includes(address)) service.then.push(address);
    services.set(names[0], service);
  }
  const graph = new Graph([...services.values()], subscribers);
  for (const service of graph.services) service.then ??= []; // of names that were withheld
  return { subscribers, knownSince, graph };
}
