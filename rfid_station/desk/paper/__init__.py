"""Cards, sheets, letters and labels on paper and plastic."""
