"""The completions of shells as files for their own directories. What is completed, the program itself answers."""

from collections.abc import Mapping

from typer._completion_shared import get_completion_script

_PROGRAM = "hostwatch"
_VARIABLE = "_HOSTWATCH_COMPLETE"


def completions() -> Mapping[str, str]:
    """The files by the names under which bash-completion, zsh and fish look for them."""
    return {
        "hostwatch.bash": _script("bash"),
        "_hostwatch": _of_zsh(_script("zsh")),
        "hostwatch.fish": _script("fish"),
    }


def _script(shell: str) -> str:
    found = get_completion_script(prog_name=_PROGRAM, complete_var=_VARIABLE, shell=shell)
    return f"{found.strip()}\n"


def _of_zsh(script: str) -> str:
    """The function's body alone: zsh makes the function of the file, so that the first press of the tabulator counts.

    typer's own script only defines a function when it is loaded, and completes at the second press.
    """
    head, opened, rest = script.partition(f"{_PROGRAM}_completion() {{\n")
    body, closed, _ = rest.partition("}\n")
    if not head.startswith(f"#compdef {_PROGRAM}\n") or not opened or not closed:
        raise ValueError("typer's completion for zsh has another form than is known here")
    return f"#compdef {_PROGRAM}\n{body.strip()}\n"
