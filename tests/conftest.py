"""What every test may use, and what every test is held to."""

pytest_plugins = [
    "every_test_runs",
    "lasting_memory",
    "shared_statements",
    "shares_of_workers",
    "warm_processes",
    "pcsc_fixtures",
    "postgresql_cluster",
    "stations",
]
