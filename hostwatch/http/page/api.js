// The requests of the page. Each answer is JSON, or fails with a sentence for people.

import { plain } from "./words.js";

export const EVENTS = "api/v1/events";

export class Refusal extends Error {}

export async function ask(path, parameters = [], signal = undefined) {
  const query = new URLSearchParams(parameters).toString();
  let answer;
  try {
    answer = await fetch(`api/v1/${path}${query ? `?${query}` : ""}`, { signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("hostwatch does not answer. Does it still run?");
  }
  if (answer.ok) return answer.json();
  throw new Refusal(`hostwatch answered ${answer.status}: ${plain(reason(await answer.text()), 400)}`);
}

export const state = (ids, signal) => ask("state", ids.map((id) => ["subscriber", id]), signal);
export const why = (id, signal) => ask(`why/${encodeURIComponent(id)}`, [], signal);
export const changes = (limit, signal) => ask("history", [["limit", limit]], signal);
export const moment = (time, signal) => ask("history", [["at", new Date(time).toISOString()]], signal);

// An error's text, whether it came as JSON or as a line.
function reason(text) {
  try {
    const found = JSON.parse(text);
    return found.error ?? found.reason ?? found.detail ?? text;
  } catch {
    return text;
  }
}
