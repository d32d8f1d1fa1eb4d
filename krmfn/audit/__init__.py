"""The reference audit: check that every Secret to which a workload refers will exist.

One straight line, pure from end to end: `objects` (what the stream holds) → `references` and
`productions`, by the entries of a catalogue → `judge` (who produces what is referred to) → `rules`
(what is wrong with it). `inventory` and `sarif` give it as JSON and SARIF.
"""
