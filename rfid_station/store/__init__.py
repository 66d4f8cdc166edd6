"""The station's memory: cards, tokens, partners, what each partner is owed, and the audit log.

`store.opening` is the door. SQLModel and SQLAlchemy stay behind this package.
"""
