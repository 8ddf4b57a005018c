"""Decisions, pure: which model answers which request, and why.

`compiling` makes a `table` from resources; `classifying` says what a request is; `deciding` filters, scores
and orders; `explaining` shows it. Values: `table`, `decision`, `undecidable`. Parts: `endpoints`, `rates`,
`pricing`, `selecting`, `filters`, `scorers`, `balancing`, `lexicon`.
"""
