// How values are put into words. Everything that a container chooses passes through `plain` before it is shown.

const ROW_CHARACTERS = 160; // what a row can show of a text at most
const PANEL_CHARACTERS = 4_000; // about a screenful: a label may have 100 kB
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

// A text in which control characters, and those that change the direction of writing, are visible.
export function plain(text, most = PANEL_CHARACTERS) {
  const all = String(text ?? "");
  const shown = all.slice(0, most).replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return all.length > most ? `${shown}… and ${number(all.length - most)} more characters` : shown;
}

// The same in one line of a row.
export function brief(text) {
  const all = String(text ?? "");
  const shown = plain(all.slice(0, ROW_CHARACTERS)).replace(/\s+/g, " ");
  return all.length > ROW_CHARACTERS ? `${shown}…` : shown;
}

const numbers = new Intl.NumberFormat("en");

export function number(value) {
  return numbers.format(value);
}

// "1 line", "2 lines".
export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

// Where an address is that another host has.
export function place({ host, as_last_known: isKept }) {
  return plain(`${host ? `of ${host}` : "of another host"}${isKept ? ", as last known" : ""}`, 300);
}

export function addresses(list) {
  return list.length ? list.map((each) => plain(each, 100)).join(", ") : "none";
}

export function milliseconds(value) {
  return `${value < 10 ? value.toFixed(1) : number(Math.round(value))} ms`;
}

const twoDigits = (value) => String(value).padStart(2, "0");

// The time of day in this browser's zone; with the date, unless it is today's.
export function clock(time, withMilliseconds = false) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return "an unknown time";
  const day = localDay(at);
  const hours = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(":");
  const text = withMilliseconds ? `${hours}.${String(at.getMilliseconds()).padStart(3, "0")}` : hours;
  return day === localDay(new Date()) ? text : `${day} ${text}`;
}

function localDay(at) {
  return `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())}`;
}

// A moment as a `datetime-local` field has it.
export function fieldValue(time) {
  const at = new Date(time);
  return `${localDay(at)}T${[at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(":")}`;
}
