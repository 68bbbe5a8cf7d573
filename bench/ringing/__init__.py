"""How fast the on-call queue moves, beside the floor that the same stack sets: `make bench-queue`."""
