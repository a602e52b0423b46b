"""A worker's own index of the repository: lists and searches are answered from SQLite in memory (gw:R3)."""
