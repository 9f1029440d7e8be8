// Draws the page. All that changes within a frame of the screen is drawn once: a storm of changes, two lists that scroll.

import { options, render } from "./vendor/preact.js";
import { App } from "./app.js";
import { html } from "./html.js";

options.debounceRendering = requestAnimationFrame;
render(html`<${App} />`, document.getElementById("page"));
