"""I/O: out over HTTP. `target` says what to ask and what answers mean, `fanout` does the talking for everyone."""
