"""How fast the on-call queue moves, beside the floor of the same stack: `make bench-queue`."""
