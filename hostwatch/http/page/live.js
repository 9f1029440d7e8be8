// What the page knows of now: the state, the last changes and the connection. Tells its listener of each change.

import * as api from "./api.js";
import { Connection } from "./connection.js";
import { changed } from "./merge.js";

const KEPT_CHANGES = 1_000; // as many as a daemon without a history file knows
const SETTLE = 150; // ms from an event until the state is fetched: a storm is one request
const PAUSE = 1_000; // ms between two requests for the state
const SHARE = 10; // a pause is at least so many times the last request: a daemon with many pages open answers slower
const MOST_SINGLE = 20; // subscribers that are fetched one by one; more are fetched as a whole

const newestFirst = (one, other) => (one.time === other.time ? other.id - one.id : one.time < other.time ? 1 : -1);
const identity = (change) => `${change.time} ${change.id}`; // a daemon without a file counts from 1 at each start
const collator = new Intl.Collator("en", { numeric: true });

export class Live {
  constructor(listener) {
    this.tell = listener;
    this.state = null; // as fetched, with `subscribers` sorted by name
    this.changes = []; // newest first
    this.lost = null; // since when the connection is lost
    this.refusal = null; // why the state could not be fetched
    this.fetching = { ids: new Set(), all: false, timer: null, next: 0 };
    this.isBehind = true; // whether changes may come that the state has already, as after a lost connection
    this.meanwhile = []; // changes that came while the state was fetched, which may not have them yet
  }

  start() {
    new Connection({
      open: () => this.opened(),
      lost: () => this.wasLost(),
      change: (change) => this.took(change),
      standing: () => this.refresh(),
    }).start();
  }

  opened() {
    this.lost = null;
    this.isBehind = true;
    this.tell();
    this.refresh();
    api.changes(KEPT_CHANGES).then((answer) => this.add(answer.changes), () => {}); // the state says what is wrong
  }

  wasLost() {
    this.lost ??= Date.now();
    this.tell();
  }

  // A change that happened just now.
  took(change) {
    this.add([change]);
    this.meanwhile.push(change);
    if (this.state && !this.isBehind) this.replace(withChange(this.state.subscribers, change));
    this.refresh(change.subscriber_id);
  }

  add(changes) {
    const known = new Set(this.changes.map(identity));
    const added = changes.filter((each) => !known.has(identity(each)));
    if (!added.length) return;
    this.changes = [...added, ...this.changes].sort(newestFirst).slice(0, KEPT_CHANGES);
    this.tell();
  }

  replace(subscribers) {
    this.state = { ...this.state, subscribers };
    this.tell();
  }

  // Fetch a subscriber, or everything, again soon.
  refresh(id = null) {
    if (id === null) this.fetching.all = true;
    else this.fetching.ids.add(id);
    this.schedule();
  }

  schedule() {
    const { ids, all, timer, next } = this.fetching;
    if (timer !== null || !(all || ids.size) || document.hidden || this.lost) return;
    const wait = this.state ? Math.max(SETTLE, next - Date.now()) : 0;
    this.fetching.timer = setTimeout(() => this.fetch(), wait);
  }

  async fetch() {
    const whole = this.fetching.all || !this.state || this.fetching.ids.size > MOST_SINGLE;
    const ids = whole ? [] : [...this.fetching.ids];
    this.fetching = { ...this.fetching, ids: new Set(), all: false };
    const begun = Date.now();
    this.meanwhile = [];
    try {
      const answer = await api.state(ids);
      const subscribers = whole ? answer.subscribers : this.merged(answer.subscribers, ids);
      this.state = { ...answer, subscribers: sorted(this.meanwhile.reduce(withChange, subscribers)) };
      this.refusal = null;
      if (whole) this.isBehind = false;
    } catch (error) {
      this.fetching.all = true;
      if (whole) this.refusal = error.message; // else one of them may be gone, which is no fault
    }
    this.fetching.next = Date.now() + Math.max(PAUSE, SHARE * (Date.now() - begun));
    this.fetching.timer = null;
    this.tell();
    this.schedule();
  }

  // All subscribers, with these ids' as they came: one that did not come is gone.
  merged(fetched, ids) {
    const known = new Set([...ids, ...fetched.map((each) => each.id)]);
    return [...this.state.subscribers.filter((each) => !known.has(each.id)), ...fetched];
  }
}

function withChange(subscribers, change) {
  if (change.file !== "hosts") return subscribers;
  return subscribers.map((each) => (each.id === change.subscriber_id ? changed(each, change) : each));
}

function sorted(subscribers) {
  return [...subscribers].sort((one, other) => collator.compare(one.name, other.name));
}
