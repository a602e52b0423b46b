"""Who calls, and what they may see and change: tokens, grants, rates (spec repository §2, §5).

Tokens come in as text and an account comes out, or Problem 401. Nothing here knows HTTP's requests.
"""
