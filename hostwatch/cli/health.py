"""The command that tells whether the daemon is ready: what a container's HEALTHCHECK runs, so it loads little."""

import typer

from hostwatch.cli.printing import FAILED, complain, say


def health() -> None:
    """Ask the daemon whether it is ready, or in standby. Status 1 if it is not, or if none answers.

    No engine is asked. In a container the daemon of this container is meant, elsewhere all daemons of this machine.
    """
    from hostwatch.hosts.run_directory import RUN
    from hostwatch.http.health import reports

    found = reports(RUN)
    for report in found:
        (say if report.is_good else complain)(str(report))
    if not found:
        complain(f"no daemon answers in {RUN}: start it (`hostwatch run`), and let it write there")
    if not found or not all(report.is_good for report in found):
        raise typer.Exit(FAILED)
