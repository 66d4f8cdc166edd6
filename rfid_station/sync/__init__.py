"""What each partner should hold, holds, and was proven to hold."""
