"""Shows results to people: lines that are folded and never cut, tables, colours, live views."""
