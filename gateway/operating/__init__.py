"""Commands for operators, each on the store that a configuration names: what is counted, and what was decided."""
