"""What a store lies on: a file of SQLite or a PostgreSQL database, and what each of them alone knows."""
