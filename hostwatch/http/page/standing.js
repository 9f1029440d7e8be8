// How a subscriber or a service stands: a kind, which chooses colour and sign, and the words that say the same.

import { errorOf, isRight, recordsOf, withheldOf } from "./files.js";
import { brief, counted } from "./words.js";

// The order in which a reader wants to hear of them.
export const KINDS = ["refused", "withheld", "changing", "right"];

export const SIGNS = { right: "●", changing: "◐", withheld: "▲", refused: "✕", absent: "○" };

export const MEANINGS = {
  right: "its files say what they should",
  changing: "a file is about to be compared or written",
  withheld: "a line has no valid address now and is left out",
  refused: "a file cannot, or must not, be kept",
};

export function subscriberStanding(subscriber) {
  if (errorOf(subscriber)) return { kind: "refused", words: "refused" };
  const withheld = withheldOf(subscriber);
  if (withheld.length) return { kind: "withheld", words: `${withheld.length} withheld` };
  if (!isRight(subscriber)) return { kind: "changing", words: "changing" };
  return { kind: "right", words: "right" };
}

export function serviceStanding(service) {
  if (service.then) {
    return service.then.length ? { kind: "right", words: "published then" } : { kind: "absent", words: "withheld then" };
  }
  const all = service.containers.length;
  if (!all) return { kind: "absent", words: service.missing ? "not found" : "no container" };
  const running = service.containers.filter((each) => each.state === "running").length;
  const ill = service.containers.filter((each) => each.health && each.health !== "healthy");
  if (service.containers.some((each) => each.state === "unknown")) return { kind: "changing", words: "changing" };
  if (!running) return { kind: "absent", words: "not running" };
  if (ill.length) return { kind: "withheld", words: all === 1 ? brief(ill[0].health) : `${ill.length} of ${all} not healthy` };
  if (running < all) return { kind: "changing", words: `${running} of ${all} running` };
  return { kind: "right", words: all === 1 ? "running" : `${all} running` };
}

// The second line of a subscriber's row: what is wrong, else what its files say.
export function subscriberDetail(subscriber) {
  if (errorOf(subscriber)) return brief(errorOf(subscriber));
  const withheld = withheldOf(subscriber);
  if (withheld.length) return brief(withheld[0].reason);
  const [first, second, ...others] = recordsOf(subscriber);
  if (!first) return "no records";
  const shown = [first, second].filter(Boolean).map((each) => each.line ?? `${each.names[0]} ${each.address}`);
  return brief(`${shown.join(" · ")}${others.length ? ` · ${counted(others.length, "more", "more")}` : ""}`);
}

// The second line of a service's row: its addresses, by network.
export function serviceDetail(service) {
  if (service.then) return brief(service.then.join(" · ")) || "no address";
  if (service.missing) return "asked for, and nothing has this name";
  const found = service.containers.flatMap((each) =>
    Object.entries(each.addresses).map(([network, list]) =>
      [...list, network, each.elsewhere?.host && `of ${each.elsewhere.host}`].filter(Boolean).join(" ")),
  );
  return brief(found.slice(0, 3).join(" · ") + (found.length > 3 ? ` · ${found.length - 3} more` : "")) || "no address";
}
