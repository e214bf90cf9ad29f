"""What runs inside supervisord and circusd alike, on the host's own event loop."""
