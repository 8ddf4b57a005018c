"""Decisions, pure: which model answers which request, and why.

`compiling` makes a `table` from resources; `classifying` says what a request is; `deciding` filters, scores
and orders, by `choosing` a candidate and `balancing` its endpoints; `explaining` shows it. Values: `table`,
`decision`, `undecidable`. Parts: `endpoints`, `rates`, `pricing`, `latency`, `selecting`, `standing`,
`filters`, `scorers`, `points`, `lexicon`.
"""
