"""What the business talks about: pure values, standard library only."""
