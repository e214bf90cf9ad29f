"""Plain data that host and driver share: phases, records, orders, options."""
