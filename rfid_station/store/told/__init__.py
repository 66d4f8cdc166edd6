"""What partners are told of our tokens: revisions, what each may see, how far each is, what it asked."""
