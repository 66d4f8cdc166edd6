"""Many cards at once that were made elsewhere: each is registered as if it were the only one."""
