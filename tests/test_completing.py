"""The completion of names where asking for them takes long."""

import sys
import threading

import pytest
import typer
from typer.core import TyperCommand

from hostwatch.cli import completing, known


@pytest.mark.slow
def test_names_that_come_late_are_still_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that others keep busy: asking takes 50 ms on a quiet one."""

    def slow(_context: typer.Context) -> known.Known:
        threading.Event().wait(1.6)
        return known.Known(["web-1", "app"], ["db"])

    monkeypatch.setattr(known, "known", slow)
    monkeypatch.setattr(sys, "stderr", sys.stderr)  # it is put back afterwards
    context = typer.Context(TyperCommand("status"))
    assert completing.subscriber_names(context, "we") == ["web-1"]
