// What somebody must know before believing the page, in words.

import { html } from "./html.js";
import { clock, plain } from "./words.js";

export function Notices({ live, past, onNow }) {
  return html`
    <div class="notices" role="status">
      ${[...troubles(live)].map((text) => html`<p key=${text} class="notice problem">${text}</p>`)}
      ${past.isAsked && html`
        <p class="notice past">${pastWords(past)} <button type="button" onClick=${onNow}>back to now</button></p>`}
    </div>`;
}

function* troubles({ lost, state, refusal }) {
  if (lost) {
    const shown = state ? " What is shown is as it was then." : "";
    yield `The connection to hostwatch is lost since ${clock(lost)}.${shown} It is tried again by itself.`;
  } else if (refusal) yield refusal;
  else if (!state) yield "Asking hostwatch …";
  if (state && !state.engine.connected) {
    yield "The engine is away. hostwatch leaves all files as they are until it is back.";
  }
  for (const { source, up, since, fault } of state?.sources ?? []) {
    const reason = fault ? ` (${plain(fault, 300)})` : "";
    if (up === false) yield `${plain(source, 300)} does not answer since ${clock(since)}${reason}. What it told of other hosts stays as last known.`;
  }
  const standing = state?.daemon?.state;
  if (standing === "standby") {
    yield "This hostwatch is in standby: another one keeps the files. This one takes over when that ends.";
  } else if (standing && standing !== "active") yield `This hostwatch is not ready: ${plain(standing, 300)}.`;
}

function pastWords({ time, shown, refusal }) {
  if (refusal) return `What was at ${clock(time)} is not known. ${refusal}`;
  if (!shown) return `Asking for ${clock(time)} …`;
  if (time < new Date(shown.knownSince ?? 0).getTime()) {
    return `What was at ${clock(time)} is not known: the history begins at ${clock(shown.knownSince)}. With history.file it is kept longer.`;
  }
  return `This is how it was at ${clock(time)}, not now.`;
}
