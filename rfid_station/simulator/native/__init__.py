"""Virtual cards of ISO 14443-4 and of other standards, from their data sheets."""
