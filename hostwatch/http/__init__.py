"""The server: answers over `hostwatch.control.view` at the control socket and at a configured address."""
