// Who is connected with whom: which service stands behind a record, and which one a withheld line asks for.

import { errorOf, isRight, recordsOf, withheldOf } from "./files.js";

const REFERENCE = /@\{([^{}]+)\.[^.{}]+\}/g;
const MOST_MISSING = 200; // names that nothing has: a label may ask for thousands

export class Graph {
  constructor(services, subscribers) {
    this.byContainer = new Map();
    this.byName = new Map();
    this.services = services.map((service) => ({ ...service, key: `${service.source}:${service.name}` }));
    for (const service of this.services) this.index(service);
    this.services.push(...this.missing(subscribers));
    this.found = new WeakMap();
  }

  index(service) {
    for (const name of new Set([service.name, ...service.names])) add(this.byName, name.toLowerCase(), service);
    for (const container of service.containers) {
      add(this.byContainer, container.name, service);
      if (container.name !== service.name) add(this.byName, container.name.toLowerCase(), service);
    }
  }

  // Names that withheld lines ask for and that no service has: rows of their own, so that the line leads somewhere.
  missing(subscribers) {
    const found = new Map();
    for (const subscriber of subscribers) {
      for (const name of withheldOf(subscriber).flatMap(namesIn)) {
        if (found.size === MOST_MISSING) break;
        if (!this.byName.has(name.toLowerCase()) && !found.has(name.toLowerCase())) {
          found.set(name.toLowerCase(), missingService(name));
        }
      }
    }
    for (const service of found.values()) this.index(service);
    return found.values();
  }

  // The links of a subscriber, one per service. Computed when first asked: only rows in view are.
  links(subscriber) {
    let links = this.found.get(subscriber);
    if (!links) this.found.set(subscriber, (links = [...this.computed(subscriber).values()]));
    return links;
  }

  computed(subscriber) {
    const links = new Map();
    const link = (service) => {
      if (!links.has(service.key)) {
        const key = `${subscriber.id} ${service.key}`;
        links.set(service.key, { key, subscriber, service, records: [], withheld: [] });
      }
      return links.get(service.key);
    };
    for (const record of recordsOf(subscriber)) {
      const service = this.behind(record);
      if (service) link(service).records.push(record);
    }
    for (const withheld of withheldOf(subscriber)) {
      for (const name of namesIn(withheld)) {
        const service = this.named(name);
        if (service) link(service).withheld.push(withheld);
      }
    }
    for (const each of links.values()) each.kind = kindOf(each);
    return links;
  }

  // The subscribers whose files have, or would have, the service.
  askers(subscribers, service) {
    const isAbout = (withheld) => namesIn(withheld).some((name) => this.named(name) === service);
    return subscribers.filter(
      (each) => recordsOf(each).some((record) => this.behind(record) === service) || withheldOf(each).some(isAbout),
    );
  }

  named(name) {
    return this.byName.get(name.toLowerCase())?.[0];
  }

  behind(record) {
    const candidates = this.byContainer.get(record.container) ?? this.byName.get(record.service?.toLowerCase());
    return candidates?.find((each) => each.name === record.service) ?? candidates?.[0];
  }
}

function kindOf({ subscriber, withheld }) {
  if (errorOf(subscriber)) return "refused";
  if (withheld.length) return "withheld";
  return isRight(subscriber) ? "right" : "changing";
}

function missingService(name) {
  return { key: `missing:${name}`, name, names: [], source: "", containers: [], missing: true };
}

// The names that a line asks for; `self` is the subscriber itself.
function namesIn({ line }) {
  return [...line.slice(0, 4_096).matchAll(REFERENCE)].map((found) => found[1]).filter((name) => name !== "self");
}

function add(map, key, value) {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
