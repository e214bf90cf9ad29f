"""Who belongs to a program: its masters, their workers, and what a dead master left."""
