"""Offer decisions at work: catalogues that follow the repository, the walk of one decision, repeated requests.

The pure room `offers/` says what a decision is; here are the waits between its steps: snapshot, profile, claim. The
endpoints (`web/decisions.py`) and delivery requests (mboxes of offer activities) bring requests and take answers.
"""
