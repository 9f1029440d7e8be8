"""Moves the page: both lists are scrolled with each frame while changes come in, and its work is counted."""

from dataclasses import dataclass

from selenium.webdriver import Chrome

from tests.conftest import eventually
from tests.page import states
from tests.page.read import opened, text
from tests.page.served import Told, served

_CHANGES, _AT_ONCE = 50, 10
_APART_MS = 100
"""Between ten changes and the next ten: 100 per second."""
_BEGIN = """
const work = window.work = { frames: 0, draws: 0, most_draws: 0, added: 0, longest_ms: 0 };
const frame = () => { work.frames += 1; work.draws = 0; work.next = requestAnimationFrame(frame); };
frame();
work.mutations = new MutationObserver((found) => { // is called once for each drawing
  work.most_draws = Math.max(work.most_draws, ++work.draws);
  for (const each of found) work.added += each.addedNodes.length;
});
work.mutations.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
work.tasks = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) work.longest_ms = Math.max(work.longest_ms, entry.duration);
});
work.tasks.observe({ type: "longtask" });
const boxes = ["subscribers", "services"].map((id) => document.getElementById(id));
let step = 0;
work.scrolling = setInterval(() => {
  step += 1;
  for (const box of boxes) box.scrollTop = (step * 130) % (box.scrollHeight - box.clientHeight);
}, 16);
"""
_END = """
const { frames, most_draws, added, longest_ms, ...work } = window.work;
clearInterval(work.scrolling);
cancelAnimationFrame(work.next);
work.mutations.disconnect();
work.tasks.disconnect();
return { frames, most_draws, added, longest_ms, elements: document.querySelectorAll("*").length };
"""


@dataclass(frozen=True)
class Work:
    """The work of the page during 50 changes."""

    frames: int
    most_draws: int
    """Within one frame."""
    added: int
    """Nodes, to the document."""
    elements: int
    """Of the document."""
    cpu_ms: float
    """The processor time of the page's main thread."""
    longest_ms: float
    """The longest task, by the clock; 0 if none took 50 ms."""

    @property
    def cpu_ms_per_frame(self) -> float:
        """The processor time that one frame takes."""
        return self.cpu_ms / self.frames


def moved(driver: Chrome, subscribers: int, services: int) -> Work:
    """The work of a page with so many subscribers and services."""
    with served(Told(states.large(subscribers, services))) as told:
        opened(driver, told.url)
        driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        driver.execute_script(_BEGIN)
        before = _cpu_ms(driver)
        for number in range(_CHANGES):
            web = told.state["subscribers"][number * subscribers // _CHANGES]
            first = web["records"][0]
            new = f"10.0.{number}.1"
            told.tell(states.change(number + 1, web, first["names"][0], first["address"], new))
            first["address"] = new
            if number % _AT_ONCE == _AT_ONCE - 1:
                driver.execute_async_script(f"setTimeout(arguments[0], {_APART_MS})")
        eventually(lambda: f"10.0.{_CHANGES - 1}.1" in text(driver, ".log"))
        return Work(cpu_ms=_cpu_ms(driver) - before, **driver.execute_script(_END))


def _cpu_ms(driver: Chrome) -> float:
    found = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return 1000 * float(next(each["value"] for each in found if each["name"] == "TaskDuration"))
