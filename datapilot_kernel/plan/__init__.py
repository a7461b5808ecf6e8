"""Plans: a question understood, as data; its periods; its SQL."""
