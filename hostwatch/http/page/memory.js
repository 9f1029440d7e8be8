// Results that are kept while what they were made from stays the same.

// The function, with its last result kept: arguments are compared by identity.
export function remembered(work) {
  let last = null;
  let result = null;
  return (...given) => {
    if (!last || given.some((each, place) => each !== last[place])) {
      result = work(...given);
      last = given;
    }
    return result;
  };
}

// The newest change of any of these subscribers.
export function latest(changes, ids) {
  const found = changes.find((each) => ids.has(each.subscriber_id));
  return found ? `${found.time} ${found.id}` : null;
}
