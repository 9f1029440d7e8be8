// The files of a subscriber: its hosts file, which is the subscriber itself, and its resolv.conf if that is kept.

export function files(subscriber) {
  return subscriber.resolv ? [subscriber, subscriber.resolv] : [subscriber];
}

// The records of the hosts file, and the lines of the resolv.conf.
export function recordsOf(subscriber) {
  return [...subscriber.records, ...(subscriber.resolv?.lines ?? [])];
}

export function withheldOf(subscriber) {
  return files(subscriber).flatMap((each) => each.withheld);
}

// The error of the first file that has one.
export function errorOf(subscriber) {
  return files(subscriber).find((each) => each.error)?.error ?? null;
}

export function isRight(subscriber) {
  return files(subscriber).every((each) => each.in_sync);
}

// A record of a hosts file has an address and names, one of a resolv.conf is a line.
export function recordText({ line, address, names }) {
  return line ?? `${address} ${names.join(" ")}`;
}
