"""Everything that is asked of Linux. Nothing else asks, and tests replace `System` whole."""
