// Takes a change into a subscriber, so that the page shows it at once; the state that is fetched soon has all the rest.

// The subscriber after a change of its hosts file: a new object, as rows are kept beside their objects.
export function changed(subscriber, change) {
  const withheld = [
    ...subscriber.withheld.filter((each) => !change.no_longer_withheld.includes(each.line)),
    ...change.withheld,
  ];
  return { ...subscriber, in_sync: true, error: null, records: moved(subscriber.records, change), withheld };
}

function moved(records, { changes, time }) {
  const byName = new Map(changes.map((each) => [each.name, each]));
  const after = [];
  const placed = new Map();
  for (const record of records) {
    const groups = new Map(); // the record's names by the address that they have now
    for (const name of record.names) {
      const address = addressAfter(record.address, name, byName.get(name), placed);
      if (address !== null) groups.set(address, [...(groups.get(address) ?? []), name]);
    }
    for (const [address, names] of groups) {
      after.push(address === record.address ? { ...record, names } : { ...record, address, names, since: time });
    }
  }
  for (const { name, new: now } of changes) {
    const missing = now.filter((address) => !placed.get(name)?.has(address));
    after.push(...missing.map((address) => ({ address, names: [name], since: time })));
  }
  return after;
}

// Where a name of a record is now: unchanged, at the new address in the same place of the list, or nowhere (null).
function addressAfter(address, name, change, placed) {
  if (!change) return address;
  const now = change.new.includes(address) ? address : change.new[change.old.indexOf(address)] ?? null;
  const taken = placed.get(name) ?? new Set();
  placed.set(name, taken);
  if (now === null || taken.has(now)) return null;
  taken.add(now);
  return now;
}
