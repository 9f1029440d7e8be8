// The rows of the two sides, and the search that filters both. A row is computed once per object and kept beside it.

import { files, recordsOf, recordText, withheldOf } from "./files.js";
import { serviceDetail, serviceStanding, subscriberDetail, subscriberStanding } from "./standing.js";
import { brief } from "./words.js";

const MOST_SEARCHED = 20_000; // characters of one row that are searched: a label may have 100 kB
const kept = new WeakMap();

export function subscriberRow(subscriber) {
  return once(subscriber, () => ({
    key: subscriber.id,
    name: brief(subscriber.name),
    note: subscriber.kind === "file" ? "file of the host" : "",
    standing: subscriberStanding(subscriber),
    detail: subscriberDetail(subscriber),
    words: searched([subscriber.name, subscriber.id, subscriberStanding(subscriber).words,
      ...files(subscriber).flatMap((each) => [each.path, each.error]),
      ...recordsOf(subscriber).flatMap((each) => [recordText(each), each.service, each.container, each.elsewhere?.host]),
      ...withheldOf(subscriber).flatMap((each) => [each.line, each.reason])]),
  }));
}

export function serviceRow(service) {
  return once(service, () => ({
    key: service.key,
    name: brief(service.name),
    note: brief(service.source),
    standing: serviceStanding(service),
    detail: serviceDetail(service),
    words: searched([service.name, ...service.names, service.source, serviceStanding(service).words, ...(service.then ?? []),
      ...service.containers.flatMap((each) => [each.name, each.id, each.state, each.elsewhere?.host, ...Object.entries(each.addresses).flat(2)])]),
  }));
}

// Both sides, as far as they have all words of the search and one of the kinds. What is connected with a row that was
// found by its name stays, too: whoever looks for `web-1` wants to see its services.
export function filtered(subscribers, graph, search, kinds) {
  const wanted = search.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (row) => wanted.every((word) => row.words.includes(word));
  const left = subscribers.filter((each) => {
    const row = subscriberRow(each);
    return matches(row) && (!kinds.size || kinds.has(row.standing.kind));
  });
  if (!wanted.length && !kinds.size) return { left, right: graph.services };
  const joined = new Set();
  for (const each of left) {
    if (kinds.size || wanted.every((word) => each.name.toLowerCase().includes(word))) {
      for (const link of graph.links(each)) joined.add(link.service.key);
    }
  }
  const right = graph.services.filter((each) => joined.has(each.key) || (wanted.length && matches(serviceRow(each))));
  return { left, right };
}

function once(item, make) {
  let row = kept.get(item);
  if (!row) kept.set(item, (row = make()));
  return row;
}

function searched(texts) {
  return texts.filter(Boolean).join("\n").slice(0, MOST_SEARCHED).toLowerCase();
}
