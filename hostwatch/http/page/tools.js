// The search, and a button per kind with its number: what is pressed is all that is shown.

import { html } from "./html.js";
import { KINDS, MEANINGS, SIGNS } from "./standing.js";
import { number } from "./words.js";

export function Tools({ search, kinds, counts, onSearch, onKind }) {
  return html`
    <div class="tools" role="search">
      <label for="search">Search</label>
      <input id="search" type="search" value=${search} placeholder="name, address, reason …" autocomplete="off" spellcheck="false"
        onInput=${(event) => onSearch(event.target.value)} />
      <div class="kinds" role="group" aria-label="Show only subscribers that are">
        ${KINDS.map((kind) => html`
          <button type="button" key=${kind} class=${`kind ${kind}`} aria-pressed=${String(kinds.has(kind))}
            title=${`${kind}: ${MEANINGS[kind]}`} onClick=${() => onKind(kind)}>
            <span class="sign" aria-hidden="true">${SIGNS[kind]}</span> ${number(counts[kind])} ${kind}</button>`)}
      </div>
    </div>`;
}
