"""PURE: business objects (offers, placements, rules, activities ...) and the decisions made with them.

Documents and the current time go in, the next revision or a decision comes out. Nothing here waits, reads a clock,
draws a random number or makes an id: the shell hands these in.

What a type is stands in one row of `entities`, its JSON Schema in `schemas`; `registry` knows them all, with further
ones from JSON Schema documents, whose annotations `annotations` reads. A write goes through `repository` (create,
replace, patch, settle) and `proposals`, which ask `envelopes`, `editing`, `validation`, `checks`, `references`,
`neighbours` and `patch`. `instances` is what the store is given, `receipts` and `problems` what callers get.
"""
