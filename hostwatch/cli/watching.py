"""Follows the state until Ctrl-C: `status --watch`. The engine and the daemon may go and come back meanwhile.

The daemon tells of each change at its control socket. Where none answers, everything is read every two seconds.
"""

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import NoReturn

import typer

from hostwatch import app
from hostwatch.cli.asking import daemon_with
from hostwatch.cli.configuring import engine_of, settings_of
from hostwatch.cli.failing import explained, run
from hostwatch.cli.options import Common
from hostwatch.cli.showing import chosen, state_of
from hostwatch.config.choices import LogLevel
from hostwatch.control.source import EngineError, GoneError
from hostwatch.control.subscribers import NoSubscriberError
from hostwatch.control.view import Json
from hostwatch.docker.connect import AddressError
from hostwatch.http.client import Client, NoDaemonError, RefusedError
from hostwatch.terminal.lines import line, show
from hostwatch.terminal.picture import Picture
from hostwatch.terminal.screen import Screen, is_screen

_PAUSE_SECONDS = 2.0
"""The time between two surveys, where no daemon tells of changes."""
_LEAST_SECONDS = 0.2
"""The time between two questions to the daemon: nobody reads faster, and a storm must not make it answer all the time.
"""

Show = Callable[[Picture], None]
News = SimpleQueue[bool]
"""Reasons to look again; `False`: the daemon tells no more. A signal's handler may add one at any moment."""


def follow_status(common: Common, words: list[str], *, as_json: bool) -> None:
    """Show each change of the state until Ctrl-C or SIGTERM."""
    # Log lines below ERROR would cover the view, and be the same at each survey.
    common = dataclasses.replace(common, log_level=common.log_level or LogLevel.ERROR)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with explained():
            news = News()
            watch = _Watch(common, words, news)
            watch.look()
            with _view(words, news, as_json=as_json) as show:
                watch.run(show)
    except KeyboardInterrupt:
        # An orderly end would write the last report once more if the signal came while it was being written.
        os._exit(0)


class _Watch:
    """Looks at the state again and again."""

    def __init__(self, common: Common, words: list[str], news: News) -> None:
        self._common = common
        self._words = words
        self._news = news
        self._settings = settings_of(common)
        self._picture = Picture()
        self._daemon: Client | None = None
        """The last daemon that has answered. Once it is known, no other engine's is taken for it."""
        self._is_told = False
        """Whether the daemon tells of changes."""

    def run(self, show: Show) -> NoReturn:
        """Show the state, and each change of it, for ever."""
        while True:
            show(self._picture)
            self._wait()
            with suppress(NoSubscriberError):
                self.look()

    def _wait(self) -> None:
        """Wait for a reason to look again."""
        with suppress(Empty):
            more = [self._news.get(timeout=None if self._is_told else _PAUSE_SECONDS)]
            time.sleep(_LEAST_SECONDS)
            while not self._news.empty():
                more.append(self._news.get())
            self._is_told = self._is_told and all(more)

    def look(self) -> None:
        """Look once. What is not known now stays as it was. Raises `NoSubscriberError` if a word means none."""
        now = datetime.now().astimezone()
        try:
            self._picture = self._picture.renewed(self._asked() or run(self._surveyed), now)
        except AddressError:
            raise
        except (EngineError, GoneError) as error:
            self._picture = self._picture.kept(str(error), now)
        except NoSubscriberError as error:
            self._picture = self._picture.without_subscribers(str(error))
            raise

    def _asked(self) -> Json | None:
        """The daemon's answer; `None` if none answers."""
        daemon = self._daemon or daemon_with(self._common, self._settings)
        if daemon is None:
            return None
        try:
            found: Json = daemon.get("/api/v1/state", chosen(self._words))
        except NoDaemonError:
            return None
        except RefusedError as error:
            raise NoSubscriberError(str(error)) from error
        self._daemon = daemon
        if not self._is_told:
            self._is_told = True
            threading.Thread(target=_follow, args=[daemon, self._news], name="follow the daemon", daemon=True).start()
        return found

    async def _surveyed(self) -> Json:
        async with app.survey(self._settings, engine_of(self._common, self._settings)) as survey:
            return await state_of(survey, self._words)


def _follow(daemon: Client, news: News) -> None:
    """Pass on that something changed, until the daemon ends."""
    try:
        for _ in daemon.events():
            news.put(True)
    except (NoDaemonError, RefusedError):
        time.sleep(_PAUSE_SECONDS)  # it must not be asked all the time
    news.put(False)


@contextmanager
def _view(words: list[str], news: News, *, as_json: bool) -> Iterator[Show]:
    """The terminal as a live view; elsewhere a report or a JSON object for each change."""
    if as_json or not is_screen():
        yield _reports(words, as_json=as_json)
        return
    with Screen("hostwatch status, until Ctrl-C") as screen:
        signal.signal(signal.SIGWINCH, lambda _number, _frame: news.put(True))
        yield lambda picture: screen.show(lambda width: picture.lines(width, services=not words))


def _reports(words: list[str], *, as_json: bool) -> Show:
    """Prints a picture if it differs from the one before."""
    last: list[object] = []

    def show_changed(picture: Picture) -> None:
        new = picture.found if as_json else picture
        if [new] == last:
            return
        last[:] = [new]
        if as_json:
            typer.echo(json.dumps(picture.found))
        else:
            show([line(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S%z}")])
            show(picture.lines(None, services=not words))
        sys.stdout.flush()

    return show_changed
