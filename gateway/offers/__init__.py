"""PURE: business objects (offers, placements, rules, activities ...) and the decisions made with them.

Documents and the current time go in, the next revision or a decision comes out. Nothing here waits, reads a clock,
draws a random number or makes an id: the shell hands these in.
"""
