"""What `make run` shows: a stand-in for Target that keeps Target's own rules, and a shop's artifact."""
