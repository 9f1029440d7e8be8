// Templates for Preact's elements. Text in a template becomes a text node: nothing of it is ever read as markup.

import { h } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
